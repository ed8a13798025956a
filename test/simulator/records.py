# SPDX-License-Identifier: PostgreSQL
"""The records: generated from their numbers, so every run serves the same records.

They are awkward wherever the API's documentation permits it. NULLs have three forms,
keys any order, and amounts exceed a double. Timestamps have fractions and offsets, and
text is in many scripts.
"""

import datetime
import random

EXAMPLE_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
EXAMPLE_TIME = "2023-11-07T05:31:56Z"
_SEED = 20231107
_BASE = datetime.datetime(2023, 1, 1)
_TWO_YEARS = 2 * 365 * 86400
_SHARED_INSTANT = 300 * 86400

# (api_name, value_type, is_array), in the order of the documented example.
OPPORTUNITY = [
    ("id", "uuid", False),
    ("organization_id", "uuid", False),
    ("created_at", "timestamp", False),
    ("display_name", "string", False),
    ("status", "enum", False),
    ("stage", "opportunity_stage", False),
    ("owner_user_id", "record_reference", False),
    ("account_id", "record_reference", False),
    ("participant_user_id_list", "record_reference", True),
    ("created_by_user_id", "record_reference", False),
    ("updated_at", "timestamp", False),
    ("next_step_details", "long_text", False),
    ("next_step_due_at", "timestamp", False),
    ("next_meeting_date", "timestamp", False),
    ("target_go_live_date", "timestamp", False),
    ("amount", "currency", False),
    ("forecast_weighted_amount", "currency", False),
    ("outcome", "enum", False),
    ("created_source", "enum", False),
    ("anticipated_closing_at", "timestamp", False),
    ("closed_at", "timestamp", False),
    ("archived_at", "timestamp", False),
    ("expires_at", "timestamp", False),
    ("last_activity_at", "timestamp", False),
    ("last_voice_call", "timestamp", False),
    ("last_meeting", "timestamp", False),
    ("last_global_thread", "timestamp", False),
    ("last_engaged_at", "timestamp", False),
    ("last_outreached_at", "timestamp", False),
    ("last_inbound_meeting_at", "timestamp", False),
    ("last_inbound_voice_call_at", "timestamp", False),
    ("last_inbound_global_thread_at", "timestamp", False),
    ("last_outbound_meeting_at", "timestamp", False),
    ("last_outbound_voice_call_at", "timestamp", False),
    ("last_outbound_global_thread_at", "timestamp", False),
    ("stage_last_shifted_at", "timestamp", False),
    ("owner_team_id", "record_reference", False),
    ("closed_by_user_id", "record_reference", False),
    ("primary_contact_id", "record_reference", False),
    ("updated_by_user_id", "record_reference", False),
    ("closed_lost_custom_detail", "long_text", False),
    ("closed_won_custom_detail", "long_text", False),
    ("competitors_mentioned_other", "string", True),
    ("primary_competitor_other", "string", False),
    ("type_id", "select", False),
]

# The other record types have few attributes, but the remaining value types.
ACCOUNT = [
    ("id", "uuid", False),
    ("created_at", "timestamp", False),
    ("updated_at", "timestamp", False),
    ("display_name", "string", False),
    ("stage", "account_stage", False),
    ("owner_user_id", "record_reference", False),
    ("domains", "account_domain", True),
    ("address", "address", False),
    ("website", "url", False),
    ("employee_count", "number", False),
    ("annual_revenue", "currency", False),
    ("is_customer", "boolean", False),
    ("archived_at", "timestamp", False),
]
CONTACT = [
    ("id", "uuid", False),
    ("created_at", "timestamp", False),
    ("updated_at", "timestamp", False),
    ("display_name", "string", False),
    ("stage", "contact_stage", False),
    ("account_id", "record_reference", False),
    ("primary_email", "email", False),
    ("primary_phone", "phone_number", False),
    ("emails", "contact_email", True),
    ("phone_numbers", "contact_phone_number", True),
    ("biography", "rich_text", False),
    ("birthday", "date", False),
    ("calls_at", "time", False),
    ("archived_at", "timestamp", False),
]

