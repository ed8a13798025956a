# SPDX-License-Identifier: PostgreSQL
# nginx between the extension and the simulator, with its own TLS, its own handling
# of connections, its own throttling and its own error pages.
#
# The test counts the requests in nginx's log, so it counts repeats by libcurl, too.
# Without nginx the test fails, unless the environment has REEVO_WITHOUT_NGINX.

use strict;
use warnings;

use Compress::Zlib ();
use FindBin;
use lib $FindBin::RealBin;
use Nginx;
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

if (!Nginx::version())
{
	plan(skip_all => 'nginx is missing, and REEVO_WITHOUT_NGINX is set')
	  if $ENV{REEVO_WITHOUT_NGINX};
	diag('nginx is missing, so this test cannot run.');
	diag('Install it (apt-get install nginx), or set REEVO_WITHOUT_NGINX=1 to skip this test.');
	fail('nginx is installed');
	done_testing();
	exit;
}
note('nginx ' . Nginx::version());

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start();
(my $upstream = $api->url) =~ s{.*//}{};
my $closed = '127.0.0.1:' . $api->port('closed_port');
my $silent = '127.0.0.1:' . $api->port('blackhole_port');

# Certificates by the test's CA, a self-signed one, and invalid ones
my $certificates = Reevo::certificates(
	good => 'IP:127.0.0.1',
	elsewhere => 'DNS:api.example',
	expired => [ 'IP:127.0.0.1', -1 ]);
Reevo::openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
	'-nodes', '-days', 2, '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
	'-keyout', "$certificates/self.key", '-out', "$certificates/self.pem");
my $ca_file = "ca_file '$certificates/ca.pem'";

# --- The servers of the one nginx ---

sub certificate { return "ssl_certificate $certificates/$_[0].pem; ssl_certificate_key $certificates/$_[0].key;"; }

# nginx does not retry, so its log counts the wrapper's requests only.
my $forward = "proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection '';"
  . " proxy_set_header Accept-Encoding ''; proxy_next_upstream off;";

sub plain
{
	my ($name, $more, $location) = @_;
	$location = $forward unless defined $location;
	return "server { listen 127.0.0.1:\@PORT:$name\@; $more location / { $location } }\n";
}

sub secure
{
	my ($name, $certificate, $more) = @_;
	return "server { listen 127.0.0.1:\@PORT:$name\@ ssl http2; "
	  . certificate($certificate) . " $more location / { $forward } }\n";
}

# Responses by nginx itself, with pages in HTML
my %page = (
	not_found => 'return 404;',
	too_large => 'return 413;',
	teapot => 'return 418;',
	forbidden => 'deny all;',
	broken => 'return 500;',
	moved => 'return 301 https://127.0.0.1:1/;',
	empty => 'return 204;',
	login => "default_type text/html; return 200 '<html><body>Please log in</body></html>';",
	partial => 'return 206 "{}";');

my $configuration = join('',
	"upstream api { server $upstream; keepalive 16; }\n",
	"map \$connection_requests \$again { 1 0; default 1; }\n",
	"limit_req_zone \$server_port zone=bursty:1m rate=20r/s;\n",
	"limit_req_zone \$server_port zone=strict:1m rate=20r/s;\n",
	plain('plain', ''),
	secure('tls12', 'good', 'ssl_protocols TLSv1.2;'),
	secure('tls13', 'good', 'ssl_protocols TLSv1.3;'),
	secure('tls11', 'good', 'ssl_protocols TLSv1.1; ssl_ciphers DEFAULT:@SECLEVEL=0;'),
	secure('self', 'self', ''),
	secure('elsewhere', 'elsewhere', ''),
	secure('expired', 'expired', ''),
	secure('wants_certificate', 'good', "ssl_verify_client on; ssl_client_certificate $certificates/ca.pem;"),
	plain('gzip', 'gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;'),
	(map { plain($_, '', "root \@FOLDER\@/$_; add_header Content-Encoding $_;") } qw(deflate br)),
	plain('three_each', 'keepalive_requests 3;'),
	plain('short_keepalive', 'keepalive_timeout 1s;'),
	plain('one_each', 'keepalive_timeout 0;'),
	plain('hangs_up', 'if ($again) { return 444; }'),
	plain('bursty', 'limit_req zone=bursty burst=5 nodelay; limit_req_status 429;'),
	plain('strict', 'limit_req zone=strict; limit_req_status 503;'),
	plain('down', '', "proxy_pass http://$closed;"),
	plain('slow', 'proxy_read_timeout 200ms;', "proxy_next_upstream off; proxy_pass http://$silent;"),
	plain('unbuffered', 'proxy_buffering off;'),
	plain('long', 'large_client_header_buffers 2 1k;'),
	(map { plain($_, '', $page{$_}) } sort keys %page));
