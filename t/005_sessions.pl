# SPDX-License-Identifier: PostgreSQL
# State between statements: changed options, connections that are reused, broken or
# dropped, and the ways to load the module.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start();
my $other = Reevo::start();
my $node = Reevo::cluster('sessions');
my $version = Reevo::server_version($node);
Reevo::set_up($node, $api->url, "max_retries '2'", "max_retry_wait '0.05'", "use_query 'false'");
$other->ctl('attributes', $id, '{"display_name": {"value": "Other", "value_type": "string"}}');

my $admin = Reevo::Session->new($node);
my $read = "SELECT display_name FROM opportunity WHERE id = '$id'";
my $name = $admin->query($read)->{out};
isnt($name, '', 'the server returns the record');

# --- Options, in open sessions and prepared statements ---

my %plain = (session => Reevo::Session->new($node));
my %session;
for my $mode (qw(force_generic_plan force_custom_plan))
{
	$session{$mode} = Reevo::Session->new($node);
	$session{$mode}->query("SET plan_cache_mode = $mode; PREPARE p (uuid) AS SELECT display_name FROM opportunity WHERE id = \$1;
		CREATE FUNCTION pg_temp.f(wanted uuid) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT display_name FROM opportunity WHERE id = wanted); END'");
}

# everywhere(WHAT, EXPECTED): all sessions return this value, or fail with this
# SQLSTATE.
sub everywhere
{
	my ($what, $expected) = @_;
	my %result = (
		'a session' => $plain{session}->query($read),
		map {
			(   "a prepared statement, $_" => $session{$_}->query("EXECUTE p ('$id')"),
				"a function, $_" => $session{$_}->query("SELECT pg_temp.f('$id')"))
		} sort keys %session);
	for my $where (sort keys %result)
	{
		my $result = $result{$where};
		is($result->{sqlstate} || $result->{out}, $expected, "$what: $where") or diag($result->{err});
	}
	return;
}

sub alter
{
	my ($sql) = @_;
	my $result = $admin->query($sql);
	is($result->{sqlstate}, '', $sql =~ /127\.0\.0\.1/ ? 'ALTER SERVER' : $sql) or diag($result->{err});
	return;
}

everywhere('without a change', $name);
alter("ALTER SERVER reevo OPTIONS (SET base_url '" . $other->url . "')");
everywhere('base_url', 'Other');
alter("ALTER SERVER reevo OPTIONS (SET base_url '" . $api->url . "')");
everywhere('base_url, restored', $name);
alter("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'expired-key')");
everywhere('api_key', '28000');
alter("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'test-key')");
everywhere('api_key, restored', $name);
alter('DROP USER MAPPING FOR CURRENT_USER SERVER reevo');
everywhere('no user mapping', '42704');
alter("CREATE USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (api_key 'test-key')");
everywhere('user mapping, restored', $name);
alter("ALTER FOREIGN TABLE opportunity OPTIONS (ADD record_type 'gadget')");
everywhere('record_type', 'HV00R');
alter("ALTER FOREIGN TABLE opportunity OPTIONS (SET record_type 'opportunity')");
everywhere('record_type, restored', $name);
alter("ALTER FOREIGN TABLE opportunity ALTER COLUMN display_name OPTIONS (ADD attribute 'status')");
my $status = $admin->query($read)->{out};
isnt($status, $name, 'the column shows another attribute');
everywhere('attribute', $status);
alter('ALTER FOREIGN TABLE opportunity ALTER COLUMN display_name OPTIONS (DROP attribute)');
everywhere('attribute, restored', $name);

# A column option determines the id column, and a plan depends on it.
alter("ALTER FOREIGN TABLE opportunity ALTER COLUMN id OPTIONS (ADD attribute 'organization_id')");
everywhere('no column is the id', '0A000');
alter('ALTER FOREIGN TABLE opportunity ALTER COLUMN id OPTIONS (DROP attribute)');
everywhere('the id column, restored', $name);
$api->ctl('archive', $id);
alter("ALTER SERVER reevo OPTIONS (ADD include_archived 'false')");
everywhere('include_archived', '');
alter("ALTER FOREIGN TABLE opportunity OPTIONS (ADD include_archived 'true')");
everywhere("include_archived, the table's option takes precedence", $name);
alter('ALTER FOREIGN TABLE opportunity OPTIONS (DROP include_archived)');
alter('ALTER SERVER reevo OPTIONS (DROP include_archived)');
everywhere('include_archived, restored', $name);
alter("ALTER SERVER reevo OPTIONS (SET max_retries '0')");
$api->reset;
$api->behave('{"fail_every": 1, "fail_how": "status", "fail_status": 500}');
everywhere('max_retries', 'HV000');
is($api->requests, 5, 'max_retries 0 makes one request for each statement');
$api->reset;
alter("ALTER SERVER reevo OPTIONS (SET max_retries '2')");
alter('ALTER FOREIGN TABLE opportunity RENAME COLUMN display_name TO title');
alter("ALTER FOREIGN TABLE opportunity ALTER COLUMN title OPTIONS (ADD attribute 'display_name')");
alter('ALTER FOREIGN TABLE opportunity RENAME COLUMN title TO display_name');
everywhere('renamed twice', $name);

