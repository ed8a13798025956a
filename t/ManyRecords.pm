# SPDX-License-Identifier: PostgreSQL
# A server with more records than the simulator can hold: it generates them for each
# response. It supports only `_query` with filters and a sort by created_at. The
# records are one second apart.

package ManyRecords;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Reevo;
use Time::Local qw(timegm);

my $FIRST = timegm(0, 0, 0, 1, 0, 2020);

# About a kilobyte for each record, so that stored records would be measurable
my $PADDING = '0123456789abcdef' x 64;

# start(NUMBER): starts a server with a number of records, and its address in {url}.
# It ends with the test, or by stop().
sub start
{
	my ($count) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
	  or die "cannot listen: $!";
	my $test = $$;
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		Reevo::leave_simulators();
		local $SIG{TERM} = 'DEFAULT';
		eval { serve($listener, $count, $test) };
		POSIX::_exit(0);
	}
	return bless { pid => $pid, url => 'http://127.0.0.1:' . $listener->sockport }, 'ManyRecords';
}

sub url { return $_[0]{url}; }

sub stop { return Reevo::stop_process($_[0]); }

sub DESTROY
{
	my ($self) = @_;
	local $?;
	return $self->stop;
}

sub serve
{
	my ($listener, $count, $test) = @_;
	my $select = IO::Select->new($listener);
	my %input;

	# End with the test.
	while (getppid() == $test)
	{
		for my $from ($select->can_read(1))
		{
			if ($from == $listener)
			{
				my $client = $listener->accept or next;
				$select->add($client);
				$input{$client} = '';
				next;
			}
			if (!sysread($from, $input{$from}, 65536, length $input{$from}))
			{
				$select->remove($from);
				delete $input{$from};
				close $from;
				next;
			}
			while ($input{$from} =~ /\A(\S+ \S+) .*?\r\n\r\n/s)
			{
				my ($head, $request) = ($&, $1);
				my ($length) = $head =~ /^content-length: *(\d+)/im;
				$length ||= 0;
				last if length($input{$from}) < length($head) + $length;
				my $body = substr($input{$from}, length $head, $length);
				$input{$from} = substr($input{$from}, length($head) + $length);
				respond($from, $request =~ m{^POST .*/_query$} ? page($body, $count) : undef);
			}
		}
	}
	return;
}

sub respond
{
	my ($client, $body) = @_;
	my $status = defined $body ? '200 OK' : '404 Not Found';
	$body = '{"error": {"code": "invalid_filter_field", "message": "unknown"}}' unless defined $body;
	my $response = "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	my $sent = 0;
	while ($sent < length $response)
	{
		my $now = syswrite($client, $response, length($response) - $sent, $sent) or return;
		$sent += $now;
	}
	return;
}

# Returns the number of the first record that is not older than an ISO 8601 time.
sub number_at
{
	my ($text) = @_;
	my ($year, $month, $day, $hour, $minute, $second) = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/;
	return timegm($second, $minute, $hour, $day, $month - 1, $year) - $FIRST;
}

# page(BODY, NUMBER): returns the response to a query. The cursor contains the range
# of the remaining records and the direction.
sub page
{
	my ($request, $count) = @_;
	my ($low, $high, $is_down) = (0, $count - 1, 0);
	my ($limit) = $request =~ /"limit": *(\d+)/;
	$limit ||= 100;
	if ($request =~ /"cursor": *"(\d+) (-?\d+) (\d)"/)
	{
		($low, $high, $is_down) = ($1, $2, $3);
	}
	else
	{
		$is_down = $request =~ /"desc"/ ? 1 : 0;
		$high = -1 if $request =~ /"not_exists"/;
		while ($request =~ /(\{[^{}]*"operator"[^{}]*\})/g)
		{
			my $filter = $1;
			my ($operator) = $filter =~ /"operator": *"(\w+)"/;
			my ($value) = $filter =~ /"value": *"([^"]*)"/;
			next unless defined $value;
			my $number = number_at($value);
			$low = $number + ($operator eq 'gt') if $operator =~ /^gte?$/ && $number + ($operator eq 'gt') > $low;
			$high = $number - ($operator eq 'lt') if $operator =~ /^lte?$/ && $number - ($operator eq 'lt') < $high;
		}
	}
	my @numbers = $low .. ($high < $low + $limit - 1 ? $high : $low + $limit - 1);
	@numbers = reverse(($low > $high - $limit + 1 ? $low : $high - $limit + 1) .. $high) if $is_down;
	if ($is_down) { $high -= @numbers; }
	else { $low += @numbers; }
	my $cursor = $low <= $high ? qq("$low $high $is_down") : 'null';
	return '{"data": [' . join(',', map { record($_) } @numbers) . qq(], "next_cursor": $cursor});
}

sub record
{
	my ($number) = @_;
	my @parts = gmtime($FIRST + $number);
	my $created = sprintf('%04d-%02d-%02dT%02d:%02d:%02dZ', $parts[5] + 1900, $parts[4] + 1, @parts[ 3, 2, 1, 0 ]);
	return sprintf('{"id":"%s","created_at":"%s","attributes":{"display_name":{"value":"%s","value_type":"string"}}}', Reevo::id($number || 10**9), $created, $PADDING);
}

1;
