# SPDX-License-Identifier: PostgreSQL
# A statement that waits for the API ends immediately, at every stage and for every
# reason to end. It leaves no request, connection or file behind.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IPC::Run ();
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

# The goal is 100 milliseconds, during stalls of a minute. A busy machine may need
# longer, so the limit is generous, and a note has the measured time.
my $BOUND = 3000;

# Builds a slow getaddrinfo() if there is a compiler: it takes 30 seconds for
# slow.test, and one second for brief.test.
sub make_slow_resolver
{
	my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	open(my $file, '>', "$folder/slow.c") or die "$folder/slow.c: $!";
	print $file <<'SOURCE';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && (strcmp(node, "slow.test") == 0 || strcmp(node, "brief.test") == 0))
    {
        sleep(node[0] == 's' ? 30 : 1);
        return EAI_AGAIN;
    }
    return real(node, service, hints, result);
}
SOURCE
	close $file;
	my ($output, $error);
	return eval {
		IPC::Run::run(
			[ 'cc', '-shared', '-fPIC', '-o', "$folder/slow.so", "$folder/slow.c", '-ldl' ],
			'>', \$output, '2>', \$error);
	} ? "$folder/slow.so" : undef;
}

my $resolver = make_slow_resolver();
my $node = PostgreSQL::Test::Cluster->new('cancel');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "client_connection_check_interval = '100ms'");
my $start_node = sub {
	local $ENV{LD_PRELOAD} = $resolver if defined $resolver;
	$node->start;
};
$start_node->();

# --- The stages, with one server and one table each ---

my $good = Reevo::start();
my %behaviour = (
	'headers' => '{"stall": "headers"}',
	'mid_headers' => '{"stall": "mid-headers"}',
	'body' => '{"stall": "body"}',
	'back_off' => '{"status": 503, "retry_after": 30}');
my %simulator = map { $_ => Reevo::start(records => 10) } sort keys %behaviour;
my %url = (
	connect => 'http://127.0.0.1:' . $good->port('backlog_port'),
	tls => 'https://127.0.0.1:' . $good->port('blackhole_port'),
	proxy => 'https://reevo.test',
	map { $_ => $simulator{$_}->url } keys %simulator);
my %option = (proxy => sprintf("proxy 'http://127.0.0.1:%d'", $good->port('blackhole_port')));

Reevo::set_up($node, $good->url);
if (defined $resolver)
{
	my $session = Reevo::Session->new($node);
	if (Reevo::slurp("/proc/$session->{backend}/maps") =~ m{/slow\.so})
	{
		$url{resolve} = 'https://slow.test';
		$url{resolve_briefly} = 'https://brief.test';
	}
	$session->quit;
}
for my $stage (sort keys %url)
{
	my $options = join(', ', "base_url '$url{$stage}'",
		"connect_timeout '60'", "request_timeout '60'",
		$option{$stage} ? $option{$stage} : ());
	$node->safe_psql('postgres', qq(
		CREATE SERVER s_$stage FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER s_$stage OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE $stage (id uuid, display_name text) SERVER s_$stage;));
}
my @stages = grep { $_ ne 'resolve_briefly' }
  (sort { $a cmp $b } keys %url);

my $admin = Reevo::Session->new($node);

sub read_from
{
	my ($table) = @_;
	return "SELECT count(display_name) FROM $table WHERE id = '$Reevo::EXAMPLE'";
}

sub stall
{
	my ($stage) = @_;
	$simulator{$stage}->reset, $simulator{$stage}->behave($behaviour{$stage})
	  if $simulator{$stage};
	return;
}

# Sends a statement that stalls, and returns when it waits.
sub enter
{
	my ($session, $stage) = @_;
	my $before = $simulator{$stage} ? $simulator{$stage}->requests : 0;
	$session->send(read_from($stage));
	Reevo::wait_until(sub {
		return $admin->query(qq(SELECT count(*) FROM pg_stat_activity
			WHERE pid = $session->{backend} AND wait_event_type = 'Extension'))->{out} == 1
		  && (!$simulator{$stage} || $simulator{$stage}->requests > $before);
	}) or diag("$stage: the statement does not reach its wait");
	return;
}

