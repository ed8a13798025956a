# SPDX-License-Identifier: PostgreSQL
# ANALYZE of a table that is too large to read whole: the estimate is close to the
# number of records for every distribution over time. The requests are few, the
# plans are reasonable, and a cancel works.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;
use Time::HiRes qw(time);

my $RECORDS = 6000;
my $MAX_REQUESTS = 50;

# The goal is 100 milliseconds; see 001_cancel.pl.
my $BOUND = 3000;

my $api = Reevo::start(records => $RECORDS);
my $node = Reevo::cluster('analyze');
Reevo::set_up($node, $api->url);
$node->safe_psql('postgres', q(
	CREATE FOREIGN TABLE never_analyzed (id uuid, account_id uuid, created_at timestamptz) SERVER reevo;
	CREATE FUNCTION account(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
		$$ SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE TABLE five AS SELECT account(n) AS account_id FROM generate_series(1, 5) n;
	CREATE TABLE many AS SELECT account(n % 4000) AS account_id FROM generate_series(1, 5000) n;
	ANALYZE five;
	ANALYZE many;));
my $session = Reevo::Session->new($node);
$session->query('SET jit = off; SET max_parallel_workers_per_gather = 0');

# analyze(NAME): runs ANALYZE, and checks the requests and the estimate.
sub analyze
{
	my ($test) = @_;
	my $result;
	my $requests = $api->requests_of(sub { $result = $session->query('ANALYZE VERBOSE opportunity') });
	is($result->{sqlstate}, '', "$test: ANALYZE succeeds") or diag($result->{err});
	cmp_ok($requests, '<=', $MAX_REQUESTS, "$test: ANALYZE makes at most $MAX_REQUESTS requests ($requests)");
	like($result->{err}, qr/^INFO:  00000: "opportunity": \d+ records estimated, \d+ rows in sample, $requests requests$/m,
		"$test: VERBOSE reports the requests");
	my $count = $session->query(q(SELECT reltuples FROM pg_class WHERE relname = 'opportunity'))->{out};
	cmp_ok(abs($count - $RECORDS), '<=', $RECORDS / 5, "$test: the estimate is close to $RECORDS records ($count)");
	return;
}

# Returns the planner's share of the records from a time on, in percent.
sub share_from
{
	my ($time) = @_;
	my $plan = $session->query("EXPLAIN SELECT FROM opportunity WHERE created_at >= '$time'")->{out};
	my ($rows) = $plan =~ /rows=(\d+)/;
	my $count = $session->query(q(SELECT reltuples FROM pg_class WHERE relname = 'opportunity'))->{out};
	return $rows * 100 / $count;
}

# change(NUMBER, TIME): sets the creation time of a record.
my ($address) = $api->url =~ m{^http://(.*)};

sub change
{
	my ($number, $time) = @_;
	Reevo::control($address, 'PUT', 'attributes/opportunity/' . Reevo::id($number),
		qq({"created_at": {"value": "$time", "value_type": "timestamp"}}));
	return;
}

like($session->query('EXPLAIN SELECT FROM never_analyzed')->{out}, qr/ rows=1000 /, 'a table without statistics has an estimate of 1000 rows');

# --- An even distribution over two years ---

$api->behave('{"delay_ms": 30}');
analyze('an even distribution');
is($api->ctl('max_in_flight'), 8, 'ANALYZE reads pages in parallel');
$api->behave('{"delay_ms": 0}');
cmp_ok(abs(share_from('2024-07-01T00:00Z') - 25), '<', 6, 'the planner estimates the last quarter of the time range') or diag(share_from('2024-07-01T00:00Z'));
cmp_ok(abs(share_from('2023-07-02T00:00Z') - 75), '<', 6, 'the planner estimates all but the first quarter') or diag(share_from('2023-07-02T00:00Z'));
my $stats = $session->query(q(SELECT attname, null_frac, n_distinct FROM pg_stats WHERE tablename = 'opportunity'
	AND attname IN ('id', 'status', 'amount', 'account_id', 'archived_at') ORDER BY attname))->{out};
my %stats = map { (split /\|/)[0] => [ (split /\|/)[ 1, 2 ] ] } split /\n/, $stats;
is($stats{id}[1], -1, 'the ids are distinct');
is($stats{status}[1], 2, 'status has two distinct values');
cmp_ok(abs($stats{amount}[0] - 0.25), '<', 0.05, 'a quarter of the amounts are NULL');
cmp_ok(abs($stats{archived_at}[0] - 10 / 11), '<', 0.03, 'one record in eleven is archived');
my $accounts = $stats{account_id}[1];
$accounts *= -$RECORDS if $accounts < 0;
cmp_ok(abs($accounts - 1200), '<', 300, 'an account has about five opportunities') or diag($accounts);

my $unsorted = $session->query("CREATE FOREIGN TABLE unsorted (id uuid, created_at timestamptz OPTIONS (sortable 'false')) SERVER reevo; ANALYZE VERBOSE unsorted");
like($unsorted->{err}, qr/^INFO:  00000: "unsorted": 50 requests did not reach the last record$/m, 'VERBOSE reports that the records cannot be counted');
like($unsorted->{err}, qr/^INFO:  00000: "unsorted": 5000 records estimated, 5000 rows in sample, 50 requests$/m, 'without a count, the estimate is the number of records read');

# --- Plans ---

# Returns the join nodes of a plan, from the top.
sub joins
{
	my ($query) = @_;
	my $plan = $session->query("EXPLAIN (COSTS OFF) $query")->{out};
	return join(', ', $plan =~ /^ *(?:->  )?(Nested Loop|Hash Join|Merge Join|Custom Scan \([^)]*\))/mg);
}

for my $table ('opportunity', 'never_analyzed')
{
	is(joins("SELECT o.id FROM five JOIN $table o USING (account_id)"),
		'Nested Loop, Custom Scan (Batch Lookup)', "$table: few accounts use a batch lookup");
	is(joins("SELECT o.id FROM many JOIN $table o USING (account_id)"),
		'Hash Join', "$table: many accounts use a scan of the whole table");
	is(joins("SELECT o.id FROM many m JOIN $table o ON o.id = m.account_id"),
		'Nested Loop, Custom Scan (Batch Lookup)', "$table: a join by id uses a batch lookup");
}
is($session->query('SELECT count(*) FROM five JOIN opportunity USING (account_id)')->{out},
	$session->query('SET enable_nestloop = off; SELECT count(*) FROM five JOIN opportunity USING (account_id); RESET enable_nestloop')->{out},
	'both plans return the same rows');

# --- Half of the records within one day ---

change($_, sprintf('2023-08-09T%02d:%02d:%02dZ', $_ / 2 % 24, $_ / 48 % 60, $_ % 60)) for grep { $_ % 2 } 1 .. $RECORDS - 1;
analyze('half of the records on one day');
cmp_ok(abs(share_from('2023-08-10T00:00Z') - 35), '<', 10, 'the planner estimates the records after that day') or diag(share_from('2023-08-10T00:00Z'));

# --- A growing rate ---

for my $number (grep { $_ % 2 } 1 .. $RECORDS - 1)
{
	my $day = int(730 * (1 - ($number / $RECORDS)**3));
	change($number, sprintf('%d-%02d-%02dT%02d:00:00Z', 2023 + int($day / 372), 1 + int($day % 372 / 31), 1 + $day % 28, $number % 24));
}
analyze('a growing rate');

# --- Nine of ten records from an import on the first day ---

change($_, sprintf('2023-01-01T%02d:%02d:%02dZ', $_ % 24, $_ / 24 % 60, $_ * 7 % 60)) for grep { $_ % 10 } 1 .. $RECORDS - 1;
$session->query(q(ALTER FOREIGN TABLE opportunity OPTIONS (ADD page_size '20')));
analyze('an import before all other records');
$session->query('ALTER FOREIGN TABLE opportunity OPTIONS (DROP page_size)');

# --- Autovacuum ---

# Autovacuum analyzes a local table together with the foreign tables that inherit from it.
{
	$session->query('CREATE TABLE parent (id uuid, account_id uuid, created_at timestamptz) WITH (autovacuum_analyze_threshold = 1, autovacuum_analyze_scale_factor = 0);
		ALTER FOREIGN TABLE never_analyzed INHERIT parent');
	my $analyzed = q(SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'parent' AND autoanalyze_count > 0);
	my $requests = $api->requests_of(sub {
		$session->query('INSERT INTO parent SELECT gen_random_uuid() FROM generate_series(1, 100)');
		$node->append_conf('postgresql.conf', "autovacuum = on\nautovacuum_naptime = 1s");
		$node->reload;
		ok(Reevo::wait_until(sub { $session->query($analyzed)->{out} eq '1' }), 'autovacuum analyzes the local table');
		$node->append_conf('postgresql.conf', 'autovacuum = off');
		$node->reload;
	});
	is($requests, 0, 'autovacuum makes no request');
	$requests = $api->requests_of(sub { $session->query('ANALYZE parent') });
	cmp_ok($requests, '>', 0, 'ANALYZE of the local table does');
	$session->query('ALTER FOREIGN TABLE never_analyzed NO INHERIT parent; DROP TABLE parent');
}

# --- Cancel ---

my $admin = Reevo::Session->new($node);
$api->behave('{"stall": "body"}');
$session->send('ANALYZE opportunity');
$api->becomes('in_flight', 1);
$admin->query("SELECT pg_cancel_backend($session->{backend})");
my $started = time;
my $cancelled = $session->result;
my $ms = (time - $started) * 1000;
is($cancelled->{sqlstate}, '57014', 'pg_cancel_backend cancels ANALYZE');
cmp_ok($ms, '<', $BOUND, 'the cancel of ANALYZE takes effect immediately');
note(sprintf('cancelled after %.0f ms', $ms));
ok($api->becomes('in_flight', 0), 'the cancelled request ends at the API');
$api->behave('{"stall": null}');
analyze('after the cancel');
$_->quit for $session, $admin;
$node->stop('fast');

done_testing();
