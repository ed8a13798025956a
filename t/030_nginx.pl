# SPDX-License-Identifier: PostgreSQL
# A real server between the extension and the API: nginx, with its own TLS, its own
# ways to keep and to drop connections, its own throttling and its own error pages.
#
# Requests are counted in nginx's log, so those that libcurl repeats by itself
# are seen, too. Where there is no nginx this fails, unless REEVO_WITHOUT_NGINX
# is set in the environment.

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
	plan(skip_all => 'there is no nginx, and REEVO_WITHOUT_NGINX is set')
	  if $ENV{REEVO_WITHOUT_NGINX};
	diag('NGINX IS NOT HERE, and nothing was tested with it.');
	diag('Install it (apt-get install nginx), or set REEVO_WITHOUT_NGINX=1 to do without.');
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

# One host by a CA of ours, one by itself, and some that are wrong.
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

# nginx itself tries again nothing, so that what is counted is ours.
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

# What nginx answers by itself, with pages in HTML.
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
	plain('impatient', 'keepalive_timeout 1s;'),
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
# One request for each record: it is requests that are counted here.
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

table($_, $nginx->url($_), $retry) for qw(plain gzip deflate br three_each impatient one_each hangs_up
	down slow unbuffered), sort keys %page;
table($_, $nginx->url($_)) for qw(bursty strict);
table($_, $nginx->url($_, 'https'), "$ca_file, $retry")
  for qw(tls12 tls13 tls11 elsewhere expired wants_certificate);
table('self', $nginx->url('self', 'https'), $retry);
table('long', $nginx->url('long') . '/' . ('x' x 2000), $retry);

sub name_in { return "SELECT display_name FROM $_[0] WHERE id = '$id'"; }

# count_of(TABLE, NUMBER): reads so many records at once.
sub count_of
{
	my ($table, $number) = @_;
	return "SELECT count(display_name) FROM $table"
	  . " WHERE id = ANY (ARRAY(SELECT record_id(i) FROM generate_series(1, $number) i))";
}

my $name = $session->query(name_in('opportunity'))->{out};
isnt($name, '', 'the record can be read without nginx');

# nginx logs a request when it is over for itself, which may be after our answer.
sub requests_are
{
	my ($server, $number, $what) = @_;
	Reevo::wait_until(sub { scalar(my @seen = $nginx->requests($server)) >= $number }, 5);
	return is(scalar(my @seen = $nginx->requests($server)), $number, $what);
}

# spent(SQL): requests and retries by EXPLAIN ANALYZE.
sub spent
{
	my ($sql) = @_;
	my $plan = $session->query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $sql")->{out};
	my ($requests) = $plan =~ /API Calls: (\d+)/;
	my ($retries) = $plan =~ /Retries: (\d+)/;
	return ($requests, $retries || 0);
}

# fails_with(SERVER, REQUESTS, SQLSTATE, MESSAGE, DETAIL): what nginx counts, and
# that the session goes on.
sub fails_with
{
	my ($server, $requests, $sqlstate, $message, $detail) = @_;
	$nginx->forget;
	my $result = $session->query(name_in($server));
	subtest $server => sub {
		is($result->{sqlstate}, $sqlstate, 'SQLSTATE');
		like($result->{message}, $message, 'message');
		like($result->{detail}, $detail, 'detail');
		unlike($result->{err}, qr/test-key/, 'the key is not in it');
		requests_are($server, $requests, "$requests requests");
		is($session->query(name_in('plain'))->{out}, $name, 'the next statement works');
	} or diag($result->{err});
	return;
}

# --- Plain HTTP, connections that are kept ---

$nginx->forget;
is($session->query(name_in('plain'))->{out}, $name, 'plain HTTP');
is($session->query(count_of('plain', 40))->{out}, 40, 'forty records');
requests_are('plain', 41, 'a request for each');
my %connections = map { $_->{connection} => 1 } $nginx->requests('plain');
cmp_ok(scalar keys %connections, '<=', 8, 'over as many connections as may be in flight');
is($session->query(name_in('plain'))->{out}, $name, 'once more');
requests_are('plain', 42, 'one request more');
ok($connections{ ($nginx->requests('plain'))[-1]{connection} }, 'over a connection that was kept');

