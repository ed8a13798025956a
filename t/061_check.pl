# SPDX-License-Identifier: PostgreSQL
# opportunity_fdw_check() against servers that are unreachable, have a wrong
# certificate, or do not respond: the test checks the failed step. A cancel is an
# error, and the session continues.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP ();
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

# The goal is 100 milliseconds, during stalls of a minute. A busy machine may need
# longer, so the limit is generous, and a note has the measured time.
my $BOUND = 3000;

my @STEPS = ('mapping', 'reach', 'tls', 'health', 'key', 'permission', 'query',
	'record', 'schema', 'round trip', 'archived');

my $api = Reevo::start();
my $node = PostgreSQL::Test::Cluster->new('check');
$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
Reevo::set_up($node, $api->url);
my $session = Reevo::Session->new($node);
my $admin = Reevo::Session->new($node);

# server(NAME, OPTIONS): creates a server with a user mapping.
sub server
{
	my ($name, $options) = @_;
	$node->safe_psql('postgres', qq(
		CREATE SERVER $name FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (api_key 'test-key')));
	return $name;
}

sub check
{
	my ($server) = @_;
	return "SELECT step, coalesce(ok::text, '-'), milliseconds, detail, hint FROM opportunity_fdw_check('$server')";
}

# rows(RESULT): returns the rows of a check by step.
sub rows
{
	my ($result) = @_;
	my @rows = map { [ split(/\|/, $_, 5) ] } split(/\n/, $result->{out});
	is_deeply([ map { $_->[0] } @rows ], \@STEPS, 'the check returns all steps in order') or diag($result->{err});
	return { map { $_->[0] => { ok => $_->[1], ms => $_->[2], detail => $_->[3], hint => $_->[4] } } @rows };
}

my $goes_on = "SELECT count(display_name) FROM opportunity WHERE id = '$Reevo::EXAMPLE'";

