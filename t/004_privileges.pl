# SPDX-License-Identifier: PostgreSQL
# A statement uses the key of the user whose privileges it reads with: in views,
# functions and materialized views, and after SET ROLE. Some options are for
# superusers only.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start();
my $node = Reevo::cluster('privileges');

# The role owner has test-key. The role reader reads the owner's views without a
# user mapping. The role analyst has another key, and the mapping of keyless has
# none.
$node->safe_psql('postgres', q(
	CREATE EXTENSION opportunity_fdw;
	CREATE ROLE owner LOGIN;
	CREATE ROLE reader LOGIN;
	CREATE ROLE analyst LOGIN;
	CREATE ROLE keyless LOGIN;
	CREATE ROLE nobody LOGIN;
	GRANT CREATE ON DATABASE postgres TO owner;
) . "CREATE SERVER reevo FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '" . $api->url . "');" . q(
	GRANT USAGE ON FOREIGN SERVER reevo TO owner, analyst, keyless;
	CREATE USER MAPPING FOR owner SERVER reevo OPTIONS (api_key 'test-key');
	CREATE USER MAPPING FOR analyst SERVER reevo OPTIONS (api_key 'other-key');
	CREATE USER MAPPING FOR keyless SERVER reevo;
	SET ROLE owner;
	CREATE SCHEMA crm;
	IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO crm OPTIONS (discover 'false');
	GRANT USAGE ON SCHEMA crm TO PUBLIC;
	GRANT SELECT ON crm.opportunity TO analyst, keyless;
	CREATE VIEW crm.report AS SELECT id, display_name FROM crm.opportunity;
	CREATE VIEW crm.guarded WITH (security_barrier) AS SELECT id, display_name FROM crm.opportunity;
	CREATE VIEW crm.report_on_report AS SELECT * FROM crm.report;
	CREATE FUNCTION crm.name_of(uuid) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
		SET search_path = pg_catalog
		AS 'SELECT display_name FROM crm.opportunity WHERE id = $1';
	CREATE FUNCTION crm.name_of_plpgsql(wanted uuid) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
		SET search_path = pg_catalog
		AS 'BEGIN RETURN (SELECT display_name FROM crm.opportunity WHERE id = wanted); END';
	CREATE FUNCTION crm.my_name_of(wanted uuid) RETURNS text LANGUAGE plpgsql STABLE
		AS 'BEGIN RETURN (SELECT display_name FROM crm.opportunity WHERE id = wanted); END';
	GRANT SELECT ON crm.report, crm.guarded, crm.report_on_report TO reader, analyst;
));

my %session = map { $_ => Reevo::Session->new($node, user => $_) }
  qw(owner reader analyst keyless nobody);
my $super = Reevo::Session->new($node);
my $name = $session{owner}->query("SELECT display_name FROM crm.opportunity WHERE id = '$id'")->{out};
isnt($name, '', 'the owner can read the table');

# Returns the keys that the API received since the last call.
sub keys_seen
{
	my $stats = $api->ctl('stats');
	my %keys;
	$keys{$1}++ while $stats =~ /"authorization": ?"([^"]*)"/g;
	$keys{none} = $api->requests - eval { my $n = 0; $n += $_ for values %keys; $n };
	delete $keys{none} unless $keys{none};
	$api->reset;
	return join(', ', map { "$_ $keys{$_}" } sort keys %keys);
}
keys_seen();

# reads(WHO, WHAT, SQL, KEYS): the statement returns the name, and uses these keys.
sub reads
{
	my ($who, $what, $sql, $keys) = @_;
	my $result = $session{$who}->query($sql);
	is($result->{out}, $name, "$who: $what") or diag($result->{err});
	is(keys_seen(), $keys, "$who: $what uses the expected key");
	return;
}

