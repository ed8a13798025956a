# SPDX-License-Identifier: PostgreSQL
# Every block of README.md and doc/*.md is run, as it stands but for one thing: a
# server that is made without a base_url, which is that of the real API, gets the
# simulator's. What a block shows is compared; one that shows nothing must succeed.
# And what the README says that its queries cost is what they cost.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Documents;
use Reevo;
use Test::More;

# What is shown depends on them.
@ENV{qw(PGTZ PGCLIENTENCODING)} = qw(UTC UTF8);

my $top = $Documents::top;
my %text = map { $_ => Reevo::slurp("$top/$_") } Documents::names();
my %blocks = map { $_ => [ Documents::blocks($text{$_}) ] } keys %text;
my @names = ('doc/cookbook.md', grep { $_ ne 'doc/cookbook.md' } sort keys %text);

cmp_ok(scalar @names, '>=', 4, 'there are documents');

# --- Links ---

# The anchor that GitHub gives to a heading.
sub anchor
{
	my ($heading) = @_;
	return lc($heading) =~ s/[^\w\- ]//gr =~ s/ /-/gr;
}

for my $name (@names)
{
	(my $prose = $text{$name}) =~ s/^```.*?^```//msg;
	my ($folder) = $name =~ m{^(.*/|)};
	for my $link ($prose =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($file, $wanted) = split(/#/, $link, 2);
		my $path = $file eq '' ? "$top/$name" : "$top/$folder$file";
		my $there = -e $path
		  && (!defined $wanted || grep { anchor($_) eq $wanted } Reevo::slurp($path) =~ /^#+ (.*)$/mg);
		ok($there, "$name: $link leads somewhere");
	}
}

# --- The server ---

my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $sharedir = `$pg_config --sharedir`);
my $have_cron = -e "$sharedir/extension/pg_cron.control";
my $settings = join('', map { $_->{code} } grep { $_->{kind} eq 'conf' } map { @{ $blocks{$_} } } @names);
my ($database) = $settings =~ /^cron\.database_name = '(\w+)'$/m;

note('pg_cron is not here: its blocks are not run') unless $have_cron;
my $node = Reevo::cluster('documentation', "log_statement = none\n" . ($have_cron ? $settings : ''));
my $version = Reevo::server_version($node);
@ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);

# A workspace of its own, which another organization_id shows.
my $south = Reevo::start(records => 120);
$south->ctl('attributes', Reevo::id($_),
	'{"organization_id": {"value": "00000000-0000-4000-c000-000000000002", "value_type": "uuid"}}') for 0 .. 119;
my %api = map { $_ => Reevo::start(records => 1001) } @names;

sub with_stand_ins
{
	my ($name, $sql) = @_;
	my $url = sub { $_[0] eq 'south' ? $south->url : $api{$name}->url };
	return $sql =~
	  s/(CREATE SERVER (\w+) FOREIGN DATA WRAPPER opportunity_fdw);/"$1 OPTIONS (base_url '" . $url->($2) . "');"/ger;
}

# --- Blocks ---

# is_shown(BLOCK, LABEL, OUTPUT)
sub is_shown
{
	my ($block, $label, $output) = @_;
	return ok(Documents::shows($block->{text}, $output), "$label shows what is written") || diag($output)
	  if defined $block->{text};
	return unlike($output, qr/^(ERROR|FATAL|WARNING|psql|Traceback)\b/m, "$label runs");
}

sub is_possible
{
	my ($needs) = @_;
	return $needs =~ /^\d+$/ ? $version >= $needs : $needs eq '' || $needs eq 'pg_cron' && $have_cron;
}

sub run_sql
{
	my ($block, $label, $session, $name) = @_;
	SKIP:
	{
		skip "$label: needs $block->{needs}", 1 unless is_possible($block->{needs});
		my $before = $api{$name}->requests;
		$block->{output} = $session->run(with_stand_ins($name, $block->{code}));
		$block->{requests} = $api{$name}->requests - $before;
		is_shown($block, $label, $block->{output});
		cron_is('active = false') if $block->{needs} eq 'pg_cron';
	}
	return;
}