my $nginx = Nginx->new($configuration)->start;

# --- The tables, one for each server ---

my $node = Reevo::cluster('nginx');
# Each record is one request, because the test counts requests.
Reevo::set_up($node, $api->url, "use_query 'false'");
my $session = Reevo::Session->new($node);
$session->query(q(CREATE FUNCTION record_id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE
	AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$));
my $retry = "max_retries '2', max_retry_wait '0.05'";

sub table
{
	my ($name, $url, $options) = @_;
	$options = $options ? ", $options" : '';
	$session->query(qq(
		CREATE SERVER $name FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '$url', use_query 'false'$options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE $name (id uuid, display_name text) SERVER $name;));
	return;
}

table($_, $nginx->url($_), $retry) for qw(plain gzip deflate br three_each short_keepalive one_each hangs_up
	down slow unbuffered), sort keys %page;
table($_, $nginx->url($_)) for qw(bursty strict);
table($_, $nginx->url($_, 'https'), "$ca_file, $retry")
  for qw(tls12 tls13 tls11 elsewhere expired wants_certificate);
table('self', $nginx->url('self', 'https'), $retry);
table('long', $nginx->url('long') . '/' . ('x' x 2000), $retry);

sub name_in { return "SELECT display_name FROM $_[0] WHERE id = '$id'"; }

# count_of(TABLE, NUMBER): returns a query that reads a number of records.
sub count_of
{
	my ($table, $number) = @_;
	return "SELECT count(display_name) FROM $table"
	  . " WHERE id = ANY (ARRAY(SELECT record_id(i) FROM generate_series(1, $number) i))";
}

my $name = $session->query(name_in('opportunity'))->{out};
isnt($name, '', 'the simulator returns the record without nginx');

# nginx logs a request at its end, which may be after the client has the response.
sub requests_are
{
	my ($server, $number, $what) = @_;
	Reevo::wait_until(sub { scalar(my @seen = $nginx->requests($server)) >= $number }, 5);
	return is(scalar(my @seen = $nginx->requests($server)), $number, $what);
}

# spent(SQL): returns the API calls and retries from EXPLAIN ANALYZE.
sub spent
{
	my ($sql) = @_;
	my $plan = $session->query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $sql")->{out};
	my ($requests) = $plan =~ /API Calls: (\d+)/;
	my ($retries) = $plan =~ /Retries: (\d+)/;
	return ($requests, $retries || 0);
}

# fails_with(SERVER, REQUESTS, SQLSTATE, MESSAGE, DETAIL): checks the error and the
# number of requests, and that the session continues.
sub fails_with
{
	my ($server, $requests, $sqlstate, $message, $detail) = @_;
	$nginx->clear_log;
	my $result = $session->query(name_in($server));
	subtest $server => sub {
		is($result->{sqlstate}, $sqlstate, 'SQLSTATE');
		like($result->{message}, $message, 'message');
		like($result->{detail}, $detail, 'detail');
		unlike($result->{err}, qr/test-key/, 'the error does not contain the API key');
		requests_are($server, $requests, "nginx receives $requests requests");
		is($session->query(name_in('plain'))->{out}, $name, 'the next statement works');
	} or diag($result->{err});
	return;
}

