# SPDX-License-Identifier: PostgreSQL
"""Servers, sessions and the format of numbers, shared by the measurements of this folder."""

import os
import re
import socket
import statistics
import subprocess
import tempfile
import time


class Server:
    """A server of records; delay is in milliseconds before each response."""

    def __init__(self, program, path, delay):
        self.process = subprocess.Popen([program, path, str(delay)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.url = "http://127.0.0.1:%d" % int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def make_certificate(folder):
    """Makes a self-signed certificate for 127.0.0.1, for TlsServer; returns its file."""
    path = os.path.join(folder, "ca.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", os.path.join(folder, "key.pem"), "-out", path],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return path


class TlsServer:
    """An nginx with TLS in front of a Server; the folder has the certificate."""

    def __init__(self, server, folder):
        self.server = server
        own_folder = tempfile.mkdtemp(dir=folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = "https://127.0.0.1:%d" % port
        path = os.path.join(own_folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX % {"folder": own_folder, "certificates": folder, "port": port, "upstream": server.url.replace("http://", "")})
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "nginx", "-p", own_folder, "-c", path], stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("nginx did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.server.stop()


NGINX = '''
daemon off;
worker_processes 1;
pid %(folder)s/pid;
error_log %(folder)s/error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy; fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
    upstream records { server %(upstream)s; keepalive 16; }
    server {
        listen 127.0.0.1:%(port)d ssl;
        ssl_certificate %(certificates)s/ca.pem; ssl_certificate_key %(certificates)s/key.pem;
        client_body_buffer_size 64k;
        location / {
            proxy_pass http://records; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffers 16 64k; proxy_busy_buffers_size 512k; proxy_max_temp_file_size 0;
        }
    }
}
'''


class Session:
    """A psql that stays open, with the connections of its session to the API server."""

    def __init__(self, command):
        self.process = subprocess.Popen(command + ["-qXAt", "-v", "ON_ERROR_STOP=1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        universal_newlines=True)
        self.run("SET client_min_messages = warning")

    def run(self, sql):
        """Returns the output of a statement."""
        self.process.stdin.write(sql + ";\n\\echo done\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                return "".join(lines)
            lines.append(line)
        raise SystemExit("psql has ended")

    def seconds(self, sql):
        """Returns the seconds until the client had the last row."""
        printed = self.run("\\o /dev/null\n\\timing on\n%s;\n\\timing off\n\\o\n" % sql)
        return float(re.search(r"Time: ([\d.]+) ms", printed).group(1)) / 1000

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def set_up(session, server):
    """Creates the extension, a foreign server and the table opportunity."""
    session.run("CREATE EXTENSION opportunity_fdw")
    session.run("CREATE SERVER reevo FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '%s')"
                % server.url)
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (api_key 'test-key')")
    session.run("IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO public OPTIONS (discover 'false')")


def go_to(session, server):
    """Points the foreign server to another server."""
    session.run("ALTER SERVER reevo OPTIONS (SET base_url '%s')" % server.url)


def trust(session, ca_file):
    session.run("ALTER SERVER reevo OPTIONS (ADD ca_file '%s')" % ca_file)


def spread(values, form="%.2f"):
    """Returns the median, with the smallest and the largest value."""
    return "%s (%s..%s)" % tuple(form % value for value in
                                 (statistics.median(values), min(values), max(values)))
