-- SPDX-License-Identifier: PostgreSQL
--
-- IMPORT FOREIGN SCHEMA creates the documented columns with discover 'false'.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
RESET client_min_messages;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER import FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE SCHEMA import;
CREATE SCHEMA import_second;

-- It needs no user mapping and no request.
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import OPTIONS (discover 'false');
\echo requests: `$REEVO_CTL requests`
SELECT relname, relkind, ftoptions, srvname
FROM pg_class JOIN pg_foreign_table ON ftrelid = pg_class.oid JOIN pg_foreign_server s ON s.oid = ftserver
WHERE relnamespace = 'import'::regnamespace;
SELECT attnum, attname, format_type(atttypid, atttypmod) AS type, attnotnull AS not_null, attfdwoptions AS options
FROM pg_attribute WHERE attrelid = 'import.opportunity'::regclass AND attnum > 0
ORDER BY attnum;

-- A column with its attribute's name has no "attribute" option.
SELECT count(*) FILTER (WHERE attfdwoptions IS NULL) AS by_name,
	count(*) FILTER (WHERE attfdwoptions = ARRAY['attribute=' || attname]) AS needless
FROM pg_attribute WHERE attrelid = 'import.opportunity'::regclass AND attnum > 0;

-- A second import creates the same table. An existing table is an error of
-- PostgreSQL.
IMPORT FOREIGN SCHEMA reevo LIMIT TO (opportunity) FROM SERVER import INTO import_second OPTIONS (discover 'false');
CREATE FUNCTION import.differences() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT * FROM pg_attribute WHERE attrelid = 'import.opportunity'::regclass AND attnum > 0) a
		FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'import_second.opportunity'::regclass AND attnum > 0) b USING (attnum)
	WHERE (a.attname, a.atttypid, a.atttypmod, a.attfdwoptions) IS DISTINCT FROM (b.attname, b.atttypid, b.atttypmod, b.attfdwoptions)
$$;
SELECT import.differences();
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import_second OPTIONS (discover 'false');
DROP FOREIGN TABLE import_second.opportunity;
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import_second OPTIONS (discover 'false');
SELECT import.differences();
DROP FOREIGN TABLE import_second.opportunity;

-- LIMIT TO and EXCEPT
IMPORT FOREIGN SCHEMA reevo EXCEPT (opportunity) FROM SERVER import INTO import_second OPTIONS (discover 'false');
IMPORT FOREIGN SCHEMA reevo EXCEPT (opportunity, no_such_type) FROM SERVER import INTO import_second OPTIONS (discover 'false');
SELECT count(*) FROM pg_class WHERE relnamespace = 'import_second'::regnamespace;
IMPORT FOREIGN SCHEMA reevo EXCEPT (no_such_type) FROM SERVER import INTO import_second OPTIONS (discover 'false');
SELECT import.differences();

-- The only remote schema is "reevo".
IMPORT FOREIGN SCHEMA public FROM SERVER import INTO import_second OPTIONS (discover 'false');
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA "Reevo" FROM SERVER import INTO import_second OPTIONS (discover 'false');
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import_third OPTIONS (discover 'false');
IMPORT FOREIGN SCHEMA reevo FROM SERVER import_third INTO import_second OPTIONS (discover 'false');

-- Invalid options are rejected. The hint differs between major versions.
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import_second OPTIONS (discover 'perhaps');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import_second OPTIONS (discovery 'false');
IMPORT FOREIGN SCHEMA reevo FROM SERVER import INTO import_second OPTIONS (base_url 'https://api.reevo.ai');
\set VERBOSITY default

-- IMPORT accepts any server and schema name, and needs USAGE and CREATE only.
CREATE SERVER "import ""of"" A's" FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE SCHEMA "import's ""schema""";
CREATE ROLE regress_import_user;
GRANT CREATE, USAGE ON SCHEMA "import's ""schema""" TO regress_import_user;
SET ROLE regress_import_user;
IMPORT FOREIGN SCHEMA reevo FROM SERVER "import ""of"" A's" INTO "import's ""schema""" OPTIONS (discover 'false');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER "import ""of"" A's" TO regress_import_user;
SET ROLE regress_import_user;
IMPORT FOREIGN SCHEMA reevo FROM SERVER "import ""of"" A's" INTO "import's ""schema""" OPTIONS (discover 'false');
RESET ROLE;
SELECT srvname, relname, relowner::regrole, count(*) AS columns
FROM pg_foreign_table JOIN pg_foreign_server s ON s.oid = ftserver JOIN pg_class c ON c.oid = ftrelid
	JOIN pg_attribute ON attrelid = ftrelid AND attnum > 0
WHERE relnamespace = '"import''s ""schema"""'::regnamespace GROUP BY 1, 2, 3;

-- A user can read the table and alter its columns.
CREATE USER MAPPING FOR CURRENT_USER SERVER import OPTIONS (api_key 'test-key');
ALTER FOREIGN TABLE import.opportunity DROP COLUMN stage_color, DROP COLUMN organization_id;
ALTER FOREIGN TABLE import.opportunity RENAME amount TO volume;
ALTER FOREIGN TABLE import.opportunity ALTER volume OPTIONS (ADD attribute 'amount');
ALTER FOREIGN TABLE import.opportunity ADD COLUMN team uuid OPTIONS (attribute 'owner_team_id');
ALTER FOREIGN TABLE import.opportunity ALTER stage_expected_days TYPE bigint;
SELECT id, stage, stage_expected_days, volume, team
FROM import.opportunity WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
\echo requests: `$REEVO_CTL requests`

SET client_min_messages = warning;
DROP SCHEMA import CASCADE;
DROP SCHEMA import_second CASCADE;
DROP SCHEMA "import's ""schema""" CASCADE;
DROP SERVER import CASCADE;
DROP SERVER "import ""of"" A's" CASCADE;
DROP ROLE regress_import_user;
