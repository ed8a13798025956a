# SPDX-License-Identifier: PostgreSQL
# Which requests are tried again, when, and for how long: by status, by the
# headers that say when to come back, and by quotas.

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

# fresh(BEHAVIOUR): new connections, and the API as told.
sub fresh
{
	my ($behaviour) = @_;
	$session->query('SELECT opportunity_fdw_disconnect()');
	$api->reset;
	$api->behave($behaviour);
	return;
}

# How many responses of a status the API gave.
sub responses
{
	my ($status) = @_;
	my ($statuses) = $api->ctl('stats') =~ /"statuses": *\{([^}]*)\}/;
	my %count = $statuses =~ /"(\d+)": *(\d+)/g;
	return $count{$status} // 0;
}

# --- Which statuses ---

for my $status (408, 425, 500, 502, 503, 504, 506, 507, 508, 511, 520, 522, 527, 530, 599)
{
	fresh(qq({"fail_first": 1, "fail_status": $status}));
	my $result = $session->query($read);
	is($result->{out}, $Reevo::EXAMPLE, "status $status is tried again") or diag($result->{err});
	is($api->requests, 2, "status $status: two requests");
}
for my $status (400, 402, 409, 413, 418, 423, 424, 426, 451, 501, 505)
{
	fresh(qq({"fail_first": 1, "fail_status": $status}));
	is($session->query($read)->{sqlstate}, 'HV000', "status $status is final");
	is($api->requests, 1, "status $status: one request");
}

# --- How many attempts, and how long ---

set(max_retry_wait => '0');
fresh('{"status": 500}');
my $result = $session->query($read);
is($api->requests, 6, 'a wait of zero: a failure is tried again as often as max_retries says');
cmp_ok($result->{ms}, '<', 200, 'a wait of zero: without a pause');
fresh('{"status": 429}');
is($session->query($read)->{sqlstate}, '53400', 'a wait of zero: throttled');
is($api->requests, 1, 'a wait of zero: who is throttled is not tried again');

set(max_retry_wait => '1', max_retries => 2);
fresh('{"status": 429}');
$result = $session->query($read);
is($result->{sqlstate}, '53400', 'throttled for good');
cmp_ok($api->requests, '>', 3, 'throttled for good: max_retries is no limit');
cmp_ok($result->{ms}, '>', 950, 'throttled for good: until max_retry_wait is spent');
cmp_ok($result->{ms}, '<', 2000, 'throttled for good: and no longer');
fresh('{"status": 500, "retry_after": 0.4}');
$result = $session->query($read);
is($api->requests, 3, 'a failure with Retry-After');
cmp_ok($result->{ms}, '>', 790, 'a failure with Retry-After: it is obeyed');
set(max_retries => 5);
fresh('{"status": 429, "retry_after": 0.4}');
$result = $session->query($read);
is($api->requests, 3, 'pauses that the API asks for add up to max_retry_wait');
cmp_ok($result->{ms}, '<', 1000, 'a pause beyond it ends the retries at once');

# A transfer that breaks is tried again at once, the first time.
set(max_retry_wait => '60');
for my $how (qw(close reset half-body-close cut-json bad-length chunked-cut))
{
	fresh(qq({"fail_first": 1, "fail_how": "$how"}));
	$result = $session->query($read);
	is($api->requests, 2, "$how: two requests");
	cmp_ok($result->{ms}, '<', 150, "$how: the first retry waits for nothing");
	fresh(qq({"fail_first": 2, "fail_how": "$how"}));
	$result = $session->query($read);
	is($api->requests, 3, "$how: three requests");
	cmp_ok($result->{ms}, '>', 245, "$how: the second one backs off");
}

# --- When to come back ---

