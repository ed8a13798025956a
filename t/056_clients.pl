# SPDX-License-Identifier: PostgreSQL
# Common clients read the table with and without their cursors, cancel in the middle, and
# close early.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $PAGE = 10;
my $PAGES = 53;
my $ROWS = $PAGE * $PAGES;
my $QUERY = 'SELECT id, amount FROM opportunity';

my $api = Reevo::start(records => $ROWS);
my $node = Reevo::cluster('clients');
# Without retries, a stalled query ends even if its cancel fails.
Reevo::set_up($node, $api->url, "page_size '$PAGE', max_retries '0'");
my $local = sorted($node->safe_psql('postgres', "CREATE TABLE local AS $QUERY; TABLE local"));

my $driver = (glob('/usr/lib/*/odbc/psqlodbcw.so'))[0];
my ($host, $port) = ($node->host, $node->port);

sub has_module { return system("$Reevo::PYTHON -c 'import $_[0]' 2>/dev/null") == 0; }

# open(BATCH, COUNT) connects a client that reads COUNT rows of a query, or all if it is 0.
# Its cursor fetches BATCH rows at a time. If that is 0, the client uses no cursor.
my %client = (
	'psql' => {
		present => 1,
		open => sub { return Psql->new($node->connstr('postgres'), @_); },
	},
	'DBD::Pg' => {
		present => scalar(eval { require DBD::Pg }),
		open => sub { return DbdPg->new("dbi:Pg:host=$host;port=$port;dbname=postgres", @_); },
	},
	'psycopg2' => {
		present => has_module('psycopg2'),
		open => sub { return Python->new('psycopg2', $node->connstr('postgres'), @_); },
	},
	'ODBC' => {
		present => $driver && has_module('pyodbc'),
		open => sub {
			my ($batch) = @_;
			return Python->new('pyodbc', "Driver=$driver;Server=$host;Port=$port;Database=postgres"
				. ($batch ? ";UseDeclareFetch=1;Fetch=$batch" : ''), @_);
		},
		# With UseDeclareFetch, the driver ignores a cancel.
		ignores_cancel => 1,
	});

# ODBC returns ids in upper case.
sub sorted { return join("\n", sort split(/\n/, lc $_[0])); }

sub reads_all
{
	my ($client, $name) = @_;
	my $spent = $api->requests_of(sub {
		$client->start($QUERY);
		my $result = $client->result;
		is($result->{sqlstate}, '', "$name: no error");
		ok(sorted($result->{out}) eq $local, "$name: the rows of the local copy");
	});
	# Two requests find the ranges, and each of 14 splits may end with a page that is not full.
	cmp_ok($spent, '<=', $PAGES + 2 + 14, "$name: $spent requests for $PAGES pages");
	return;
}

sub cancels
{
	my ($client, $name) = @_;
	my $before = $api->requests;
	$api->behave('{"fail_after": 5, "fail_how": "stall"}');
	$client->start($QUERY);
	ok(Reevo::wait_until(sub { $api->requests > $before + 5 }), "$name: the query waits for the API");
	$client->cancel;
	is($client->result->{sqlstate}, '57014', "$name: a cancel ends the query");
	ok($api->becomes('in_flight', 0), "$name: and its requests");
	$api->behave('{"fail_after": null, "fail_how": null}');
	$client->start('SELECT count(*) FROM opportunity');
	is($client->result->{out}, $ROWS, "$name: the next query works");
	return;
}

sub closes_early
{
	my ($client, $name) = @_;
	my $spent = $api->requests_of(sub {
		$client->start($QUERY);
		is(() = $client->result->{out} =~ /\|/g, 10, "$name: ten rows");
		$api->becomes('in_flight', 0);
	});
	is($spent, 1, "$name: one request");
	return;
}

for my $name (sort keys %client)
{
	my ($present, $open) = @{ $client{$name} }{qw(present open)};
  SKIP:
	{
		skip "$name is not installed", 1 unless $present;
		for my $batch (0, 100)
		{
			my $way = $name . ($batch ? ' with a cursor' : '');
			my $client = $open->($batch, 0);
			reads_all($client, $way);
			cancels($client, $way) unless $batch && $client{$name}{ignores_cancel};
			$client->quit;
		}
		my $client = $open->(10, 10);
		closes_early($client, "$name, closed early");
		$client->quit;
	}
}

# A client that ends without a cancel ends its query only with this setting.
{
	my $before = $api->requests;
	$api->behave('{"fail_after": 5, "fail_how": "stall"}');
	local $ENV{PGOPTIONS} = '-c client_connection_check_interval=100ms';
	my $psql = IPC::Run::start([ 'psql', '-XAtqc', $QUERY, '-d', $node->connstr('postgres') ], '>', \my $out, '2>', \my $err);
	ok(Reevo::wait_until(sub { $api->requests > $before + 5 }), 'killed client: the query waits for the API');
	$psql->kill_kill(grace => 0);
	ok($api->becomes('in_flight', 0), 'killed client: its requests end');
	$api->behave('{"fail_after": null, "fail_how": null}');
}