# --- TLS ---

# libcurl below 8.0 may take an HTTP/2 body that was cut for a whole one.
my $version = $session->query('SELECT opportunity_fdw_version()')->{out};
my ($curl, $features) = $version =~ m{libcurl (\d+)\.[^(]*\(([^)]*)\)};
my $protocol = $curl >= 8 && $features =~ m{HTTP/2} ? 'HTTP/2.0' : 'HTTP/1.1';
note("$version: $protocol is expected");
for my $server (qw(tls12 tls13))
{
	$nginx->forget;
	is($session->query(name_in($server))->{out}, $name, "$server: the record");
	is($session->query(count_of($server, 40))->{out}, 40, "$server: forty records");
	requests_are($server, 41, "$server: a request for each");
	my @requests = $nginx->requests($server);
	my %seen = map { ("$_->{protocol} $_->{tls}" => 1) } @requests;
	is(join(', ', keys %seen), "$protocol " . ($server eq 'tls12' ? 'TLSv1.2' : 'TLSv1.3'),
		"$server: the protocol");
	%connections = map { $_->{connection} => 1 } @requests;
	cmp_ok(scalar keys %connections, '<=', $protocol eq 'HTTP/2.0' ? 1 : 8, "$server: connections");
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

# The server that we refuse does speak TLS 1.1, to those who do.
my $greeting = '';
IPC::Run::run(
	[ 'openssl', 's_client', '-tls1_1', '-cipher', 'DEFAULT:@SECLEVEL=0', '-connect', '127.0.0.1:' . $nginx->port('tls11') ],
	'<', \'', '>&', \$greeting);
like($greeting, qr/Protocol *: *TLSv1\.1|^New, TLSv1/m, 'the server of TLS 1.1 is one');

# Through a proxy, which sees neither the key nor anything else.
my $proxy = Reevo::start_proxy('127.0.0.1:' . $nginx->port('tls13'));
table('proxied', $nginx->url('tls13', 'https'), "$ca_file, proxy '" . $proxy->url . "'");
$nginx->forget;
is($session->query(name_in('proxied'))->{out}, $name, 'TLS through a proxy');
requests_are('tls13', 1, 'TLS through a proxy: one request');
is(($nginx->requests('tls13'))[0]{protocol}, $protocol, 'TLS through a proxy: the protocol');
like($proxy->heads, qr/^CONNECT 127\.0\.0\.1:/, 'the proxy was asked to connect');
unlike($proxy->heads, qr/Authorization|test-key/i, 'and not told the key');

# --- Compression ---

# body_of_record(): as the API sends it.
sub body_of_record
{
	my $socket = IO::Socket::INET->new(PeerAddr => $upstream, Timeout => 10) or die "$upstream: $@";
	print $socket "GET /api/v2/opportunity/$id HTTP/1.1\r\nHost: api\r\n"
	  . "Authorization: Bearer test-key\r\nConnection: close\r\n\r\n";
	local $/;
	return (split(/\r\n\r\n/, <$socket>, 2))[1];
}

# A stream of Brotli that packs nothing: a window size (the bit 0), one block that
# is stored (0, 00, its length less one in 16 bits, 1), and the end (1, 1).
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
	$nginx->forget;
	my $result = $session->query(name_in($encoding));
	is($result->{out}, $known ? $name : '', "$encoding: the record") or diag($result->{err});
	requests_are($encoding, $known ? 1 : 3, "$encoding: requests");
	is(($nginx->requests($encoding))[0]{encoding}, $encoding, "$encoding: that was how it came");
}
is($session->query(count_of('gzip', 40))->{out}, 40, 'gzip: forty records');

# accepts(ENCODING): does libcurl say that it can unpack that?
sub accepts
{
	my ($encoding) = @_;
	my ($headers) = $api->ctl('stats') =~ /"accept-encoding": *"([^"]*)"/;
	return defined $headers && $headers =~ /\b$encoding\b/;
}

# --- Connections that the server closes ---

