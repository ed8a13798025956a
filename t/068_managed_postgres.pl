# SPDX-License-Identifier: PostgreSQL
# Runs doc/managed-postgres.md between two servers, compares the output and counts the API
# calls. The bridge has the extension, and accepts TCP connections with TLS and a password.
# The managed server has postgres_fdw. Its user is not a superuser, except to create the
# extension and the subscription.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Copy qw(copy);
use Documents;
use Reevo;
use Test::More;
use Time::HiRes qw(time);

chomp(my $sharedir = `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --sharedir`);
plan skip_all => 'postgres_fdw is not installed' unless -e "$sharedir/extension/postgres_fdw.control";
@ENV{qw(PGTZ PGCLIENTENCODING)} = qw(UTC UTF8);

my @blocks = Documents::blocks(Reevo::slurp("$Documents::top/doc/managed-postgres.md"));
my $api = Reevo::start(records => 1001);

# --- The servers ---

my $has_tls = Reevo::have_openssl();
my $bridge = PostgreSQL::Test::Cluster->new('bridge');
$bridge->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$bridge->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'\n" . join('', map { $_->{code} } grep { $_->{kind} eq 'conf' } @blocks));
unlink $bridge->data_dir . '/pg_hba.conf';
$bridge->append_conf('pg_hba.conf', "local all all trust\n" . ($has_tls ? 'hostssl' : 'host') . " sales managed 127.0.0.1/32 scram-sha-256\n");
if ($has_tls)
{
	my $certificates = Reevo::certificates(bridge => 'IP:127.0.0.1');
	my $data = $bridge->data_dir;
	copy("$certificates/bridge.pem", "$data/server.crt") or die "cannot copy: $!";
	copy("$certificates/bridge.key", "$data/server.key") or die "cannot copy: $!";
	chmod 0600, "$data/server.key";
	$bridge->append_conf('postgresql.conf', "ssl = on\n");
}
$bridge->start;
$bridge->safe_psql('postgres', 'CREATE DATABASE sales');

my $managed = Reevo::cluster('managed');
my $superuser = $managed->safe_psql('postgres', 'SELECT current_user');
$managed->safe_psql('postgres', 'CREATE ROLE admin LOGIN; CREATE DATABASE analytics OWNER admin');

my %node = (sales => $bridge, analytics => $managed);
my %session = (sales => Documents::session($bridge, 'sales'), super => Documents::session($managed, 'analytics'));
{
	local $ENV{PGUSER} = 'admin';
	$session{analytics} = Documents::session($managed, 'analytics');
}
is($session{analytics}->run("SELECT current_setting('is_superuser');") =~ /(on|off)/ && $1, 'off', 'the managed user is not a superuser');

# --- The document ---

my ($bridge_port, $managed_host, $managed_port) = ($bridge->port, $managed->host, $managed->port);
my $folder = File::Temp::tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);

