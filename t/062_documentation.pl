# SPDX-License-Identifier: PostgreSQL
# Runs every block of README.md, doc/*.md and bench/README.md, and compares the output
# with the document. Counts the API calls if the document says how many there are.
# t/Documents.pm describes the blocks and the markers.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use lib $FindBin::RealBin;
use Documents;
use Reevo;
use Test::More;

# The output depends on them.
@ENV{qw(PGTZ PGCLIENTENCODING)} = qw(UTC UTF8);

my $top = $Documents::top;
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $sharedir = `$pg_config --sharedir`);
my ($major) = `$pg_config --version` =~ /(\d+)/;

# --- The runner itself ---

my ($parsed, @more) = Documents::blocks(<<'END');
<!-- API calls: 3 to 12 -->
<!-- needs PostgreSQL 17 -->
  ```sql
  SELECT 1;
  ```

<!-- numbers may differ -->
```text
 a ... 12
```
END
is_deeply([ @{$parsed}{qw(kind code text differs needs)} ],
	[ 'sql', "SELECT 1;\n", " a ... 12\n", 'numbers', 'PostgreSQL 17' ], 'a block with its markers');
is_deeply([ $parsed->{calls}, scalar @more ], [ [ 3, 12 ], 0 ], 'and the number of its calls');
ok(!eval { Documents::blocks("<!-- API call: 3 -->\n"); 1 }, 'an unknown marker is an error');

# is_alike(TEXT, OUTPUT, IS_ALIKE, DIFFERS)
sub is_alike
{
	my ($text, $output, $is_alike, $differs) = @_;
	my $shows = Documents::shows({ text => $text, differs => $differs }, $output);
	return is($shows ? 1 : 0, $is_alike, ($is_alike ? 'accepted: ' : 'refused: ') . $output =~ s/\n/ /gr);
}

is_alike("a\nb\n", "a  \nb\n\n", 1);
is_alike("a\nb\n", "a\nc\n", 0);
is_alike("a ... c\n", "a b\nb c\n", 1);
is_alike("a ... c\n", "a b\nb d\n", 0);
is_alike(" 12 | x\n", "   7 | x\n", 1, 'numbers');
is_alike(" 12 | x\n", "   7 | x\n", 0);
is_alike("QUERY PLAN\n-----\n Scan (actual time=1.0..2.0 rows=3 loops=1)\n(1 row)\n",
	"   QUERY PLAN\n---\n Scan (actual time=3.1..4.7 rows=2.75 loops=1)\n   Buffers: shared hit=3\n(2 rows)\n", 1);
is_alike("QUERY PLAN\n-----\n Scan (actual time=1.0..2.0 rows=3 loops=1)\n(1 row)\n",
	"QUERY PLAN\n-----\n Scan (actual time=1.0..2.0 rows=4 loops=1)\n(1 row)\n", 0);

# --- Links ---

# Returns the anchor that GitHub gives to a heading.
sub anchor
{
	my ($heading) = @_;
	return lc($heading) =~ s/[^\w\- ]//gr =~ s/ /-/gr;
}

