# SPDX-License-Identifier: PostgreSQL
# Each failure has its SQLSTATE, message, detail and hint. Transient failures are
# retried, a given number of times, and a successful retry returns the row.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $other_id = Reevo::id(1);
my $api = Reevo::start();
my $node = Reevo::cluster('errors');

# This test does not need long waits between retries.
Reevo::set_up($node, $api->url, "max_retries '2'", "max_retry_wait '0.05'",
	"request_timeout '30'", "max_response_size '1'");
my $session = Reevo::Session->new($node);

my $read = "SELECT display_name FROM opportunity WHERE id = '$id'";
my $name = $session->query($read)->{out};
isnt($name, '', 'the server returns the record');

# fails_with(NAME, SQL, SQLSTATE, MESSAGE, DETAIL, HINT): the last three are
# patterns. Without HINT, the error must not have a hint. Returns the result.
sub fails_with
{
	my ($what, $sql, $sqlstate, $message, $detail, $hint) = @_;
	my $result = $session->query($sql);
	subtest $what => sub {
		is($result->{sqlstate}, $sqlstate, 'SQLSTATE');
		like($result->{message}, $message, 'message');
		like($result->{detail}, $detail, 'detail');
		like($result->{hint}, defined $hint ? $hint : qr/^$/, 'hint');
		is($result->{out}, '', 'no row');
		unlike($result->{err}, qr/test-key/, 'the error does not contain the API key');
	} or diag($result->{err});
	return $result;
}

# read_spends(NAME, REQUESTS, FAILS_WITH...): also closes the connections first,
# because libcurl itself retries a request on a closed connection. REQUESTS may be an
# array of the least and the largest number.
sub read_spends
{
	my ($what, $requests, @expected) = @_;
	$session->query('SELECT opportunity_fdw_disconnect()');
	my $before = $api->requests;
	my $result = fails_with($what, $read, @expected);
	my ($least, $most) = ref $requests ? @$requests : ($requests) x 2;
	my $spent = $api->requests - $before;
	ok($spent >= $least && $spent <= $most, "$what: " . join(' to ', ref $requests ? @$requests : $requests) . ' requests')
	  or diag("$spent requests");
	$api->reset;
	return $result;
}

# server(NAME, OPTIONS): creates another server with a user mapping and the table
# NAME. Returns a query.
sub server
{
	my ($server, $options) = @_;
	$node->safe_psql('postgres', qq(
		CREATE SERVER $server FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE $server (id uuid, display_name text) SERVER $server;));
	return "SELECT display_name FROM $server WHERE id = '$id'";
}

my $retry = "max_retries '1', max_retry_wait '0.05'";
my $not_connected = qr/^could not connect to the API$/;
my $check_server = qr/base_url.*ca_file/;

# --- No connection ---

# A label that is too long for DNS, so that libcurl does not query a name server
my $long = ('a' x 70) . '.invalid';
fails_with('a host that does not resolve', server('nowhere', "base_url 'https://$long', $retry"),
	'HV00N', $not_connected, qr/^The connection to host "\Q$long\E" failed after 1 attempt: .*resolve/, $check_server);
