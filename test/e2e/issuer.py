# SPDX-License-Identifier: Apache-2.0
"""An issuer of OAuth tokens on a free port of 127.0.0.1: token endpoint, device codes, introspection for Dovecot.

    with Issuer() as i:
        i.keys(flow="device")           the section oauth of a connection, as keys
        i.refresh = "r0"                the one refresh token that holds; each use makes another one, unless rotates = False
        i.grace = True                  the one before it is taken as well
        i.life, i.pad                   seconds of an access token; octets in front of it
        i.says["token"] = [answer, …]   what it says first: a status, (status, dict), (status, dict, {header: value}),
                                        "drop" (does its work, and closes without an answer), "hold" (does its work, and
                                        answers when i.go is set; i.held is set meanwhile), or a function of the form
        i.says["device"]                the same for device codes
    i.asked                             (endpoint, form) of each request, in order
    i.secrets                           every token and code that it gave out or took
"""
import http.server
import json
import os
import threading
import time
import urllib.parse

from dovecot import free_ports

CLIENT, SECRET = "post rider", "cl1ent&s:cret"
USER_CODE = "WDJB-MJHT"


class Issuer:
    def __init__(self, user="anna", port=None):
        self.user, self.port = user, port or free_ports(1)[0]
        self.refresh, self.before, self.rotates, self.grace = None, None, True, False
        self.life, self.pad, self.made = 3600, "", 0
        self.active, self.says, self.asked, self.secrets = {}, {"token": [], "device": [], "introspect": []}, [], set()
        self.device_code, self.problems = None, []
        self.held, self.go, self.lock = threading.Event(), threading.Event(), threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode("ascii"), keep_blank_values=True))
                outer.post(self, self.path.strip("/"), form)

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, text in dict(headers).items():
                    self.send_header(name, text)
                octets = json.dumps(body).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Quiet(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    # ---- what it does

    def post(self, handler, endpoint, form):
        with self.lock:
            self.asked.append((endpoint, form))
            first = self.says[endpoint].pop(0) if self.says[endpoint] else None
            if callable(first):
                first = first(form)
            if first in (None, "hold", "drop"):
                answer = getattr(self, "on_" + endpoint)(form)
            elif isinstance(first, int):
                answer = first, {"error": "made_up"}
            else:
                answer = first
        if first == "hold":
            self.held.set()
            self.go.wait(60)
        if first == "drop":
            handler.close_connection = True
        else:
            handler.answer(*answer)

    def secret(self, text):
        self.secrets.add(text)
        return text

    def token(self, rotates):
        self.made += 1
        access = self.secret(f"Acc3ss.{self.made}-{os.urandom(8).hex()}" + self.pad)
        self.active[access] = time.time() + self.life
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.life}
        if rotates:
            self.before, self.refresh = self.refresh, self.secret(f"R3fresh.{self.made}-{os.urandom(8).hex()}")
            answer["refresh_token"] = self.refresh
        return 200, answer

    def on_token(self, form):
        if form.get("client_id") != CLIENT or form.get("client_secret", SECRET) != SECRET:
            return 401, {"error": "invalid_client"}
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self.token(False) if form.get("client_secret") == SECRET else (401, {"error": "invalid_client"})
        if grant == "refresh_token":
            good = form["refresh_token"] == self.refresh or (self.grace and form["refresh_token"] == self.before)
            return self.token(self.rotates) if good else (400, {"error": "invalid_grant", "error_description": "it was used or revoked"})
        if grant == "urn:ietf:params:oauth:grant-type:device_code" and form["device_code"] == self.device_code:
            return self.token(True)
        return 400, {"error": "unsupported_grant_type"}

    def on_device(self, form):
        if form.get("client_id") != CLIENT:
            return 401, {"error": "invalid_client"}
        self.device_code = self.secret("D3vice-" + os.urandom(8).hex())
        return 200, {"device_code": self.device_code, "user_code": USER_CODE, "verification_uri": self.url("verify"), "expires_in": 600, "interval": 1}

    def on_introspect(self, form):
        if self.active.get(form.get("token"), 0) > time.time():
            return 200, {"active": True, "username": self.user}
        return 200, {"active": False}

    # ---- for tests

    def url(self, endpoint):
        return f"http://127.0.0.1:{self.port}/{endpoint}"

    def keys(self, flow="device", **more):
        keys = {"flow": flow, "client_id": CLIENT, "token_url": self.url("token"), **more}
        if flow == "device":
            keys["device_url"] = self.url("device")
        return {"oauth__" + k: v for k, v in keys.items()}

    def count(self, endpoint="token"):
        return sum(1 for e, _ in self.asked if e == endpoint)

    def stop(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