$nginx->forget;
for my $number (1 .. 20)
{
	my $result = $session->query("SELECT count(*) FROM three_each WHERE id = '" . Reevo::id($number) . "'");
	is($result->{out}, 1, "keepalive_requests: record $number") or diag($result->{err});
}
requests_are('three_each', 20, 'keepalive_requests: a request for each');
%connections = map { $_->{connection} => 1 } $nginx->requests('three_each');
is(scalar keys %connections, 7, 'keepalive_requests: three over each connection');
$nginx->forget;
is_deeply([ spent(count_of('three_each', 100)) ], [ 100, 0 ], 'keepalive_requests: many at once, no retries');
requests_are('three_each', 100, 'keepalive_requests: many at once, a request for each');

$nginx->forget;
is_deeply([ spent(count_of('one_each', 50)) ], [ 50, 0 ], 'a connection for each request: no retries');
requests_are('one_each', 50, 'a connection for each request: a request for each');

$nginx->forget;
is($session->query(name_in('impatient'))->{out}, $name, 'keepalive_timeout: the record');
sleep 1.6;
is_deeply([ spent(name_in('impatient')) ], [ 1, 0 ], 'keepalive_timeout: again, after the server closed the connection');
requests_are('impatient', 2, 'keepalive_timeout: two requests');

# The server closes a connection instead of answering the second request over it.
$nginx->forget;
is($session->query(name_in('hangs_up'))->{out}, $name, 'hung up: the record');
is_deeply([ spent(name_in('hangs_up')) ], [ 1, 0 ], 'hung up: libcurl repeats it at once, which is no retry');
Reevo::wait_until(sub { scalar(my @seen = $nginx->requests('hangs_up')) >= 3 }, 5);
is(join(' ', map { $_->{status} } $nginx->requests('hangs_up')), '200 444 200', 'hung up: what nginx saw');

# --- Throttling: no answer is lost, and the retries are counted ---

for my $case ([ 'bursty', 429 ], [ 'strict', 503 ])
{
	my ($server, $status) = @$case;
	$nginx->forget;
	my $started = time;
	my $result = $session->query(count_of($server, 60));
	my $seconds = time - $started;
	is($result->{out}, 60, "$server: no answer is lost") or diag($result->{err});
	my ($requests, $retries) = spent(count_of($server, 60));
	ok(Reevo::wait_until(sub { scalar(grep { $_->{status} == 200 } $nginx->requests($server)) == 120 }, 5),
		"$server: each record was answered once");
	my $refused = grep { $_->{status} == $status } $nginx->requests($server);
	is($requests - $retries, 60, "$server: a request for each, and the retries");
	cmp_ok($retries, '<=', $refused, "$server: no more retries than refusals");
	cmp_ok($refused, '>', 0, "$server: it did refuse some");
	cmp_ok($refused, '<', 60, "$server: not many");
	cmp_ok($seconds, '>', 2, "$server: it took its time");
	note(sprintf('%s: 60 records at 20 a second in %.1f s; %d refused of 180', $server, $seconds, $refused));
	is($session->query(name_in('plain'))->{out}, $name, "$server: the next statement works");
}

# --- An API that is down, slow, or breaks off behind it ---

my $api_failed = qr/^API server error: HTTP status 5\d\d$/;
fails_with('down', 3, 'HV000', qr/^API server error: HTTP status 502$/, qr/^The response starts with: .*Bad Gateway/s);
fails_with('slow', 3, 'HV000', qr/^API server error: HTTP status 504$/, qr/^The response starts with: .*Gateway Time-out/s);
for my $server (qw(unbuffered plain))
{
	for my $how (qw(half-body-close half-body-reset chunked-cut))
	{
		$api->behave(qq({"fail_first": 2, "fail_how": "$how"}));
		$nginx->forget;
		is($session->query(name_in($server))->{out}, $name, "$server, $how: tried again");
		requests_are($server, 3, "$server, $how: three requests");
		$api->reset;
		$api->behave(qq({"fail_first": 3, "fail_how": "$how"}));
		fails_with($server, 3, '08006', qr/^API request failed$/,
			qr/^The request to host "127\.0\.0\.1" failed after 3 attempts: /);
		$api->reset;
	}
}

# --- nginx is reloaded, and started anew ---

