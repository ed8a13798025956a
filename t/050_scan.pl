# SPDX-License-Identifier: PostgreSQL
# Scans of a whole table return the same rows as a local copy of the records, in the
# same order, for generated queries and every variant of the API.
#
# REEVO_SEED in the environment chooses other queries, REEVO_QUERIES the number for
# each variant of the API, and REEVO_VARIANT (a part of one) selects variants.

use strict;
use warnings;

use FindBin;
use JSON::PP qw(decode_json);
use lib $FindBin::RealBin;
use Queries;
use Reevo;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{REEVO_SEED} || 5050;
my $per_variant = $ENV{REEVO_QUERIES} || 88;
my $only = $ENV{REEVO_VARIANT};
my $batch = 44;
my $count = 240;
my $dateless = 10;

my $api = Reevo::start(records => 1);
my $node = Reevo::cluster('scan', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "max_retry_wait '0.02'", "connect_timeout '60'", "request_timeout '60'");
my $session = Reevo::Session->new($node);

$api->ctl('delete', $Reevo::EXAMPLE);
my @records = Queries::records($count, $dateless);
$api->ctl('attributes', @$_) for @records;

# --- Tables ---

# Schemas of foreign tables:
# - far has pages of 30 records.
# - calm sends one request at a time.
# - live excludes archived records.
# - by_one uses GET only, so the copies do not depend on the tested code.
#
# Schemas of copies:
# - whole has all records.
# - near has the records with created_at.
# - near_live has the records of near that are not archived.
# - The suffix _empty stands for empty strings in place of NULL.
my $blind = $session->query(q(
	CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)));
$session->query('CREATE COLLATION blind FROM "C"') if $blind->{sqlstate} ne '';
my %options = (
	far => "page_size '30'",
	calm => "page_size '47', max_concurrency '1'",
	live => "page_size '19', max_concurrency '3', include_archived 'false'",
	by_one => "use_query 'false'");
my $result = $session->query("SET timezone = 'UTC'; CREATE DOMAIN status_name AS text;" . join("\n", map { Queries::foreign_tables($_, 'reevo', $options{$_}) } sort keys %options));
is($result->{sqlstate}, '', 'the foreign tables are created') or BAIL_OUT($result->{err});

# copy(SCHEMA, FROM, CONDITIONS): returns SQL that copies the tables of a schema.
sub copy
{
	my ($side, $from, $where) = @_;
	return "CREATE SCHEMA $side;" . join('', map { "CREATE TABLE $side.$_ AS SELECT * FROM $from.$_" . ($where->{$_} ? " WHERE $where->{$_}" : '') . ";\nANALYZE $side.$_;\n" } sort keys %Queries::TABLES);
}

my $ids = 'ARRAY[' . join(', ', map { "'$_->[0]'" } @records) . ']';
my %known = (o => "id = ANY ($ids\::uuid[])", p => "id = ANY ($ids)");
my $archived = "id::text IN (SELECT id::text FROM near.o WHERE archived_at IS NOT NULL)";
$result = $session->query(
	"SET client_min_messages = error;"
	  . copy('whole', 'by_one', \%known)
	  . copy('near', 'whole', { map { $_ => 'created_at IS NOT NULL' } qw(o p) })
	  . 'RESET client_min_messages;'
	  . copy('near_live', 'near', { map { $_ => "NOT $archived" } qw(o p) })
	  . Queries::local_table('near.o'));
is($result->{sqlstate}, '', 'the copies are filled') or BAIL_OUT($result->{err});
$api->behave('{"empty_strings": true}');
$result = $session->query(
	'SET client_min_messages = error;'
	  . copy('whole_empty', 'by_one', \%known)
	  . copy('near_empty', 'whole_empty', { map { $_ => 'created_at IS NOT NULL' } qw(o p) })
	  . copy('near_live_empty', 'near_empty', { map { $_ => "NOT $archived" } qw(o p) })
	  . 'RESET client_min_messages;');
is($result->{sqlstate}, '', 'the copies with empty strings are filled') or BAIL_OUT($result->{err});
is($session->query("SELECT count(*), count(created_at), count(next_step_details) > (SELECT count(next_step_details) FROM whole.o) FROM whole_empty.o")->{out},
	$count . '|' . ($count - $dateless) . '|t', 'the copies differ in their empty strings only');
