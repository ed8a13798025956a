# SPDX-License-Identifier: PostgreSQL
# The module exports only the functions that PostgreSQL looks up by name.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Documents;
use Reevo;
use Test::More;

my $node = Reevo::cluster('symbols');
my $session = Reevo::Session->new($node);
$session->query('CREATE EXTENSION IF NOT EXISTS opportunity_fdw');
my $version = $session->query('SELECT extversion FROM pg_extension WHERE extname = $$opportunity_fdw$$')->{out};
my $pid = $session->query('SELECT pg_backend_pid() FROM opportunity_fdw_version()')->{out};
my ($module) = Reevo::slurp("/proc/$pid/maps") =~ m{ (/.*/opportunity_fdw\.so)$}m;
ok(defined $module, 'the session has loaded the module') or BAIL_OUT('no module');

my @exported = map { (split)[-1] } split /\n/, `nm -D --defined-only '$module'`;
is($?, 0, 'nm reads the symbols of the module');

my $script = Reevo::slurp("$Documents::top/opportunity_fdw--$version.sql");
my @functions = $script =~ /^CREATE FUNCTION (\w+)\((?:(?!^CREATE |\$\$).)*?^LANGUAGE C /msg;
cmp_ok(scalar @functions, '>', 5, 'the script has functions in C');
is(join("\n", sort @exported), join("\n", sort qw(Pg_magic_func _PG_init), @functions, map { "pg_finfo_$_" } @functions),
	'the module exports these functions and nothing else');

$session->quit;
done_testing();
