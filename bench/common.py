"""What the measurements of this folder share: servers, sessions, and how numbers are shown."""

import re
import statistics
import subprocess


class Server:
    """A server of the records, after a delay."""

    def __init__(self, program, path, delay):
        self.process = subprocess.Popen([program, path, str(delay)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.url = "http://127.0.0.1:%d" % int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Session:
    """A psql that stays open, as do its session's connections to the server."""

    def __init__(self, command):
        self.process = subprocess.Popen(command + ["-qXAt", "-v", "ON_ERROR_STOP=1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        universal_newlines=True)
        self.run("SET client_min_messages = warning")

    def run(self, sql):
        """What is printed; rows are not where a file takes them."""
        self.process.stdin.write(sql + ";\n\\echo done\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                return "".join(lines)
            lines.append(line)
        raise SystemExit("psql has ended")

    def seconds(self, sql):
        """How long the client waited for the last row."""
        printed = self.run("\\o /dev/null\n\\timing on\n%s;\n\\timing off\n\\o\n" % sql)
        return float(re.search(r"Time: ([\d.]+) ms", printed).group(1)) / 1000

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def set_up(session, server):
    """The extension, a server of it and the table opportunity."""
    session.run("CREATE EXTENSION opportunity_fdw")
    session.run("CREATE SERVER reevo FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '%s')"
                % server.url)
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (api_key 'test-key')")
    session.run("IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO public OPTIONS (discover 'false')")


def go_to(session, server):
    """Makes another server that of the table."""
    session.run("ALTER SERVER reevo OPTIONS (SET base_url '%s')" % server.url)


def spread(values, form="%.2f"):
    """The median, and from where to where."""
    return "%s (%s..%s)" % tuple(form % value for value in
                                 (statistics.median(values), min(values), max(values)))
