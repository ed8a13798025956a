# SPDX-License-Identifier: PostgreSQL
# Compares doc/reference.md with the running extension: options with their objects
# and ranges, functions, views and their columns, and settings.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Documents;
use Reevo;
use Test::More;

my $reference = Reevo::slurp("$Documents::top/doc/reference.md");
my $api = Reevo::start(records => 1);
my $node = Reevo::cluster('reference');
Reevo::set_up($node, $api->url);
my $session = Reevo::Session->new($node);

# --- Options ---

my %documented = map { /^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*) \|$/ ? ($1 => { of => $2, values => $4 }) : () }
  split(/\n/, $reference);
$session->query(q(CREATE FOREIGN TABLE edited (id uuid, status text) SERVER reevo; CREATE SCHEMA imported));
my %statements = (
	'server' => 'ALTER SERVER reevo OPTIONS (%s)',
	'table' => 'ALTER FOREIGN TABLE edited OPTIONS (%s)',
	'column' => 'ALTER FOREIGN TABLE edited ALTER COLUMN status OPTIONS (%s)',
	'user mapping' => 'ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (%s)',
	'import' => 'IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO imported OPTIONS (%s)');

# state_of(OBJECT, OPTION, VALUE): sets an option, undoes it, and returns the SQLSTATE.
sub state_of
{
	my ($object, $option, $value) = @_;
	$session->query('BEGIN');
	my $result;
	for my $action ($object eq 'import' ? ('') : ('ADD ', 'SET '))
	{
		$session->query('SAVEPOINT s');
		$result = $session->query(sprintf($statements{$object}, "$action$option '$value'"));
		last if $result->{sqlstate} ne '42710';
		$session->query('ROLLBACK TO s');
	}
	$session->query('ROLLBACK');
	return $result->{sqlstate};
}

cmp_ok(scalar keys %documented, '>', 0, 'the reference has options');
for my $name (sort keys %documented)
{
	my @of = split(/, /, $documented{$name}{of});
	my @takes = grep { state_of($_, $name, '') ne 'HV00D' } sort keys %statements;
	is("@takes", join(' ', sort @of), "$name: objects");

	my $values = $documented{$name}{values};
	my ($from, $to) = $values =~ /^(?:from )?([\d.]+)(?: to ([\d.]+))?$/;
	my %is_allowed = $values eq 'boolean' ? (true => 1, maybe => 0) : ();
	%is_allowed = ($from => 1, $from - 1 => 0) if defined $from;
	@is_allowed{ $to, $to + 1 } = (1, 0) if defined $to;
	is(state_of($of[0], $name, $_) eq '', $is_allowed{$_} == 1, "$name: $_") for sort keys %is_allowed;
}

SKIP:
{
	skip 'from PostgreSQL 16 on, the hint suggests one option', 1 if Reevo::server_version($node) >= 16;
	for my $object (sort keys %statements)
	{
		my $hint = $session->query(sprintf($statements{$object}, ($object eq 'import' ? '' : 'ADD ') . q(unknown 'x')))->{hint};
		my ($list) = $hint =~ /: (.*?)\.?$/;
		is(join(' ', sort split(/, /, $list // '')), join(' ', sort grep { ", $documented{$_}{of}," =~ /, $object,/ } keys %documented),
			"$object: all options are documented");
	}
}

# --- Functions, views and settings ---

# The handler, the validator and the functions behind views are not for users.
my $made = $session->query(q(
	SELECT p.proname
	FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
	JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'opportunity_fdw' AND p.prorettype <> 'fdw_handler'::regtype AND p.proname NOT LIKE '%_validator'
	AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = p.proname)
	UNION ALL
	SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
	WHERE c.relname LIKE 'opportunity%'))->{out};
is(join("\n", sort $reference =~ /^\| `(opportunity_fdw_\w+)(?:\(.*?\))?` \|/mg), join("\n", sort split(/\n/, $made)), 'functions and views');

my $columns = $session->query(q(SELECT attname FROM pg_attribute
	WHERE attrelid = 'opportunity_fdw_stats'::regclass AND attnum > 0 ORDER BY attnum))->{out};
my ($section) = $reference =~ /^### opportunity_fdw_stats\n(.*?)^#/ms;
ok(defined $section && $section =~ /\b$_\b/, "opportunity_fdw_stats: column $_") for split(/\n/, $columns);

my $settings = $session->query(q(LOAD 'opportunity_fdw';
	SELECT '`' || name || '` | `' || boot_val || '`' FROM pg_settings WHERE name LIKE 'opportunity_fdw.%' ORDER BY name))->{out};
is(join("\n", sort $reference =~ /^\| (`opportunity_fdw\.\w+` \| `\w+`) \|/mg), $settings, 'settings and their defaults');

$session->quit;
done_testing();
