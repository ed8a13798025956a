# SPDX-License-Identifier: PostgreSQL
# The documents of the project, taken apart into their fenced blocks, and the
# blocks run. Knows nothing of what any document says: only of how it says it.
#
#   ```sql      run by psql, a document's blocks in one session after the other
#   ```text     what the block before it shows; ... stands for anything
#   ```sh       commands
#   ```python   a program
#   ```conf     settings of the server, which have to be there before it starts
#
# A block of SQL may begin with a line `-- PostgreSQL 17 or later` or
# `-- with pg_cron`: where that is not so, it is not run, and the text behind it
# not compared.

package Documents;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IPC::Run ();

use Reevo;

our $top = abs_path(dirname(__FILE__) . '/..');

# names(): the documents, as paths below the top folder.
sub names
{
	return ('README.md', map { s{^\Q$top\E/}{}r } sort glob("$top/doc/*.md"));
}

# blocks(TEXT): its fenced blocks in order, each with {kind}, {code}, {line}, the
# {text} that it is to show, where the document has one, and {needs}: a major
# version, an extension or nothing. A ```text after another block is no block of its own.
sub blocks
{
	my ($text) = @_;
	my @blocks;

	while ($text =~ /^```([^\n]*)\n(.*?)^```[^\S\n]*$/msg)
	{
		my ($kind, $code, $start) = ($1, $2, $-[0]);
		my $line = 1 + (substr($text, 0, $start) =~ tr/\n//);

		if ($kind eq 'text' && @blocks && !defined $blocks[-1]{text})
		{
			$blocks[-1]{text} = $code;
			next;
		}
		push @blocks, { kind => $kind, code => $code, line => $line, needs => needs($code) };
	}
	return @blocks;
}

sub needs
{
	my ($code) = @_;
	return $code =~ /\A-- PostgreSQL (\d+) or later/ ? $1 : $code =~ /\A-- with (\w+)/ ? $1 : '';
}

# shows(TEXT, OUTPUT): whether the output is what a document shows. White space
# at the end of a line, which psql has and an editor takes away, does not count, nor
# do the decimals that EXPLAIN has for rows from PostgreSQL 18 on.
sub shows
{
	my ($text, $output) = @_;
	my ($wanted, $got) = map { s/[ \t]+$//mgr =~ s/\n+\z//r =~ s/(?<=actual rows=)(\d+)\.00/$1/gr } ($text, $output);
	my $pattern = join('.*?', map { quotemeta } split(/\.\.\./, $wanted, -1));
	return $got =~ /\A$pattern\z/s;
}

# --- psql, as a reader sees it ---

# session(NODE, DATABASE): a psql that stays open and shows what a user's shows, with
# errors in full but for the place in the source.
sub session
{
	my ($node, $database) = @_;
	my $self = bless { input => '', output => '', number => 0, timer => IPC::Run::timeout($Reevo::TIMEOUT) }, 'Documents';

	$self->{psql} = IPC::Run::start(
		[
			'psql', '-Xq', '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=errors', '-P', 'pager=off', '-d',
			$node->connstr($database)
		],
		'<', \$self->{input}, '>&', \$self->{output}, $self->{timer});
	return $self;
}

# run(SQL): what psql shows.
sub run
{
	my ($self, $sql) = @_;
	my $mark = 'mark ' . ++$self->{number};

	$self->{output} = '';
	$self->{timer}->start($Reevo::TIMEOUT);
	$self->{input} .= "$sql\n\\echo $mark\n";
	$self->{psql}->pump until $self->{output} =~ /^\Q$mark\E\n/m;
	$self->{timer}->reset;
	(my $output = $self->{output}) =~ s/^\Q$mark\E\n//m;
	return $output =~ s/^LOCATION:  .*\n//mgr;
}

sub quit
{
	my ($self) = @_;
	$self->{input} .= "\\q\n";
	$self->{psql}->finish;
	return;
}

# --- Other programs ---

# execute(COMMAND...): its status and what it prints, in an empty folder.
sub execute
{
	my (@command) = @_;
	my $folder = File::Temp::tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	my $output = '';

	IPC::Run::run(\@command, '<', \undef, '>&', \$output, init => sub { chdir $folder or die "$folder: $!" },
		IPC::Run::timeout($Reevo::TIMEOUT));
	return ($? >> 8, $output);
}

1;
