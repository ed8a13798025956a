# SPDX-License-Identifier: PostgreSQL
# A scan returns no record twice, however the API repeats it. The memory for the ids of
# the returned records is limited.
#
# REEVO_SEEN in the environment sets the number of records for which the memory is
# measured, 60,000 by default: just more than a hash table of half of the size holds.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ManyRecords;
use Reevo;
use Test::More;

my $many_records = $ENV{REEVO_SEEN} || 60_000;

# Bytes for each id, as doc/planning.md states, and for a small set
my $BYTES_PER_ID = 38;
my $SMALL_SET = 16 * 1024;

my $records = 1000;
my $api = Reevo::start(records => $records);
my $many = ManyRecords::start($many_records);
my $node = Reevo::cluster('seen', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "page_size '20'");
my $session = Reevo::Session->new($node);
$session->query(sprintf(q(
	CREATE FOREIGN TABLE sequential (id uuid, created_at timestamptz) SERVER reevo OPTIONS (max_concurrency '1');
	CREATE SERVER many FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '%s');
	CREATE USER MAPPING FOR CURRENT_USER SERVER many OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE many (id uuid, created_at timestamptz, display_name text) SERVER many), $many->url));

# --- Repeated records ---

# The behaviour of the API
my %repeats = (
	'each record twice on a page' => '{"double_records": true}',
	'the last record of the page before' => '{"move_between_pages": true}',
	'an expired cursor' => '{"expire_cursors_after": 3, "expire_cursors_times": 1}',
	'several expired cursors' => '{"expire_cursors_after": 9, "expire_cursors_times": 3}',
	'an ignored filter' => '{"ignore_filters": true}');
my %scans = (
	'parallel' => 'SELECT id FROM opportunity',
	'sequential' => 'SELECT id FROM sequential',
	'sorted' => 'SELECT id FROM opportunity ORDER BY created_at DESC');
for my $repeat (sort keys %repeats)
{
	for my $scan (sort keys %scans)
	{
		my $received;
		$api->behave($repeats{$repeat});
		$session->query('SELECT opportunity_fdw_disconnect()');
		my $result = $session->query("SELECT count(*), count(DISTINCT id) FROM ($scans{$scan} OFFSET 0) s");
		is($result->{out}, "$records|$records", "$scan, $repeat: no record is returned twice") or diag($result->{err});
		$api->reset;
		$api->behave($repeats{$repeat});
		$session->query('SELECT opportunity_fdw_disconnect()');
		($received) = $session->query("EXPLAIN (ANALYZE, COSTS OFF) $scans{$scan}")->{out} =~ /Records: (\d+)/;
		# A sequential scan has no filter.
		cmp_ok($received, '>', $records, "$scan, $repeat: the API repeats records")
		  unless $repeat eq 'an ignored filter' && $scan ne 'parallel';
		$api->reset;
	}
}

# The ids remain after a subtransaction that fails.
$api->behave('{"move_between_pages": true}');
my $result = $session->query(q(
	BEGIN;
	DECLARE c CURSOR FOR SELECT id FROM opportunity;
	SAVEPOINT s;
	FETCH 500 FROM c;
	ROLLBACK TO s;
	FETCH ALL FROM c;
	COMMIT));
my %found = map { $_ => 1 } split(/\n/, $result->{out});
my $lines = () = $result->{out} =~ /^./mg;
is($lines, $records, 'a cursor returns all records') or diag $result->{err};
is(scalar(keys %found), $records, 'a cursor returns no record twice');
$api->reset;

# --- Memory ---

# Returns the memory for the ids, in bytes.
sub memory
{
	return $session->query(q(SELECT coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts
		WHERE name = 'opportunity_fdw seen ids'))->{out};
}

$session->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM many');
$session->query('MOVE 100 FROM c');
cmp_ok(memory(), '<=', $SMALL_SET, 'the ids of a page need little memory');
$session->query('MOVE ALL FROM c');
my $memory = memory();
$session->query('COMMIT');
cmp_ok($memory, '>=', 16 * $many_records, "the ids of $many_records records are kept");
cmp_ok($memory, '<=', $BYTES_PER_ID * $many_records + $SMALL_SET, "the memory for the ids of $many_records records is limited");
note(sprintf('%d records: %d bytes, %.1f for each', $many_records, $memory, $memory / $many_records));
is(memory(), 0, 'no memory remains after the scan');

$session->quit;
$many->stop;
done_testing();
