# SPDX-License-Identifier: PostgreSQL
# A database with the extension can be dumped and restored, and returns the same
# rows afterwards.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IPC::Run ();
use POSIX ();
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start();
my $node = Reevo::cluster('dump');
my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);

open(my $file, '>', "$folder/ca.pem") or die "$folder/ca.pem: $!";
print $file "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
close $file;

# run(NAME, COMMAND...): returns the command's output. A failure fails the test.
sub run
{
	my ($what, @command) = @_;
	my ($output, $error);
	ok(IPC::Run::run(\@command, '<', \undef, '>', \$output, '2>', \$error), $what)
	  or diag("@command: $error");
	is($error, '', "$what: no message on stderr");
	return $output;
}

# Every kind of option, and every kind of object that can depend on the table
my $url = $api->url;
$node->safe_psql('postgres', 'CREATE ROLE "a reader"; CREATE DATABASE source');
$node->safe_psql('source', Reevo::set_up_sql($url, "max_retries '3'", "ca_file '$folder/ca.pem'",
		"allow_http 'true'", "max_retry_wait '1.5'", "use_query 'false'") . qq(
	CREATE SERVER "a ""second"" server" FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url 'https://api.example/a''b');
	CREATE USER MAPPING FOR PUBLIC SERVER reevo OPTIONS (api_key 'other-key');
	CREATE USER MAPPING FOR "a reader" SERVER reevo OPTIONS (api_key E'it''s"a\\\\key"',
		proxy_user E'DOMAIN\\\\me', proxy_password E'it''s "a\\\\pässword');
	CREATE DOMAIN title AS text CHECK (value <> '');
	CREATE TYPE state AS ENUM ('open', 'won', 'lost', 'OPEN', 'WON', 'LOST', 'ACTIVE', 'active');
	CREATE FOREIGN TABLE "Geschäfte" (
		"Kennung" uuid OPTIONS (attribute 'id'),
		"Titel" title OPTIONS (attribute 'display_name') NOT NULL,
		amount numeric(20,2) OPTIONS (filter_operators 'gte, lte', sortable 'false', invalid_value 'null'),
		tags text[] OPTIONS (attribute 'competitors_mentioned_other'),
		everything jsonb OPTIONS (attribute '*'),
		probability numeric OPTIONS (attribute 'stage.closing_probability')
	) SERVER reevo OPTIONS (record_type 'opportunity', page_size '50', max_requests '10', include_archived 'true');
	COMMENT ON FOREIGN TABLE "Geschäfte" IS 'with a comment';
	COMMENT ON COLUMN "Geschäfte"."Titel" IS 'with another';
	GRANT SELECT ON opportunity, "Geschäfte" TO "a reader";
	CREATE VIEW report AS SELECT "Titel", amount FROM "Geschäfte" WHERE "Kennung" = '$id';
	CREATE VIEW everything AS SELECT * FROM opportunity WHERE id = '$id';
	CREATE MATERIALIZED VIEW kept AS SELECT * FROM report;
	CREATE TABLE deal (opportunity_id uuid, note text);
	INSERT INTO deal VALUES ('$id', 'a note');
	CREATE FUNCTION name_of(wanted uuid) RETURNS text LANGUAGE sql STABLE AS 'SELECT display_name FROM opportunity WHERE id = wanted';
	CREATE SCHEMA parts;
	CREATE TABLE parts.whole (id uuid, display_name text) PARTITION BY LIST (id);
	CREATE FOREIGN TABLE parts.one PARTITION OF parts.whole FOR VALUES IN ('$id') SERVER reevo;
));

# Returns the rows of all objects of a database as a text.
sub readings
{
	my ($database) = @_;
	return $node->safe_psql($database, qq(
		SELECT * FROM report; SELECT * FROM everything; SELECT * FROM kept; REFRESH MATERIALIZED VIEW kept;
		SELECT * FROM "Geschäfte" WHERE "Kennung" = '$id';
		SELECT note, o.* FROM deal JOIN opportunity o ON o.id = opportunity_id;
		SELECT name_of('$id'); SELECT * FROM parts.whole WHERE id = '$id';));
}

# Returns all declarations. pg_dump changes the order of options, so they are
# sorted.
sub declarations
{
	my ($database) = @_;
	return $node->safe_psql($database, q(
		SELECT srvname, srvowner::regrole, ARRAY(SELECT unnest(srvoptions) ORDER BY 1) FROM pg_foreign_server ORDER BY 1;
		SELECT srvname, usename, ARRAY(SELECT unnest(umoptions) ORDER BY 1) FROM pg_user_mappings ORDER BY 1, 2;
		SELECT ftrelid::regclass::text, ARRAY(SELECT unnest(ftoptions) ORDER BY 1), relacl, obj_description(ftrelid) FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid ORDER BY 1;
		SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, ARRAY(SELECT unnest(attfdwoptions) ORDER BY 1),
				col_description(attrelid, attnum)
			FROM pg_attribute JOIN pg_foreign_table ON ftrelid = attrelid WHERE attnum > 0 ORDER BY 1, attnum;
		SELECT extname, extversion FROM pg_extension ORDER BY 1;));
}

