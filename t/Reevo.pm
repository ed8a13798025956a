# SPDX-License-Identifier: PostgreSQL
# What the TAP tests share: the simulator of the API, a cluster with the
# extension and its table, psql sessions that stay open, and counting.

package Reevo;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use POSIX qw(WNOHANG);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# The documented example, and the number of a record as its id.
our $EXAMPLE = '3c90c3cc-0d44-4b50-8888-8dd25736052a';

# Longer than anything takes that works, even on a busy machine.
our $TIMEOUT = 60;

my $test = abs_path(dirname(__FILE__) . '/../test');
my $python = -x '/usr/bin/python3' ? '/usr/bin/python3' : 'python3';

my @simulators;

sub id
{
	my ($number) = @_;
	return $number == 0
	  ? $EXAMPLE
	  : sprintf('00000000-0000-4000-8000-%012d', $number);
}

# --- The simulator ---

# start(tls => [CERT, KEY], records => N): a simulator that ends with the test.
sub start
{
	my (%options) = @_;
	my @arguments;
	push @arguments, '--tls', @{ $options{tls} } if $options{tls};
	push @arguments, '--records', $options{records} if $options{records};
	return run_beside('simulator.py', @arguments);
}

# start_relay(ADDRESS, MILLISECONDS): the way to the host:port is that much
# longer, there and back.
sub start_relay
{
	my ($target, $milliseconds) = @_;
	return run_beside('relay.py', '--delay-ms', $milliseconds, $target);
}

# A program of test/ that prints its address when it is ready.
sub run_beside
{
	my ($program, @arguments) = @_;
	my @command = ($python, '-B', "$test/$program", '--parent-pid', $$, @arguments);

	my $pid = open(my $output, '-|');
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	my $url = <$output>;
	die "$program did not start" unless defined $url;
	chomp $url;
	my $self = bless { pid => $pid, output => $output, url => $url }, 'Reevo';
	push @simulators, $self;
	return $self;
}

sub url { return $_[0]{url}; }

