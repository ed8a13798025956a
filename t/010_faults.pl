# SPDX-License-Identifier: PostgreSQL
# Every line of the tables in test/faults.md: what is injected, what the user
# gets, with how many requests, that the next query works, and that nothing is
# left behind.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $faults = abs_path(dirname(__FILE__) . '/../test/faults.md');
my $id = Reevo::id(1);
my $other = Reevo::id(2);
my $records = 60;
my $large = 2500;
my $api = Reevo::start(records => $records);
my $node = Reevo::cluster('faults');
my @options =
  ("max_retries '2'", "max_retry_wait '0.05'", "max_response_size '1'");

Reevo::set_up($node, $api->url, @options);
my $session = Reevo::Session->new($node);
my %numbers = (
	long => 'a' x 70,
	id => $id,
	other => $other,
	deep => '[' x 63 . ']' x 63,
	port => $api->url =~ /(\d+)$/,
	map { $_ => $api->port($_) }
	  qw(closed_port backlog_port blackhole_port garbage_port));

# The table of a server of its own.
sub table_of
{
	my ($server, $server_options) = @_;
	$session->query(qq(
		CREATE SERVER $server FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($server_options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (api_key 'test-key');
		CREATE SCHEMA $server;
		IMPORT FOREIGN SCHEMA reevo FROM SERVER $server INTO $server OPTIONS (discover 'false')));
	return "$server.opportunity";
}

my $read = sub { "SELECT * FROM $_[0] WHERE id = '$_[1]'" };
my $impatient = table_of('impatient',
	join(', ', @options, "base_url '" . $api->url . "'", "request_timeout '0.2'"));
table_of('patient', "base_url '" . $api->url . "'");

# Whole tables, and how they are read.
my $pages = "id uuid, created_at timestamptz, display_name text, amount numeric";
$session->query(qq(
	CREATE FOREIGN TABLE scanned ($pages) SERVER reevo OPTIONS (page_size '10', max_concurrency '4');
	CREATE FOREIGN TABLE impatient.scanned ($pages) SERVER impatient OPTIONS (page_size '10', max_concurrency '4');
	CREATE FOREIGN TABLE calm ($pages) SERVER reevo OPTIONS (page_size '10', max_concurrency '1');
	CREATE FOREIGN TABLE limited ($pages) SERVER reevo OPTIONS (page_size '10', max_concurrency '4', max_requests '3');
	CREATE FOREIGN TABLE patient.calm ($pages) SERVER patient OPTIONS (page_size '10', max_concurrency '1');
	CREATE FOREIGN TABLE large ($pages) SERVER reevo OPTIONS (max_concurrency '1');
	CREATE FOREIGN TABLE large_parallel ($pages) SERVER reevo OPTIONS (max_concurrency '8');
	CREATE FOREIGN TABLE large_budget ($pages) SERVER reevo OPTIONS (max_concurrency '8', max_requests '27');
	CREATE FOREIGN TABLE large_unsorted (id uuid, created_at timestamptz OPTIONS (sortable 'false'), display_name text) SERVER reevo OPTIONS (max_concurrency '1')));
my %scans = (
	'scan' => 'SELECT id, length(display_name) FROM scanned',
	'impatient scan' => 'SELECT id, length(display_name) FROM impatient.scanned',
	'limited scan' => 'SELECT id, length(display_name) FROM limited',
	'middle' => 'SELECT id, length(display_name) FROM scanned',
	'calm scan' => 'SELECT id, length(display_name) FROM calm',
	'patient scan' => 'SELECT id, length(display_name) FROM patient.calm',
	'large scan' => 'SELECT id, length(display_name) FROM large',
	'large parallel scan' => 'SELECT id, length(display_name) FROM large_parallel',
	'large budget scan' => 'SELECT id, length(display_name) FROM large_budget',
	'large unsorted scan' => 'SELECT id, length(display_name) FROM large_unsorted',
	'large sorted' => 'SELECT created_at, id FROM large ORDER BY created_at',
	'large first scan' => 'SELECT id, length(display_name) FROM large LIMIT 2500',
	'sorted' => 'SELECT created_at, id FROM calm ORDER BY created_at',
	'filtered' => q(SELECT id FROM scanned WHERE created_at > '2000-01-01'));
my %undisturbed;
for my $how ('scan', 'sorted', 'filtered', 'large scan', 'large sorted')
{
	$api->ctl('records', $large) if $how =~ /^large /;
	my @rows = split(/\n/, $session->query($scans{$how})->{out});
	is(scalar @rows, $how =~ /^large / ? $large : $records, "$how: all records");
	$undisturbed{$how} = join("\n", sort @rows);
}
$undisturbed{$_} = $undisturbed{'scan'} for 'calm scan', 'patient scan', 'impatient scan';
$undisturbed{$_} = $undisturbed{'large scan'} for grep { /^large .* scan$/ } keys %scans;
$api->reset;

# result_of(TEXT): injects it, and returns the result of the query.
sub result_of
{
	my ($injected) = @_;
	my ($how, $what) = $injected =~ /^((?:\w+ )*(?:scan|middle|sorted|filtered)) (.*)/;
	return $session->query($read->(inject($injected))) unless defined $how;
	my $statement = $scans{$how};
	$api->ctl('records', $large) if $how =~ /^large /;
	if ($how ne 'middle')
	{
		inject($what);
		return $session->query($statement);
	}
	$session->query("BEGIN; DECLARE c CURSOR FOR $statement; FETCH 15 FROM c");
	inject($what);
	my $result = $session->query('FETCH ALL FROM c');
	$session->query('ROLLBACK');
	return $result;
}

# Whether all rows have come, each once, and in order where one was asked for.
sub is_whole
{
	my ($injected, $out) = @_;
	my ($how) = $injected =~ /^((?:\w+ )*(?:scan|sorted|filtered)) /;
	return unless defined $how;
	my @rows = split(/\n/, $out);
	my @times = map { (split(/\|/))[0] } @rows;
	is(join("\n", sort @rows), $undisturbed{$how}, 'all rows');
	is("@times", "@{[ sort @times ]}", 'in order') if $how =~ /sorted$/ && $how !~ /unsorted/;
	return;
}

# inject(TEXT): returns the table to ask and the id.
sub inject
{
	my ($text) = @_;
	my ($table, $wanted) = ('opportunity', $id);

	$text =~ s/\{(\w+)\}/exists $numbers{$1} ? $numbers{$1} : "{$1}"/ge;
	$table = $impatient if $text =~ s/^impatient //;
	$wanted = Reevo::id(999999) if $text =~ s/ missing$//;
	$api->behave($1) if $text =~ s/^behave (\{.*\}) (?=server )//;
	my ($how, $what) = split(/ /, $text, 2);
	if ($how eq 'behave')
	{
		$api->behave($what);
		return ($table, $wanted);
	}
	if ($how eq 'server')
	{
		$session->query('DROP SERVER IF EXISTS hurt CASCADE; DROP SCHEMA IF EXISTS hurt CASCADE');
		return (table_of('hurt', join(', ', @options, $what)), $wanted);
	}
	$what = qq({"id": "$id", "attributes": {$what}}) if $how eq 'attributes';
	$what = qq({"data": $what}) if $how ne 'body';
	$what =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
	$api->ctl('body', $id, $what);
	return ($table, $wanted);
}

# What a backend holds: its open files, and the extension's memory.
sub holdings
{
	$session->query('SELECT opportunity_fdw_disconnect()');
	my $count = Reevo::open_files($session->{backend});
	my $contexts = $session->query(q(SELECT count(*), coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts
		WHERE name LIKE 'opportunity_fdw%'))->{out};
	return "$count files, contexts $contexts";
}

# What versions of libcurl see differently has its parts separated by " / ".
sub alternative
{
	my ($sqlstate, @cells) = @_;
	my @parts = map { [ split m{ / } ] } @cells;
	my ($number) = grep { ($parts[0][$_] // '') eq $sqlstate } 0 .. $#{ $parts[0] };
	return @{ $parts[0] } > 1 ? map { $_->[ $number // 0 ] } @parts : @cells;
}

# A pattern for a text in which ... stands for anything.
sub pattern
{
	my ($text) = @_;
	return join('.*?', map { quotemeta } split(/\.\.\./, $text, -1));
}

my @lines = Reevo::slurp($faults) =~ /^\| ([^|]+) \| `(.*)` \| (\S*(?: \/ \S+)?) ?\| (.*?) ?\| (.*?) ?\|(?: (\d*)(, no row)? ?\|)?$/mg;
my %seen;

$session->query($read->('opportunity', $other));
my $before = holdings();
while (my ($fault, $injected, $sqlstate, $message, $hint, $requests, $no_row) = splice(@lines, 0, 7))
{
	ok(!$seen{$fault}++, "$fault: described once");
	my $result = result_of($injected);
	my $spent = $api->requests;
	($sqlstate, $message, $hint) = alternative($result->{sqlstate}, $sqlstate, $message, $hint);
	@$result{qw(message hint)} = $result->{err} =~ /WARNING:  \w+: (.*)\n(?:DETAIL:.*\n)?(?:HINT:  (.*))?/
	  if $message =~ s/^WARNING //;
	$result->{hint} //= '';
	subtest $fault => sub {
		is($result->{sqlstate}, $sqlstate, 'SQLSTATE');
		like($result->{message}, qr/^@{[ pattern($message) ]}$/s, 'message');
		like($result->{hint}, $hint eq '' ? qr/^$/ : qr/^@{[ pattern($hint) ]}/, 'hint');
		unlike($result->{err}, qr/test-key/, 'the key is in no message');
		is($result->{out}, '', 'no row') if $sqlstate ne '';
		is_whole($injected, $result->{out}) if $sqlstate eq '';
		if (($requests // '') ne '')
		{
			is($spent, $requests, 'requests');
			is($result->{out} eq '', $sqlstate ne '' || defined $no_row, 'a row, or none');
		}
		$api->reset;
		my $next = $session->query($read->('opportunity', $other));
		like($next->{out}, qr/^$other\|/, 'the next query works') or diag($next->{err});
		is(holdings(), $before, 'nothing is left');
		$api->reset;
	} or diag($result->{err});
}
cmp_ok(scalar keys %seen, '>=', 100, 'faults were tried');

$session->quit;
done_testing();