table('busy', $nginx->url('plain'), "max_retries '20', max_retry_wait '0.2', max_concurrency '4'");
$api->behave('{"delay_ms": 20}');
$nginx->forget;
$session->send(count_of('busy', 200));
for my $time (1 .. 3)
{
	sleep 0.2;
	ok($nginx->reload, "reload $time");
}
my $reloaded = $session->result;
is($reloaded->{out}, 200, 'reloaded three times on the way: all records') or diag($reloaded->{err});
my %workers = map { $_->{connection} => 1 } $nginx->requests('plain');
cmp_ok(scalar keys %workers, '>', 4, 'reloaded: over new connections');
my $ok = grep { $_->{status} == 200 } $nginx->requests('plain');
cmp_ok($ok, '>=', 200, 'reloaded: each was answered');
cmp_ok(scalar(my @seen = $nginx->requests('plain')), '<=', 200 + 3 * 4, 'reloaded: hardly a request more');

my $before = $api->requests;
$session->send(join('; ', map { count_of('busy', 100) } 1 .. 5));
for my $time (1 .. 3)
{
	sleep 0.3;
	$nginx->stop;
	$nginx->start;
}
my $restarted = $session->result;
is($restarted->{out}, join("\n", (100) x 5), 'started anew three times on the way: all records')
  or diag($restarted->{err});
is($restarted->{sqlstate}, '', 'started anew: no statement failed');
cmp_ok($api->requests - $before, '<=', 500 + 3 * 4, 'started anew: hardly a request more');
$api->reset;

# --- nginx's own pages ---

my $no_records = qr/^record type "opportunity" not found: HTTP status 404$/;
my $refused = qr/^API rejected the request: HTTP status 4\d\d$/;
fails_with('not_found', 2, 'HV00R', $no_records, qr/^The response starts with: <html>/);
fails_with('forbidden', 1, 'HV000', qr/^gateway rejected the request: HTTP status 403$/, qr/^The response starts with: <html>/);
fails_with('too_large', 1, 'HV000', qr/^API rejected the request: HTTP status 413$/, qr/^The response starts with: <html>/);
fails_with('teapot', 1, 'HV000', qr/^API rejected the request: HTTP status 418$/, qr/^The response /);
fails_with('long', 1, 'HV000', qr/^API rejected the request: HTTP status 414$/, qr/^The response starts with: <html>/);
fails_with('broken', 3, 'HV000', qr/^API server error: HTTP status 500$/, qr/^The response starts with: <html>/);
fails_with('moved', 1, 'HV000', qr/redirected the request: HTTP status 301$/, qr/^The response starts with: /);
fails_with('empty', 1, '', qr/^$/, qr/^$/);
fails_with('partial', 1, '08P01', qr/\b200\b/, qr/^The answer /);
fails_with('login', 1, '08P01', qr/^API response is not a valid record: /, qr/Please log in/);

# --- A server that is far away: 25 milliseconds, there and back ---

my $relay = Reevo::start_relay('127.0.0.1:' . $nginx->port('plain'), 25);
table('far', $relay->url, "max_concurrency '8'");
my $far = $session->query(name_in('far'));
is($far->{out}, $name, 'far away: the record');
cmp_ok($far->{ms}, '>=', 50, 'far away: there and back');

$api->reset;
$far = $session->query(count_of('far', 80));
is($far->{out}, 80, 'far away: eighty records');
is($api->requests, 80, 'far away: a request for each');
cmp_ok($far->{ms}, '>=', 10 * 50, 'far away: ten times there and back, as eight may be in flight');
cmp_ok($far->{ms}, '<', 79 * 50, 'far away: not one after another');
note(sprintf('far away: 80 records in %.0f ms', $far->{ms}));

my $late = 0;
for my $timeout (map { 10 * $_ } 1 .. 12)
{
	my $result = $session->query("SET statement_timeout = $timeout; " . count_of('far', 80) . '; RESET statement_timeout');
	is($result->{sqlstate}, '57014', "far away: cancelled after $timeout ms") or diag($result->{err});
	$late = $result->{ms} - $timeout if $result->{ms} - $timeout > $late;
	is($session->query(name_in('far'))->{out}, $name, 'far away: the next statement works');
}
cmp_ok($late, '<', 3000, 'far away: cancelled at once');
note(sprintf('far away: cancelled at most %.0f ms late', $late));
ok($api->becomes('in_flight', 0), 'far away: nothing of it is left');

$session->quit;
$node->stop('fast');

done_testing();
