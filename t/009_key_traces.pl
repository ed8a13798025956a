# SPDX-License-Identifier: PostgreSQL
# Tests the statements of doc/secrets.md about places where PostgreSQL and other programs
# keep a key, about roles that can read it, and about rotation. The extension itself
# does not show it: see t/003_secrets.pl.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IPC::Run ();
use Reevo;
use Test::More;

my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $sharedir = `$pg_config --sharedir`);
my $have_statements = -e "$sharedir/extension/pg_stat_statements.control";

my $api = Reevo::start(records => 1000);
my $node = PostgreSQL::Test::Cluster->new('traces');
$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "log_statement = ddl\nlog_min_duration_statement = 0\n"
	  . ($have_statements ? "shared_preload_libraries = 'pg_stat_statements'\n" : ''));
$node->start;
Reevo::set_up($node, $api->url, "max_concurrency '1'");
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements') if $have_statements;

my $setter = Reevo::Session->new($node);
my $watcher = Reevo::Session->new($node);

sub alter_sql
{
	my ($key) = @_;
	return "ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key '$key')";
}

# --- The session that sets the key ---

# The document's settings for such a session.
my $document = Reevo::slurp("$FindBin::RealBin/../doc/secrets.md");
my ($settings) = $document =~ /^((?:SET \S+ = .*;\n)+)CREATE USER MAPPING/m;
like($settings, qr/log_statement.*track_utility/s, 'the document has settings for the session');

my $activity = "SELECT query FROM pg_stat_activity WHERE pid = $setter->{backend}";
$setter->query($settings);
is($setter->query(alter_sql('quiet-key'))->{err}, '', 'a quiet session sets the key');
isnt($setter->query(alter_sql('quiet-key') =~ s/CURRENT_USER/PUBLIC/r)->{sqlstate}, '', 'and makes an error');
like($watcher->query($activity)->{out}, qr/quiet-key/, 'pg_stat_activity shows the last statement');
$setter->query('SELECT 1');
unlike($watcher->query($activity)->{out}, qr/quiet-key/, 'until the next one');

$setter->query('RESET ALL');
$setter->query(alter_sql('logged-key'));
$setter->query('SET log_statement = none; SET log_min_duration_statement = -1');
$setter->query(alter_sql('failed-key') =~ s/CURRENT_USER/PUBLIC/r);
$setter->query('SET log_min_duration_statement = 0');
$setter->query(alter_sql('slow-key'));
$setter->query('RESET ALL');

$node->safe_psql('postgres', q(CREATE ROLE monitor LOGIN; GRANT pg_read_all_stats TO monitor; CREATE ROLE plain LOGIN));
SKIP:
{
	skip 'pg_stat_statements is not installed', 5 unless $have_statements;
	my $statements = 'SELECT query FROM pg_stat_statements';
	my $queries = $watcher->query($statements)->{out};
	like($queries, qr/logged-key/, 'pg_stat_statements shows the key');
	unlike($queries, qr/quiet-key/, 'but not with track_utility off');
	like(shown_to('monitor', $statements), qr/logged-key/, 'members of pg_read_all_stats see it');
	unlike(shown_to('plain', $statements), qr/-key/, 'other roles do not');
	$watcher->query('SELECT pg_stat_statements_reset()');
	unlike($watcher->query($statements)->{out}, qr/logged-key/, 'pg_stat_statements_reset() removes it');
}

sub shown_to
{
	my ($role, $sql) = @_;
	my $session = Reevo::Session->new($node, user => $role);
	my $result = $session->query($sql);
	$session->quit;
	return $result->{out} . $result->{err};
}

# --- The history of psql and of the shell, and the process list ---

# Runs a command on a terminal, and types each line of the input after a prompt.
my $typist = <<'END';
import os, pty, re, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
for line in sys.stdin:
    seen = b""
    while not re.search(rb"[#$:] $", seen):
        seen += os.read(terminal, 4096)
    os.write(terminal, line.encode())
try:
    while os.read(terminal, 4096):
        pass
except OSError:
    pass
os.waitpid(pid, 0)
END

sub type_lines
{
	my ($command, @lines) = @_;
	my ($output, $error) = ('', '');
	return IPC::Run::run([ '/usr/bin/python3', '-c', $typist, @$command ], '<', \join('', map { "$_\n" } @lines),
		'>', \$output, '2>', \$error, IPC::Run::timeout($Reevo::TIMEOUT)) || diag($error);
}

# Returns the history of an interactive psql, undef if it has none.
sub psql_history
{
	my ($options, @lines) = @_;
	my $home = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	local @ENV{qw(HOME TERM)} = ($home, 'dumb');
	delete local $ENV{PSQL_HISTORY};
	type_lines([ 'psql', '-X', '-P', 'pager=off', @$options, '-d', $node->connstr('postgres') ], @lines, '\q');
	return -e "$home/.psql_history" ? Reevo::slurp("$home/.psql_history") : undef;
}