$api->behave('{"empty_strings": null}');
is($session->query('SELECT count(*), count(created_at), count(archived_at) > 10 FROM whole.o')->{out}, $count . '|' . ($count - $dateless) . '|t', 'the copy has all records');
$api->ctl('delete', $_->[0]) for @records[ -$dateless .. -1 ];

# --- Running queries ---

$result = $session->query(q(
	-- Returns the rows of a query as texts, sorted unless the query sorts them. For an
	-- error, returns an empty text and the SQLSTATE, message and hint.
	CREATE FUNCTION found(query text, in_order bool, side text) RETURNS text[] LANGUAGE plpgsql AS $$
	DECLARE
		one record;
		found text[] := '{}';
		parts text[] := string_to_array(query, E'\x1f');
		state text;
		message text;
		hint text;
	BEGIN
		PERFORM set_config('search_path', side || ', public', true);
		IF cardinality(parts) > 1 THEN
			EXECUTE parts[1];
		END IF;
		FOR one IN EXECUTE parts[cardinality(parts)] LOOP
			found := found || one::text;
		END LOOP;
		IF cardinality(parts) > 1 THEN
			DEALLOCATE generated;
		END IF;
		IF NOT in_order THEN
			SELECT array_agg(line ORDER BY line COLLATE "C") INTO found FROM unnest(found) line;
		END IF;
		RETURN coalesce(found, '{}');
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
		IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'generated') THEN
			DEALLOCATE generated;
		END IF;
		RETURN ARRAY['', state, message, hint];
	END $$;

	-- Returns some of the rows in the first array that are not in the second.
	CREATE FUNCTION some_of(here text[], there text[]) RETURNS text LANGUAGE sql AS $$
		SELECT coalesce(string_agg(line, ' ; '), 'none') FROM (SELECT unnest(here) EXCEPT ALL SELECT unnest(there) LIMIT 3) l(line) $$;

	-- Returns a line for each query: its number, the kind of result, and details.
	CREATE FUNCTION compare(queries text[], modes text[], settings text[], sides text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		setting text;
		here text[];
		there text[];
		line text;
	BEGIN
		FOR i IN 1 .. cardinality(queries) LOOP
			FOREACH setting IN ARRAY string_to_array(settings[i], ' ') LOOP
				PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
			END LOOP;
			there := found(queries[i], modes[i] = 'list', sides[1]);
			here := found(queries[i], modes[i] = 'list', sides[2]);
			line := CASE
				WHEN here[1] = '' THEN 'illegal ' || array_to_string(here, ' ')
				WHEN there[1] = '' AND there[2] = 'HV000' AND there[4] LIKE '%option "sortable" %"false"%' THEN 'order ' || array_to_string(there, ' ')
				WHEN there[1] = '' THEN 'error ' || array_to_string(there, ' ', '')
				WHEN CASE modes[i] WHEN 'count' THEN cardinality(here) = cardinality(there) ELSE here = there END THEN 'same ' || cardinality(here)
				ELSE format('different: %s rows for %s, missing %s, too many %s', cardinality(there), cardinality(here), some_of(here, there), some_of(there, here)) END;
			RETURN NEXT i || ' ' || replace(line, E'\n', '\n');
			FOREACH setting IN ARRAY string_to_array(settings[i], ' ') LOOP
				EXECUTE 'RESET ' || split_part(setting, '=', 1);
			END LOOP;
		END LOOP;
	END $$;));
is($result->{sqlstate}, '', 'the functions are created') or BAIL_OUT($result->{err});

# Returns an SQL array of texts.
sub array_of { return 'ARRAY[' . join(', ', map { Queries::quoted($_) } @_) . ']'; }

