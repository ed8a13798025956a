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
is_deeply(notices($session->query('SELECT count(*) FROM opportunity')), [], 'off by default');
$session->query("SET opportunity_fdw.progress_interval = '0.1s'");
my $result = $session->query("SELECT count(*) FROM opportunity WHERE id = '" . Reevo::id(1) . "'");
is($result->{out}, 1, 'the answer is the same');
my @told = @{ notices($result) };
cmp_ok(scalar @told, '>=', 2, 'told while one answer is waited for');
is($told[0][0], 'records 0', 'nothing has come');
is($told[0][1], ' requests 1', 'one request is under way');

$result = $session->query('SELECT count(*) FROM opportunity');
is($result->{out}, 1000, 'all of a table');
@told = @{ notices($result) };
my @records = map { /(\d+)/ } map { $_->[0] } @told;
cmp_ok(scalar @told, '>=', 3, 'told while pages are read');
is_deeply(\@records, [ sort { $a <=> $b } @records ], 'records only become more');
cmp_ok($records[-1], '>', 0, 'some had come');
cmp_ok(scalar @{ notices($session->query('ANALYZE opportunity')) }, '>=', 1, 'ANALYZE tells, too');
$session->query('CREATE TEMP TABLE t AS SELECT id FROM opportunity LIMIT 150');
cmp_ok(scalar @{ notices($session->query('SELECT count(*) FROM t JOIN opportunity USING (id)')) }, '>=', 1, 'so does a lookup');
cmp_ok(
	scalar @{ notices($session->query("SELECT count(*) FROM (SELECT id FROM opportunity UNION ALL SELECT id FROM opportunity) b")) },
	'>=', 1, 'and an Append');
is($session->query("SET opportunity_fdw.progress_interval = '-1'")->{sqlstate}, '22023', 'no negative time');
$session->query("SET opportunity_fdw.progress_interval = 0");

$session->quit;
$node->stop('fast');
done_testing();
