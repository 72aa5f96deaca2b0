# SPDX-License-Identifier: Apache-2.0
"""An introspection endpoint (RFC 7662) on a free port of 127.0.0.1, which wants to hear CLIENT and SECRET.

    with endpoint() as e:                   plain HTTP; certificate=(pem, key) for HTTPS
        e.says["token"] = {"active": True, "username": "anna"}
        e.url()                             for introspection_url
    e.asked                                 the tokens it was asked about, in order
"""
import base64
import contextlib
import http.server
import json
import socket
import ssl
import threading
import urllib.parse

from dovecot import free_ports

CLIENT, SECRET = "post rider", "s:cret%of+client"


class Endpoint:
    """What it says of each token is `says[token]`: a dict, octets, a status, "hang"; of any other: not active."""

    def __init__(self, certificate=None, port=None):
        self.says, self.asked, self.problems, self.connections = {}, [], [], []
        self.release = threading.Event()
        self.port = port or free_ports(1)[0]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.problems.append("a GET")
                self.answer(200, b"{}")

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode("ascii"))
                quoted = ":".join(urllib.parse.quote(t, safe="") for t in (CLIENT, SECRET))
                if self.headers["Authorization"] != "Basic " + base64.b64encode(quoted.encode()).decode():
                    self.answer(401, b"")
                    return
                outer.asked.append(form["token"][0])
                says = outer.says.get(form["token"][0], {"active": False})
                if says == "hang":
                    outer.release.wait(30)
                    self.close_connection = True
                elif isinstance(says, int):
                    self.answer(says, b"", says == 302)
                else:
                    self.answer(200, says if isinstance(says, bytes) else json.dumps(says).encode())

            def answer(self, status, body, redirect=False):
                self.send_response(status)
                if redirect:
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request, address):
                outer.connections.append(request)
                super().process_request(request, address)

            def handle_error(self, *_):
                pass

        self.server = Quiet(("127.0.0.1", self.port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def url(self, scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}/introspect"

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        for kept in self.connections:       # what clients keep open, too
            with contextlib.suppress(OSError):
                kept.shutdown(socket.SHUT_RDWR)
        assert not self.problems, self.problems


@contextlib.contextmanager
def endpoint(**more):
    e = Endpoint(**more)
    try:
        yield e
    finally:
        e.stop()
