-- Document values inside jsonb: their order, and how a dotted path reaches into them. Pure functions; the server's own copy of this is `expr/bson`,
-- and a test compares both.
--
-- What JSON lacks is an object with one key: {"$date": ms}, {"$numberLong": "…"} beyond 2^53, {"$numberDouble": "NaN"}, {"$numberDecimal": "…"},
-- {"$binary": {…}}, {"$regularExpression": {…}}, {"$timestamp": {…}}, {"$minKey": 1}, {"$maxKey": 1}. A number's scale tells its type:
-- 5 is an integer, 5.0 a double, 5.00 a declared long.

create schema bson;
grant usage on schema bson to anon, authenticated, service_role;

/* Whether a value is a document, and not one of the tagged values. */
create function bson.is_doc(v jsonb) returns boolean
  language sql immutable parallel safe
as $$
  select jsonb_typeof(v) = 'object'
     and not v ?| array['$date', '$numberLong', '$numberDouble', '$numberDecimal', '$binary', '$regularExpression', '$timestamp', '$minKey', '$maxKey']
$$;

/* Eight bytes that sort as the double does, then two for what a 64-bit integer has beyond the double that is nearest to it. */
create function bson.number_key(n numeric, exact boolean default false) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  d float8;
  bits bigint;
  rest integer := 0;
begin
  d := case
    when n = 'NaN' then null
    when n > 1.7976931348623157e308 then 'Infinity'
    when n < -1.7976931348623157e308 then '-Infinity'
    when abs(n) < 4.94e-324 then 0
    else n
  end;
  if d is null then return '\x00000000000000008000'; end if;
  if exact and abs(d) >= 9007199254740992 then
    rest := (n - case when d >= 9223372036854775808 then 9223372036854775808 else d::bigint::numeric end)::integer;
  end if;
  bits := ('x' || encode(float8send(d), 'hex'))::bit(64)::bigint;
  return int8send(case when bits < 0 then ~bits else bits | (-9223372036854775808) end)
      || substr(int4send(32768 + rest), 3);
end
$$;

create function bson.tagged_number(v jsonb) returns numeric
  language sql immutable parallel safe
as $$
  select case
    when v ? '$numberLong' then (v ->> '$numberLong')::numeric
    when v ->> '$numberDouble' = '-0.0' then 0
    else coalesce(v ->> '$numberDouble', v ->> '$numberDecimal')::numeric
  end
$$;

/* Bytes that sort as MongoDB sorts the values. The first byte is the type's rank; null and what is missing are the same. */
create function bson.key(v jsonb) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  result bytea;
  element jsonb;
  name text;
