# SPDX-License-Identifier: PostgreSQL
# The version is the same in all files, and ALTER EXTENSION UPDATE or dump and
# restore upgrade a database to the next version. Objects of the old version still
# work. There is no next version yet, so the test creates one in a copy of the
# extension's private folder.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use JSON::PP ();
use Reevo;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $id = $Reevo::EXAMPLE;
my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';

# run(NAME, COMMAND...): returns the command's output. A failure fails the test.
sub run
{
	my ($what, @command) = @_;
	my ($output, $error);
	ok(IPC::Run::run(\@command, '<', \undef, '>', \$output, '2>', \$error), $what)
	  or diag("@command: $error");
	chomp $output;
	return $output;
}

sub write_file
{
	my ($name, $text) = @_;
	open(my $file, '>', $name) or die "$name: $!";
	print $file $text;
	close $file;
	return;
}

# scripts(FOLDER): returns the names of the extension's SQL scripts.
sub scripts { return join(' ', sort map { basename($_) } glob("$_[0]/opportunity_fdw--*.sql")); }

# --- Version numbers in the source tree ---

my ($now) = Reevo::slurp("$top/opportunity_fdw.control") =~ /^default_version = '(.+)'$/m;
my ($compiled) = Reevo::slurp("$top/src/base/version.h") =~ /^#define OPPORTUNITY_FDW_VERSION "(.+)"$/m;
is($compiled, $now, 'src/base/version.h has the version of the control file');

# PGXN requires three numbers.
my $meta = JSON::PP->new->decode(Reevo::slurp("$top/META.json"));
my $provided = $meta->{provides}{opportunity_fdw};
is($meta->{version}, "$now.0", 'META.json has the version');
is($provided->{version}, "$now.0", 'META.json provides the version');
is($provided->{file}, "opportunity_fdw--$now.sql", 'META.json names the script of the version');
ok(-f "$top/$provided->{$_}", "META.json: the $_ exists") for qw(file docfile);
my @versions = Reevo::slurp("$top/debian/changelog") =~ /^\S+ \((.+)-\d+\)/;
is($versions[0], $now, "the Debian changelog has the version");

# --- Installed files ---

