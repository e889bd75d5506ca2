-- Security rules of document collections: parsed into a tree here, once, and turned into the conditions of row-level security. The server reads
-- the same trees (`policy/rules`), so there is one parser.

/* The tree of a rule's condition. Raises 22023 on what is not one. */
create function bson.parse_rule(rule text) returns jsonb
  language plpgsql immutable
  set search_path = ''
as $$
declare
  tokens text[];
  rest text := rule;
  token text;
  parsed record;
begin
  if length(rule) > 1024 then
    raise exception 'a rule has at most 1024 characters' using errcode = '22023';
  end if;
  loop
    rest := ltrim(rest, E' \t\r\n');
    exit when rest = '';
    token := substring(rest from
      '^(?:"(?:[^"\\]|\\.)*"|''(?:[^''\\]|\\.)*''|`[^`]*`|[0-9]+(?:\.[0-9]+)?|[A-Za-z_$][A-Za-z0-9_$]*|===|!==|==|!=|>=|<=|&&|\|\||[-+*/%!<>()\[\].,?:])');
    if token is null then
      raise exception 'the rule cannot be read at "%"', left(rest, 20) using errcode = '22023';
    end if;
    tokens := tokens || token;
    rest := substr(rest, length(token) + 1);
  end loop;
  if tokens is null then
    raise exception 'a rule cannot be empty' using errcode = '22023';
  end if;
  select * into parsed from bson.parse_rule_at(tokens, 1, 0);
  if parsed.at <= cardinality(tokens) then
    raise exception 'the rule cannot be read at "%"', tokens[parsed.at] using errcode = '22023';
  end if;
  return parsed.node;
end
$$;

/* One level of precedence: 0 choice, 1 or, 2 and, 3 equality, 4 order, 5 sum, 6 product, 7 sign, 8 members. */
create function bson.parse_rule_at(tokens text[], start integer, level integer, out node jsonb, out at integer)
  language plpgsql immutable
  set search_path = ''
as $$
declare
  token text;
  right_side record;
  other record;
begin
  if level = 7 then
    token := tokens[start];
    if token in ('!', '-') then
      select * into right_side from bson.parse_rule_at(tokens, start + 1, 7);
      node := jsonb_build_object('op', case token when '!' then 'not' else 'negative' end, 'item', right_side.node);
      at := right_side.at;
      return;
    end if;
    select * into right_side from bson.parse_rule_members(tokens, start);
    node := right_side.node;
    at := right_side.at;
    return;
  end if;
  select * into right_side from bson.parse_rule_at(tokens, start, level + 1);
  node := right_side.node;
  at := right_side.at;
  if level = 0 then
    if tokens[at] is distinct from '?' then return; end if;
    select * into right_side from bson.parse_rule_at(tokens, at + 1, 0);
    if tokens[right_side.at] is distinct from ':' then
      raise exception 'the rule lacks a ":"' using errcode = '22023';
    end if;
    select * into other from bson.parse_rule_at(tokens, right_side.at + 1, 0);
    node := jsonb_build_object('op', 'choice', 'if', node, 'then', right_side.node, 'else', other.node);
    at := other.at;
    return;
  end if;
  loop
    token := tokens[at];
    exit when token is null or not case level
      when 1 then token = '||'
      when 2 then token = '&&'
      when 3 then token in ('==', '!=', '===', '!==')
      when 4 then token in ('<', '<=', '>', '>=', 'in')
      when 5 then token in ('+', '-')
      when 6 then token in ('*', '/', '%')
    end;
    select * into right_side from bson.parse_rule_at(tokens, at + 1, level + 1);
    node := jsonb_build_object(
      'op', case level when 1 then 'or' when 2 then 'and' when 5 then 'compute' when 6 then 'compute' else 'compare' end,
      'sign', case token when '===' then '==' when '!==' then '!=' else token end,
      'left', node,
      'right', right_side.node);
    at := right_side.at;
  end loop;
end
$$;

create function bson.parse_rule_members(tokens text[], start integer, out node jsonb, out at integer)
  language plpgsql immutable
  set search_path = ''
as $$
declare
  token text := tokens[start];
  inner_part record;
  items jsonb := '[]';