# ctl(ARGUMENT...): what test/ctl prints, chomped. The most frequent ones are
# asked for directly, as starting the script takes longer than its answer.
sub ctl
{
	my ($self, @arguments) = @_;
	my ($command, $argument) = @arguments;

	# A text may be too long for a command line.
	my $content = '';
	if ($command =~ /^(body|attributes|schema)$/)
	{
		$content = $arguments[-1];
		$arguments[-1] = '-';
	}
	if ($self->{url} =~ m{^http://(.*)})
	{
		my $address = $1;
		return control($address, 'POST', $command, '') if $command eq 'reset';
		return control($address, 'POST', $command, $argument)
		  if $command eq 'behave';
		return control($address, 'PUT', join('/', @arguments[ 0 .. $#arguments - 1 ]), $content)
		  if $command eq 'attributes';
		return control($address, 'GET', 'count/' . ($argument || $command), '')
		  if $command =~ /^(requests|max_in_flight|in_flight|connections|open_connections)$/;
	}
	local $ENV{REEVO_URL} = $self->{url};
	my ($output, $error) = ('', '');
	IPC::Run::run([ "$test/ctl", @arguments ],
		'<', \$content, '>', \$output, '2>', \$error)
	  or die "ctl @arguments: $error";
	chomp $output;
	return $output;
}

sub control
{
	my ($address, $method, $path, $body) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $address, Timeout => 10)
	  or die "$address: $@";
	print $socket "$method /_control/$path HTTP/1.1\r\nHost: simulator\r\n"
	  . "Connection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	local $/;
	my $answer = <$socket>;
	die "$path: no answer" unless defined $answer;
	my ($head, $content) = split(/\r\n\r\n/, $answer, 2);
	die "$path: $content" unless $head =~ m{^HTTP/1\.1 200 };
	$content =~ s/\n\z//;
	return $method eq 'GET' ? $content : '';
}

sub reset { return $_[0]->ctl('reset'); }

sub behave { return $_[0]->ctl('behave', $_[1]); }

# requests(), requests(KIND)
sub requests { my ($self, @kind) = @_; return $self->ctl('requests', @kind); }

# requests_of { code }: the number of requests that the code makes.
sub requests_of
{
	my ($self, $code) = @_;
	my $before = $self->requests;
	$code->();
	return $self->requests - $before;
}

sub port { return $_[0]->ctl('info', $_[1]); }

# becomes(NAME, NUMBER): waits until a counter has a value; false: it did not.
sub becomes
{
	my ($self, $name, $wanted, @more) = @_;
	return wait_until(sub { $self->ctl($name, @more) == $wanted });
}

sub stop
{
	my ($self) = @_;
	return unless $self->{pid};
	kill 'TERM', $self->{pid};
	close $self->{output};    # waits for it
	$self->{pid} = undef;
	return;
}

END
{
	my $status = $?;
	$_->stop for grep { defined } @simulators;
	$? = $status;
}

# A child that a test forks must leave the simulators alone.
sub forget_simulators { @simulators = (); return; }

# --- A proxy ---

# start_proxy(TARGET): a proxy that takes everybody to the same host:port, by
# CONNECT or by forwarding. {url} is its address; heads() what it was asked.
sub start_proxy
{
	my ($target) = @_;
	my $log = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1) . '/heads';
	my $listener =
	  IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10)
	  or die "cannot listen: $!";
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		forget_simulators();
		serve_proxy($listener, $target, $log);
		POSIX::_exit(0);
	}
	my $self = bless {
		pid => $pid,
		log => $log,
		url => 'http://127.0.0.1:' . $listener->sockport
	}, 'Reevo::Proxy';
	close $listener;
	push @simulators, $self;
	return $self;
}

sub serve_proxy
{
	my ($listener, $target, $log) = @_;
	local $SIG{CHLD} = 'IGNORE';
	local $SIG{TERM} = 'DEFAULT';
	while (my $client = $listener->accept)
	{
		my $pid = fork;
		if (defined $pid && $pid == 0)
		{
			close $listener;
			eval { serve_proxy_client($client, $target, $log) };
			POSIX::_exit(0);
		}
		close $client;
	}
	return;
}

sub serve_proxy_client
{
	my ($client, $target, $log) = @_;
	my $head = '';
	until ($head =~ /\r\n\r\n/)
	{
		sysread($client, $head, 65536, length $head) or return;
	}
	open(my $file, '>>', $log) or die "$log: $!";
	syswrite($file, $head);
	close $file;

	my $server = IO::Socket::INET->new(PeerAddr => $target) or return;
	if ($head =~ /^CONNECT /)
	{
		syswrite($client, "HTTP/1.1 200 Connected\r\n\r\n");
	}
	else
	{
		$head =~ s{^(\w+) http://[^/ ]+}{$1 };
		syswrite($server, $head);
	}
	my %peer = (fileno($client) => $server, fileno($server) => $client);
	my $select = IO::Select->new($client, $server);
	while (my @ready = $select->can_read)
	{
		for my $from (@ready)
		{
			sysread($from, my $data, 65536) or return;
			syswrite($peer{ fileno($from) }, $data);
		}
	}
	return;
}

sub Reevo::Proxy::url { return $_[0]{url}; }

sub Reevo::Proxy::heads
{
	my ($self) = @_;
	return -e $self->{log} ? slurp($self->{log}) : '';
}

sub Reevo::Proxy::stop
{
	my ($self) = @_;
	return unless $self->{pid};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = undef;
	return;
}

# --- Clusters ---

# cluster(NAME, CONFIGURATION): a running cluster in UTF-8.
sub cluster
{
	my ($name, $configuration) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', $configuration)
	  if defined $configuration;
	$node->start;
	return $node;
}

# set_up_sql(URL, OPTIONS...): makes the extension, the server reevo, the
# mapping of the current user and the table opportunity. OPTIONS are further
# ones of the server, such as "max_retries '0'".
sub set_up_sql
{
	my ($url, @options) = @_;
	my $options = join(', ', "base_url '$url'", @options);
	return qq(
		CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
		CREATE SERVER reevo FOREIGN DATA WRAPPER opportunity_fdw
			OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER reevo
			OPTIONS (api_key 'test-key');
		IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO public
			OPTIONS (discover 'false');
	);
}

# set_up(NODE, URL, OPTIONS...): the same in the database postgres.
sub set_up
{
	my ($node, @rest) = @_;
	$node->safe_psql('postgres', set_up_sql(@rest));
	return;
}

# server_version(NODE): the major version.
sub server_version
{
	my ($node) = @_;
	return int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
}

# reads_together(NODE): true if an Append waits for several scans together. Two
# minor versions have a defect, with which it does not.
sub reads_together
{
	my ($node) = @_;
	my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
	return $version !~ /^(150006|160002)$/;
}

# --- Certificates ---

# have_openssl(): is the command there?
sub have_openssl
{
	my ($output, $error);
	return eval {
		IPC::Run::run([ 'openssl', 'version' ], '>', \$output, '2>', \$error);
	};
}

# certificates(NAME => SUBJECT_ALT_NAME...): a throwaway CA, and a certificate
# by it for each name. A list in place of the subject: its validity in days, too.
# Returns the folder, with ca.pem, NAME.pem and NAME.key.
sub certificates
{
	my (%wanted) = @_;
	my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	my @key = (
		'-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes');
	openssl('req', '-x509', @key, '-days', 2, '-subj', '/CN=Throwaway CA',
		'-keyout', "$folder/ca.key", '-out', "$folder/ca.pem");
	for my $name (sort keys %wanted)
	{
		my ($subject, $days) =
		  ref $wanted{$name} ? @{ $wanted{$name} } : ($wanted{$name}, 2);
		my $extensions = "$folder/$name.ext";
		open(my $file, '>', $extensions) or die "$extensions: $!";
		print $file "subjectAltName=$subject\n";
		close $file;
		openssl('req', @key, '-subj', "/CN=$name",
			'-keyout', "$folder/$name.key", '-out', "$folder/$name.csr");
		openssl(
			'x509', '-req', '-in', "$folder/$name.csr",
			'-CA', "$folder/ca.pem", '-CAkey', "$folder/ca.key",
			'-CAcreateserial', validity($days), '-extfile', $extensions,
			'-out', "$folder/$name.pem");
	}
	return $folder;
}

# From 3.4 on, openssl makes nothing that ends before it begins; before, it has no
# other way to say when it begins.
sub validity
{
	my ($days) = @_;
	my $output;
	IPC::Run::run([ 'openssl', 'version' ], '>', \$output);
	my ($major, $minor) = $output =~ /(\d+)\.(\d+)/;
	return ('-days', $days) if $days > 0 || $major * 100 + $minor < 304;
	return ('-not_before', '20200101000000Z', '-not_after', '20200102000000Z');
}

sub openssl
{
	my (@arguments) = @_;
	my ($output, $error);
	IPC::Run::run([ 'openssl', @arguments ], '>', \$output, '2>', \$error)
	  or die "openssl @arguments: $error";
	return;
}

# --- Helpers ---

# spawn(FILE, COMMAND...): the process id of a program that ends with the test's
# process, and writes what it says to the file.
sub spawn
{
	my ($file, @command) = @_;
	my $pid = fork;
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', $file);
		open(STDERR, '>&', \*STDOUT);
		$ENV{PATH} .= ':/usr/sbin';
		exec { 'setpriv' } qw(setpriv --pdeathsig TERM), @command or POSIX::_exit(127);
	}
	return $pid;
}

# free_port(): below those that the system gives to outgoing connections, so that
# none of these takes it before a server does.
sub free_port
{
	for (1 .. 1000)
	{
		my $port = 20000 + int(rand(12000));
		my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 1)
		  or next;
		close $socket;
		return $port;
	}
	die 'no free port';
}

