# SPDX-License-Identifier: PostgreSQL
# Every message of doc/troubleshooting.md is provoked, and compared with its SQLSTATE;
# and every message of the code is there.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Documents;
use Reevo;
use Test::More;

my $top = $Documents::top;
my $document = Reevo::slurp("$top/doc/troubleshooting.md");

# A heading with the SQLSTATE below it, or a line of a table.
my %sqlstate = (
	$document =~ /^### `(.*)`\n\n\*\*(\w{5})\.\*\*/mg,
	$document =~ /^\| `(.*)` \| (\w{5}) \|/mg);
is(scalar keys %sqlstate, scalar(() = $document =~ /^(?:### `|\| `.*\w{5} \|)/mg), 'each message has its SQLSTATE');

# pattern(MESSAGE): ... stands for anything.
sub pattern
{
	my ($message) = @_;
	my $pattern = join('.+?', map { quotemeta } split(/\.\.\./, $message, -1));
	return qr/^$pattern$/s;
}

# --- Where there is something to go wrong ---

my $id = Reevo::id(1);
my $api = Reevo::start(records => 60);
my $node = Reevo::cluster('troubleshooting');
my @options = ("max_retries '1'", "max_retry_wait '0.05'", "max_response_size '1'");
Reevo::set_up($node, $api->url, @options);
my $session = Reevo::Session->new($node);
my $closed = 'http://127.0.0.1:' . $api->port('closed_port');
my $garbage = 'http://127.0.0.1:' . $api->port('garbage_port');
my $no_pem = "$top/README.md";

$session->query(qq(
	CREATE FOREIGN TABLE by_id (id uuid) SERVER reevo OPTIONS (use_query 'false');
	CREATE FOREIGN TABLE few (id uuid) SERVER reevo OPTIONS (max_requests '1', page_size '10');
	CREATE FOREIGN TABLE gadget (id uuid) SERVER reevo OPTIONS (record_type 'gadget');
	CREATE FOREIGN TABLE paged (id uuid, created_at timestamptz) SERVER reevo OPTIONS (page_size '10', max_concurrency '1');
	CREATE FOREIGN TABLE unsorted (id uuid, created_at timestamptz OPTIONS (sortable 'false')) SERVER reevo
		OPTIONS (page_size '10', max_concurrency '1');
	CREATE FOREIGN TABLE misfit (id uuid, n integer OPTIONS (attribute 'display_name'), closed_at timestamptz,
		amount text, stage_text text[] OPTIONS (attribute 'stage'), rivals text OPTIONS (attribute 'competitors_mentioned_other'),
		raw text OPTIONS (attribute 'cf'), whole integer OPTIONS (attribute '*'),
		made integer GENERATED ALWAYS AS (1) STORED) SERVER reevo;
	CREATE FOREIGN TABLE lenient (id uuid, n integer OPTIONS (attribute 'display_name', invalid_value 'null')) SERVER reevo;
	CREATE ROLE stranger;
	GRANT SELECT ON opportunity TO stranger;
	GRANT USAGE ON FOREIGN SERVER reevo TO stranger;
	GRANT USAGE ON FOREIGN DATA WRAPPER opportunity_fdw TO stranger;
	CREATE SCHEMA imported));

sub one { return "SELECT $_[0] FROM $_[1] WHERE id = '$id'"; }
sub behaves { my ($what, $sql) = @_; return sub { $api->behave($what); return $session->query($sql); }; }
sub says { my ($sql) = @_; return sub { $session->query($sql) }; }

# Another server with a table.
sub elsewhere
{
	my (@more) = @_;
	my $server_options = join(', ', @options, @more);
	return says(qq(BEGIN; CREATE SERVER other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($server_options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE elsewhere (id uuid) SERVER other; SELECT FROM elsewhere WHERE id = '$id'));
}

# Runs a statement as a role that is not a superuser.
sub stranger { my ($sql) = @_; return says("SET ROLE stranger; $sql"); }

# The record has that attribute.
sub attribute
{
	my ($attributes, $sql) = @_;
	return sub { $api->ctl('attributes', $id, $attributes); return $session->query($sql); };
}

sub server { return "CREATE SERVER other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS ($_[0])"; }

my $import = 'IMPORT FOREIGN SCHEMA reevo LIMIT TO (%s) FROM SERVER reevo INTO imported';
my $read = one('display_name', 'opportunity');

my @provoked = (
	'could not connect to the API' => elsewhere("base_url '$closed'"),
	'proxy rejected the connection: HTTP status ...' => sub {
		$api->behave('{"status": 407}');
		return elsewhere("base_url 'http://127.0.0.1:1'", "proxy '" . $api->url . "'")->();
	},
	'API request failed' => behaves('{"fail_every": 1, "fail_how": "close"}', $read),
	q(API response is not HTTP) => elsewhere("base_url '$garbage'"),
	'API redirected the request: HTTP status ...' => behaves('{"redirect": "http://127.0.0.1:1/"}', $read),
	'API rejected the API key: HTTP status ...' => says("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'expired-key'); $read"),
	'API key lacks a permission: HTTP status ...' => says("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'no-permission'); $read"),
	'API key lacks permission to read the schema of record type "...": HTTP status ...' =>
	  says("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'no-permission'); " . sprintf($import, 'account')),
	'user mapping for "..." has no API key' => says("CREATE USER MAPPING FOR stranger SERVER reevo; SET ROLE stranger; $read"),
	'user mapping not found for ...' => stranger($read),
	'record type "..." not found: HTTP status ...' => says(one('id', 'gadget')),
	'schema of record type "..." not found: HTTP status ...' => says(sprintf($import, 'gadget')),
	q(API schema is larger than ... MB) => sub {
		$api->ctl('schema', 'opportunity', ' ' x (9 << 20));
		return $session->query("BEGIN; ALTER SERVER reevo OPTIONS (SET max_response_size '16'); " . sprintf($import, 'opportunity'));
	},
	'remote schema "..." does not exist' => says('IMPORT FOREIGN SCHEMA other FROM SERVER reevo INTO imported'),
	'API is throttling requests: HTTP status ...' => behaves('{"status": 429}', $read),
	'statement needs more than ... API requests' => says('SELECT FROM few'),
	q(API response is larger than ... MB) => behaves('{"endless_body": true}', $read),
	q(cannot scan foreign table "..." without a condition on attribute "id") => says('SELECT FROM by_id'),
	'API rejected the request: HTTP status ...' => behaves('{"status": 400}', $read),
	'API server error: HTTP status ...' => behaves('{"status": 500}', $read),
	'API reported an error: HTTP status ...' => behaves('{"status": 200, "body": {"data": [], "errors": [{"message": "No."}]}}', $read),
	'gateway rejected the request: HTTP status ...' =>
	  behaves('{"status": 403, "body": "<html>Access denied</html>", "content_type": "text/html"}', $read),
	'proxy rejected the request: HTTP status ...' => behaves('{"status": 407}', $read),
	'API cursors expire before the scan can finish' => behaves('{"expire_cursors_after": 1}', 'SELECT id FROM unsorted'),
	'API returns at most ... records per query' => behaves('{"result_cap": 20, "cap_how": "refuse"}', 'SELECT id FROM unsorted'),
	'result may be incomplete: API returned ... records and no further page' =>
	  behaves('{"result_cap": 20, "cap_how": "no_cursor", "total": true}', 'SELECT id FROM unsorted'),
	'API returned record ... instead of record ...' => behaves('{"swap_id": true}', $read),
	'API returned records out of order for sort field "..."' => behaves('{"ignore_sort": true}', 'SELECT id FROM paged ORDER BY created_at'),
	q(API pagination does not terminate) => behaves('{"repeat_cursor": true}', 'SELECT id FROM paged ORDER BY created_at'),
	q(API response is not a valid ...: ...) => behaves('{"status": 200, "body": "<html>Log in</html>"}', $read),
	'value contains ..., which PostgreSQL cannot store' =>
	  attribute('{"display_name": {"value": "a\u0000b", "value_type": "string"}}', $read),
	'invalid input syntax for type ...: "..."' => says(one('n', 'misfit')),
	'invalid ISO 8601 value for type ...: "..."' =>
	  attribute('{"closed_at": {"value": "yesterday", "value_type": "timestamp"}}', one('closed_at', 'misfit')),
	'cannot convert array value to type ...' =>
	  attribute('{"competitors_mentioned_other": [{"value": "x", "value_type": "string"}]}', one('rivals', 'misfit')),
	'cannot convert non-array value to type ...' => says(one('stage_text', 'misfit')),
	'cannot convert structured value to type ...' =>
	  attribute('{"cf": {"value": {"a": 1}, "value_type": "address"}}', one('raw', 'misfit')),
	'value of type "..." has no key "..."' =>
	  attribute('{"amount": {"value": {"currency": "EUR"}, "value_type": "currency"}}', one('amount', 'misfit')),
	'column "..." of foreign table "..." with attribute "*" cannot have type ...' => says(one('whole', 'misfit')),
	'value "..." is out of range for type ...' =>
	  attribute('{"display_name": {"value": "1e20", "value_type": "string"}}', one('n', 'misfit')),
	'generated column "..." of foreign table "..." is not supported' => says(one('made', 'misfit')),
	'"..." is not a foreign table of opportunity_fdw' => says("SELECT opportunity_fdw_drift('pg_class')"),
	'server "..." does not use foreign-data wrapper "opportunity_fdw"' =>
	  says('CREATE FOREIGN DATA WRAPPER another; CREATE SERVER another FOREIGN DATA WRAPPER another; SELECT opportunity_fdw_check($$another$$)'),
	'invalid option "..."' => says(server("base_ulr 'https://api.reevo.ai'")),
	'invalid value for option "...": "..."' => says(server("max_retries 'many'")),
	'invalid value for option "..."' => says("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'test-key\n')"),
	'invalid operator in option "...": "..."' =>
	  says(q(ALTER FOREIGN TABLE opportunity ALTER COLUMN stage OPTIONS (ADD filter_operators 'equals'))),
	'option "..." is not an https URL' => says(server("base_url 'api.reevo.ai'")),
	'option "..." must not contain a user name or a password' => says(server("base_url 'https://me:secret\@api.reevo.ai'")),
	'option "..." must not contain a query or a fragment' => says(server("base_url 'https://api.reevo.ai/?a=b'")),
	'option "base_url" must be an https URL' => says(server("base_url 'http://api.reevo.ai'")),
	'option "..." is not a proxy URL' => says(server("proxy 'gopher://proxy.example'")),
	'option "..." must be an absolute path' => says(server("ca_file 'ca.pem'")),
	'could not open file "..." of option "...": ...' => says(server("ca_file '/no/such/file'")),
	'file "..." of option "..." contains no certificate in PEM format' => says(server("ca_file '$no_pem'")),
	'permission denied to set option "..."' => stranger(server("allow_http 'true'")),
	'permission denied to set option "base_url" to an http URL' => stranger(server("base_url 'http://127.0.0.1:1'")),
	'invalid values in column "..." of foreign table "..." are replaced by NULL' => says(one('n', 'lenient')),
	'API rejected a query of a parallel scan on record type "...": ...' => 
	  behaves('{"refuse_operators": ["not_exists"]}', q(BEGIN; ALTER FOREIGN TABLE paged OPTIONS (SET max_concurrency '2'); SELECT id FROM paged)),
	'API rejected a filter on record type "...": ...' =>
	  behaves('{"refuse_operators": ["created_at.gte"]}', q(SELECT id FROM paged WHERE created_at > '2000-01-01')),
	'cannot create a column for attribute "..."' => sub {
		$api->ctl('schema', 'opportunity', '{"api_name": "opportunity", "attributes": [{"api_name": "a.b", "type_info": {"is_array": false, "value_type": "string"}}]}');
		return $session->query(sprintf($import, 'opportunity'));
	});

# --- Each of them ---

my %provoked;
while (my ($message, $provoke) = splice(@provoked, 0, 2))
{
	$provoked{$message}++;
	my $result = $provoke->();
	my ($code, $said) = ($result->{sqlstate}, $result->{message});
	($code, $said) = $result->{err} =~ /^WARNING:  (\w{5}): (.*)$/m if $code eq '';
	is($code, $sqlstate{$message}, "$message: SQLSTATE") or diag($result->{err});
	like($said, pattern($message), 'and message');
	$api->reset;
	$session->query('ROLLBACK') if $result->{err} ne '';
	$session->query(q(RESET ROLE; DROP USER MAPPING IF EXISTS FOR stranger SERVER reevo; DROP SERVER IF EXISTS other;
		ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'test-key')));
}
is_deeply([ sort keys %provoked ], [ sort keys %sqlstate ], 'all that is described is provoked');

$session->quit;
done_testing();
