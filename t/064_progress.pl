# SPDX-License-Identifier: PostgreSQL
# The progress notices of a running statement.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $api = Reevo::start(records => 1000);
my $node = Reevo::cluster('progress');
Reevo::set_up($node, $api->url);

my $session = Reevo::Session->new($node);

# --- Notices ---

sub notices
{
	my ($result) = @_;
	return [ map { [ split /,/ ] }
		  $result->{err} =~ /NOTICE:  00000: reading from the API: (records \d+, requests \d+, records per second \d+, seconds [\d.]+)$/mg ];
}

$api->behave('{"delay_ms": 300}');
is_deeply(notices($session->query('SELECT count(*) FROM opportunity')), [], 'notices are off by default');
$session->query("SET opportunity_fdw.progress_interval = '0.1s'");
my $result = $session->query("SELECT count(*) FROM opportunity WHERE id = '" . Reevo::id(1) . "'");
is($result->{out}, 1, 'notices do not change the result');
my @told = @{ notices($result) };
cmp_ok(scalar @told, '>=', 2, 'notices appear during the wait for a response');
is($told[0][0], 'records 0', 'the first notice reports no record');
is($told[0][1], ' requests 1', 'the first notice reports one request');

$result = $session->query('SELECT count(*) FROM opportunity');
is($result->{out}, 1000, 'a scan returns all records');
@told = @{ notices($result) };
my @records = map { /(\d+)/ } map { $_->[0] } @told;
cmp_ok(scalar @told, '>=', 3, 'notices appear while pages are read');
is_deeply(\@records, [ sort { $a <=> $b } @records ], 'the number of records never decreases');
cmp_ok($records[-1], '>', 0, 'the last notice reports some records');
cmp_ok(scalar @{ notices($session->query('ANALYZE opportunity')) }, '>=', 1, 'ANALYZE has notices');
$session->query('CREATE TEMP TABLE t AS SELECT id FROM opportunity LIMIT 150');
cmp_ok(scalar @{ notices($session->query('SELECT count(*) FROM t JOIN opportunity USING (id)')) }, '>=', 1, 'a batch lookup has notices');
cmp_ok(
	scalar @{ notices($session->query("SELECT count(*) FROM (SELECT id FROM opportunity UNION ALL SELECT id FROM opportunity) b")) },
	'>=', 1, 'an Append has notices');
is($session->query("SET opportunity_fdw.progress_interval = '-1'")->{sqlstate}, '22023', 'progress_interval rejects a negative value');
$session->query("SET opportunity_fdw.progress_interval = 0");

$session->quit;
$node->stop('fast');
done_testing();
