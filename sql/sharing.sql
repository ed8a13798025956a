-- SPDX-License-Identifier: PostgreSQL
--
-- Several ids in one statement: each costs one request, several requests run in
-- parallel, and a statement that ends early cancels the rest.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER sharing FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER sharing OPTIONS (api_key 'test-key');
CREATE SCHEMA sharing;
SET search_path = sharing;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
IMPORT FOREIGN SCHEMA reevo FROM SERVER sharing INTO sharing OPTIONS (discover 'false');
CREATE FOREIGN TABLE by_text (id text, stage text) SERVER sharing;
-- One GET at a time, so that the order of the requests is known
CREATE FOREIGN TABLE sequential (id uuid, stage text, status text) SERVER sharing OPTIONS (max_concurrency '1', use_query 'false');

-- no returns the number of a test record, id returns the id of a number, and ids
-- returns the ids of a range.
CREATE FUNCTION no(id uuid) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT right(id::text, 12)::int $$;
CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE FUNCTION ids(first int, last int) RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(sharing.id(n)) FROM generate_series(first, last) n $$;

-- :spent prints the number of record requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\pset format unaligned
\pset tuples_only on
\pset null NULL

--
-- Lists
--
CREATE DOMAIN opportunity_id AS uuid;
SELECT no(id) FROM opportunity WHERE id IN (id(3), id(1), id(2)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 3)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = SOME (ARRAY[id(1), id(999999)]) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY ('{00000000-0000-4000-8000-000000000001,00000000000040008000000000000002}'); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ARRAY[ARRAY[id(1), id(2)], ARRAY[id(2), id(3)]]) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ARRAY(SELECT id(n) FROM generate_series(1, 3) n)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY ((SELECT ids(1, 3))::uuid[]) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ARRAY[id(1), id(2)]::opportunity_id[]) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (array_remove(ids(1, 3), id(2))) ORDER BY 1; :spent
-- A duplicate id costs no request.
SELECT no(id) FROM opportunity WHERE id IN (id(1), id(1), id(2), id(1)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 3) || ids(2, 4) || ids(1, 1)) ORDER BY 1; :spent
-- Empty lists, NULL, and lists with NULL
SELECT no(id) FROM opportunity WHERE id = ANY ('{}'); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (NULL::uuid[]); :spent
SELECT no(id) FROM opportunity WHERE id = ANY ((SELECT NULL::uuid[])::uuid[]); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ARRAY(SELECT id(1) WHERE false)); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ARRAY[NULL, NULL]::uuid[]); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ARRAY[id(1), NULL, id(2), NULL]) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id IN (id(1), NULL); :spent
-- Texts
SELECT id FROM by_text WHERE id IN ('00000000-0000-4000-8000-000000000001', 'no id', '') ORDER BY 1; :spent
SELECT id FROM by_text WHERE id = ANY (ids(1, 2)::text[]) ORDER BY 1; :spent
SELECT id FROM by_text WHERE id = ANY (ids(1, 2)::varchar[]) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id::text = ANY (ARRAY[id(1)::text, upper(id(1)::text), NULL, 'x']); :spent
SELECT no(id) FROM opportunity WHERE id::text = ANY ('{}'); :spent

-- Parameters
PREPARE by_ids (uuid[]) AS SELECT string_agg(no(id)::text, ' ' ORDER BY id) FROM opportunity WHERE id = ANY ($1);
PREPARE by_names (text[]) AS SELECT string_agg(no(id)::text, ' ' ORDER BY id) FROM opportunity WHERE id::text = ANY ($1);
PREPARE by_three (uuid, uuid, uuid) AS SELECT string_agg(no(id)::text, ' ' ORDER BY id) FROM opportunity WHERE id IN ($1, $2, $3);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_ids (ids(1, 5)); :spent
EXECUTE by_ids (ids(4, 6)); :spent
EXECUTE by_ids ('{}'); :spent
EXECUTE by_ids (NULL); :spent
EXECUTE by_names (ids(1, 2)::text[] || '{x,NULL}'); :spent
EXECUTE by_three (id(1), id(2), id(1)); :spent
EXECUTE by_three (id(1), NULL, NULL); :spent
SET plan_cache_mode = force_custom_plan;
EXECUTE by_ids (ids(1, 5)); :spent
EXECUTE by_ids ('{}'); :spent
EXECUTE by_ids (NULL); :spent
EXECUTE by_three (id(1), id(2), id(1)); :spent
RESET plan_cache_mode;