my $node = Reevo::cluster('upgrade');
my $sharedir = run('pg_config prints the shared folder', $pg_config, '--sharedir');
my $libdir = run('pg_config prints the folder of libraries', $pg_config, '--pkglibdir');
my $bindir = run('pg_config prints the folder of programs', $pg_config, '--bindir');
my $prefix = dirname($bindir);
my ($installed) = $node->safe_psql('postgres', 'SHOW dynamic_library_path') =~ m{^(/.+)\Q$libdir\E:};
# Without a setting for a private folder, scripts/test copies all of PostgreSQL,
# which finds its files relative to its programs.
my $movable = !defined $installed && $prefix ne '/usr' && !grep { !/^\Q$prefix\E\// } $sharedir, $libdir;
die 'the extension has to be installed in a private folder, as scripts/check does it'
  unless defined $installed || $movable;
$installed = '' if $movable;
is(scripts("$installed$sharedir/extension"), scripts($top), 'every script is installed');

# A new script needs no change of the Makefile.
write_file("$folder/opportunity_fdw--$_.sql", '') for $now, "$now--next";
is(run('make prints the scripts', 'make', '-s', '-C', $folder, '-f', "$top/Makefile", "PG_CONFIG=$pg_config",
		'--eval=list-scripts: ; @echo $(DATA)', 'list-scripts'),
	scripts($folder), 'the Makefile installs every script in the folder');

# From here on, the server uses a copy of the folder.
if ($movable)
{
	run('mkdir creates the folder', 'mkdir', '-p', dirname("$folder/copy$prefix"));
	run('cp copies PostgreSQL', 'cp', '-R', $prefix, "$folder/copy$prefix");
	$ENV{PATH} = "$folder/copy$bindir:$ENV{PATH}";
}
else
{
	run('cp copies the private folder', 'cp', '-R', $installed, "$folder/copy");
	for my $setting (qw(extension_destdir extension_control_path dynamic_library_path))
	{
		my $value = $node->safe_psql('postgres', "SELECT current_setting('$setting', true)");
		$node->append_conf('postgresql.conf', "$setting = '$value'") if $value =~ s/^\Q$installed\E/$folder\/copy/;
	}
}
# A restart would run the original program again.
$node->stop('fast');
$node->start;

# --- The current version ---

my $api = Reevo::start();
my $url = $api->url;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(kept other restored moved fresh);
$node->safe_psql($_, Reevo::set_up_sql($url, "max_retries '3'") . qq(
	CREATE FOREIGN TABLE deal ("Kennung" uuid OPTIONS (attribute 'id'), title text OPTIONS (attribute 'display_name'))
		SERVER reevo OPTIONS (page_size '50');
	CREATE VIEW report AS SELECT title, amount FROM deal JOIN opportunity ON id = "Kennung" WHERE id = '$id';
	CREATE MATERIALIZED VIEW copy AS SELECT * FROM report;
	CREATE FUNCTION name_of(wanted uuid) RETURNS text LANGUAGE sql STABLE AS 'SELECT title FROM deal WHERE "Kennung" = wanted';
)) for qw(kept other);

# Returns the rows of all objects of a database as a text.
my $readings_sql = qq(
	SELECT * FROM opportunity WHERE id = '$id'; SELECT * FROM report;
	REFRESH MATERIALIZED VIEW copy; SELECT * FROM copy; SELECT name_of('$id');
	SELECT count(*), sum(length(title)) FROM deal;
	SELECT opportunity_fdw_version(), opportunity_fdw_disconnect(), opportunity_fdw_clear_cache(););

sub readings { return $node->safe_psql($_[0], $readings_sql); }

sub version { return $node->safe_psql($_[0], "SELECT extversion FROM pg_extension WHERE extname = 'opportunity_fdw'"); }

# members(DATABASE): returns the objects of the extension.
sub members
{
	my ($database) = @_;
	return $node->safe_psql($database, q(
		SELECT pg_describe_object(classid, objid, 0), prosrc, probin, provolatile, proparallel, proisstrict,
				obj_description(objid, 'pg_proc')
			FROM pg_depend JOIN pg_extension e ON refclassid = 'pg_extension'::regclass AND refobjid = e.oid
				LEFT JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
			WHERE deptype = 'e' AND extname = 'opportunity_fdw' ORDER BY 1));
}

my $readings = readings('kept');
my $members = members('kept');
like($readings, qr/\Q$id\E/, 'the current version returns the record');
like($readings, qr/opportunity_fdw \Q$now\E,/, 'the library has the current version');
is(version('kept'), $now, 'CREATE EXTENSION installs the current version');
run('pg_dump with the current version', 'pg_dump', '-d', $node->connstr('other'), '-f', "$folder/other.sql");

my $open = Reevo::Session->new($node, dbname => 'kept');
my $prepared = qq(EXECUTE by_id('$id'));
$open->query('PREPARE by_id(uuid) AS SELECT display_name FROM opportunity WHERE id = $1');
my $name = $open->query($prepared)->{out};
isnt($name, '', 'an open session returns the record');

# --- The next version ---

my $next = 'next';
my $extension = "$folder/copy$sharedir/extension";
my $control = Reevo::slurp("$extension/opportunity_fdw.control");
$control =~ s/^default_version = .*$/default_version = '$next'/m;
write_file("$extension/opportunity_fdw--$now--$next.sql", q(
CREATE FUNCTION opportunity_fdw_next() RETURNS text AS 'MODULE_PATHNAME', 'opportunity_fdw_version' LANGUAGE C STRICT;
COMMENT ON FUNCTION opportunity_fdw_next() IS 'new in the next version';
));
unlink "$extension/opportunity_fdw.control";
write_file("$extension/opportunity_fdw.control", $control);

is(version('kept'), $now, 'installing the next version does not change the extension');
is(readings('kept'), $readings, 'installing the next version does not change the rows');
is($node->safe_psql('kept', "SELECT count(*) FROM pg_extension_update_paths('opportunity_fdw') " .
			"WHERE target = '$next' AND path IS NULL"), 0, 'there is an update path from every version');

$api->reset;
$node->safe_psql('kept', 'ALTER EXTENSION opportunity_fdw UPDATE');
is($api->requests, 0, 'an update makes no request');
is(version('kept'), $next, 'ALTER EXTENSION UPDATE installs the next version');
is(readings('kept'), $readings, 'the update does not change the rows');
is($open->query($prepared)->{out}, $name, 'an open session returns the same row after the update');
like($open->query('SELECT opportunity_fdw_next()')->{out}, qr/^opportunity_fdw /, 'an open session can call the new function');
like($node->safe_psql('kept', 'IMPORT FOREIGN SCHEMA reevo LIMIT TO (account) FROM SERVER reevo INTO public; ' .
			'SELECT count(*) FROM account'), qr/^\d+$/, 'IMPORT FOREIGN SCHEMA works after the update');

is(version('other'), $now, 'another database keeps its version');
is(readings('other'), $readings, 'another database returns the same rows');

$node->safe_psql('fresh', 'CREATE EXTENSION opportunity_fdw');
is(version('fresh'), $next, 'CREATE EXTENSION installs the next version');
my $next_members = members('fresh');
is(members('kept'), $next_members, 'an updated and a new database have the same objects');
is(join("\n", grep { !/opportunity_fdw_next/ } split(/\n/, $next_members)), $members, 'the update adds one function');

# --- Dump and restore ---

run('pg_dump of an updated database', 'pg_dump', '-d', $node->connstr('kept'), '-f', "$folder/kept.sql");
my %dumps = (restored => 'kept', moved => 'other');
for my $database (sort keys %dumps)
{
	my $what = "$database from $dumps{$database}";
	run($what, 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr($database),
		'-f', "$folder/$dumps{$database}.sql");
	is(version($database), $next, "$what has the next version");
	is(members($database), $next_members, "$what has all objects");
	is(readings($database), $readings, "$what returns the same rows");
}

# The new function is a member of the extension, so it is dropped with it.
$node->safe_psql('kept', 'DROP EXTENSION opportunity_fdw CASCADE');
is($node->safe_psql('kept', q(SELECT count(*) FROM pg_proc WHERE proname ~ '^opportunity_fdw')), 0,
	'DROP EXTENSION drops all functions');

$node->stop('fast');
done_testing();
