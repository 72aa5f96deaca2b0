# SPDX-License-Identifier: Apache-2.0
"""No secret in any log, answer, file, process list or memory: every way that one takes, at highest verbosity.

Each connection and target has a secret of its own, so that what comes to light says where.
"""
import base64
import contextlib
import json
import os
import random
import re
import string
import subprocess
import tempfile
import urllib.parse

import pytest

import corpus
from introspection import CLIENT as POP3_CLIENT, SECRET as POP3_SECRET, endpoint
from issuer import Issuer, SECRET as CLIENT_SECRET
from pop3d import Maildrop, Pop3d
from postrider import Postrider, section
from serving import Server, until
from takers import Taker
from test_control_run import asks
from test_memory import sanitized

WINDOW = 12         # so much of a secret in one piece is a leak


def word(length=40, made=random.Random(4711)):
    return "".join(made.choice(string.ascii_letters + string.digits) for _ in range(length))


def pieces(octets, size=WINDOW):
    """Windows that leave no room in between: whatever has 2 × size in one piece has one of them."""
    return {octets[at:at + size] for at in range(0, max(1, len(octets) - size + 1), size)} | {octets[-size:]}


def needles(secret):
    """How pieces of a secret look: as it is, in base64 behind 0, 1 or 2 octets, percent-encoded, in hex."""
    raw = secret.encode()
    out = pieces(raw) | pieces(urllib.parse.quote(raw, safe="").encode()) | pieces(raw.hex().encode(), 24) | pieces(raw.hex().upper().encode(), 24)
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw).rstrip(b"=")
        out |= pieces(text[2 * lead:-2], 16)
    return out


class Needles:
    """Pieces of many secrets, {name: secret}, looked for at once (grep does that a thousand times faster than `re`)."""

    def __init__(self, secrets):
        self.of = {needle: name for name, secret in secrets.items() for needle in needles(secret)}

    def found(self, octets):
        """[(name, where)]"""
        octets = octets.encode("utf-8", "surrogateescape") if isinstance(octets, str) else octets
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"\n".join(self.of))
            patterns.flush()
            done = subprocess.run(["grep", "-aobF", "-f", patterns.name], input=octets, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, check=False)
        assert done.returncode in (0, 1), done.stderr
        hits = (line.split(b":", 1) for line in done.stdout.splitlines())
        return [(self.of[needle], int(at)) for at, needle in hits]

    def none(self, octets, where):
        found = self.found(octets)
        assert not found, f"{where} shows {sorted({name for name, _ in found})}"


# ---- many connections

POP3 = [("user", ""), ("apop", ""), ("plain", "PLAIN"), ("login", "LOGIN"), ("cram-md5", "CRAM-MD5"), ("scram-sha-256", "SCRAM-SHA-256"),
        ("scram-sha-1", "SCRAM-SHA-1"), ("xoauth2", "XOAUTH2"), ("oauthbearer", "OAUTHBEARER")]
IMAP = [("user", ""), ("plain", "PLAIN"), ("login", "LOGIN"), ("cram-md5", "CRAM-MD5"), ("xoauth2", "XOAUTH2")]
SOURCES = ("literal", "vault", "file", "command")