--
-- OR and AND
--
SELECT no(id) FROM opportunity WHERE id = id(1) OR id = id(2) OR id = id(1) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) OR id::text = id(2)::text OR id = ANY (ids(3, 4)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) OR id = NULL; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) OR false; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) OR id = (SELECT id(2)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE (id = id(1) AND stage = 'Discovery') OR (id = id(2) AND stage = 'Discovery'); :spent
SELECT no(id) FROM opportunity WHERE (id, status) IN ((id(1), 'open'), (id(2), 'open')); :spent
SELECT no(id) FROM opportunity WHERE (id = id(1) OR id = id(2)) AND (id = id(2) OR id = id(3)); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 10)) AND id = ANY (ids(9, 20)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 10)) AND id IN (id(11), id(12)); :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 10)) AND id::text = id(3)::text; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 3)) AND (id = id(2) OR stage = 'Discovery') ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 3)) AND id <> id(2) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) OR (id = ANY (ids(2, 9)) AND (id = id(5) OR id = id(6)) AND id = id(6)) ORDER BY 1; :spent

--
-- Parallel GETs
--
ALTER SERVER sharing OPTIONS (ADD use_query 'false');
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"delay_ms": 100}'
SELECT count(*) FROM opportunity WHERE id = ANY (ids(1, 24));
\echo in flight: `n=$($REEVO_CTL max_in_flight); if [ "$n" -gt 1 ] && [ "$n" -le 8 ]; then echo up to 8; else echo "$n"; fi`
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"delay_ms": 100}'
-- A sort needs all rows in spite of LIMIT.
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 12)) ORDER BY amount DESC NULLS LAST, id LIMIT 1;
\echo in flight: `n=$($REEVO_CTL max_in_flight); if [ "$n" -gt 1 ] && [ "$n" -le 8 ]; then echo up to 8; else echo "$n"; fi`
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"delay_ms": 20}'
SELECT count(*) FROM sequential WHERE id = ANY (ids(1, 5));
\echo in flight: `$REEVO_CTL max_in_flight`
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"delay_ms": 100}'
ALTER SERVER sharing OPTIONS (ADD max_concurrency '3');
SELECT count(*) FROM opportunity WHERE id = ANY (ids(1, 9));
-- max_concurrency limits the statement, and not each of its scans.
SELECT count(*) FROM opportunity a JOIN opportunity b USING (stage) WHERE a.id = ANY (ids(1, 6)) AND b.id = ANY (ids(7, 12));
\echo in flight: `n=$($REEVO_CTL max_in_flight); if [ "$n" -gt 1 ] && [ "$n" -le 3 ]; then echo up to 3; else echo "$n"; fi`
ALTER SERVER sharing OPTIONS (DROP max_concurrency);
\! $REEVO_CTL reset
\set now 0

-- LIMIT fetches only the records that it returns, if they all exist.
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 20)) LIMIT 1; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 20)) LIMIT 3; :spent
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 20)) LIMIT 1 OFFSET 2; :spent
SELECT count(*) FROM (SELECT id FROM opportunity WHERE id = ANY (ids(1, 20)) LIMIT 10) o; :spent
SELECT count(*) FROM (SELECT id FROM opportunity WHERE id = ANY (ids(1, 20)) LIMIT 100) o; :spent
SELECT EXISTS (SELECT FROM sequential WHERE id = ANY (ids(1, 20))); :spent
ALTER SERVER sharing OPTIONS (DROP use_query);

--
-- Two scans in one statement fetch a record once.
--
SELECT count(*) FROM opportunity a, opportunity b WHERE a.id = id(1) AND b.id = id(1); :spent
SELECT a.stage, b.display_name, c.amount FROM opportunity a JOIN opportunity b USING (id) JOIN opportunity c USING (id) WHERE id = id(1); :spent
SELECT (SELECT stage FROM opportunity WHERE id = id(1)), (SELECT amount FROM opportunity WHERE id = id(1)),
       (SELECT o::text = '' FROM opportunity o WHERE id = id(1)); :spent
