# SPDX-License-Identifier: PostgreSQL
"""Runs queries with a client library, for t/056_clients.pl.

    056_clients.py psycopg2|pyodbc CONNECTION BATCH COUNT

Each line of the standard input is a query, or `cancel`, which cancels the query that runs.
The program prints the rows, at most COUNT of them, and then `end` and the SQLSTATE of the
error. With a BATCH, it reads the rows with the cursor of the library, BATCH at a time.
COUNT and BATCH may be 0.
"""
import decimal
import importlib
import itertools
import sys
import threading


def open_cursor():
    """Returns a cursor for one query."""
    if client == "pyodbc" or not batch:
        return connection.cursor()
    cursor = connection.cursor("c")
    cursor.itersize = batch
    return cursor


def text(value):
    """Returns a value as psql prints it."""
    return "" if value is None else format(value, "f") if isinstance(value, decimal.Decimal) else str(value)


def run(cursor, query):
    """Prints the rows and the end of a query."""
    sqlstate = ""
    try:
        cursor.execute(query)
        for row in itertools.islice(cursor, count or None):
            print(*map(text, row), sep="|")
        cursor.close()
    except library.Error as error:
        sqlstate = error.pgcode if client == "psycopg2" else error.args[0]
    connection.rollback()
    print("end", sqlstate, flush=True)


client, where, batch, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
library = importlib.import_module(client)
connection = library.connect(where)
for line in sys.stdin:
    if line == "cancel\n":
        (connection if client == "psycopg2" else current).cancel()
    else:
        current = open_cursor()
        threading.Thread(target=run, args=(current, line)).start()
