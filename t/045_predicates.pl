# SPDX-License-Identifier: PostgreSQL
# Conditions on functions of a column, as report tools write them, are pushed down as
# a range of the column. They return the same rows as a local copy of the records, in
# any time zone. Few requests are necessary.
#
# REEVO_SEED in the environment chooses other conditions, and REEVO_QUERIES their
# number.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{REEVO_SEED} || 4545;
my $count = $ENV{REEVO_QUERIES} || 2500;
srand($seed);

sub one_of { return $_[ int(rand(@_)) ]; }

sub chance { return rand(100) < $_[0]; }

# --- Records at the edges of days, months, years and time zones ---

# The ends of months and years, leap days, and midnights in the tested time zones.
# Changes to and from daylight saving time, and of the date line (Juneau 1867, Manila
# 1844, Apia 2011). The first and the last year that the API can express.
my @edges = (
	'0001-01-01T00:00:00', '0001-01-02T09:30:00', '9999-12-31T23:59:59.999999', '9999-12-30T12:00:00', '1844-12-31T07:56:00',
	'1867-10-18T08:57:41', '1867-10-18T09:00:00', '1900-12-31T23:59:59.999999', '1901-01-01T00:00:00', '1969-12-31T23:59:59.5',
	'1999-12-31T23:59:59.999999', '2000-01-01T00:00:00', '2000-12-31T12:00:00', '2001-01-01T00:00:00.000001', '2009-12-31T20:00:00',
	'2011-12-29T23:59:59.5', '2011-12-30T09:59:59.999999', '2011-12-30T10:00:00', '2011-12-31T09:00:00', '2022-12-31T23:59:59.999999',
	'2023-01-01T00:00:00', '2023-01-31T23:00:00', '2023-02-28T23:59:59.999999', '2023-03-01T00:00:00', '2023-03-26T00:59:59.9',
	'2023-03-26T01:00:00', '2023-03-31T10:00:00', '2023-05-31T18:15:00', '2023-05-31T21:59:59.999999', '2023-05-31T22:00:00',
	'2023-06-01T02:29:59.999999', '2023-06-01T02:30:00', '2023-06-01T12:00:00.4', '2023-06-30T23:59:59.6', '2023-10-29T00:30:00',
	'2023-10-29T01:30:00', '2023-10-29T22:30:00', '2023-10-31T22:30:00', '2023-11-05T04:30:00', '2023-11-05T05:30:00', '2023-11-06T03:00:00', '2023-12-31T10:00:00', '2023-12-31T23:00:00',
	'2024-01-30T22:00:00', '2024-01-31T01:00:00', '2024-02-28T23:30:00', '2024-02-29T00:00:00', '2024-02-29T23:59:59.999999',
	'2024-03-01T00:00:00', '2024-03-30T12:00:00', '2024-04-30T23:59:59.95', '2024-06-05T00:00:00.000001', '2024-12-31T14:00:00');