SELECT stage FROM opportunity WHERE id = id(1) UNION ALL SELECT status FROM opportunity WHERE id = id(1)
  UNION ALL SELECT id FROM by_text WHERE id = id(1)::text; :spent
WITH a AS MATERIALIZED (SELECT stage FROM opportunity WHERE id = id(1)), b AS MATERIALIZED (SELECT status FROM opportunity WHERE id = id(1))
  SELECT * FROM a, b; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) AND EXISTS (SELECT FROM opportunity WHERE id = id(1) AND status = 'open'); :spent
SELECT count(*) FROM generate_series(1, 50) n, LATERAL (SELECT stage FROM opportunity WHERE id = id(1 + n % 2) OFFSET 0) o; :spent
SELECT n, (SELECT stage FROM opportunity WHERE id = id(999990 + n % 2)) FROM generate_series(1, 4) n; :spent
SELECT count(*) FROM opportunity a, sequential b, by_text c WHERE a.id = ANY (ids(1, 4)) AND b.id = ANY (ids(2, 5)) AND c.id = ANY (ids(3, 6)::text[]); :spent
-- Another statement fetches the record again.
SELECT stage FROM opportunity WHERE id = id(1); :spent
SELECT stage FROM opportunity WHERE id = id(1); :spent
-- Two servers do not share records, even with the same URL.
CREATE SERVER sharing_other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER sharing_other OPTIONS (api_key 'other-key');
CREATE FOREIGN TABLE elsewhere (id uuid, status text) SERVER sharing_other;
SELECT no(a.id), no(b.id) FROM opportunity a, elsewhere b WHERE a.id = id(1) AND b.id = id(1); :spent

--
-- max_requests: one request more is an error.
--
ALTER FOREIGN TABLE sequential OPTIONS (ADD max_requests '3');
SELECT count(*) FROM sequential WHERE id = ANY (ids(1, 3)); :spent
SELECT count(*) FROM sequential WHERE id = ANY (ids(1, 4)); :spent
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM sequential WHERE id = ANY (ids(1, 3)) OR id = ANY (ids(1, 2)); :spent
\set VERBOSITY terse
SELECT count(*) FROM sequential a, sequential b WHERE a.id = ANY (ids(1, 2)) AND b.id = ANY (ids(3, 4)); :spent
SELECT count(*) FROM sequential a, sequential b WHERE a.id = ANY (ids(1, 2)) AND b.id = ANY (ids(2, 3)); :spent
SELECT count(*) FROM generate_series(1, 9) n, LATERAL (SELECT stage FROM sequential WHERE id = id(n) OFFSET 0) o; :spent
SELECT count(*) FROM generate_series(1, 9) n, LATERAL (SELECT stage FROM sequential WHERE id = id(n % 3) OFFSET 0) o; :spent
\set VERBOSITY default
ALTER FOREIGN TABLE sequential OPTIONS (DROP max_requests);

