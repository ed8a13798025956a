# SPDX-License-Identifier: PostgreSQL
# The API limits the results of a query, and many records have the same created_at: a
# scan returns all rows or an error. Without such a limit, a session makes at most one
# query to verify that.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $count = 307;
my $api = Reevo::start(records => $count);
my $node = Reevo::cluster('result_cap', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "page_size '50'");
my $setup = Reevo::Session->new($node);
$setup->query(q(CREATE FOREIGN TABLE sequential (id uuid, created_at timestamptz) SERVER reevo OPTIONS (max_concurrency '1')));

# Layout name to a function: the creation time of a number, in days after 2020-01-01
my %layouts = (
	'most at the newest time' => sub { my ($n) = @_; return $n < 40 ? $n : 400; },
	'most at the oldest time' => sub { my ($n) = @_; return $n < 260 ? 0 : $n; },
	'most in the middle' => sub { my ($n) = @_; return $n < 25 ? $n : $n < 280 ? 100 : $n; },
	'most at two times' => sub { my ($n) = @_; return $n < 130 ? 0 : $n < 180 ? $n : 500; },
	'all at one time' => sub { return 0; });

my %reads = (
	'a scan' => 'SELECT count(*), count(DISTINCT id) FROM opportunity',
	'a scan by one reader' => 'SELECT count(*), count(DISTINCT id) FROM sequential');

my @caps = (
	'{"result_cap": 100, "total": true}',
	'{"result_cap": 50, "total": true}',
	'{"result_cap": 30, "has_more": true}',
	'{"result_cap": 15, "total": true, "short_pages": 10}',
	'{"result_cap": 70, "total": true, "reverse_ties": true}',
	'{"result_cap": 100, "cap_how": "refuse"}',
	'{"result_cap": 50, "cap_how": "invalid_cursor"}');

sub create
{
	my ($layout) = @_;
	for my $n (0 .. $count - 1)
	{
		my @parts = gmtime(1577836800 + 86400 * $layout->($n));
		my $created = sprintf('%04d-%02d-%02dT%02d:%02d:%02dZ', $parts[5] + 1900, $parts[4] + 1, @parts[ 3, 2, 1, 0 ]);
		$api->ctl('attributes', Reevo::id($n), qq({"created_at": {"value": "$created", "value_type": "timestamp"}}));
	}
	return;
}

# behave(BEHAVIOUR): sets the behaviour, and restores the other defaults. The records
# stay.
my @behaviours = qw(result_cap total has_more short_pages reverse_ties cap_how total_lies);

sub behave
{
	my ($behaviour) = @_;
	$api->behave('{' . join(', ', map { qq("$_": null) } @behaviours) . '}');
	$api->behave($behaviour);
	return;
}

for my $layout (sort keys %layouts)
{
	create($layouts{$layout});

	for my $read (sort keys %reads)
	{
		for my $cap (@caps)
		{
			behave($cap);
			my $session = Reevo::Session->new($node);
			# The second scan uses the limit that the first one has found.
			for my $time ('first', 'second')
			{
				my $result = $session->query($reads{$read});
				like("$result->{out}$result->{sqlstate}", qr/^($count\|$count|HV000)$/, "$layout, $cap: the $time of $read returns all rows or an error") or diag($result->{err});
				note($result->{message}) if $result->{message};
			}
			$session->quit;
		}

		# Without a limit, only a wrong total causes a verification, once for each session.
		my %requests;
		for my $behaviour ('{}', '{"total": true}', '{"total": true, "total_lies": 1000}')
		{
			behave($behaviour);
			my $session = Reevo::Session->new($node);
			for my $time ('first', 'second')
			{
				my $result;
				$requests{$behaviour}{$time} = $api->requests_of(sub { $result = $session->query($reads{$read}) });
				is($result->{out}, "$count|$count", "$layout, $behaviour: the $time of $read returns all rows");
				is($result->{err}, '', "$layout, $behaviour: the $time of $read causes no message");
			}
			$session->quit;
		}
		note(join(', ', "$layout, $read", map { "$_: $requests{$_}{first} then $requests{$_}{second}" } sort keys %requests));
		next if $read eq 'a scan';
		is($requests{'{"total": true}'}{first}, $requests{'{}'}{first}, "$layout: a right total causes no verification");
		is($requests{'{"total": true, "total_lies": 1000}'}{second}, $requests{'{}'}{second}, "$layout: a wrong total causes no verification in a later statement");
	}
	$api->reset;
}

$setup->quit;
$node->stop('fast');

done_testing();