# Returns whether the API has no request or connection of a cancelled statement
# left. After a complete response, the connection may stay open.
sub is_let_go
{
	my ($stage) = @_;
	return 1 unless $simulator{$stage};
	return $simulator{$stage}->becomes('in_flight', 0)
	  && ($stage eq 'back_off' || $simulator{$stage}->becomes('open_connections', 0));
}

sub is_gone
{
	my ($pid) = @_;
	return Reevo::wait_until(sub { !-e "/proc/$pid" });
}

# --- pg_cancel_backend, statement_timeout ---

for my $stage (@stages)
{
	my $session = Reevo::Session->new($node);
	stall($stage);

	enter($session, $stage);
	my $started = time;
	$admin->query("SELECT pg_cancel_backend($session->{backend})");
	my $result = $session->result;
	my $ms = (time - $started) * 1000;
	is($result->{sqlstate}, '57014', "$stage: pg_cancel_backend raises query_canceled");
	is($result->{message}, 'canceling statement due to user request', "$stage: the message names the user request");
	cmp_ok($ms, '<', $BOUND, "$stage: pg_cancel_backend takes effect immediately");
	note(sprintf('%s: cancelled after %.0f ms', $stage, $ms));
	ok(is_let_go($stage), "$stage: the cancelled request ends at the API");
	is($session->query(read_from('opportunity'))->{out}, '1', "$stage: the session continues");

	my $timed_out =
	  $session->query("SET statement_timeout = '300ms'; " . read_from($stage));
	is($timed_out->{sqlstate}, '57014', "$stage: statement_timeout raises query_canceled");
	is($timed_out->{message}, 'canceling statement due to statement timeout',
		"$stage: the message names the timeout");
	cmp_ok($timed_out->{ms}, '<', 300 + $BOUND, "$stage: statement_timeout takes effect immediately");
	note(sprintf('%s: timed out %.0f ms late', $stage, $timed_out->{ms} - 300));
	ok(is_let_go($stage), "$stage: the timed-out request ends at the API");
	$session->query('RESET statement_timeout');

	if ($simulator{$stage})
	{
		$simulator{$stage}->reset;
		is($session->query(read_from($stage))->{out}, '1',
			"$stage: the same server works after the stall");
	}
	$session->quit;
}

# --- Many cancels: no file stays open ---

for my $stage (grep { $_ ne 'resolve' } sort keys %url)
{
	my $session = Reevo::Session->new($node);
	my $backend = $session->{backend};
	# A resolver thread holds its files until it ends.
	my $patience = $stage eq 'resolve_briefly' ? 20 : 2;

	# The first statement of a session may run for longer before it waits.
	stall($stage);
	$session->query("SET statement_timeout = '300ms'; " . read_from($stage));
	$session->query('RESET statement_timeout; ' . read_from('opportunity'));
	sleep 1.5 if $stage eq 'resolve_briefly';
	my $before = Reevo::open_files($backend);
	my $results = $session->query("SET statement_timeout = '10ms'; " . join('; ', (read_from($stage)) x 50));
	$session->reset_timeout;
	my $cancelled = () = $results->{err} =~ /ERROR:  57014/g;
	is($cancelled, 50, "$stage: all 50 statements are cancelled");
	is($session->query(read_from('opportunity'))->{out}, '1', "$stage: the session continues");
	# Before libcurl 7.87, only the next statement cleans up after a resolver
	# thread.
	ok(Reevo::wait_until(sub {
			$session->query(read_from('opportunity'));
			return Reevo::open_files($backend) <= $before;
		}, $patience),
		"$stage: no file stays open after 50 cancels")
	  or diag("$before files before, " . Reevo::open_files($backend) . ' after');
	$session->quit;
}

# --- A name lookup that takes longer than connect_timeout ---