# A transaction sees its own changes, and rolls them back.
my $own = $plain{session};
is($own->query("BEGIN; ALTER SERVER reevo OPTIONS (SET base_url '" . $other->url . "'); $read; ROLLBACK; $read")->{out},
	"Other\n$name", 'ROLLBACK undoes a change of base_url');
is($own->query("BEGIN; SAVEPOINT s; ALTER SERVER reevo OPTIONS (SET base_url '" . $other->url . "'); $read; ROLLBACK TO s; $read; COMMIT")->{out},
	"Other\n$name", 'ROLLBACK TO SAVEPOINT undoes a change of base_url');

# A cursor keeps the connection that it started with.
my $ids = join(', ', map { "'" . Reevo::id($_) . "'" } 1 .. 20);
my $cursor = $own->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity WHERE id IN ($ids); FETCH 1 FROM c");
alter("ALTER SERVER reevo OPTIONS (SET base_url '" . $other->url . "')");
is($own->query("$read")->{out}, 'Other', 'while a cursor is open, the next statement uses the changed option');
is(scalar(my @rows = split(/\n/, $own->query('FETCH ALL FROM c; COMMIT')->{out})), 19, 'the open cursor returns the other rows');
alter("ALTER SERVER reevo OPTIONS (SET base_url '" . $api->url . "')");

$_->quit for values %session, $own;
$admin->quit;
$api->becomes('open_connections', 0);

# --- Connections ---

my $session = Reevo::Session->new($node);
$api->reset;
$session->query(join('; ', map { "SELECT display_name FROM opportunity WHERE id = '" . Reevo::id($_) . "'" } 1 .. 100));
is($api->requests . ' over ' . $api->ctl('connections'), '100 over 1', 'a hundred statements share a connection');
$session->query(join('; ', ("BEGIN; $read; COMMIT", "BEGIN; $read; ROLLBACK") x 5));
is($api->requests . ' over ' . $api->ctl('connections'), '110 over 1', 'transactions share the connection');
$session->query("BEGIN; SELECT id/0 FROM opportunity; ROLLBACK; $read");
$session->query("SELECT 1/(length(display_name) - length(display_name)) FROM opportunity WHERE id = '$id'; $read");
is($api->ctl('connections'), 1, 'errors do not close the connection');
$session->query("DO 'BEGIN FOR i IN 1..20 LOOP BEGIN PERFORM display_name FROM opportunity WHERE id = ''$id''; RAISE EXCEPTION ''x''; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END'");
is($api->ctl('connections'), 1, 'failed subtransactions do not close the connection');
$api->behave('{"status": 400, "body": {"error": {"code": "x"}}}');
$session->query($read);
$api->behave('{"status": null, "body": null, "not_found_form": "html"}');
$session->query("SELECT id FROM opportunity WHERE id = '99999999-0000-4000-8000-000000000000'");
is($api->ctl('connections'), 1, 'rejected requests do not close the connection');
$api->reset;

$session->query("SELECT count(*) FROM opportunity WHERE id IN ($ids)");
my $most = $api->ctl('max_in_flight');
cmp_ok($most, '<=', 8, 'a statement has at most max_concurrency requests in flight');
cmp_ok($api->ctl('open_connections'), '<=', 8, 'a statement has at most max_concurrency connections');
$session->query('SELECT opportunity_fdw_disconnect()');
ok($api->becomes('open_connections', 0), 'opportunity_fdw_disconnect() closes the connections');
is($session->query("SELECT opportunity_fdw_disconnect(); $read")->{out}, "\n$name", 'the session can read after opportunity_fdw_disconnect()');
ok($api->becomes('open_connections', 1), 'it opens a new connection');
my $in_use = $session->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity WHERE id IN ($ids); FETCH 1 FROM c;
	SELECT opportunity_fdw_disconnect(); FETCH ALL FROM c; COMMIT");