# verdicts(NAME, SERVER, VERDICTS): checks the result of the steps from "reach" on,
# as a word of t, f and -. Returns the rows.
sub verdicts
{
	my ($name, $server, $expected) = @_;
	my $result;
	my $rows;
	subtest $name => sub {
		$result = $session->query(check($server));
		$rows = rows($result);
		is(join('', map { substr($rows->{$_}{ok}, 0, 1) } @STEPS[ 1 .. $#STEPS ]), $expected, 'the steps have the expected results')
		  or diag($result->{out});
		is(scalar(grep { $_->{ms} ne '' && !($_->{ms} >= 0) } values %$rows), 0, 'no time is negative');
		unlike($result->{out}, qr/test-key/, 'the output does not contain the API key');
		is($session->query($goes_on)->{out}, '1', 'the session continues');
	};
	$rows->{took} = $result->{ms};
	return $rows;
}

my ($plain_port) = $api->url =~ /:(\d+)$/;
my %port = map { $_ => $api->port("${_}_port") } qw(closed backlog blackhole garbage);
my $timeouts = "connect_timeout '0.5', request_timeout '0.5'";

# --- Step reach ---

my $rows = verdicts('a working server', 'reevo', 't-tttttttt');
like($rows->{reach}{detail}, qr/^Connected to 127\.0\.0\.1, port $plain_port\.$/, 'the detail of reach names host and port');

my %keys = map { $_->{path} => $_->{headers}{authorization} } @{ JSON::PP::decode_json($api->ctl('stats'))->{log} };
is_deeply(\%keys,
	{
		'/api/v2/health' => undef,
		map { $_ => 'test-key' } "/api/v2/opportunity/$Reevo::EXAMPLE", qw(/api/v2/opportunity/_query /api/v2/_schema/opportunity)
	},
	'all requests except health have the API key');

$api->behave('{"delay_ms": 1000, "only": ["health"]}');
$rows = verdicts('a slow health response', 'reevo', 't-tttttttt');
cmp_ok($rows->{health}{ms}, '>=', 1000, 'the time of the health step includes the delay');
cmp_ok($rows->{'round trip'}{ms}, '<', 1000, 'the time of the round trip excludes the delay');
$api->reset;

my $long = ('a' x 70) . '.invalid';
$rows = verdicts('a host that does not resolve', server('nowhere', "base_url 'https://$long'"), 'f---------');
like($rows->{reach}{detail}, qr/^could not connect to the API\. The connection to host "\Q$long\E" failed after 1 attempt: .*resolve/, 'the detail names the cause: host');
like($rows->{reach}{hint}, qr/network.*base_url.*proxy/, 'the hint names base_url, proxy and network');
is($rows->{$_}{detail}, 'Skipped because step "reach" failed.', "step $_ is not tried") for @STEPS[ 2 .. $#STEPS ];

$rows = verdicts('a closed port', server('refused', "base_url 'http://127.0.0.1:$port{closed}'"), 'f---------');
like($rows->{reach}{detail}, qr/after 1 attempt: .*connect/, 'the detail names the cause: one attempt to connect');
cmp_ok($rows->{took}, '<', $BOUND, 'the check of a closed port is immediate');

$rows = verdicts('a connection attempt that hangs', server('hanging', "base_url 'http://127.0.0.1:$port{backlog}', $timeouts"), 'f---------');
cmp_ok($rows->{took}, '>=', 490, 'the check waits for connect_timeout');
cmp_ok($rows->{took}, '<', 500 + $BOUND, 'the check waits for connect_timeout once');

# --- Step tls ---

$rows = verdicts('a TLS handshake that hangs', server('silent', "base_url 'https://127.0.0.1:$port{blackhole}', $timeouts"), 'tf--------');
like($rows->{tls}{hint}, qr/base_url.*proxy.*ca_file.*clock/, 'the hint names base_url, proxy, ca_file and clock');
cmp_ok($rows->{took}, '<', 500 + $BOUND, 'the check of a handshake waits for connect_timeout once');
verdicts('TLS to a port with another protocol', server('garbage_tls', "base_url 'https://127.0.0.1:$port{garbage}', $timeouts"), 'tf--------');
verdicts('TLS to a server without TLS', server('no_tls', "base_url 'https://127.0.0.1:$plain_port', $timeouts"), 'tf--------');

SKIP:
{
	skip 'the openssl command is missing', 1 unless Reevo::have_openssl();
	my $certificates = Reevo::certificates(good => 'IP:127.0.0.1', elsewhere => 'DNS:api.example');
	my $ca_file = "ca_file '$certificates/ca.pem'";
	my %tls = map {
		$_ => Reevo::start(tls => [ "$certificates/$_.pem", "$certificates/$_.key" ], records => 20)
	} qw(good elsewhere);
	my ($address) = $tls{good}->url =~ m{//(.*)};

	$rows = verdicts('a certificate signed by ca_file',
		server('tls_good', "base_url 'https://$address', $ca_file"), 'tttttttttt');
	cmp_ok($rows->{$_}{ms}, '>', 0, "step $_ has a time") for grep { $_ ne 'mapping' } @STEPS;
	is($rows->{tls}{detail}, 'The certificate is trusted.', 'the detail reports a trusted certificate');
	is($tls{good}->requests, 5, 'the check makes five requests');
	$rows = verdicts('the same server again', 'tls_good', 'tttttttttt');
	like($rows->{$_}{detail}, qr/, over an open connection\.$/, "step $_ uses the open connection") for qw(reach tls);
	is($rows->{$_}{ms}, '', "step $_ has no time with an open connection") for qw(reach tls);

	$rows = verdicts('a certificate of an unknown authority', server('tls_unknown', "base_url 'https://$address'"), 'tf--------');
	like($rows->{tls}{detail}, qr/after 1 attempt: .*certificate/i, 'the detail names the cause: certificate');
	is($rows->{health}{detail}, 'Skipped because step "tls" failed.', 'the later steps are not tried');
	$rows = verdicts('a certificate for another host',
		server('tls_elsewhere', "base_url '" . $tls{elsewhere}->url . "', $ca_file"), 'tf--------');
	is($tls{elsewhere}->requests, 0, 'a certificate for another host prevents any request');
	is($tls{good}->requests, 10, 'a certificate of an unknown authority prevents any request');

	# The file may have been removed, or may not exist on this machine.
	$rows = verdicts('a missing ca_file',
		server('tls_no_file', "base_url 'https://$address', ca_file '/nowhere.pem'"), 'tf--------');
	like($rows->{tls}{detail}, qr{^could not connect to the API\. File "/nowhere\.pem" of option "ca_file" cannot be used: }, 'the detail names the missing ca_file');
	like($rows->{tls}{hint}, qr/ca_file/, 'the hint names ca_file');
	my $failed = $session->query(q(CREATE FOREIGN TABLE no_file (id uuid) SERVER tls_no_file OPTIONS (use_query 'true'); SELECT * FROM no_file));
	is($failed->{sqlstate}, 'HV00N', 'a missing ca_file is an error of a query');
	is($tls{good}->requests, 10, 'a missing ca_file prevents any request');

	my $proxy = Reevo::start_proxy($address);
	$rows = verdicts('a server through a proxy', server('proxied', "base_url 'https://$address', $ca_file, proxy '" . $proxy->url . "'"), 'tttttttttt');
	like($rows->{reach}{detail}, qr/^Connected to 127\.0\.0\.1, port \d+, through the proxy\.$/, 'the detail names the proxy');
	$proxy->stop;
	$_->stop for values %tls;
}

verdicts('a closed proxy port', server('bad_proxy', "base_url 'https://reevo.test', proxy 'http://127.0.0.1:$port{closed}'"), 'f---------');
$rows = verdicts('a proxy that hangs',
	server('silent_proxy', "base_url 'https://reevo.test', proxy 'http://127.0.0.1:$port{blackhole}', $timeouts"), 'tf--------');

# --- No response ---

$rows = verdicts('a server that does not respond', server('mute', "base_url 'http://127.0.0.1:$port{blackhole}', $timeouts"), 't-f-------');
like($rows->{health}{detail}, qr/^API request failed\. .*timed out/, 'the detail names the cause: time-out');
is($rows->{$_}{detail}, 'Skipped because step "health" failed.', "step $_ is not tried") for @STEPS[ 4 .. $#STEPS ];
cmp_ok($rows->{took}, '<', 500 + $BOUND, 'the check waits for request_timeout once');
verdicts('a server without HTTP', server('garbage', "base_url 'http://127.0.0.1:$port{garbage}'"), 't-f-------');

my $slow = server('slow', "base_url '" . $api->url . "', $timeouts");
for my $how (qw(half-body-close half-body-reset cut-json bad-length))
{
	$api->reset;
	$api->behave(qq({"fail_every": 1, "fail_how": "$how", "only": ["query"]}));
	$rows = verdicts("broken queries, $how", $slow, 't-tttfttt-');
	is($api->requests('query'), 1, "$how: the query is not retried");
	is($api->requests('health') . $api->requests('get') . $api->requests('schema'), '121', "$how: the other requests are made");
}
$api->reset;
$api->behave('{"stall": "headers", "only": ["query"]}');
$rows = verdicts('queries without a response', $slow, 't-tttfttt-');
$api->reset;

# --- A cancel is an error, and returns no row ---

sub enter
{
	my ($waiting, $server) = @_;
	$waiting->send(check($server));
	Reevo::wait_until(sub {
		return $admin->query(qq(SELECT count(*) FROM pg_stat_activity
			WHERE pid = $waiting->{backend} AND wait_event_type = 'Extension'))->{out} == 1;
	}) or diag("$server: the check does not reach its wait");
	return;
}

my $long_timeouts = "connect_timeout '60', request_timeout '60'";
my %stage = (
	connect => server('s_connect', "base_url 'http://127.0.0.1:$port{backlog}', $long_timeouts"),
	tls => server('s_tls', "base_url 'https://127.0.0.1:$port{blackhole}', $long_timeouts"),
	map { $_ => server("s_$_", "base_url '" . $api->url . "', $long_timeouts") } qw(health query get schema));

for my $stage (sort keys %stage)
{
	my $stall = sub {
		$api->reset;
		$api->behave(qq({"stall": "headers", "only": ["$stage"]})) unless $stage =~ /^(connect|tls)$/;
	};

	$stall->();
	enter($session, $stage{$stage});
	my $started = time;
	$admin->query("SELECT pg_cancel_backend($session->{backend})");
	my $result = $session->result;
	my $ms = (time - $started) * 1000;
	is($result->{sqlstate}, '57014', "$stage: pg_cancel_backend is an error");
	is($result->{out}, '', "$stage: pg_cancel_backend returns no row");
	cmp_ok($ms, '<', $BOUND, "$stage: pg_cancel_backend takes effect immediately");
	note(sprintf('%s: cancelled after %.0f ms', $stage, $ms));
	$api->reset;
	is($session->query($goes_on)->{out}, '1', "$stage: the session continues");

	$stall->();
	$result = $session->query("SET statement_timeout = '300ms'; " . check($stage{$stage}));
	is($result->{sqlstate}, '57014', "$stage: statement_timeout is an error");
	cmp_ok($result->{ms}, '<', 300 + $BOUND, "$stage: statement_timeout takes effect immediately");

	# In a transaction, the session can roll back to a savepoint.
	$result = $session->query("BEGIN; CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT 7 AS seven; SAVEPOINT s; "
		  . check($stage{$stage}) . '; ROLLBACK TO s; SELECT seven FROM kept');
	is($result->{sqlstate}, '57014', "$stage: statement_timeout in a transaction is an error");
	is($result->{out}, '7', "$stage: the transaction continues from the savepoint");
	$api->reset;
	is($session->query("RESET statement_timeout; SELECT count(*) FROM opportunity_fdw_check('reevo') WHERE ok; COMMIT; $goes_on")->{out},
		"10\n1", "$stage: the session continues after the transaction");
}
ok($api->becomes('in_flight', 0), 'the cancelled requests end at the API');

$api->behave('{"stall": "headers", "only": ["get"]}');
my $result = $session->query(q(SET statement_timeout = '300ms'; DO $$ BEGIN
		PERFORM FROM opportunity_fdw_check('reevo');
		EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'caught %', SQLSTATE;
	END $$; RESET statement_timeout));
is($result->{sqlstate}, '57014', 'PL/pgSQL does not catch a cancel') or diag($result->{err});
$session->query("SET statement_timeout = '300ms'; " . check('s_get') . '; RESET statement_timeout');
$api->reset;
$session->query($goes_on);
$api->behave('{"stall": "headers", "only": ["get"]}');
my $files = Reevo::open_files($session->{backend});
$result = $session->query("SET statement_timeout = '10ms'; " . join('; ', (check('s_get')) x 30));
$session->reset_timeout;
is(scalar(() = $result->{err} =~ /ERROR:  57014/g), 30, 'statement_timeout cancels 30 checks');
$api->reset;
is($session->query($goes_on)->{out}, '1', 'the session continues');
ok(Reevo::wait_until(sub { Reevo::open_files($session->{backend}) <= $files }), 'no file stays open');

$api->behave('{"stall": "headers", "only": ["query"]}');
my $doomed = Reevo::Session->new($node);
enter($doomed, 's_query');
my $started = time;
$admin->query("SELECT pg_terminate_backend($doomed->{backend})");
is($doomed->result->{sqlstate}, '57P01', 'pg_terminate_backend raises admin_shutdown');
ok(Reevo::wait_until(sub { !-e "/proc/$doomed->{backend}" }), 'the backend ends');
cmp_ok((time - $started) * 1000, '<', $BOUND, 'pg_terminate_backend takes effect immediately');
$api->reset;

# --- Read-only transactions, and a standby ---

is($session->query(q(BEGIN READ ONLY; SELECT count(*) FROM opportunity_fdw_check('refused') WHERE NOT ok;
		SELECT pg_current_xact_id_if_assigned() IS NULL; COMMIT))->{out},
	"1\nt", 'the check does not assign a transaction id');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $reader = Reevo::Session->new($standby);
is($reader->query('SELECT pg_is_in_recovery()')->{out}, 't', 'the session is on a hot standby');
is($reader->query("SELECT count(*) FROM opportunity_fdw_check('reevo') WHERE ok")->{out}, '10', 'all steps pass on a hot standby');
is($reader->query("SELECT count(*) FROM opportunity_fdw_check('refused') WHERE NOT ok; $goes_on")->{out}, "1\n1", 'a step fails on a hot standby as on the primary');
$reader->quit;

$_->quit for $session, $admin;
$standby->stop('fast');
$node->stop('fast');

done_testing();
