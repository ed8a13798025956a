# SPDX-License-Identifier: PostgreSQL
# The parsers of foreign bytes, fed with changed inputs for a few seconds each;
# and that this would find something. scripts/fuzz does it for longer.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use FindBin;
use IPC::Run ();
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $seconds = 3;

# What the inputs of the corpus come to as they are, at the least: a target that no
# longer reaches its parser would find nothing.
my %outcomes = (
	record => [qw(record cut failure malformed untranslatable 08P01 value null 22P02 22P05 22007 HV004)],
	page => [qw(page cut failure malformed untranslatable cursor last total more 08P01)],
	refusal => [qw(record none 08006 08P01 22P05 28000 42501 53400 HV000 HV00N HV00R
		  page cursor_gone refused filter_refused value_refused sort_refused not_supported)],
	http => [qw(record none 08006 08P01 28000 42501 53400 54000 57014 HV000 HV00N HV00R
		  page cursor_gone filter_refused not_supported)],
	options => [qw(base_url proxy ca_file attribute filter_operators record_type api_key
		  proxy_user proxy_password
		  max_retries max_response_size request_timeout invalid_value use_query 42501 HV00D HV024)],
	iso8601 => [qw(taken refused point timestamp written beyond)]);
my @targets = sort keys %outcomes;

my $keep = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $output = '';
IPC::Run::run(
	[ "$top/scripts/fuzz", '--seconds', $seconds, '--keep', $keep, @targets, 'canary' ],
	'<', \undef, '>', \$output, '2>&1', IPC::Run::timeout(900));
my $status = $? >> 8;
plan(skip_all => $output) if $status == 77;    # no compiler has the sanitizers

my ($listed) = Reevo::slurp("$top/test/fuzz/Makefile") =~ /^TARGETS = (.*)$/m;
is_deeply([ sort split(/ /, $listed) ], \@targets, 'every target is looked at');

for my $target (@targets)
{
	my ($line) = $output =~ /^(\Q$target\E: .*)$/m;
	$line = '' unless defined $line;
	note($line);
	my ($runs, $tally) = $line =~ /^\w+: no finding; (\d+) runs[^;]*; [^;]*; the corpus alone: (.*)$/;
	ok(defined $runs, "$target: nothing is found") or diag($output);
	$runs = 0, $tally = '' unless defined $runs;

	my $inputs = () = glob("$top/test/fuzz/corpus/$target/*");
	cmp_ok($inputs, '>=', 10, "$target: there are inputs to start from");
	cmp_ok($runs, '>', 2 * $inputs, "$target: they are run, and changed ones");
	is_deeply([ grep { $tally !~ /(^| )\Q$_\E=[1-9]/ } @{ $outcomes{$target} } ],
		[], "$target: they come to all that they should come to");
}

like($output, qr/^canary: FINDING kept as /m, 'what there is to be found is found');
is($status, 1, 'and the status says so');
my @kept = glob("$keep/*");
is(scalar @kept, 1, 'and its input is kept') and like(Reevo::slurp($kept[0]), qr/[\xff"\\]/, 'the one');

done_testing();