# Returns the code with the addresses of the two servers.
sub code_to_run
{
	my ($code) = @_;
	$code =~ s/bridge\.example\.com/127.0.0.1/g;
	$code =~ s/port '5432'/port '$bridge_port'/g;
	$code =~ s/port=5432/port=$bridge_port/g;
	$code =~ s/host=managed\.example\.com/host=$managed_host port=$managed_port user=admin/g;
	$code =~ s/(?<=sslmode)( '|=)require/$1prefer/g unless $has_tls;
	$code =~ s/(FOREIGN DATA WRAPPER opportunity_fdw);/$1 . " OPTIONS (base_url '" . $api->url . "');"/ge;
	return $code;
}

sub run_block
{
	my ($block, $database) = @_;
	my $code = code_to_run($block->{code});
	return $session{ $code =~ /^CREATE (EXTENSION postgres_fdw|SUBSCRIPTION)/ ? 'super' : $database }->run($code)
	  if $block->{kind} eq 'sql';
	local @ENV{qw(PGHOST PGPORT)} = ($bridge->host, $bridge_port);
	my ($status, $output) = Documents::execute($folder, 'bash', '-ec', $code);
	is($status, 0, "line $block->{line}: exit status");
	return $output;
}

my ($database, $count) = ('', 0);
for my $block (@blocks)
{
	$database = $block->{name} if $block->{kind} eq 'database';
	next unless $block->{kind} =~ /^(sql|sh)$/;

	my $output;
	my $calls = $api->requests_of(sub { $output = run_block($block, $database) });
	if (defined $block->{text}) { ok(Documents::shows($block, $output), "line $block->{line}: output") or diag($output); }
	else { unlike($output, qr/^(ERROR|FATAL|psql)\b/m, "line $block->{line} succeeds"); }
	my ($least, $most) = @{ $block->{calls} || [ 0, 0 ] };
	next if $block->{code} =~ /IMPORT FOREIGN SCHEMA reevo/;
	ok($calls >= $least && $calls <= $most, "line $block->{line}: $least to $most API calls") or diag("$calls API calls");
	$session{super}->run('GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO admin;') if $block->{code} =~ /^CREATE EXTENSION postgres_fdw/;
	$count++;
}
cmp_ok($count, '>', 15, 'the document has blocks');

# --- Logical replication ---

sub is_replicated
{
	my ($wanted, $name) = @_;
	return ok(Reevo::wait_until(sub { $session{super}->run('SELECT count(*), max(display_name) FILTER (WHERE updated_at > \'2030-01-01\') FROM pipeline;') =~ $wanted }), $name)
	  || diag($session{super}->run('SELECT count(*) FROM pipeline; SELECT * FROM pg_stat_subscription;'));
}

is_replicated(qr/^ *1001 \|/m, 'the copy is replicated');
$api->ctl('attributes', Reevo::id(7), '{"display_name": {"value": "Renamed", "value_type": "string"},
	"updated_at": {"value": "2032-01-01T00:00:00Z", "value_type": "timestamp"}}');
is($api->requests_of(sub { $session{sales}->run('CALL refresh_pipeline();') }), 1, 'a refresh makes one API call');
is($api->requests_of(sub { is_replicated(qr/\| Renamed/, 'the change is replicated') }), 0, 'without an API call');
is($api->requests_of(sub { $session{analytics}->run('CALL refresh_opportunity_copy();') }), 1, 'the scheduled copy makes one API call');
like($session{analytics}->run("SELECT display_name FROM opportunity_copy WHERE updated_at > '2030-01-01';"), qr/Renamed/, 'and has the change');

# The key never leaves the bridge.
my ($keys, $error) = ('', '');
$managed->safe_psql('postgres', 'CHECKPOINT');
IPC::Run::run([ 'grep', '-rlF', 'test-key', $managed->data_dir ], '>', \$keys, '2>', \$error);
is($keys, '', 'no file of the managed server contains the key');

# A push that fails leaves the rows as they are.
my ($push) = map { code_to_run($_->{code}) } grep { $_->{kind} eq 'sh' } @blocks;
$api->behave('{"status": 401}');
{
	local @ENV{qw(PGHOST PGPORT)} = ($bridge->host, $bridge_port);
	my ($status) = Documents::execute($folder, 'bash', '-ec', $push);
	isnt($status, 0, 'a push without a valid key fails');
}
like($session{analytics}->run('SELECT count(*) FROM opportunity_copy;'), qr/^ *1001$/m, 'and leaves the rows as they are');

# --- Errors and cancels through postgres_fdw ---

my $reader;
{
	local $ENV{PGUSER} = 'admin';
	$reader = Reevo::Session->new($managed, dbname => 'analytics');
}
my $failed = $reader->query('SELECT count(*) FROM crm.opportunity');
is($failed->{sqlstate}, '28000', 'an error has the SQLSTATE of the wrapper');
isnt($failed->{hint}, '', 'and its hint');
$api->reset;

$bridge->safe_psql('sales', "ALTER SERVER reevo OPTIONS (SET max_requests '5')");
is($reader->query('SELECT count(*) FROM crm.opportunity')->{sqlstate}, '53400', 'max_requests limits a scan');
is($reader->query(join(' UNION ALL ', ("(SELECT count(*) FROM crm.opportunity WHERE id = ANY (ARRAY(SELECT opportunity_id FROM invoice)))") x 3))->{sqlstate},
	'', 'but not the statement, with nine API calls');
$bridge->safe_psql('sales', "ALTER SERVER reevo OPTIONS (SET max_requests '1000')");

$api->behave('{"stall": "headers"}');
$reader->send('SELECT count(*) FROM crm.opportunity');
$api->becomes('in_flight', 1);
my $start = time;
$managed->safe_psql('postgres', "SELECT pg_cancel_backend($reader->{backend})");
is($reader->result->{sqlstate}, '57014', 'a cancel in the managed database');
ok($api->becomes('in_flight', 0), 'cancels the request of the bridge');
cmp_ok(time - $start, '<', 5, 'immediately');
$api->reset;

# --- Pages and servers in parallel ---

$api->behave('{"delay_ms": 50}');
$reader->query('SELECT count(stage) FROM (SELECT stage FROM crm.opportunity OFFSET 0) o');
cmp_ok($api->ctl('max_in_flight'), '>', 1, 'the cursor of postgres_fdw fetches further pages in parallel');
$api->reset;
$api->behave('{"delay_ms": 50}');
$bridge->safe_psql('sales', 'SELECT count(stage) FROM (SELECT stage FROM crm.opportunity OFFSET 0) o');
cmp_ok($api->ctl('max_in_flight'), '>', 1, 'a query on the bridge fetches several in parallel');

my ($create) = map { code_to_run($_->{code}) } grep { $_->{code} =~ /^CREATE SERVER bridge/ } @blocks;
(my $second = $create) =~ s/bridge\b(?!\.)/second/g;
$second =~ s/\bSCHEMA crm;/SCHEMA second;/;
$second =~ s/INTO crm/INTO second/;
is($reader->query($second)->{err}, '', 'a second server');
$bridge->safe_psql('sales', "ALTER SERVER reevo OPTIONS (ADD max_concurrency '1')");
my $united = 'SELECT count(stage) FROM (SELECT stage FROM crm.opportunity UNION ALL SELECT stage FROM second.opportunity) o';
for my $async (qw(false true))
{
	$reader->query("ALTER SERVER bridge OPTIONS (ADD async_capable '$async'); ALTER SERVER second OPTIONS (ADD async_capable '$async')");
	$api->reset;
	$api->behave('{"delay_ms": 50}');
	is($reader->query($united)->{out}, '2002', "two scans with async_capable $async");
	is($api->ctl('max_in_flight'), $async eq 'true' ? 2 : 1, $async eq 'true' ? 'run in parallel' : 'run one after the other');
	$reader->query('ALTER SERVER bridge OPTIONS (DROP async_capable); ALTER SERVER second OPTIONS (DROP async_capable)');
}
$api->reset;

$reader->quit;
$session{super}->run('DROP SUBSCRIPTION pipeline;');
$_->quit for values %session;
$managed->stop('fast');
$bridge->stop('fast');
done_testing();