class World:
    def __init__(self, s, stack):
        self.s, self.p, self.stack = s, s.p, stack
        self.literal, self.gone, self.takers = {}, {}, {}
        self.kept = []          # to be put into the vault

    def taker(self, name, *args, **more):
        self.takers[name] = self.stack.enter_context(Taker(*args, **more))
        return self.takers[name]

    def password(self, name, source, secret):
        """-> the key's value; the secret is one that must be gone, or one that is written in the configuration."""
        (self.literal if source == "literal" else self.gone)[name] = secret
        path = os.path.join(self.p.home, "given-" + name)
        if source == "literal":
            return secret
        if source == "vault":
            self.kept.append((name, secret))
            return "vault:" + name
        with open(path, "w", encoding="utf-8") as f:
            f.write(secret + "\n")
        os.chmod(path, 0o600)
        return ("file:" if source == "file" else "command:cat ") + path

    def connection(self, protocol, auth, mech, source, says_back=False):
        name = f"{protocol}-{auth}-{source}" + (f"-{says_back}" if says_back else "")
        taker = self.taker(name, protocol, mech, says_back=says_back)
        secret = word(3000 if auth in ("xoauth2", "oauthbearer") else 40)
        taker.passwords["anna"] = secret
        self.p.clear(name, taker, protocol=protocol, auth=[auth], password=self.password(name, source, secret), trace="wire",
                     deliver=["mailbox:anna/INBOX"], active="always", interval="1h", delay_failed_account="1h")

    def all(self):
        for n, (auth, mech) in enumerate(POP3):
            for m, says_back in enumerate((False, True, "later")):
                self.connection("pop3", auth, mech, SOURCES[(n + m) % 4], says_back)
        for n, (auth, mech) in enumerate(IMAP):
            for m, says_back in enumerate((False, True, "later")):
                self.connection("imap", auth, mech, SOURCES[(n + m + 1) % 4], says_back)
        return self

    def keep(self):
        for name, secret in self.kept:
            self.p.good("secret", "set", name, "--password-file", "-", stdin=secret.encode() + b"\n")

    def target(self, kind, mech, source, says_back=False):
        name = f"{kind}-{mech.lower()}-{source}" + (f"-{says_back}" if says_back else "")
        taker = self.taker(name, kind, mech, says_back=says_back, certificate=(self.s.cert, self.s.key))
        secret = word()
        taker.passwords["anna"] = secret
        self.p.sections[name] = section("target " + name, {
            "type": kind, "host": "127.0.0.1", "port": taker.port, "tls__mode": "implicit", "tls__ca_certificates": self.s.authority.ca, "auth": [mech.lower()], "user": "anna",
            "password": self.password(name, source, secret), "envelope__recipients": ["bert@sink.example"]})
        return name

    def names(self):
        return [h.split()[1] for h in self.p.sections.values() if h.startswith("connection ")]

    def rows(self):
        return {r["connection"]: r for r in self.p.good("status", "--json").rows()[0]["connections"]}

    def visited(self):
        rows = self.rows()
        return all(r["last"] and not r["running"] for r in rows.values())


@pytest.fixture
def w(home, authority):
    with contextlib.ExitStack() as stack:
        s = stack.enter_context(Server(home, authority))
        s.account("anna", [])
        s.head = {"max_per_host": 100}
        s.p.sections["log"] = "log { level = debug }\n"
        yield World(s, stack)


