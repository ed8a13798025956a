-- SPDX-License-Identifier: PostgreSQL
--
-- The place, the values and the privileges of each option
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\! $REEVO_CTL reset
CREATE SERVER options FOREIGN DATA WRAPPER opportunity_fdw;
CREATE SCHEMA options;
CREATE SCHEMA options_import;
SET search_path = options, public;
CREATE ROLE regress_options_user;
CREATE ROLE regress_options_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER opportunity_fdw TO regress_options_owner;
GRANT ALL ON SCHEMA options TO regress_options_owner;
RESET client_min_messages;

-- attempt runs a command and undoes it. It returns 'ok', or the SQLSTATE and
-- message of the error. It returns the hint separately, because that differs
-- between major versions.
CREATE FUNCTION attempt(command text, OUT result text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RAISE EXCEPTION SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN
		result := 'ok';
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
		result := SQLSTATE || ': ' || SQLERRM;
END
$$;

-- setting returns the command that sets one option in one place.
CREATE FUNCTION setting(place text, option text, value text) RETURNS text
LANGUAGE sql AS $$
	SELECT format(CASE place
		WHEN 'wrapper' THEN 'ALTER FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (%s)'
		WHEN 'server' THEN 'CREATE SERVER options_new FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (%s)'
		WHEN 'table' THEN 'CREATE FOREIGN TABLE options.new (id uuid) SERVER options OPTIONS (%s)'
		WHEN 'column' THEN 'CREATE FOREIGN TABLE options.new (id uuid OPTIONS (%s)) SERVER options'
		WHEN 'user' THEN 'CREATE USER MAPPING FOR regress_options_user SERVER options OPTIONS (%s)'
		WHEN 'import' THEN 'IMPORT FOREIGN SCHEMA reevo FROM SERVER options INTO options_import OPTIONS (%s)'
		END, quote_ident(option) || ' ' || quote_literal(value))
$$;

CREATE FUNCTION try(place text, option text, value text) RETURNS text
LANGUAGE sql AS $$
	SELECT result FROM attempt(setting(place, option, value))
$$;

--
-- Every option in every place. The values are the documented defaults, if there
-- is one.
--
CREATE TEMP TABLE known (number serial, option text, value text);
INSERT INTO known (option, value) VALUES
	('base_url', 'https://api.reevo.ai'),
	('allow_http', 'false'),
	('proxy', 'http://proxy.example:3128'),
	('connect_timeout', '10'),
	('request_timeout', '30'),
	('max_retries', '5'),
	('max_retry_wait', '60'),
	('max_response_size', '64'),
	('max_requests', '0'),
	('max_concurrency', '8'),
	('page_size', '100'),
	('use_query', 'true'),
	('cache_ttl', '0'),
	('query_returns_archived', 'false'),
	('include_archived', 'true'),
	('invalid_value', 'error'),
	('fdw_startup_cost', '100'),
	('fdw_tuple_cost', '0.01'),
	('record_type', 'opportunity'),
	('attribute', 'stage.closing_probability'),
	('filter_operators', 'eq,in'),
	('sortable', 'false'),
	('api_key', 'a-key'),
	('proxy_user', 'somebody'),
	('proxy_password', 'a password'),
	('discover', 'false'),
	('no_such_option', 'x'),
	('Base_url', 'https://api.reevo.ai'),
	('user', 'x');
SELECT option,
	max(result) FILTER (WHERE place = 'server') AS server,
	max(result) FILTER (WHERE place = 'table') AS table,
	max(result) FILTER (WHERE place = 'column') AS column,
	max(result) FILTER (WHERE place = 'user') AS "user",
	max(result) FILTER (WHERE place = 'import') AS import,
	max(result) FILTER (WHERE place = 'wrapper') AS wrapper
FROM (SELECT number, option, place, left(try(place, option, value), 5) AS result
	FROM known, unnest('{server,table,column,user,import,wrapper}'::text[]) place) t
GROUP BY number, option ORDER BY number;

-- An unknown option has a hint: a list of all options, or the nearest one since
-- PostgreSQL 16.
SELECT place, option, result, hint LIKE '%"' || wanted || '"%' OR hint LIKE '%: %' || wanted || '%' AS names_it
FROM (VALUES ('server', 'base_ur', 'base_url'), ('table', 'page_sise', 'page_size'),
		('column', 'atribute', 'attribute'), ('user', 'api_kay', 'api_key'), ('user', 'proxy_usr', 'proxy_user'),
		('import', 'discovr', 'discover')) v (place, option, wanted),
	attempt(setting(place, option, 'x'));
SELECT result, hint FROM attempt(setting('wrapper', 'base_url', 'https://api.reevo.ai'));

-- A duplicate option and an option that is not set are errors of PostgreSQL.
CREATE SERVER options_new FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (page_size '1', page_size '2');
ALTER SERVER options OPTIONS (SET page_size '10');
ALTER SERVER options OPTIONS (DROP page_size);

--
-- Numbers: the limits of each range, and values outside
--
CREATE TEMP TABLE ranges (number serial, place text, option text, low text, below text, high text, above text);
INSERT INTO ranges (place, option, low, below, high, above) VALUES
	('server', 'connect_timeout', '0.1', '0.05', '3600', '3600.5'),
	('server', 'request_timeout', '0.1', '0', '3600', '3601'),
	('server', 'max_retries', '0', '-1', '100', '101'),
	('server', 'max_retry_wait', '0', '-0.5', '3600', '3601'),
	('server', 'max_response_size', '1', '0', '1000', '1001'),
	('server', 'max_requests', '0', '-1', '2147483647', '2147483648'),
	('server', 'max_concurrency', '1', '0', '100', '101'),
	('server', 'page_size', '1', '0', '10000', '10001'),
	('server', 'cache_ttl', '0', '-1', '2147483647', '2147483648'),
	('server', 'fdw_startup_cost', '0', '-1', '10000000000', '10000000001'),
	('server', 'fdw_tuple_cost', '0', '-0.001', '10000000000', '1e11');
INSERT INTO ranges (place, option, low, below, high, above)
	SELECT 'table', option, low, below, high, above FROM ranges
	WHERE option IN ('max_requests', 'max_concurrency', 'page_size', 'cache_ttl', 'fdw_startup_cost', 'fdw_tuple_cost')
	ORDER BY number;
SELECT place, option, low, try(place, option, low), high, try(place, option, high) FROM ranges ORDER BY number;
SELECT place, try(place, option, value) FROM ranges, unnest(ARRAY[below, above]) value ORDER BY number, value;

-- Every option rejects a text that is not a number, and every integer option
-- rejects a fraction. The result shows only the fractions that other options
-- accept.
SELECT option, value, try(place, option, value)
FROM ranges, unnest('{"",abc,5s,1 2,nan,inf,-inf,1e400,1.5}'::text[]) WITH ORDINALITY v (value, i)
WHERE place = 'server'
	AND try(place, option, value) <> 'HV024: invalid value for option "' || option || '": "' || value || '"'
ORDER BY number, i;
-- A size accepts a memory unit.
SELECT value, try('server', 'max_response_size', value)
FROM unnest('{64MB,64 MB,2048kB,0.5GB,1073741824B,1GB,0MB,1mb,1min,64MBps}'::text[]) value;
SELECT hint FROM attempt(setting('server', 'max_response_size', '1TB'));
SELECT hint FROM attempt(setting('server', 'page_size', 'abc'))
UNION ALL SELECT hint FROM attempt(setting('server', 'connect_timeout', 'abc'));

-- Booleans in the forms that PostgreSQL accepts
SELECT place, option, string_agg(value, ' ' ORDER BY i) FILTER (WHERE result = 'ok') AS accepted,
	string_agg(value, ' ' ORDER BY i) FILTER (WHERE result LIKE 'HV024: invalid value for option "%') AS refused
FROM (SELECT place, option, value, i, try(place, option, value) AS result
	FROM (VALUES ('server', 'allow_http'), ('server', 'use_query'), ('table', 'use_query'),
			('server', 'query_returns_archived'), ('table', 'include_archived'), ('column', 'sortable')) o (place, option),
		unnest('{true,false,on,off,yes,no,1,0,maybe,2}'::text[]) WITH ORDINALITY v (value, i)) t
GROUP BY place, option ORDER BY place COLLATE "C", option COLLATE "C";
SELECT value, try('import', 'discover', value)
FROM unnest('{false,off,maybe,""}'::text[]) WITH ORDINALITY v (value, i) ORDER BY i;

-- Enumerated values
SELECT place, value, result, hint
FROM unnest('{server,table,column}'::text[]) WITH ORDINALITY p (place, j),
	unnest('{error,"null","NULL",ignore,""}'::text[]) WITH ORDINALITY v (value, i),
	attempt(setting(place, 'invalid_value', value))
ORDER BY j, i;

--
-- base_url: only scheme, host, port and path. An error does not repeat the value,
-- because it may contain a password.
--
CREATE TEMP TABLE urls (number serial, value text);
INSERT INTO urls (value) VALUES
	('https://api.reevo.ai'), ('https://api.reevo.ai/'), ('HTTPS://API.REEVO.AI'), ('https://api.reevo.ai:8443/crm/prefix'),
	('https://127.0.0.1:1'), ('https://[::1]:1/x'),
	('http://localhost:1'), ('http://LOCALHOST'), ('http://127.0.0.1:65535/x'), ('http://127.1.2.3'), ('http://[::1]:8080'),
	('http://api.reevo.ai'), ('http://localhost.example.com'), ('http://127.0.0.1.example.com'), ('http://10.0.0.1'),
	('http://128.0.0.1'), ('http://[::2]'), ('http://0.0.0.0'),
	('https://user@api.reevo.ai'), ('https://user:secret@api.reevo.ai'), ('https://:secret@api.reevo.ai'), ('https://@api.reevo.ai'),
	('http://localhost@evil.example'), ('http://localhost:secret@evil.example'),
	('https://api.reevo.ai?x=1'), ('https://api.reevo.ai/?'), ('https://api.reevo.ai/#top'), ('https://api.reevo.ai#'),
	(''), ('api.reevo.ai'), ('//api.reevo.ai'), ('api.reevo.ai:443'), ('https://'), ('https://:443'),
	('ftp://api.reevo.ai'), ('file:///etc/passwd'), ('gopher://api.reevo.ai'), ('httpss://api.reevo.ai'), ('unix:///tmp/x'),
	('javascript:alert(1)'), ('https://api.reevo.ai:99999'), ('https://api.reevo.ai:x'), ('https://api.reevo.ai:-1'),
	('https://api.reevo.ai/a b'), (' https://api.reevo.ai'), ('https://api.reevo.ai '), (E'https://api.reevo.ai\n'),
	(E'https://api.reevo.ai/\r\nX-Injected: 1'), (E'https://api.reevo.ai\r\nHost: evil.example'), (E'https://api.reevo.ai/\tx'),
	(E'https://api.reevo.ai/\x01'), (E'https://api.reevo.ai/\x7f'), ('https://api.reevo.ai\evil.example'), ('https://api.reevo.ai/"x"'),
	(E'https://m\u00FCnchen.example'), ('https://m%c3%bcnchen.example'), ('http://%aa.example'), ('https://' || repeat('a', 600) || '.example');
SELECT left(quote_literal(value), 50) AS value, try('server', 'base_url', value) FROM urls ORDER BY number;
SELECT count(*) AS repeats_a_secret FROM urls, attempt(setting('server', 'base_url', value))
WHERE result LIKE '%secret%' OR hint LIKE '%secret%';
SELECT hint FROM attempt(setting('server', 'base_url', 'api.reevo.ai'))
UNION ALL SELECT hint FROM attempt(setting('server', 'base_url', 'https://user:secret@api.reevo.ai'))
UNION ALL SELECT hint FROM attempt(setting('server', 'base_url', 'http://api.reevo.ai'));

-- allow_http permits http to other hosts, in any order of the options.
SELECT result FROM attempt($$CREATE SERVER options_new FOREIGN DATA WRAPPER opportunity_fdw
	OPTIONS (base_url 'http://api.reevo.ai', allow_http 'true')$$);
SELECT result FROM attempt($$CREATE SERVER options_new FOREIGN DATA WRAPPER opportunity_fdw
	OPTIONS (allow_http 'true', base_url 'http://api.reevo.ai')$$);
SELECT result FROM attempt($$CREATE SERVER options_new FOREIGN DATA WRAPPER opportunity_fdw
	OPTIONS (allow_http 'false', base_url 'http://api.reevo.ai')$$);
CREATE SERVER options_http FOREIGN DATA WRAPPER opportunity_fdw
	OPTIONS (base_url 'http://api.reevo.ai', allow_http 'true');
ALTER SERVER options_http OPTIONS (DROP allow_http);
ALTER SERVER options_http OPTIONS (SET allow_http 'false');
ALTER SERVER options_http OPTIONS (SET base_url 'https://api.reevo.ai', DROP allow_http);
ALTER SERVER options_http OPTIONS (SET base_url 'http://api.reevo.ai');
DROP SERVER options_http;

--
-- proxy: the value may contain a password, too.
--
SELECT quote_literal(value) AS value, try('server', 'proxy', value)
FROM unnest(ARRAY['proxy.example', 'proxy.example:3128', 'http://proxy.example:3128', 'https://proxy.example', 'socks4://p:1',
	'socks4a://p:1', 'socks5://p:1', 'socks5h://p:1', 'http://user:pass@proxy.example', 'http://[::1]:3128',
	'', 'ftp://proxy.example', 'http://', 'http://proxy.example?x', 'proxy.example:port', 'proxy example', E'proxy.example\r\nX: 1',
	E'http://user:secret\n@proxy.example'])
	WITH ORDINALITY v (value, i) ORDER BY i;
SELECT hint FROM attempt(setting('server', 'proxy', ''));
-- Credentials in the proxy are rejected in every form, and not repeated.
CREATE TEMP TABLE proxies (number serial, value text);
INSERT INTO proxies (value)
	SELECT scheme || userinfo || '@proxy.example:3128'
	FROM unnest('{"",http://,https://,socks4://,socks4a://,socks5://,socks5h://,SOCKS5://,ftp://}'::text[]) WITH ORDINALITY s (scheme, i),
		unnest(ARRAY['user:secret', 'user', ':secret', '', 'user:secret/#?', 'user:se@cret', 'DOMAIN\user:secret', E'user:secret\u00FC'])
			WITH ORDINALITY u (userinfo, j)
	ORDER BY i, j;
SELECT result, hint, count(*) FROM proxies, attempt(setting('server', 'proxy', value)) GROUP BY 1, 2;

--
-- ca_file: the server reads the file when the option is set, and warns if it
-- cannot. The server writes the valid file itself, so it can read it.
--
SELECT value, try('server', 'ca_file', value)
FROM unnest('{"",ca.pem,../ca.pem,/no/such/file.pem,/dev/null,/dev/zero,/etc,/etc/passwd}'::text[]) WITH ORDINALITY v (value, i) ORDER BY i;
SELECT current_setting('data_directory') || '/opportunity_fdw_options_' || pg_backend_pid() || '.pem' AS pem \gset
COPY (VALUES ('a comment'), ('-----BEGIN CERTIFICATE-----')) TO :'pem';
SELECT try('server', 'ca_file', :'pem'), left(try('table', 'ca_file', :'pem'), 5) AS of_a_table;

-- A server can be restored without its file. Only the validator of the server
-- reads it.
CREATE SERVER options_restored FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (ca_file '/nowhere.pem');
CREATE USER MAPPING FOR CURRENT_USER SERVER options_restored OPTIONS (api_key 'a-key');
CREATE FOREIGN TABLE options.restored (id uuid) SERVER options_restored;
ALTER FOREIGN TABLE options.restored OPTIONS (ADD page_size '5');
IMPORT FOREIGN SCHEMA reevo FROM SERVER options_restored INTO options OPTIONS (discover 'false');
EXPLAIN VERBOSE SELECT id FROM options.restored \g /dev/null
EXPLAIN VERBOSE SELECT id FROM options.opportunity WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a' \g /dev/null
ALTER SERVER options_restored OPTIONS (ADD max_retries '0');
ALTER SERVER options_restored OPTIONS (SET ca_file '/elsewhere.pem');
ALTER SERVER options_restored OPTIONS (DROP ca_file);
SET client_min_messages = warning;
DROP SERVER options_restored CASCADE;
RESET client_min_messages;

COPY (VALUES ('-----BEGIN TRUSTED CERTIFICATE-----')) TO :'pem';

--
-- Privileges: only superusers can set http, allow_http and ca_file. While one of
-- them is set, only superusers can change the server's options.
--
SELECT result AS of_a_superuser FROM attempt(setting('server', 'allow_http', 'true'));
SET ROLE regress_options_owner;
SELECT option, result, hint FROM (VALUES ('base_url', 'https://other.example'), ('base_url', 'http://127.0.0.1'),
	('allow_http', 'true'), ('allow_http', 'false'), ('ca_file', '/dev/null'), ('ca_file', '/no/such/file.pem'),
	('proxy', 'http://proxy.example'), ('page_size', '5')) v (option, value),
	attempt(setting('server', option, value));
CREATE SERVER options_owned FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (page_size '5');
ALTER SERVER options_owned OPTIONS (SET page_size '6', ADD base_url 'https://other.example');
RESET ROLE;
CREATE FUNCTION alter_owned(options text) RETURNS text LANGUAGE sql AS $$
	SELECT result FROM attempt('ALTER SERVER options_owned OPTIONS (' || options || ')')
$$;
\set attempts 'SELECT o AS options, alter_owned(o) FROM unnest(ARRAY[$$SET page_size ''7''$$, $$ADD max_retries ''1''$$, $$DROP page_size$$, $$SET base_url ''https://third.example''$$, $$ADD proxy ''http://p.example''$$]) WITH ORDINALITY v (o, i) ORDER BY i;'
ALTER SERVER options_owned OPTIONS (SET base_url 'http://127.0.0.1');
SET ROLE regress_options_owner;
:attempts
RESET ROLE;
ALTER SERVER options_owned OPTIONS (SET base_url 'https://other.example', ADD allow_http 'true');
SET ROLE regress_options_owner;
:attempts
RESET ROLE;
ALTER SERVER options_owned OPTIONS (DROP allow_http, ADD ca_file :'pem');
SET ROLE regress_options_owner;
:attempts
RESET ROLE;
:attempts
ALTER SERVER options_owned OPTIONS (DROP ca_file);
SET ROLE regress_options_owner;
:attempts
RESET ROLE;
SELECT srvname, srvoptions FROM pg_foreign_server WHERE srvname = 'options_owned';
SELECT set_config('options.pem', :'pem', false) <> '' AS remembered;
DO $$ BEGIN
	EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %L', 'rm ' || quote_literal(current_setting('options.pem')));
END $$;

--
-- record_type: one segment of a path
--
SELECT left(quote_literal(value), 40) AS value, left(try('table', 'record_type', value), 70) AS try
FROM unnest(ARRAY['opportunity', 'account', 'cf_Custom-Object2', repeat('x', 128), '', '../x', 'a/b', '..', '.', 'a.b', '/', '\', 'a\b',
	'a%2fb', 'a?b', 'a#b', 'a b', ' a', 'a;b', 'a:b', '@a', E'a\nb', E'a\r\nX: 1', E'\u00FC', repeat('x', 129)])
	WITH ORDINALITY v (value, i) ORDER BY i;
SELECT hint FROM attempt(setting('table', 'record_type', '../x'));

--
-- attribute: a name, a name and a key, or the whole record
--
SELECT quote_literal(value) AS value, try('column', 'attribute', value)
FROM unnest(ARRAY['stage', 'stage.closing_probability', '*', 'cf_Any Thing', E'\u00FC', '', '.', 'stage.', '.key', 'a.b.c', 'a..b', '*.x'])
	WITH ORDINALITY v (value, i) ORDER BY i;
SELECT hint FROM attempt(setting('column', 'attribute', 'a.b.c'));

--
-- filter_operators: the documented operators, or none
--
SELECT quote_literal(value) AS value, try('column', 'filter_operators', value)
FROM unnest(ARRAY['', 'eq', 'eq,ne,in,not_in,contains,starts_with,ends_with,gt,gte,lt,lte,between,exists,not_exists', ' eq , in ',
	'like', 'eq,like', 'eq,,in', 'eq in', '=', 'eq;in'])
	WITH ORDINALITY v (value, i) ORDER BY i;
SELECT hint FROM attempt(setting('column', 'filter_operators', 'like'));

--
-- api_key: no characters that could end its header. Errors do not repeat it.
--
CREATE TEMP TABLE keys (number serial, value text);
INSERT INTO keys (value) VALUES ('k'), ('rv_live-SECRET/+=.~_'), (repeat('SECRET', 682) || 'KEYS'), (''), ('a SECRET'), (' SECRET'), ('SECRET '),
	(E'SECRET\n'), (E'SECRET\r\nX-Injected: 1'), (E'SE\tCRET'), (E'SECRET\x01'), (E'SECRET\x7f'), (E'SECRET\u00FC'),
	(repeat('SECRET', 682) || 'KEYS!');
SELECT left(quote_literal(value), 30) AS value, length(value), try('user', 'api_key', value) FROM keys ORDER BY number;
SELECT count(*) AS repeats_a_secret FROM keys, attempt(setting('user', 'api_key', value))
WHERE result ~* 'secret' OR hint ~* 'secret';
\set SHOW_CONTEXT never
CREATE USER MAPPING FOR regress_options_user SERVER options OPTIONS (api_key 'a SECRET');
-- A user mapping without a key can be created.
CREATE USER MAPPING FOR regress_options_user SERVER options;
ALTER USER MAPPING FOR regress_options_user SERVER options OPTIONS (ADD api_key E'SECRET\n');
ALTER USER MAPPING FOR regress_options_user SERVER options OPTIONS (ADD api_key 'a-key');
ALTER USER MAPPING FOR regress_options_user SERVER options OPTIONS (SET api_key '');
ALTER USER MAPPING FOR regress_options_user SERVER options OPTIONS (DROP api_key);

--
-- proxy_user and proxy_password: any text without control characters. Errors do
-- not repeat it.
--
DROP USER MAPPING FOR regress_options_user SERVER options;
TRUNCATE keys RESTART IDENTITY;
INSERT INTO keys (value) VALUES ('s'), ('a SECRET'), (' SECRET '), ('SECRET:/@?#%%"\'), (E'SECRET\u00FC\u20AC'), (E'SECRET\u00A0'),
	(repeat('SECRET', 682) || 'KEYS'), (''), (E'SECRET\n'), (E'SECRET\r\nX-Injected: 1'), (E'SE\tCRET'), (E'\x01SECRET'), (E'SECRET\x1b[0m'),
	(E'SECRET\x7f'), (E'SECRET\u0085'), (E'\u009FSECRET'), (repeat('SECRET', 682) || 'KEYS!');
SELECT left(to_json(value)::text, 30) AS value, length(value),
	try('user', 'proxy_user', value) AS proxy_user, try('user', 'proxy_password', value) AS proxy_password
FROM keys ORDER BY number;
SELECT count(*) AS repeats_a_secret FROM keys, unnest('{proxy_user,proxy_password}'::text[]) option, attempt(setting('user', option, value))
WHERE result ~* 'secret' OR hint ~* 'secret';
CREATE USER MAPPING FOR regress_options_user SERVER options OPTIONS (api_key 'a-key', proxy_password E'SECRET\n');
CREATE USER MAPPING FOR regress_options_user SERVER options OPTIONS (proxy_user 'somebody', proxy_password 'SECRET');
ALTER USER MAPPING FOR regress_options_user SERVER options OPTIONS (SET proxy_password E'SECRET\x01');
-- A user mapping with these two options only has no key.
CREATE FOREIGN TABLE options.keyless (id uuid) SERVER options;
GRANT USAGE ON SCHEMA options TO regress_options_user;
GRANT SELECT ON options.keyless TO regress_options_user;
SET ROLE regress_options_user;
SELECT * FROM options.keyless;
RESET ROLE;

--
-- ALTER checks the options of columns and tables, too.
--
CREATE FOREIGN TABLE options.kept (id uuid, stage text) SERVER options;
ALTER FOREIGN TABLE options.kept OPTIONS (ADD page_size '0');
ALTER FOREIGN TABLE options.kept OPTIONS (ADD page_size '1');
ALTER FOREIGN TABLE options.kept OPTIONS (SET page_size 'x');
ALTER FOREIGN TABLE options.kept ALTER stage OPTIONS (ADD attribute '..');
ALTER FOREIGN TABLE options.kept ALTER stage OPTIONS (ADD attribute 'stage.color', ADD sortable 'off');
ALTER FOREIGN TABLE options.kept ALTER stage OPTIONS (SET sortable 'perhaps');
ALTER FOREIGN TABLE options.kept ALTER stage OPTIONS (DROP sortable);
SELECT ftoptions, (SELECT attfdwoptions FROM pg_attribute WHERE attrelid = ftrelid AND attname = 'stage')
FROM pg_foreign_table WHERE ftrelid = 'options.kept'::regclass;

-- None of these commands caused a request.
\echo requests: `$REEVO_CTL requests`

SET client_min_messages = warning;
DROP SCHEMA options CASCADE;
DROP SCHEMA options_import CASCADE;
DROP SERVER options CASCADE;
DROP SERVER options_owned CASCADE;
REVOKE ALL ON FOREIGN DATA WRAPPER opportunity_fdw FROM regress_options_owner;
DROP ROLE regress_options_user;
DROP ROLE regress_options_owner;
