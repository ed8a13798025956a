# SPDX-License-Identifier: PostgreSQL
# Measures jobs that a server throttles: see bench/throttle, which runs this.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../t";
use Nginx;
use Reevo;
use Test::More ();
use Time::HiRes qw(time);

my $seconds = 30;
while (@ARGV && $ARGV[0] eq '--seconds')
{
	shift @ARGV;
	$seconds = shift @ARGV;
}
my @wanted = @ARGV;
my @rates = (5, 20, 50, 200);

# A job takes longer than the usual time limit of the test helpers.
$Reevo::TIMEOUT = 60 + 10 * $seconds;

# Name, burst parameters of limit_req, header of a rejection.
my @nginx_servers = (
	[ 'nginx', '', '' ],
	[ 'nginx, burst of 5', 'burst=5 nodelay', '' ],
	[ 'nginx, burst of 20', 'burst=20 nodelay', '' ],
	[ 'nginx, queue of 4', 'burst=4', '' ],
	[ 'nginx, retry after 1 s', '', 'Retry-After 1' ],
	[ 'nginx, burst of 20, retry after 1 s', 'burst=20 nodelay', 'Retry-After 1' ]);
my @simulator_servers = (
	[ 'sliding second', '"rate_window": "sliding"' ],
	[ 'fixed second', '"rate_window": "fixed"' ],
	[ 'sliding second, retry after 1 s', '"rate_window": "sliding", "retry_after": 1' ],
	[ 'fixed second, retry after 1 s', '"rate_window": "fixed", "retry_after": 1' ]);

sub is_wanted
{
	my ($name) = @_;
	return !@wanted || grep { index($name, $_) >= 0 } @wanted;
}

my $api = Reevo::start(records => 1 + $rates[-1] * $seconds);
my $nginx = Nginx->new(nginx_configuration())->start;
my $node = Reevo::cluster('throttle');
# One request for each id, because the server throttles requests.
Reevo::set_up($node, $api->url, "use_query 'false'");

# show(LINE): writes to standard output, which PostgreSQL's test modules redirect.
sub show
{
	my ($line) = @_;
	my $output = Test::More->builder->output;
	print $output "$line\n";
	return;
}

sub nginx_configuration
{
	(my $upstream = $api->url) =~ s{.*//}{};
	my $text = "upstream api { server $upstream; keepalive 16; }\n";
	for my $number (0 .. $#nginx_servers)
	{
		my ($name, $burst, $header) = @{ $nginx_servers[$number] };
		$header = "add_header $header always;" if $header;
		for my $rate (@rates)
		{
			my $zone = "z${number}_$rate";
			$text .= "limit_req_zone \$server_port zone=$zone:1m rate=${rate}r/s;\n"
			  . "server { listen 127.0.0.1:\@PORT:$zone\@; limit_req zone=$zone $burst; limit_req_status 429;"
			  . " location / { error_page 429 /429; proxy_pass http://api; proxy_http_version 1.1;"
			  . " proxy_set_header Connection ''; }"
			  . " location = /429 { internal; $header return 429; } }\n";
		}
	}
	return $text;
}

# measure(NAME, RATE, URL, COUNT): COUNT returns the number of responses by status.
sub measure
{
	my ($name, $rate, $url, $count) = @_;
	my $number = $rate * $seconds;
	my $session = Reevo::Session->new($node);

	$session->query("ALTER SERVER reevo OPTIONS (SET base_url '$url')");
	my %before = $count->();
	my $started = time;
	my $result = $session->query(qq(
		SELECT count(display_name) FROM opportunity WHERE id = ANY (ARRAY(
			SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, $number) i))));
	my $took = time - $started;
	$session->quit;
	Time::HiRes::sleep(0.1);    # the counters may be a little late
	my %after = $count->();
	my ($answered, $refused) = map { ($after{$_} || 0) - ($before{$_} || 0) } 200, 429;
	show(sprintf('| %-35s | %3d | %5d | %6.2f | %5.2f | %5d | %7d | %4d |',
		$name, $rate, $number, $took, $took / $seconds, $answered + $refused, $refused,
		$number - ($result->{out} || 0)));
	Test::More::diag($result->{err}) if $result->{sqlstate};
	return;
}

show(sprintf('| %-35s | %3s | %5s | %6s | %5s | %5s | %7s | %4s |',
	'server', 'R', 'N', 'took s', 'ratio', 'spent', 'refused', 'lost'));
show('|---|---|---|---|---|---|---|---|');
for my $server (grep { is_wanted($_->[0]) } @simulator_servers)
{
	my ($name, $behaviour) = @$server;
	for my $rate (@rates)
	{
		$api->reset;
		$api->behave(qq({"rate_limit": $rate, $behaviour}));
		measure($name, $rate, $api->url, sub {
			my ($statuses) = $api->ctl('stats') =~ /"statuses": *\{([^}]*)\}/;
			return $statuses =~ /"(\d+)": *(\d+)/g;
		});
	}
}
$api->reset;
for my $number (grep { is_wanted($nginx_servers[$_][0]) } 0 .. $#nginx_servers)
{
	for my $rate (@rates)
	{
		my $zone = "z${number}_$rate";
		measure($nginx_servers[$number][0], $rate, $nginx->url($zone), sub {
			my %count;
			$count{ $_->{status} }++ for $nginx->requests($zone);
			return %count;
		});
	}
}
$node->stop('fast');
