# SPDX-License-Identifier: PostgreSQL
# Responses with bytes that no HTTP server sends. libcurl and the wrapper must not
# crash.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IO::Socket::INET;
use POSIX ();
use Reevo;
use Test::More;

# serve(RESPONSE...): starts a server that sends the next response to each request,
# on a new connection, and ends with the last one. Returns its port and pid.
sub serve
{
	my (@responses) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10)
	  or die "cannot listen: $!";
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		Reevo::leave_simulators();
		alarm $Reevo::TIMEOUT;
		for my $response (@responses)
		{
			my $client = $listener->accept or last;
			my $head = '';
			until ($head =~ /\r\n\r\n/)
			{
				sysread($client, $head, 65536, length $head) or last;
			}
			syswrite($client, $response);
		}
		POSIX::_exit(0);
	}
	return ($listener->sockport, $pid);
}

sub response
{
	my ($head, $body) = @_;
	return "HTTP/1.1 $head\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

my $record = qq({"data":{"id":"$Reevo::EXAMPLE","attributes":{"display_name":{"value":"fine","value_type":"string"}}}});
my $node = Reevo::cluster('raw_answers');
my $session = Reevo::Session->new($node);
$session->query('CREATE EXTENSION opportunity_fdw');

sub read_record
{
	my (@responses) = @_;
	my ($port, $pid) = serve(@responses);
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

# A continuation line before the first header of a response. libcurl 7.88 would
# append it to a header of an earlier response to the same request. The test does not
# depend on the way in which libcurl parses it.
my $failed = response("502 Bad Gateway\r\nX-Some: header", '');
my $result = read_record($failed, response("200 OK\r\n folded: header", $record));
is($result->{ended}, 0, 'a continuation line before all headers, after a retry: the server does not crash');
like($result->{sqlstate}, qr/^(08006|08P01)?$/, 'a continuation line before all headers is accepted or reported');
$result = read_record($failed, $failed, response("200 OK\r\nX-Some: header\r\n folded: header", $record));
is($result->{out}, 'fine', 'a continuation line after a header is accepted');

$session->quit;
done_testing();
