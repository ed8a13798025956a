# SPDX-License-Identifier: PostgreSQL
# The common module of the TAP tests: the simulator of the API, a cluster with the
# extension and its table, and persistent psql sessions

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

# The id of the documented example. id() returns the id of a number.
our $EXAMPLE = '3c90c3cc-0d44-4b50-8888-8dd25736052a';

# Longer than any successful statement, even on a busy machine
our $TIMEOUT = 60;

# The system's, which has the packages
our $PYTHON = -x '/usr/bin/python3' ? '/usr/bin/python3' : 'python3';

my $test = abs_path(dirname(__FILE__) . '/../test');

my @simulators;

sub id
{
	my ($number) = @_;
	return $number == 0
	  ? $EXAMPLE
	  : sprintf('00000000-0000-4000-8000-%012d', $number);
}

# --- The simulator ---

# start(tls => [CERT, KEY], records => N): starts a simulator that ends with the
# test.
sub start
{
	my (%options) = @_;
	my @arguments;
	push @arguments, '--tls', @{ $options{tls} } if $options{tls};
	push @arguments, '--records', $options{records} if $options{records};
	return run_beside('simulator.py', @arguments);
}

# start_relay(ADDRESS, MILLISECONDS): starts a relay that delays the data to and
# from host:port.
sub start_relay
{
	my ($target, $milliseconds) = @_;
	return run_beside('relay.py', '--delay-ms', $milliseconds, $target);
}

# Starts a program in test/ that prints its address when it is ready.
sub run_beside
{
	my ($program, @arguments) = @_;
	my @command = ($PYTHON, '-B', "$test/$program", '--parent-pid', $$, @arguments);

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

# ctl(ARGUMENT...): returns the output of test/ctl, chomped. For frequent commands,
# it sends the request itself, because starting the script takes longer.
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
	die "$path: no response" unless defined $answer;
	my ($head, $content) = split(/\r\n\r\n/, $answer, 2);
	die "$path: $content" unless $head =~ m{^HTTP/1\.1 200 };
	$content =~ s/\n\z//;
	return $method eq 'GET' ? $content : '';
}

sub reset { return $_[0]->ctl('reset'); }

sub behave { return $_[0]->ctl('behave', $_[1]); }

# requests(), requests(KIND): return the number of requests.
sub requests { my ($self, @kind) = @_; return $self->ctl('requests', @kind); }

# requests_of(CODE): returns the number of requests that the code makes.
sub requests_of
{
	my ($self, $code) = @_;
	my $before = $self->requests;
	$code->();
	return $self->requests - $before;
}

sub port { return $_[0]->ctl('info', $_[1]); }

# becomes(NAME, NUMBER): waits until a counter has a value. Returns false after the
# timeout.
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
	close $self->{output};    # waits for the process
	$self->{pid} = undef;
	return;
}

END
{
	my $status = $?;
	$_->stop for grep { defined } @simulators;
	$? = $status;
}

# leave_simulators(): keeps a forked child from stopping the simulators.
sub leave_simulators { @simulators = (); return; }

# --- A proxy ---

# start_proxy(TARGET): starts a proxy that connects every client to the same
# host:port, by CONNECT or by forwarding. {url} is its address. heads() returns the
# received headers.
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
		leave_simulators();
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

sub Reevo::Proxy::stop { return stop_process($_[0]); }

# stop_process(OBJECT): ends the process {pid} of an object, and waits for its end.
sub stop_process
{
	my ($self) = @_;
	return unless $self->{pid};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = undef;
	return;
}

# --- Clusters ---

# cluster(NAME, CONFIGURATION): returns a running cluster in UTF-8.
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

# set_up_sql(URL, OPTIONS...): returns SQL that creates the extension, the server
# reevo, a user mapping of the current user, and the table opportunity. OPTIONS are
# further options of the server, such as "max_retries '0'".
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

# set_up(NODE, URL, OPTIONS...): runs this SQL in the database postgres.
sub set_up
{
	my ($node, @rest) = @_;
	$node->safe_psql('postgres', set_up_sql(@rest));
	return;
}

# server_version(NODE): returns the major version.
sub server_version
{
	my ($node) = @_;
	return int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
}

# reads_together(NODE): returns whether an Append waits for several foreign scans.
# Three minor versions of PostgreSQL have a defect.
sub reads_together
{
	my ($node) = @_;
	my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
	return $version !~ /^(150006|160002)$/;
}

# --- Certificates ---

# have_openssl(): returns whether the command exists.
sub have_openssl
{
	my ($output, $error);
	return eval {
		IPC::Run::run([ 'openssl', 'version' ], '>', \$output, '2>', \$error);
	};
}

# certificates(NAME => SUBJECT_ALT_NAME...): creates a temporary CA, and a
# certificate signed by it for each name. A list in place of the subject also has
# the validity in days. Returns the folder with ca.pem, NAME.pem and NAME.key.
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

# Since 3.4, openssl rejects a certificate that ends before it begins. Older
# versions cannot set its beginning.
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

# spawn(FILE, COMMAND...): starts a program that ends with the test's process, and
# writes its output to the file. Returns the process id.
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

# free_port(): returns a free port below the system's range for outgoing
# connections, so that no such connection takes it.
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

# wait_until(CONDITION, SECONDS): returns false after the timeout.
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

# open_files(PID): returns the number of a process's open files, except files of the
# database, which PostgreSQL caches.
sub open_files
{
	my ($pid) = @_;
	my @files = map { readlink($_) || () } glob("/proc/$pid/fd/*");
	return scalar grep { !m{/(base|global|pg_\w+)/} } @files;
}

# resident(PID): returns the memory of a process in kB, without shared memory.
sub resident
{
	my ($pid) = @_;
	open(my $file, '<', "/proc/$pid/status") or die "process $pid: $!";
	my ($size) = map { /^RssAnon:\s+(\d+) kB/ ? $1 : () } <$file>;
	close $file;
	return $size;
}

# keeps_freed(PID): returns whether a checker delays the release of freed memory, so
# that the size of the process is meaningless.
sub keeps_freed
{
	my ($pid) = @_;
	return slurp("/proc/$pid/maps") =~ /libasan/;
}

# slurp(FILE, OFFSET): returns the content of a file.
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

# new(NODE, dbname => ..., user => ...): starts a persistent psql. {backend} is the
# process id of its backend.
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

# query(SQL): runs SQL, and returns:
# - {out}: the output without its last newline.
# - {err}: all messages.
# - {ms}: the time in milliseconds.
# - {sqlstate}, {message}, {detail}, {hint} and {context} of the first error. Parts
#   that it does not have are empty.
sub query
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->result;
}

# reset_timeout(): resets statement_timeout, and repeats that if a timeout of a few
# milliseconds cancels it.
sub reset_timeout
{
	my ($self) = @_;
	Reevo::wait_until(sub { $self->query('RESET statement_timeout; SHOW statement_timeout')->{out} eq '0' })
	  or die 'statement_timeout cannot be reset';
	return;
}

# send(SQL): sends SQL without waiting for the result.
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

# result(): waits for the result of send(). {ended}: psql ended, because it lost its
# backend.
sub result
{
	my ($self) = @_;
	my $mark = $self->{mark};
	my %result = (ended => 0);

	# The newline may arrive later.
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

# Returns the parts of the first error in psql's messages.
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

# disconnect(): kills psql, so that the connection ends without a message.
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
