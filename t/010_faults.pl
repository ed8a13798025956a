# SPDX-License-Identifier: PostgreSQL
# Injects each fault of the tables in test/faults.md. Checks the result, the number
# of requests, the next query, and that the backend holds nothing more than before.

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
my $api = Reevo::start(records => $records);
my $node = Reevo::cluster('faults');
my @options =
  ("max_retries '2'", "max_retry_wait '0.05'", "max_response_size '1'");

Reevo::set_up($node, $api->url, @options);
my $session = Reevo::Session->new($node);
my %terms = (
	long => 'a' x 70,
	id => $id,
	other => $other,
	deep => '[' x 63 . ']' x 63,
	port => $api->url =~ /(\d+)$/,
	map { $_ => $api->port($_) }
	  qw(closed_port backlog_port blackhole_port garbage_port));

# table_of(SERVER, OPTIONS): creates a server, and returns its table.
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

my $columns = "id uuid, created_at timestamptz, display_name text, amount numeric";
$session->query(qq(
	CREATE FOREIGN TABLE scanned ($columns) SERVER reevo OPTIONS (page_size '10', max_concurrency '4');
	CREATE FOREIGN TABLE calm ($columns) SERVER reevo OPTIONS (page_size '10', max_concurrency '1');
	CREATE FOREIGN TABLE limited ($columns) SERVER reevo OPTIONS (page_size '10', max_concurrency '4', max_requests '3')));
my %scans = (
	'scan' => 'SELECT id, length(display_name) FROM scanned',
	'calm scan' => 'SELECT id, length(display_name) FROM calm',
	'limited scan' => 'SELECT id, length(display_name) FROM limited',
	'middle' => 'SELECT id, length(display_name) FROM scanned',
	'sorted' => 'SELECT created_at, id FROM calm ORDER BY created_at',
	'filtered' => q(SELECT id FROM scanned WHERE created_at > '2000-01-01'));
my %undisturbed;
for my $how ('scan', 'calm scan', 'sorted', 'filtered')
{
	my @rows = split(/\n/, $session->query($scans{$how})->{out});
	is(scalar @rows, $records, "$how: all records");
	$undisturbed{$how} = join("\n", sort @rows);
}
$api->reset;

# result_of(INJECTED): injects a fault, and returns the query's result.
sub result_of
{
	my ($injected) = @_;
	my ($how, $fault) = $injected =~ /^((?:\w+ )?scan|middle|sorted|filtered) (.*)/;
	return $session->query($read->(inject($injected))) unless defined $how;
	if ($how ne 'middle')
	{
		inject($fault);
		return $session->query($scans{$how});
	}
	$session->query("BEGIN; DECLARE c CURSOR FOR $scans{$how}; FETCH 15 FROM c");
	inject($fault);
	my $result = $session->query('FETCH ALL FROM c');
	$session->query('ROLLBACK');
	return $result;
}

# is_whole(INJECTED, ROWS): checks that a scan returned each row once, in order.
sub is_whole
{
	my ($injected, $out) = @_;
	my ($how) = $injected =~ /^((?:\w+ )?scan|sorted|filtered) /;
	return unless defined $how;
	my @rows = split(/\n/, $out);
	my @times = map { (split(/\|/))[0] } @rows;
	is(join("\n", sort @rows), $undisturbed{$how}, 'all rows');
	is("@times", "@{[ sort @times ]}", 'in order') if $how eq 'sorted';
	return;
}

# inject(TEXT): injects a fault, and returns the table and the id to read.
sub inject
{
	my ($text) = @_;
	my ($table, $wanted) = ('opportunity', $id);

	$text =~ s/\{(\w+)\}/exists $terms{$1} ? $terms{$1} : "{$1}"/ge;
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
		$session->query('DROP SERVER IF EXISTS faulty CASCADE; DROP SCHEMA IF EXISTS faulty CASCADE');
		return (table_of('faulty', join(', ', @options, $what)), $wanted);
	}
	die "unknown term: $text" unless $how =~ /^(body|data|attributes)$/;
	$what = qq({"id": "$id", "attributes": {$what}}) if $how eq 'attributes';
	$what = qq({"data": $what}) if $how ne 'body';
	$what =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
	$api->ctl('body', $id, $what);
	return ($table, $wanted);
}

# holdings(): returns the backend's open files and the extension's memory.
sub holdings
{
	$session->query('SELECT opportunity_fdw_disconnect()');
	my $count = Reevo::open_files($session->{backend});
	my $contexts = $session->query(q(SELECT count(*), coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts
		WHERE name LIKE 'opportunity_fdw%'))->{out};
	return "$count files, contexts $contexts";
}

# alternative(SQLSTATE, CELL...): selects the part of each cell that belongs to
# the SQLSTATE. " / " separates the parts.
sub alternative
{
	my ($sqlstate, @cells) = @_;
	my @parts = map { [ split m{ / } ] } @cells;
	my ($number) = grep { ($parts[0][$_] // '') eq $sqlstate } 0 .. $#{ $parts[0] };
	return @{ $parts[0] } > 1 ? map { $_->[ $number // 0 ] } @parts : @cells;
}

# pattern(TEXT): returns a regular expression in which ... matches any text.
sub pattern
{
	my ($text) = @_;
	return join('.*?', map { quotemeta } split(/\.\.\./, $text, -1));
}

# rows_of(FILE): returns the cells of each row of its tables with six columns.
sub rows_of
{
	my ($file) = @_;
	my @rows = map { [ map { s/^\s+|\s+$//gr } split(/ \|(?= |$)/, s/^\|//r, -1) ] }
	  grep { /^\| / } split(/\n/, Reevo::slurp($file));
	return grep { @$_ == 7 && $_->[0] ne 'fault' } @rows;
}

my %seen;

$session->query($read->('opportunity', $other));
my $before = holdings();
$api->reset;
for my $row (rows_of($faults))
{
	my ($fault, $injected, @expected) = @$row;
	s/`//g for @expected;
	$injected =~ s/^`|`$//g;
	my ($requests, $no_row) = split(/, /, $expected[3]);
	ok(!$seen{$fault}++, "$fault: described once");
	my $result = result_of($injected);
	my $spent = $api->requests;
	my ($sqlstate, $message, $hint) = alternative($result->{sqlstate}, @expected[ 0 .. 2 ]);
	@$result{qw(message hint)} = $result->{err} =~ /WARNING:  \w+: (.*)\n(?:DETAIL:.*\n)?(?:HINT:  (.*))?/
	  if $message =~ s/^WARNING //;
	$result->{hint} //= '';
	subtest $fault => sub {
		is($result->{sqlstate}, $sqlstate, 'SQLSTATE');
		like($result->{message}, qr/^@{[ pattern($message) ]}$/s, 'message');
		like($result->{hint}, $hint eq '' ? qr/^$/ : qr/^@{[ pattern($hint) ]}/, 'hint');
		unlike($result->{err}, qr/test-key/, 'no message contains the key');
		is($result->{out} eq '', $sqlstate ne '' || defined $no_row, 'a row, or none');
		is_whole($injected, $result->{out}) if $sqlstate eq '';
		is($spent, $requests, 'requests') if defined $requests;
		$api->reset;
		my $next = $session->query($read->('opportunity', $other));
		like($next->{out}, qr/^$other\|/, 'the next query works') or diag($next->{err});
		is(holdings(), $before, 'the backend holds nothing more');
		$api->reset;
	} or diag($result->{err});
}
ok(scalar keys %seen, 'the document has faults');

$session->quit;
done_testing();