# --- Plain HTTP, and persistent connections ---

$nginx->clear_log;
is($session->query(name_in('plain'))->{out}, $name, 'plain HTTP returns the record');
is($session->query(count_of('plain', 40))->{out}, 40, 'plain HTTP returns forty records');
requests_are('plain', 41, 'each record costs one request');
my %connections = map { $_->{connection} => 1 } $nginx->requests('plain');
cmp_ok(scalar keys %connections, '<=', 8, 'the connections are at most max_concurrency');
is($session->query(name_in('plain'))->{out}, $name, 'a second statement returns the record');
requests_are('plain', 42, 'the second statement costs one request');
ok($connections{ ($nginx->requests('plain'))[-1]{connection} }, 'the second statement uses an open connection');

# --- TLS ---

# libcurl below 8.0 may accept a truncated HTTP/2 body as complete.
my $version = $session->query('SELECT opportunity_fdw_version()')->{out};
my ($curl, $features) = $version =~ m{libcurl (\d+)\.[^(]*\(([^)]*)\)};
my $protocol = $curl >= 8 && $features =~ m{HTTP/2} ? 'HTTP/2.0' : 'HTTP/1.1';
note("$version: $protocol is expected");
for my $server (qw(tls12 tls13))
{
	$nginx->clear_log;
	is($session->query(name_in($server))->{out}, $name, "$server returns the record");
	is($session->query(count_of($server, 40))->{out}, 40, "$server returns forty records");
	requests_are($server, 41, "$server: each record costs one request");
	my @requests = $nginx->requests($server);
	my %seen = map { ("$_->{protocol} $_->{tls}" => 1) } @requests;
	is(join(', ', keys %seen), "$protocol " . ($server eq 'tls12' ? 'TLSv1.2' : 'TLSv1.3'),
		"$server: nginx sees the expected protocol");
	%connections = map { $_->{connection} => 1 } @requests;
	cmp_ok(scalar keys %connections, '<=', $protocol eq 'HTTP/2.0' ? 1 : 8, "$server: the number of connections is limited");
}

my $not_connected = qr/^could not connect to the API$/;
my $once = qr/^The connection to host "127\.0\.0\.1" failed after 1 attempt: .*certificate/i;
fails_with('self', 0, 'HV00N', $not_connected, $once);
fails_with('elsewhere', 0, 'HV00N', $not_connected,
	qr/^The connection to host "127\.0\.0\.1" failed after 1 attempt: .*(127\.0\.0\.1|certificate)/i);
fails_with('expired', 0, 'HV00N', $not_connected, $once);
fails_with('tls11', 0, 'HV00N', $not_connected, qr/^The connection to host "127\.0\.0\.1" failed after 3 attempts: /);
fails_with('wants_certificate', 1, 'HV000', qr/^API rejected the request: HTTP status 4\d\d$/,
	qr/^The response starts with: .*No required SSL certificate/s);

# The rejected server does offer TLS 1.1 to other clients.
my $greeting = '';
IPC::Run::run(
	[ 'openssl', 's_client', '-tls1_1', '-cipher', 'DEFAULT:@SECLEVEL=0', '-connect', '127.0.0.1:' . $nginx->port('tls11') ],
	'<', \'', '>&', \$greeting);
like($greeting, qr/Protocol *: *TLSv1\.1|^New, TLSv1/m, 'the server "tls11" offers TLS 1.1');

# A proxy does not see the API key or the requests.
my $proxy = Reevo::start_proxy('127.0.0.1:' . $nginx->port('tls13'));
table('proxied', $nginx->url('tls13', 'https'), "$ca_file, proxy '" . $proxy->url . "'");
$nginx->clear_log;
is($session->query(name_in('proxied'))->{out}, $name, 'TLS through a proxy returns the record');
requests_are('tls13', 1, 'TLS through a proxy costs one request');
is(($nginx->requests('tls13'))[0]{protocol}, $protocol, 'TLS through a proxy uses the expected protocol');
like($proxy->heads, qr/^CONNECT 127\.0\.0\.1:/, 'the proxy receives CONNECT');
unlike($proxy->heads, qr/Authorization|test-key/i, 'the proxy does not receive the API key');

