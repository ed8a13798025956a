# SPDX-License-Identifier: PostgreSQL
"""Measures the SQL forms that need a record for each row: see bench/forms, which runs this.

It needs a running PostgreSQL with the extension installed.
"""

import argparse
import os
import re
import tempfile

import common
import ids

SIZE = 1000
DELAY = 50

JOIN = "SELECT o.stage FROM wanted t JOIN opportunity o ON o.id = t.id"

# The name of each form, its query, and the number of requests
FORMS = [
    ("left join", "SELECT o.stage FROM wanted t LEFT JOIN opportunity o ON o.id = t.id", 10),
    ("subquery", "SELECT (SELECT o.stage FROM opportunity o WHERE o.id = t.id) FROM wanted t", 10),
    ("two subqueries", "SELECT (SELECT o.stage FROM opportunity o WHERE o.id = t.id),"
     " (SELECT o.amount FROM opportunity o WHERE o.id = t.id) FROM wanted t", 10),
    ("subquery in `WHERE`", "SELECT n FROM wanted t WHERE (SELECT o.stage FROM opportunity o WHERE o.id = t.id) > 'A'", 10),
    ("subquery in `ORDER BY`", "SELECT n FROM wanted t ORDER BY (SELECT o.amount FROM opportunity o WHERE o.id = t.id)", 10),
    ("`EXISTS` in the select list", "SELECT EXISTS (SELECT FROM opportunity o WHERE o.id = t.id) FROM wanted t", 10),
    ("`OR EXISTS`", "SELECT n FROM wanted t WHERE n < 0 OR EXISTS (SELECT FROM opportunity o WHERE o.id = t.id)", 10),
    ("`LATERAL` with `LIMIT`", "SELECT x.stage FROM wanted t LEFT JOIN LATERAL"
     " (SELECT o.stage FROM opportunity o WHERE o.id = t.id LIMIT 1) x ON true", 10),
    ("`LATERAL` with `json_agg`", "SELECT x.j FROM wanted t LEFT JOIN LATERAL (SELECT json_agg(row_to_json(o)) AS j"
     " FROM (SELECT o.stage FROM opportunity o WHERE o.id = t.id) o) x ON true", 10),
    # Each id has a row in both workspaces.
    ("`UNION ALL` view, 500 ids", "SELECT w.stage FROM (SELECT id FROM wanted WHERE n <= 500) t JOIN workspaces w ON w.id = t.id", 10),
    ("`UNION ALL` view, 2,000 rows", "SELECT w.stage FROM wanted t JOIN workspaces w ON w.id = t.id", 20),
    ("join on the nullable side", "SELECT a.stage, b.amount FROM wanted t LEFT JOIN"
     " (opportunity a JOIN opportunity b ON b.id = a.id) ON a.id = t.id", 10),
    ("`ORDER BY ... LIMIT 50`", "SELECT o.stage FROM wanted t LEFT JOIN opportunity o ON o.id = t.id ORDER BY t.n LIMIT 50", 1),
    # The last one, since it makes the table larger, and so the estimates of the planner.
    ("`UPDATE` with a subquery", "UPDATE wanted t SET stage = (SELECT o.stage FROM opportunity o WHERE o.id = t.id)", 10),
]


def set_up(session, server):
    common.set_up(session, server)
    session.run("CREATE SERVER other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '%s')" % server.url)
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (api_key 'test-key')")
    session.run("CREATE FOREIGN TABLE second (id uuid, stage text) SERVER other")
    session.run("CREATE VIEW workspaces AS SELECT id, stage FROM opportunity UNION ALL SELECT id, stage FROM second")
    session.run("CREATE TABLE wanted (n serial, id uuid, stage text)")
    session.run("INSERT INTO wanted (id) VALUES %s" % ", ".join("('%s')" % ident for ident in ids.record_ids(SIZE)))
    session.run("ANALYZE wanted")


def requests(session, sql):
    plan = session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + sql)
    return sum(int(number) for number in re.findall(r"API Calls: (\d+)", plan))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the program ids_server")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        ids.render_records(path)
        server = common.Server(options.server, path, DELAY)
        session = common.Session(options.psql)
        set_up(session, server)
        print("| form | requests | seconds | plain join | ratio |")
        print("|---|---|---|---|---|")
        for name, sql, expected in FORMS:
            made = requests(session, sql)
            if made != expected:
                raise SystemExit("%s: %d requests instead of %d" % (name, made, expected))
            joins, forms = [], []
            for _ in range(options.rounds):
                joins.append(session.seconds(JOIN))
                forms.append(session.seconds(sql))
            print("| %s | %d | %s | %s | %s |"
                  % (name, made, common.spread(forms, "%.3f"), common.spread(joins, "%.3f"),
                     common.spread([form / join for form, join in zip(forms, joins)])), flush=True)
        session.stop()
        server.stop()


if __name__ == "__main__":
    main()