def memory(pid):
    """[(what it is, octets)] of a process: its mappings, but for the store's."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line or last - first > 1 << 30:
                continue
            with contextlib.suppress(OSError):      # a guard of libsodium's, or gone meanwhile
                mem.seek(first)
                yield line.strip(), mem.read(last - first)


def around(octets, at):
    return re.sub(rb"[^ -~]", b".", octets[max(0, at - 60):at + 60]).decode()


def in_memory(pid, secrets):
    """{name: [where]}"""
    look, found = Needles(secrets), {}
    for line, octets in memory(pid):
        for name, at in look.found(octets):
            found.setdefault(name, []).append(f"{line.split()[0]}+{at:x} {line.split()[-1]}: {around(octets, at)}")
    return found


# It shows no more and no less than the release build, and the memory that it keeps when it is freed cannot be looked through.
pytestmark = pytest.mark.skipif(sanitized(), reason="a sanitizer's memory is not ours")
can_look_now = os.geteuid() == 0        # only root can


SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "control")


def operations():
    """The names of all that the control socket can be asked for."""
    for name in sorted(os.listdir(SOURCE)):
        if name.startswith("api_") and not name.endswith("_test.c"):
            with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
                yield from re.findall(r'\{ \.name = "([a-z]+\.[a-z_]+)"', f.read())


def test_the_operations_are_found():
    assert {"secret.list", "collect.schedule", "oauth.keep", "held.list"} <= set(operations()) and len(set(operations())) > 50


def answers(w):
    """Everything that is said about what there is, at highest verbosity."""
    out = {}
    for words in (["status"], ["status", "--json"], ["history"], ["history", "--json"], ["held", "list"], ["held", "list", "--json"], ["trust", "list"],
                  ["secret", "list"], ["secret", "list", "--json"], ["account", "list", "--json"], ["mailbox", "list", "--json"], ["block", "list", "--json"],
                  ["check"], ["retry"]):
        out[" ".join(words)] = w.p("-v", "-v", *words).text
    rows = w.p("held", "list", "--json").rows()
    for id in [r["id"] for r in rows if "id" in r][:3]:
        out["held show " + str(id)] = w.p("held", "show", str(id)).text
    names = [n for n in operations() if n not in ("collect.stop", "collect.start")]
    for name, answer in zip(names, asks(w.s, *({"v": 1, "op": n} for n in names))):
        out[name] = json.dumps(answer)
    box = [*w.names(), "nobody"][0]
    more = [("collect.schedule", {"connection": box}), ("history.entries", {"connection": box}), ("trust.show", {"connection": box})]
    out["more"] = json.dumps(asks(w.s, *({"v": 1, "op": n, "args": a} for n, a in more)))
    return out


def files_under(path):
    for folder, _, names in os.walk(path):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    yield path, os.fsencode(path) + f.read()


def process(pid):
    for name in ("cmdline", "environ", "status", "limits", "comm"):
        with open(f"/proc/{pid}/{name}", "rb") as f:
            yield f"/proc/PID/{name}", f.read()


def no_core(pid):
    """Nobody gets an image of it but root, who is looking on purpose."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        assert re.search(r"^Max core file size +0 +0 ", f.read(), re.M)
    if os.geteuid() == 0:
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0          # as that of a process that is not dumpable
        tried = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", f"/proc/{pid}/maps"], capture_output=True, check=False)
        assert tried.returncode and b"denied" in tried.stderr, tried


def show(found):
    for name, where in sorted(found.items()):
        print(name, *where[:4], sep="\n    ")
    return sorted(found)


def test_of_visits(w):
    w.all()
    w.s.write()
    w.keep()
    w.s.start()
    until(w.visited, lambda: w.s.log()[-3000:])
    look, pid = Needles({**w.gone, **w.literal}), w.s.process.pid
    for where, text in answers(w).items():
        look.none(text, where)
    for where, octets in [*process(pid), *files_under(w.p.state)]:
        look.none(octets, where)
    no_core(pid)
    if can_look_now:
        assert not show(in_memory(pid, w.gone))
        kept = b"\0".join(octets for _, octets in memory(pid))
        for name, secret in w.literal.items():
            assert kept.count(secret.encode()) == 1, name       # where the configuration is
    w.s.stop()
    assert "trace C: PASS ***" in w.s.log() and "trace S: -ERR what is ***" in w.s.log()
    look.none(w.s.log(), "the log")
    done = w.p("-v", "-v", "collect")
    assert "trace" in done.text
    look.none(done.text, "collect")
    for name in [n for n in w.names() if "vault" in n or "command" in n]:
        look.none(w.p("-v", "-v", "test", name).text, "test")
    for where, octets in files_under(w.p.state):
        look.none(octets, where)
    for name, taker in w.takers.items():
        assert taker.heard, f"nobody came to {name}"