# run(SIDES, ALLOWED, QUERY...): runs the queries in two schemas. Returns the
# numbers {same}, {rows}, {order} and {illegal}, the descriptions of the wrong
# results in {wrong}, and the {warnings}.
sub run
{
	my ($sides, $allowed, @queries) = @_;
	my $result = $session->query('SELECT compare(' . join(', ', map { my $key = $_; array_of(map { $_->{$key} } @queries) } qw(text mode settings))
		  . ', ' . array_of(@$sides) . ')');
	my %sum = (same => 0, rows => 0, order => 0, illegal => 0, wrong => []);
	my @lines = grep { $_ ne '' } split(/\n/, $result->{out});

	push @{ $sum{wrong} }, "no result: $result->{err}" if @lines != @queries;
	for (@lines)
	{
		my ($number, $kind, $how) = /^(\d+) (\w+):? ?(.*)/s;
		my $query = $queries[ $number - 1 ];
		my $fine = $kind eq 'same' || $kind eq 'illegal' || ($kind eq 'error' && $allowed->{errors} && $how =~ $allowed->{errors}) || ($kind eq 'order' && $allowed->{order_errors} && $query->{wants_order});
		$sum{$kind}++;
		$sum{rows} += $how if $kind eq 'same';
		push @{ $sum{wrong} }, "$kind $how\n  SET $query->{settings}; SET search_path = $sides->[0], public; $query->{text}" =~ s/\x1f/; /r unless $fine;
	}
	# Ignore the warnings about values that invalid_value replaces in the column
	# "whole".
	$sum{warnings} = [ grep { !/whole/ } $result->{err} =~ /^WARNING: .*$/mg ];
	return \%sum;
}

sub generated { my ($number, %may) = @_; return map { Queries::generated(%may) } 1 .. $number; }

my %everything = (id_equality => 1, extremes => 1, sorts => 1, text_id => 1);

# --- The comparison finds a wrong row ---

srand($seed);
my %damage = (
	lacking => 'DELETE FROM %1$s.o WHERE id = (SELECT id FROM near.o ORDER BY md5(id::text) LIMIT 1)',
	doubled => 'INSERT INTO %1$s.o SELECT * FROM near.o ORDER BY md5(id::text) LIMIT 1',
	moved => q(UPDATE %1$s.o SET created_at = created_at + interval '1 microsecond' WHERE created_at = (SELECT mode() WITHIN GROUP (ORDER BY created_at) FROM near.o)));
my @queries = generated(4 * $batch, %everything);
my $whole = run([ 'near', 'near' ], {}, @queries);
is(scalar @{ $whole->{wrong} }, 0, 'a copy is the same as itself') or diag(join("\n", @{ $whole->{wrong} }));
cmp_ok($whole->{illegal}, '<=', @queries / 20, 'most of the queries are valid SQL');
cmp_ok($whole->{rows}, '>', @queries * 4, 'the queries return more than 4 rows on average');
for my $side (sort keys %damage)
{
	$session->query(copy($side, 'near', {}) . sprintf($damage{$side}, $side));
	my $found = run([ $side, 'near' ], {}, @queries);
	cmp_ok(scalar @{ $found->{wrong} }, '>=', 4, "the comparison finds a $side row");
	note("$side: " . @{ $found->{wrong} } . ' of ' . @queries);
}

# --- The API's variants ---