$node->stop('fast');
done_testing();

# --- The clients ---
#
# start(SQL) starts a query, and cancel() cancels it. result() returns {out}, the rows as psql
# -At prints them, and {sqlstate}.

# 056_clients.py
package Python;

sub new
{
	my ($class, @arguments) = @_;
	my $self = bless { input => '', output => '' }, $class;
	$self->{run} = IPC::Run::start([ $Reevo::PYTHON, "$FindBin::RealBin/056_clients.py", @arguments ],
		'<', \$self->{input}, '>', \$self->{output}, IPC::Run::timeout($Reevo::TIMEOUT));
	return $self;
}

sub type
{
	my ($self, $text) = @_;
	$self->{input} .= $text;
	$self->{run}->pump_nb;
	return;
}

sub start
{
	my ($self, $sql) = @_;
	$self->{output} = '';
	return $self->type("$sql\n");
}

sub cancel { return $_[0]->type("cancel\n"); }

sub result
{
	my ($self) = @_;
	$self->{run}->pump until $self->{output} =~ /^(.*?)\n?^end (\w*)\n/ms;
	return { out => $1, sqlstate => $2 };
}

sub quit { return $_[0]{run}->finish; }

# psql on a terminal: without one, it ends after a cancel.
package Psql;

use parent -norequire, 'Python';

sub new
{
	my ($class, $connection, $batch, $count) = @_;
	my $self = bless { input => '', output => '', count => $count }, $class;
	$self->{run} = IPC::Run::start(
		[
			$Reevo::PYTHON, '-c', 'import pty, sys; pty.spawn(sys.argv[1:])',
			'psql', '-XAtqn', '-v', 'VERBOSITY=verbose', '-v', 'PROMPT1=', '-v', 'PROMPT2=',
			'-v', "FETCH_COUNT=$batch", '-P', 'pager=off', '-d', $connection
		],
		'<', \$self->{input}, '>', \$self->{output}, IPC::Run::timeout($Reevo::TIMEOUT));
	$self->type("\\! stty -echo -onlcr\n\\echo ready\n");
	$self->{run}->pump until $self->{output} =~ /^ready\n/m;
	return $self;
}

sub start
{
	my ($self, $sql) = @_;
	$sql = "BEGIN; DECLARE c CURSOR FOR $sql; FETCH $self->{count} FROM c; CLOSE c; COMMIT" if $self->{count};
	return $self->SUPER::start("$sql;");
}

# The terminal turns the byte into a SIGINT.
sub cancel
{
	my ($self) = @_;
	$self->type("\cC");
	$self->{run}->pump until $self->{output} =~ /^ERROR: .*\n/m;
	return;
}

sub result
{
	my ($self) = @_;
	$self->type("\\echo end :SQLSTATE\n");
	my $result = $self->SUPER::result;
	$result->{sqlstate} = '' if $result->{sqlstate} eq '00000';
	return $result;
}

sub quit
{
	my ($self) = @_;
	$self->type("\\q\n");
	return $self->SUPER::quit;
}

# DBD::Pg, which has no cursors of its own
package DbdPg;

sub new
{
	my ($class, $source, $batch, $count) = @_;
	my $handle = DBI->connect($source, '', '', { PrintError => 0, RaiseError => 0, AutoCommit => 0 }) or die DBI->errstr;
	return bless { handle => $handle, batch => $batch, count => $count }, $class;
}

sub send
{
	my ($self, $sql) = @_;
	$self->{statement} = $self->{handle}->prepare($sql, { pg_async => DBD::Pg::PG_ASYNC() });
	$self->{statement}->execute;
	return;
}

sub start
{
	my ($self, $sql) = @_;
	$self->{handle}->do("DECLARE c CURSOR FOR $sql") if $self->{batch};
	return $self->send($self->{batch} ? "FETCH $self->{batch} FROM c" : $sql);
}

sub cancel
{
	my ($self) = @_;
	$self->{handle}->pg_cancel;
	$self->{cancelled} = $self->{handle}->state;
	return;
}

sub result
{
	my ($self) = @_;
	my $handle = $self->{handle};
	my $cancelled = delete $self->{cancelled};
	my @rows;
	while (!$cancelled && $handle->pg_result)
	{
		my $rows = $self->{statement}->fetchall_arrayref;
		push @rows, map { join('|', map { defined $_ ? $_ : '' } @$_) } @$rows;
		last if !$self->{batch} || @$rows < $self->{batch} || $self->{count} && @rows >= $self->{count};
		$self->send("FETCH $self->{batch} FROM c");
	}
	my $result = { out => join("\n", @rows), sqlstate => $cancelled || $handle->state };
	$handle->rollback;
	return $result;
}

sub quit { return $_[0]{handle}->disconnect; }