begin
  case jsonb_typeof(v)
    when 'string' then
      return '\x0f'::bytea || convert_to(v #>> '{}', 'UTF8') || '\x00';
    when 'number' then
      return '\x0a'::bytea || bson.number_key((v #>> '{}')::numeric);
    when 'boolean' then
      return case when v = 'true' then '\x2801'::bytea else '\x2800'::bytea end;
    when 'array' then
      result := '\x19';
      for element in select jsonb_array_elements(v) loop
        result := result || bson.key(element);
      end loop;
      return result || '\x00';
    when 'object' then
      if not bson.is_doc(v) then return bson.tagged_key(v); end if;
      result := '\x14';
      for name, element in select e.key, e.value from jsonb_each(v) as e order by e.key collate "C" loop
        result := result || substr(bson.key(element), 1, 1) || convert_to(name, 'UTF8') || '\x00' || bson.key(element);
      end loop;
      return result || '\x00';
    else
      return '\x05';
  end case;
end
$$;

create function bson.tagged_key(v jsonb) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  content jsonb;
  bytes bytea;
begin
  if v ? '$date' then
    return '\x2d'::bytea || int8send((v ->> '$date')::bigint # (-9223372036854775808));
  elsif v ?| array['$numberLong', '$numberDouble', '$numberDecimal'] then
    return '\x0a'::bytea || bson.number_key(bson.tagged_number(v), v ? '$numberLong');
  elsif v ? '$binary' then
    content := v -> '$binary';
    bytes := decode(content ->> 'base64', 'base64');
    return '\x1e'::bytea || int4send(length(bytes)) || decode(content ->> 'subType', 'hex') || bytes;
  elsif v ? '$timestamp' then
    content := v -> '$timestamp';
    return '\x2f'::bytea || int8send((content ->> 't')::bigint) || int8send((content ->> 'i')::bigint);
  elsif v ? '$regularExpression' then
    content := v -> '$regularExpression';
    return '\x32'::bytea || convert_to(content ->> 'pattern', 'UTF8') || '\x00' || convert_to(content ->> 'options', 'UTF8') || '\x00';
  elsif v ? '$minKey' then
    return '\x01';
  end if;
  return '\x7f';
end
$$;

/* What a dotted path leads to, through arrays on the way: every document in an array, and the element that a numeric step names.
   A null element of the result is a place where the path ends in nothing. With `expand`, an array at the end gives its elements too. */
create function bson.reach(v jsonb, path text[], expand boolean) returns jsonb[]
  language plpgsql immutable parallel safe
as $$
declare
  reached jsonb[] := '{}';
  element jsonb;
begin
  if cardinality(path) = 0 then
    if expand and jsonb_typeof(v) = 'array' then
      return array_append(array(select jsonb_array_elements(v)), v);
    end if;
    return array[v];
  end if;
  case jsonb_typeof(v)
    when 'object' then
      if not bson.is_doc(v) then return array[null::jsonb]; end if;
      return bson.reach(v -> path[1], path[2:], expand);
    when 'array' then
      for element in select jsonb_array_elements(v) loop
        if bson.is_doc(element) then
          reached := reached || bson.reach(element, path, expand);
        end if;
      end loop;
      if path[1] ~ '^(0|[1-9][0-9]{0,8})$' then
        element := v -> path[1]::integer;
        if element is null then return reached; end if;
        if cardinality(path) = 1 then
          reached := array_append(reached, element);
        elsif jsonb_typeof(element) = 'array' or bson.is_doc(element) then
          reached := reached || bson.reach(element, path[2:], expand);
        end if;
      end if;
      return reached;
    else
      return array[null::jsonb];
  end case;
end
$$;

/* Whether one of the values has this key. */
create function bson.has(reached jsonb[], wanted bytea) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  each jsonb;
begin
  foreach each in array reached loop
    if bson.key(each) = wanted then return true; end if;
  end loop;
  return false;
end
$$;

create function bson.has_any(reached jsonb[], wanted bytea[]) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  each jsonb;
begin
  foreach each in array reached loop
    if bson.key(each) = any (wanted) then return true; end if;
  end loop;
  return false;
end
$$;

/* Whether one of the values lies in low <= key < high. */
create function bson.has_between(reached jsonb[], low bytea, high bytea) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  each jsonb;
  k bytea;
begin
  foreach each in array reached loop
    k := bson.key(each);
    if k >= low and k < high then return true; end if;
  end loop;
  return false;
end
$$;

/* Whether the path led to something. */
create function bson.has_some(reached jsonb[]) returns boolean
  language sql immutable parallel safe
as $$
  select exists (select from unnest(reached) as each where each is not null)
$$;

/* Whether one of the values is a text that matches. */
create function bson.has_text(reached jsonb[], pattern text) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  each jsonb;
begin
  foreach each in array reached loop
    if jsonb_typeof(each) = 'string' and each #>> '{}' ~ pattern then return true; end if;
  end loop;
  return false;
end
$$;

create function bson.has_size(reached jsonb[], size integer) returns boolean
  language sql immutable parallel safe
as $$
  select exists (select from unnest(reached) as each where case when jsonb_typeof(each) = 'array' then jsonb_array_length(each) = size end)
$$;

/* Whether one of the values is a number whose whole part leaves this remainder. */
create function bson.has_remainder(reached jsonb[], divisor numeric, remainder numeric) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  each jsonb;
  n numeric;
begin
  foreach each in array reached loop
    n := case
      when jsonb_typeof(each) = 'number' then (each #>> '{}')::numeric
      when each ?| array['$numberLong', '$numberDouble', '$numberDecimal'] then bson.tagged_number(each)
    end;
    if n <> 'NaN' and abs(n) <> 'Infinity' and mod(trunc(n), divisor) = remainder then return true; end if;
  end loop;
  return false;
end
$$;

/* What a document sorts by: the smallest element of an array going up, the greatest going down; an empty array comes before null. */
create function bson.sort_key(v jsonb, path text[], descending boolean) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  each jsonb;
  element jsonb;
  k bytea;
  best bytea;
begin
  -- Most paths are one step to one value.
  if cardinality(path) = 1 and jsonb_typeof(v) = 'object' and jsonb_typeof(v -> path[1]) is distinct from 'array' then
    return bson.key(v -> path[1]);
  end if;
  foreach each in array bson.reach(v, path, false) loop
    if jsonb_typeof(each) = 'array' then
      if each = '[]' then
        k := '\x03';
        if best is null or (k > best) = descending then best := k; end if;
      end if;
      for element in select jsonb_array_elements(each) loop
        k := bson.key(element);
        if best is null or (k > best) = descending then best := k; end if;
      end loop;
    else
      k := bson.key(each);
      if best is null or (k > best) = descending then best := k; end if;
    end if;
  end loop;
  return coalesce(best, '\x05'::bytea);
end
$$;

/* A whole document out of its columns. A numeric key is kept in the document itself. */
create function bson.root(id text, openid text, doc jsonb) returns jsonb
  language sql immutable parallel safe
as $$
  select case when openid is null then jsonb_build_object('_id', id) else jsonb_build_object('_id', id, '_openid', openid) end || doc
$$;

/* What an index column holds: the key of the one value at the path, cut when it is long; 0xff when there is an array on the way. */
create function bson.index_key(v jsonb, path text[]) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  step text;
  k bytea;
begin
  foreach step in array path loop
    if jsonb_typeof(v) = 'array' then return '\xff'; end if;
    v := case when bson.is_doc(v) then v -> step end;
  end loop;
  if jsonb_typeof(v) = 'array' then return '\xff'; end if;
  k := bson.key(v);
  return case when length(k) > 800 then substr(k, 1, 800) || sha256(k) else k end;
end
$$;

/* Every key that a document has in an index of this path, for documents with arrays. */
create function bson.index_keys(v jsonb, path text[]) returns bytea[]
  language sql immutable parallel safe
as $$
  select array(
    select distinct case when length(k) > 800 then substr(k, 1, 800) || sha256(k) else k end
      from unnest(bson.reach(v, path, true)) as each,
           bson.key(each) as k)
$$;

/* Where the geometry at a path may lie: {west, south, east, north}; null where there is none. The edges of lines and polygons are arcs that leave
   the box around their corners, so anything but points counts as everywhere. */
create function bson.geo_box(v jsonb, path text[]) returns float8[]
  language plpgsql immutable parallel safe
as $$
declare
  step text;
begin
  foreach step in array path loop
    if jsonb_typeof(v) = 'array' then return array[-180, -90, 180, 90]; end if;
    v := case when jsonb_typeof(v) = 'object' then v -> step end;
  end loop;
  if v is null or jsonb_typeof(v) not in ('object', 'array') then return null; end if;
  if v ->> 'type' = 'Point' and jsonb_typeof(v #> '{coordinates,0}') = 'number' and jsonb_typeof(v #> '{coordinates,1}') = 'number' then
    return array[
      (v #>> '{coordinates,0}')::float8, (v #>> '{coordinates,1}')::float8,
      (v #>> '{coordinates,0}')::float8, (v #>> '{coordinates,1}')::float8];
  end if;
  return array[-180, -90, 180, 90];
end
$$;

grant execute on all functions in schema bson to anon, authenticated, service_role;
