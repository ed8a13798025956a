# SPDX-License-Identifier: PostgreSQL
# Makes every call of the extension that can fail, fail once. The result must be
# an error, and never a crash, a wrong row, or memory and connections left behind.
#
# The test builds the extension with test/inject between it and the functions that
# it calls. It runs each statement below repeatedly: first the first call fails,
# then the second, and so on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IPC::Run ();
use Reevo;
use Test::More;
use Time::HiRes qw(time);

# For a statement with more calls, the test makes only some of them fail. These are
# the first calls, the first and the last call of each place in the source, and a
# sample of the others. A place that already failed in $TURNS statements is omitted.
my $ALL = 150;
my $FIRST = 60;
my $TURNS = 5;
my $SAMPLE = 30;

# Stop a statement after this number of defects.
my $GIVE_UP = 10;

# A statement that takes longer hangs.
my $HANG = '20s';

my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($output, $error) = ('', '');
chmod 0755, $folder;
plan skip_all => 'gcc is missing'
  unless eval { IPC::Run::run([ 'gcc', '--version' ], '>', \$output, '2>', \$error) };
IPC::Run::run([ "$FindBin::RealBin/../test/inject/build", $folder ], '>', \$output, '2>', \$error)
  or die "test/inject/build: $output$error";
is(Reevo::slurp("$folder/unexplained"), '', 'test/inject/imports lists every function that the extension imports');

# Function name to the SQLSTATEs that its failure may cause
my %states = map { (split)[0] => [ split(/,/, (split)[1]) ] } split(/\n/, Reevo::slurp("$folder/faults"));
my %has_failed;

# A query goes without it: see t/064_progress.pl.
push @{ $states{GetNamedDSMSegment} }, 'ok' if exists $states{GetNamedDSMSegment};

# Functions that only newer versions of PostgreSQL call, and their first version
my %since = (getTypeOutputInfo => 16, OidOutputFunctionCall => 16, LWLockAcquire => 17, has_privs_of_role => 17);

# --- The servers, and the statements ---

my $api = Reevo::start(records => 60);
my $node = Reevo::cluster('failures', "log_statement = none\nrestart_after_crash = on");
my $version = Reevo::server_version($node);
# Without asynchronous scans, these functions are not called.
@since{qw(AddWaitEventToSet ExecAsyncResponse)} = (17, 17) unless Reevo::reads_together($node);
Reevo::set_up($node, $api->url, "max_retries '1'", "max_retry_wait '0.001'");
my $refused = 'http://127.0.0.1:' . $api->port('closed_port');
my $ca_file = "$folder/ca.pem";
open(my $pem, '>', $ca_file) or die "$ca_file: $!";
print $pem "A comment\n-----BEGIN CERTIFICATE-----\n";
close $pem;