SKIP:
{
	skip 'psql has no history', 9 unless -x '/usr/bin/python3' && defined psql_history([], 'SELECT 1;');
	my $alter = alter_sql('typed-key') . ';';
	like(psql_history([], $alter), qr/typed-key/, 'psql saves the statement');
	like(psql_history([], " $alter"), qr/typed-key/, 'with a leading space, too');
	unlike(psql_history([], '\set HISTCONTROL ignorespace', " $alter"), qr/typed-key/, 'not with HISTCONTROL');
	like(psql_history([], '\set HISTFILE /dev/null', $alter), qr/typed-key/, 'HISTFILE has no effect after the start');
	is(psql_history([ '-v', 'HISTFILE=/dev/null' ], $alter), undef, 'but before it');
	is(psql_history(['-n'], $alter), undef, 'without readline, there is no history');
	my $prompted = psql_history([], q(\prompt 'API key: ' key), 'prompted-key', alter_sql('x') =~ s/'x'/:'key'/r . ';');
	like($prompted, qr/:'key'/, 'psql saves the name of a variable');
	unlike($prompted, qr/prompted-key/, 'and not its value');
	like($watcher->query('SELECT umoptions FROM pg_user_mappings')->{out}, qr/prompted-key/, 'which it sends');
}

sub shell_saves
{
	my ($control, $line) = @_;
	my $home = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	local @ENV{qw(HOME TERM PS1 HISTFILE HISTCONTROL)} = ($home, 'dumb', '$ ', "$home/history", $control);
	type_lines([ 'bash', '--norc', '-i' ], $line, 'exit');
	return Reevo::slurp("$home/history") =~ /\Q$line\E/;
}

SKIP:
{
	skip 'there is no terminal', 4 unless -x '/usr/bin/python3';
	ok(shell_saves('', ': typed-key'), 'bash saves a command');
	ok(shell_saves('', ' : typed-key'), 'with a leading space, too');
	ok(!shell_saves($_, ' : typed-key'), "not with $_") for qw(ignorespace ignoreboth);
}