# Custom fields of a workspace, served with the behaviour custom_fields.
CUSTOM = [
    ("cf_score", "number", False),
    ("cf_discount", "percent", False),
    ("cf_renewal", "boolean", False),
    ("cf_kickoff_date", "date", False),
    ("cf_call_time", "time", False),
    ("cf_website", "url", False),
    ("cf_billing_email", "email", False),
    ("cf_hotline", "phone_number", False),
    ("cf_notes", "rich_text", False),
    ("cf_site", "address", False),
    ("cf_region", "select", False),
    ("cf_tags", "select", True),
    ("cf_scores", "number", True),
    ("cf_location", "geo_point", False),
]

FIELDS = {"opportunity": OPPORTUNITY, "account": ACCOUNT, "contact": CONTACT}

# Each type has its own digits, so that the id of another type finds no record.
_ID_FORM = {
    "opportunity": "00000000-0000-4000-8000-%012d",
    "account": "00000000-0000-4000-9000-%012d",
    "contact": "00000000-0000-4000-a000-%012d",
    "user": "00000000-0000-4000-b000-%012d",
    "team": "00000000-0000-4000-b100-%012d",
}


def option(group, number, name, api_name, color, **more):
    """Returns an option of a select, or a stage; the first of a group has the example's id."""
    ident = EXAMPLE_ID if number == 0 else "00000000-0000-4000-b%s-%012d" % (group, number)
    made = {"id": ident, "display_value": name, "api_name": api_name, "color": color}
    made.update(more)
    return made


STAGES = [
    option("200", 0, "Qualification", "qualification", "#6E7781",
           closing_probability="10", expected_days=14),
    option("200", 1, "Discovery", "discovery", "#0969DA",
           closing_probability="20", expected_days=21),
    option("200", 2, "Demo – Évaluation", "demo", "#8250DF",
           closing_probability="35.5", expected_days=30),
    option("200", 3, "Proposal", "proposal", "#BF8700",
           closing_probability="50", expected_days=20),
    option("200", 4, "Negotiation 交渉", "negotiation", "#BC4C00",
           closing_probability="75", expected_days=10),
    option("200", 5, "Closed Won", "closed_won", "#1A7F37",
           closing_probability="100", expected_days=0),
    option("200", 6, "Closed Lost", "closed_lost", "#CF222E",
           closing_probability="0", expected_days=0),
]
TYPES = [
    option("300", 0, "New Business", "new_business", "#0969DA"),
    option("300", 1, "Expansion", "expansion", "#1A7F37"),
    option("300", 2, "Renewal", "renewal", "#8250DF"),
]
_REGIONS = [
    option("400", 0, "EMEA", "emea", "#111111"),
    option("400", 1, "Americas", "americas", "#222222"),
    option("400", 2, "Asia–Pacific", "apac", "#333333"),
]
_LIFE = [
    option("500", 0, "Lead", "lead", "#6E7781"),
    option("500", 1, "Active", "active", "#1A7F37"),
    option("500", 2, "Churned", "churned", "#CF222E"),
]
OPTIONS = {
    "stage": STAGES, "type_id": TYPES, "cf_region": _REGIONS, "cf_tags": _REGIONS,
}