# --- Compression ---

# body_of_record(): returns the body as the API sends it.
sub body_of_record
{
	my $socket = IO::Socket::INET->new(PeerAddr => $upstream, Timeout => 10) or die "$upstream: $@";
	print $socket "GET /api/v2/opportunity/$id HTTP/1.1\r\nHost: api\r\n"
	  . "Authorization: Bearer test-key\r\nConnection: close\r\n\r\n";
	local $/;
	return (split(/\r\n\r\n/, <$socket>, 2))[1];
}

# An uncompressed Brotli stream: a window size (the bit 0), one stored block (0, 00,
# its length less one in 16 bits, 1), and the end (1, 1)
sub stored_in_brotli
{
	my ($text) = @_;
	my $head = (length($text) - 1) << 4 | 1 << 20;
	return substr(pack('V', $head), 0, 3) . $text . "\x03";
}

my $body = body_of_record();
my %packed = (
	deflate => Compress::Zlib::compress($body),
	br => stored_in_brotli($body));
for my $encoding (sort keys %packed)
{
	my $folder = $nginx->folder . "/$encoding/api/v2/opportunity";
	require File::Path;
	File::Path::make_path($folder);
	open(my $file, '>:raw', "$folder/$id") or die "$folder/$id: $!";
	print $file $packed{$encoding};
	close $file;
}
for my $encoding (qw(gzip deflate br))
{
	my $known = $encoding ne 'br' || accepts('br');
	$nginx->clear_log;
	my $result = $session->query(name_in($encoding));
	is($result->{out}, $known ? $name : '', "$encoding: the record is returned if libcurl supports it") or diag($result->{err});
	requests_are($encoding, $known ? 1 : 3, "$encoding: the number of requests is as expected");
	is(($nginx->requests($encoding))[0]{encoding}, $encoding, "$encoding: nginx uses the encoding");
}
is($session->query(count_of('gzip', 40))->{out}, 40, 'gzip returns forty records');

# accepts(ENCODING): returns whether libcurl offers the encoding.
sub accepts
{
	my ($encoding) = @_;
	my ($headers) = $api->ctl('stats') =~ /"accept-encoding": *"([^"]*)"/;
	return defined $headers && $headers =~ /\b$encoding\b/;
}

# --- Connections that the server closes ---

$nginx->clear_log;
for my $number (1 .. 20)
{
	my $result = $session->query("SELECT count(*) FROM three_each WHERE id = '" . Reevo::id($number) . "'");
	is($result->{out}, 1, "keepalive_requests: record $number is returned") or diag($result->{err});
}
requests_are('three_each', 20, 'keepalive_requests: each record costs one request');
%connections = map { $_->{connection} => 1 } $nginx->requests('three_each');
is(scalar keys %connections, 7, 'keepalive_requests: a connection has three requests');
$nginx->clear_log;
is_deeply([ spent(count_of('three_each', 100)) ], [ 100, 0 ], 'keepalive_requests: parallel requests need no retries');
requests_are('three_each', 100, 'keepalive_requests: parallel requests are not repeated');

$nginx->clear_log;
is_deeply([ spent(count_of('one_each', 50)) ], [ 50, 0 ], 'a connection for each request needs no retries');
requests_are('one_each', 50, 'a connection for each request causes no repeated request');

$nginx->clear_log;
is($session->query(name_in('short_keepalive'))->{out}, $name, 'keepalive_timeout: the record is returned');
sleep 1.6;
is_deeply([ spent(name_in('short_keepalive')) ], [ 1, 0 ], 'keepalive_timeout: a read after the server closed the connection needs no retry');
requests_are('short_keepalive', 2, 'keepalive_timeout: two reads cost two requests');