fails_with('a closed port',
	server('refused', sprintf("base_url 'http://127.0.0.1:%d', $retry", $api->port('closed_port'))),
	'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 2 attempts: .*connect/, $check_server);
fails_with('a connection attempt that hangs',
	server('hanging', sprintf("base_url 'http://127.0.0.1:%d', $retry, connect_timeout '0.2'",
			$api->port('backlog_port'))),
	'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 2 attempts: /, $check_server);
fails_with('a closed proxy port',
	server('bad_proxy', sprintf("base_url 'https://reevo.test', $retry, proxy 'http://127.0.0.1:%d'",
			$api->port('closed_port'))),
	'HV00N', $not_connected, qr/^The connection to host "reevo\.test" failed after 2 attempts: /, $check_server);

# --- TLS ---

(my $plain_port = $api->url) =~ s/.*://;
fails_with('TLS to a server without TLS',
	server('no_tls', "base_url 'https://127.0.0.1:$plain_port', $retry, connect_timeout '0.3'"),
	'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after /, $check_server);
fails_with('TLS to a port with another protocol',
	server('garbage_tls', sprintf("base_url 'https://127.0.0.1:%d', $retry", $api->port('garbage_port'))),
	'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after /, $check_server);
fails_with('a TLS handshake that hangs',
	server('silent_tls', sprintf("base_url 'https://127.0.0.1:%d', $retry, connect_timeout '0.3'",
			$api->port('blackhole_port'))),
	'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 2 attempts: /, $check_server);

SKIP:
{
	skip 'the openssl command is missing', 1 unless Reevo::have_openssl();
	my $certificates = Reevo::certificates(
		good => 'IP:127.0.0.1',
		elsewhere => 'DNS:api.example',
		expired => [ 'IP:127.0.0.1', -1 ]);
	my $ca_file = "ca_file '$certificates/ca.pem'";
	my %tls = map {
		$_ => Reevo::start(tls => [ "$certificates/$_.pem", "$certificates/$_.key" ], records => 1)
	} qw(good elsewhere expired);

	is($session->query(server('tls_good', "base_url '" . $tls{good}->url . "', $ca_file"))->{out},
		$name, 'TLS accepts a certificate signed by ca_file');
	fails_with('a certificate of an unknown authority',
		server('tls_unknown', "base_url '" . $tls{good}->url . "', $retry"),
		'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 1 attempt: .*certificate/i, $check_server);
	fails_with('a certificate for another host',
		server('tls_elsewhere', "base_url '" . $tls{elsewhere}->url . "', $ca_file, $retry"),
		'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 1 attempt: /, $check_server);
	fails_with('an expired certificate',
		server('tls_expired', "base_url '" . $tls{expired}->url . "', $ca_file, $retry"),
		'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 1 attempt: .*certificate/i, $check_server);
	is($tls{$_}->requests, 0, "$_: an invalid certificate prevents any request")
	  for qw(elsewhere expired);
	is($tls{good}->requests, 1, 'good: the server receives one request');
	$_->stop for values %tls;
}

# --- Broken connections and timeouts ---

my $failed = qr/^API request failed$/;
my $three = qr/^The request to host "127\.0\.0\.1" failed after 3 attempts: /;
my $limits = qr/request_timeout.*max_retries/;

for my $how (qw(close reset half-body-close half-body-reset cut-json bad-length chunked-cut))
{
	$api->behave(qq({"fail_every": 1, "fail_how": "$how"}));
	read_spends("permanent failure: $how", 3, '08006', $failed, $three, $limits);
}

my $slow = server('slow', "base_url '" . $api->url . "', $retry, request_timeout '0.3', use_query 'false'");
for my $stall (qw(headers mid-headers body))
{
	$api->behave(qq({"stall": "$stall"}));
	fails_with("request_timeout: $stall", $slow, '08006', $failed,
		qr/^The request to host "127\.0\.0\.1" failed after 2 attempts: .*timed out/, $limits);
	$api->reset;
}

# A body that would take two minutes is rejected after some seconds, even with a
# long request_timeout.
my $dripping = server('dripping', "base_url '" . $api->url . "', max_retries '0', request_timeout '300', use_query 'false'");
$api->behave('{"drip": 50}');
fails_with('a slow body', $dripping, '08006', $failed, qr/^The request to host "127\.0\.0\.1" failed after 1 attempt: the response is too slow\.$/, $limits);
$api->reset;

# A response that arrives while a cursor is idle is in time. Only the wait counts
# against request_timeout.
$api->behave('{"delay_ms": 150}');
$session->query('SELECT opportunity_fdw_disconnect()');
my $before = $api->requests;
my $five_ids = join(', ', map { "'" . Reevo::id($_) . "'" } 1 .. 5);
my $idle = $session->query("BEGIN; DECLARE idle CURSOR FOR SELECT id FROM slow WHERE id IN ($five_ids);
	FETCH 1 FROM idle; SELECT pg_sleep(0.7); FETCH ALL FROM idle; COMMIT");
is(scalar(() = $idle->{out} =~ /^[0-9a-f-]{36}$/mg), 5,
	'request_timeout does not count while a cursor is idle') or diag($idle->{err});
is($api->requests - $before, 5, 'idle cursor: no request is repeated');
$api->reset;

fails_with('a response that is not HTTP',
	server('garbage', sprintf("base_url 'http://127.0.0.1:%d', $retry", $api->port('garbage_port'))),
	'08P01', qr/^API response is not HTTP$/, qr/^Reading the response of host "127\.0\.0\.1" failed: /, qr/base_url/);

# --- Successful retries ---

for my $how (qw(close reset half-body-close half-body-reset cut-json bad-length chunked-cut))
{
	$api->behave(qq({"fail_first": 2, "fail_how": "$how"}));
	$session->query('SELECT opportunity_fdw_disconnect()');
	is($session->query($read)->{out}, $name, "the third attempt returns the row: $how");
	is($api->requests, 3, "$how: the statement makes three requests");
	$api->reset;
}
for my $status (429, 502, 503, 504)
{
	$api->behave(qq({"fail_first": 2, "fail_how": "status", "fail_status": $status}));
	$session->query('SELECT opportunity_fdw_disconnect()');
	is($session->query($read)->{out}, $name, "the third attempt returns the row: $status");
	is($api->requests, 3, "$status: the statement makes three requests");
	$api->reset;
}
$api->behave('{"fail_first": 1, "fail_how": "stall"}');
is($session->query($slow)->{out}, $name, 'a retry after a stall returns the row');
$api->reset;

# Every third request fails. The 20 records are complete and distinct.
server('many_retries', "base_url '" . $api->url . "', max_retries '50', max_retry_wait '0.05'");
$api->behave('{"fail_every": 3, "fail_how": "half-body-reset"}');
my $twenty_ids = join(', ', map { "'" . Reevo::id($_) . "'" } 1 .. 20);
my $twenty = $session->query("SELECT count(*), count(DISTINCT id) FROM many_retries WHERE id IN ($twenty_ids)");
is($twenty->{out}, '20|20', 'retries return all records once while every third request fails') or diag($twenty->{err});
$api->reset;

# --- 401, 403 ---

my $key_of = sub {
	$session->query("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key '$_[0]')");
};
$key_of->('nonsense-key');
read_spends('an unknown API key', 1, '28000', qr/^API rejected the API key: HTTP status 401$/,
	qr/^The response reports error "UnauthorizedError": Invalid API key$/, qr/user mapping option \"api_key\"/);
$key_of->('expired-key');
read_spends('an expired API key', 1, '28000', qr/^API rejected the API key: HTTP status 401$/,
	qr/^The response reports error "api_key_expired": The API key has expired\.$/, qr/user mapping option \"api_key\"/);
$key_of->('no-permission');
read_spends('an API key without permission', 1, '42501', qr/^API key lacks a permission: HTTP status 403$/,
	qr/^The response reports error "permission_denied": The API key lacks the permission "Opportunities: read"\.$/,
	qr/permission/);
$key_of->('test-key');

# --- 404 ---

my $nobody = "SELECT count(*) FROM opportunity WHERE id = '99999999-0000-4000-8000-000000000000'";
for my $form (qw(code flat detail string))
{
	$api->behave(qq({"not_found_form": "$form"}));
	is($session->query($nobody)->{out}, '0', "a 404 ($form) returns no row");
	is($api->requests('get') . '+' . $api->requests('health'), '1+0', "a 404 ($form) costs one request");
	$api->reset;
}

$api->behave('{"fail_first": 2, "fail_how": "cut-json"}');
is($session->query($nobody)->{out}, '0', 'a truncated 404 is retried, and returns no row');
is($api->requests, 3, 'two truncated 404s cost three requests');
$api->reset;
$api->behave('{"fail_every": 1, "fail_how": "cut-json"}');
fails_with('a 404 that is always truncated', $nobody, '08006', $failed, $three, $limits);
$api->reset;

my $no_records = qr/^record type "opportunity" not found: HTTP status 4(04|10)$/;
my $which = qr/base_url.*record_type/;

$session->query('SELECT opportunity_fdw_disconnect()');
$api->behave('{"not_found_form": "bare"}');
is($session->query($nobody)->{out}, '0', 'a bare 404 returns no row, because a query confirms the path');
is($session->query($nobody)->{out}, '0', 'a second bare 404 returns no row');
is(join('+', map { $api->requests($_) } qw(get query health)), '2+1+0', 'bare 404s cost one query for each session');
$api->reset;

# With use_query 'false', the health endpoint shows whether the API works.
my $by_id = "base_url '" . $api->url . "', use_query 'false'";
my $unqueried = server('unqueried', $by_id) =~ s/'[^']*'$/'99999999-0000-4000-8000-000000000000'/r;
$api->behave('{"not_found_form": "bare"}');
is($session->query($unqueried)->{sqlstate}, '', 'a bare 404 without queries returns no row if the API is healthy');
is($session->query($unqueried)->{sqlstate}, '', 'a second bare 404 without queries returns no row');
is(join('+', map { $api->requests($_) } qw(get query health)), '2+0+1', 'bare 404s without queries cost one health request for each session');
like($api->ctl('stats'), qr{"path":\s*"/api/v2/health"}, 'the health request has the documented path');
$api->reset;

$session->query('SELECT opportunity_fdw_disconnect()');
$api->behave('{"not_found_form": "bare", "healthy": false}');
my $no_retries = server('no_retries', "$by_id, max_retries '0', max_retry_wait '0.05'") =~ s/'[^']*'$/'99999999-0000-4000-8000-000000000000'/r;
fails_with('a bare 404 while the health endpoint fails', $no_retries, '53400',
	qr/^API is throttling requests: HTTP status 503$/, qr/^The response starts with: /, qr/max_retry_wait/);
$api->behave('{"not_found_form": "bare", "healthy": true}');
is($session->query($no_retries)->{out}, '', 'a bare 404 after the health endpoint has recovered returns no row');

$session->query('SELECT opportunity_fdw_disconnect()');
$api->behave('{"not_found_form": "bare", "healthy": "degraded"}');
fails_with('a bare 404 while the API is degraded', $unqueried, 'HV00R', $no_records, qr/^The response reports: Not Found$/, $which);
$api->reset;

# In every form of a 404, one query shows whether the path exists. If the API rejects
# the query as well, the record type does not exist.
for my $form (qw(html kong aws express express_long empty gone))
{
	$session->query('SELECT opportunity_fdw_disconnect()');
	$api->behave(qq({"not_found_form": "$form"}));
	is($session->query($nobody)->{out}, '0', "a 404 ($form) returns no row");
	is($api->requests, 2, "a 404 ($form) costs two requests");
	$session->query('SELECT opportunity_fdw_disconnect()');
	$api->behave('{"path_prefix_gone": true}');
	fails_with("a 404 ($form) for every path", $nobody, 'HV00R', $no_records, qr/^The response /, $which);
	is($api->requests, 4, "a 404 ($form) for every path costs two requests");
	$session->query('SELECT opportunity_fdw_disconnect()');
	$api->behave('{"path_prefix_gone": ["get"]}');
	fails_with("a 404 ($form) for a record that a query finds", $read, 'HV00R', $no_records, qr/^The response /, $which);
	is($api->requests, 6, "a 404 ($form) for a record that a query finds costs two requests");
	$api->reset;
}

fails_with('a base_url with a wrong path',
	server('elsewhere', "base_url '" . $api->url . "/other'"),
	'HV00R', $no_records, qr/^The response reports: Not Found$/, $which);
$session->query("CREATE FOREIGN TABLE gadget (id uuid) SERVER reevo OPTIONS (record_type 'gadget')");
fails_with('an unknown record type', "SELECT id FROM gadget WHERE id = '$id'",
	'HV00R', qr/^record type "gadget" not found: HTTP status 404$/, qr/unknown_record_type/, $which);

# --- Throttling ---

my $throttled = qr/^API is throttling requests: HTTP status (429|503)$/;
my $wait_longer = qr/max_retry_wait/;

# Repeats of throttled requests end with max_retry_wait. The pace counts from the time
# of sending, so slow responses of a busy machine shorten the pauses.
my $throttled_requests = [ 3, 10 ];

$api->behave('{"status": 429}');
read_spends('a permanent 429', $throttled_requests, '53400', qr/^API is throttling requests: HTTP status 429$/, qr/^The response /, $wait_longer);
$api->behave('{"status": 503}');
read_spends('a permanent 503', $throttled_requests, '53400', qr/^API is throttling requests: HTTP status 503$/, qr/^The response /, $wait_longer);
for my $status (429, 503)
{
	$api->behave(qq({"status": $status, "retry_after": 3000}));
	my $result = read_spends("$status: Retry-After exceeds max_retry_wait", 1, '53400',
		$throttled, qr/^The API sent the header "Retry-After: 3000" after 1 attempt\.$/, $wait_longer);
	cmp_ok($result->{ms}, '<', 5000, "$status: the wrapper does not wait for it");
}
$api->behave('{"status": 429, "retry_after": "date", "retry_after_date_in": 3000}');
read_spends('429: a date in Retry-After exceeds max_retry_wait', 1, '53400', $throttled,
	qr/^The API sent the header "Retry-After: \w{3}, .* GMT" after 1 attempt\.$/, $wait_longer);
$api->behave('{"status": 429, "retry_after": "soon, maybe"}');
read_spends('429: Retry-After is invalid', $throttled_requests, '53400', qr/^API is throttling requests: HTTP status 429$/, qr/^The response /, $wait_longer);
$api->behave('{"status": 429, "retry_after": "-5"}');
read_spends('429: Retry-After is negative', $throttled_requests, '53400', qr/^API is throttling requests: HTTP status 429$/, qr/^The response /, $wait_longer);
$api->behave('{"status": 429, "retry_after": "9999999999999"}');
read_spends('429: Retry-After is very large', 1, '53400', $throttled, qr/"Retry-After: 9999999999999"/, $wait_longer);
$api->behave('{"status": 429, "retry_after": "0"}');
read_spends('429: Retry-After is zero', $throttled_requests, '53400', qr/^API is throttling requests: HTTP status 429$/, qr/^The response /, $wait_longer);

my $default_wait = server('default_wait', "base_url '" . $api->url . "'");
for my $header ('1', '"date"')
{
	$api->behave(qq({"fail_first": 1, "fail_status": 429, "retry_after": $header, "retry_after_date_in": 1}));
	my $result = $session->query($default_wait);
	is($result->{out}, $name, "Retry-After $header: the retry returns the row");
	cmp_ok($result->{ms}, '>', $header eq '1' ? 990 : 0, "Retry-After $header: the wrapper waits for it");
	is($api->requests, 2, "Retry-After $header: the statement makes two requests");
	$api->reset;
}

# --- max_requests ---

$session->query("ALTER SERVER reevo OPTIONS (ADD max_requests '2', ADD use_query 'false')");
$api->behave('{"fail_first": 1, "fail_status": 503}');
is($session->query($read)->{out}, $name, 'max_requests allows a retry within the limit');
$api->reset;
$api->behave('{"status": 503}');
read_spends('max_requests: a retry beyond the limit', 2, '53400',
	qr/^statement needs more than 2 API requests$/, qr/^/, qr/max_requests/);
my $three_ids = join(', ', map { "'" . Reevo::id($_) . "'" } 1 .. 3);
fails_with('max_requests: more records than the limit', "SELECT id FROM opportunity WHERE id IN ($three_ids)",
	'53400', qr/^statement needs more than 2 API requests$/, qr/^/, qr/max_requests/);
cmp_ok($api->requests, '<=', 2, 'max_requests is never exceeded');
$api->reset;
$session->query('ALTER SERVER reevo OPTIONS (DROP max_requests, DROP use_query)');

# --- Other 4xx, and the formats of an error ---

my $refused = qr/^API rejected the request: HTTP status 4\d\d$/;
for my $status (400, 405, 409, 422, 451)
{
	$api->behave(qq({"status": $status}));
	read_spends("status $status", 1, 'HV000', qr/^API rejected the request: HTTP status $status$/,
		qr/^The response reports error "http_$status": /);
}

my @forms = (
	['error.code, error.message', '{"error": {"code": "bad_thing", "message": "It is bad."}}',
		qr/^The response reports error "bad_thing": It is bad\.$/],
	['error.message', '{"error": {"message": "It is bad."}}', qr/^The response reports: It is bad\.$/],
	['error.code', '{"error": {"code": "bad_thing"}}', qr/^The response reports error "bad_thing"\.$/],
	['code, message', '{"message": "It is bad.", "code": "bad_thing"}',
		qr/^The response reports error "bad_thing": It is bad\.$/],
	['error, message', '{"error": "BadThing", "message": "It is bad."}',
		qr/^The response reports error "BadThing": It is bad\.$/],
	['the format of version 1',
		'{"error_response_type": "GENERIC", "error": "BadThing", "message": "It is bad.", "details": null}',
		qr/^The response reports error "BadThing": It is bad\.$/],
	['detail', '{"detail": "It is bad."}', qr/^The response reports: It is bad\.$/],
	['a list of details',
		'{"detail": [{"type": "missing", "loc": ["header", "x-api-key"], "msg": "Field required", "input": null}]}',
		qr/^The response reports.*Field required/],
	['an empty list of details', '{"detail": []}', qr/^The response starts with: \{"detail": ?\[\]\}$/],
	['a number as the code', '{"error": {"code": 7, "message": "It is bad."}}', qr/^The response reports.*: It is bad\.$/],
	['JSON without an error', '{"oops": true}', qr/^The response starts with: \{"oops": ?true\}$/],
	['a list', '[1, 2]', qr/^The response starts with: \[1, ?2\]$/]);
for my $form (@forms)
{
	my ($what, $body, $detail) = @$form;
	$api->behave(qq({"status": 400, "body": $body}));
	fails_with("the format of an error: $what", $read, 'HV000', $refused, $detail);
}
my @texts = (
	['HTML', '<html><body>Bad Request</body></html>', qr/^The response starts with: <html><body>Bad Request/],
	['no body', '', qr/^The response has no body\.$/],
	['control characters', 'a\u0007\u001b[31mb\r\nc', qr/^The response starts with: a\?\?\[31mb  c$/],
	['a long text', 'long ' x 10000, qr/^The response starts with: (long ?){10,}.{0,5}\.\.\.$/],
	['a NUL', 'a\u0000b', qr/^The response starts with: a\?b$/]);
for my $text (@texts)
{
	my ($what, $body, $detail) = @$text;
	$api->behave(qq({"status": 400, "content_type": "text/plain", "body": "$body"}));
	fails_with("the format of an error: $what", $read, 'HV000', $refused, $detail);
}

# A truncated error response is fetched again.
$api->behave('{"status": 400, "body": "{\\"error\\": {\\"code\\": \\"bad_th"}');
read_spends('the format of an error: truncated JSON', 3, '08006', $failed, $three, $limits);
$api->behave('{"status": 400, "body": {"error": {"code": "c\u0007d", "message": "x\u0000y\u001b[31m\nz"}}}');
fails_with('the format of an error: control characters in JSON', $read, 'HV000', $refused,
	qr/^The response reports [^\x01-\x1f]*$/);
# A failure in a response with status 200 has priority over text that cannot be read.
for my $text ('x\u0000y', '\u0000', 'x\ud83dy')
{
	my $is_nul = $text =~ /u0000/;
	my @key = ('28000', qr/^API rejected the API key/, qr/^The response reports [^\x01-\x1f]*$/, qr/api_key/);
	my @other = ('HV000', qr/^API reported an error: HTTP status 200$/, qr/^The response (reports|starts with)[^\x01-\x1f]*$/);
	for my $read_by ($read, 'SELECT count(*) FROM opportunity')
	{
		my $what = "a failure with the text $text, " . ($read_by eq $read ? 'by id' : 'a scan');
		my @wanted = $is_nul ? @key : @other;
		$api->behave(qq({"status": 200, "body": {"error": {"code": "unauthorized", "message": "$text"}}}));
		fails_with($what, $read_by, @wanted);
		$api->behave(qq({"status": 200, "body": {"data": [], "error": {"code": "unauthorized", "message": "$text"}}}));
		fails_with("$what, beside an empty list", $read_by, @wanted);
		$api->behave(qq({"status": 200, "body": {"error": "$text"}}));
		fails_with("$what, as the error", $read_by, @other);
	}
}
$api->reset;

# --- 5xx, and undocumented statuses ---

for my $case ([ 500, 3 ], [ 501, 1 ], [ 502, 3 ], [ 504, 3 ], [ 505, 1 ], [ 599, 3 ])
{
	my ($status, $requests) = @$case;
	$api->behave(qq({"status": $status}));
	read_spends("a permanent $status", $requests, 'HV000', qr/^API server error: HTTP status $status$/,
		qr/^The response reports error "http_$status": /, qr/later/);
}
$api->behave('{"redirect": "http://127.0.0.1:1/elsewhere"}');
read_spends('a redirect', 1, 'HV000', qr/redirected the request: HTTP status 302$/, qr/^The response /, qr/not followed.*base_url/);
for my $status (201, 203, 206)
{
	$api->behave(qq({"status": $status}));
	read_spends("status $status", 1, '08P01', qr/: unexpected HTTP status $status$/, qr/^The response /);
}

# --- Not JSON, another structure, another record ---

my $not_a_record = qr/^API response is not a valid record: /;
my $envelope = qq("id": {"value": "$id", "value_type": "uuid"});
my @bodies = (
	['HTML', '<html>Please log in</html>', qr/<html>Please log in/],
	['text', 'OK', qr/OK/],
	['a list', '[]', qr/\[\]/],
	['a string', '"text"', qr/"text"/],
	['null', 'null', qr/null/],
	['an empty object', '{}', qr/\{\}/],
	['a list of data', '{"data": []}', qr/\{"data"/],
	['null data', '{"data": null}', qr/\{"data"/],
	['no id', qq({"data": {"attributes": {$envelope}}}), qr/\{"data"/],
	['a number as id', qq({"data": {"id": 5, "attributes": {}}}), qr/\{"data"/],
	['no attributes', qq({"data": {"id": "$id"}}), qr/\{"data"/],
	['a list of attributes', qq({"data": {"id": "$id", "attributes": []}}), qr/\{"data"/],
	['an attribute without envelope', qq({"data": {"id": "$id", "attributes": {"display_name": "x"}}}),
		qr/\{"data"/],
	['two ids', qq({"data": {"id": "$id", "attributes": {"id": {"value": "$other_id", "value_type": "uuid"}}}}),
		qr/\{"data"/],
	['text after the JSON', qq({"data": {"id": "$id", "attributes": {}}} x), qr/\{"data"/],
	['invalid UTF-8', qq({"data": {"id": "$id", "attributes": {"display_name": {"value": "\xff\xfe"}}}}),
		qr/\{"data"/]);
for my $body (@bodies)
{
	my ($what, $text, $start) = @$body;
	$api->ctl('body', $id, $text);
	my $before = $api->requests;
	fails_with("a malformed record: $what", "SELECT id, display_name FROM opportunity WHERE id = '$id'",
		'08P01', $not_a_record, qr/starts with: .*$start/s);
	is($api->requests - $before, 1, "a malformed record costs one request: $what");
	$api->reset;
}
$api->ctl('body', $id, '{"data": ' x 2000 . '1' . '}' x 2000);
fails_with('a malformed record: nested too deeply', $read, '08P01', qr/nested/, qr/^/);
$api->ctl('body', $id, qq({"data": {"id": "$id", "attributes": {"display_name": {"value": ) . '[' x 100 . ']' x 100 . '}}}}');
fails_with('a malformed record: a value nested too deeply', $read, '08P01', qr/nested/, qr/^/);
$api->ctl('body', $id, '');
$session->query('SELECT opportunity_fdw_disconnect()');
fails_with('an empty body', $read, '08006', $failed, $three, $limits);
$api->reset;
$api->behave('{"swap_id": true}');
my $merged = $session->query($read);
like($merged->{err}, qr/^WARNING:  01000: API returned record $other_id instead of record $id$/m, 'a response with another record is a warning');
is($merged->{sqlstate} . $merged->{out}, '', 'a response with another record returns no row');
is($api->requests, 1, 'a response with another record costs one request');
$api->reset;

# --- Too large ---

my $too_large = qr/^API response is larger than 1 MB$/;
my $raise_it = qr/max_response_size/;
$api->behave('{"endless_body": true}');
read_spends('an endless response', 1, '54000', $too_large, qr/^/, $raise_it);
$api->behave('{"gzip_bomb": 200}');
read_spends('a response that exceeds the limit after decompression', 1, '54000', $too_large, qr/^/, $raise_it);
$api->behave('{"header_bomb": true}');
my $memory = Reevo::resident($session->{backend});
my $bomb = $session->query($slow);
like($bomb->{sqlstate}, qr/^(54000|08006|08P01)$/, 'endless headers raise an error');
like($bomb->{detail}, qr/headers/, 'endless headers: the detail names the headers') or diag($bomb->{err});
cmp_ok(Reevo::resident($session->{backend}) - $memory, '<', 50000, 'endless headers: the memory does not grow');
$api->reset;
$api->ctl('attributes', $id, sprintf('{"next_step_details": {"value": "%s", "value_type": "long_text"}}', 'x' x 900000));
is($session->query("SELECT length(next_step_details) FROM opportunity WHERE id = '$id'")->{out},
	'900000', 'a response just below the limit is accepted');
$api->reset;
$api->behave('{"gzip": true}');
is($session->query($read)->{out}, $name, 'a compressed response is decompressed');
$api->reset;

# --- User mappings ---

$session->query('CREATE ROLE stranger; GRANT SELECT ON opportunity TO stranger; GRANT USAGE ON FOREIGN SERVER reevo TO stranger');
$session->query('SET ROLE stranger');
fails_with('no user mapping', $read, '42704', qr/^user mapping not found for (user )?"stranger"/, qr/^/);
$session->query('RESET ROLE; CREATE USER MAPPING FOR stranger SERVER reevo; SET ROLE stranger');
fails_with('a user mapping without an API key', $read, '28000', qr/"stranger" has no API key$/, qr/^/, qr/api_key/);
$session->query('RESET ROLE');
is($api->requests, 0, 'neither statement makes a request');
$session->query('ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (DROP api_key)');
read_spends('a superuser without an API key makes a request, which the API rejects', 1, '28000',
	qr/^API rejected the API key: HTTP status 401$/, qr/^The response reports /, qr/api_key/);

# --- A value that does not fit its column ---

$session->query("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (ADD api_key 'test-key')");
$session->query("CREATE FOREIGN TABLE misfit (id uuid, n integer OPTIONS (attribute 'display_name')) SERVER reevo");
my $misfit = fails_with('a value that does not fit its column', "SELECT n FROM misfit WHERE id = '$id'",
	'22P02', qr/^invalid input syntax for type integer: /, qr/^$/);
like($misfit->{context}, qr/column "n" of foreign table "misfit", attribute "display_name", record $id/,
	'a value that does not fit its column: the context names column and record');

is($session->query($read)->{out}, $name, 'the session still works after all errors');
$session->quit;
$node->stop('fast');

done_testing();