my $sleeping = Reevo::spawn('/dev/null', 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_sleep(60); ' . alter_sql('listed-key'));
ok(Reevo::wait_until(sub { Reevo::slurp("/proc/$sleeping/cmdline") =~ /listed-key/ }), 'the process list shows the arguments of psql');
is((stat("/proc/$sleeping/cmdline"))[2] & oct(444), oct(444), 'to all users');
kill 'TERM', $sleeping;
waitpid $sleeping, 0;
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'");

# --- Roles that can read the key ---

$node->safe_psql('postgres', q(
	CREATE ROLE owner LOGIN;
	CREATE ROLE user_with LOGIN;
	CREATE ROLE user_without LOGIN;
	GRANT USAGE ON FOREIGN DATA WRAPPER opportunity_fdw TO owner;
	ALTER SERVER reevo OWNER TO owner;
	GRANT USAGE ON FOREIGN SERVER reevo TO user_with;
	CREATE USER MAPPING FOR PUBLIC SERVER reevo OPTIONS (api_key 'public-key');
	CREATE USER MAPPING FOR owner SERVER reevo OPTIONS (api_key 'owner-key');
	CREATE USER MAPPING FOR user_with SERVER reevo OPTIONS (api_key 'with-key');
	CREATE USER MAPPING FOR user_without SERVER reevo OPTIONS (api_key 'test-key');
	GRANT SELECT ON opportunity TO user_without;));
my $mappings = "SELECT string_agg(umoptions::text, ',' ORDER BY umoptions) FROM pg_user_mappings";
my %readable = (owner => '{api_key=owner-key},{api_key=public-key}', user_with => '{api_key=with-key}');
for my $role (qw(owner user_with user_without plain monitor))
{
	is(shown_to($role, $mappings), $readable{$role} || '', "$role: pg_user_mappings");
	like(shown_to($role, 'TABLE pg_user_mapping'), qr/permission denied/, "$role: pg_user_mapping");
}
is(scalar(() = $watcher->query($mappings)->{out} =~ /-key/g), 5, 'a superuser reads all');
my $by_id = "SELECT 1 FROM opportunity WHERE id = '$Reevo::EXAMPLE'";
is(shown_to('user_without', $by_id), '1', 'a query of the table needs no USAGE');

# --- The owner of the server ---

# The key follows if the host has a valid certificate. A superuser's ca_file prevents the
# change, as t/004_privileges.pl shows.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5, Timeout => 30) or die "cannot listen: $!";
is(shown_to('owner', "ALTER SERVER reevo OPTIONS (SET base_url 'https://127.0.0.1:" . $listener->sockport . "', ADD max_retries '0')"),
	'', 'the owner of the server changes the host');
my $victim = Reevo::Session->new($node, user => 'user_without');
$victim->send($by_id);
my $connection = $listener->accept or die 'no connection';
sysread($connection, my $hello, 1);
is(ord $hello, 0x16, "and another role's query starts TLS with it");
close $connection;
isnt($victim->result->{sqlstate}, '', 'which fails without a certificate');
$victim->quit;
$node->safe_psql('postgres', "ALTER SERVER reevo OPTIONS (SET base_url '" . $api->url . "')");

# --- Dumps ---

sub key_count
{
	my (@command) = @_;
	my ($output, $error) = ('', '');
	IPC::Run::run([@command], '>', \$output, '2>', \$error) or diag($error);
	isnt($output, '', "$command[0] has output");
	return scalar(() = $output =~ /-key'/g);
}

my @database = ('-d', $node->connstr('postgres'));
is(key_count('pg_dump', @database), 5, 'pg_dump contains all keys');
is(key_count('pg_dump', @database, '-n', 'public'), 0, 'that of a schema none');
is(key_count('pg_dump', @database, '-t', 'opportunity'), 0, 'that of a table none');
is(key_count('pg_dump', '-U', 'user_with', @database, '-s', '-n', 'public'), 0, 'that of another role for a schema none');
is(key_count('pg_dumpall', @database), 5, 'pg_dumpall contains all keys');
is(key_count('pg_dumpall', @database, '-g'), 0, 'that of the globals none');

# --- Files ---

# Returns the names of the files below it that contain the text.
sub files_with
{
	my ($text, $folder) = @_;
	my ($output, $error) = ('', '');
	IPC::Run::run([ 'grep', '-rlF', $text, $folder ], '>', \$output, '2>', \$error);
	return $output;
}

$watcher->query(alter_sql('retired-1'));
$watcher->query(alter_sql('test-key'));
$watcher->query('CHECKPOINT');
like(files_with('retired-1', $node->data_dir), qr{/base/}, 'the data files keep a key that has changed');
like(files_with('retired-1', $node->data_dir), qr{/pg_wal/}, 'and the WAL');
$watcher->query('VACUUM FULL pg_user_mapping; CHECKPOINT');
unlike(files_with('retired-1', $node->data_dir . '/base'), qr/./, 'until VACUUM FULL');
like(files_with('retired-1', $node->data_dir), qr{/pg_wal/}, 'but the WAL keeps it');
$node->backup('backup');
like(files_with('test-key', $node->backup_dir), qr{/base/}, 'a base backup contains the key');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
like($standby->safe_psql('postgres', 'SELECT umoptions FROM pg_user_mappings'), qr/test-key/, 'and a standby');
$standby->stop('fast');

# --- Rotation ---

# Returns the keys of the requests so far, without repetitions, in order.
sub keys_sent
{
	my @keys = $api->ctl('stats') =~ /"authorization": ?"([^"]*)"/g;
	return join(' ', map { $_ == 0 || $keys[$_] ne $keys[ $_ - 1 ] ? $keys[$_] : () } 0 .. $#keys);
}

my $count = 'SELECT count(*) FROM opportunity';
is($setter->query($count)->{out}, '1000', 'a session with a connection');
$setter->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH 1 FROM c");
$api->reset;
$watcher->query(alter_sql('other-key'));
is($setter->query('MOVE 300 FROM c')->{out}, '', 'a cursor that was open before a change');
is(keys_sent(), 'test-key', 'uses the old key');
is($setter->query($count)->{out}, '1000', 'the next statement of the same session');
is(keys_sent(), 'test-key other-key', 'uses the new key');
$setter->query('COMMIT');

$api->reset;
$api->behave('{"delay_ms": 100}');
$setter->send($count);
$api->becomes('in_flight', 1);
$watcher->query(alter_sql('test-key'));
is($setter->result->{out}, '1000', 'a statement that was running before a change');
is(keys_sent(), 'other-key', 'uses the old key until its end');
$api->reset;

$watcher->query(alter_sql('expired-key'));
is($setter->query($count)->{sqlstate}, '28000', 'a revoked key is an error');
$watcher->query(alter_sql('test-key'));
is($setter->query($count)->{out}, '1000', 'which a new key ends, without a new session');

# --- The log ---

$_->quit for $setter, $watcher;
$node->stop('fast');
my $log = Reevo::slurp($node->logfile);
like($log, qr/LOG:  statement: .*logged-key/, 'log_statement logs the key');
like($log, qr/LOG:  duration: .*slow-key/, 'log_min_duration_statement logs it');
like($log, qr/STATEMENT:  .*failed-key/, 'log_min_error_statement logs it');
unlike($log, qr/quiet-key/, 'a quiet session does not');

done_testing();