# refused(WHO, WHAT, SQL, SQLSTATE, MESSAGE): the statement fails without a request.
sub refused
{
	my ($who, $what, $sql, $sqlstate, $message) = @_;
	my $result = ref $who ? $who->query($sql) : $session{$who}->query($sql);
	$who = 'a superuser' if ref $who;
	is($result->{sqlstate}, $sqlstate, "$who: $what: SQLSTATE") or diag($result->{err});
	like($result->{message}, $message, "$who: $what: message");
	is(keys_seen(), '', "$who: $what makes no request");
	return $result;
}

sub by_id { return "SELECT display_name FROM $_[0] WHERE id = '$id'"; }

# --- Views ---

for my $view (qw(crm.report crm.guarded crm.report_on_report))
{
	reads('reader', "the owner's mapping through $view", by_id($view), 'test-key 1');
	# A key of the reader makes no difference, because the view reads as its owner.
	reads('analyst', "the owner's mapping through $view", by_id($view), 'test-key 1');
	refused('nobody', "no privilege on $view", by_id($view), '42501', qr/^permission denied for view /);
}
refused('reader', 'no privilege on the table', by_id('crm.opportunity'), '42501',
	qr/^permission denied for foreign table opportunity$/);
reads('analyst', 'its own key on the table', by_id('crm.opportunity'), 'other-key 1');
reads('reader', 'a prepared statement on a view',
	"SET plan_cache_mode = force_generic_plan; PREPARE v(uuid) AS SELECT display_name FROM crm.report WHERE id = \$1; EXECUTE v('$id')",
	'test-key 1');