# cron_is(ASSIGNMENTS): of its job, which is not to make requests while others are counted.
sub cron_is
{
	my ($assignments) = @_;
	$node->safe_psql($database, "UPDATE cron.job SET $assignments");
	return;
}

sub run_program
{
	my ($block, $label, $name, @command) = @_;
	my ($status, $output);
	$block->{requests} = $api{$name}->requests_of(sub { ($status, $output) = Documents::execute(@command, $block->{code}) });
	is($status, 0, "$label succeeds") or diag($output);
	is_shown($block, $label, $output);
	return;
}

# The commands that only somebody else may run, or that take minutes: each is one that
# the project's own scripts run, and what make is asked for can be made.
my %made_by = (
	'make' => [ 'scripts/lib.sh', qr/^\s*make_in "\$tree" -j2 "\$@"/m ],
	'make install' => [ 'scripts/lib.sh', qr/ make_in "\$tree" install / ],
	'make installcheck' => [ 'scripts/lib.sh', qr/^\s*make_in "\$tree" installcheck /m ],
	'make localcheck' => [ 'Makefile', qr{^localcheck: all\n\tscripts/check regress$}m ],
	'make prove' => [ 'Makefile', qr{^prove: all\n\tscripts/check prove$}m ],
	'make lint' => [ 'Makefile', qr{^lint:\n\tscripts/lint$}m ],
	'make coverage' => [ 'Makefile', qr{^coverage:\n\tscripts/test --coverage$}m ],
	'make dist' => [ 'Makefile', qr{^dist:\n\tgit archive }m ]);

# Those of the package, which only a fresh Debian makes.
my $packaging = 'pg_buildext updatecontrol && dpkg-buildpackage -us -uc -b';