# waits(NAME, BEHAVIOUR, FROM, TO, REQUESTS): how long the first requests are not tried again.
sub waits
{
	my ($name, $behaviour, $from, $to, $requests) = @_;
	fresh("{$behaviour}");
	my $got = $session->query($read);
	is($got->{out}, $Reevo::EXAMPLE, $name) or diag($got->{err});
	is($api->requests, $requests // 2, "$name: requests");
	cmp_ok($got->{ms}, '>=', $from, "$name: not before");
	cmp_ok($got->{ms}, '<', $to, "$name: soon after");
	return;
}

my $once = '"fail_first": 1, "fail_status": 429';
waits('a fraction of a second', qq($once, "retry_after": 0.65), 645, 1000);
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
is($session->query($read)->{sqlstate}, '42501', 'a 403 without it is a refusal');

# The quota's only request of a second is spent before.
for my $header ('X-RateLimit-Reset', 'X-RateLimit-Reset-epoch', 'X-RateLimit-Reset-ms', 'RateLimit-Reset',
	'RateLimit', 'RateLimit-old')
{
	for my $skew (0, -86400)
	{
		fresh(qq({"quota_requests": 1, "quota_seconds": 2, "quota_header": "$header", "date_skew": $skew}));
		$session->query($read);
		$result = $session->query("$read AND true");
		is($result->{out}, $Reevo::EXAMPLE, "$header, skew $skew") or diag($result->{err});
		is(responses(429), 1, "$header, skew $skew: refused once");
		cmp_ok($result->{ms}, '>', 900, "$header, skew $skew: not before");
		cmp_ok($result->{ms}, '<', 3500, "$header, skew $skew: soon after");
	}
}

# limit(NAME, HEADERS): what asks for more than max_retry_wait is an error at once.
sub is_beyond
{
	my ($name, $headers) = @_;
	fresh(qq({"status": 429, "headers": {$headers}}));
	my $got = $session->query($read);
	is($got->{sqlstate}, '53400', $name);
	is($api->requests, 1, "$name: one request");
	cmp_ok($got->{ms}, '<', 500, "$name: at once");
	return;
}
is_beyond('several policies: the longest', '"RateLimit": "\"burst\";r=0;t=1, \"daily\";r=0;t=3600"');
is_beyond('several policies, in the older form', '"RateLimit": "limit=10, remaining=0, reset=3600"');
is_beyond('a reset in fractions', '"X-RateLimit-Reset": "3600.5"');
is_beyond('a Retry-After of many digits', '"Retry-After": "99999999999999999999999999"');
waits('a policy that has requests left does not count',
	'"fail_first": 1, "fail_status": 429, "headers": {"RateLimit": "\"burst\";r=0;t=1, \"daily\";r=7;t=3600"}', 990, 1500);
waits('a failure that is no throttling is not told by a quota',
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
	cmp_ok(responses(429), '<=', $most, "$name: few requests are wasted");
	note(sprintf('%s: %d refused, %.1f s', $name, responses(429), $result->{ms} / 1000));
}

# --- As fast as before, once the API has recovered ---

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
		is($result->{out}, $records, "$throttled: $what");
		my ($most) = $api->ctl('stats') =~ /"max_in_flight": *(\d+)/;
		$took{$what} = [ $result->{ms}, $most, $api->requests ];
	}
	my ($new, $same) = @took{ 'a new session', 'the same session' };
	cmp_ok($same->[0], '<', 1.5 * $new->[0] + 100, "$throttled: the same session is as fast as a new one");
	cmp_ok($same->[1], '>=', $new->[1] - 1, "$throttled: and sends as many requests in parallel");
	cmp_ok($same->[2], '<=', $new->[2] + 1, "$throttled: and no more of them");
}

# --- Proxies, and what comes before a response ---

# serve(ANSWER...): a server that gives each connection the next answer, and then
# ends; what it was sent comes to the file $seen.
my $seen = "$PostgreSQL::Test::Utils::tmp_check/seen";
sub serve
{
	my (@answers) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10)
	  or die "cannot listen: $!";
	open(my $file, '>', $seen) or die "$seen: $!";
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		Reevo::forget_simulators();
		alarm $Reevo::TIMEOUT;
		for my $answer (@answers)
		{
			my $client = $listener->accept or last;
			my $head = '';
			until ($head =~ /\r\n\r\n/)
			{
				sysread($client, $head, 65536, length $head) or last;
			}
			syswrite($file, $head);
			syswrite($client, $answer);
		}
		POSIX::_exit(0);
	}
	return ($listener->sockport, $pid);
}