# Before libcurl 7.87 the lookup cannot be cancelled, but no statement waits for it.
if (exists $url{resolve})
{
	$node->safe_psql('postgres', q(
		CREATE SERVER short_timeout FOREIGN DATA WRAPPER opportunity_fdw
			OPTIONS (base_url 'https://slow.test', connect_timeout '1', max_retries '0');
		CREATE USER MAPPING FOR CURRENT_USER SERVER short_timeout OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE short_timeout (id uuid, display_name text) SERVER short_timeout;));
	my $session = Reevo::Session->new($node);
	my $result = $session->query(read_from('short_timeout'));
	is($result->{sqlstate}, 'HV00N', 'connect_timeout during a name lookup: SQLSTATE');
	like($result->{detail}, qr/^The connection to host "slow\.test" failed after 1 attempt: no connection after 1000 milliseconds\.$/,
		'connect_timeout during a name lookup: detail');
	cmp_ok($result->{ms}, '>', 990, 'connect_timeout during a name lookup: the error does not come early');
	cmp_ok($result->{ms}, '<', 1000 + $BOUND, 'connect_timeout during a name lookup: the error comes in time');
	my $next = $session->query('SELECT pg_sleep(1.2); ' . read_from('opportunity'));
	cmp_ok($next->{ms}, '<', 1200 + $BOUND, 'connect_timeout during a name lookup: the next statement does not wait');
	for my $table ('short_timeout', 'resolve')
	{
		$session->query("SET statement_timeout = '300ms'; " . read_from($table));
		$session->query('RESET statement_timeout');
		my $closed = $session->query('SELECT opportunity_fdw_disconnect()');
		cmp_ok($closed->{ms}, '<', $BOUND, "$table: opportunity_fdw_disconnect() does not wait for a name lookup");
	}
	$session->quit;
}

# --- pg_terminate_backend, and a client that disconnects ---

for my $stage (@stages)
{
	stall($stage);
	my $session = Reevo::Session->new($node);
	enter($session, $stage);
	my $started = time;
	$admin->query("SELECT pg_terminate_backend($session->{backend})");
	my $result = $session->result;
	my $ms = (time - $started) * 1000;
	is($result->{sqlstate}, '57P01', "$stage: pg_terminate_backend raises admin_shutdown");
	ok(is_gone($session->{backend}), "$stage: the backend ends");
	cmp_ok($ms, '<', $BOUND, "$stage: pg_terminate_backend takes effect immediately");
	note(sprintf('%s: terminated after %.0f ms', $stage, $ms));

	$session = Reevo::Session->new($node);
	enter($session, $stage);
	$started = time;
	$session->disconnect;
	ok(is_gone($session->{backend}), "$stage: the backend ends after its client disconnects");
	$ms = (time - $started) * 1000;
	cmp_ok($ms, '<', $BOUND, "$stage: it ends without delay");
	note(sprintf('%s: %.0f ms after its client disconnected, with a check each 100 ms', $stage, $ms));
}

# --- Shutdowns ---

for my $mode ('fast', 'immediate')
{
	my %session;
	for my $stage (@stages)
	{
		stall($stage);
		$session{$stage} = Reevo::Session->new($node);
		enter($session{$stage}, $stage);
	}
	$admin->quit;
	my $started = time;
	$node->stop($mode);
	my $ms = (time - $started) * 1000;
	cmp_ok($ms, '<', 15000, "a $mode shutdown does not wait for requests");
	note(sprintf('%s shutdown after %.0f ms', $mode, $ms));
	for my $stage (@stages)
	{
		my $result = $session{$stage}->result;
		like($result->{sqlstate}, $mode eq 'fast' ? qr/^57P01$/ : qr/^(57P02)?$/,
			"$stage: a $mode shutdown ends the statement");
		ok(is_gone($session{$stage}{backend}), "$stage: the backend ends");
		ok(!$simulator{$stage} || $simulator{$stage}->becomes('open_connections', 0),
			"$stage: its connections close");
	}
	$start_node->();
	$admin = Reevo::Session->new($node);
}
$admin->quit;
$node->stop('fast');

done_testing();
