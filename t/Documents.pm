# SPDX-License-Identifier: PostgreSQL
# Reads the documents, splits them into blocks, and runs the blocks.
#
# Blocks. The blocks of one document run in order, against a server of their own and a
# simulator of the API:
#
# - ```sql: psql runs it. All blocks of a database share one session.
# - ```text: the output of the block before it. "..." stands for any text.
# - ```sh: bash -e runs it, in a temporary folder of the document.
# - ```python: python3 runs it, in the same folder.
# - ```conf: settings of the server, which apply before it starts.
# - ```mermaid: not run.
#
# A block of another kind needs the marker "not run". A block that prints something
# needs a ```text block, or the marker "output may differ". psql runs with -q and prints
# no command tags. The comparison leaves out the times and buffers of EXPLAIN ANALYZE.
#
# A server without base_url, CREATE SERVER x FOREIGN DATA WRAPPER opportunity_fdw, gets
# the URL of the simulator.
#
# Markers. A marker is an HTML comment at the start of a line. These markers apply to the
# next block, and may also stand between a block and its ```text:
#
# - <!-- output may differ --> checks only that the block succeeds.
# - <!-- numbers may differ --> compares all but numbers and column widths.
# - <!-- API calls: 9 --> counts the requests. "3 to 12" is a range.
# - <!-- needs PostgreSQL 17 --> skips the block on an older server.
# - <!-- needs pg_cron --> skips the block without that extension.
# - <!-- not run: REASON --> skips the block, such as a command that needs root.
#
# These markers apply from their place on:
#
# - <!-- database: sales --> selects the database, and creates it.
# - <!-- simulator: south records=120 workspace=2 --> starts a second simulator, for the
#   server "south".
# - <!-- replace: db.example.com with {host} --> replaces a text before a block runs.
#   {host}, {port}, {user}, {simulator} and {top} have values.
# - <!-- note: TEXT --> has no effect.
#
# Hidden blocks are comments whose first line is sql, sh, python or ctl. A hidden block
# must succeed. Its output is not compared. Each line of ctl is a command of test/ctl.
#
#   <!-- sql
#   CREATE ROLE analyst;
#   -->

package Documents;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();

use Reevo;

our $top = abs_path(dirname(__FILE__) . '/..');

# names(): the documents that are run, as paths below the top folder.
sub names
{
	return ('README.md', map { s{^\Q$top\E/}{}r } (sort glob("$top/doc/*.md")), 'bench/README.md');
}

# --- Reading ---