is($session{analyst}->query("SELECT o.display_name = r.display_name FROM crm.opportunity o, crm.report r
	WHERE o.id = '$id' AND r.id = '$id'")->{out}, 't', 'analyst: a statement can read the table and a view');
is(keys_seen(), 'other-key 1, test-key 1', 'analyst: the statement makes one request with each key');

# A view of a role with a privilege on the table but without a user mapping
$super->query('GRANT SELECT ON crm.opportunity TO reader; GRANT CREATE ON SCHEMA crm TO reader');
refused('reader', 'no mapping', by_id('crm.opportunity'), '42704', qr/^user mapping not found for .*"reader"/);
$session{reader}->query('CREATE VIEW crm.of_reader AS SELECT * FROM crm.opportunity; '
	  . 'GRANT SELECT ON crm.of_reader TO analyst');
refused('analyst', 'a view whose owner has no mapping', by_id('crm.of_reader'), '42704',
	qr/^user mapping not found for .*"reader"/);
$super->query('DROP VIEW crm.of_reader; REVOKE ALL ON crm.opportunity FROM reader');

$session{owner}->query('CREATE VIEW crm.invoker WITH (security_invoker) AS SELECT id, display_name FROM crm.opportunity; '
	  . 'GRANT SELECT ON crm.invoker TO reader, analyst, keyless');
reads('analyst', 'its own key through a security_invoker view', by_id('crm.invoker'), 'other-key 1');
reads('owner', "the owner's key through a security_invoker view", by_id('crm.invoker'), 'test-key 1');
refused('reader', 'no privilege behind a security_invoker view', by_id('crm.invoker'), '42501',
	qr/^permission denied for foreign table opportunity$/);
refused('keyless', 'no key behind a security_invoker view', by_id('crm.invoker'), '28000', qr/has no API key$/);
$session{owner}->query('CREATE VIEW crm.on_invoker AS SELECT * FROM crm.invoker; GRANT SELECT ON crm.on_invoker TO reader, analyst');
# PostgreSQL treats that as if the query named the inner view itself.
reads('analyst', 'its own key through a view on a security_invoker view', by_id('crm.on_invoker'), 'other-key 1');
refused('reader', 'no privilege behind a view on a security_invoker view', by_id('crm.on_invoker'), '42501',
	qr/^permission denied for foreign table opportunity$/);

# --- Functions, cursors, SET ROLE ---

for my $function (qw(crm.name_of crm.name_of_plpgsql))
{
	reads('reader', "SECURITY DEFINER: $function", "SELECT $function('$id')", 'test-key 1');
	reads('analyst', "SECURITY DEFINER: $function", "SELECT $function('$id')", 'test-key 1');
}
reads('analyst', 'a SECURITY INVOKER function', "SELECT crm.my_name_of('$id')", 'other-key 1');
refused('reader', 'a SECURITY INVOKER function', "SELECT crm.my_name_of('$id')", '42501',
	qr/^permission denied for foreign table opportunity$/);

$super->query('GRANT owner, analyst TO nobody');
my $switching = $session{nobody}->query(join('; ', map { ("SET ROLE $_", by_id('crm.opportunity')) } qw(owner analyst owner)));
is($switching->{out}, "$name\n$name\n$name", 'SET ROLE: one session reads as several roles');
is(keys_seen(), 'other-key 1, test-key 2', 'SET ROLE: each role uses its key');
my $prepared = $session{nobody}->query('SET plan_cache_mode = force_generic_plan; PREPARE o (uuid) AS SELECT display_name FROM crm.opportunity WHERE id = $1; '
	  . join('; ', map { ("SET ROLE $_", "EXECUTE o ('$id')") } qw(owner analyst owner)) . '; RESET ROLE');
is($prepared->{out}, "$name\n$name\n$name", 'SET ROLE: a prepared statement returns the rows');
is(keys_seen(), 'other-key 1, test-key 2', 'SET ROLE: a prepared statement uses the key of the role that executes it');
my $cursor = $session{nobody}->query('BEGIN; SET ROLE owner; DECLARE c CURSOR FOR ' . by_id('crm.opportunity')
	  . '; SET ROLE analyst; FETCH ALL FROM c; COMMIT; RESET ROLE');
is($cursor->{out}, $name, 'SET ROLE: a cursor returns the row');
is(keys_seen(), 'test-key 1', 'SET ROLE: a cursor uses the key of the role that opened it');
$super->query('REVOKE owner, analyst FROM nobody');

# --- User mappings do not share connections ---

$session{nobody}->quit;
$session{nobody} = Reevo::Session->new($node, user => 'nobody');
$super->query('GRANT owner, analyst TO nobody');
$session{nobody}->query(join('; ', map { ("SET ROLE $_", by_id('crm.opportunity')) } (qw(owner analyst)) x 5) . '; RESET ROLE');
is($api->ctl('connections') . ' for ' . keys_seen(), '2 for other-key 5, test-key 5',
	'each user mapping has its own connection');
$super->query('REVOKE owner, analyst FROM nobody');

# --- Materialized views ---

$session{owner}->query("CREATE MATERIALIZED VIEW crm.kept AS SELECT id, display_name FROM crm.opportunity WHERE id = '$id'; "
	  . 'CREATE UNIQUE INDEX ON crm.kept (id); GRANT SELECT ON crm.kept TO reader');
is(keys_seen(), 'test-key 1', "CREATE MATERIALIZED VIEW uses the owner's key");
reads('reader', 'a materialized view', by_id('crm.kept'), '');
$api->ctl('attributes', $id, '{"display_name": {"value": "Renamed", "value_type": "string"}}');
reads('reader', 'a materialized view without a refresh', by_id('crm.kept'), '');
$api->ctl('attributes', $id, '{"display_name": {"value": "Renamed", "value_type": "string"}}');
my $refreshed = $session{owner}->query('REFRESH MATERIALIZED VIEW crm.kept; ' . by_id('crm.kept'));
is($refreshed->{out}, 'Renamed', 'REFRESH MATERIALIZED VIEW reads the record') or diag($refreshed->{err});
is(keys_seen(), 'test-key 1', "REFRESH MATERIALIZED VIEW uses the owner's key");
$api->ctl('attributes', $id, '{"display_name": {"value": "Once more", "value_type": "string"}}');
$refreshed = $session{owner}->query('REFRESH MATERIALIZED VIEW CONCURRENTLY crm.kept; ' . by_id('crm.kept'));
is($refreshed->{out}, 'Once more', 'REFRESH MATERIALIZED VIEW CONCURRENTLY reads the record') or diag($refreshed->{err});
is(keys_seen(), 'test-key 1', "REFRESH MATERIALIZED VIEW CONCURRENTLY uses the owner's key");
# A superuser's REFRESH reads as the owner of the view.
$refreshed = $super->query('REFRESH MATERIALIZED VIEW crm.kept; ' . by_id('crm.kept'));
is($refreshed->{out}, $name, 'REFRESH by a superuser reads the record') or diag($refreshed->{err});
is(keys_seen(), 'test-key 1', "REFRESH by a superuser uses the owner's key");
refused('reader', "REFRESH of another role's view", 'REFRESH MATERIALIZED VIEW crm.kept', '42501',
	qr/^(must be owner|permission denied)/);

# --- User mappings ---

my $keyless = refused('keyless', 'a user mapping without a key', by_id('crm.opportunity'), '28000',
	qr/^user mapping for "keyless" has no API key$/);
like($keyless->{hint}, qr/api_key/, 'keyless: the hint names the option');
refused($super, 'no user mapping', by_id('crm.opportunity'), '42704', qr/^user mapping not found for /);
$super->query('CREATE USER MAPPING FOR CURRENT_USER SERVER reevo');
is($super->query(by_id('crm.opportunity'))->{sqlstate}, '28000', 'a superuser without a key: the API rejects the request');
is(keys_seen(), 'none 1', 'a superuser without a key: the request has no Authorization header');
$super->query('DROP USER MAPPING FOR CURRENT_USER SERVER reevo');

$super->query("CREATE USER MAPPING FOR PUBLIC SERVER reevo OPTIONS (api_key 'test-key'); GRANT SELECT ON crm.opportunity TO reader");
reads('reader', 'the user mapping for PUBLIC', by_id('crm.opportunity'), 'test-key 1');
reads('analyst', 'its own user mapping takes precedence over PUBLIC', by_id('crm.opportunity'), 'other-key 1');
refused('keyless', 'its own user mapping takes precedence even without a key', by_id('crm.opportunity'), '28000', qr/has no API key$/);
$super->query("ALTER USER MAPPING FOR PUBLIC SERVER reevo OPTIONS (DROP api_key)");
refused('reader', 'the user mapping for PUBLIC without a key', by_id('crm.opportunity'), '28000', qr/has no API key$/);
$super->query('DROP USER MAPPING FOR PUBLIC SERVER reevo');

# A role with USAGE on the server can create a user mapping for itself only.
refused('nobody', 'CREATE USER MAPPING without USAGE on the server',
	"CREATE USER MAPPING FOR nobody SERVER reevo OPTIONS (api_key 'other-key')", '42501',
	qr/^permission denied for foreign server reevo$/);
$super->query('GRANT USAGE ON FOREIGN SERVER reevo TO reader');
is($session{reader}->query("CREATE USER MAPPING FOR reader SERVER reevo OPTIONS (api_key 'other-key')")->{sqlstate},
	'', 'reader: can create its own user mapping');
reads('reader', 'its own user mapping', by_id('crm.opportunity'), 'other-key 1');
reads('reader', "the owner's mapping through the owner's view", by_id('crm.report'), 'test-key 1');

# --- Row-level security of a local table in a join ---

$session{owner}->query("CREATE TABLE crm.deal (opportunity_id uuid, who name);
	INSERT INTO crm.deal VALUES ('$id', 'analyst'), ('" . Reevo::id(1) . "', 'owner'), ('" . Reevo::id(2) . "', 'analyst');
	ALTER TABLE crm.deal ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON crm.deal USING (who = current_user);
	GRANT SELECT ON crm.deal TO analyst");
my $join = 'SELECT count(*), count(o.display_name) FROM crm.deal d JOIN crm.opportunity o ON o.id = d.opportunity_id';
my $joined = $session{analyst}->query($join);
is($joined->{out}, '2|2', 'row-level security: the join returns only visible rows') or diag($joined->{err});
is(keys_seen(), 'other-key 1', 'row-level security: the join makes one request');
like($session{analyst}->query("EXPLAIN (ANALYZE) $join")->{out}, qr/Distinct Keys: 2$/m,
	'row-level security: the wrapper fetches only the ids of visible rows');
keys_seen();

# A security barrier hides the excluded rows from a leaky function.
$session{owner}->query("CREATE VIEW crm.one WITH (security_barrier) AS SELECT id, display_name FROM crm.opportunity WHERE id = '$id' AND display_name IS NULL;
	GRANT SELECT ON crm.one TO reader");
$session{reader}->query(q(CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
	AS 'BEGIN RAISE NOTICE ''leaked %'', $1; RETURN true; END'));
my $leaky = $session{reader}->query('SELECT * FROM crm.one WHERE pg_temp.leak(display_name)');
unlike($leaky->{err}, qr/leaked/, 'security_barrier: a leaky function sees no hidden row');
keys_seen();

# --- Options for superusers only ---

$super->query('GRANT USAGE ON FOREIGN DATA WRAPPER opportunity_fdw TO owner');
my $create = sub { return "CREATE SERVER own FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($_[0])"; };
refused('owner', 'an http URL', $create->("base_url '" . $api->url . "'"), '42501', qr/"base_url"/);
refused('owner', 'allow_http', $create->("base_url 'http://api.example', allow_http 'true'"), '42501',
	qr/"(allow_http|base_url)"/);
refused('owner', 'allow_http false', $create->("allow_http 'false'"), '42501', qr/"allow_http"/);
my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
open(my $file, '>', "$folder/ca.pem") or die "$folder/ca.pem: $!";
print $file "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
close $file;
my $no_ca = refused('owner', 'ca_file', $create->("ca_file '$folder/ca.pem'"), '42501', qr/"ca_file"/);
# The error must not reveal whether a file exists.
my $no_file = refused('owner', 'a ca_file that does not exist', $create->("ca_file '$folder/none.pem'"), '42501', qr/"ca_file"/);
is($no_file->{message}, $no_ca->{message}, 'owner: ca_file: the message does not reveal whether the file exists');
is($session{owner}->query($create->("base_url 'https://api.example'"))->{sqlstate}, '', 'owner: an https URL is accepted');
refused('owner', 'ALTER to an http URL', "ALTER SERVER own OPTIONS (SET base_url '" . $api->url . "')", '42501', qr/"base_url"/);
is($super->query("ALTER SERVER own OPTIONS (ADD ca_file '$folder/ca.pem')")->{sqlstate}, '', 'a superuser: can set ca_file');
refused('owner', 'other options while ca_file is set', "ALTER SERVER own OPTIONS (ADD max_retries '3')", '42501', qr/"ca_file"/);
is($super->query("ALTER SERVER own OPTIONS (DROP ca_file)")->{sqlstate}, '', 'a superuser: can drop ca_file');
is($session{owner}->query("ALTER SERVER own OPTIONS (ADD max_retries '3')")->{sqlstate}, '', 'owner: can change other options without ca_file');
refused($super, 'http without allow_http', "ALTER SERVER own OPTIONS (SET base_url 'http://api.example')", 'HV024', qr/^option "base_url" must be an https URL$/);
is($super->query("ALTER SERVER own OPTIONS (SET base_url 'http://api.example', ADD allow_http 'true')")->{sqlstate},
	'', 'a superuser: can set http with allow_http');
refused('owner', 'options of a server with http', "ALTER SERVER own OPTIONS (SET max_retries '4')", '42501',
	qr/"(base_url|allow_http)"/);

$_->quit for values %session, $super;
$node->stop('fast');

done_testing();
