# SPDX-License-Identifier: PostgreSQL
# Retries by status, by the headers that announce a time, and by quotas: the
# requests that are retried, the waits, and the limits

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Utils;
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

my $read = "SELECT id FROM opportunity WHERE id = '$Reevo::EXAMPLE'";
my $scan = 'SELECT count(*) FROM opportunity';
my $records = 400;
my $api = Reevo::start(records => $records);
my $node = Reevo::cluster('retries');
Reevo::set_up($node, $api->url, "max_retries '5'", "max_retry_wait '60'", "page_size '10'", "max_concurrency '8'");
my $session = Reevo::Session->new($node);

# set(OPTIONS): changes the server's options, as in max_retries => 2.
sub set
{
	my (%options) = @_;
	my $list = join(', ', map { "SET $_ '$options{$_}'" } sort keys %options);
	$session->query("ALTER SERVER reevo OPTIONS ($list)");
	return;
}

# fresh(BEHAVIOUR): closes the connections, and sets the simulator's behaviour.
sub fresh
{
	my ($behaviour) = @_;
	$session->query('SELECT opportunity_fdw_disconnect()');
	$api->reset;
	$api->behave($behaviour);
	return;
}

# within(MS, BEHAVIOUR): returns the result of a read with this behaviour. A busy
# machine can delay a read, so a read that takes longer is repeated twice.
sub within
{
	my ($limit, $behaviour) = @_;
	my $got;
	for (1 .. 3)
	{
		fresh($behaviour);
		$got = $session->query($read);
		last if $got->{ms} < $limit;
	}
	return $got;
}

# Returns the number of the API's responses with a status.
sub responses
{
	my ($status) = @_;
	my ($statuses) = $api->ctl('stats') =~ /"statuses": *\{([^}]*)\}/;
	my %count = $statuses =~ /"(\d+)": *(\d+)/g;
	return $count{$status} // 0;
}

# --- Statuses ---

for my $status (408, 425, 500, 502, 503, 504, 506, 507, 508, 511, 520, 522, 527, 530, 599)
{
	fresh(qq({"fail_first": 1, "fail_status": $status}));
	my $result = $session->query($read);
	is($result->{out}, $Reevo::EXAMPLE, "status $status is retried") or diag($result->{err});
	is($api->requests, 2, "status $status costs two requests");
}
for my $status (400, 402, 409, 413, 418, 423, 424, 426, 451, 501, 505)
{
	fresh(qq({"fail_first": 1, "fail_status": $status}));
	is($session->query($read)->{sqlstate}, 'HV000', "status $status is not retried");
	is($api->requests, 1, "status $status costs one request");
}

# --- Number of attempts, and total wait ---

set(max_retry_wait => '0');
my $result = within(200, '{"status": 500}');
is($api->requests, 6, 'max_retry_wait 0: a failure is retried max_retries times');
cmp_ok($result->{ms}, '<', 200, 'max_retry_wait 0: retries do not wait');
fresh('{"status": 429}');
is($session->query($read)->{sqlstate}, '53400', 'max_retry_wait 0: throttling is an error');
is($api->requests, 1, 'max_retry_wait 0: a throttled request is not retried');

set(max_retry_wait => '1', max_retries => 2);
fresh('{"status": 429}');
$result = $session->query($read);
is($result->{sqlstate}, '53400', 'permanent throttling is an error');
cmp_ok($api->requests, '>', 3, 'permanent throttling: max_retries does not limit the retries');
cmp_ok($result->{ms}, '>', 950, 'permanent throttling: the retries use up max_retry_wait');
cmp_ok($result->{ms}, '<', 2000, 'permanent throttling: the retries stop at max_retry_wait');
fresh('{"status": 500, "retry_after": 0.4}');
$result = $session->query($read);
is($api->requests, 3, 'a failure with Retry-After is retried within max_retry_wait');
cmp_ok($result->{ms}, '>', 790, 'a failure with Retry-After: the wrapper waits as requested');
set(max_retries => 5);
$result = within(1000, '{"status": 429, "retry_after": 0.4}');
is($api->requests, 3, 'the requested waits add up to max_retry_wait');
cmp_ok($result->{ms}, '<', 1000, 'a longer requested wait ends the retries immediately');