my @sorts_wrong = (may => { %everything, extremes => 0, sorts => 0 }, order_errors => 1);
my @refuses = (warnings => 1);
my $reported = qr/^ ?HV000 API reported an error/;
my @variants = (
	['{}'],
	[ '{}', sides => [ 'calm', 'near' ] ],
	[ '{}', sides => [ 'live', 'near_live' ] ],
	['{"case_insensitive": true}'],
	['{"wildcards": true}'],
	['{"wildcards": true, "case_insensitive": true, "null_logic": "two_valued"}'],
	['{"null_logic": "two_valued"}'],
	['{"trim_text": true, "empty_is_null": true}'],
	['{"normalize_text": "NFC"}'],
	['{"normalize_text": "NFKD", "case_insensitive": true, "trim_text": true}'],
	['{"bounds_exclusive": true}'],
	['{"truncate_times": "filter"}'],
	[ '{"truncate_times": true}', @sorts_wrong ],
	[ '{"numbers_as_doubles": true}', @sorts_wrong ],
	['{"least_limit": 12}'],
	[ '{"refuse_values": ["status", "amount.gte", "created_at.lte"]}', @refuses ],
	['{"between_exclusive": true}'],
	['{"nulls_first": true}'],
	[ '{"nulls_first": true, "sort_casefold": true}', sides => [ 'calm', 'near' ] ],
	['{"sort_casefold": true}'],
	[ '{"refuse_operators": ["eq", "in"]}', @refuses ],
	[ '{"refuse_operators": ["gt", "gte", "lt", "lte"], "refuse_status": 422}', @refuses ],
	[ '{"refuse_operators": ["exists", "not_exists", "ne"]}', @refuses ],
	[ '{"refuse_operators": ["created_at.gte", "status.eq", "display_name.starts_with", "amount.lte"]}', @refuses ],
	[ '{"refuse_fields": ["created_at", "status", "account_id"]}', @refuses ],
	[ '{"refuse_fields": ["amount", "updated_at", "display_name", "kickoff"], "refuse_status": 422}', @refuses ],
	[ '{"refuse_sort": true}', @refuses ],
	[ '{"refuse_sort": ["created_at", "amount"], "refuse_status": 422}', @refuses ],
	[ '{"refuse_sort": true, "refuse_operators": ["gte", "lte", "in", "exists"]}', @refuses ],
	[ '{"max_filter_depth": 0}', @refuses ],
	[ '{"in_limit": 2}', @refuses ],
	['{"clamp_limit": 7}'],
	['{"refuse_limit": 15}'],
	[ '{"refuse_limit": 6, "refuse_status": 422, "refuse_sort": true}', @refuses, sides => [ 'calm', 'near' ] ],
	[ '{"cursor_under": "meta"}', sides => [ 'calm', 'near' ] ],
	['{"cursor_under": "pagination", "omit_null_cursor": true, "short_pages": true}'],
	['{"short_pages": 9, "empty_pages_with_cursor": true}'],
	[ '{"empty_pages_with_cursor": true, "omit_null_cursor": true}', sides => [ 'calm', 'near' ] ],
	[ '{"ignore_filters": true}', order_errors => 1 ],
	[ '{"ignore_sort": true}', @sorts_wrong ],
	[ '{"ignore_sort": true, "ignore_filters": true}', @sorts_wrong, sides => [ 'calm', 'near' ] ],
	['{"move_between_pages": true}'],
	[ '{"move_between_pages": true, "double_records": true}', sides => [ 'calm', 'near' ] ],
	['{"double_records": true}'],
	[ '{"stray_record": true}', order_errors => 1 ],
	[ '{"expire_cursors_after": 2, "expire_cursors_times": 3}', batch => 2 ],
	[ '{"expire_cursors_after": 1, "expire_cursors_times": 2, "short_pages": true}', sides => [ 'calm', 'near' ], batch => 2 ],
	[ '{"upper_case_ids": true}', may => { %everything, text_id => 0 } ],
	[ '{"archived_hidden_from_query": true}', sides => [ 'far', 'near_live' ], may => { %everything, id_equality => 0 } ],
	['{"result_cap": 60, "total": true}'],
	[ '{"result_cap": 60, "total": true}', sides => [ 'calm', 'near' ] ],
	['{"result_cap": 60, "cap_how": "refuse"}'],
	[ '{"result_cap": 60, "cap_how": "refuse", "cap_status": 422}', sides => [ 'calm', 'near' ] ],
	[ '{"result_cap": 60, "cap_how": "invalid_cursor"}', sides => [ 'calm', 'near' ] ],
	[ '{"result_cap": 60, "has_more": true, "cursor_under": "meta"}', sides => [ 'live', 'near_live' ] ],
	[ '{"result_cap": 20, "total": true}', errors => qr/^ ?HV000 API returns at most \d+ records per query/ ],
	[ '{"result_cap": 30, "cap_how": "invalid_cursor", "total": true}' ],
	[ '{"result_cap": 100, "cap_how": "refuse", "cap_status": 413}' ],
	[ '{"result_cap": 47, "has_more": true, "nulls_first": true}', sides => [ 'calm', 'near' ] ],
	['{"total": true, "total_lies": 1000}'],
	[ '{"has_more": true, "total": true, "total_lies": -100, "cursor_under": "pagination"}' ],
	['{"fail_every": 5, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "internal_error"}}}'],
	[ '{"fail_every": 7, "fail_how": "error-body", "error_bodies": [{"data": [], "errors": [{"status": "503"}]}, {"error": "timeout"}, {"data": [], "status": 502, "success": false}]}', sides => [ 'calm', 'near' ] ],
	[ '{"fail_every": 9, "fail_how": "error-body", "error_body": {"data": [], "errors": [{"message": "Index is rebuilding"}]}}', errors => $reported ],
	[ '{"fail_every": 10, "fail_how": "error-body", "error_bodies": [{"data": [], "error": {"message": "Index is rebuilding"}}, {"data": [], "success": false, "message": "Index is rebuilding"}, {"error": {"code": "internal_error"}}]}', sides => [ 'calm', 'near' ], errors => $reported ],
	[ '{"fail_every": 8, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "rate_limited"}}, "headers": {"Retry-After": "0"}}', parts => 1, batch => 22 ],
	['{"fail_every": 6, "fail_status": 520}'],
	[ '{"quota_requests": 60, "quota_seconds": 1}', wait => 10, parts => 1, batch => 22 ],
	[ '{"quota_requests": 40, "quota_seconds": 1, "quota_header": "X-RateLimit-Reset"}', wait => 10, parts => 1, batch => 22 ],
	[ '{"quota_requests": 60, "quota_seconds": 2, "quota_header": "RateLimit"}', wait => 10, parts => 1, batch => 22, sides => [ 'calm', 'near' ] ],
	[ '{"empty_strings": true}', sides => [ 'far', 'near_empty' ] ],
	[ '{"empty_strings": true, "empty_is_null": true}', sides => [ 'calm', 'near_empty' ] ],
	[ '{"empty_strings": true, "short_pages": true}', sides => [ 'live', 'near_live_empty' ] ],
	['{"empty_last_cursor": true}'],
	[ '{"empty_last_cursor": true, "short_pages": true}', sides => [ 'calm', 'near' ] ],
	['{"no_content_when_empty": true, "empty_pages_with_cursor": true}'],
	['{"not_found_form": "kong"}'],
	['{"not_found_form": "aws"}'],
	[ '{"not_found_form": "express"}', sides => [ 'calm', 'near' ] ],
	['{"not_found_form": "gone"}'],
	[ '{"not_found_form": "empty"}', sides => [ 'live', 'near_live' ] ],
	['{"fail_every": 9, "fail_status": 503, "jitter": 2}'],
	['{"fail_every": 8, "fail_how": ["cut-json", "reset", "half-body-close"], "cut_at": 700}']);

