# SPDX-License-Identifier: PostgreSQL
# What can be seen of a statement while it runs: the notices of the setting
# opportunity_fdw.progress, and from PostgreSQL 17 on the view that shows the scans
# of other sessions.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $api = Reevo::start(records => 1000);
my $node = Reevo::cluster('progress');
Reevo::set_up($node, $api->url);
$node->safe_psql('postgres', 'CREATE ROLE reader LOGIN; CREATE ROLE watcher LOGIN; GRANT pg_read_all_stats TO watcher');

my $session = Reevo::Session->new($node);

# --- Notices ---

sub notices
{
	my ($result) = @_;
	return [ map { [ split /,/ ] }
		  $result->{err} =~ /NOTICE:  00000: reading from the API: (records \d+, requests \d+, records per second \d+, seconds [\d.]+)$/mg ];
}

$api->behave('{"delay_ms": 300}');
is_deeply(notices($session->query('SELECT count(*) FROM opportunity')), [], 'off by default');
$session->query("SET opportunity_fdw.progress = '0.1s'");
my $result = $session->query("SELECT count(*) FROM opportunity WHERE id = '" . Reevo::id(1) . "'");
is($result->{out}, 1, 'the answer is the same');
my @told = @{ notices($result) };
cmp_ok(scalar @told, '>=', 2, 'told while one answer is waited for');
is($told[0][0], 'records 0', 'nothing has come');
is($told[0][1], ' requests 1', 'one request is under way');

$result = $session->query('SELECT count(*) FROM opportunity');
is($result->{out}, 1000, 'all of a table');
@told = @{ notices($result) };
my @records = map { /(\d+)/ } map { $_->[0] } @told;
cmp_ok(scalar @told, '>=', 3, 'told while pages are read');
is_deeply(\@records, [ sort { $a <=> $b } @records ], 'records only become more');
cmp_ok($records[-1], '>', 0, 'some had come');
cmp_ok(scalar @{ notices($session->query('ANALYZE opportunity')) }, '>=', 1, 'ANALYZE tells, too');
$session->query('CREATE TEMP TABLE t AS SELECT id FROM opportunity LIMIT 150');
cmp_ok(scalar @{ notices($session->query('SELECT count(*) FROM t JOIN opportunity USING (id)')) }, '>=', 1, 'so does a lookup');
cmp_ok(
	scalar @{ notices($session->query("SELECT count(*) FROM (SELECT id FROM opportunity UNION ALL SELECT id FROM opportunity) b")) },
	'>=', 1, 'and an Append');
is($session->query("SET opportunity_fdw.progress = '-1'")->{sqlstate}, '22023', 'no negative time');
$session->query("SET opportunity_fdw.progress = 0");

# --- Other sessions ---

my $other = Reevo::Session->new($node);
my $view = 'SELECT relid::regclass, records, requests, planned_records > 0, started_at <= now(), datname = current_database(), usename
	FROM opportunity_fdw_progress ORDER BY relid::regclass::text';

if (Reevo::server_version($node) < 17)
{
	$result = $other->query($view);
	is($result->{sqlstate}, '0A000', 'the view needs PostgreSQL 17');
	like($result->{hint}, qr/opportunity_fdw\.progress/, 'and says what there is');
}
else
{
	my $me = $other->query('SELECT current_user')->{out};
	is($other->query($view)->{out}, '', 'nothing runs');

	# A cursor stays where it is.
	$api->reset;
	$session->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH 150 FROM c");
	is($other->query($view)->{out}, "opportunity|150|2|t|t|t|$me", 'as far as it has read');
	$session->query('FETCH 100 FROM c');
	is($other->query($view)->{out}, "opportunity|250|3|t|t|t|$me", 'and further');
	is($other->query('SELECT pages, bytes > 100000 FROM opportunity_fdw_progress')->{out}, '3|t', 'pages and bytes');
	is($other->query('SELECT pid = ' . $session->{backend} . ' FROM opportunity_fdw_progress')->{out}, 't', 'which session');
	$session->query("DECLARE d CURSOR FOR SELECT id FROM opportunity; FETCH 10 FROM d");
	is($other->query('SELECT count(*), sum(records) FROM opportunity_fdw_progress')->{out}, '2|260', 'two scans of a session');

	my $reader = Reevo::Session->new($node, user => 'reader');
	is($reader->query("SELECT pid IS NOT NULL, datname, relid, records, usename FROM opportunity_fdw_progress LIMIT 1")->{out},
		't|postgres|||' . $me, 'of another role, only that there is something');
	my $watcher = Reevo::Session->new($node, user => 'watcher');
	is($watcher->query('SELECT sum(records) FROM opportunity_fdw_progress')->{out}, '260', 'pg_read_all_stats sees all');

	$session->query('CLOSE d');
	is($other->query('SELECT count(*) FROM opportunity_fdw_progress')->{out}, '1', 'a scan has ended');
	$session->query('SELECT 1/0');
	is($other->query('SELECT count(*) FROM opportunity_fdw_progress')->{out}, '0', 'the other one with its transaction');
	$session->query('ROLLBACK');

	# One that ends with its session, and one whose process is killed.
	$session->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH 10 FROM c');
	is($other->query('SELECT count(*) FROM opportunity_fdw_progress')->{out}, '1', 'another one');
	$other->query("SELECT pg_terminate_backend($session->{backend})");
	ok(Reevo::wait_until(sub { $other->query('SELECT count(*) FROM opportunity_fdw_progress')->{out} eq '0' }),
		'gone with its session');

	# A lookup's inner scan is one scan, however often it starts again.
	$session = Reevo::Session->new($node);
	$session->query(
		'CREATE TEMP TABLE t AS SELECT id FROM opportunity LIMIT 250; ANALYZE t; BEGIN;
		 DECLARE c CURSOR FOR SELECT id FROM t JOIN opportunity o USING (id); FETCH 120 FROM c');
	is($other->query('SELECT count(*), sum(records) FROM opportunity_fdw_progress')->{out}, '1|120', 'of a join');
	$_->quit for $reader, $watcher;
	check_refusal();
}
$_->quit for $session, $other;
$node->stop('fast');
done_testing();

# Where the system gives no memory to share, queries work all the same.
sub check_refusal
{
	my $poor = Reevo::cluster('poor', 'dynamic_shared_memory_type = mmap');
	Reevo::set_up($poor, $api->url);
	my $folder = $poor->data_dir . '/pg_dynshmem';
	chmod 0500, $folder or die "$folder: $!";
	my $query = "SELECT count(*) FROM opportunity WHERE id = '" . Reevo::id(1) . "'";
	for my $name ('the first session', 'another one')
	{
		my $there = Reevo::Session->new($poor);
		is($there->query($query)->{out}, 1, "$name without shared memory: $_") for 1 .. 2;
		isnt($there->query('SELECT * FROM opportunity_fdw_progress')->{sqlstate}, '', "$name: the view says so");
		is($there->query('BEGIN; SAVEPOINT a; ' . $query)->{out}, 1, "$name: in a subtransaction");
		$there->query('COMMIT');
		$there->quit;
	}
	chmod 0700, $folder or die "$folder: $!";
	$poor->stop('fast');
	return;
}