is($in_use->{sqlstate} . scalar(() = $in_use->{out} =~ /0000-4000/g), '20', 'an open cursor continues after opportunity_fdw_disconnect()');
ok($api->becomes('open_connections', 0), 'the connections close with the cursor');

for my $change ("ALTER SERVER reevo OPTIONS (SET max_retries '2')",
	"ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'test-key')")
{
	$session->query($read);
	ok($api->becomes('open_connections', 1), 'a read opens a connection');
	$session->query($change);
	$api->reset;
	$session->query($read);
	is($api->ctl('connections'), 1, "a new connection is opened after $change");
	ok($api->becomes('open_connections', 1), 'the old connection is closed');
}

# The server closes the connection.
$api->reset;
$api->behave('{"idle_close_ms": 50}');
$session->query('SELECT opportunity_fdw_disconnect()');
for my $round (1 .. 3)
{
	is($session->query($read)->{out}, $name, "a read succeeds after the server closed the connection: $round");
	$api->becomes('open_connections', 0);
}
is($api->requests . ' over ' . $api->ctl('connections'), '3 over 3', 'each read opens a new connection and makes one request');
$api->reset;
$api->behave('{"close_each": true}');
is($session->query("$read; $read; $read")->{out}, "$name\n$name\n$name", 'reads succeed if the server closes after each response');
is($session->query("SELECT count(*) FROM opportunity WHERE id IN ($ids)")->{out}, '20', 'parallel requests succeed if the server closes after each response');
is($api->requests . ' over ' . $api->ctl('connections'), '23 over 23', 'no request is repeated');
$api->reset;

# Another session drops an object in use.
$session->query("SELECT opportunity_fdw_disconnect(); $read");
my $brief = "CREATE SERVER brief FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '" . $api->url . "');
	CREATE USER MAPPING FOR CURRENT_USER SERVER brief OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE brief (id uuid, display_name text) SERVER brief;";
my $read_brief = "SELECT display_name FROM brief WHERE id = '$id'";
$node->safe_psql('postgres', $brief);
is($session->query($read_brief)->{out}, $name, 'a second server works');
ok($api->becomes('open_connections', 2), 'the second server has its own connection');
$node->safe_psql('postgres', 'SET client_min_messages = warning; DROP SERVER brief CASCADE');
is($session->query($read_brief)->{sqlstate}, '42P01', 'the table is gone after DROP SERVER CASCADE');
is($session->query($read)->{out}, $name, 'the session continues after DROP SERVER');
ok($api->becomes('open_connections', 1), 'the connection of the dropped server is closed');
is($session->query("BEGIN; $brief $read_brief; ROLLBACK; $read")->{out}, "$name\n$name",
	'a server created in a rolled-back transaction works before the rollback');
is($session->query("SET client_min_messages = warning; DROP EXTENSION opportunity_fdw CASCADE; SELECT 1")->{out}, '1', 'DROP EXTENSION CASCADE succeeds');
$session->quit;
ok($api->becomes('open_connections', 0), 'the connections close at the end of the session');

# --- Rows that change while they wait for a lock ---

