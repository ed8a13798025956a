# SPDX-License-Identifier: PostgreSQL
# Fuzzes the parsers of the API's bytes for a few seconds each, and checks that the
# fuzzers can find a defect. The inputs are the same in each run; scripts/fuzz runs
# others, and for longer.

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

# The minimal outcomes of the corpus. A target that does not reach its parser would
# find nothing.
my %outcomes = (
	json => [qw(json cut unexpected control escape utf8 deep)],
	record => [qw(record cut failure malformed value null 22P02 22P05 22007 HV004)],
	page => [qw(page cut failure malformed cursor last total more)],
	refusal => [qw(record none 08006 08P01 28000 42501 53400 HV000 HV00N HV00R
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
	[ "$top/scripts/fuzz", '--seconds', $seconds, '--seed', 1, '--keep', $keep, @targets, 'canary' ],
	'<', \undef, '>', \$output, '2>&1', IPC::Run::timeout(900));
my $status = $? >> 8;
plan(skip_all => $output) if $status == 77;    # no compiler has the sanitizers

my ($listed) = Reevo::slurp("$top/test/fuzz/Makefile") =~ /^TARGETS = (.*)$/m;
is_deeply([ sort split(/ /, $listed) ], \@targets, 'the test lists every target');

for my $target (@targets)
{
	my ($line) = $output =~ /^(\Q$target\E: .*)$/m;
	$line = '' unless defined $line;
	note($line);
	my ($runs, $tally) = $line =~ /^\w+: no finding; (\d+) runs[^;]*; [^;]*; the corpus alone: (.*)$/;
	ok(defined $runs, "$target: the fuzzer has no finding") or diag($output);
	$runs = 0, $tally = '' unless defined $runs;

	my $inputs = () = glob("$top/test/fuzz/corpus/$target/*");
	cmp_ok($inputs, '>=', 10, "$target: the corpus has at least 10 inputs");
	cmp_ok($runs, '>', 2 * $inputs, "$target: the fuzzer runs the corpus and mutations of it");
	is_deeply([ grep { $tally !~ /(^| )\Q$_\E=[1-9]/ } @{ $outcomes{$target} } ],
		[], "$target: the corpus reaches all expected outcomes");
}

like($output, qr/^canary: FINDING kept as /m, 'the fuzzer finds the defect of the canary');
is($status, 1, 'the exit status reports the finding');
my @kept = glob("$keep/*");
is(scalar @kept, 1, 'the input of the finding is kept') and like(Reevo::slurp($kept[0]), qr/[\xff"\\]/, 'the kept input triggers the defect');

done_testing();