# wait_until { condition }: false when it does not come true.
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time + ($seconds || $TIMEOUT);
	while (time < $end)
	{
		return 1 if $condition->();
		sleep 0.02;
	}
	return 0;
}

# open_files(PID): how many files a process has open, apart from those of the
# database, which PostgreSQL keeps open as it sees fit.
sub open_files
{
	my ($pid) = @_;
	my @files = map { readlink($_) || () } glob("/proc/$pid/fd/*");
	return scalar grep { !m{/(base|global|pg_\w+)/} } @files;
}

# resident(PID): its memory in kB, shared memory apart.
sub resident
{
	my ($pid) = @_;
	open(my $file, '<', "/proc/$pid/status") or die "process $pid: $!";
	my ($size) = map { /^RssAnon:\s+(\d+) kB/ ? $1 : () } <$file>;
	close $file;
	return $size;
}

# keeps_freed(PID): whether a checker keeps memory for a while that was freed, so
# that the size of a process says nothing.
sub keeps_freed
{
	my ($pid) = @_;
	return slurp("/proc/$pid/maps") =~ /libasan/;
}

# slurp(FILE, OFFSET)
sub slurp
{
	my ($name, $offset) = @_;
	open(my $file, '<:raw', $name) or die "$name: $!";
	seek($file, $offset || 0, 0);
	local $/;
	my $text = <$file>;
	close $file;
	return defined $text ? $text : '';
}

