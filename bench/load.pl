# Many sessions at once: see bench/load, which runs this.

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

# Past the log that PostgreSQL's test modules make of standard output.
my $output = Test::More->builder->output;
my $good = $load->{statuses}{200} + ($load->{statuses}{404} || 0);
print $output "| sessions | seconds | transactions | per second | requests | of them good | ended sessions |\n";
print $output "|---|---|---|---|---|---|---|\n";
printf $output "| %d | %d | %d | %.0f | %d | %.1f %% | %d |\n\n", $sessions, $seconds,
  $load->{transactions}, $load->{tps}, $load->{requests}, 100 * $good / $load->{requests},
  $sessions - $load->{sessions};
print $output "| after | memory of a session, in kB |\n|---|---|\n";
for my $number (0 .. $#{ $load->{samples} })
{
	my @sizes = sort { $a <=> $b } values %{ $load->{samples}[$number] };
	printf $output "| %.0f s | %d to %d, median %d |\n", (0.25, 0.5, 0.75, 0.9)[$number] * $seconds,
	  @sizes[ 0, -1, $#sizes / 2 ];
}
print $output "\n$load->{errors}\n" if $load->{status} != 0;
$node->stop('fast');
exit($load->{status} == 0 ? 0 : 1);