my $readings = readings('source');
my $declarations = declarations('source');
like($readings, qr/\Q$id\E/, 'the source database returns the record');

# A dump makes no request.
$api->reset;
run('pg_dump, plain', 'pg_dump', '-d', $node->connstr('source'), '-f', "$folder/plain.sql");
run('pg_dump, custom', 'pg_dump', '-Fc', '-d', $node->connstr('source'), '-f', "$folder/custom");
run('pg_dump, directory', 'pg_dump', '-Fd', '-j2', '-d', $node->connstr('source'), '-f', "$folder/directory");
run('pg_dumpall', 'pg_dumpall', '-d', $node->connstr('postgres'), '-f', "$folder/all.sql");
is($api->requests, 0, 'pg_dump and pg_dumpall make no request');

$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain custom directory);
run('restore, plain', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('plain'),
	'-f', "$folder/plain.sql");
run('restore, custom', 'pg_restore', '--exit-on-error', '-d', $node->connstr('custom'), "$folder/custom");
run('restore, directory', 'pg_restore', '--exit-on-error', '-j2', '-d', $node->connstr('directory'), "$folder/directory");
is($api->requests('get'), 3, 'a restore makes one request, to fill the materialized view');

for my $database (qw(plain custom directory))
{
	is(declarations($database), $declarations, "$database: the restored declarations are the same");
	is(readings($database), $readings, "$database: the restored database returns the same rows");
}

# A dump of the restored database is the same as the first dump.
my $again = run('pg_dump of the restored database', 'pg_dump', '-d', $node->connstr('custom'));
is(comparable($again), comparable(Reevo::slurp("$folder/plain.sql")), 'the second dump equals the first');

# Removes the comments, and the random words with which newer versions protect a
# dump.
sub comparable
{
	my ($dump) = @_;
	$dump =~ s/^(--|\\(un)?restrict).*\n//mg;
	return $dump;
}

# A restore of the whole cluster into another one
my $second = Reevo::cluster('dump_second');
$node->stop('fast');
my ($output, $error);
IPC::Run::run([ 'psql', '-Xq', '-d', $second->connstr('postgres'), '-f', "$folder/all.sql" ],
	'<', \undef, '>', \$output, '2>', \$error);
my @complaints = grep { /ERROR|FATAL/ && !/role "\w+" already exists/ } split(/\n/, $error);
is("@complaints", '', 'restore of the whole cluster: existing roles are the only errors');
$node = $second;
is(declarations('source'), $declarations, 'the other cluster: the declarations are the same');
is(readings('source'), $readings, 'the other cluster: the rows are the same');

# If the file in ca_file is missing, only requests fail.
unlink "$folder/ca.pem" or die "$folder/ca.pem: $!";
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
ok(IPC::Run::run([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('elsewhere'), '-f', "$folder/plain.sql" ],
		'<', \undef, '>', \$output, '2>', \$error),
	'restore without the file in ca_file succeeds') or diag($error);
my $complaint = qr/WARNING:  (?:58P01: )?could not open file "\Q$folder\E\/ca\.pem" of option "ca_file": No such file or directory/;
like($error, $complaint, 'a missing ca_file causes a warning');
is(scalar(() = $error =~ /WARNING|ERROR/g), 1, 'the restore has no other warning or error');
is(declarations('elsewhere'), $declarations, 'restore without the file in ca_file: the declarations are the same');
is(readings('elsewhere'), $readings, 'restore without the file in ca_file: reads without TLS return the same rows');

my $session = Reevo::Session->new($node, dbname => 'elsewhere');
for my $sql ("EXPLAIN (VERBOSE) SELECT * FROM report", "PREPARE p AS TABLE report", 'ALTER FOREIGN TABLE opportunity OPTIONS (ADD page_size \'10\')',
	"SELECT * FROM report", "SELECT * FROM opportunity_fdw_check('reevo')")
{
	is($session->query($sql)->{err}, '', "a missing ca_file causes no message: $sql");
}
my $alter = "ALTER SERVER reevo OPTIONS (SET max_retries '4')";
like($session->query($alter)->{err}, $complaint, 'ALTER of another option warns about the missing ca_file');
for my $content (undef, '', "-----BEGIN PRIVATE KEY-----\n", "----- BEGIN CERTIFICATE-----\n")
{
	if (defined $content)
	{
		open(my $pem, '>', "$folder/ca.pem") or die "$folder/ca.pem: $!";
		print $pem $content;
		close $pem;
		chmod 0644, "$folder/ca.pem";
	}
	else
	{
		# An open() of the FIFO would wait.
		POSIX::mkfifo("$folder/ca.pem", 0644) or die "$folder/ca.pem: $!";
	}
	my $result = $session->query($alter);
	is($result->{sqlstate}, '', 'a ca_file without a certificate is not an error');
	like($result->{err}, qr/WARNING:  HV024: file ".*" of option "ca_file" contains no certificate in PEM format/, 'a ca_file without a certificate causes a warning');
	unlink "$folder/ca.pem";
}
$session->quit;
$second->stop('fast');

done_testing();