# The server closes the connection on the second request, without a response.
$nginx->clear_log;
is($session->query(name_in('hangs_up'))->{out}, $name, 'a closed connection: the first read returns the record');
is_deeply([ spent(name_in('hangs_up')) ], [ 1, 0 ], 'a closed connection: libcurl repeats the request, and the wrapper does not retry');
Reevo::wait_until(sub { scalar(my @seen = $nginx->requests('hangs_up')) >= 3 }, 5);
is(join(' ', map { $_->{status} } $nginx->requests('hangs_up')), '200 444 200', 'a closed connection: nginx logs the failed request and its repeat');

# --- Throttling: all records are returned, and the retries are counted ---

for my $case ([ 'bursty', 429 ], [ 'strict', 503 ])
{
	my ($server, $status) = @$case;
	$nginx->clear_log;
	my $started = time;
	my $result = $session->query(count_of($server, 60));
	my $seconds = time - $started;
	is($result->{out}, 60, "$server: all records are returned") or diag($result->{err});
	my ($requests, $retries) = spent(count_of($server, 60));
	ok(Reevo::wait_until(sub { scalar(grep { $_->{status} == 200 } $nginx->requests($server)) == 120 }, 5),
		"$server: each record has one successful response");
	my $refused = grep { $_->{status} == $status } $nginx->requests($server);
	is($requests - $retries, 60, "$server: the API calls are the records and the retries");
	cmp_ok($retries, '<=', $refused, "$server: the retries are at most the rejected requests");
	cmp_ok($refused, '>', 0, "$server: nginx rejects some requests");
	cmp_ok($refused, '<', 60, "$server: nginx rejects few requests");
	cmp_ok($seconds, '>', 2, "$server: the statement waits for the rate limit");
	note(sprintf('%s: 60 records at 20 a second in %.1f s; %d of 180 rejected', $server, $seconds, $refused));
	is($session->query(name_in('plain'))->{out}, $name, "$server: the next statement works");
}

# --- An API behind nginx that is down, slow, or breaks connections ---

fails_with('down', 3, 'HV000', qr/^API server error: HTTP status 502$/, qr/^The response starts with: .*Bad Gateway/s);
fails_with('slow', 3, 'HV000', qr/^API server error: HTTP status 504$/, qr/^The response starts with: .*Gateway Time-out/s);
for my $server (qw(unbuffered plain))
{
	for my $how (qw(half-body-close half-body-reset chunked-cut))
	{
		$api->behave(qq({"fail_first": 2, "fail_how": "$how"}));
		$nginx->clear_log;
		is($session->query(name_in($server))->{out}, $name, "$server, $how: the retries return the record");
		requests_are($server, 3, "$server, $how: two failures cost three requests");
		$api->reset;
		$api->behave(qq({"fail_first": 3, "fail_how": "$how"}));
		fails_with($server, 3, '08006', qr/^API request failed$/,
			qr/^The request to host "127\.0\.0\.1" failed after 3 attempts: /);
		$api->reset;
	}
}

# --- Reload and restart of nginx ---

table('busy', $nginx->url('plain'), "max_retries '20', max_retry_wait '5', max_concurrency '4'");
$api->behave('{"delay_ms": 20}');
$nginx->clear_log;
$session->send(count_of('busy', 200));
for my $time (1 .. 3)
{
	sleep 0.2;
	ok($nginx->reload, "nginx reload $time succeeds");
}
my $reloaded = $session->result;
is($reloaded->{out}, 200, 'three reloads during a statement lose no record') or diag($reloaded->{err});
my %workers = map { $_->{connection} => 1 } $nginx->requests('plain');
cmp_ok(scalar keys %workers, '>', 4, 'the statement opens new connections after a reload');
# nginx logs a request after it has sent the response.
ok(Reevo::wait_until(sub { (grep { $_->{status} == 200 } $nginx->requests('plain')) >= 200 }),
	'each record has a response in spite of the reloads');