# The same with records without created_at. Then the order by created_at is
# undefined, and the other results are not.
my @without_dates = (
	['{}'],
	[ '{}', sides => [ 'calm', 'whole' ] ],
	['{"nulls_first": true}'],
	['{"null_logic": "two_valued", "short_pages": true}'],
	[ '{"refuse_operators": ["not_exists", "created_at.gte"]}', @refuses ],
	['{"move_between_pages": true, "double_records": true, "empty_pages_with_cursor": true}'],
	[ '{"expire_cursors_after": 2, "expire_cursors_times": 3}', batch => 2 ],
	['{"ignore_filters": true}']);
push @variants, map { [ 'sides', [ 'far', 'whole' ], @sorts_wrong, @$_ ] } map { [ variant => @$_ ] } @without_dates;

# Cases that are rare in generated queries: a combining accent follows the searched
# text, or is its first character; a list is too long for one filter.
my $accounts = "ARRAY(SELECT ('00000000-0000-4000-9000-' || lpad((g * 67 % 201)::text, 12, '0'))::uuid FROM generate_series(0, 200) g)";
my $names = "ARRAY(SELECT 'other ' || g FROM generate_series(1, 120) g) || '{Acme,acme,zz}'::text[] || ARRAY(SELECT 'more ' || g FROM generate_series(1, 120) g) || '{ab,ACME ROLLOUT,open}'::text[]";
my @always = map { { text => "SELECT id FROM o WHERE $_", mode => 'set', settings => 'work_mem=4MB', wants_order => 0 } } (
	"display_name LIKE 'Cafe%'", "display_name LIKE '%e%'", "display_name LIKE '%Cafe%'", "starts_with(display_name, 'Cafe')",
	"display_name LIKE '%\xcc\x81'", "display_name LIKE '%\xcc\x81%'", "display_name LIKE '%e\xcc\x81'", "display_name LIKE 'Caf\xc3\xa9%'",
	"display_name = 'Cafe\xcc\x81'", "display_name IN ('Caf\xc3\xa9', 'stra\xc3\x9fe')", "display_name LIKE 's%'", "display_name LIKE 'st%'", "display_name LIKE '%i%'",
	"account_id = ANY ($accounts)", "account_id = ANY ($accounts) AND status = 'open'", "display_name = ANY ($names)");

