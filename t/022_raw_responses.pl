# SPDX-License-Identifier: PostgreSQL
# Answers whose bytes no HTTP server would send so: libcurl and what is made of
# it must not fall over them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IO::Socket::INET;
use POSIX ();
use Reevo;
use Test::More;

# serve(ANSWER...): a server that gives each request the next answer, on a
# connection of its own, and ends with the last one. Returns its port and pid.
sub serve
{
	my (@answers) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10)
	  or die "cannot listen: $!";
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		Reevo::forget_simulators();
		alarm $Reevo::TIMEOUT;
		for my $answer (@answers)
		{
			my $client = $listener->accept or last;
			my $head = '';
			until ($head =~ /\r\n\r\n/)
			{
				sysread($client, $head, 65536, length $head) or last;
			}
			syswrite($client, $answer);
		}
		POSIX::_exit(0);
	}
	return ($listener->sockport, $pid);
}

sub answer
{
	my ($head, $body) = @_;
	return "HTTP/1.1 $head\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

my $record = qq({"data":{"id":"$Reevo::EXAMPLE","attributes":{"display_name":{"value":"fine","value_type":"string"}}}});
my $node = Reevo::cluster('raw_answers');
my $session = Reevo::Session->new($node);
$session->query('CREATE EXTENSION opportunity_fdw');

sub ask
{
	my (@answers) = @_;
	my ($port, $pid) = serve(@answers);
	$session->query("DROP SERVER IF EXISTS raw CASCADE");
	$session->query(qq(
		CREATE SERVER raw FOREIGN DATA WRAPPER opportunity_fdw
			OPTIONS (base_url 'http://127.0.0.1:$port', max_retry_wait '0.1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER raw OPTIONS (api_key 'test-key');
		CREATE FOREIGN TABLE raw (id uuid, display_name text) SERVER raw));
	my $result = $session->query("SELECT display_name FROM raw WHERE id = '$Reevo::EXAMPLE'");
	waitpid $pid, 0;
	return $result;
}

# A line that continues the header before it, where there is none but that of
# an earlier answer to the same request: libcurl 7.88 would write there. What
# libcurl makes of such an answer is its own affair.
my $failed = answer("502 Bad Gateway\r\nX-Some: header", '');
my $result = ask($failed, answer("200 OK\r\n folded: header", $record));
is($result->{ended}, 0, 'a folded line in front of all headers, after a retry: the server lives');
like($result->{sqlstate}, qr/^(08006|08P01)?$/, 'and says so, if it is no answer');
$result = ask($failed, $failed, answer("200 OK\r\nX-Some: header\r\n folded: header", $record));
is($result->{out}, 'fine', 'a folded line where it belongs, after retries');

$session->quit;
done_testing();
