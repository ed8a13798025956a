# SPDX-License-Identifier: PostgreSQL
# Thirty-two sessions run in parallel, and one request in ten fails: every result is
# right, no session ends, and no session's memory grows.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Load;
use Reevo;
use Test::More;

my $SESSIONS = 32;
my $SECONDS = 20;

# Allowed growth of memory in kB: of a single session above the largest, and of the
# median session
my $SLACK = 2048;
my $USUAL_SLACK = 512;

my $api = Load::start_api();
my $node = Reevo::cluster('load', 'log_statement = none');
Load::set_up($api, $node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM copy'), 1000, 'the copy has all records');

my $load = Load::run($api, $node, $SESSIONS, $SECONDS);
is($load->{status}, 0, 'no statement fails or returns a wrong result') or diag($load->{errors});
unlike($load->{errors}, qr/ERROR|aborted/, 'no session ends');
is($load->{sessions}, $SESSIONS, 'all sessions exist at the end');
cmp_ok($load->{transactions}, '>', 5 * $SESSIONS, 'the sessions run transactions');
cmp_ok($load->{statuses}{$_} || 0, '>', 0, "the API responds with failures: $_") for grep { /^\d+$/ } @Load::FAULTS;
cmp_ok($load->{requests}, '>', 1.05 * $load->{statuses}{200}, 'the API has other failures, too');

my ($before, $after) = map { $_->{memory} } @{ $load->{samples} }[ 1, -1 ];
my ($largest) = sort { $b <=> $a } values %$before;
my @large = grep { $after->{$_} > $largest + $SLACK } sort keys %$after;
my @growth = sort { $a <=> $b } map { $after->{$_} - ($before->{$_} || 0) } keys %$after;
SKIP:
{
	skip 'AddressSanitizer delays the release of freed memory', 2 if $load->{keeps_freed};
	is("@large", '', "no session grows much above the largest, $largest kB")
	  or diag(join(', ', map { "$_: $before->{$_} -> $after->{$_} kB" } @large));
	cmp_ok($growth[ @growth / 2 ], '<', $USUAL_SLACK, 'most sessions do not grow');
}
note(sprintf('%d transactions, %d requests, %.0f transactions per second', @$load{qw(transactions requests tps)}));
note(join(', ', map { "$_: $load->{statuses}{$_}" } sort keys %{ $load->{statuses} }));
for my $sample (@{ $load->{samples} })
{
	my @sizes = sort { $a <=> $b } values %{ $sample->{memory} };
	note("memory of a session: $sizes[0] to $sizes[-1] kB");
}

# The checks find a wrong result.
$api->ctl('attributes', Reevo::id(7), '{"display_name": {"value": "another", "value_type": "string"}}');
my $session = Reevo::Session->new($node);
like($session->query('SELECT check_records(ARRAY[7])')->{message}, qr/^wrong result: records/, 'the check finds a wrong record');
like($session->query('SELECT check_visits(1)')->{message}, qr/^wrong result: visits/, 'the check finds a wrong join');
$session->quit;

$node->stop('fast');

done_testing();