# behave(VARIANT, VARIANT BEFORE): sets the behaviour, and restores the defaults of
# the one before. A reset would also remove the records.
sub behave
{
	my ($variant, $before) = @_;
	my $now = decode_json($variant);
	my $undo = join(', ', map { exists $now->{$_} ? () : qq("$_": null) } sort keys %{ decode_json($before) });
	$api->behave("{$undo}") if $undo ne '';
	$api->behave($variant);
	return;
}

sub max_retry_wait { $session->query("ALTER SERVER reevo OPTIONS (SET max_retry_wait '$_[0]')"); return; }

my ($total, $rows, $orders, $illegal) = (0, 0, 0, 0);
my ($started, $before, $is_whole) = (time, '{}', 0);
for (@variants)
{
	my %of = (@$_ % 2 ? (variant => @$_) : @$_);
	my $variant = $of{variant};
	next if $only && index($variant, $only) < 0;
	my $sides = $of{sides} || [ 'far', 'near' ];
	if ($sides->[1] eq 'whole' && !$is_whole++)
	{
		$api->ctl('attributes', @$_) for @records[ -$dateless .. -1 ];
	}
	my (@wrong, @warnings);
	my $start = time;

	# The queries of a variant do not depend on the other variants.
	srand($seed + $per_variant * length($variant . "@$sides"));
	my $at_once = $of{batch} || $batch;
	my $parts = $of{parts} || int($per_variant / $at_once);
	max_retry_wait($of{wait}) if $of{wait};
	for my $part (1 .. $parts)
	{
		behave($variant, $before);
		$before = $variant;
		$session->query('SELECT opportunity_fdw_disconnect()');
		my $sum = run($sides, \%of, generated($at_once, %{ $of{may} || \%everything }), $part == 1 ? @always : ());
		BAIL_OUT("the server connection is lost: $variant") if !$session->{psql}->pumpable;
		$total += $at_once;
		$rows += $sum->{rows};
		$orders += $sum->{order};
		$illegal += $sum->{illegal};
		push @wrong, @{ $sum->{wrong} };
		push @warnings, @{ $sum->{warnings} };
	}
	max_retry_wait('0.02') if $of{wait};
	is(scalar @wrong, 0, 'the rows of ' . $parts * $at_once . " queries are the same: $variant, @$sides")
	  or diag(join("\n", "seed $seed", @wrong[ 0 .. ($#wrong < 4 ? $#wrong : 4) ]));
	@warnings = grep { !/API rejected (?:a filter on|a query of a parallel scan on) record type / } @warnings if $of{warnings};
	is(scalar @warnings, 0, "no unexpected warning: $variant, @$sides") or diag(join("
", @warnings[ 0 .. ($#warnings < 4 ? $#warnings : 4) ]));
	note(sprintf('%.1f s', time - $start));
}
note(sprintf('%d queries, %d rows, %d errors about the order, %d illegal, %d requests, in %.0f s', $total, $rows, $orders, $illegal, $api->requests, time - $started));
cmp_ok($illegal, '<=', $total / 20, 'most of the queries are valid SQL');
cmp_ok($rows, '>', $total * 4, 'the queries return more than 4 rows on average');
$session->quit;
$node->stop('fast');

done_testing();
