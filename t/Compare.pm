# SPDX-License-Identifier: PostgreSQL
# For the tests of lookups: generated queries that the database function "compare"
# runs in several ways

package Compare;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(chance one_of compare_in_variant);

# Returns true with a probability in percent.
sub chance { my ($percent) = @_; return rand(100) < $percent; }

sub one_of { return $_[ int(rand(@_)) ]; }

# Returns an SQL array of texts.
sub array_of
{
	return 'ARRAY[' . join(', ', map { (my $text = $_) =~ s/'/''/g; "'$text'" } @_) . ']';
}

# compare_in_variant(API, SESSION, VARIANT, OPTIONS, TOTALS): runs generated queries
# while the simulator behaves in one way, and tests that their rows are the same in
# each way to run them. Adds to the totals the {queries}, {rows} and {lookups}.
# Options: {queries}: the number of queries; {batch}: the number in one statement;
# {generated}: returns a query and its settings; {arguments}: further arguments of
# compare; {seed}: reported with a difference.
sub compare_in_variant
{
	my ($api, $session, $variant, $options, $totals) = @_;
	my @differences;
	my $left = $options->{queries};

	$api->reset;
	$api->behave($variant);
	$session->query('SELECT opportunity_fdw_disconnect()');
	while ($left > 0)
	{
		my (@texts, @settings);
		for (1 .. ($left < $options->{batch} ? $left : $options->{batch}))
		{
			my ($text, $setting) = $options->{generated}->();
			push @texts, $text;
			push @settings, $setting;
		}
		$left -= @texts;
		my $result = $session->query('SELECT compare(' . join(', ', array_of(@texts), array_of(@settings), @{ $options->{arguments} || [] }) . ')');
		my @lines = grep { $_ ne '' } split(/\n/, $result->{out});
		my $summary = pop @lines || '';
		if ($summary =~ /^(\d+) queries, (\d+) rows, (\d+) lookups/ && $1 == @texts)
		{
			$totals->{queries} += $1;
			$totals->{rows} += $2;
			$totals->{lookups} += $3;
		}
		else
		{
			push @lines, $result->{err};
		}
		push @differences, @lines;
	}
	is(scalar @differences, 0, "the rows of $options->{queries} queries are the same: $variant")
	  or diag(join("\n", "seed $options->{seed}", @differences[ 0 .. ($#differences < 4 ? $#differences : 4) ]));
	return;
}

1;