sub is_run_elsewhere
{
	my ($command, $label) = @_;
	if ($made_by{$command})
	{
		my ($script, $pattern) = @{ $made_by{$command} };
		my (undef, $target) = split(/ /, $command);
		my ($status, $output) =
		  Documents::execute('make', '-n', '-C', $top, "PG_CONFIG=$pg_config", $target || 'all');
		is($status, 0, "$label: $command can be done") or diag($output);
		return like(Reevo::slurp("$top/$script"), $pattern, "$label: $script does it");
	}
	return like(Reevo::slurp("$top/scripts/test-deb"), qr/'\Q$packaging\E'/, "$label: scripts/test-deb runs it")
	  if grep { $_ eq $command } split(/ && /, $packaging);
	if ($command =~ m{^(scripts/(demo|test))$})
	{
		my ($status) = Documents::execute("$top/$1", '--help');
		is($status, 0, "$label: $1 has something to say");
		return like(Reevo::slurp("$top/scripts/test-fresh"),
			qr/\bscripts=\((?:\w+ )*$2\b/, "$label: scripts/test-fresh runs it");
	}
	if ($command =~ /^apt-get install (.*)/)
	{
		my $setup = Reevo::slurp("$top/scripts/setup");
		my @missing = grep { (my $package = $_) =~ s/-all$/-/; $setup !~ /\b\Q$package\E/ } split(/ /, $1);
		return is("@missing", '', "$label: scripts/setup installs them");
	}
	return 0;
}

sub run_shell
{
	my ($block, $label, $name) = @_;
	my @commands = map { s/\s+#.*//r =~ s/^sudo //r } split(/\n| && /, $block->{code});
	my @own = grep { !/^(make|scripts|apt-get)\b/ } @commands;

	return run_program($block, $label, $name, 'bash', '-ec') if @own == @commands;
	ok(is_run_elsewhere($_, $label), "$label: $_ is known to run") for @commands;
	return;
}

sub run_document
{
	my ($name) = @_;
	my ($stem) = $name =~ m{(\w+)\.md$};
	my $place = $name eq 'doc/cookbook.md' ? $database : lc $stem;

	$node->safe_psql('postgres', "CREATE DATABASE $place");
	my $session = Documents::session($node, $place);
	for my $block (@{ $blocks{$name} })
	{
		my $label = "$name:$block->{line}";
		my $kind = $block->{kind};

		if ($kind eq 'sql') { run_sql($block, $label, $session, $name); }
		elsif ($kind eq 'sh') { run_shell($block, $label, $name); }
		elsif ($kind eq 'python') { run_program($block, $label, $name, '/usr/bin/python3', '-c'); }
		elsif ($kind ne 'conf') { fail("$label: nobody knows what to do with a block of '$kind'"); }
	}
	return $session;
}

my %session = (map { $_ => run_document($_) } $names[0]);
ok((grep { $_->{kind} eq 'conf' } @{ $blocks{'doc/cookbook.md'} }), 'the settings of the cookbook are those of the server');

# --- pg_cron does what it is told to, from here on ---

# Before 1.5 it knows of nothing shorter than a minute.
sub hurry_cron
{
	my $cron = $node->safe_psql($database, q(SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'));
	my ($major, $minor) = split(/[.-]/, $cron);
	my $schedule = $major * 100 + $minor >= 105 ? '1 second' : '* * * * *';

	$api{'doc/cookbook.md'}->ctl('attributes', Reevo::id(8), '{"display_name": {"value": "by cron", "value_type": "string"},
		"updated_at": {"value": "2031-01-01T00:00:00Z", "value_type": "timestamp"}}');
	cron_is("schedule = '$schedule', active = true");
	return;
}

hurry_cron() if $have_cron;

# --- The other documents ---

$session{$_} = run_document($_) for grep { !$session{$_} } @names;

# --- What the README says that its queries cost ---

my $readme = $text{'README.md'};
my $api = $api{'README.md'};
my $session = $session{'README.md'};

# The block of the README that begins so.
sub block
{
	my ($start) = @_;
	my ($block) = grep { $_->{code} =~ /\A\Q$start\E/ } @{ $blocks{'README.md'} };
	die "no block begins with $start" unless defined $block && defined $block->{output};
	return $block;
}

is(block('CREATE EXTENSION')->{requests}, 0, 'setting up asks for nothing');
is(block('SELECT * FROM opportunity_fdw_check')->{requests}, 5, 'a check-up makes five requests');
is(scalar(() = block('SELECT * FROM opportunity_fdw_check')->{output} =~ /^ [a-z ]+ \| t +\|/mg), 10, 'which say that all is well');
is(block('CREATE SCHEMA')->{requests}, 1, 'the import asks for the schema');
like(block('IMPORT FOREIGN SCHEMA')->{output}, qr/\(3 rows\)/, 'accounts can be joined, too');
is(block('SELECT display_name')->{requests}, 1, 'one opportunity, one request');
is(block('CREATE TABLE invoice')->{requests}, 1, 'four invoices, one request');
like(block('CREATE TABLE invoice')->{output}, qr/\(4 rows\)/, 'and four rows');
is(block('CREATE TABLE many')->{requests}, 10, 'a thousand, ten requests');
is(block('CREATE VIEW billed')->{requests}, 1, 'the report, one');

my $report = block('SELECT stage, count');
cmp_ok($report->{requests}, '>=', 3, 'a report over many opportunities costs a request per page, and that of the latest one');
cmp_ok($report->{requests}, '<=', 12, 'and no more than all of them would');
like($report->{output}, qr/^ Discovery +\| +\d+ \|/m, 'it comes to something');
like($report->{output}, qr/\(20 rows\)/, 'and the latest are twenty');
is(block('ANALYZE')->{requests}, 11, 'and statistics of 1001 records, eleven');
like($session->run("SELECT reltuples::bigint FROM pg_class WHERE oid = 'crm.opportunity'::regclass;"), qr/^ +1001$/m,
	'which are counted');
like(block('EXPLAIN')->{output}, qr/^ *-> +Custom Scan \(Batch Lookup\).*^ *API Calls: 1$/ms, 'EXPLAIN says what a join has cost');

# requests_of(SQL)
sub requests_of
{
	my ($sql) = @_;
	return $api->requests_of(sub { $session->run("$sql;") });
}

$session->run(q(CREATE TABLE customer AS
	SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid AS account_id FROM generate_series(1, 20) n;
	ANALYZE customer;));
my ($join) = $readme =~ /in `(FROM customer c [^`]*)`/;
is(requests_of("SELECT count(*) $join"), 1, 'twenty customers, one request');
my $one = q(SELECT stage FROM crm.opportunity WHERE id = '00000000-0000-4000-8000-000000000005');
is(requests_of($one) + requests_of($one), 1, 'the README turned cache_ttl on');

# --- What the cookbook says of a copy ---

my $cookbook = $session{'doc/cookbook.md'};
my $copies = $api{'doc/cookbook.md'};
my $refresh = 'CALL refresh_pipeline_copy();';

sub copy_has
{
	my ($what) = @_;
	return $cookbook->run("SELECT 'found' FROM pipeline_copy WHERE $what;") =~ /\bfound\b/;
}

SKIP:
{
	skip 'pg_cron is not here', 2 unless $have_cron;
	ok(Reevo::wait_until(sub { copy_has("display_name = 'by cron'") }, 100), 'pg_cron brings the copy up to date');
	ok(Reevo::wait_until(sub { $cookbook->run('SELECT status FROM cron.job_run_details;') =~ /^ succeeded$/m }), 'and says so')
	  or diag($cookbook->run('SELECT * FROM cron.job_run_details;'));
	cron_is('active = false');
}
$cookbook->run($refresh);
is($copies->requests_of(sub { $cookbook->run($refresh) }), 1, 'nothing has changed: one request');
$copies->ctl('attributes', Reevo::id(7), '{"display_name": {"value": "another", "value_type": "string"},
	"updated_at": {"value": "2032-01-01T00:00:00Z", "value_type": "timestamp"}}');
is($copies->requests_of(sub { $cookbook->run($refresh) }), 1, 'one has changed: one request');
ok(copy_has(sprintf(q(id = '%s' AND display_name = 'another'), Reevo::id(7))), 'the copy has it');

my ($forget) = $text{'doc/cookbook.md'} =~ /^(DELETE FROM pipeline_copy c\n.*?;)$/ms;
$copies->ctl('delete', Reevo::id(9));
is($copies->requests_of(sub { $cookbook->run($forget) }), 12, 'eleven requests show what is gone, and one that it is');
ok(!copy_has(sprintf(q(id = '%s'), Reevo::id(9))), 'the copy has it no longer');
like($cookbook->run('SELECT count(*) FROM pipeline_copy;'), qr/^ +1000$/m, 'and all others');

# --- What the cookbook says that its queries cost ---

sub cookbook_block
{
	my ($part) = @_;
	my ($block) = grep { $_->{code} =~ /\Q$part\E/ } @{ $blocks{'doc/cookbook.md'} };
	return $block;
}

is(cookbook_block('ORDER BY last_activity_at')->{requests}, 1, 'what nobody has touched, one request');
is(cookbook_block('LEFT JOIN LATERAL')->{requests}, 20, 'LATERAL with a LIMIT, one for each customer');
is(cookbook_block('SELECT DISTINCT ON')->{requests}, 1, 'all of them together, one');
is(cookbook_block('cursor.itersize')->{requests}, 3, 'a program that stops early, three pages');
is(cookbook_block('ANY (%s::uuid[])')->{requests}, 3, '250 ids, three');

# requests_of_both(SQL): made to the two workspaces.
sub requests_of_both
{
	my ($sql) = @_;
	my $before = $copies->requests + $south->requests;
	$cookbook->run("$sql;");
	return $copies->requests + $south->requests - $before;
}

$cookbook->run(q(CREATE TABLE bill AS SELECT n AS number, CASE WHEN n % 2 = 0 THEN 'north' ELSE 'south' END AS workspace,
	('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS opportunity_id FROM generate_series(11, 60) n;
	ANALYZE bill;));
my $united = 'SELECT count(o.stage) FROM bill i JOIN everywhere o ON o.id = i.opportunity_id AND o.workspace = i.workspace';
my $each = join(' UNION ALL ', map {
	"SELECT count(o.stage) FROM bill i JOIN $_.opportunity o ON o.id = i.opportunity_id WHERE i.workspace = '$_'"
} qw(north south));
is(requests_of_both($united), 100, 'a join with two workspaces asks both for each row');
is(requests_of_both("$united WHERE o.id = ANY (ARRAY(SELECT opportunity_id FROM bill))"), 2, 'with the ids said once more, once');
is(requests_of_both($each), 2, 'and so do united joins');

$_->quit for values %session;
done_testing();
