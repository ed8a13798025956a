# SPDX-License-Identifier: PostgreSQL
# The set of the ids that a scan has returned: it gives the same result as SQL, with
# and without files, limits its memory, and leaves nothing behind.
#
# REEVO_SEEN in the environment sets the number of ids for which the memory is
# measured, 300,000 by default.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IPC::Run ();
use Reevo;
use Test::More;

my $ids = $ENV{REEVO_SEEN} || 300_000;

# The buffers of a few files, in addition to work_mem
my $BUFFERS = 64 * 1024;

my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($output, $error) = ('', '');
chmod 0755, $folder;
IPC::Run::run([ "$FindBin::RealBin/../test/seen/build", $folder ], '>', \$output, '2>', \$error)
  or die "test/seen/build: $output$error";

my $node = Reevo::cluster('seen', "log_statement = none\nlog_temp_files = 0");
my $library = "$folder/opportunity_fdw.so";
$node->safe_psql('postgres', qq(
	CREATE FUNCTION seen_test_first(uuid[]) RETURNS boolean[] AS '$library' LANGUAGE C STRICT;
	CREATE FUNCTION seen_test_memory(bigint) RETURNS bigint AS '$library' LANGUAGE C STRICT;
	CREATE FUNCTION seen_test_subtransaction(bigint) RETURNS bigint AS '$library' LANGUAGE C STRICT;
));
my $session = Reevo::Session->new($node);

# files(SQL): returns the result, and the number of temporary files that the
# statement created.
sub files
{
	my ($sql) = @_;
	my $log = $node->logfile;
	my $before = -s $log;
	my $result = $session->query($sql);
	my $files = () = Reevo::slurp($log, $before) =~ /temporary file: path/g;
	return ($result, $files);
}

# Returns the number of temporary files on disk.
sub files_left { return scalar(() = glob($node->data_dir . '/base/pgsql_tmp/*')); }

# --- Results ---

$session->query('SELECT setseed(0.5)');
my $nil = '00000000-0000-0000-0000-000000000000';
my %kinds = (
	random => 'md5(pick::text)::uuid',
	similar => "('01900000-0000-7000-8000-' || lpad(to_hex(pick), 12, '0'))::uuid",
	'with nil' => "CASE pick % 100 WHEN 0 THEN '$nil' ELSE md5(pick::text)::uuid END");

# work_mem, number of ids, number of distinct ids, and minimal number of files
my @cases = (
	[ '64kB', 150, 200, 0 ],
	[ '64kB', 1500, 1_000_000, 0 ],
	[ '64kB', 20_000, 100, 0 ],
	[ '64kB', 20_000, 5000, 3 ],
	[ '64kB', 40_000, 1_000_000, 20 ],
	[ '4MB', 150_000, 1_000_000, 1 ],
	[ '4MB', 300_000, 250_000, 1 ]);
for my $case (@cases)
{
	my ($work_mem, $count, $different, $least) = @$case;
	for my $kind (sort keys %kinds)
	{
		# The query reads its rows with enough memory. The set uses the given
		# work_mem.
		$session->query(qq(
			SET work_mem = '64MB';
			CREATE TEMP TABLE given AS SELECT n, $kinds{$kind} AS id
				FROM (SELECT n, (random() * $different)::integer AS pick FROM generate_series(1, $count) n) p;
			CREATE TEMP TABLE expected AS SELECT array_agg(id ORDER BY n) AS ids, array_agg(first ORDER BY n) AS firsts
				FROM (SELECT n, id, row_number() OVER (PARTITION BY id ORDER BY n) = 1 AS first FROM given) f;
			SET work_mem = '$work_mem'));
		my ($result, $files) = files('SELECT seen_test_first(ids) = firsts FROM expected');
		my $name = "$count of $different $kind ids, $work_mem";
		is($result->{out}, 't', "$name: the set gives the same result as SQL") or diag $result->{err};
		cmp_ok($files, $least > 0 ? '>=' : '==', $least, "$name: the number of files is as expected");
		$session->query('DROP TABLE given, expected');
	}
}

# --- Memory ---

$session->query(q(SET work_mem = '64kB'));
my ($memory, $made) = files("SELECT seen_test_memory($ids)");
cmp_ok($memory->{out}, '<=', 64 * 1024 + $BUFFERS, "the memory for $ids ids is limited") or diag $memory->{err};
cmp_ok($made, '>', 100, 'most of the ids are in files');
is(files_left(), 0, 'no file remains');

# --- Transactions and failures ---

is($session->query('SELECT seen_test_subtransaction(20000)')->{out}, 40000, 'files remain after a subtransaction');

$session->query(q(SET temp_file_limit = '256kB'));
is($session->query('SELECT seen_test_memory(100000)')->{sqlstate}, '53400', 'temp_file_limit raises an error');
is(files_left(), 0, 'no file remains after the error');
$session->query(q(RESET temp_file_limit));

# As in a PL/pgSQL block: the error is caught, and the session continues.
$session->query(q(
	SET temp_file_limit = '256kB';
	DO $$ BEGIN PERFORM seen_test_memory(100000); EXCEPTION WHEN configuration_limit_exceeded THEN NULL; END $$;
	RESET temp_file_limit));
is(files_left(), 0, 'no file remains after a caught error');

# A message in the log would handle the interrupt, too.
$session->query(q(SET log_temp_files = -1; SET statement_timeout = '1s'));
for my $work_mem ('64kB', '64MB')
{
	$session->query("SET work_mem = '$work_mem'");
	is($session->query('SELECT seen_test_memory(1000000000)')->{sqlstate}, '57014', "statement_timeout ends it with work_mem $work_mem");
	is(files_left(), 0, 'no file remains after statement_timeout');
}
$session->query(q(RESET statement_timeout; SET work_mem = '64kB'));
cmp_ok($session->query('SELECT seen_test_memory(5000)')->{out}, '>', 0, 'the session continues');

# --- A scan ---

# The scan creates its files in a subtransaction, and needs them after that has
# failed.
my $records = 4000;
my $api = Reevo::start(records => $records);
Reevo::set_up($node, $api->url);
$session->quit;
$session = Reevo::Session->new($node);
(my $result, $made) = files(q(
	SET work_mem = '64kB';
	BEGIN;
	DECLARE c CURSOR FOR SELECT id FROM opportunity;
	SAVEPOINT s;
	FETCH 2500 FROM c;
	ROLLBACK TO s;
	FETCH ALL FROM c;
	COMMIT));
my %found = map { $_ => 1 } split(/\n/, $result->{out});
my $lines = () = $result->{out} =~ /^./mg;
is($lines, $records, 'a cursor returns all records') or diag $result->{err};
is(scalar(keys %found), $records, 'a cursor returns no record twice');
cmp_ok($made, '>=', 2, 'the scan uses files');
is(files_left(), 0, 'no file of the scan remains');

unlike(Reevo::slurp($node->logfile), qr/leak|TRAP|terminated by signal/, 'the log has no leak and no crash');

$session->quit;
done_testing();
