# SPDX-License-Identifier: PostgreSQL
# Queries give the same results on a hot standby, in a read-only transaction, for a
# role with SELECT only, and through PgBouncer in session and transaction mode.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Reevo;
use Test::More;

my $api = Reevo::start(records => 1000);
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$primary->start;
$primary->safe_psql('postgres', Reevo::set_up_sql($api->url, "max_concurrency '1'") . q(
	CREATE TABLE invoice AS
		SELECT n AS number, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS opportunity_id
		FROM generate_series(1, 250) n;
	ANALYZE invoice;
	CREATE VIEW report AS
		SELECT i.number, o.stage, o.amount FROM invoice i JOIN opportunity o ON o.id = i.opportunity_id;
	CREATE ROLE reader LOGIN;
	CREATE USER MAPPING FOR reader SERVER reevo OPTIONS (api_key 'other-key');
	GRANT SELECT ON opportunity, invoice, report TO reader;
));

# The queries, with the same number of requests everywhere
my $id = Reevo::id(7);
my @queries = (
	[ 'a record', "SELECT display_name, stage, amount, created_at FROM opportunity WHERE id = '$id'" ],
	[ 'a missing record', "SELECT count(*) FROM opportunity WHERE id = '99999999-9999-4999-8999-999999999999'" ],
	[ 'many ids', 'SELECT count(*), sum(amount) FROM opportunity WHERE id = ANY (ARRAY(SELECT opportunity_id FROM invoice))' ],
	[ 'a view over a join', 'SELECT stage, count(*), sum(amount) FROM report GROUP BY stage ORDER BY stage' ],
	[ 'a condition', "SELECT count(*) FROM opportunity WHERE status = 'open'" ],
	[ 'the latest records', 'SELECT id FROM opportunity WHERE created_at IS NOT NULL ORDER BY created_at DESC LIMIT 5' ],
	[ 'a cached record', "SELECT stage FROM opportunity WHERE id IN (SELECT '$id'::uuid FROM invoice LIMIT 3)" ]);

# results(SESSION): returns the output of all queries, with their numbers of
# requests.
sub results
{
	my ($session) = @_;
	my %results;
	for my $query (@queries)
	{
		my ($name, $sql) = @$query;
		my $result;
		my $requests = $api->requests_of(sub { $result = $session->query($sql) });
		$results{$name} = ($result->{err} || $result->{out}) . "\nrequests: $requests";
	}
	return \%results;
}

my $owner = Reevo::Session->new($primary);
my $expected = results($owner);
like($expected->{'a view over a join'}, qr/requests: 3$/, 'the queries make the expected requests');

# like_owner(NAME, SESSION): compares the results and requests with the owner's.
sub like_owner
{
	my ($name, $session) = @_;
	my $results = results($session);
	is($results->{ $_->[0] }, $expected->{ $_->[0] }, "$name: the same result and requests: $_->[0]") for @queries;
	return;
}

