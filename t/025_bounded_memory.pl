# SPDX-License-Identifier: PostgreSQL
# A response takes at most three times its size in memory, with any content. Each one
# has 64 MB, which a small gzip unpacks to.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP ();
use Reevo;
use Test::More;

my $MEGABYTES = 64;
my $id = $Reevo::EXAMPLE;

my $api = Reevo::start();
my $node = Reevo::cluster('bounded_memory', 'jit = off');
Reevo::set_up($node, $api->url, "max_response_size '70'", "request_timeout '60'", "max_retries '0'");
my $session = Reevo::Session->new($node);
$session->query(q(CREATE FOREIGN TABLE wide (id uuid, tags text[], tag text OPTIONS (attribute 'tags'), colour text OPTIONS (attribute 'stage.color'), owner uuid)
	SERVER reevo));
$session->quit;

# peak(PID): the maximum of the resident memory of a process so far, in kB.
sub peak
{
	my ($size) = Reevo::slurp("/proc/$_[0]/status") =~ /^VmHWM:\s*(\d+) kB$/m;
	return $size;
}

my $record = qq({"id":"$id","attributes":{);
for my $case (
	[ 'numbers instead of records', '{"data":[', '0,', '0]}', '*', '08P01' ],
	[ 'empty objects instead of records', '{"data":[', '{},', '{}]}', '*', '08P01' ],
	[ 'small records', '{"data":[', "$record}},", "$record}}]}", '*', '08P01' ],
	[ 'small records in one that is read', qq({"data":[$record},"more":[), "$record}},", '1]}]}', 'id', '' ],
	[ 'errors', '{"error":[', '"",', '""]}', '*', '08P01' ],
	[ 'keys', qq({"data":[$record"x":{), '"":0,', '"":0}}}]}', 'id', '' ],
	[ 'escapes in a key', qq({"data":[$record"), '\u0041', '":1}}]}', 'id', '' ],
	[ 'a list that is not read', qq({"data":[$record"tags":[), 'null,', 'null]}}]}', 'id', '' ],
	[ 'a list', qq({"data":[$record"tags":[), 'null,', 'null]}}]}', 'array_length(tags, 1) > 1000000', '' ],
	[ 'a list instead of a text', qq({"data":[$record"tags":[), 'null,', 'null]}}]}', 'tag', 'HV004' ],
	[ 'keys of a value', qq({"data":[$record"stage":{"value":{), '"a":0,', '"color":"red"},"value_type":"select"}}}]}', 'colour', '' ],
	[ 'a text', qq({"data":[$record"tags":{"value":"), 'x', '","value_type":"string"}}}]}', 'length(tag)', '' ],
	[ 'text after the response', '{"data":[]}', ' ', '', '*', '' ])
{
	my ($what, $head, $unit, $tail, $columns, $sqlstate) = @$case;
	my $json = JSON::PP::encode_json([ $MEGABYTES, $head, $unit, $tail ]);
	$api->reset;
	my $new = Reevo::Session->new($node);
	$new->query('SELECT count(*) FROM wide');
	$api->behave(qq({"gzip_bomb": $json}));
	my $before = peak($new->{backend});
	my $result = $new->query("SELECT $columns FROM wide");
	my $grown = peak($new->{backend}) - $before;
	is($result->{sqlstate}, $sqlstate, "$what: the expected result") or diag(substr($result->{err}, 0, 500));
	cmp_ok($grown, '<=', 3 * $MEGABYTES * 1024, sprintf('%s: %.1f times the size of the response', $what, $grown / $MEGABYTES / 1024));
	$new->quit;
}

$api->reset;
$node->stop('fast');
done_testing();