TARGETS = [(kind, mech, says_back) for kind in ("smtp", "lmtp") for mech in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256") for says_back in (False, True, "later")]
MAIL = corpus.small(2)


def test_of_targets(w):
    origin = w.stack.enter_context(Pop3d(Maildrop(MAIL)))
    names = [w.target(kind, mech, SOURCES[n % 4], says_back) for n, (kind, mech, says_back) in enumerate(TARGETS)]
    for name in names:
        w.p.clear("to-" + name, origin, deliver=[name], after="keep", active="always", interval="1h")
    w.p.sections["env"] = section("target env", {"type": "command", "argv": ["/bin/sh", "-c", f"cat >/dev/null; env >{w.p.home}/env; cat /proc/$PPID/environ >>{w.p.home}/env"]})
    w.p.clear("to-env", origin, deliver=["env"], after="keep", active="always", interval="1h")
    w.s.write()
    w.keep()
    w.s.start()
    until(w.visited, lambda: w.s.log()[-3000:])
    look, pid = Needles({**w.gone, **w.literal}), w.s.process.pid
    for where, text in answers(w).items():
        look.none(text, where)
    with open(os.path.join(w.p.home, "env"), "rb") as f:
        look.none(f.read(), "a program's environment")
    for where, octets in [*process(pid), *files_under(w.p.state)]:
        look.none(octets, where)
    if can_look_now:
        until(lambda: not in_memory(pid, w.gone), lambda: show(in_memory(pid, w.gone)))     # once idle connections are given up
    w.s.stop()
    look.none(w.s.log(), "the log")
    for name, taker in w.takers.items():
        assert taker.heard, f"nobody came to {name}"


# ---- tokens

def says_back(form):
    """An endpoint that refuses, and tells all it was told."""
    text = " ".join(f"{k}={v} {base64.b64encode(v.encode()).decode()} {urllib.parse.quote(v, safe='')}" for k, v in form.items())
    return 400, {"error": "invalid_request", "error_description": text}


def test_of_tokens(w):
    issuer = Issuer()
    w.stack.enter_context(issuer)
    issuer.pad = word(2000)
    issuer.refresh = issuer.secret("R3fresh-" + word())
    w.kept.append(("client", CLIENT_SECRET))
    for n, (protocol, auth) in enumerate((p, a) for p in ("pop3", "imap") for a in ("xoauth2", "oauthbearer")):
        for back in (False, True, "later"):
            name = f"{protocol}-{auth}-{back}"
            taker = w.taker(name, protocol, auth.upper(), says_back=back)
            flow = "refresh_token" if n == 0 and not back else "client_credentials"
            keys = issuer.keys(flow, client_secret="vault:client")
            w.p.clear(name, taker, protocol=protocol, auth=[auth], password=None, trace="wire", deliver=["mailbox:anna/INBOX"], active="always", interval="1h", **keys)
    device = w.taker("device", "pop3", "XOAUTH2")
    w.p.clear("device", device, auth=["xoauth2"], password=None, trace="wire", deliver=["mailbox:anna/INBOX"], **issuer.keys("device", client_secret=w.password("client_secret", "file", CLIENT_SECRET)))
    issuer.says["token"] = [says_back, says_back]
    w.s.write()
    w.keep()
    w.s.start()
    said = w.p("-v", "-v", "oauth", "login", "pop3-xoauth2-False", "--password-file", "-", stdin=issuer.refresh.encode() + b"\n").text
    issuer.says["device"] = [says_back]
    said += w.p("-v", "-v", "oauth", "login", "device").text
    said += w.p.good("-v", "-v", "oauth", "login", "device").text
    until(lambda: all(r["last"] or r["connection"] == "device" for r in w.rows().values()), lambda: w.s.log()[-3000:])
    said += w.p("-v", "-v", "collect").text
    secrets = {s[:20]: s for s in issuer.secrets} | {"client_secret": CLIENT_SECRET}
    kept = {name: s for name, s in secrets.items() if s in issuer.active}
    gone = {name: s for name, s in secrets.items() if name not in kept}
    look = Needles(secrets)
    assert kept and len(gone) > 3 and any(t.heard for t in w.takers.values())
    look.none(said, "oauth login")
    for where, text in answers(w).items():
        look.none(text, where)
    for where, octets in [*process(w.s.process.pid), *files_under(w.p.state)]:
        look.none(octets, where)
    if can_look_now:
        assert not show(in_memory(w.s.process.pid, gone))
        image = b"\0".join(octets for _, octets in memory(w.s.process.pid))
        for name, token in kept.items():
            assert image.count(token[:40].encode()) <= 1, name      # for the next visit
    w.s.stop()
    look.none(w.s.log(), "the log")


# ---- the service

def test_of_the_service(w, authority):
    s, accounts = w.s, {f"user{n}": word() for n in range(8)}
    tokens = {f"token{n}": "T0ken-" + word(1500) for n in range(4)}
    wrong, late, key = word(), word(), open(w.s.key, encoding="ascii").read()
    e = w.stack.enter_context(endpoint())
    s.keys |= {"oauth__introspection_url": e.url(), "oauth__client_id": POP3_CLIENT, "oauth__client_secret": "vault:endpoint"}
    w.kept.append(("endpoint", POP3_SECRET))
    for n, (name, password) in enumerate(accounts.items()):
        s.account(name, [], password=password, recoverable=n % 2 == 0)
    for n, token in enumerate(tokens.values()):
        e.says[token] = {"active": True, "username": f"user{n}"}
    s.write()
    w.keep()
    s.start()
    s.p.good("account", "add", "late", "--password-file", "-", stdin=late.encode())
    s.p.good("account", "passwd", "late", "--password-file", "-", stdin=wrong.encode())
    s.p.good("account", "passwd", "late", "--password-file", "-", stdin=late.encode())

    def coded(*parts):
        return base64.b64encode("\0".join(parts).encode()).decode()

    for n, (name, password) in enumerate(accounts.items()):
        for listener in ("open", "tls"):
            with s.raw(listener) as c:
                c.good("USER " + name)
                c.good("PASS " + password)
                c.bad("PASS " + password)               # after the login: it is said back, or not
                c.quit()
            with s.raw(listener) as c:
                c.good("AUTH PLAIN " + coded("", name, password))
                c.quit()
            with s.raw(listener) as c:
                for line in ("AUTH LOGIN", coded(name)):
                    assert c.ask(line).startswith("+ ")
                c.good(coded(password))
                c.quit()
            with s.raw(listener) as c:
                c.ask("USER " + password)               # in the wrong place
                c.ask(password)
                c.ask("CAPA " + password)
    for n, (listener, line) in enumerate([("open", "PASS {}"), ("tls", "AUTH PLAIN {}")]):
        with s.raw(listener) as c:
            c.good(f"USER user{n}")
            c.bad(line.format(wrong if n == 0 else coded("", "user1", wrong)))
    for n, token in enumerate(tokens.values()):
        with s.raw("tls" if n % 2 else "open") as c:
            c.good("AUTH XOAUTH2 " + base64.b64encode(f"user=user{n}\1auth=Bearer {token}\1\1".encode()).decode())
            c.quit()
    secrets = accounts | tokens | {"wrong": wrong, "late": late, "endpoint": POP3_SECRET}
    gone = {name: secret for name, secret in secrets.items() if name != "endpoint"}      # that is asked as long as we live
    look = Needles(secrets | {"key": key.split("\n", 2)[1] + key.split("\n", 3)[2]})
    for where, text in answers(w).items():
        look.none(text, where)
    look.none(json.dumps(s.p.good("status", "--json").rows()), "status")
    for where, octets in [*process(s.process.pid), *files_under(s.p.state)]:
        look.none(octets, where)
    if can_look_now:
        assert not show(in_memory(s.process.pid, gone))
    s.stop()
    look.none(s.log(), "the log")


def test_of_the_vaults_master_password(w):
    master, secret = word(), word()
    w.s.start()
    w.p.good("secret", "set", "box", "--password-file", "-", stdin=secret.encode())
    recovery = os.path.join(w.p.home, "recovery")
    said = w.p.good("-v", "-v", "secret", "export", recovery, "--password-file", "-", stdin=master.encode()).text
    said += w.p("-v", "-v", "secret", "import", recovery, "--password-file", "-", stdin=secret.encode()).text
    said += w.p("-v", "-v", "secret", "import", recovery, "--password-file", "-", stdin=master.encode()).text
    w.p.good("-v", "-v", "backup", os.path.join(w.p.home, "backup"))
    look = Needles({"master": master, "secret": secret})
    look.none(said, "secret export")
    for where, octets in [*process(w.s.process.pid), *files_under(w.p.home)]:
        look.none(octets, where)
    if can_look_now:
        assert not show(in_memory(w.s.process.pid, {"master": master, "secret": secret}))
    w.s.stop()
    look.none(w.s.log(), "the log")