begin
  at := start + 1;
  if token is null then
    raise exception 'the rule ends too early' using errcode = '22023';
  elsif token = '(' then
    select * into inner_part from bson.parse_rule_at(tokens, at, 0);
    if tokens[inner_part.at] is distinct from ')' then
      raise exception 'the rule lacks a ")"' using errcode = '22023';
    end if;
    node := inner_part.node;
    at := inner_part.at + 1;
  elsif token = '[' then
    while tokens[at] is distinct from ']' loop
      select * into inner_part from bson.parse_rule_at(tokens, at, 0);
      items := items || jsonb_build_array(inner_part.node);
      at := inner_part.at;
      if tokens[at] = ',' then
        at := at + 1;
      elsif tokens[at] is distinct from ']' then
        raise exception 'the rule lacks a "]"' using errcode = '22023';
      end if;
    end loop;
    at := at + 1;
    node := jsonb_build_object('op', 'list', 'items', items);
  elsif left(token, 1) in ('"', '''') then
    node := jsonb_build_object('op', 'literal', 'value', regexp_replace(substr(token, 2, length(token) - 2), '\\(.)', '\1', 'g'));
  elsif left(token, 1) = '`' then
    node := bson.parse_rule_template(substr(token, 2, length(token) - 2));
  elsif token ~ '^[0-9]' then
    node := jsonb_build_object('op', 'literal', 'value', token::numeric);
  elsif token in ('true', 'false', 'null') then
    node := jsonb_build_object('op', 'literal', 'value', token::jsonb);
  elsif token = 'undefined' then
    node := jsonb_build_object('op', 'literal', 'value', null);
  elsif token in ('auth', 'doc', 'now', 'request') then
    node := jsonb_build_object('op', 'name', 'name', token);
  elsif token = 'get' and tokens[at] = '(' then
    select * into inner_part from bson.parse_rule_at(tokens, at + 1, 0);
    if tokens[inner_part.at] is distinct from ')' then
      raise exception 'the rule lacks a ")"' using errcode = '22023';
    end if;
    node := jsonb_build_object('op', 'get', 'path', inner_part.node);
    at := inner_part.at + 1;
  else
    raise exception 'a rule does not know "%"', token using errcode = '22023';
  end if;
  loop
    if tokens[at] = '.' then
      if tokens[at + 1] is null or tokens[at + 1] !~ '^[A-Za-z_$]' then
        raise exception 'the rule lacks a name after "."' using errcode = '22023';
      end if;
      node := jsonb_build_object('op', 'member', 'of', node, 'name', tokens[at + 1]);
      at := at + 2;
    elsif tokens[at] = '[' then
      select * into inner_part from bson.parse_rule_at(tokens, at + 1, 0);
      if tokens[inner_part.at] is distinct from ']' then
        raise exception 'the rule lacks a "]"' using errcode = '22023';
      end if;
      node := case
        when inner_part.node ->> 'op' = 'literal' and jsonb_typeof(inner_part.node -> 'value') = 'string'
          then jsonb_build_object('op', 'member', 'of', node, 'name', inner_part.node -> 'value')
        else jsonb_build_object('op', 'element', 'of', node, 'index', inner_part.node)
      end;
      at := inner_part.at + 1;
    else
      return;
    end if;
  end loop;
end
$$;

/* `text ${condition} text` */
create function bson.parse_rule_template(content text) returns jsonb
  language plpgsql immutable
  set search_path = ''
as $$
declare
  parts jsonb := '[]';
  rest text := content;
  hole text;
begin
  loop
    hole := substring(rest from '\$\{([^}]*)\}');
    exit when hole is null;
    parts := parts || jsonb_build_array(
      jsonb_build_object('op', 'literal', 'value', substring(rest from '^(.*?)\$\{')),
      bson.parse_rule(hole));
    rest := substr(rest, position('${' || hole || '}' in rest) + length(hole) + 3);
  end loop;
  return jsonb_build_object('op', 'template', 'parts', parts || jsonb_build_array(jsonb_build_object('op', 'literal', 'value', rest)));
end
$$;

-- What conditions are made of. Null and what is missing are the same, dates count as their milliseconds, and nothing here fails on odd types.

create function bson.auth() returns jsonb
  language sql stable
  set search_path = ''
as $$
  select case when auth.openid() is not null then jsonb_build_object(
           'openid', auth.openid(),
           'uid', auth.jwt() ->> 'sub',
           'loginType', case when (auth.jwt() ->> 'is_anonymous')::boolean then 'ANONYMOUS' else upper(coalesce(auth.jwt() #>> '{app_metadata,provider}', 'custom')) end)
         end
$$;

create function bson.now() returns jsonb
  language sql stable
  set search_path = ''
as $$
  select to_jsonb((extract(epoch from pg_catalog.now()) * 1000)::bigint)
$$;

/* The data of the request that is under way, as the server announced it; a row written by other means is its own data. */
create function bson.request_data(fallback jsonb) returns jsonb
  language sql stable
  set search_path = ''
as $$
  select coalesce(nullif(current_setting('teahouse.request_data', true), '')::jsonb, fallback)
$$;

create function bson.rule_plain(v jsonb) returns jsonb
  language sql immutable parallel safe
  set search_path = ''
as $$
  select case
           when jsonb_typeof(v) <> 'object' then v
           when v ? '$date' then v -> '$date'
           when v ? '$numberLong' then to_jsonb((v ->> '$numberLong')::numeric)
           else v
         end
$$;

create function bson.rule_true(v jsonb) returns boolean
  language sql immutable parallel safe
  set search_path = ''
as $$
  select v is not null and v not in ('null', 'false', '0', '""')
$$;

create function bson.rule_text(v jsonb) returns text
  language sql immutable parallel safe
  set search_path = ''
as $$
  select coalesce(case when jsonb_typeof(bson.rule_plain(v)) not in ('object', 'array') then bson.rule_plain(v) #>> '{}' end, 'null')
$$;

create function bson.rule_member(v jsonb, name text) returns jsonb
  language sql immutable parallel safe
  set search_path = ''
as $$
  select case jsonb_typeof(v)
           when 'object' then v -> name
           when 'array' then case when name = 'length' then to_jsonb(jsonb_array_length(v)) end
           when 'string' then case when name = 'length' then to_jsonb(length(v #>> '{}')) end
         end
$$;

create function bson.rule_element(v jsonb, i jsonb) returns jsonb
  language sql immutable parallel safe
  set search_path = ''
as $$
  select case
           when jsonb_typeof(v) = 'array' and i::text ~ '^[0-9]{1,9}$' then v -> (i::text)::integer
           when jsonb_typeof(v) = 'object' then v -> bson.rule_text(i)
         end
$$;

create function bson.rule_compare(a jsonb, sign text, b jsonb) returns boolean
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
declare
  l jsonb := bson.rule_plain(a);
  r jsonb := bson.rule_plain(b);
begin
  if sign = '==' then return bson.key(l) = bson.key(r); end if;
  if sign = '!=' then return bson.key(l) <> bson.key(r); end if;
  if sign = 'in' then
    if jsonb_typeof(r) = 'array' then return bson.has(array(select bson.rule_plain(e) from jsonb_array_elements(r) as e), bson.key(l)); end if;
    return jsonb_typeof(r) = 'object' and jsonb_typeof(l) = 'string' and r ? (l #>> '{}');
  end if;
  if jsonb_typeof(l) is distinct from jsonb_typeof(r) or coalesce(jsonb_typeof(l), 'null') not in ('number', 'string') then return false; end if;
  return case sign
    when '<' then bson.key(l) < bson.key(r)
    when '<=' then bson.key(l) <= bson.key(r)
    when '>' then bson.key(l) > bson.key(r)
    else bson.key(l) >= bson.key(r)
  end;
end
$$;

create function bson.rule_compute(a jsonb, sign text, b jsonb) returns jsonb
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
declare
  l jsonb := bson.rule_plain(a);
  r jsonb := bson.rule_plain(b);
  x numeric;
  y numeric;
begin
  if sign = '+' and 'string' in (coalesce(jsonb_typeof(l), ''), coalesce(jsonb_typeof(r), '')) then
    return to_jsonb(bson.rule_text(l) || bson.rule_text(r));
  end if;
  if jsonb_typeof(l) is distinct from 'number' or jsonb_typeof(r) is distinct from 'number' then return null; end if;
  x := l::numeric;
  y := r::numeric;
  if sign in ('/', '%') and y = 0 then return null; end if;
  return to_jsonb(case sign when '+' then x + y when '-' then x - y when '*' then x * y when '/' then (x::float8 / y::float8)::numeric else mod(x, y) end);
end
$$;

/* get('database.collection.id'): a document whatever its collection's permission says; null when there is none. */
create function bson.rule_get(path text) returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  parts text[] := regexp_match(path, '^database\.([^.]+)\.(.+)$');
  found jsonb;
begin
  if parts is null or not exists (select from teahouse.collection where name = parts[1]) then return null; end if;
  execute pg_catalog.format('select bson.root(_id, _openid, doc) from cloud.%I where _id = $1', parts[1]) into found using parts[2];
  return found;
end
$$;

/* The SQL of a tree as jsonb. `row` is 'old' for what is there, 'new' for what is about to be. */
create function bson.rule_value(node jsonb, row_kind text) returns text
  language plpgsql immutable
  set search_path = ''
as $$
declare
  inner_node jsonb := node -> 'of';
  field text := node ->> 'name';
begin
  case node ->> 'op'
    when 'literal' then
      return pg_catalog.format('%L::jsonb', node -> 'value');
    when 'name' then
      return case field
        when 'auth' then '(select bson.auth())'
        when 'now' then '(select bson.now())'
        when 'doc' then 'bson.root(_id, _openid, doc)'
        else pg_catalog.format('jsonb_build_object(''data'', %s)', bson.rule_request(row_kind))
      end;
    when 'member' then
      if inner_node ->> 'op' = 'name' and inner_node ->> 'name' = 'doc' then
        return case field
          when '_id' then 'coalesce(doc -> ''_id'', to_jsonb(_id))'
          when '_openid' then 'to_jsonb(_openid)'
          else pg_catalog.format('(doc -> %L)', field)
        end;
      elsif inner_node ->> 'op' = 'name' and inner_node ->> 'name' = 'request' and field = 'data' then
        return bson.rule_request(row_kind);
      end if;
      return pg_catalog.format('bson.rule_member(%s, %L)', bson.rule_value(inner_node, row_kind), field);
    when 'element' then
      return pg_catalog.format('bson.rule_element(%s, %s)', bson.rule_value(inner_node, row_kind), bson.rule_value(node -> 'index', row_kind));
    when 'get' then
      return pg_catalog.format('bson.rule_get(bson.rule_text(%s))', bson.rule_value(node -> 'path', row_kind));
    when 'list' then
      return pg_catalog.format('jsonb_build_array(%s)', (
        select string_agg(bson.rule_value(e, row_kind), ', ' order by n) from jsonb_array_elements(node -> 'items') with ordinality as each(e, n)));
    when 'template' then
      return pg_catalog.format('to_jsonb(concat(%s))', (
        select string_agg('bson.rule_text(' || bson.rule_value(e, row_kind) || ')', ', ' order by n) from jsonb_array_elements(node -> 'parts') with ordinality as each(e, n)));
    when 'compute' then
      return pg_catalog.format('bson.rule_compute(%s, %L, %s)', bson.rule_value(node -> 'left', row_kind), node ->> 'sign', bson.rule_value(node -> 'right', row_kind));
    when 'negative' then
      return pg_catalog.format('bson.rule_compute(''0'', ''-'', %s)', bson.rule_value(node -> 'item', row_kind));
    when 'choice' then
      return pg_catalog.format('case when %s then %s else %s end',
        bson.rule_condition(node -> 'if', row_kind), bson.rule_value(node -> 'then', row_kind), bson.rule_value(node -> 'else', row_kind));
    else
      return pg_catalog.format('to_jsonb(%s)', bson.rule_condition(node, row_kind));
  end case;
end
$$;

create function bson.rule_request(row_kind text) returns text
  language sql immutable
  set search_path = ''
as $$
  select case row_kind when 'new' then 'bson.request_data(bson.root(_id, _openid, doc))' else 'bson.request_data(null)' end
$$;

/* The SQL of a tree as a condition: true or false, never null. */
create function bson.rule_condition(node jsonb, row_kind text) returns text
  language plpgsql immutable
  set search_path = ''
as $$
begin
  case node ->> 'op'
    when 'and' then
      return pg_catalog.format('(%s and %s)', bson.rule_condition(node -> 'left', row_kind), bson.rule_condition(node -> 'right', row_kind));
    when 'or' then
      return pg_catalog.format('(%s or %s)', bson.rule_condition(node -> 'left', row_kind), bson.rule_condition(node -> 'right', row_kind));
    when 'not' then
      return pg_catalog.format('(not %s)', bson.rule_condition(node -> 'item', row_kind));
    when 'compare' then
      return pg_catalog.format('bson.rule_compare(%s, %L, %s)', bson.rule_value(node -> 'left', row_kind), node ->> 'sign', bson.rule_value(node -> 'right', row_kind));
    when 'literal' then
      return bson.rule_true(node -> 'value')::text;
    when 'choice' then
      return pg_catalog.format('(case when %s then %s else %s end)',
        bson.rule_condition(node -> 'if', row_kind), bson.rule_condition(node -> 'then', row_kind), bson.rule_condition(node -> 'else', row_kind));
    else
      return pg_catalog.format('bson.rule_true(%s)', bson.rule_value(node, row_kind));
  end case;
end
$$;

grant execute on all functions in schema bson to anon, authenticated, service_role;