my @records;
for my $edge (@edges)
{
	push @records, { created => "${edge}Z" };
}
push @records, { created => sprintf('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', one_of(2010 .. 2025), 1 + rand(12), 1 + rand(28), rand(24), rand(60), rand(60), rand(1e6)) } for 1 .. 67;
for my $number (0 .. $#records)
{
	my $record = $records[$number];
	$record->{id} = sprintf('00000000-0000-4000-8000-%012d', 5000 + $number);
	$record->{closed} = $number % 5 ? $records[ ($number * 7) % @records ]{created} : undef;
	$record->{day} = $number % 4 ? substr($records[ ($number * 11) % @records ]{created}, 0, 10) : undef;
	$record->{amount} = $number % 6 ? one_of('0', '0.1', '1.005', '1.015', '-2.5', '2.5', '100', '123456789.125', '9007199254740993', '1e18', '0.30000000000000004', '33.335', '50', '149.999999') : undef;
	$record->{whole} = $number % 3 ? one_of(-5 .. 5, 9007199254740993, 4e9, 2023) : undef;
	$record->{short} = one_of('abc', 'abcde', 'abcde  ', 'ab', 'ab  x', 'bcde', 'cde');
	$record->{long} = one_of(map { ('x' x 58) . $_ } "", "yyyyyy", "yyyyyz", "yyyy", "\xc3\xa4\xc3\xa4", "\xc3\xa4\xc3\xa4y", "y\xc3\xa4\xc3\xa4");
}

my $api = Reevo::start(records => 1);
my $node = Reevo::cluster('predicates', "max_parallel_workers_per_gather = 0\njit = off\nlog_statement = none");
Reevo::set_up($node, $api->url);
my $session = Reevo::Session->new($node);

sub envelope
{
	my ($name, $type, $json) = @_;
	return defined $json ? qq("$name": {"value": $json, "value_type": "$type"}) : qq("$name": null);
}

sub in_quotes { my ($text) = @_; return defined $text ? qq("$text") : undef; }

$api->ctl('delete', $Reevo::EXAMPLE);
for my $record (@records)
{
	$api->ctl('attributes', $record->{id}, '{' . join(', ', envelope('created_at', 'timestamp', in_quotes($record->{created})),
		envelope('closed_at', 'timestamp', in_quotes($record->{closed})), envelope('cf_day', 'date', in_quotes($record->{day})),
		envelope('amount', 'currency', defined $record->{amount} ? qq({"amount": "$record->{amount}"}) : undef), envelope('cf_whole', 'number', $record->{whole}),
		envelope('display_name', 'string', in_quotes($record->{short})), envelope('next_step_details', 'long_text', in_quotes($record->{long}))) . '}');
}

my $range = "filter_operators 'gt,gte,lt,lte,between,exists'";
my $result = $session->query(qq(
	SET client_min_messages = error;
	CREATE SCHEMA far;
	CREATE SCHEMA near;
	CREATE FOREIGN TABLE far.o (id uuid, created_at timestamptz, closed_at timestamptz, at_local timestamp OPTIONS (attribute 'created_at'),
		at_day date OPTIONS (attribute 'created_at'), at_second timestamptz(0) OPTIONS (attribute 'closed_at'), at_tenth timestamp(1) OPTIONS (attribute 'closed_at'),
		day date OPTIONS (attribute 'cf_day', $range), amount numeric, cents numeric(60,2) OPTIONS (attribute 'amount'),
		hundreds numeric(60,-2) OPTIONS (attribute 'amount'), about float8 OPTIONS (attribute 'amount'), whole bigint OPTIONS (attribute 'cf_whole', $range),
		part numeric OPTIONS (attribute 'cf_whole', $range), short varchar(5) OPTIONS (attribute 'display_name'), free varchar OPTIONS (attribute 'display_name'),
		long name OPTIONS (attribute 'next_step_details')) SERVER reevo OPTIONS (page_size '1000', max_concurrency '1');
	CREATE TABLE near.o AS SELECT * FROM far.o;
	ANALYZE near.o;
	SELECT count(*), count(at_second), count(day), count(cents), count(whole), count(DISTINCT long) > 4 FROM near.o;
	RESET client_min_messages;

	-- Returns the ids of a condition's rows, or an error's SQLSTATE.
	CREATE FUNCTION found(side text, condition text) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		ids text;
	BEGIN
		EXECUTE format('SELECT string_agg(right(id::text, 3), '','' ORDER BY id) FROM %s.o WHERE %s', side, condition) INTO ids;
		RETURN coalesce(ids, '');
	EXCEPTION WHEN OTHERS THEN
		RETURN 'error ' || SQLSTATE;
	END \$\$;

	-- Returns a line for each condition: the number of rows, whether a filter is
	-- sent, and the difference. A filter may keep records from raising an error.
	CREATE FUNCTION compare(zones text[], conditions text[]) RETURNS SETOF text LANGUAGE plpgsql AS \$\$
	DECLARE
		plan text := '';
		line text;
		here text;
		there text;
	BEGIN
		FOR i IN 1 .. cardinality(conditions) LOOP
			PERFORM set_config('timezone', zones[i], false);
			here := found('far', conditions[i]);
			there := found('near', conditions[i]);
			plan := '';
			IF here !~ 'error' THEN
				FOR line IN EXECUTE 'EXPLAIN SELECT id FROM far.o WHERE ' || conditions[i] LOOP
					plan := plan || line;
				END LOOP;
			END IF;
			RETURN NEXT CASE WHEN there ~ 'error' THEN -1 ELSE cardinality(string_to_array(there, ',')) END || ' ' || (plan ~ 'Remote Filter|One-Time Filter: false')::text || ' '
				|| CASE WHEN here = there OR (there ~ 'error' AND here !~ 'error') THEN 'same' ELSE here || ' instead of ' || there END;
		END LOOP;
	END \$\$));
is($result->{sqlstate}, '', 'the tables are created') or BAIL_OUT($result->{err});
like($result->{out}, qr/^120\|96\|90\|100\|80\|t$/m, 'the copy has all records');

# --- Generated conditions ---

my @zones = qw(UTC Europe/Berlin America/St_Johns Pacific/Kiritimati Pacific/Apia Asia/Kathmandu);
my @rare_zones = ('America/Juneau', 'Asia/Manila', 'Etc/GMT+12', 'Etc/GMT-14', '+05:30', 'PST8PDT', 'A15:59', 'A-15B+15,J10,J200', 'Antarctica/Troll', 'Africa/Monrovia');
my @wild_zones = ('A+167', 'A-167', 'A+100B-100,J10,J200');

sub zone { return one_of(@zones, @zones, @rare_zones); }

sub field { return one_of(qw(microseconds milliseconds second minute hour day day week month month mon quarter quarter year decade decade century millennium)); }

sub interval
{
	return one_of("1 day", "-1 day", "1 month", "-1 month", "11 months", "1 year 2 months -3 days", "36:00", "-00:00:01", "100 years", "1 week", "-30 days 12:00", "13 mons", "2400 mons", "0");
}

my %columns = (
	timestamptz => [ 'created_at', 'created_at', 'created_at', 'closed_at', 'at_second' ],
	timestamp => [ 'at_local', 'at_tenth' ],
	date => [ 'at_day', 'day' ],
	numeric => [ 'amount', 'cents', 'hundreds', 'part' ],
	float8 => ['about'],
	bigint => ['whole']);

# Each returns the type and the form of an expression over another one.
my %wraps = (
	timestamptz => [
		sub { return [ 'timestamp', '(%s)::timestamp' ] },
		sub { return [ 'date', one_of('(%s)::date', 'CAST(%s AS date)', 'date(%s)') ] },
		sub { return [ 'timestamp', "(%s AT TIME ZONE '" . zone() . "')" ] },
		sub { return [ 'timestamp', "(%s AT TIME ZONE '" . one_of(zone(), @wild_zones) . "')" ] },
		sub { return [ 'timestamptz', "date_trunc('" . field() . "', %s)" ] },
		sub { return [ 'timestamptz', "date_trunc('" . field() . "', %s, '" . one_of(zone(), zone(), @wild_zones) . "')" ] },
		sub { return [ 'timestamptz', '(%s ' . one_of('+', '-') . " interval '" . interval() . "')" ] },
		sub { return [ 'timestamptz', '(%s)::timestamptz(2)' ] } ],
	timestamp => [
		sub { return [ 'timestamptz', '(%s)::timestamptz' ] },
		sub { return [ 'date', '(%s)::date' ] },
		sub { return [ 'timestamptz', "(%s AT TIME ZONE '" . one_of(zone(), zone(), @wild_zones) . "')" ] },
		sub { return [ 'timestamp', "date_trunc('" . field() . "', %s)" ] },
		sub { return [ 'timestamp', "(%s " . one_of('+', '-') . " interval '" . interval() . "')" ] },
		sub { return [ 'timestamp', '(%s)::timestamp(0)' ] } ],
	date => [
		sub { return [ 'timestamp', '(%s)::timestamp' ] },
		sub { return [ 'timestamptz', '(%s)::timestamptz' ] },
		sub { return [ 'timestamptz', "date_trunc('" . field() . "', %s)" ] },
		sub { return [ 'timestamp', '(%s ' . one_of('+', '-') . " interval '" . interval() . "')" ] },
		sub { return [ 'date', '(%s ' . one_of('+ 3', '- 1', '- -40') . ')' ] } ],
	numeric => [
		sub { return [ 'float8', '(%s)::float8' ] },
		sub { return [ 'bigint', '(%s)::bigint' ] },
		sub { return [ 'numeric', '(%s)::numeric(60,' . one_of(1, 0, -1) . ')' ] } ],
	float8 => [ sub { return [ 'bigint', '(%s)::bigint' ] } ],
	bigint => [ sub { return [ 'numeric', '(%s)::numeric' ] }, sub { return [ 'float8', '(%s)::float8' ] } ]);

# Returns the type and the form of some functions of a column.
sub chain
{
	my ($type, $steps) = @_;
	my $form = '%s';
	for (1 .. $steps)
	{
		my $wrap = one_of(@{ $wraps{$type} })->();
		$form = sprintf($wrap->[1], $form);
		$type = $wrap->[0];
	}
	return ($type, $form);
}

# Returns a time of a record, or one near it, as a constant of a type.
sub some_time
{
	my ($type) = @_;
	return "$type '" . one_of('infinity', '-infinity', '0044-03-15 BC', '12000-01-01') . "'" if chance(3);
	my $text = $records[ rand(@records) ]{created} =~ tr/TZ/ /dr =~ s/^(.{10})/$1 /r;
	return "date '" . substr($text, 0, 10) . "'" if $type eq 'date';
	$text =~ s/\..*// if chance(40);
	$text = substr($text, 0, 11) . one_of('00:00', '22:00', '10:00', '04:30') if chance(15);
	return "$type '$text" . ($type eq 'timestamptz' ? one_of('+00', '+00', '-03:30', '+14') : '') . "'";
}

sub some_number
{
	my ($type) = @_;
	return one_of(-3 .. 5, 9007199254740993, 4000000000, 2023) . ($type eq 'smallint' ? '' : "::$type") if $type eq 'bigint';
	my $number = $records[ rand(@records) ]{amount} // one_of('1.00', '1.01', '1.02', '150', '-3');
	return "'$number'::$type";
}

# Returns a value for comparison with a form of a column: often the form of a
# constant, perhaps cast to another type.
sub value
{
	my ($column_type, $type, $form) = @_;
	if ($column_type =~ /^(timestamp|timestamptz|date)$/)
	{
		my $value = sprintf($form, some_time($column_type));
		$value = "($value)::" . one_of(qw(timestamp timestamptz date)) if chance(20);
		return $value;
	}
	return sprintf($form, some_number($column_type)) if chance(40);
	return some_number(one_of($type, qw(numeric float8 real)));
}

# Returns a condition, and whether it must be pushed down.
sub condition
{
	my $column_type = one_of(qw(timestamptz timestamptz timestamptz timestamptz timestamp date date numeric float8 bigint));
	my $column = one_of(@{ $columns{$column_type} });
	my ($type, $form) = chain($column_type, one_of(0, 1, 1, 1, 2, 2, 3));
	my $is_time = $column_type =~ /^(timestamp|date)/;
	my $left = sprintf($form, $column);
	my $any = sub { return value($column_type, $type, $form); };
	if ($is_time && chance(20))
	{
		my $year = one_of("extract(year FROM %s)", "date_part('year', %s)", "extract(year FROM %s)::int", "extract(years FROM %s)::numeric");
		$left = sprintf($year, $left);
		$any = sub { return one_of(2011, 2023, 2023, 2024, '2022.5', 1, 9999, 1999, 2000, 1867, -1, 20000, "'2023'::float8", "2023::smallint") };
	}
	my $value = $any->();
	return ("($left, id) " . one_of('<', '<=', '>', '>=') . " ($value, '$records[ rand(@records) ]{id}')", 1) if chance(8);
	return ("($value, id) " . one_of('<', '>=') . " ($left, '$records[ rand(@records) ]{id}')", 1) if chance(2);
	return ("$left IN ($value, " . $any->() . ', ' . $any->() . ')', 1) if chance(8) && $value !~ /::real/;
	return ("$left BETWEEN $value AND " . $any->(), 1) if chance(8);
	return ("$left " . one_of('<>', 'IS DISTINCT FROM') . " $value", 0) if chance(2);
	return ("$value " . one_of('<', '<=', '=', '>', '>=') . " $left", 1) if chance(10);
	return ("$left " . one_of('<', '<=', '=', '=', '>', '>=') . " $value", 1);
}

sub text_condition
{
	my $column = one_of(qw(short free long));
	my $text = $records[ rand(@records) ]{ $column eq 'long' ? 'long' : 'short' };
	$text = substr($text, 0, one_of(2, 3, 5, 60)) if chance(50) && $text !~ /[\x80-\xff]/;
	return ("$column = '$text'", 1) if chance(50);
	return ("$column IN ('$text', 'abc')", 1) if chance(30);
	return ("$column LIKE '" . one_of("$text%", "%$text", "%" . substr($text, 1, 2) . '%', $text) . "'", 0);
}

# A day with 25 hours, and sums with such a day. Random conditions rarely find them.
my @always = map { [ 'Europe/Berlin', $_ ] } (
	"date_trunc('day', created_at) = '2023-10-29'", "date_trunc('month', created_at) = '2023-10-01'", "date_trunc('day', created_at, 'Europe/Berlin') <= '2023-10-29'",
	"created_at + interval '1 day' = '2023-10-30 01:30+00'", "created_at - interval '-1 day' <= '2023-10-30 01:30+00'", "date_trunc('month', created_at::timestamp)::date = '2023-10-01'");
my (@conditions, @session_zones, @is_pushed);
for (@always)
{
	push @session_zones, $_->[0];
	push @conditions, $_->[1];
	push @is_pushed, 1;
}
for (@always .. $count - 1)
{
	my ($condition, $is_pushed) = chance(96) ? condition() : text_condition();
	if (chance(8))
	{
		my ($other, $is_other) = condition();
		my $word = one_of('AND', 'OR');
		$condition = "($condition) $word ($other)";
		$is_pushed = $word eq 'AND' ? $is_pushed || $is_other : $is_pushed && $is_other;
	}
	push @conditions, $condition;
	push @is_pushed, $is_pushed;
	push @session_zones, chance(4) ? one_of(@wild_zones) : chance(20) ? zone() : one_of(@zones);
}

sub array { return 'ARRAY[' . join(', ', map { my $text = $_; $text =~ s/'/''/g; "'$text'" } @_) . ']'; }

my $started = time;
my (@wrong, @local, @unexpected);
my ($rows, $errors) = (0, 0);
for (my $from = 0; $from < $count; $from += 100)
{
	my $to = $from + 99 < $count ? $from + 99 : $count - 1;
	$result = $session->query('SELECT compare(' . array(@session_zones[ $from .. $to ]) . ', ' . array(@conditions[ $from .. $to ]) . ')');
	my @lines = split /\n/, $result->{out};
	is(scalar @lines, $to - $from + 1, "conditions $from to $to run") or BAIL_OUT($result->{err});
	for my $line (@lines)
	{
		my ($found, $is_sent, $difference) = $line =~ /^(\S+) (\S+) (.*)$/s;
		my $number = $from++;
		my $name = "$session_zones[$number]: $conditions[$number]";
		$found < 0 ? $errors++ : ($rows += $found);
		push @wrong, "$name: $difference" if $difference ne 'same';
		push @local, $name if $found >= 0 && $is_pushed[$number] && $is_sent ne 'true';
	}
	$from -= 100;
}
is(scalar @wrong, 0, "the rows of $count conditions are the same") or diag(join("\n", "seed $seed", @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]));
is(scalar @local, 0, 'all ranges of columns are pushed down') or diag(join("\n", "seed $seed", @local[ 0 .. ($#local < 9 ? $#local : 9) ]));
cmp_ok($errors, '<', $count / 20, 'most of the conditions are valid');
cmp_ok($rows, '>', $count * 10, 'the conditions find more than 10 rows on average');
note(sprintf('%d conditions, %d rows, %d errors, %d requests, in %.1f s', $count, $rows, $errors, $api->requests, time - $started));

# --- The number of requests ---

# A month of these records is about two pages, and the table 52.
my $large = Reevo::start(records => 5200);
$session->query("SET timezone = 'UTC'; ALTER SERVER reevo OPTIONS (SET base_url '@{[ $large->url ]}', ADD max_concurrency '1')");
$session->query('SELECT opportunity_fdw_disconnect()');

# [requests, condition]
my @forms = (
	[ 2, "CAST(created_at AS timestamp) >= timestamp '2023-06-01' AND CAST(created_at AS timestamp) < timestamp '2023-07-01'" ],
	[ 1, "created_at::timestamp > '2024-12-28'" ],
	[ 2, "created_at AT TIME ZONE 'Europe/Berlin' >= '2023-06-01' AND created_at AT TIME ZONE 'Europe/Berlin' < '2023-07-01'" ],
	[ 1, "CAST(created_at AS date) = date '2023-06-01'" ],
	[ 1, "(created_at AT TIME ZONE 'UTC')::date = '2023-06-01'" ],
	[ 3, "date_trunc('month', created_at) = date_trunc('month', timestamptz '2023-06-15')" ],
	[ 3, "date_trunc('month', created_at AT TIME ZONE 'Europe/Berlin') IN ('2023-06-01')" ],
	[ 1, "date_trunc('day', created_at AT TIME ZONE 'Europe/Berlin')::date = '2023-06-01'" ],
	[ 1, "created_at + interval '1 day' > timestamptz '2024-12-31'" ],
	[ 1, "(created_at, id) < ('2023-06-01', 'ffffffff-0000-4000-8000-000000000000') ORDER BY created_at DESC, id DESC LIMIT 25" ],
	[ 1, "(created_at, id) > ('2024-06-01', '00000000-0000-4000-8000-000000000000') ORDER BY created_at, id LIMIT 25" ],
	[ 1, "created_at::date <= '2023-06-01' ORDER BY created_at DESC LIMIT 25" ]);
for (@forms)
{
	my ($expected, $condition) = @$_;
	my $requests = $large->requests_of(sub { $result = $session->query("SELECT id, created_at FROM opportunity WHERE $condition") });
	is($result->{sqlstate}, '', "the query succeeds: $condition");
	is($requests, $expected, "it needs few requests: $condition");
}

$session->query('ANALYZE opportunity');
# The next pages of a list begin after the last record of the page before.
for my $direction ('DESC', 'ASC')
{
	my ($created, $id) = split /\|/, $session->query("SELECT created_at, id FROM opportunity ORDER BY created_at $direction, id $direction OFFSET 24 LIMIT 1")->{out};
	my $operator = $direction eq 'ASC' ? '>' : '<';
	my $requests = $large->requests_of(sub { $result = $session->query("SELECT id FROM opportunity WHERE (created_at, id) $operator ('$created', '$id') ORDER BY created_at $direction, id $direction LIMIT 25") });
	is(scalar(split /\n/, $result->{out}), 25, "the second page has all rows, $direction");
	is($requests, 1, "the second page needs one request, $direction");
}

$session->quit;
$node->stop('fast');
done_testing();