--
-- Cursors
--
BEGIN;
DECLARE c CURSOR FOR SELECT no(id) FROM sequential WHERE id = ANY (ids(1, 9)); :spent
FETCH c; :spent
FETCH 3 FROM c; :spent
-- Another statement runs in the meantime.
SELECT no(id) FROM opportunity WHERE id = ANY (ids(4, 6)); :spent
MOVE 2 FROM c; :spent
FETCH c; :spent
CLOSE c;
COMMIT; :spent
-- The transaction ends with an open cursor and with requests in flight.
\! $REEVO_CTL behave '{"delay_ms": 100}'
BEGIN;
DECLARE c CURSOR FOR SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 20));
FETCH 2 FROM c;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 20));
FETCH 2 FROM c;
ROLLBACK;
\! $REEVO_CTL behave '{"delay_ms": null}'
\! $REEVO_CTL reset
\set now 0
SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 3)); :spent
-- A cursor WITH HOLD is read at the end of its transaction.
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 4)); :spent
COMMIT; :spent
FETCH ALL FROM c; :spent
CLOSE c;
-- A backward fetch returns rows that were read before.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 4));
FETCH LAST FROM c; :spent
FETCH BACKWARD 2 FROM c; :spent
FETCH FIRST FROM c; :spent
FETCH ABSOLUTE 3 FROM c; :spent
COMMIT;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT no(id) FROM opportunity WHERE id = ANY (ids(1, 4));
FETCH 4 FROM c; :spent
FETCH BACKWARD 1 FROM c;
ROLLBACK;
-- Two cursors read the same records alternately.
BEGIN;
DECLARE c CURSOR FOR SELECT no(id) FROM sequential WHERE id = ANY (ids(1, 4));
DECLARE d CURSOR FOR SELECT no(id), stage FROM sequential WHERE id = ANY (ids(1, 4));
FETCH c; FETCH d; FETCH 2 FROM c; FETCH 2 FROM d; FETCH c; FETCH d;
COMMIT; :spent

--
-- Subtransactions that abort during a scan
--
CREATE FOREIGN TABLE odd (id uuid, stage int) SERVER sharing;
DO $$
BEGIN
  FOR n IN 1..3 LOOP
    BEGIN
      PERFORM 1 / (no(id) - 4) FROM opportunity WHERE id = ANY (ids(1, 9));
    EXCEPTION WHEN division_by_zero THEN
      RAISE WARNING 'division by zero';
    END;
    BEGIN
      PERFORM * FROM odd WHERE id = ANY (ids(1, 9));
    EXCEPTION WHEN invalid_text_representation THEN
      RAISE WARNING 'not a number';
    END;
  END LOOP;
  RAISE WARNING '%', (SELECT count(*) FROM opportunity WHERE id = ANY (ids(1, 9)));
END $$;
\set now `$REEVO_CTL requests`
SELECT no(id), stage FROM opportunity WHERE id = id(1); :spent
-- The scan continues after a subtransaction in its loop aborts.
DO $$
DECLARE
  found record;
  numbers int[];
BEGIN
  FOR found IN SELECT no(id) AS no, stage FROM opportunity WHERE id = ANY (ids(1, 9)) ORDER BY id LIMIT 9 LOOP
    BEGIN
      PERFORM 1 / (no(id) % 2) FROM opportunity WHERE id = id(found.no);
      numbers := numbers || found.no;
    EXCEPTION WHEN division_by_zero THEN
      numbers := numbers || -found.no;
    END;
  END LOOP;
  RAISE WARNING '%', numbers;
END $$; :spent
-- A cursor opened before a savepoint is read after it, and again after ROLLBACK
-- TO.
BEGIN;
DECLARE c CURSOR FOR SELECT no(id) FROM sequential WHERE id = ANY (ids(1, 6));
FETCH 1 FROM c;
SAVEPOINT s;
FETCH 2 FROM c;
DECLARE d CURSOR FOR SELECT no(id) FROM sequential WHERE id = ANY (ids(1, 6));
FETCH 1 FROM d;
SELECT stage FROM odd WHERE id = id(1);
ROLLBACK TO s;
FETCH 2 FROM c;
FETCH 1 FROM d;
ROLLBACK TO s;
FETCH ALL FROM c;
COMMIT; :spent

--
-- More records than work_mem holds: the wrapper fetches them again, with the same
-- result.
--
CREATE TABLE wanted AS SELECT n, id(1 + n % 150) AS id FROM generate_series(1, 450) n;
ANALYZE wanted;
CREATE TABLE copy_of_150 AS SELECT * FROM opportunity WHERE id = ANY (ids(1, 150)); :spent
SET work_mem = '64kB';
-- Memoize would keep the records, too.
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 140000 THEN
    SET enable_memoize = off;
  END IF;
END $$;
SELECT count(*), count(o.display_name), sum(length(o::text)) = (SELECT sum(length(a::text)) FROM wanted JOIN copy_of_150 a USING (id))
  FROM wanted w JOIN opportunity o ON o.id = w.id;