cmp_ok(scalar(my @seen = $nginx->requests('plain')), '<=', 200 + 3 * 4, 'the reloads cause few additional requests');

my $before = $api->requests;
$session->send(join('; ', map { count_of('busy', 100) } 1 .. 5));
for my $time (1 .. 3)
{
	sleep 0.3;
	$nginx->stop;
	$nginx->start;
}
my $restarted = $session->result;
is($restarted->{out}, join("\n", (100) x 5), 'three restarts during the statements lose no record')
  or diag($restarted->{err});
is($restarted->{sqlstate}, '', 'no statement fails because of the restarts');
cmp_ok($api->requests - $before, '<=', 500 + 3 * 4, 'the restarts cause few additional requests');
$api->reset;

# --- nginx's own pages ---

my $no_records = qr/^record type "opportunity" not found: HTTP status 404$/;
fails_with('not_found', 2, 'HV00R', $no_records, qr/^The response starts with: <html>/);
fails_with('forbidden', 1, 'HV000', qr/^gateway rejected the request: HTTP status 403$/, qr/^The response starts with: <html>/);
fails_with('too_large', 1, 'HV000', qr/^API rejected the request: HTTP status 413$/, qr/^The response starts with: <html>/);
fails_with('teapot', 1, 'HV000', qr/^API rejected the request: HTTP status 418$/, qr/^The response /);
fails_with('long', 1, 'HV000', qr/^API rejected the request: HTTP status 414$/, qr/^The response starts with: <html>/);
fails_with('broken', 3, 'HV000', qr/^API server error: HTTP status 500$/, qr/^The response starts with: <html>/);
fails_with('moved', 1, 'HV000', qr/redirected the request: HTTP status 301$/, qr/^The response starts with: /);
fails_with('empty', 1, '', qr/^$/, qr/^$/);
fails_with('partial', 1, '08P01', qr/: unexpected HTTP status 206$/, qr/^The response /);
fails_with('login', 1, '08P01', qr/^API response is not a valid record: /, qr/Please log in/);

# --- A distant server: 25 milliseconds in each direction ---

my $relay = Reevo::start_relay('127.0.0.1:' . $nginx->port('plain'), 25);
table('far', $relay->url, "max_concurrency '8'");
my $far = $session->query(name_in('far'));
is($far->{out}, $name, 'distant server: the record is returned');
cmp_ok($far->{ms}, '>=', 50, 'distant server: a request takes one round trip to connect and one to respond');

$api->reset;
$far = $session->query(count_of('far', 80));
is($far->{out}, 80, 'distant server: eighty records are returned');
is($api->requests, 80, 'distant server: each record costs one request');
cmp_ok($far->{ms}, '>=', 10 * 50, 'distant server: eighty requests take ten round trips, with eight in flight');
cmp_ok($far->{ms}, '<', 79 * 50, 'distant server: the requests run in parallel');
note(sprintf('distant server: 80 records in %.0f ms', $far->{ms}));

my $late = 0;
for my $timeout (map { 10 * $_ } 1 .. 12)
{
	my $result = $session->query("SET statement_timeout = $timeout; " . count_of('far', 80));
	$session->reset_timeout;
	is($result->{sqlstate}, '57014', "distant server: statement_timeout cancels after $timeout ms") or diag($result->{err});
	$late = $result->{ms} - $timeout if $result->{ms} - $timeout > $late;
	is($session->query(name_in('far'))->{out}, $name, 'distant server: the next statement works');
}
cmp_ok($late, '<', 3000, 'distant server: the cancel takes effect immediately');
note(sprintf('distant server: cancelled at most %.0f ms late', $late));
ok($api->becomes('in_flight', 0), 'distant server: no cancelled request remains');

$session->quit;
$node->stop('fast');

done_testing();