# blocks(TEXT): the fenced and the hidden blocks, and the markers that change what follows,
# in order. Each has {kind}, {code} and {line}. A block has its markers, too: {text}, {differs},
# {calls}, {needs}, {not_run}, {hidden}.
sub blocks
{
	my ($text) = @_;
	my (@blocks, %marks);

	while ($text =~ /^([ \t]*)(?:```(\w*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$|<!--[ \t]*(.*?)\s*-->)/msg)
	{
		my ($indent, $kind, $code, $comment, $start) = ($1, $2, $3, $4, $-[0]);
		my $line = 1 + (substr($text, 0, $start) =~ tr/\n//);

		if (defined $comment)
		{
			my $found = marker($comment, $line);
			if ($found->{kind}) { push @blocks, { %$found, %marks, line => $line }; %marks = (); }
			else { %marks = (%marks, %$found); }
			next;
		}
		$code =~ s/^\Q$indent\E//mg;
		if ($kind eq 'text' && @blocks && defined $blocks[-1]{line} && !$blocks[-1]{hidden} && !defined $blocks[-1]{text})
		{
			%{ $blocks[-1] } = (%{ $blocks[-1] }, %marks, text => $code);
		}
		else
		{
			push @blocks, { kind => $kind, code => $code, line => $line, needs => '', %marks };
		}
		%marks = ();
	}
	die 'a marker without a block at the end' if %marks;
	return @blocks;
}

# marker(COMMENT, LINE): a reference to what it sets.
sub marker
{
	my ($comment, $line) = @_;

	return { differs => $1 } if $comment =~ /^(output|numbers) may differ$/;
	return { calls => [ $1, $2 // $1 ] } if $comment =~ /^API calls: (\d+)(?: to (\d+))?$/;
	return { needs => $1 } if $comment =~ /^needs (PostgreSQL \d+|\w+)$/;
	return { not_run => $1 } if $comment =~ /^not run: (\S.*)$/s;
	return { kind => $1, name => $2, code => $3 || '' } if $comment =~ /^(database|simulator): (\w+)((?: \w+=\d+)*)$/;
	return { kind => 'replace', name => $1, code => $2 } if $comment =~ /^replace: (\S.*?) with (.*)$/;
	return { kind => $1, code => $2, hidden => 1, needs => '' } if $comment =~ /^(sql|sh|python|ctl)\n(.*)$/s;
	return {} if $comment =~ /^note: /;
	die "line $line: unknown marker: $comment";
}

# shows(BLOCK, OUTPUT): whether the output is the text of the block.
sub shows
{
	my ($block, $output) = @_;
	my ($wanted, $got) = map { comparable($_, $block->{differs} || '') } ($block->{text}, $output);
	my $pattern = join('.*?', map { quotemeta } split(/\.\.\./, $wanted, -1));
	return $got =~ /\A$pattern\z/s;
}

# comparable(TEXT, DIFFERS): without the parts that differ from run to run and from one
# version of PostgreSQL to another.
sub comparable
{
	my ($text, $differs) = @_;

	$text =~ s/[ \t]+$//mg;
	$text =~ s/\n+\z//;
	$text =~ s/^ *Buffers: .*\n//mg;
	$text =~ s/^ *Planning:\n//mg;
	$text =~ s/^ *Disabled: true\n//mg;
	$text =~ s/^ *QUERY PLAN\n-+\n(.*?)^\(\d+ rows?\)$/QUERY PLAN\n-\n$1/msg;
	$text =~ s/\bactual time=[\d.]+ rows=/actual rows=/g;
	$text =~ s/(?<=actual rows=)(\d+\.\d\d)/sprintf('%.0f', $1)/eg;
	$text =~ s/\b\d+\.\d{3} ms/TIME ms/g;
	$text =~ s/^( *Filter: \()([\w.]+) = ([\w.]+)\)$/$1 . join(' = ', sort($2, $3)) . ')'/meg;
	return $text if $differs ne 'numbers';

	# The width of a column follows from its numbers.
	$text =~ s/\d+(\.\d+)?/N/g;
	$text =~ s/[ \t]+/ /g;
	$text =~ s/-+/-/g;
	return $text;
}

# --- psql, as a reader sees it ---

# session(NODE, DATABASE): a psql that stays open.
sub session
{
	my ($node, $database) = @_;
	my $self = bless { input => '', output => '', number => 0, timer => IPC::Run::timeout($Reevo::TIMEOUT) }, 'Documents';

	$self->{psql} = IPC::Run::start([ 'psql', '-Xq', '-P', 'pager=off', '-d', $node->connstr($database) ],
		'<', \$self->{input}, '>&', \$self->{output}, $self->{timer});
	return $self;
}

# run(SQL): returns what psql prints.
sub run
{
	my ($self, $sql) = @_;
	my $mark = 'mark ' . ++$self->{number};

	$self->{output} = '';
	$self->{timer}->start($Reevo::TIMEOUT);
	$self->{input} .= "$sql\n\\echo $mark\n";
	$self->{psql}->pump until $self->{output} =~ /^\Q$mark\E\n/m;
	$self->{timer}->reset;
	return $self->{output} =~ s/^\Q$mark\E\n//mr;
}

sub quit
{
	my ($self) = @_;
	$self->{input} .= "\\q\n";
	$self->{psql}->finish;
	return;
}

# --- Other programs ---

# execute(FOLDER, COMMAND...): runs it there, and returns its status and what it prints.
sub execute
{
	my ($folder, @command) = @_;
	my $output = '';

	IPC::Run::run(\@command, '<', \undef, '>&', \$output, init => sub { chdir $folder or die "$folder: $!" },
		IPC::Run::timeout($Reevo::TIMEOUT));
	return ($? >> 8, $output);
}

1;
