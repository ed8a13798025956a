# SPDX-License-Identifier: PostgreSQL
# An API that caps the results of a query, and many records that were created at
# the same time: a scan has all rows or is an error. An API without a cap costs one
# verification per session at most.

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
$setup->query(q(CREATE FOREIGN TABLE calm (id uuid, created_at timestamptz) SERVER reevo OPTIONS (max_concurrency '1')));

# The time of each record's creation, in days after 2020 began.
my %layouts = (
	'most at the newest time' => sub { my ($n) = @_; return $n < 40 ? $n : 400; },
	'most at the oldest time' => sub { my ($n) = @_; return $n < 260 ? 0 : $n; },
	'most in the middle' => sub { my ($n) = @_; return $n < 25 ? $n : $n < 280 ? 100 : $n; },
	'most at two times' => sub { my ($n) = @_; return $n < 130 ? 0 : $n < 180 ? $n : 500; },
	'all at one time' => sub { return 0; });

my %reads = (
	'a scan' => 'SELECT count(*), count(DISTINCT id) FROM opportunity',
	'a scan by one reader' => 'SELECT count(*), count(DISTINCT id) FROM calm');

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

# behave(BEHAVIOUR): all others are defaults; the records stay.
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
			# The first scan teaches the session facts; the second one uses them.
			for my $time ('first', 'second')
			{
				my $result = $session->query($reads{$read});
				like("$result->{out}$result->{sqlstate}", qr/^($count\|$count|HV000)$/, "$layout, $cap: the $time of $read") or diag($result->{err});
				note($result->{message}) if $result->{message};
			}
			$session->quit;
		}

		# Without a cap, a wrong number costs once what a true one does not.
		my %requests;
		for my $behaviour ('{}', '{"total": true}', '{"total": true, "total_lies": 1000}')
		{
			behave($behaviour);
			my $session = Reevo::Session->new($node);
			for my $time ('first', 'second')
			{
				my $result;
				$requests{$behaviour}{$time} = $api->requests_of(sub { $result = $session->query($reads{$read}) });
				is($result->{out}, "$count|$count", "$layout, $behaviour: the $time of $read");
				is($result->{err}, '', "$layout, $behaviour: the $time of $read says nothing");
			}
			$session->quit;
		}
		note(join(', ', "$layout, $read", map { "$_: $requests{$_}{first} then $requests{$_}{second}" } sort keys %requests));
		next if $read eq 'a scan';
		is($requests{'{"total": true}'}{first}, $requests{'{}'}{first}, "$layout: a true number costs nothing");
		is($requests{'{"total": true, "total_lies": 1000}'}{second}, $requests{'{}'}{second}, "$layout: a wrong number costs nothing later in the session");
	}
	$api->reset;
}

$setup->quit;
$node->stop('fast');

done_testing();