# Returns the links to places that do not exist.
sub dead_links
{
	my ($name) = @_;
	my ($folder) = $name =~ m{^(.*/|)};
	(my $prose = Reevo::slurp("$top/$name")) =~ s/^```.*?^```//msg;
	my @dead;

	for my $link ($prose =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^(https?|mailto):/;
		my ($file, $anchor) = split(/#/, $link, 2);
		my $path = $file eq '' ? "$top/$name" : "$top/$folder$file";
		push @dead, $link
		  unless -e $path && (!defined $anchor || grep { anchor($_) eq $anchor } Reevo::slurp($path) =~ /^#+ (.*)$/mg);
	}
	return @dead;
}

for my $name (map { s{^\Q$top\E/}{}r } glob("$top/*.md $top/*/*.md"))
{
	is(join(' ', dead_links($name)), '', "$name: each link has a target");
}

# --- A document with its server and its simulators ---

# Returns a hash: {node}, {folder}, {api}: simulators by the name of the server that uses
# them, '' for the others, {sessions} by database.
sub open_document
{
	my ($name, @blocks) = @_;
	my $settings = join('', map { $_->{code} } grep { $_->{kind} eq 'conf' && is_possible($_) } @blocks);
	my $node = Reevo::cluster(lc($name) =~ s/\.md$//r =~ s/\W/_/gr, "log_statement = none\n$settings");
	return {
		node => $node,
		name => $name,
		database => 'postgres',
		folder => File::Temp::tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1),
		api => { '' => Reevo::start(records => 1001) },
		sessions => {},
		replaced => []
	};
}

sub close_document
{
	my ($document) = @_;
	$_->quit for values %{ $document->{sessions} };
	$_->stop for values %{ $document->{api} };
	$document->{node}->stop;
	return;
}

sub session
{
	my ($document) = @_;
	return $document->{sessions}{ $document->{database} } //= Documents::session($document->{node}, $document->{database});
}

sub is_possible
{
	my ($block) = @_;
	return $major >= $1 if $block->{needs} =~ /^PostgreSQL (\d+)$/;
	return $block->{needs} eq '' || -e "$sharedir/extension/$block->{needs}.control";
}

# Returns the block's code with the simulators' URLs, and other texts replaced.
sub code_to_run
{
	my ($document, $block) = @_;
	my ($node, $api) = @{$document}{qw(node api)};
	my %value = (host => $node->host, port => $node->port, user => scalar getpwuid($>), simulator => $api->{''}->url, top => $top);
	my $code = $block->{code};

	for (@{ $document->{replaced} })
	{
		my ($from, $to) = ($_->{name}, $_->{code} =~ s/\{(\w+)\}/$value{$1}/gr);
		$code =~ s/\Q$from\E/$to/g;
	}
	$code =~ s{(CREATE SERVER (?:IF NOT EXISTS )?(\w+)\s+FOREIGN DATA WRAPPER opportunity_fdw)(\s+OPTIONS\s*\(([^)]*)\))?}
		{ my ($start, $server, $clause, $options) = ($1, $2, $3, $4);
		  defined $options && $options =~ /\bbase_url\b/ ? "$start$clause"
		  : "$start OPTIONS (base_url '" . ($api->{$server} || $api->{''})->url . "'" . (defined $options ? ", $options" : '') . ')' }ge;
	return $code;
}

sub requests
{
	my ($document) = @_;
	my $sum = 0;
	$sum += $_->requests for values %{ $document->{api} };
	return $sum;
}

# --- Blocks ---

sub is_shown
{
	my ($block, $label, $output) = @_;

	return ok(Documents::shows($block, $output), "$label: output") || diag($output)
	  if defined $block->{text} && ($block->{differs} || '') ne 'output';
	unlike($output, qr/^(ERROR|FATAL|psql|Traceback)\b/m, "$label succeeds") unless ($block->{text} // '') =~ /^ERROR:/m;
	is($output, '', "$label: the document shows its output") unless $block->{differs} || $block->{hidden};
	return;
}

# Runs an SQL, shell or Python block.
sub run_block
{
	my ($document, $block, $label) = @_;
	my $code = code_to_run($document, $block);
	my $before = requests($document);
	my ($status, $output) = (0, '');
	local $ENV{PGDATABASE} = $document->{database};

	if ($block->{kind} eq 'sql') { $output = session($document)->run($code); }
	else
	{
		my @command = $block->{kind} eq 'sh' ? ('bash', '-ec') : ('/usr/bin/python3', '-c');
		($status, $output) = Documents::execute($document->{folder}, @command, $code);
		is($status, 0, "$label: exit status") or diag($output);
	}
	is_shown($block, $label, $output);
	if ($block->{calls})
	{
		my ($least, $most) = @{ $block->{calls} };
		my $calls = requests($document) - $before;
		ok($calls >= $least && $calls <= $most, "$label: $least to $most API calls") or diag("$calls API calls");
	}
	return;
}

my %run = (
	sql => \&run_block,
	sh => \&run_block,
	python => \&run_block,
	conf => sub { },
	mermaid => sub { },
	replace => sub { my ($document, $block) = @_; push @{ $document->{replaced} }, $block; },
	database => sub {
		my ($document, $block) = @_;
		$document->{database} = $block->{name};
		$document->{node}->safe_psql('postgres', "CREATE DATABASE $block->{name}")
		  unless $document->{sessions}{ $block->{name} } || $block->{name} eq 'postgres';
		session($document);
	},
	simulator => sub {
		my ($document, $block) = @_;
		my %options = $block->{code} =~ /(\w+)=(\d+)/g;
		my $records = $options{records} || 1001;
		my $api = $document->{api}{ $block->{name} } = Reevo::start(records => $records);
		return unless $options{workspace};
		my $organization = sprintf('00000000-0000-4000-c000-%012d', $options{workspace});
		$api->ctl('attributes', Reevo::id($_), qq({"organization_id": {"value": "$organization", "value_type": "uuid"}}))
		  for 0 .. $records - 1;
	},
	ctl => sub {
		my ($document, $block) = @_;
		for (grep { /\S/ } split(/\n/, $block->{code}))
		{
			my ($command, $arguments) = split(' ', $_, 2);
			$document->{api}{''}->ctl($command, $command eq 'attributes' ? split(' ', $arguments, 2) : $arguments // ());
		}
	});

sub run_document
{
	my ($name) = @_;
	my @blocks = Documents::blocks(Reevo::slurp("$top/$name"));
	return plan(skip_all => 'no blocks') unless grep { $_->{line} && !$_->{not_run} } @blocks;
	my $document = open_document($name, @blocks);
	local @ENV{qw(PGHOST PGPORT)} = ($document->{node}->host, $document->{node}->port);

	for my $block (@blocks)
	{
		my $label = "$name:$block->{line}";
		my $run = $run{ $block->{kind} };
		SKIP:
		{
			skip "$label: $block->{not_run}", 1 if $block->{not_run};
			skip "$label: needs $block->{needs}", 1 if $block->{needs} && !is_possible($block);
			$run ? $run->($document, $block, $label) : fail("$label: a block of '$block->{kind}' is not run");
		}
	}
	close_document($document);
	done_testing();
	return;
}

my @names = @ARGV ? @ARGV : Documents::names();
cmp_ok(scalar @names, '>=', @ARGV ? 1 : 4, 'there are documents');
for my $name (@names)
{
	subtest $name => sub { run_document($name) };
}

done_testing();
