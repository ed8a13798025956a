# SPDX-License-Identifier: PostgreSQL
# Databases with other encodings than the API's UTF-8: a text that fits is converted
# in every JSON notation. A text that does not fit is an error of PostgreSQL.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start(records => 10);
my $node = Reevo::cluster('encodings');

# A text that fits each encoding, and one that does not
my %encoding = (
	UTF8 => { fits => 'Zürich 日本 🚀', perl => 'UTF-8' },
	LATIN1 => { fits => 'Zürich ñ ÿ', misfits => 'a日b', perl => 'iso-8859-1' },
	WIN1252 => { fits => 'Zürich € – „ja“', misfits => 'a日b', perl => 'cp1252' },
	EUC_JP => { fits => '日本語 ｶﾅ', misfits => 'a€b', perl => 'euc-jp' },
	KOI8R => { fits => 'Привет', misfits => 'aüb', perl => 'koi8-r' },
	# Accepts any bytes, and receives the API's bytes.
	SQL_ASCII => { fits => 'Zürich 日本 🚀', perl => 'UTF-8' });

# Return a JSON string with non-ASCII characters as UTF-8, as \u escapes, or
# alternating.
sub raw { return join('', '"', map { json_character($_) } split(//, $_[0])) . '"'; }

sub escaped { return '"' . join('', map { ord > 126 ? escape($_) : json_character($_) } split(//, $_[0])) . '"'; }

sub mixed
{
	my $number = 0;
	return '"' . join('', map { ord > 126 && $number++ % 2 ? escape($_) : json_character($_) } split(//, $_[0])) . '"';
}

sub json_character { my ($c) = @_; return $c =~ /["\\]/ ? "\\$c" : $c; }

sub escape
{
	return join('', map { sprintf '\\u%04x', $_ } unpack('n*', encode('UTF-16BE', $_[0])));
}

# Sets the attributes of the API's only record, given as JSON.
sub serve
{
	my (%attributes) = @_;
	my $attributes = join(', ', map { raw($_) . ": $attributes{$_}" } sort keys %attributes);
	$api->ctl('body', $id, encode('UTF-8', qq({"data": {"id": "$id", "attributes": {$attributes}}})));
	return;
}

sub envelope { my ($value, $type) = @_; $type ||= 'string'; return qq({"value": $value, "value_type": "$type"}); }

for my $encoding (sort keys %encoding)
{
	my $database = lc "in_$encoding";
	my $fits = $encoding{$encoding}{fits};
	my $bytes = encode($encoding{$encoding}{perl}, $fits);
	my $has_umlaut = $encoding =~ /^(UTF8|LATIN1|WIN1252|SQL_ASCII)$/;

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	# With the database's encoding, the client receives its exact bytes.
	my $session = Reevo::Session->new($node, dbname => $database, client_encoding => $encoding);
	$session->query(Reevo::set_up_sql($api->url, "max_retries '0'"));
	$session->query(q(CREATE FOREIGN TABLE t (id uuid, display_name text, short varchar(15) OPTIONS (attribute 'display_name'),
		whole jsonb OPTIONS (attribute '*'), value jsonb OPTIONS (attribute 'display_name'), value_json json OPTIONS (attribute 'display_name'),
		stage text, colour text OPTIONS (attribute 'stage.color'), structure jsonb OPTIONS (attribute 'stage'),
		tags text[], tags_json jsonb OPTIONS (attribute 'tags'), number numeric) SERVER reevo));
	is($session->query("SHOW server_encoding; SHOW client_encoding")->{out}, "$encoding\n$encoding", "$encoding: server and client use the encoding");

	my $read = sub { return $session->query("SELECT $_[0] FROM t WHERE id = '$id'"); };

	# The wrapper parses an error again after the record parser has read the
	# response.
	$api->behave('{"status": 200, "body": {"error": {"code": "unauthorized", "message": ' . escaped($fits) . '}}}');
	is($read->('display_name')->{sqlstate}, '28000', "$encoding: an error in a 200 response is reported");
	$api->reset;

	my %spelling = (raw => \&raw, escaped => \&escaped, mixed => \&mixed);
	for my $how (sort keys %spelling)
	{
		my $value = $spelling{$how}->($fits);
		serve(
			display_name => envelope($value),
			stage => envelope(qq({"id": "$id", "display_value": $value, "color": $value, $value: $value}), 'select'),
			tags => '[' . join(', ', envelope($value), envelope('null'), envelope($value)) . ']');
		is($read->('display_name')->{out}, $bytes, "$encoding, $how: text is converted");
		is($read->('short')->{out}, $bytes, "$encoding, $how: varchar(15) counts characters") if $encoding ne 'SQL_ASCII';
		is($read->('stage')->{out}, $bytes, "$encoding, $how: a display value is converted");
		is($read->('colour')->{out}, $bytes, "$encoding, $how: a key of a value is converted");
		is($read->('tags[1], tags[3]')->{out}, "$bytes|$bytes", "$encoding, $how: an array is converted");
		is($read->("whole #>> '{attributes,display_name,value}'")->{out}, $bytes, "$encoding, $how: jsonb of the whole record is converted");
		is($read->("value #>> '{}'")->{out}, $bytes, "$encoding, $how: jsonb of a text is converted");
		is($read->("value_json #>> '{}'")->{out}, $bytes, "$encoding, $how: json of a text is converted");
		is($read->("tags_json ->> 2")->{out}, $bytes, "$encoding, $how: jsonb of a list is converted");
		is($read->(sprintf("structure ->> '%s'", $bytes))->{out}, $bytes, "$encoding, $how: a key in jsonb is converted");
		is($session->query("SELECT count(*) FROM t WHERE id = '$id' AND display_name = '$bytes'")->{out}, '1', "$encoding, $how: a condition compares converted texts");
	}

	# The backslash of \\u00e9 is a character, not the start of an escape.
	serve(display_name => envelope('"\\\\u00e9 \\\\\\\\u65e5 \\" \\/ \\t"'));
	is($read->('display_name')->{out}, "\\u00e9 \\\\u65e5 \" / \t", "$encoding: text keeps backslashes");
	is($read->("value #>> '{}'")->{out}, "\\u00e9 \\\\u65e5 \" / \t", "$encoding: jsonb keeps backslashes");

	# Characters that the encoding does not have, and the columns that fail
	my %bad = $encoding{$encoding}{misfits} ? (plain => $encoding{$encoding}{misfits}, astral => 'a🚀b') : ();
	for my $kind (sort keys %bad)
	{
		for my $how (sort keys %spelling)
		{
			my $value = $spelling{$how}->($bad{$kind});
			serve(display_name => envelope($value), tags => '[' . envelope($value) . ']', number => envelope('"1.5"', 'number'),
				stage => envelope(qq({"id": "$id", "display_value": "x", "color": $value}), 'select'));
			for my $column (qw(display_name short whole value value_json tags tags_json colour structure))
			{
				my $result = $read->($column);
				is($result->{sqlstate}, '22P05', "$encoding, $kind, $how: $column does not fit") or diag($result->{err});
				like($result->{message}, qr/has no equivalent in encoding "$encoding"/, "$encoding: the message is PostgreSQL's")
				  if $column eq 'display_name';
				like($result->{context}, qr/column "display_name" of foreign table "t", attribute "display_name", record $id/,
					"$encoding: the context names column and record")
				  if $column eq 'display_name';
			}
			is($read->('number, stage')->{out}, '1.5|x', "$encoding, $kind, $how: other columns can be read");
		}
	}
	for my $nul ('"a\\u0000b"', '"\\u0000"')
	{
		serve(display_name => envelope($nul));
		my $result = $read->('display_name');
		is($result->{sqlstate}, '22P05', "$encoding: \\u0000 is an error") or diag($result->{err});
	}
	for my $half ('"\\ud83d"', '"\\ude80 "', '"\\ud83d\\u0041"', '"\\ud83dx"', '"\\ude80\\ud83d"')
	{
		serve(display_name => envelope($half));
		my $result = $read->('display_name');
		is($result->{sqlstate}, '22P05', "$encoding: an unpaired surrogate is an error: $half") or diag($result->{err});
		is($read->('number')->{sqlstate}, '', "$encoding: it is harmless in a column that is not read: $half");
	}

	# Attribute names with non-ASCII characters
	if ($has_umlaut)
	{
		my $encode = sub { return encode($encoding{$encoding}{perl}, $_[0]); };
		serve('größe' => envelope(raw('groß')), 'maß' => envelope(qq({"id": "$id", "display_value": "x", "größe": "drin"}), 'select'),
			'gr' => envelope('"wrong"'), 'grö' => envelope('"wrong"'));
		$session->query($encode->(q(CREATE FOREIGN TABLE names (id uuid, "größe" text, other text OPTIONS (attribute 'größe'),
			part text OPTIONS (attribute 'maß.größe')) SERVER reevo)));
		my $result = $session->query("SELECT * FROM names WHERE id = '$id'");
		is($result->{out}, $encode->("$id|groß|groß|drin"), "$encoding: attribute names can be non-ASCII") or diag($result->{err});
		$api->ctl('body', $id, encode('UTF-8', qq({"data": {"id": "$id", "attributes": {"gr\\u00f6\\u00dfe": {"value": "ok"}}}})));
		is($session->query("SELECT other FROM names WHERE id = '$id'")->{out}, 'ok', "$encoding: attribute names can have escapes");
		serve('größe' => '7');
		my $failed = $session->query("SELECT other FROM names WHERE id = '$id'");
		is($failed->{sqlstate}, '08P01', "$encoding: an attribute without envelope is an error");
		like($failed->{message}, qr/\Q@{[ $encode->('größe') ]}\E/, "$encoding: the message contains the name");
		serve('größe' => envelope('{}'));
		$failed = $session->query("SELECT other FROM names WHERE id = '$id'");
		like($failed->{context}, qr/\Q@{[ $encode->('größe') ]}\E/, "$encoding: the context contains the name");
	}
	$api->reset;

	# The wrapper pushes down a condition in UTF-8 if each character converts to one
	# character.
	my $is_sent = $encoding ne 'EUC_JP';
	$api->ctl('attributes', Reevo::id($_), '{"display_name": ' . envelope('"plain"') . '}') for 1 .. 9;
	$api->ctl('attributes', $id, '{"display_name": ' . encode('UTF-8', envelope(raw($fits))) . '}');
	is($session->query("SELECT display_name FROM t WHERE display_name = '$bytes'")->{out}, $bytes, "$encoding: a condition on a text finds the record");
	my $filter = encode('UTF-8', raw($fits)) =~ s/"/\\"/gr;
	is($api->ctl('stats') =~ /\Q\"operator\": \"eq\", \"value\": $filter}\E/ ? 1 : 0, $is_sent ? 1 : 0, "$encoding: " . ($is_sent ? 'the condition is pushed down' : 'PostgreSQL alone checks the condition'));
	if ($encoding eq 'WIN1252')
	{
		my $result = $session->query("SELECT count(*) FROM t WHERE display_name = E'\\x81'");
		is($result->{out}, '0', "$encoding: a condition can contain an undefined byte") or diag($result->{err});
		like($api->ctl('stats'), qr/"operators":\{"eq":1\}/, "$encoding: a condition with an undefined byte is not pushed down");
	}
	$api->reset;

	# The API's error message, in every encoding
	$api->behave(encode('UTF-8', '{"status": 400, "body": {"error": {"code": "fehler", "message": "Schlüssel 日本 🚀 fehlt"}}}'));
	my $refused = $read->('id');
	is($refused->{sqlstate}, 'HV000', "$encoding: a non-ASCII error message is reported");
	like($refused->{detail}, qr/^The response reports error "fehler": Schl\S+ssel .* fehlt/, "$encoding: the detail shows the convertible characters");
	is($refused->{detail}, encode('UTF-8', 'The response reports error "fehler": Schlüssel 日本 🚀 fehlt'), "$encoding: the detail shows the whole message")
	  if $encoding eq 'UTF8';
	$api->reset;
	is($session->query("SELECT count(*) FROM t WHERE id = '$id'")->{out}, '1', "$encoding: the session still works after all errors");
	$session->quit;

	# PostgreSQL converts for a client with another encoding.
	next if $encoding eq 'SQL_ASCII';
	my $client = Reevo::Session->new($node, dbname => $database, client_encoding => 'UTF8');
	serve(display_name => envelope(mixed($fits)));
	is($client->query("SELECT display_name FROM t WHERE id = '$id'")->{out}, encode('UTF-8', $fits), "$encoding: a client with UTF-8 receives UTF-8");
	$client->quit;
	$api->reset;
}
$node->stop('fast');

done_testing();