# ask(OPTIONS, ANSWER...): what a record is read from; {port} is that of the server.
sub ask
{
	my ($options, @answers) = @_;
	my ($port, $pid) = serve(@answers);
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

sub answer
{
	my ($head, $body) = @_;
	$body //= '';
	return "HTTP/1.1 $head\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

my $fine = answer('200 OK', qq({"data":{"id":"$Reevo::EXAMPLE","attributes":{}}}));
my $through = "base_url 'https://reevo.test', proxy 'http://127.0.0.1:{port}', max_retries '2'";
for my $status (400, 403, 404, 407, 429)
{
	my $got = ask($through, (answer("$status No\r\nRetry-After: 1\r\nProxy-Authenticate: Basic realm=\"open:it\"")) x 3);
	is($got->{sqlstate}, 'HV00N', "CONNECT, status $status");
	is($got->{message}, "proxy rejected the connection: HTTP status $status", "CONNECT, status $status: message");
	like($got->{detail}, qr{^Proxy "http://127\.0\.0\.1:\d+" rejected the CONNECT request\.$}, "CONNECT, status $status: detail");
	like($got->{hint}, qr/"proxy".* "proxy_user" and "proxy_password"/, "CONNECT, status $status: hint");
	is(scalar(() = $got->{sent} =~ /^CONNECT /mg), 1, "CONNECT, status $status: one attempt");
	unlike($got->{err}, qr/open:it|test-key/, "CONNECT, status $status: no secret is shown");
	like($got->{sent}, qr/^Proxy-Authorization: Basic c2VzYW1lOm9wZW46aXQ=\r$/m, 'the proxy gets the credentials');
	unlike($got->{sent}, qr/test-key/, 'and not the key');
}
my $got = ask("$through, max_retry_wait '0.1'", (answer("502 No\r\nRetry-After: 3600")) x 3);
is($got->{sqlstate}, 'HV00N', 'CONNECT, status 502') or diag($got->{err});
is(scalar(() = $got->{sent} =~ /^CONNECT /mg), 3, 'CONNECT, status 502: it is tried again');
$got = ask($through, (answer('501 No')) x 3);
is($got->{sqlstate}, 'HV00N', 'CONNECT, status 501') or diag($got->{err});
is(scalar(() = $got->{sent} =~ /^CONNECT /mg), 1, 'CONNECT, status 501: it is final');
$got = ask("base_url 'http://127.0.0.1:1', proxy 'http://127.0.0.1:{port}'", answer('407 No', 'open:it'));
is($got->{message}, 'proxy rejected the connection: HTTP status 407', 'a request through a proxy');
like($got->{detail}, qr{^Proxy "http://127\.0\.0\.1:\d+" rejected the request\.$}, 'a request through a proxy: detail');

my $raw = "base_url 'http://127.0.0.1:{port}', max_retry_wait '20'";
$got = ask($raw, "HTTP/1.1 103 Early Hints\r\nRetry-After: 3600\r\n\r\n" . answer('503 Not now'), $fine);
is($got->{out}, $Reevo::EXAMPLE, 'what comes with an interim response does not count') or diag($got->{err});
$got = ask($raw, answer("503 Not now\r\nretry-after:\t 0.3 \r\nRetry-After-Else: 3600"), $fine);
is($got->{out}, $Reevo::EXAMPLE, 'a header in another case') or diag($got->{err});
cmp_ok($got->{ms}, '>', 295, 'is obeyed');
$got = ask($raw, answer("503 Not now\r\nRetry-After: " . '1' x 300), $fine);
is($got->{out}, $Reevo::EXAMPLE, 'a header that is too long does not count') or diag($got->{err});

# --- A file of certificates that is gone ---

my $ca_file = "$PostgreSQL::Test::Utils::tmp_check/ca.pem";
$got = ask("base_url 'https://127.0.0.1:{port}', ca_file '$ca_file'", $fine);
is($got->{sqlstate}, 'HV00N', 'a missing ca_file');
is($got->{message}, 'could not connect to the API', 'a missing ca_file: message');
like($got->{detail}, qr/^File "\Q$ca_file\E" of option "ca_file" cannot be used: .+\.$/, 'a missing ca_file: detail');
unlike($got->{sent}, qr/GET|test-key/, 'a missing ca_file: nothing is requested');

# --- Programs that PostgreSQL runs get no connection ---

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
cmp_ok(scalar @flags, '>', 0, 'the session keeps a connection');
is(scalar(grep { !($_ & 02000000) } @flags), 0, 'which no program of COPY inherits');

$session->quit;
$node->stop('fast');

done_testing();