_NAMES = [
    "Acme rollout", "ACME ROLLOUT", "acme rollout", "Müller & Söhne GmbH",
    "株式会社東京 ライセンス", "🚀 Rocket deal 👩‍💻", "עסקה גדולה", "صفقة كبرى",
    "O'Brien \"Sons\" \\ Co.", "100% _sure_ [maybe]", "Ωmega Δelta", "Łódź – Kraków",
    "Cafe\u0301 (combining)", "Café (composed)", "İstanbul ılık", "straße", "STRASSE",
    "  padded  ", "tab\there", "two\nlines", "नमस्ते", "𝔘nicode 𐍈", "zero\u200bwidth",
    "a/b?c=d&e#f", "{\"json\": [1]}", "NULL", "null", "$1; DROP TABLE x; --",
]
_SENTENCES = [
    "Send the revised offer.", "Appeler le client à propos du délai.",
    "次の打ち合わせを設定する。", "Legal has \"concerns\" about § 4.", "Ждём ответа.",
    "Budget approved ✅", "Line one\nLine two\r\nLine three", "يرجى الاتصال غدا.",
]
_COMPETITORS = ["Globex", "Initech", "Umbrella, Inc.", "Hooli \"X\"", "競合社", "{braces}", "", "NULL"]
_AMOUNTS = [
    "0", "0.00", "-1500.50", "1.10", "0.01", "1000", "99999.99",
    "123456789012345678901234567890", "99999999999999999999999999.9999",
    "-0.000000000000000001", "9007199254740993",
]

# Never NULL; all other attributes may be NULL.
_REQUIRED = {
    "id", "organization_id", "created_at", "display_name", "status", "stage", "updated_at",
}


def record_id(record_type, number):
    """Returns the id of a record by its number."""
    if number == 0 and record_type in FIELDS:
        return EXAMPLE_ID
    return _ID_FORM[record_type] % number


def record_number(record_type, ident):
    """Returns the number of a record by its id, or None."""
    if ident == EXAMPLE_ID:
        return 0
    prefix = _ID_FORM[record_type][:24]
    digits = ident[24:]
    if ident.startswith(prefix) and digits.isdigit() and int(digits) > 0:
        return int(digits)
    return None


def timestamp_text(rng, seconds):
    """Returns an instant as ISO 8601, in one of the forms of real services."""
    moment = _BASE + datetime.timedelta(seconds=seconds)
    form = rng.random()
    if form < 0.85:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if form < 0.95:
        digits = rng.randint(1, 6)
        fraction = "%0*d" % (digits, rng.randrange(10 ** digits))
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + fraction + "Z"
    moment += datetime.timedelta(hours=2)
    return moment.strftime("%Y-%m-%dT%H:%M:%S+02:00")


def _created_seconds(number):
    """Returns the second of creation, over two years; some records share an instant."""
    if number % 97 == 0:
        return _SHARED_INSTANT
    if number % 10 == 4:
        number -= 1
    return random.Random(_SEED * 31 + number).randrange(_TWO_YEARS)


