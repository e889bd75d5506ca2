-- What a person logs in with and what a login leaves behind. Tables that GoTrue has keep GoTrue's columns; what it does not know is added at their end.

create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
create type auth.factor_type as enum ('totp', 'webauthn', 'phone', 'recovery_code');
create type auth.factor_status as enum ('unverified', 'verified');
create type auth.code_challenge_method as enum ('s256', 'plain');
create type auth.one_time_token_type as enum (
  'confirmation_token',
  'reauthentication_token',
  'recovery_token',
  'email_change_token_new',
  'email_change_token_current',
  'phone_change_token'
);

-- One row per way to log in. For WeChat: (appid, openid) names the person within one app, unionid across the apps of one owner.
create table auth.identities (
  id uuid primary key default gen_random_uuid(),
  provider_id text not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  identity_data jsonb not null,
  provider text not null,
  last_sign_in_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  email text generated always as (lower(identity_data ->> 'email')) stored,
  appid text,
  openid text,
  unionid text,
  unique (provider_id, provider)
);
create unique index identities_wechat_key on auth.identities (appid, openid) where appid is not null;
create index identities_unionid_idx on auth.identities (unionid) where unionid is not null;
create index identities_user_id_idx on auth.identities (user_id);
create index identities_email_idx on auth.identities (email text_pattern_ops);

-- One login. The refresh tokens of a session are counted, not stored: a token names its session and its place in the family.
create table auth.sessions (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  factor_id uuid,
  aal auth.aal_level,
  not_after timestamptz,
  refreshed_at timestamptz,
  user_agent text,
  ip inet,
  tag text,
  refresh_token_hmac_key text not null,
  refresh_token_counter bigint not null default 0,
  -- When the latest few tokens of the family were exchanged, newest first.
  refresh_times timestamptz[] not null default '{}'
);
create index sessions_user_id_created_at_idx on auth.sessions (user_id, created_at);
create index sessions_not_after_idx on auth.sessions (not_after desc);

create table auth.mfa_amr_claims (
  session_id uuid not null references auth.sessions (id) on delete cascade,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  authentication_method text not null,
  id uuid primary key default gen_random_uuid(),
  unique (session_id, authentication_method)
);

create table auth.one_time_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  token_type auth.one_time_token_type not null,
  token_hash text not null check (char_length(token_hash) > 0),
  relates_to text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, token_type)
);
create index one_time_tokens_token_hash_idx on auth.one_time_tokens using hash (token_hash);
create index one_time_tokens_relates_to_idx on auth.one_time_tokens using hash (relates_to);

-- A login that is under way elsewhere: at a provider, or in a mailbox.
create table auth.flow_state (
  id uuid primary key,
  user_id uuid references auth.users (id) on delete cascade,
  auth_code text,
  code_challenge_method auth.code_challenge_method,
  code_challenge text,
  provider_type text not null,
  provider_access_token text,
  provider_refresh_token text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  authentication_method text not null,
  auth_code_issued_at timestamptz,
  redirect_to text,
  linking_user_id uuid references auth.users (id) on delete cascade,
  nonce text,
  provider_verifier text
);
create unique index flow_state_auth_code_key on auth.flow_state (auth_code);
create index flow_state_created_at_idx on auth.flow_state (created_at desc);

create table auth.mfa_factors (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  friendly_name text,
  factor_type auth.factor_type not null,
  status auth.factor_status not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  secret text,
  phone text,
  last_challenged_at timestamptz unique,
  web_authn_credential jsonb,
  web_authn_aaguid uuid,
  -- The last time step whose code was accepted: a code that was seen over a shoulder is worth nothing.
  last_step bigint
);
create unique index mfa_factors_user_friendly_name_unique
  on auth.mfa_factors (friendly_name, user_id) where trim(friendly_name) <> '';
create index mfa_factors_user_id_idx on auth.mfa_factors (user_id);

create table auth.mfa_challenges (
  id uuid primary key,
  factor_id uuid not null references auth.mfa_factors (id) on delete cascade,
  created_at timestamptz not null,
  verified_at timestamptz,
  ip_address inet not null,
  otp_code text,
  attempts integer not null default 0
);
create index mfa_challenge_created_at_idx on auth.mfa_challenges (created_at desc);

create table auth.mfa_recovery_codes (
  factor_id uuid not null references auth.mfa_factors (id) on delete cascade,
  code_hash text not null,
  used_at timestamptz,
  primary key (factor_id, code_hash)
);

alter table auth.identities enable row level security;
alter table auth.sessions enable row level security;
alter table auth.mfa_amr_claims enable row level security;
alter table auth.one_time_tokens enable row level security;
alter table auth.flow_state enable row level security;
alter table auth.mfa_factors enable row level security;
alter table auth.mfa_challenges enable row level security;
alter table auth.mfa_recovery_codes enable row level security;
grant all on auth.identities to service_role;

-- WeChat's access token of an app, fetched by one node and used by all.
create table teahouse.wechat_token (
  appid text primary key,
  access_token text not null,
  expires_at timestamptz not null,
  fetched_at timestamptz not null
);

-- When and with what a person was last here. Apart from auth.users, whose every change other parts hear of.
create table teahouse.user_seen (
  user_id uuid primary key references auth.users (id) on delete cascade,
  seen_at timestamptz not null,
  device text,
  ip inet
);
create index user_seen_seen_at_idx on teahouse.user_seen (seen_at desc);

-- Proofs that are withdrawn before they expire. Every node reads what is new.
create table teahouse.revocation (
  seq bigint generated always as identity primary key,
  subject uuid not null,
  -- Tokens issued before this moment are void; those of later logins are not.
  revoked_at timestamptz not null,
  keep_until timestamptz not null
);
create index revocation_keep_until_idx on teahouse.revocation (keep_until);

-- Counters of the rate limits that all nodes share. Unlogged: after a crash everybody starts anew.
create unlogged table teahouse.rate_limit (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