Reevo::set_up($node, $api->url);
$session = Reevo::Session->new($node);
my $rival = Reevo::Session->new($node);
$rival->query("CREATE TABLE deal (opportunity_id uuid, note text); INSERT INTO deal VALUES ('$id', 'old')");
my $list = 'JOIN opportunity o ON o.id = ANY (ARRAY[d.opportunity_id])';
for my $join ('JOIN opportunity o ON o.id = d.opportunity_id', $list, 'LEFT JOIN opportunity o ON o.id = d.opportunity_id',
	", LATERAL (SELECT * FROM opportunity WHERE id = d.opportunity_id OFFSET 0) o")
{
	$rival->query("UPDATE deal SET note = 'old', opportunity_id = '$id'; BEGIN; UPDATE deal SET note = 'new'");
	$session->send("SELECT d.note, o.display_name FROM deal d $join FOR UPDATE OF d");
	Reevo::wait_until(sub {
		$rival->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $session->{backend} AND wait_event_type = 'Lock'")->{out};
	});
	$rival->query('COMMIT');
	my $locked = $session->result;
	is($locked->{out}, "new|$name", "EvalPlanQual returns the new version of the row: $join") or diag($locked->{err});
}
# The new version of the row does not satisfy the join condition.
for my $join ('JOIN opportunity o ON o.id = d.opportunity_id', $list)
{
	$rival->query("UPDATE deal SET opportunity_id = '$id'; BEGIN; UPDATE deal SET opportunity_id = '" . Reevo::id(1) . "'");
	$session->send("SELECT d.note, o.display_name FROM deal d $join FOR UPDATE OF d");
	Reevo::wait_until(sub {
		$rival->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $session->{backend} AND wait_event_type = 'Lock'")->{out};
	});
	$rival->query('COMMIT');
	is($session->result->{out}, '', "EvalPlanQual drops a row whose id has changed: $join");
}
$rival->query("UPDATE deal SET opportunity_id = '$id'; BEGIN; UPDATE deal SET note = 'newer'");
$session->send("UPDATE deal d SET note = o.display_name FROM opportunity o WHERE o.id = d.opportunity_id AND d.note <> 'x'");
Reevo::wait_until(sub {
	$rival->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $session->{backend} AND wait_event_type = 'Lock'")->{out};
});
$rival->query('COMMIT');
is($session->result->{sqlstate}, '', 'EvalPlanQual: UPDATE FROM succeeds');
is($rival->query('SELECT note FROM deal')->{out}, $name, 'EvalPlanQual: UPDATE FROM writes the value of the record');
$rival->quit;

# --- Parallel queries ---

my $parallel = $version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
my $result = $session->query("SET $parallel = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
	INSERT INTO deal SELECT '$id', 'n' FROM generate_series(1, 5000); ANALYZE deal;
	$read; SELECT count(o.display_name) FROM deal d JOIN opportunity o ON o.id = d.opportunity_id;
	SELECT count(*) FROM deal d WHERE EXISTS (SELECT FROM opportunity o WHERE o.id = d.opportunity_id AND o.display_name = '$name');
	CREATE TEMP VIEW v AS SELECT display_name FROM opportunity WHERE id = '$id'; SELECT * FROM v");
is($result->{out}, "$name\n5001\n5001\n$name", 'parallel queries return the same rows') or diag($result->{err});
$session->quit;

# --- Environment variables and proxies ---

my ($target) = $api->url =~ m{//(.*)};
my $proxy = Reevo::start_proxy($target);
{
	my $elsewhere = 'http://127.0.0.1:' . $api->port('closed_port');
	local @ENV{qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY)} = ($elsewhere) x 5;
	local @ENV{qw(no_proxy NO_PROXY)} = ('127.0.0.1', '127.0.0.1');
	local $ENV{SSL_CERT_FILE} = '/nonexistent';
	$node->restart;
}
$session = Reevo::Session->new($node);
like($session->query("CREATE TEMP TABLE e (line text); COPY e FROM PROGRAM 'env'; SELECT line FROM e")->{out},
	qr/^https_proxy=/m, "the server's environment names a proxy");
is($session->query($read)->{out}, $name, 'the wrapper ignores the proxy in the environment');
is($session->query("ALTER SERVER reevo OPTIONS (ADD proxy '" . $proxy->url . "'); $read")->{out}, $name, 'a read through the option proxy succeeds');
like($proxy->heads, qr{^GET http://127\.0\.0\.1:\d+/api/v2/opportunity/\Q$id\E HTTP/1\.1\r\n}, 'the wrapper uses the option proxy in spite of no_proxy');
$session->query('ALTER SERVER reevo OPTIONS (DROP proxy)');
$session->quit;
$proxy->stop;

# --- Ways to load the module ---

for my $how (qw(shared_preload_libraries session_preload_libraries))
{
	$node->append_conf('postgresql.conf', "$how = 'opportunity_fdw'");
	$node->restart;
	$session = Reevo::Session->new($node);
	is($session->query("SHOW $how; $read")->{out}, "opportunity_fdw\n$name", "$how: a session can read");
	my $second = Reevo::Session->new($node);
	is($second->query($read)->{out}, $name, "$how: a second session can read");
	$_->quit for $session, $second;
	$node->append_conf('postgresql.conf', "$how = ''");
}
$node->restart;

# Autovacuum skips the table, like all foreign tables.
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_all_tables WHERE relname = \'opportunity\' AND last_autoanalyze IS NOT NULL'),
	'0', 'autovacuum does not analyze the table');
$node->stop('fast');

done_testing();
