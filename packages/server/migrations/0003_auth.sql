-- People. GoTrue's table and functions, because policies and foreign keys of existing apps name them.

create table auth.users (
  instance_id uuid,
  id uuid primary key,
  aud text,
  role text,
  email text,
  encrypted_password text,
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token text,
  confirmation_sent_at timestamptz,
  recovery_token text,
  recovery_sent_at timestamptz,
  email_change_token_new text,
  email_change text,
  email_change_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  phone text unique,
  phone_confirmed_at timestamptz,
  phone_change text,
  phone_change_token text,
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
  email_change_token_current text,
  email_change_confirm_status smallint not null default 0,
  banned_until timestamptz,
  reauthentication_token text,
  reauthentication_sent_at timestamptz,
  is_sso_user boolean not null default false,
  deleted_at timestamptz,
  is_anonymous boolean not null default false
);

-- One address, one person, except for people who came through an organisation's own sign-on.
create unique index users_email_key on auth.users (lower(email)) where not is_sso_user;
create index users_is_anonymous_idx on auth.users (is_anonymous);

alter table auth.users enable row level security;

/* The verified claims of the request, or null outside of one. */
create function auth.jwt() returns jsonb
  language sql stable
as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb
$$;

create function auth.uid() returns uuid
  language sql stable
as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;

create function auth.role() returns text
  language sql stable
as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
$$;

create function auth.email() returns text
  language sql stable
as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
$$;

/* The WeChat openid of the caller; the user id for people who did not come from WeChat; null for a key. */
create function auth.openid() returns text
  language sql stable
as $$
  select coalesce(claims ->> 'openid', claims ->> 'sub')
    from (select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims) as request
$$;

grant execute on all functions in schema auth to anon, authenticated, service_role;
grant all on auth.users to service_role;