$node->safe_psql('postgres', qq(
	UPDATE pg_proc SET probin = '$folder/opportunity_fdw.so' WHERE probin = '\$libdir/opportunity_fdw';
	CREATE FUNCTION inject_arm(integer, text, bigint) RETURNS void AS '$folder/opportunity_fdw.so' LANGUAGE C STRICT;
	CREATE FUNCTION inject_outcome() RETURNS text AS '$folder/opportunity_fdw.so' LANGUAGE C STRICT;
	CREATE FUNCTION inject_sites() RETURNS text AS '$folder/opportunity_fdw.so' LANGUAGE C STRICT;
	CREATE FUNCTION inject_held() RETURNS text AS '$folder/opportunity_fdw.so' LANGUAGE C STRICT;
	CREATE FUNCTION inject_top_memory() RETURNS bigint AS '$folder/opportunity_fdw.so' LANGUAGE C STRICT;

	CREATE SERVER refused FOREIGN DATA WRAPPER opportunity_fdw
		OPTIONS (base_url '$refused', proxy '$refused', ca_file '$ca_file', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER refused OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE unreachable (id uuid, display_name text) SERVER refused;
	CREATE SERVER short_timeout FOREIGN DATA WRAPPER opportunity_fdw
		OPTIONS (base_url '@{[ $api->url ]}', request_timeout '0.5', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER short_timeout OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE short_timeout (id uuid) SERVER short_timeout;
	CREATE SERVER long_wait FOREIGN DATA WRAPPER opportunity_fdw
		OPTIONS (base_url '@{[ $api->url ]}', max_retry_wait '0.2');
	CREATE USER MAPPING FOR CURRENT_USER SERVER long_wait OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE long_wait (id uuid) SERVER long_wait;
	CREATE DOMAIN names AS text[];
	CREATE FOREIGN TABLE forms (
		id text, display_name varchar(200), stage jsonb, color text OPTIONS (attribute 'stage.color'),
		competitors_mentioned_other names,
		participants jsonb OPTIONS (attribute 'participant_user_id_list'), created_at timestamptz,
		closing timestamptz OPTIONS (attribute 'anticipated_closing_at'), expires_at timestamptz,
		expiry date OPTIONS (attribute 'expires_at'),
		day date OPTIONS (attribute 'closed_at'), time time OPTIONS (attribute 'closed_at'),
		local timestamp OPTIONS (attribute 'closed_at'), record json OPTIONS (attribute '*')
	) SERVER reevo OPTIONS (include_archived 'false');
	CREATE FOREIGN TABLE misfit (
		id uuid, display_name integer, status numeric, created_source numeric, outcome text,
		local timestamp OPTIONS (attribute 'closed_at'), day date OPTIONS (attribute 'expires_at'),
		stage integer, amount date, stage_color text[] OPTIONS (attribute 'stage'), competitors_mentioned_other text
	) SERVER reevo OPTIONS (invalid_value 'null');
	CREATE FOREIGN TABLE whole (id uuid, record integer[] OPTIONS (attribute '*')) SERVER reevo;
	CREATE FOREIGN TABLE sampled (id uuid, display_name text, stage text, archived_at timestamptz)
		SERVER reevo OPTIONS (record_type 'account', page_size '10', max_requests '7', include_archived 'false');
	CREATE FOREIGN TABLE pair (id uuid) SERVER reevo OPTIONS (max_concurrency '2', use_query 'false');
	CREATE FOREIGN TABLE idle (id uuid) SERVER reevo OPTIONS (max_concurrency '2', use_query 'false', cache_ttl '3600');
	CREATE FOREIGN TABLE kept (id uuid, display_name text) SERVER reevo OPTIONS (cache_ttl '3600');
	CREATE DOMAIN blank AS text[] CHECK (cardinality(VALUE) = 0);
	CREATE FOREIGN TABLE blank_only (id uuid, competitors_mentioned_other blank) SERVER reevo OPTIONS (invalid_value 'null');
	CREATE FOREIGN TABLE by_id (id uuid) SERVER reevo OPTIONS (use_query 'false');
	CREATE FOREIGN TABLE paged (id uuid, created_at timestamptz, amount numeric, display_name text)
		SERVER reevo OPTIONS (max_concurrency '1', page_size '15');
	CREATE FOREIGN TABLE one_page (id uuid) SERVER reevo OPTIONS (page_size '2000');
	CREATE FOREIGN TABLE ranged (id uuid, created_at timestamptz, amount numeric) SERVER reevo OPTIONS (max_concurrency '4', page_size '4');
	CREATE FOREIGN TABLE drifted (
		id uuid, display_name numeric, stage_color date OPTIONS (attribute 'stage.color'), gone text, amount text[],
		cf_score text OPTIONS (attribute 'status'), competitors_mentioned_other names, part text OPTIONS (attribute 'status.part')) SERVER reevo;
	COMMENT ON COLUMN drifted.amount IS 'another';
	CREATE FOREIGN TABLE limited (id uuid) SERVER reevo OPTIONS (max_concurrency '1', page_size '15', max_requests '2');
	CREATE FOREIGN TABLE filtered (
		id uuid, created_at timestamptz, updated_at timestamptz, closed_at timestamptz, display_name text, status text, account_id uuid, amount numeric,
		cf_renewal boolean OPTIONS (filter_operators 'eq,ne'),
		cf_kickoff_date date OPTIONS (filter_operators 'lt,lte,gt,gte'),
		cf_score numeric OPTIONS (filter_operators 'lt,gt')
	) SERVER reevo OPTIONS (max_concurrency '1');
	CREATE FOREIGN TABLE keyed (id uuid, account_id uuid, amount numeric) SERVER reevo OPTIONS (max_concurrency '2', page_size '3');
	CREATE TABLE deal AS SELECT id::uuid FROM unnest(ARRAY['$Reevo::EXAMPLE', '@{[ Reevo::id(1) ]}']) id;
	CREATE FUNCTION attempt(uuid) RETURNS text LANGUAGE plpgsql AS \$\$
	BEGIN
		RETURN (SELECT display_name FROM opportunity WHERE id = \$1);
	EXCEPTION WHEN OTHERS THEN
		RETURN 'caught ' || SQLSTATE;
	END \$\$;
	CREATE SCHEMA imported;
	CREATE ROLE keyless;
	CREATE USER MAPPING FOR keyless SERVER reevo;
	GRANT SELECT ON opportunity TO keyless;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO keyless;
));

my $id = $Reevo::EXAMPLE;
my $ids = join(', ', map { "'" . Reevo::id($_) . "'" } 0 .. 4);
my $read = "SELECT display_name, amount, stage, created_at FROM opportunity WHERE id = '$id'";
my $check = "SELECT display_name FROM opportunity WHERE id = '$id'";
my $checked = $node->safe_psql('postgres', $check);

# A record with values that the simulator's records do not have
my $odd = qq({"status": 200, "body": {"data": {
	"id": "$id", "created_at": "2024-01-02T03:04:05Z", "record_type": "opportunity", "attributes": {
		"display_name": {"value": "x", "value_type": "string"},
		"closed_at": {"value": "2024-01-02T03:04:05,5+02:00", "value_type": "timestamp"},
		"anticipated_closing_at": {"value": "2024-01-02T03:04:05", "value_type": "timestamp"},
		"expires_at": {"value": "2024-01-02", "value_type": "date"},
		"stage": {"value": {"id": "$id"}, "value_type": "opportunity_stage"},
		"amount": {"value": {"amount": "1.5"}, "value_type": "currency"},
		"outcome": {"value": {"street_one": "1"}, "value_type": "address"},
		"participant_user_id_list": [{"value": "a", "value_type": "string"}, {"value_type": "string"}]}}}});
# The same record with invalid times
(my $odder = $odd) =~ s/"(value": "20)/"$1?/g;

# Each kind of condition, each type, and each form of a constant
my $conditions = q(SELECT id, status FROM filtered
	WHERE account_id <> '00000000-0000-4000-9000-000000000003'
		AND account_id <> ALL (ARRAY['00000000-0000-4000-9000-000000000004', '00000000-0000-4000-9000-000000000005']::uuid[])
		AND created_at > date '2000-01-01' AND '2100-01-01'::timestamp >= updated_at AND updated_at < now() + interval '100 years'
		AND date_trunc('month', created_at AT TIME ZONE 'UTC')::date >= '2000-01-01' AND extract(year FROM updated_at - interval '1 day') < 3000
		AND (created_at, id) > ('2000-01-01', '00000000-0000-4000-8000-000000000000') AND amount < 1e12::float8
		AND amount > 0 AND amount < 1e12 AND amount BETWEEN 0 AND 1e13 AND status IN ('open', 'closed')
		AND (display_name LIKE '%a%' OR display_name LIKE '%1' OR starts_with(display_name, 'Rocket')
			OR display_name LIKE 'Caf%' OR display_name LIKE 'x' OR status = 'closed'::name
			OR amount IS NOT NULL AND closed_at IS NOT NULL)
		AND (cf_renewal OR NOT cf_renewal) AND cf_score >= -1e9
		AND cf_kickoff_date >= timestamp '2000-01-01' AND cf_kickoff_date <= now() + interval '100 years');

# Two queries for three keys each, with several pages
my $by_key = 'BEGIN; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SELECT a, o.id, o.amount FROM unnest(ARRAY['
  . join(', ', map { "'00000000-0000-4000-9000-00000000000$_'" } 1 .. 6) . ']::uuid[]) a LEFT JOIN keyed o ON o.account_id = a AND o.amount > 0 ORDER BY 1, 2; ROLLBACK';

my $together = 'SELECT count(*), count(DISTINCT id), sum(amount) FROM ('
  . join(' UNION ALL ', map { "SELECT id, amount FROM $_" } qw(paged ranged filtered)) . ') u';

# - fresh: each run has its own session.
# - warm: each run uses an open connection.
# - before: a statement that the session runs first.
# - behave, body: the simulator's behaviour, and the body of the example record.
# - after: a statement that restores the session.
# - only: the functions to fail, if not all.
# - known: other statements begin with the same calls, so the first calls are omitted.
# - again: a place in the source fails again, even if it failed before.
# - may_ignore: functions whose failure need not cause an error.
# - state: the SQLSTATE without an injected failure.
my @statements = (
	{ name => 'the first read of a session', sql => $read, fresh => 1, may_ignore => qr/^ReleaseCurrentSubTransaction$/ },
	{ name => 'a read over an open connection', sql => $read, warm => 1 },
	{ name => 'five ids', sql => "SELECT * FROM opportunity WHERE id = ANY (ARRAY[$ids]::uuid[]) ORDER BY id" },
	{ name => 'reads inside a read', sql => "SELECT id, attempt(id) FROM opportunity WHERE id IN ($ids) ORDER BY id" },
	{
		name => 'every column type',
		sql => "SELECT * FROM forms WHERE id IN ('$id', '@{[ Reevo::id(11) ]}') OR id = '@{[ Reevo::id(2) ]}' ORDER BY id"
	},
	{
		name => 'invalid values as NULL',
		sql => "SELECT * FROM misfit WHERE id IN ($ids) ORDER BY id",
		warm => 1
	},
	{
		name => 'values in unusual formats',
		sql => "SELECT * FROM forms WHERE id = '$id' AND id IN ($ids)",
		behave => $odd,
		warm => 1
	},
	{ name => 'invalid values in unusual formats', sql => "SELECT * FROM misfit WHERE id = '$id'", behave => $odder, warm => 1 },
	{
		name => 'an invalid value',
		sql => "SELECT display_name, closing FROM forms WHERE id = '$id'",
		behave => $odder,
		warm => 1,
		state => '22007'
	},
	{
		name => 'a list that its domain rejects',
		sql => "SELECT * FROM blank_only WHERE id = '$id'",
		state => $version >= 16 ? '' : '23514'
	},
	{
		name => 'a join',
		sql => 'SELECT d.id, o.display_name FROM deal d JOIN opportunity o ON o.id = d.id ORDER BY 1',
		warm => 1
	},
	{
		name => 'an outer join',
		sql => 'SELECT d.id, o.display_name FROM deal d LEFT JOIN opportunity o ON o.id = d.id AND o.amount > 0 ORDER BY 1',
		warm => 1
	},
	{
		name => 'a rescan of a join with other rows',
		sql => "SELECT n, c FROM generate_series(1, 2) n, LATERAL (SELECT count(o.stage) AS c FROM deal d JOIN opportunity o ON o.id = d.id WHERE d.id::text <> n::text) j",
		warm => 1
	},
	{
		name => 'a rescan of a join with the same rows',
		sql => "SELECT n, c FROM generate_series(1, 2) n, LATERAL (SELECT count(o.stage) AS c FROM deal d JOIN opportunity o ON o.id = d.id WHERE o.amount > n) j",
		warm => 1
	},
	{ name => 'a subquery for each row', sql => 'SELECT d.id, (SELECT o.display_name FROM opportunity o WHERE o.id = d.id) FROM deal d ORDER BY 1', warm => 1 },
	{
		name => 'subqueries in a condition and below CASE',
		sql => "SELECT CASE WHEN d.id IS NOT NULL THEN (SELECT o.stage FROM opportunity o WHERE o.id = d.id) END FROM deal d WHERE (SELECT o.display_name FROM opportunity o WHERE o.id::text = d.id::text) > '' ORDER BY 1",
		warm => 1
	},
	{ name => 'an order before a lookup', sql => 'SELECT d.id, o.display_name FROM deal d LEFT JOIN opportunity o ON o.id = d.id ORDER BY d.id LIMIT 1', warm => 1 },
	{
		name => 'a generic LIMIT',
		sql => 'SET plan_cache_mode = force_generic_plan; PREPARE s (int) AS SELECT d.id, o.display_name FROM deal d LEFT JOIN opportunity o ON o.id = d.id LIMIT $1; EXECUTE s (1); DEALLOCATE s; RESET plan_cache_mode',
		warm => 1,
		after => 'DEALLOCATE ALL; RESET plan_cache_mode'
	},
	{
		name => 'a cursor that moves backwards over subqueries',
		sql => 'BEGIN; DECLARE c SCROLL CURSOR FOR SELECT d.id, (SELECT o.display_name FROM opportunity o WHERE o.id = d.id) FROM deal d; MOVE ALL FROM c; FETCH BACKWARD ALL FROM c; ROLLBACK',
		warm => 1
	},
	{
		name => 'EXPLAIN of a lookup for two scans',
		sql => 'EXPLAIN (COSTS off, FORMAT json) SELECT d.id, u.stage FROM deal d JOIN (SELECT id, stage FROM opportunity UNION ALL SELECT id, display_name FROM kept) u ON u.id = d.id',
		known => 1
	},
	{ name => 'id IS NULL', sql => 'SELECT id FROM keyed WHERE id IS NULL' },
	{
		name => 'a rescan of kept rows',
		sql => q(SELECT n, c FROM generate_series(1, 3) n, LATERAL (SELECT count(*) AS c FROM filtered WHERE display_name <> n::text OFFSET 0) f),
		known => 1
	},
	{ name => 'ids of another table', sql => 'SELECT id FROM opportunity WHERE id IN (SELECT id FROM deal) ORDER BY 1', warm => 1 },
	{
		name => 'more rows than the first buffer of a batch',
		sql => "SELECT count(o.stage) FROM generate_series(1, 70) n JOIN opportunity o ON o.id = ('00000000-0000-4000-8000-' || lpad((1 + n % 5)::text, 12, '0'))::uuid",
		warm => 1
	},
	{ name => 'EXPLAIN of a join', sql => 'EXPLAIN (COSTS off) SELECT d.id, o.display_name FROM deal d JOIN opportunity o ON o.id = d.id' },
	{
		name => 'cached records',
		sql => "SELECT opportunity_fdw_clear_cache(); SELECT * FROM kept WHERE id IN ($ids); SELECT * FROM kept WHERE id IN ($ids, '@{[ Reevo::id(999999) ]}')",
		after => 'SELECT opportunity_fdw_clear_cache()',
		warm => 1
	},
	{
		name => 'queries rejected for their number of ids',
		sql => "SELECT opportunity_fdw_disconnect(); SELECT id, stage FROM opportunity WHERE id IN ($ids)",
		behave => '{"in_limit": 2}'
	},
	{
		name => 'a query with several pages',
		sql => "SELECT id, stage FROM opportunity WHERE id IN ($ids)",
		behave => '{"clamp_limit": 2}',
		warm => 1
	},
	{
		name => 'a malformed page',
		sql => "SELECT id, stage FROM opportunity WHERE id IN ($ids)",
		behave => '{"status": 200, "body": {"data": [{"id": 1}]}}',
		warm => 1,
		state => '08P01'
	},
	{
		name => 'a cursor that is closed early',
		sql => "BEGIN; DECLARE c CURSOR FOR SELECT id FROM pair WHERE id IN ($ids); FETCH 2 FROM c; ROLLBACK",
		may_ignore => qr/^(curl_multi_add_handle|MemoryContextAllocExtended)$/
	},
	{
		# The first record has arrived, so a request is in flight while the cursor
		# is idle.
		name => 'an idle cursor',
		before => "SELECT FROM idle WHERE id = '@{[ Reevo::id(1) ]}'",
		sql => "BEGIN; DECLARE c CURSOR FOR SELECT id FROM idle WHERE id IN ($ids); FETCH 1 FROM c; SELECT FROM pg_sleep(0.15); $check; ROLLBACK",
		behave => '{"delay_ms": 200}',
		after => 'SELECT opportunity_fdw_clear_cache()',
		only => qr/^curl_easy_setopt$/,
		may_ignore => qr/^curl_easy_setopt$/
	},
	{ name => 'EXPLAIN', sql => "EXPLAIN (VERBOSE, COSTS off) SELECT * FROM forms WHERE id = '$id' OR id = ANY (ARRAY[$ids]) AND id > ''" },
	{ name => 'EXPLAIN without an id', sql => 'EXPLAIN (COSTS off) SELECT * FROM opportunity', only => qr/^Explain/ },
	{
		name => 'EXPLAIN ANALYZE of a retry with a wait',
		sql => "EXPLAIN (ANALYZE, COSTS off, SUMMARY off) SELECT * FROM long_wait WHERE id = '$id'",
		behave => '{"fail_first": 1, "fail_how": "status", "fail_status": 503}',
		only => qr/^Explain/
	},
	{ name => 'EXPLAIN ANALYZE', sql => "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) $read", warm => 1 },
	{
		name => 'a missing record, and a health request',
		sql => "SELECT id FROM opportunity WHERE id = '00000000-0000-4000-8000-ffffffffffff'",
		behave => '{"not_found_form": "bare"}'
	},
	{
		name => 'a wrong path',
		sql => $read,
		behave => '{"status": 404, "body": {"detail": "Not Found"}}',
		state => 'HV00R'
	},
	{
		name => 'a rejected request',
		sql => $read,
		behave => '{"status": 422, "body": {"error": {"code": "odd", "message": "No."}}}',
		warm => 1,
		state => 'HV000'
	},
	{ name => 'a wrong key', sql => $read, behave => '{"status": 401, "body": {"detail": [{"msg": "Who?"}]}}', warm => 1, state => '28000' },
	{
		name => 'a retry',
		sql => $read,
		behave => '{"fail_first": 1, "fail_how": "status", "fail_status": 429, "retry_after": 0}',
		warm => 1
	},
	{ name => 'a broken connection', sql => $read, behave => '{"fail_every": 1, "fail_how": "half-body-close"}', state => '08006' },
	{ name => 'a truncated response', sql => $read, behave => '{"fail_first": 1, "fail_how": "cut-json"}', warm => 1 },
	{ name => 'a response that is not JSON', sql => $read, behave => '{"status": 200, "body": "{\"data\": {\"id\": oops}}"}', warm => 1, state => '08P01' },
	{ name => 'a malformed record', sql => $read, behave => '{"status": 200, "body": {"data": {"id": 1}}}', warm => 1, state => '08P01' },
	{ name => 'an empty response', sql => $read, behave => '{"status": 200, "body": ""}', state => '08006' },
	{
		name => 'an attribute with an undocumented structure',
		sql => $read,
		behave => qq({"status": 200, "body": {"data": {"id": "$id", "attributes": {"display_name": 5}}}}),
		state => '08P01'
	},
	{ name => 'an undocumented status', sql => $read, behave => '{"status": 201}', warm => 1, state => '08P01' },
	{
		name => 'a response that is not UTF-8',
		sql => $read,
		body => "\xff, at length",
		only => qr/^psprintf$/,
		state => '08P01'
	},
	{ name => 'another record', sql => $read, behave => '{"swap_id": true}' },
	{
		name => 'an error in a 200 response',
		sql => $read,
		behave => '{"status": 200, "body": {"errors": [{"code": "odd", "message": "No."}]}}',
		warm => 1,
		state => 'HV000'
	},
	{
		name => 'a response timeout',
		sql => "SELECT * FROM short_timeout WHERE id = '$id'",
		behave => '{"stall": "headers"}',
		only => qr/^curl_easy_getinfo$/,
		state => '08006'
	},
	{ name => 'an unreachable server', sql => "SELECT * FROM unreachable WHERE id = '$id'", state => 'HV00N' },
	{
		name => 'a cancelled read',
		sql => "BEGIN; SET LOCAL statement_timeout = 30; $read; ROLLBACK",
		behave => '{"stall": "headers"}',
		state => '57014'
	},
	{ name => 'ANALYZE', sql => 'ANALYZE sampled', warm => 1 },
	{ name => 'disconnect', sql => 'SELECT opportunity_fdw_disconnect()', warm => 1 },
	{ name => 'the version', sql => 'SELECT length(opportunity_fdw_version()) > 0' },
	{ name => 'a scan without an id with use_query false', sql => 'SELECT * FROM by_id', state => '0A000' },
	{ name => 'a scan', sql => 'SELECT id, stage, amount, created_at FROM opportunity ORDER BY id', known => 1 },
	{ name => 'a scan with several pages', sql => 'SELECT count(*), sum(amount) FROM paged', known => 1 },
	{ name => 'ranges', sql => 'SELECT count(*), count(DISTINCT id), sum(amount) FROM ranged' },
	{
		name => 'a sorted scan',
		sql => 'SELECT id FROM paged ORDER BY created_at DESC LIMIT 20',
		known => 1
	},
	{
		name => 'conditions',
		sql => $conditions,
		behave => '{"custom_fields": true}',
		warm => 1,
		known => 1
	},
	{ name => 'EXPLAIN of conditions', sql => "EXPLAIN (VERBOSE, COSTS off) $conditions ORDER BY created_at", known => 1 },
	{
		name => 'EXPLAIN ANALYZE of a scan',
		sql => q(EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT FROM ranged WHERE created_at > '2000-01-01'),
		only => qr/^Explain/
	},
	{
		name => 'a rejected sort',
		sql => 'SELECT id FROM paged ORDER BY created_at, id',
		behave => '{"refuse_sort": true}',
		known => 1
	},
	{
		name => 'an ignored sort',
		sql => 'SELECT id FROM paged ORDER BY created_at DESC',
		behave => '{"ignore_sort": true}',
		known => 1,
		state => 'HV000'
	},
	{
		name => 'rejected filters',
		sql => q(SELECT id FROM filtered WHERE amount > 0 AND created_at > '2000-01-01' AND status = 'open' ORDER BY id),
		behave => '{"refuse_fields": ["amount", "status"]}',
		known => 1
	},
	{
		name => 'rejected ranges',
		sql => 'SELECT count(*), sum(amount) FROM ranged',
		behave => '{"refuse_operators": ["not_exists"]}',
		known => 1
	},
	{
		name => 'a scan by a cursor that is closed early',
		sql => 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM paged; FETCH 20 FROM c; ROLLBACK',
		known => 1
	},
	{
		name => 'ranges that are closed early',
		sql => 'SELECT count(*) FROM (SELECT FROM ranged WHERE amount IS DISTINCT FROM 1 LIMIT 30) s',
		known => 1
	},
	{
		name => 'a rescan',
		sql => 'SELECT n, c FROM generate_series(1, 2) n, LATERAL (SELECT count(*) AS c FROM filtered WHERE amount > n * 1000) f',
		known => 1
	},
	{
		name => 'a scan for each row',
		sql => q(BEGIN; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;
			SELECT a, o.id FROM unnest(ARRAY(SELECT account_id FROM filtered WHERE account_id IS NOT NULL ORDER BY id LIMIT 2)) a
				JOIN filtered o ON o.account_id = a ORDER BY 1, 2; ROLLBACK),
		known => 1
	},
	{ name => 'a join by a key', sql => $by_key, known => 1 },
	{
		name => 'a subquery by a key and another value of its row',
		sql => q(SELECT n, (SELECT count(*) FROM keyed o WHERE o.account_id = a.id AND o.amount > n) FROM (VALUES
			(1, '00000000-0000-4000-9000-000000000001'::uuid), (2, '00000000-0000-4000-9000-000000000002')) a (n, id)),
		known => 1
	},
	{ name => 'a join by a key with few keys in one request', sql => $by_key, behave => '{"in_limit": 2}', known => 1 },
	{ name => 'EXPLAIN of a join by a key', sql => $by_key =~ s/SELECT/EXPLAIN (VERBOSE, COSTS off) SELECT/r, known => 1 },
	{
		name => 'expired cursors',
		sql => 'SELECT count(*), sum(amount) FROM ranged',
		behave => '{"expire_cursors_after": 1, "expire_cursors_times": 2}',
		known => 1
	},
	{
		name => 'cursors that always expire',
		sql => 'SELECT count(*) FROM paged',
		behave => '{"expire_cursors_after": 1}',
		known => 1
	},
	{
		name => 'cursors that always expire, without filters on created_at',
		sql => 'SELECT count(*) FROM paged',
		behave => '{"expire_cursors_after": 1, "refuse_fields": ["created_at"]}',
		known => 1,
		state => 'HV000'
	},
	{
		name => 'a rejected page size',
		sql => q(SELECT count(*) FROM paged WHERE created_at > '2000-01-01'),
		behave => '{"refuse_limit": 7}',
		known => 1
	},
	{ name => 'a repeated cursor', sql => 'SELECT count(*) FROM paged', behave => '{"repeat_cursor": true}', known => 1, state => '08P01' },
	{ name => 'more requests than max_requests', sql => 'SELECT count(*) FROM limited', known => 1, state => '53400' },
	{ name => 'parallel scans', sql => $together, known => 1 },
	{
		name => 'parallel scans with slow responses',
		sql => $together,
		behave => '{"delay_ms": 30}',
		known => 1,
		only => qr/^(AddWaitEventToSet|ExecAsync)/
	},
	{ name => 'parallel scans with failures of their shared engine', sql => $together, only => qr/^(curl_|epoll_|timerfd_)/, again => 1 },
	{
		name => 'more returned ids than work_mem holds',
		sql => q(BEGIN; SET LOCAL work_mem = '64kB'; SELECT count(*) FROM one_page; ROLLBACK),
		behave => '{"status": 200, "body": {"data": [' . join(', ', map { qq({"id": "@{[ Reevo::id($_) ]}", "attributes": {}}) } 1 .. 1701) . ']}}',
		only => qr/^BufFile/
	},
	{ name => 'a user without an API key', sql => "SET ROLE keyless; $read", after => 'RESET ROLE', state => '28000' },
	{ name => 'an invalid column type', sql => "SELECT * FROM whole WHERE id = '$id'", state => 'HV004' },
	{
		name => 'IMPORT FOREIGN SCHEMA from the live schema',
		sql => "BEGIN; IMPORT FOREIGN SCHEMA reevo LIMIT TO (opportunity, account) FROM SERVER reevo INTO imported; ROLLBACK",
		behave => '{"custom_fields": true}',
		warm => 1
	},
	{
		name => 'IMPORT FOREIGN SCHEMA',
		sql => "BEGIN; IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO imported OPTIONS (discover 'false'); ROLLBACK"
	},
	{
		name => 'opportunity_fdw_check',
		sql => q(SELECT step, ok, milliseconds >= 0, regexp_replace(regexp_replace(detail, '^[0-9.]+ requests', ''), '^could not manage connections to the API\. .*', 'caught HV000') FROM opportunity_fdw_check('reevo'))
	},
	{ name => 'opportunity_fdw_check of an unreachable server', sql => q(SELECT step, ok, regexp_replace(regexp_replace(detail, 'after \d+ ms', 'after N ms'), '^could not manage connections to the API\. .*', 'caught HV000'), hint FROM opportunity_fdw_check('refused')), known => 1 },
	{ name => 'statistics', sql => 'SELECT * FROM opportunity_fdw_stats' },
	{
		name => 'opportunity_fdw_drift',
		sql => q(SELECT count(*), count(ddl) FROM opportunity_fdw_drift('drifted')),
		behave => '{"custom_fields": true}',
		warm => 1
	},
	{
		name => 'descriptions',
		sql => q(BEGIN; SELECT opportunity_fdw_comment_columns('drifted'); ROLLBACK),
		behave => '{"custom_fields": true}',
		warm => 1
	},
	{ name => 'opportunity_fdw_attributes', sql => q(SELECT * FROM opportunity_fdw_attributes('reevo')) },
	{ name => 'opportunity_fdw_drift of a local table', sql => q(SELECT * FROM opportunity_fdw_drift('deal')), state => '42809' },
	{
		name => "opportunity_fdw_drift without privileges",
		sql => q(SET ROLE keyless; SELECT * FROM opportunity_fdw_drift('drifted')),
		after => 'RESET ROLE',
		state => '42501'
	},
	{
		name => 'valid options',
		sql => qq(BEGIN; CREATE SERVER s FOREIGN DATA WRAPPER opportunity_fdw
				OPTIONS (base_url 'https://reevo.test', proxy 'proxy.test:3128', ca_file '$ca_file', connect_timeout '1.5');
			CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key 'k');
			CREATE FOREIGN TABLE t (id uuid OPTIONS (filter_operators 'eq,in'), a text OPTIONS (attribute 'stage.color'))
				SERVER s OPTIONS (record_type 'account', invalid_value 'null', use_query 'false'); ROLLBACK)
	},
	{
		name => 'an unknown option',
		sql => "BEGIN; ALTER SERVER reevo OPTIONS (ADD use_querry 'true'); ROLLBACK",
		state => 'HV00D'
	},
	{
		name => 'an http URL',
		sql => "BEGIN; ALTER SERVER reevo OPTIONS (SET base_url 'http://reevo.test', ADD allow_http 'off'); ROLLBACK",
		state => 'HV024'
	},
	{
		name => 'an option of the wrapper',
		sql => "BEGIN; ALTER FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (ADD base_url 'x'); ROLLBACK",
		state => 'HV00D'
	},
	{
		name => 'a malformed list of operators',
		sql => "BEGIN; ALTER FOREIGN TABLE forms ALTER id OPTIONS (filter_operators ',eq'); ROLLBACK",
		state => 'HV024'
	},
	{ name => 'an unknown operator', sql => "BEGIN; ALTER FOREIGN TABLE forms ALTER id OPTIONS (filter_operators 'eq,like'); ROLLBACK", state => 'HV024' },
	{ name => 'an unknown choice', sql => "BEGIN; ALTER FOREIGN TABLE misfit OPTIONS (SET invalid_value 'nil'); ROLLBACK", state => 'HV024' });

# --- Runs ---

sub new_session
{
	my $session = Reevo::Session->new($node);
	$session->query("SET statement_timeout = '$HANG'; SELECT inject_held()");
	return $session;
}

# Replaces a session that may hang or have crashed, after which the server needs
# time.
sub next_session
{
	my ($session) = @_;
	$session->disconnect;
	Reevo::wait_until(sub { $node->psql('postgres', 'SELECT 1') == 0 });
	return new_session();
}

# run(SESSION, STATEMENT, N, FUNCTION, PLACE): runs the statement with a failure of
# the N-th call, of all calls or of the given function at the given place. Returns
# the result with the number of {calls}, and the {function} and {place} that failed.
sub run
{
	my ($session, $statement, $number, $function, $place) = @_;
	$function = '' unless defined $function;
	$place = 0 unless defined $place;
	if ($statement->{warm})
	{
		$api->reset;
		$session->query($check);
	}
	$session->query($statement->{before}) if $statement->{before};
	$api->reset;
	$api->behave($statement->{behave}) if $statement->{behave};
	$api->ctl('body', $id, $statement->{body}) if $statement->{body};

	my $result = $session->query(
		"SELECT inject_arm($number, '$function', $place); $statement->{sql}; SELECT 'outcome ' || inject_outcome()");
	$session->query($statement->{after}) if $statement->{after};
	$result->{sqlstate} = $1 if $result->{sqlstate} eq '' && $result->{out} =~ /caught (\w{5})/;
	@$result{qw(calls function place)} = (0, '-', 0);
	@$result{qw(out calls function place)} = ($1, $2, $3, $4) if $result->{out} =~ /\A\n?(.*?)\n?outcome (\d+) (\S+) (\d+)\z/s;
	return $result;
}

# Returns the problem with the session after a statement, or an empty string.
sub aftermath
{
	my ($session) = @_;
	$api->reset;
	my $result = $session->query("$check; SELECT opportunity_fdw_disconnect(); SELECT 'held ' || inject_held(), pg_backend_pid()");
	return 'the session is gone' if $result->{ended};
	return "the next statement fails: $result->{err}" if $result->{sqlstate} ne '';
	return "the next statement reads: $result->{out}"
	  unless $result->{out} =~ /\A\Q$checked\E\n\nheld (.*)\|(\d+)\z/;
	return "it is another session" unless $2 == $session->{backend};
	return "not released: $1" if $1 ne '';
	return '';
}

# Returns the problem with a result, or an empty string.
sub judge
{
	my ($result, $normal, $may_ignore) = @_;
	return 'the session is gone' if $result->{ended};
	my $function = $result->{function};
	for my $state ($function eq '-' ? 'ok' : @{ $states{$function} }, $may_ignore && $function =~ $may_ignore ? 'ok' : ())
	{
		return '' if $state eq $result->{sqlstate};
		return '' if $state eq 'ok' && $result->{out} eq $normal->{out} && $result->{sqlstate} eq $normal->{sqlstate};
	}
	return $result->{sqlstate} eq '' ? "the failure causes no error: $result->{out}" : "it is reported as $result->{err}";
}

# Returns the place in the source for an offset in the library.
sub source_of
{
	my ($offset) = @_;
	my ($place, $complaint) = ('', '');
	eval {
		IPC::Run::run([ 'addr2line', '-e', "$folder/opportunity_fdw.so", sprintf('%x', $offset) ], '>', \$place, '2>', \$complaint);
	};
	chomp $place;
	$place =~ s{.*/tree/}{};
	return $place;
}

my %turns;

# Returns the calls to fail, as arguments of run, from the number of calls and their
# places.
sub choose
{
	my ($statement, $calls, @places) = @_;
	my $only = $statement->{only};
	my $first = $statement->{known} ? 0 : $FIRST;
	if ($only)
	{
		@places = grep { (split)[1] =~ $only } @places;
		$calls = $first = 0;
	}
	return map { [$_] } 1 .. $calls if $calls <= $ALL && !$only;
	my @chosen = map { [$_] } 1 .. $first;
	for my $place (@places)
	{
		my ($times, @of) = split(/ /, $place);
		next if $turns{"@of"}++ >= $TURNS && !$statement->{again};
		push @chosen, [ 1, @of ];
		push @chosen, [ $times, @of ] if $times > 1;
	}
	my $step = int(($calls - $first) / $SAMPLE) + 1;
	for (my $number = $first + 1; $number <= $calls; $number += $step)
	{
		push @chosen, [$number];
	}
	return @chosen;
}

# try_all(SESSION, STATEMENT): returns the number of calls, the number of failures,
# and the problems. It replaces SESSION if that cannot continue.
sub try_all
{
	my ($statement) = $_[1];
	my $normal = run($_[0], $statement, 0);
	my @places = split(/\n/, $_[0]->query('SELECT inject_sites()')->{out});
	my @calls = choose($statement, $normal->{calls}, @places);
	my @problems = map { "without a failure: $_" } grep { $_ } aftermath($_[0]);
	push @problems, "without a failure: $normal->{err}" if $normal->{sqlstate} ne ($statement->{state} || '');

	my ($failures, $grown, @more) = fail_each($_[0], $statement, $normal, @calls);
	push @problems, @more;
	# PostgreSQL may cache memory once. Only growth in a second run is a leak.
	(undef, $grown) = fail_each($_[0], $statement, $normal, @calls) if $grown > 0 && !@problems;
	push @problems, "$grown bytes are leaked" if $grown > 0 && !@problems;
	return ($normal->{calls}, $failures, @problems);
}

# fail_each(SESSION, STATEMENT, NORMAL, CALL...): returns the number of failed
# calls, the growth of memory in bytes, and the problems with their calls.
sub fail_each
{
	my ($session, $statement, $normal, @calls) = @_;
	my $failures = 0;
	my @problems;
	my $before = $session->query('SELECT inject_top_memory()')->{out};
	for my $call (@calls)
	{
		if ($statement->{fresh})
		{
			$session->quit;
			$session = new_session();
		}
		my $result = run($session, $statement, @$call);
		my $problem = judge($result, $normal, $statement->{may_ignore}) || aftermath($session);
		if ($result->{function} ne '-')
		{
			$failures++;
			$has_failed{ $result->{function} }{ $result->{place} } = 1;
		}
		next unless $problem;
		push @problems, sprintf('call %s, %s at %s: %s', join(' ', @$call), $result->{function},
			source_of($result->{place} || $call->[2] || 0), $problem);
		$session = next_session($session);
		last if @problems >= $GIVE_UP;
	}
	$_[0] = $session;
	my $grown = $statement->{fresh} ? 0 : $session->query('SELECT inject_top_memory()')->{out} - $before;
	return ($failures, $grown, @problems);
}

my $session = new_session();
for my $statement (@statements)
{
	my $started = time;
	my ($calls, $failures, @problems) = try_all($session, $statement);
	is(scalar @problems, 0, "$statement->{name}: $failures failures in $calls calls are handled") or diag(join("\n", @problems));
	note(sprintf('%.1f s', time - $started));
}

note('number of places that failed: ' . join(' ', map { "$_:" . keys %{ $has_failed{$_} } } sort keys %has_failed));
is(join(' ', grep { !$has_failed{$_} && $version >= ($since{$_} || 0) } sort keys %states), '', 'the test makes every function fail that can fail');
$session->quit;
$node->stop('fast');

done_testing();