# The first retry after a broken transfer is immediate.
set(max_retry_wait => '60');
for my $how (qw(close reset half-body-close cut-json bad-length chunked-cut))
{
	$result = within(150, qq({"fail_first": 1, "fail_how": "$how"}));
	is($api->requests, 2, "$how: one failure costs two requests");
	cmp_ok($result->{ms}, '<', 150, "$how: the first retry does not wait");
	fresh(qq({"fail_first": 2, "fail_how": "$how"}));
	$result = $session->query($read);
	is($api->requests, 3, "$how: two failures cost three requests");
	cmp_ok($result->{ms}, '>', 245, "$how: the second retry backs off");
}

# --- Time of the retry ---

# waits(NAME, BEHAVIOUR, FROM, TO, REQUESTS): checks the time of the retry, in milliseconds.
sub waits
{
	my ($name, $behaviour, $from, $to, $requests) = @_;
	my $got = within($to, "{$behaviour}");
	is($got->{out}, $Reevo::EXAMPLE, "$name: the retry succeeds") or diag($got->{err});
	is($api->requests, $requests // 2, "$name: the number of requests is as expected");
	cmp_ok($got->{ms}, '>=', $from, "$name: the retry is not too early");
	cmp_ok($got->{ms}, '<', $to, "$name: the retry is not too late");
	return;
}

my $once = '"fail_first": 1, "fail_status": 429';
waits('Retry-After with a fraction of a second', qq($once, "retry_after": 0.65), 645, 1000);
for my $skew (0, -86400, 86400, 31536000)
{
	for my $form ('date', 'epoch', 'epoch_ms')
	{
		waits("Retry-After, $form, the API's clock $skew s ahead",
			qq($once, "retry_after": "$form", "retry_after_date_in": 1, "date_skew": $skew), 400, 2300);
	}
}
for my $text ('-5', 'soon, maybe', '0', '1 s', '1e1', '0x10', 'Sun', '', '12:00')
{
	waits("Retry-After: $text", qq($once, "retry_after": "$text"), 240, 700);
}
waits('a 403 with Retry-After', '"fail_first": 1, "fail_status": 403, "retry_after": 0.3', 295, 700);
fresh('{"fail_first": 1, "fail_status": 403}');
is($session->query($read)->{sqlstate}, '42501', 'a 403 without Retry-After is not retried');

# The first statement spends the quota of one request.
for my $header ('X-RateLimit-Reset', 'X-RateLimit-Reset-epoch', 'X-RateLimit-Reset-ms', 'RateLimit-Reset',
	'RateLimit', 'RateLimit-old')
{
	for my $skew (0, -86400)
	{
		fresh(qq({"quota_requests": 1, "quota_seconds": 2, "quota_header": "$header", "date_skew": $skew}));
		$session->query($read);
		$result = $session->query("$read AND true");
		is($result->{out}, $Reevo::EXAMPLE, "$header, skew $skew: the retry succeeds") or diag($result->{err});
		is(responses(429), 1, "$header, skew $skew: the API throttles once");
		cmp_ok($result->{ms}, '>', 900, "$header, skew $skew: the retry is not too early");
		cmp_ok($result->{ms}, '<', 3500, "$header, skew $skew: the retry is not too late");
	}
}

# is_beyond(NAME, HEADERS): a requested wait above max_retry_wait is an error
# immediately.
sub is_beyond
{
	my ($name, $headers) = @_;
	my $got = within(500, qq({"status": 429, "headers": {$headers}}));
	is($got->{sqlstate}, '53400', "$name: the wait is an error");
	is($api->requests, 1, "$name: the error costs one request");
	cmp_ok($got->{ms}, '<', 500, "$name: the error is immediate");
	return;
}
is_beyond('the longest of several policies', '"RateLimit": "\"burst\";r=0;t=1, \"daily\";r=0;t=3600"');
is_beyond('a policy in the older format', '"RateLimit": "limit=10, remaining=0, reset=3600"');
is_beyond('a reset with a fraction', '"X-RateLimit-Reset": "3600.5"');
is_beyond('a Retry-After with many digits', '"Retry-After": "99999999999999999999999999"');
waits('a policy with remaining requests does not count',
	'"fail_first": 1, "fail_status": 429, "headers": {"RateLimit": "\"burst\";r=0;t=1, \"daily\";r=7;t=3600"}', 990, 1500);
waits('a quota header does not delay the retry of a failure',
	'"fail_first": 1, "fail_status": 500, "headers": {"X-RateLimit-Reset": "3600"}', 240, 700);

# --- Quotas ---

for my $case ([ 30, 4, 8, 16 ], [ 12, 3, 8, 60 ])
{
	my ($quota, $seconds, $readers, $most) = @$case;
	my $name = "$quota requests in $seconds s, $readers readers";
	set(max_concurrency => $readers);
	fresh(qq({"quota_requests": $quota, "quota_seconds": $seconds}));
	$result = $session->query($scan);
	is($result->{out}, $records, $name) or diag($result->{err});
	cmp_ok(responses(429), '<=', $most, "$name: the API throttles few requests");
	note(sprintf('%s: %d throttled, %.1f s', $name, responses(429), $result->{ms} / 1000));
}

# --- Recovery: a session is as fast as before ---

for my $throttled ('"rate_limit": 5', '"rate_limit": 5, "retry_after": 1',
	'"quota_requests": 5, "quota_seconds": 1', '"status": 429', '"status": 429, "retry_after": 1')
{
	my %took;
	for my $what ('a new session', 'the same session')
	{
		fresh('{}');
		$session->query($read);
		if ($what eq 'the same session')
		{
			$api->behave("{$throttled}");
			$session->query("SET statement_timeout = '4s'; $scan; RESET statement_timeout");
			$api->reset;
			sleep 3;
		}
		$api->behave('{"delay_ms": 30}');
		$result = $session->query($scan);
		is($result->{out}, $records, "$throttled: $what reads all records");
		my ($most) = $api->ctl('stats') =~ /"max_in_flight": *(\d+)/;
		$took{$what} = [ $result->{ms}, $most, $api->requests ];
	}
	my ($new, $same) = @took{ 'a new session', 'the same session' };
	cmp_ok($same->[0], '<', 1.5 * $new->[0] + 100, "$throttled: the same session is as fast as a new one");
	cmp_ok($same->[1], '>=', $new->[1] - 1, "$throttled: the same session has as many requests in flight");
	cmp_ok($same->[2], '<=', $new->[2] + 1, "$throttled: the same session makes no additional requests");
}

# --- Proxies, and interim responses ---

# serve(RESPONSE...): starts a server that sends the next response to each
# connection, and then ends. It writes the requests to the file $seen.
my $seen = "$PostgreSQL::Test::Utils::tmp_check/seen";
sub serve
{
	my (@responses) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10)
	  or die "cannot listen: $!";
	open(my $file, '>', $seen) or die "$seen: $!";
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		Reevo::leave_simulators();
		alarm $Reevo::TIMEOUT;
		for my $response (@responses)
		{
			my $client = $listener->accept or last;
			my $head = '';
			until ($head =~ /\r\n\r\n/)
			{
				sysread($client, $head, 65536, length $head) or last;
			}
			syswrite($file, $head);
			syswrite($client, $response);
		}
		POSIX::_exit(0);
	}
	return ($listener->sockport, $pid);
}