# --- psql sessions ---

package Reevo::Session;

use strict;
use warnings;

use Time::HiRes qw(time);

# new(NODE, dbname => ..., user => ...): a psql that stays open. Its backend's
# process id is in {backend}.
sub new
{
	my ($class, $node, %options) = @_;
	my $connection = $node->connstr($options{dbname} || 'postgres');
	$connection .= " user=$options{user}" if $options{user};
	my $self = bless {
		input => '',
		output => '',
		error => '',
		number => 0,
		timer => IPC::Run::timeout($Reevo::TIMEOUT),
	}, $class;

	local $ENV{PGAPPNAME} = 'session';
	local $ENV{PGCLIENTENCODING} = $options{client_encoding}
	  if $options{client_encoding};
	$self->{psql} = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-v',
			'SHOW_CONTEXT=errors', '-d', $connection
		],
		'<', \$self->{input},
		'>', \$self->{output},
		'2>', \$self->{error},
		$self->{timer});
	$self->{backend} = $self->query('SELECT pg_backend_pid()')->{out};
	return $self;
}

# query(SQL): a result, of which {out} is the output without its last newline,
# {err} all messages, {ms} the milliseconds it took, and of the first error
# {sqlstate}, {message}, {detail}, {hint} and {context}, empty where it has none.
sub query
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->result;
}

# send(SQL): the same without waiting; result() then waits.
sub send
{
	my ($self, $sql) = @_;
	my $mark = 'mark ' . ++$self->{number};

	$sql =~ s/[\s;]+\z//;
	$self->{output} = $self->{error} = '';
	$self->{mark} = $mark;
	$self->{timer}->start($Reevo::TIMEOUT);
	$self->{started} = time;
	$self->{input} .= "$sql;\n\\echo $mark\n\\warn $mark\n";
	$self->{psql}->pump_nb;
	return;
}

# {ended}: psql ended, as it does when it lost its backend.
sub result
{
	my ($self) = @_;
	my $mark = $self->{mark};
	my %result = (ended => 0);

	# The newline may come a little later.
	until ($self->{output} =~ /^\Q$mark\E\n/m && $self->{error} =~ /^\Q$mark\E\n/m)
	{
		if (!$self->{psql}->pumpable)
		{
			$self->{psql}->finish;
			$result{ended} = 1;
			last;
		}
		$self->{psql}->pump;
	}
	$result{ms} = (time - $self->{started}) * 1000;
	$self->{timer}->reset;

	($result{out} = $self->{output}) =~ s/^\Q$mark\E\n\z//m;
	($result{err} = $self->{error}) =~ s/^\Q$mark\E\n\z//m;
	$result{out} =~ s/\n\z//;
	%result = (%result, parse_error($result{err}));
	return \%result;
}

# The parts of the first error among psql's messages.
sub parse_error
{
	my ($text) = @_;
	my %parts = map { $_ => '' } qw(sqlstate message detail hint context);
	my $next = qr/(?=^(?:DETAIL|HINT|QUERY|CONTEXT|LOCATION|LINE \d+|SCHEMA NAME|[A-Z]+):  |\z)/m;

	return %parts
	  unless $text =~ /^(?:psql:[^\n]*: )?(?:ERROR|FATAL|PANIC):  (\w{5}): (.*?)\n?$next/ms;
	@parts{qw(sqlstate message)} = ($1, $2);
	my $rest = substr($text, $+[0]);
	for my $part (qw(detail hint context))
	{
		my $label = uc $part;
		($parts{$part}) = $rest =~ /^$label:  (.*?)\n?$next/ms;
		$parts{$part} = '' unless defined $parts{$part};
	}
	return %parts;
}

# disconnect(): the client goes away without a word, whatever is under way.
sub disconnect
{
	my ($self) = @_;
	$self->{psql}->kill_kill(grace => 0);
	return;
}

sub quit
{
	my ($self) = @_;
	$self->{input} .= "\\q\n";
	$self->{psql}->finish;
	return;
}

1;