class _Maker:
    """Makes one record; holds the state that its values share."""

    def __init__(self, record_type, number, total):
        self.record_type = record_type
        self.number = number
        self.rng = random.Random((_SEED + number) * 7 + len(record_type))
        self.accounts = max(2, total // 5)
        self.contacts = max(2, total // 3)
        self.created = _created_seconds(number)
        self.stage_number = self.rng.randrange(len(STAGES))
        self.archived = number > 0 and number % 11 == 6

    def reference(self, record_type, number):
        return {"related_record_id": record_id(record_type, number),
                "related_record_type": record_type}

    def amount(self):
        rng = self.rng
        if rng.random() < 0.3:
            amount = {"amount": rng.choice(_AMOUNTS)}
        else:
            amount = {"amount": "%d.%02d" % (rng.randrange(500000), rng.randrange(100))}
        if rng.random() < 0.1:
            amount["currency_code"] = rng.choice(["EUR", "USD", "JPY"])
        return amount

    def name(self):
        name = self.rng.choice(_NAMES)
        return name if self.number % 5 == 0 else "%s %d" % (name, self.number)

    def long_text(self):
        if self.number == 7:
            return " ".join("%d. Übergröße 長い 🎉" % line for line in range(800))
        return " ".join(self.rng.choice(_SENTENCES) for _ in range(self.rng.randint(0, 4)))

    def stamp(self, name):
        rng = self.rng
        if name == "created_at":
            # From a generator of its own: records that share an instant also share its fraction.
            base = self.number - 1 if self.number % 10 == 4 else self.number
            return timestamp_text(random.Random(0 if self.number % 97 == 0 else base), self.created)
        if name == "updated_at":
            return timestamp_text(rng, self.created + rng.randrange(1, 90 * 86400))
        if name == "closed_at" and self.stage_number < 5:
            return None
        if name == "archived_at" and not self.archived:
            return None
        return timestamp_text(rng, self.created + rng.randrange(-30 * 86400, 300 * 86400))

    def scalar(self, name, value_type):
        rng = self.rng
        if name == "id":
            return record_id(self.record_type, self.number)
        if name == "organization_id":
            return EXAMPLE_ID
        if name == "display_name":
            return self.name()
        if name == "status":
            return "closed" if self.stage_number >= 5 else "open"
        if name == "outcome":
            return {5: "won", 6: "lost"}.get(self.stage_number)
        if name == "created_source":
            return rng.choice(["manual", "import", "api", "email_sync"])
        if name == "stage" and value_type == "opportunity_stage":
            return STAGES[self.stage_number]
        if name == "account_id":
            return self.reference("account", rng.randrange(self.accounts))
        if name == "primary_contact_id":
            return self.reference("contact", rng.randrange(self.contacts))
        if name == "owner_team_id":
            return self.reference("team", rng.randint(1, 5))
        return self.by_type(name, value_type)

    def by_type(self, name, value_type):
        rng = self.rng
        number = self.number
        if value_type == "timestamp":
            return self.stamp(name)
        if value_type == "currency":
            return self.amount()
        if value_type == "record_reference":
            return self.reference("user", rng.randint(1, 40))
        if value_type == "long_text":
            return self.long_text()
        if value_type == "string":
            return rng.choice(_COMPETITORS)
        if value_type == "select":
            return rng.choice(OPTIONS[name])
        if value_type in ("account_stage", "contact_stage"):
            return rng.choice(_LIFE)
        if value_type == "number":
            return rng.choice([0, -7, 42, 2 ** 40, "12.50", "123456789012345678901234567890"])
        if value_type == "percent":
            return rng.choice([0, 15, "33.3", "-2.5"])
        if value_type == "boolean":
            return rng.random() < 0.5
        if value_type == "date":
            return "20%02d-%02d-%02d" % (rng.randint(0, 30), rng.randint(1, 12), rng.randint(1, 28))
        if value_type == "time":
            return "%02d:%02d:00" % (rng.randrange(24), rng.randrange(60))
        return self.structured(value_type, number)

    def structured(self, value_type, number):
        rng = self.rng
        if value_type == "url":
            return "https://example.com/%d?q=%%C3%%A4" % number
        if value_type == "email":
            return "person%d@example.com" % number
        if value_type == "phone_number":
            return "+49 30 %07d" % number
        if value_type == "rich_text":
            return "<p>Größe &amp; <b>%d</b></p>" % number
        if value_type == "address":
            return {"street_one": "Hauptstraße %d" % number, "street_two": None, "city": "Zürich",
                    "state": None, "country": "CH", "zip_code": "%04d" % (number % 10000)}
        if value_type == "contact_email":
            return {"id": record_id("user", rng.randint(1, 999)), "email": "p%d@example.com" % number,
                    "is_primary": True, "labels": ["work"]}
        if value_type == "contact_phone_number":
            return {"id": record_id("user", rng.randint(1, 999)), "phone_number": "+49 30 %07d" % number,
                    "is_primary": False, "labels": []}
        if value_type == "account_domain":
            return {"domain_name": "d%d.example.com" % number, "is_primary": True}
        return {"latitude": 52.5, "longitude": 13.4, "note": "of an undocumented type"}

    def envelope(self, value, value_type):
        # The order of the keys varies in the documented examples.
        if self.number % 4 == 1:
            return {"value_type": value_type, "value": value}
        return {"value": value, "value_type": value_type}

    def list_attribute(self, name, value_type):
        rng = self.rng
        form = rng.randrange(6)
        if form == 0:
            return None
        if form == 1:
            return []
        elements = [self.envelope(self.scalar(name, value_type), value_type)
                    for _ in range(rng.randint(1, 4))]
        if self.number % 53 == 11:
            elements.append(self.envelope(None, value_type))
        return elements

    def put(self, attributes, name, value_type, is_array):
        """Adds one attribute; a NULL in one of its forms."""
        rng = self.rng
        null_form = rng.randrange(3)
        if is_array:
            made = self.list_attribute(name, value_type)
            if made is not None or null_form:
                attributes[name] = made
            return
        required = name in _REQUIRED or name == "archived_at" or self.number == 7
        empty = not required and rng.random() < 0.25
        value = None if empty else self.scalar(name, value_type)
        if value is not None or null_form == 0:
            attributes[name] = self.envelope(value, value_type)
        elif null_form == 1:
            attributes[name] = None

    def record(self, fields):
        attributes = {}
        for name, value_type, is_array in fields:
            self.put(attributes, name, value_type, is_array)
        ident = record_id(self.record_type, self.number)
        created = attributes["created_at"]["value"]
        updated = attributes["updated_at"]["value"]
        if self.number % 29 == 5:
            # These records have both at the top only.
            del attributes["created_at"], attributes["updated_at"]
        record = {}
        if self.number % 6 == 2:
            record["attributes"] = attributes
        record["id"] = ident
        if self.number % 7 != 3 or "created_at" not in attributes:
            record["created_at"] = created
            record["updated_at"] = updated
        record["attributes"] = attributes
        record["record_type"] = self.record_type
        return record


_EXAMPLE_VALUES = {
    "display_name": "Acme GmbH – Enterprise rollout 🚀",
    "status": "open",
    "stage": STAGES[0],
    "next_step_details": "Send the revised offer to Zoë.\nAsk for the \"final\" date.",
    "amount": {"amount": "125000.50"},
    "forecast_weighted_amount": {"amount": "12500.05"},
    "outcome": "pending",
    "created_source": "manual",
    "closed_lost_custom_detail": "Budget was cut.",
    "closed_won_custom_detail": "Best integration.",
    "competitors_mentioned_other": "Globex",
    "primary_competitor_other": "Globex",
    "type_id": TYPES[0],
}
_REFERRED = {"account_id": "account", "owner_team_id": "team", "primary_contact_id": "contact"}


def _example_value(name, value_type):
    if value_type == "timestamp":
        return EXAMPLE_TIME
    if value_type == "uuid":
        return EXAMPLE_ID
    if value_type == "record_reference":
        return {"related_record_id": EXAMPLE_ID, "related_record_type": _REFERRED.get(name, "user")}
    return _EXAMPLE_VALUES[name]


def _example_record():
    """Returns record 0: the documented example, with values in place of its placeholders."""
    attributes = {}
    for name, value_type, is_array in OPPORTUNITY:
        envelope = {"value": _example_value(name, value_type), "value_type": value_type}
        attributes[name] = [envelope] if is_array else envelope
    return {"id": EXAMPLE_ID, "created_at": EXAMPLE_TIME, "updated_at": EXAMPLE_TIME,
            "attributes": attributes, "record_type": "opportunity"}


def make_record(record_type, number, total, custom_fields=False):
    """Returns the record of a type by its number."""
    maker = _Maker(record_type, number, total)
    if record_type == "opportunity" and number == 0:
        record = _example_record()
    else:
        record = maker.record(FIELDS[record_type])
    if custom_fields and record_type == "opportunity":
        for name, value_type, is_array in CUSTOM:
            maker.put(record["attributes"], name, value_type, is_array)
    return record


def text_style(number):
    """Returns the style of the JSON of a record, as arguments of jsontext.dumps."""
    if number % 37 == 36:
        return {"indent": 2}
    return {"ascii_only": number % 2 == 1, "spaced": number % 4 in (1, 2)}