# read_through(OPTIONS, RESPONSE...): reads a record from such a server, whose port
# replaces {port} in OPTIONS. Returns the result.
sub read_through
{
	my ($options, @responses) = @_;
	my ($port, $pid) = serve(@responses);
	$options =~ s/\{port\}/$port/;
	$session->query("DROP SERVER IF EXISTS raw CASCADE");
	$session->query(qq(
		CREATE SERVER raw FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER raw
			OPTIONS (api_key 'test-key', proxy_user 'sesame', proxy_password 'open:it');
		CREATE FOREIGN TABLE raw (id uuid) SERVER raw));
	my $got = $session->query("SELECT id FROM raw WHERE id = '$Reevo::EXAMPLE'");
	kill 'KILL', $pid;
	waitpid $pid, 0;
	$got->{sent} = Reevo::slurp($seen);
	return $got;
}

sub response
{
	my ($head, $body) = @_;
	$body //= '';
	return "HTTP/1.1 $head\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

my $fine = response('200 OK', qq({"data":{"id":"$Reevo::EXAMPLE","attributes":{}}}));
my $through = "base_url 'https://reevo.test', proxy 'http://127.0.0.1:{port}', max_retries '2'";
for my $status (400, 403, 404, 407, 429)
{
	my $got = read_through($through, (response("$status No\r\nRetry-After: 1\r\nProxy-Authenticate: Basic realm=\"open:it\"")) x 3);
	is($got->{sqlstate}, 'HV00N', "CONNECT, status $status");
	is($got->{message}, "proxy rejected the connection: HTTP status $status", "CONNECT, status $status: message");
	like($got->{detail}, qr{^Proxy "http://127\.0\.0\.1:\d+" rejected the CONNECT request\.$}, "CONNECT, status $status: detail");
	like($got->{hint}, qr/"proxy".* "proxy_user" and "proxy_password"/, "CONNECT, status $status: hint");
	is(scalar(() = $got->{sent} =~ /^CONNECT /mg), 1, "CONNECT, status $status: one attempt");
	unlike($got->{err}, qr/open:it|test-key/, "CONNECT, status $status: no secret is shown");
	like($got->{sent}, qr/^Proxy-Authorization: Basic c2VzYW1lOm9wZW46aXQ=\r$/m, 'the proxy receives the credentials');
	unlike($got->{sent}, qr/test-key/, 'the proxy does not receive the API key');
}
my $got = read_through("$through, max_retry_wait '0.1'", (response("502 No\r\nRetry-After: 3600")) x 3);
is($got->{sqlstate}, 'HV00N', 'CONNECT, status 502') or diag($got->{err});
is(scalar(() = $got->{sent} =~ /^CONNECT /mg), 3, 'CONNECT, status 502: the request is retried');
$got = read_through($through, (response('501 No')) x 3);
is($got->{sqlstate}, 'HV00N', 'CONNECT, status 501') or diag($got->{err});
is(scalar(() = $got->{sent} =~ /^CONNECT /mg), 1, 'CONNECT, status 501: the request is not retried');
$got = read_through("base_url 'http://127.0.0.1:1', proxy 'http://127.0.0.1:{port}'", response('407 No', 'open:it'));
is($got->{message}, 'proxy rejected the connection: HTTP status 407', 'a request through a proxy');
like($got->{detail}, qr{^Proxy "http://127\.0\.0\.1:\d+" rejected the request\.$}, 'a request through a proxy: detail');

my $raw = "base_url 'http://127.0.0.1:{port}', max_retry_wait '20'";
$got = read_through($raw, "HTTP/1.1 103 Early Hints\r\nRetry-After: 3600\r\n\r\n" . response('503 Not now'), $fine);
is($got->{out}, $Reevo::EXAMPLE, 'the headers of an interim response do not count') or diag($got->{err});
$got = read_through($raw, response("503 Not now\r\nretry-after:\t 0.3 \r\nRetry-After-Else: 3600"), $fine);
is($got->{out}, $Reevo::EXAMPLE, 'Retry-After in lower case is recognized') or diag($got->{err});
cmp_ok($got->{ms}, '>', 295, 'Retry-After in lower case delays the retry');
$got = read_through($raw, response("503 Not now\r\nRetry-After: " . '1' x 300), $fine);
is($got->{out}, $Reevo::EXAMPLE, 'a Retry-After that is too long does not count') or diag($got->{err});

# --- A missing ca_file ---

my $ca_file = "$PostgreSQL::Test::Utils::tmp_check/ca.pem";
$got = read_through("base_url 'https://127.0.0.1:{port}', ca_file '$ca_file'", $fine);
is($got->{sqlstate}, 'HV00N', 'a missing ca_file');
is($got->{message}, 'could not connect to the API', 'a missing ca_file: message');
like($got->{detail}, qr/^File "\Q$ca_file\E" of option "ca_file" cannot be used: .+\.$/, 'a missing ca_file: detail');
unlike($got->{sent}, qr/GET|test-key/, 'a missing ca_file prevents any request');

# --- Child processes do not inherit connections ---

fresh('{}');
$session->query($read);
my ($port) = $api->url =~ /(\d+)$/;
my $remote = sprintf(':%04X', $port);
my %is_connection = map { (split)[9] => 1 } grep { (split)[2] =~ /$remote$/ } split(/\n/, Reevo::slurp('/proc/net/tcp'));
my @flags;
for my $number (map { m{(\d+)$} } glob("/proc/$session->{backend}/fd/*"))
{
	my ($inode) = (readlink("/proc/$session->{backend}/fd/$number") // '') =~ /^socket:\[(\d+)\]/;
	next unless defined $inode && $is_connection{$inode};
	push @flags, oct((Reevo::slurp("/proc/$session->{backend}/fdinfo/$number") =~ /^flags:\s*(\d+)/m)[0]);
}
cmp_ok(scalar @flags, '>', 0, 'the session keeps its connection');
is(scalar(grep { !($_ & 02000000) } @flags), 0, 'a program of COPY does not inherit the connection');

$session->quit;
$node->stop('fast');

done_testing();
