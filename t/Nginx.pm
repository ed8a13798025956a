# SPDX-License-Identifier: PostgreSQL
# An nginx in front of the simulator, for one test: with a private folder, free
# ports of the loopback interface, and an access log to count requests. It ends with
# the test, even if that is killed.

package Nginx;

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use IPC::Run ();
use POSIX ();
use Reevo;
use Time::HiRes qw(sleep);

# The fields of a log line, in the order of the fields of requests()
my @FIELDS = qw(port status protocol tls encoding connection method uri);
my $FORMAT = '$server_port $status $server_protocol $ssl_protocol'
  . ' $sent_http_content_encoding $connection $request_method $request_uri';

my @running;

# version(): returns the version of nginx, such as 1.22.1, or undef without nginx.
sub version
{
	my $text = '';
	eval { IPC::Run::run([ 'nginx', '-v' ], '>&', \$text) };
	return $text =~ m{nginx/([\d.]+)} ? $1 : undef;
}

# new(CONFIGURATION): prepares nginx without starting it. CONFIGURATION is the
# content of the http block. @PORT:NAME@ is a free port, the same for each use of
# the name, and @FOLDER@ the private folder.
sub new
{
	my ($class, $configuration) = @_;
	my $self = bless {
		folder => tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1),
		ports => {}
	}, $class;
	$self->configure($configuration);
	return $self;
}

# configure(CONFIGURATION): takes effect at the next start or reload.
sub configure
{
	my ($self, $configuration) = @_;
	my $folder = $self->{folder};
	$configuration =~ s/\@PORT:(\w+)\@/$self->port($1)/ge;
	$configuration =~ s/\@FOLDER\@/$folder/g;
	my $paths = join(' ',
		map { "${_}_temp_path $folder/$_;" } qw(client_body proxy fastcgi uwsgi scgi));
	open(my $file, '>', "$folder/nginx.conf") or die "$folder/nginx.conf: $!";
	print $file <<"END";
daemon off;
worker_processes 1;
worker_shutdown_timeout 5s;
pid $folder/nginx.pid;
error_log $folder/error.log info;
events { worker_connections 512; }
http {
log_format counted '$FORMAT';
access_log $folder/access.log counted;
$paths
default_type application/json;
$configuration
}
END
	close $file or die "$folder/nginx.conf: $!";
	return;
}

# port(NAME): returns the port of the named server. A free port may be chosen twice,
# until a server listens there.
sub port
{
	my ($self, $name) = @_;
	until ($self->{ports}{$name})
	{
		my $port = Reevo::free_port();
		$self->{ports}{$name} = $port
		  unless grep { $_ == $port } values %{ $self->{ports} };
	}
	return $self->{ports}{$name};
}

sub url
{
	my ($self, $name, $scheme) = @_;
	return ($scheme || 'http') . '://127.0.0.1:' . $self->port($name);
}

sub folder { return $_[0]{folder}; }

# start(): starts nginx, and returns when its ports are open.
sub start
{
	my ($self) = @_;
	my $folder = $self->{folder};
	my $pid = Reevo::spawn("$folder/output", 'nginx', '-p', $folder, '-c', "$folder/nginx.conf");

	$self->{pid} = $pid;
	push @running, $self;
	Reevo::wait_until(sub { $self->is_open || waitpid($pid, POSIX::WNOHANG) != 0 });
	die "nginx did not start:\n" . Reevo::slurp("$folder/output")
	  unless $self->is_open;
	return $self;
}

sub is_open
{
	my ($self) = @_;
	for my $port (values %{ $self->{ports} })
	{
		my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return 0;
		close $socket;
	}
	return 1;
}

# stop(): stops nginx immediately, with requests in flight.
sub stop { return Reevo::stop_process($_[0]); }

# reload(): new connections use a new worker, while the old one finishes its
# requests. Returns when the old worker has ended.
sub reload
{
	my ($self) = @_;
	my %old = map { $_ => 1 } $self->workers;
	kill 'HUP', $self->{pid};
	return Reevo::wait_until(sub {
		my @now = $self->workers;
		return @now && !grep { $old{$_} } @now;
	});
}

sub workers
{
	my ($self) = @_;
	open(my $file, '<', "/proc/$self->{pid}/task/$self->{pid}/children") or return;
	return split(' ', scalar(<$file>) || '');
}

# requests(NAME): returns the logged requests to that server.
sub requests
{
	my ($self, $name) = @_;
	my $port = $self->port($name);
	my $log = "$self->{folder}/access.log";
	return () unless -e $log;
	my @requests;
	for my $line (split(/\n/, Reevo::slurp($log)))
	{
		my %request;
		@request{@FIELDS} = split(/ /, $line, scalar @FIELDS);
		push @requests, \%request if $request{port} eq $port;
	}
	return @requests;
}

# clear_log(): empties the log.
sub clear_log
{
	my ($self) = @_;
	truncate("$self->{folder}/access.log", 0) or die "access.log: $!";
	return;
}

END
{
	my $status = $?;
	$_->stop for @running;
	$? = $status;
}

1;
