# SPDX-License-Identifier: PostgreSQL
# Many parallel sessions read from an API that fails in one of ten requests. Each
# session compares its rows with a local copy. Used by a short test and by a longer
# measurement.

package Load;

use strict;
use warnings;

use File::Temp qw(tempdir);
use IPC::Run ();
use Reevo;
use Time::HiRes qw(sleep time);

my $RECORDS = 1000;

# The faults, in the order of the requests. A stall lasts for request_timeout.
our @FAULTS = (429, 502, 503, 504, 'reset', 'half-body-close', 'cut-json', 'half-body-reset',
	'stall', 'close');

# The transaction of each kind, and its weight
my %SCRIPTS = (
	one => [ 4, "\\set n random(0, $RECORDS + 50)\nSELECT check_records(ARRAY[:n]);\n" ],
	many => [ 2, "\\set n random(0, $RECORDS)\nSELECT check_records(ARRAY(SELECT i FROM generate_series(:n, :n + 30) i));\n" ],
	join => [ 2, "\\set n random(1, 2990)\nSELECT check_visits(:n);\n" ],
	missing => [ 1, "\\set n random(1, 100000)\nSELECT check_records(ARRAY[$RECORDS + :n, -1]);\n" ]);

# A wrong result is an error, and ends the session.
my $FUNCTIONS = q(
	CREATE FUNCTION record_id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
		$$ SELECT CASE WHEN n = 0 THEN '3c90c3cc-0d44-4b50-8888-8dd25736052a'
			WHEN n > 0 THEN '00000000-0000-4000-8000-' || lpad(n::text, 12, '0') END::uuid $$;

	CREATE FUNCTION compare(what text, got text[], expected text[]) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF got IS DISTINCT FROM expected THEN
			RAISE EXCEPTION 'wrong result: %', what USING DETAIL = format('got %s instead of %s', got, expected);
		END IF;
	END $$;

	CREATE FUNCTION check_records(numbers integer[]) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		ids uuid[] := ARRAY(SELECT record_id(n) FROM unnest(numbers) n);
	BEGIN
		PERFORM compare('records ' || numbers::text,
			ARRAY(SELECT o::text FROM opportunity o WHERE id = ANY (ids) ORDER BY id),
			ARRAY(SELECT c::text FROM copy c WHERE id = ANY (ids) ORDER BY id));
	END $$;

	CREATE FUNCTION check_visits(first integer) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM compare('visits from ' || first,
			ARRAY(SELECT (v.number, v.note, o.display_name, o.stage, o.amount, o.competitors_mentioned_other)::text
				FROM visit v LEFT JOIN opportunity o ON o.id = v.opportunity_id
				WHERE v.number BETWEEN first AND first + 9 ORDER BY v.number),
			ARRAY(SELECT (v.number, v.note, c.display_name, c.stage, c.amount, c.competitors_mentioned_other)::text
				FROM visit v LEFT JOIN copy c ON c.id = v.opportunity_id
				WHERE v.number BETWEEN first AND first + 9 ORDER BY v.number));
	END $$;

	CREATE TABLE copy AS SELECT * FROM opportunity
		WHERE id = ANY (ARRAY(SELECT record_id(i) FROM generate_series(0, 1000) i));
	ALTER TABLE copy ADD PRIMARY KEY (id);

	-- Some have no opportunity, and some one that there is not.
	CREATE TABLE visit AS
		SELECT i AS number, 'visit ' || i AS note,
			CASE WHEN i % 11 > 0 THEN record_id(i * 7 % 1040) END AS opportunity_id
		FROM generate_series(1, 3000) i;
	ALTER TABLE visit ADD PRIMARY KEY (number);
	ANALYZE copy; ANALYZE visit;
);

# set_up(API, NODE): creates tables and functions, without faults. With nine
# attempts, a request fails by chance once in a thousand million times.
sub set_up
{
	my ($api, $node) = @_;
	Reevo::set_up($node, $api->url, "request_timeout '1'", "max_retry_wait '1'",
		"max_retries '8'");
	$node->safe_psql('postgres', $FUNCTIONS);
	return;
}

# start_api(): starts a simulator with the records that set_up copies, number 0 to
# 999.
sub start_api { return Reevo::start(records => $RECORDS); }

# run(API, NODE, SESSIONS, SECONDS): runs pgbench. Returns:
# - {status}, {output} and {errors} of pgbench.
# - {transactions}, and their rate in {tps}.
# - {sessions}: the number of sessions at the end.
# - {requests}, and the responses by status in {statuses}.
# - {keeps_freed}: whether a checker keeps freed memory.
# - {samples}: the {memory} of each session in kB, {after} a number of seconds.
sub run
{
	my ($api, $node, $sessions, $seconds) = @_;
	my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);
	my @command = ('pgbench', '-n', '-c', $sessions, '-j', 2, '-T', $seconds);
	for my $name (sort keys %SCRIPTS)
	{
		my ($weight, $text) = @{ $SCRIPTS{$name} };
		open(my $file, '>', "$folder/$name") or die "$folder/$name: $!";
		print $file $text;
		close $file;
		push @command, '-f', "$folder/$name\@$weight";
	}

	$api->reset;
	my $faults = join(', ', map { /^\d+$/ ? $_ : qq("$_") } @FAULTS);
	$api->behave(qq({"fail_every": 10, "fail_how": [$faults]}));
	my %result = (output => '', errors => '', samples => []);
	my $pgbench = IPC::Run::start([ @command, $node->connstr('postgres') . " application_name=pgbench" ],
		'<', \'', '>', \$result{output}, '2>', \$result{errors},
		IPC::Run::timeout($seconds + $Reevo::TIMEOUT));

	# By the last quarter, every session has run all kinds of transactions.
	my $started = time;
	for my $part (0.25, 0.5, 0.75, 0.9)
	{
		while (time - $started < $part * $seconds)
		{
			$pgbench->pump_nb;
			sleep 0.05;
		}
		push @{ $result{samples} }, { after => $part * $seconds, memory => memory($node) };
	}
	$result{keeps_freed} = grep { Reevo::keeps_freed($_) } keys %{ $result{samples}[-1]{memory} };
	$result{sessions} = keys %{ $result{samples}[-1]{memory} };
	$pgbench->finish;
	$result{status} = $pgbench->result(0);
	$result{requests} = $api->requests;
	my ($statuses) = $api->ctl('stats') =~ /"statuses": *\{([^}]*)\}/;
	$result{statuses} = { $statuses =~ /"(\d+)": *(\d+)/g };
	($result{transactions}) = $result{output} =~ /transactions actually processed: (\d+)/;
	($result{tps}) = $result{output} =~ /^tps = ([\d.]+)/m;
	$api->reset;
	return \%result;
}

# memory(NODE): returns the memory of each session of pgbench in kB, by process id.
sub memory
{
	my ($node) = @_;
	my $pids = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'");
	return { map { $_ => Reevo::resident($_) } split(/\n/, $pids) };
}

1;
