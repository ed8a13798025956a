# SPDX-License-Identifier: PostgreSQL
# Only the user mapping and the requests to its host contain the key. The log, plans,
# errors, pg_stat_activity and dumps without the mapping do not, for each response of
# the API. The same holds for the password of the proxy.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start();
my $node = Reevo::cluster('secrets', q(
log_statement = none
log_min_messages = debug5
log_min_error_statement = error
log_error_verbosity = verbose
));
Reevo::set_up($node, $api->url, "max_retries '1'", "max_retry_wait '0.05'");

my $session = Reevo::Session->new($node);
$session->query(q(SET log_min_error_statement = panic;
	ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (ADD proxy_user 'somebody', ADD proxy_password 'the-password');
	RESET log_min_error_statement));
my $secret = qr/test-key|the-password/;
my $read = "SELECT display_name FROM opportunity WHERE id = '$id'";

# json_text(TEXT, PATTERN): a JSON string that spells the characters that match
# as \u escapes.
sub json_text
{
	my ($text, $escaped) = @_;
	$text = join('', map {
		$escaped && $_ =~ $escaped ? sprintf('\\u%04x', ord $_)
		  : $_ =~ /[\\"]/ ? "\\$_" : $_
	} split(//, $text));
	return qq("$text");
}

# Is a dozen characters of the key, or all of a short one, somewhere in it?
sub shows_key
{
	my ($text, $key) = @_;
	my $size = length($key) < 12 ? length($key) : 12;
	for my $start (0 .. length($key) - $size)
	{
		return 1 if index($text, substr($key, $start, $size)) >= 0;
	}
	return 0;
}

# --- Statements that work ---

for my $sql (
	"EXPLAIN (VERBOSE) $read",
	"EXPLAIN (VERBOSE, ANALYZE, BUFFERS) $read",
	"EXPLAIN (VERBOSE, ANALYZE, SETTINGS, FORMAT JSON) $read",
	"EXPLAIN (VERBOSE, ANALYZE, FORMAT XML) $read",
	"EXPLAIN (VERBOSE, ANALYZE, FORMAT YAML) $read",
	$read,
	'SELECT opportunity_fdw_version()',
	q(SELECT * FROM opportunity_fdw_check('reevo')),
	'SELECT * FROM opportunity_fdw_stats',
	'SELECT * FROM pg_foreign_server',
	"SELECT * FROM opportunity WHERE id = '$id'")
{
	my $result = $session->query($sql);
	isnt($result->{out}, '', "it works: $sql");
	unlike($result->{out} . $result->{err}, $secret, 'and does not show the key');
}

my $talkative = Reevo::Session->new($node);
my $result = $talkative->query('SET client_min_messages = debug5; SET debug_print_parse = on; '
	  . 'SET debug_print_rewritten = on; SET debug_print_plan = on; '
	  . "$read; PREPARE p (uuid) AS SELECT * FROM opportunity WHERE id = \$1; EXECUTE p ('$id'); "
	  . 'SELECT opportunity_fdw_disconnect()');
like($result->{out}, qr/\Q$id\E/, 'a talkative session reads');
unlike($result->{out} . $result->{err}, $secret, 'and does not show the key');

if ($session->query("LOAD 'auto_explain'")->{sqlstate} eq '')
{
	$session->query("SET auto_explain.log_min_duration = 0; SET auto_explain.log_verbose = on; "
		  . 'SET auto_explain.log_analyze = on');
	$session->query($read);
}

# Columns that refuse the key as a value, each in its own way: input functions, what
# this extension says, and what a domain's condition says.
my @refusing = ('uuid', 'integer', 'float8', 'timestamptz', 'boolean', 'inet', 'size', 'told', 'told_json', 'told[]', 'uuid[]');
$session->query(q(
	CREATE TYPE size AS ENUM ('small');
	CREATE FUNCTION tell(value text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		IF value IS NULL THEN
			RETURN true;
		END IF;
		BEGIN
			PERFORM value::uuid;
		EXCEPTION WHEN OTHERS THEN
			RAISE EXCEPTION 'no %', value USING DETAIL = SQLERRM, HINT = 'Not ' || value;
		END;
	END $$;
	CREATE DOMAIN told AS text CHECK (tell(VALUE));
	CREATE DOMAIN told_json AS json CHECK (tell(VALUE::text))));
for my $i (0 .. $#refusing)
{
	my $attribute = $refusing[$i] =~ /\[/ ? 'competitors_mentioned_other' : 'display_name';
	$session->query("CREATE FOREIGN TABLE refusing_$i (id uuid, v $refusing[$i] OPTIONS (attribute '$attribute')) SERVER reevo;
		CREATE FOREIGN TABLE lenient_$i (id uuid, v $refusing[$i] OPTIONS (attribute '$attribute', invalid_value 'null')) SERVER reevo");
}

# --- An API that repeats the key ---

# Longer keys than a message has room for, and characters that JSON may escape.
my %key = (
	short => 'test-key',
	usual => 'sk_live_' . join('', map { chr(ord('a') + $_ % 23) . $_ } 1 .. 40),
	long => 'sk_long_' . join('', map { sprintf('%03d.', $_ * 7) } 1 .. 400),
	odd => q(k"e\\y/with+odd<characters>&'more'=) . join('', 100 .. 120));

for my $length (sort keys %key)
{
	my $key = $key{$length};
	(my $quoted = $key) =~ s/'/''/g;
	# The statement has the key, and the log is searched below.
	$session->query("SET log_min_error_statement = panic; "
		  . "ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key '$quoted'); "
		  . 'RESET log_min_error_statement');
	my $text = json_text($key);
	my @bodies = (
		[ 'the message', qq({"error": {"code": "bad", "message": "Key $key."}}) ],
		[ 'the code', qq({"error": {"code": "$key", "message": "It is bad."}}) ],
		[ 'the error', qq({"error": "the key $key is bad"}) ],
		[ 'the detail', qq({"detail": "the key $key is bad"}) ],
		[ 'the detail list', qq({"detail": [{"loc": ["header"], "msg": "the key $key is bad"}]}) ],
		[ 'something else', qq({"oops": "$key"}) ],
		[ 'the end of the excerpt', sprintf('{"error": {"message": "%s%s"}}', 'x' x 190, $key) ],
		[ 'the end of the message', sprintf('{"error": {"message": "%s%s"}}', 'x' x 1000, $key) ],
		[ 'the end of the code', sprintf('{"error": {"code": "%s%s"}}', 'x' x 100, $key) ],
		[ 'twice', sprintf('{"message": "%s%s"}', $key, $key) ]);
	if ($length eq 'odd')
	{
		my @spellings = (json_text($key), json_text($key, qr/[^\w ]/), json_text($key, qr/./));
		(my $slashes = $spellings[0]) =~ s{/}{\\/}g;
		@bodies = ();
		for my $spelling (@spellings, $slashes)
		{
			push @bodies, [ "the message as $spelling", qq({"error": {"message": $spelling}}) ],
			  [ "something else as $spelling", qq({"oops": $spelling}) ];
		}
	}
	for my $body (@bodies)
	{
		my ($where, $content) = @$body;
		my $json = json_text($content);
		for my $status (400, 401, 403, 429, 500)
		{
			next if $status != 400 && $where !~ /^(the message|something else|the error)$/;
			$api->behave(qq({"status": $status, "body": $json}));
			my $failed = $session->query("SELECT opportunity_fdw_disconnect(); $read");
			isnt($failed->{sqlstate}, '', "a $length key repeated in $where, status $status");
			ok(!shows_key($failed->{err}, $key), 'is not shown')
			  or diag($failed->{err});
			unlike($failed->{err}, qr/\\u00[2-7][0-9a-f].{0,20}\\u00[2-7][0-9a-f]/, 'nor is it in disguise')
			  if $length eq 'odd';
		}
	}

	# In a value, whole or within a text, as it is and as JSON may spell it.
	$api->reset;
	for my $spelling (json_text($key), json_text("x${key}y$key"), json_text($key, qr/./), json_text($key, qr/[a-m]/))
	{
		my $envelope = qq({"value": $spelling, "value_type": "string"});
		my $attributes = qq({"display_name": $envelope, "competitors_mentioned_other": [$envelope]});
		my $body = json_text(qq({"data": {"id": "$id", "attributes": $attributes}}));
		$api->behave(qq({"status": 200, "body": $body}));
		for my $i (0 .. $#refusing)
		{
			my $failed = $session->query("SELECT v FROM refusing_$i WHERE id = '$id'");
			isnt($failed->{sqlstate}, '', "a $length key repeated in a value of type $refusing[$i]");
			like($failed->{err}, qr/\*/, 'is starred') or diag($failed->{err});
			ok(!shows_key($failed->{err}, $key), 'and not shown') or diag($failed->{err});
			my $warned = $session->query("SELECT v FROM lenient_$i WHERE id = '$id'");
			isnt($warned->{err}, '', 'with a warning or an error');
			ok(!shows_key($warned->{err}, $key), 'which does not show it either') or diag($warned->{err});
		}
	}
	$api->reset;

	# Not as JSON, as a type, and as a record.
	next if $length eq 'odd';
	$api->reset;
	$api->behave(sprintf('{"status": 403, "content_type": "text/html", "body": "<html>%s"}', $key));
	my $failed = $session->query($read);
	is($failed->{sqlstate}, 'HV000', "a $length key repeated in a page");
	ok(!shows_key($failed->{err}, $key), 'is not shown') or diag($failed->{err});
	$api->reset;
	$api->behave(sprintf('{"status": 200, "content_type": "text/x-%s", "body": "<html>"}', $key));
	$failed = $session->query($read);
	is($failed->{sqlstate}, '08P01', "a $length key repeated as the content type");
	ok(!shows_key($failed->{err}, $key), 'is not shown') or diag($failed->{err});
	$api->reset;
	$api->behave(sprintf('{"status": 200, "body": "{\"data\": [\"%s\"]}"}', $key));
	$failed = $session->query($read);
	is($failed->{sqlstate}, '08P01', "a $length key repeated in what should be a record");
	ok(!shows_key($failed->{err}, $key), 'is not shown') or diag($failed->{err});
	$api->reset;
	$api->behave(sprintf('{"redirect": "http://127.0.0.1:1/%s"}', $key));
	$failed = $session->query($read);
	is($failed->{sqlstate}, 'HV000', "a $length key repeated in a redirect");
	ok(!shows_key($failed->{err}, $key), 'is not shown') or diag($failed->{err});
	$api->reset;
}
$session->query("SELECT opportunity_fdw_disconnect()");

# Failures below HTTP, with the real key again.
$session->query("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'test-key')");
for my $how (qw(close half-body-reset cut-json bad-length))
{
	$api->behave(qq({"fail_every": 1, "fail_how": "$how"}));
	my $failed = $session->query($read);
	is($failed->{sqlstate}, '08006', "broken: $how");
	unlike($failed->{err}, $secret, 'the key is not shown');
}
$api->reset;

# --- Keys that are refused ---

$session->query('SET log_min_error_statement = panic');
for my $options (q(SET api_key 'test-key with a space'), q(SET api_key E'test-key\r\nX-Evil: 1'),
	q(SET api_key 'test-key-é'), q(ADD apikey 'test-key'), q(ADD api_key 'test-key'),
	q(SET proxy_password E'the-password\n'), q(SET proxy_user E'the-password\x01'), q(ADD proxy_passwd 'the-password'),
	q(ADD proxy_password 'the-password'))
{
	my $failed = $session->query("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS ($options)");
	isnt($failed->{sqlstate}, '', "refused: $options");
	unlike($failed->{err}, $secret, 'without showing the key');
}
$session->query('RESET log_min_error_statement');

# --- What others see ---

$session->query(q(CREATE ROLE stranger LOGIN; GRANT USAGE ON FOREIGN SERVER reevo TO stranger;
	GRANT SELECT ON opportunity TO stranger));
$api->behave('{"stall": "headers"}');
$session->send($read);
$api->becomes('in_flight', 1);
for my $user (undef, 'stranger')
{
	my $other = Reevo::Session->new($node, user => $user);
	my $who = $user || 'a superuser';
	unlike($other->query('SELECT * FROM pg_stat_activity')->{out}, $secret, "$who: pg_stat_activity");
	unlike($other->query('SELECT * FROM pg_user_mappings; TABLE pg_user_mapping')->{out},
		$secret, "$who: pg_user_mappings")
	  if $user;
	$other->quit;
}
unlike(Reevo::slurp("/proc/$session->{backend}/cmdline"), $secret, 'the process title');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($session->{backend})");
is($session->result->{sqlstate}, '57014', 'cancelled');
$api->reset;

# --- Dumps ---

my ($dump, $error);
IPC::Run::run([ 'pg_dump', '-d', $node->connstr('postgres') ], '>', \$dump, '2>', \$error)
  or diag($error);
my @shown = split(/\n\n/, $dump);
@shown = grep { $_ =~ $secret } @shown;
is(scalar @shown, 1, 'pg_dump shows the key and the password once');
like($shown[0], qr/^CREATE USER MAPPING FOR /, 'in the user mapping');

# --- Only its host gets it ---

my $elsewhere = Reevo::start();
for my $status (301, 302, 303, 307, 308)
{
	$api->reset;
	$api->behave(sprintf('{"status": %d, "headers": {"Location": "%s/api/v2/opportunity/%s"}}',
			$status, $elsewhere->url, $id));
	my $failed = $session->query($read);
	is($failed->{sqlstate}, 'HV000', "a redirect with $status is an error");
	$api->reset;
}
is($elsewhere->requests, 0, 'the other host got no request');

$session->query('SELECT opportunity_fdw_disconnect()');
$api->behave('{"not_found_form": "bare"}');
$session->query(q(CREATE FOREIGN TABLE by_id (id uuid) SERVER reevo OPTIONS (use_query 'false')));
$session->query("SELECT id FROM by_id WHERE id = '99999999-0000-4000-8000-000000000000'");
my $stats = $api->ctl('stats');
my ($health) = $stats =~ m{(\{[^{}]*"path": ?"/api/v2/health"[^{}]*\{[^{}]*\})};
ok($health, 'the health of the API was asked for');
unlike($health || '', qr/authorization/, 'without the key');
like($stats, qr/"authorization": ?"test-key"/, 'as the record was with it');
$api->reset;

SKIP:
{
	skip 'the openssl command is not here', 1 unless Reevo::have_openssl();
	my $certificates = Reevo::certificates(api => 'DNS:api.test');
	my $tls = Reevo::start(tls => [ "$certificates/api.pem", "$certificates/api.key" ], records => 1);
	my ($target) = $tls->url =~ m{//(.*)};
	my $proxy = Reevo::start_proxy($target);
	$session->query("CREATE SERVER proxied FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url 'https://api.test',
		ca_file '$certificates/ca.pem', proxy '" . $proxy->url . "');
		CREATE USER MAPPING FOR CURRENT_USER SERVER proxied OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE proxied (id uuid, display_name text) SERVER proxied");
	isnt($session->query("SELECT display_name FROM proxied WHERE id = '$id'")->{out}, '', 'through a proxy');
	like($proxy->heads, qr{^CONNECT api\.test:443 HTTP/1\.1\r\n}, 'which was asked for a tunnel');
	unlike($proxy->heads, qr/test-key|^authorization/im, 'and not told the key');
	$_->stop for $tls, $proxy;
}

# --- The log, of all that ---

$session->quit;
$talkative->quit;
$node->stop('fast');
my $log = Reevo::slurp($node->logfile);
like($log, qr/ERROR:  08006: /, 'the log has the errors');
like($log, qr/DEBUG:  /, 'and what debug5 adds');
unlike($log, qr/the-password/, 'and not the password');
for my $length (sort keys %key)
{
	ok(!shows_key($log, $key{$length}), "and not the key ($length)");
}

done_testing();
