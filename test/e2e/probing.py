# SPDX-License-Identifier: Apache-2.0
"""What the tests of `postrider test` share: servers that are none, and the steps that it tells.

    rows = steps(p)                  all steps as data, whose form is checked
    failed(p, "TLS", "expired")      the one that fails, and words of its reason
"""
import contextlib
import os
import re
import socket
import threading

import pytest

import corpus
from imapd import Imapd, Mailstore, Script, parse_script
from origin import stop_accepting
from pop3d import Maildrop, Pop3d

both = pytest.mark.parametrize("protocol", ["pop3", "imap"])
STEPS = ["settings", "password", "connect", "TLS", "greeting", "capabilities", "login", "mailbox", "logout"]
REASONS = {"not_built", "not_offered", "no_binding", "clear_line", "clear_after_stronger", "weaker", "downgrade", "tried_enough", "unable", "refused",
           "credentials", "false_proof", "unanswered", "worked", "unasked", "no_certificate", "no_oauth", "oauth", "no_password", "only_named", "disputed"}
TOUCHES = {"RETR", "TOP", "DELE", "UIDL", "LIST 1", "FETCH", "STORE", "SELECT", "CREATE", "SEARCH", "EXPUNGE", "UID", "COPY", "MOVE"}


class Raw:
    """A port where each connection is given to `speak` (a socket), in a thread of its own."""

    def __init__(self, speak, port=0):
        self.speak, self.server = speak, socket.create_server(("127.0.0.1", port))
        self.port, self.count = self.server.getsockname()[1], 0
        self.ended = threading.Event()

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        with contextlib.suppress(OSError), sock:
            self.speak(self, sock)

    def __enter__(self):
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        stop_accepting(self.server, self.accepting)


def says(octets, close=False):
    """Speaks first; then silence, or the end."""
    def speak(raw, sock):
        sock.sendall(octets)
        if not close:
            raw.ended.wait(60)
    return speak


def silent(raw, _):
    raw.ended.wait(60)


def answers(octets):
    """Speaks when something came, as a web server does."""
    def speak(_, sock):
        if sock.recv(65536):
            sock.sendall(octets)
    return speak


def server(protocol, count=3, **more):
    return Pop3d(Maildrop(corpus.small(count)), **more) if protocol == "pop3" else Imapd(Mailstore(corpus.small(count)), **more)


def script(text):
    return Script(parse_script([line.strip() for line in text.strip().splitlines()]))


def steps(p, *names, code=1, limit=30):
    """→ rows of --json, whose order and form are checked; nothing may be left on disk."""
    done = p("test", *(names or ["box"]), "--json", limit=limit)
    assert done.code == code, done
    assert not os.path.exists(p.state), "a test needs no state"
    rows = done.rows()
    for row in rows:
        assert set(row) == {"connection", "step", "ok", "detail", "reason", "error_kind", "ms", "mechanisms"} and row["step"] in STEPS
        assert (row["mechanisms"] is None) is (row["step"] != "login")
        for one in row["mechanisms"] or ():
            assert set(one) == {"mechanism", "reason", "detail"} and one["reason"] in REASONS and one["detail"], one
        assert (row["detail"] is None) is not row["ok"] and (row["reason"] is None) is row["ok"] and row["ms"] >= 0
        assert (row["error_kind"] == "none") is row["ok"]
        assert "postrider trust" not in (row["reason"] or ""), "nothing was kept"
    assert bool([r for r in rows if not r["ok"]]) is bool(code), rows
    assert not done.err, done
    return rows


def failed(p, step, *words, passed=None, limit=30):
    """The one step that fails, and the words that must be in its reason.  `passed`: the steps before it."""
    rows = steps(p, limit=limit)
    bad = [r for r in rows if not r["ok"]]
    assert [r["step"] for r in bad] == [step], rows
    assert rows[-1] is bad[0] or step in ("mailbox", "logout"), "after what failed comes nothing"
    for word in words:
        assert re.search(word, bad[0]["reason"]), (word, bad[0]["reason"])
    if passed is not None:
        assert [r["step"] for r in rows if r["ok"]] == passed, rows
    return bad[0]


def untouched(origin):
    said = [line.upper() for line in origin.said]
    assert not [line for line in said if any(line == t or line.startswith(t + " ") for t in TOUCHES)], said


def clear(p, protocol, origin, **more):
    p.clear("box", origin, protocol=protocol, **more)


def tls(p, protocol, origin, authority, **more):
    port = {} if "port" in more else {"port": origin.port}
    p.connection("box", **{"protocol": protocol, **port, "tls__ca_certificates": authority.ca if authority else None, **more})