SELECT count(*), sum((a IS NOT DISTINCT FROM o)::int) FROM wanted w JOIN opportunity o ON o.id = w.id JOIN copy_of_150 a ON a.id = o.id;
SELECT count(*) FROM opportunity o, opportunity p WHERE o.id = ANY (ids(1, 100)) AND p.id = o.id AND p.id = ANY (ids(51, 150));
RESET work_mem;

--
-- Generated queries over the foreign table and a local copy. The test prints the
-- queries with different results.
--
CREATE TABLE copy AS SELECT * FROM opportunity WHERE id = ANY (ids(1, 300));
ANALYZE copy;
CREATE FUNCTION number(seed text, below int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT 1 + ('x' || substr(md5(seed), 1, 7))::bit(28)::int % below $$;
-- condition returns a generated condition on the id and other columns.
CREATE FUNCTION condition(n int, depth int DEFAULT 0) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  known text := format('sharing.id(%s)', sharing.number('a' || n, 320));
  list text := format('sharing.ids(%s, %s)', sharing.number('b' || n, 250), sharing.number('c' || n, 300));
  further text := (ARRAY['amount > 100000', $q$stage LIKE 'D%'$q$, 'outcome IS NULL', $q$status <> 'open' OR amount IS NULL$q$,
    'cardinality(participant_user_id_list) > 1', 'created_at < updated_at', $q$display_name ~* 'acme|null'$q$,
    'account_id IS NOT NULL', 'length(next_step_details) > 30', 'NOT (amount < 5000)',
    $q$competitors_mentioned_other @> '{Globex}'$q$, 'stage_closing_probability >= 35.5'])[sharing.number('d' || n, 12)];
BEGIN
  IF depth < 2 AND sharing.number('e' || n, 3) = 1 THEN
    RETURN format('(%s) OR (%s)', sharing.condition(n * 2 + 1, depth + 1), sharing.condition(n * 2 + 2, depth + 1));
  ELSIF depth < 2 AND sharing.number('e' || n, 3) = 2 THEN
    RETURN format('(%s) AND (%s OR %s)', sharing.condition(n * 2 + 1, depth + 1), further, sharing.condition(n * 2 + 2, depth + 1));
  END IF;
  RETURN CASE sharing.number('f' || n, 7)
    WHEN 1 THEN format('id = %s', known)
    WHEN 2 THEN format('id = ANY (%s)', list)
    WHEN 3 THEN format('id = ANY (%s) AND (%s)', list, further)
    WHEN 4 THEN format('id::text = ANY (%s::text[]) AND NOT (%s)', list, further)
    WHEN 5 THEN format('id = ANY (%s || %s)', list, known)
    WHEN 6 THEN format('id = (SELECT max(i::text)::uuid FROM unnest(%s) i)', list)
    ELSE format('%s = id AND (%s)', known, further)
  END;
END $$;
DO $$
DECLARE
  q text;
  difference bigint;
  rows bigint;
  total bigint := 0;
  empty int := 0;
  of_different int := 0;
BEGIN
  FOR n IN 1..40 LOOP
    q := format('SELECT * FROM sharing.%%1$s WHERE (%s)', replace(condition(n), '%', '%%'));
    -- Exclude the records that the copy does not have.
    q := q || ' AND id <> ALL (sharing.ids(301, 320))';
    EXECUTE format('SELECT count(*) FROM ((%1$s EXCEPT ALL %2$s) UNION ALL (%2$s EXCEPT ALL %1$s)) d', format(q, 'opportunity'), format(q, 'copy'))
      INTO difference;
    EXECUTE format('SELECT count(*) FROM (%s) q', format(q, 'copy')) INTO rows;
    total := total + rows;
    empty := empty + (rows = 0)::int;
    IF difference > 0 THEN
      of_different := of_different + 1;
      RAISE WARNING '% rows differ: %', difference, q;
    END IF;
  END LOOP;
  RAISE WARNING '% rows in 40 queries, % of them empty, % different', total, empty, of_different;
END $$;

DROP SCHEMA sharing CASCADE;
DROP SERVER sharing CASCADE;
DROP SERVER sharing_other CASCADE;