# Tests that a session can call the functions.
sub has_functions
{
	my ($name, $session) = @_;
	my $result = $session->query(
		'SELECT opportunity_fdw_disconnect(), opportunity_fdw_clear_cache(), opportunity_fdw_stats_reset(),
			opportunity_fdw_version() IS NOT NULL, (SELECT count(*) FROM opportunity_fdw_stats)');
	is($result->{err}, '', "$name: the functions work");
	return;
}

# --- A read-only transaction ---

$owner->query('BEGIN READ ONLY');
like_owner('read only', $owner);
has_functions('read only', $owner);
$owner->query('COMMIT');
$owner->query('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE');
like_owner('serializable', $owner);
$owner->query('COMMIT');

# --- A role with SELECT only ---

my $reader = Reevo::Session->new($primary, user => 'reader');
like_owner('reader', $reader);
has_functions('reader', $reader);
is($reader->query('ALTER FOREIGN TABLE opportunity ADD x text')->{sqlstate}, '42501', 'reader: ALTER is rejected');
is($reader->query("INSERT INTO opportunity (display_name) VALUES ('x')")->{sqlstate} ne '', 1, 'reader: INSERT is rejected');

# --- A hot standby ---

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
my $there = Reevo::Session->new($standby);
is($there->query('SELECT pg_is_in_recovery()')->{out}, 't', 'the session is on a hot standby');
like_owner('standby', $there);
has_functions('standby', $there);
my $reader_there = Reevo::Session->new($standby, user => 'reader');
like_owner('standby, reader', $reader_there);
like($there->query('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' . $queries[3][1])->{out}, qr/API Calls: 3/, 'standby: EXPLAIN ANALYZE shows the API calls');

# The standby uses an option that is changed on the primary.
$primary->safe_psql('postgres', "ALTER SERVER reevo OPTIONS (ADD max_requests '1')");
my $position = $primary->lsn('insert');
$primary->wait_for_catchup($standby, 'replay', $position);
is($there->query($queries[3][1])->{sqlstate}, '53400', 'standby: a changed option takes effect');
$primary->safe_psql('postgres', 'ALTER SERVER reevo OPTIONS (DROP max_requests)');
$_->quit for $there, $reader_there;
$standby->stop('fast');

# --- PgBouncer ---

for my $mode (qw(session transaction))
{
	my $bouncer = start_pgbouncer($mode);
	my %client = map { $_ => Reevo::Session->new($bouncer, user => $_ eq 'reader' ? $_ : $bouncer->{user}) } qw(one two reader);
	like_owner("pgbouncer, $mode", $client{one});
	like_owner("pgbouncer, $mode, reader", $client{reader});
	check_sharing(%client) if $mode eq 'transaction';
	$_->quit for values %client;
	$bouncer->stop;
}

$_->quit for $owner, $reader;
$primary->stop('fast');
done_testing();

# In transaction mode, clients of the same role share a backend.
sub check_sharing
{
	my (%client) = @_;

	# Two clients use the same backend alternately.
	is($client{one}->query('SELECT pg_backend_pid()')->{out}, $client{two}->query('SELECT pg_backend_pid()')->{out}, 'the clients share a backend');
	for my $round (1 .. 5)
	{
		is($client{ $round % 2 ? 'one' : 'two' }->query($queries[0][1])->{out} . "\nrequests: 1", $expected->{'a record'}, "round $round: the clients return the same result");
	}
	# An error or an aborted transaction does not affect the next client.
	is($client{one}->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH 5 FROM c; SELECT 1/0; ROLLBACK")->{sqlstate},
		'22012', 'a statement fails while a cursor is open');
	is($client{two}->query($queries[4][1])->{out} . "\n", $expected->{'a condition'} =~ s/requests: .*//r, 'the next client returns the right result');
	$client{one}->query('BEGIN; SET LOCAL opportunity_fdw.enable_batch_lookup = off; COMMIT');
	is($client{two}->query('SHOW opportunity_fdw.enable_batch_lookup')->{out}, 'on', 'a SET LOCAL of one client does not affect the next');

	# Each role uses its own key, in any order.
	for my $user (qw(one reader two reader))
	{
		$client{$user}->query("SELECT 1 FROM opportunity WHERE id = '" . Reevo::id(500) . "'");
		my ($key) = reverse $api->ctl('stats') =~ /"authorization": *"([^"]*)"/g;
		is($key, $user eq 'reader' ? 'other-key' : 'test-key', "$user uses its own key");
	}
	return;
}

# start_pgbouncer(MODE): starts a pool with one connection for each user in front of
# the primary. The clients "one" and "two" are the same user. It ends with the test.
sub start_pgbouncer
{
	my ($mode) = @_;
	my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	my $port = Reevo::free_port();
	my $superuser = $owner->query('SELECT current_user')->{out};
	my ($host, $upstream) = ($primary->host, $primary->port);

	write_file("$folder/users", map { qq("$_" ""\n) } $superuser, 'reader');
	write_file("$folder/pgbouncer.ini", <<"END");
[databases]
postgres = host=$host port=$upstream dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $folder/users
pool_mode = $mode
default_pool_size = @{[ $mode eq 'session' ? 3 : 1 ]}
logfile = $folder/log
pidfile = $folder/pid
ignore_startup_parameters = extra_float_digits
END
	my $pid = Reevo::spawn("$folder/output", 'pgbouncer', "$folder/pgbouncer.ini");
	ok(Reevo::wait_until(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }), "pgbouncer starts in $mode mode")
	  or diag(Reevo::slurp("$folder/output"));
	return bless { port => $port, user => $superuser, pid => $pid }, 'PgBouncer';
}

sub write_file
{
	my ($path, @lines) = @_;
	open(my $file, '>', $path) or die "$path: $!";
	print $file @lines;
	close $file or die "$path: $!";
	return;
}

sub PgBouncer::connstr
{
	my ($self, $database) = @_;
	return "host=127.0.0.1 port=$self->{port} dbname=$database";
}

sub PgBouncer::stop
{
	my ($self) = @_;
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}
