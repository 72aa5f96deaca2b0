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

from issuer import Issuer
from postrider import PROGRAM, Postrider, section
from serving import Server, until
from takers import Taker
from test_control_run import asks

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


can_look = pytest.mark.skipif(os.geteuid() != 0, reason="who is not root cannot look into it")
not_sanitized = pytest.mark.skipif("asan" in PROGRAM, reason="the sanitizer keeps freed memory")


@can_look
@not_sanitized
def test_memory_after_the_visits(w):
    w.all()
    w.s.write()
    w.keep()
    w.s.start()
    until(w.visited, lambda: w.s.log()[-3000:])
    found = in_memory(w.s.process.pid, w.gone)
    for name, where in sorted(found.items()):
        print(name, *where[:6], sep="\n    ")
    assert not found
