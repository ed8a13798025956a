# SPDX-License-Identifier: PostgreSQL
# Measures many sessions in parallel: see bench/load, which runs this.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../t";
use Load;
use Reevo;
use Test::More ();

my ($sessions, $seconds) = (@ARGV, 32, 60)[ 0 .. 1 ];
$seconds = 60 if @ARGV == 1;

my $api = Load::start_api();
my $node = Reevo::cluster('load', "log_statement = none\nmax_connections = " . ($sessions + 20));
Load::set_up($api, $node);
my $load = Load::run($api, $node, $sessions, $seconds);

# show(FORMAT, ...): writes to standard output, which PostgreSQL's test modules redirect.
sub show
{
	my ($format, @values) = @_;
	my $output = Test::More->builder->output;
	print $output sprintf("$format\n", @values);
	return;
}

show('| sessions | seconds | transactions | per second | requests | failed requests | sessions lost |');
show('|---|---|---|---|---|---|---|');
show('| %d | %d | %d | %.0f | %d | %d | %d |', $sessions, $seconds, $load->{transactions}, $load->{tps},
	$load->{requests}, $load->{requests} / 10, $sessions - $load->{sessions});
show('');
show('| after | memory of a session, in kB |');
show('|---|---|');
for my $sample (@{ $load->{samples} })
{
	my @sizes = sort { $a <=> $b } values %{ $sample->{memory} };
	show('| %.0f s | %d to %d, median %d |', $sample->{after}, @sizes[ 0, -1 ], $sizes[ $#sizes / 2 ]);
}
show("\n%s", $load->{errors}) if $load->{status} != 0;
$node->stop('fast');
exit($load->{status} == 0 ? 0 : 1);
