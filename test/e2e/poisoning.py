# SPDX-License-Identifier: Apache-2.0
"""What the tests of poison share: messages that nobody can parse, and targets of each type to deliver them to.

    target = TARGETS["smtp"](p)          with target: deliver=target.deliver(), target.arrived()
    target.says = lambda octets: WAIT    how it takes a message: "" (it does), WAIT, REFUSE or HANG
"""
import contextlib
import hashlib
import os
import re
from collections import Counter

import corpus
from imap_store import Message as ImapMessage
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Message, Pop3d
from postrider import section
from smtpd import Smtpd

HEAD = b"From: a@example.org\r\nSubject: poison\r\n"


def nested(depth):
    """MIME, so many multiparts in one another."""
    lines = [HEAD + b"MIME-Version: 1.0"]
    for n in range(depth):
        lines.append(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d' % (n, n))
    lines.append(b"Content-Type: text/plain\r\n\r\nthe innermost")
    lines += [b"--b%d--" % n for n in reversed(range(depth))]
    return b"\r\n".join(lines) + b"\r\n"


POISON = {
    "NULs": b"From: \0\0@example.org\r\nSub\0ject: \0\r\n\0\r\n\r\n\0\0\r\n.\0\r\n" + b"\0" * 5000 + b"\r\n",
    "lone CRs": b"From: a\rb\r\n\rSubject: c\r\n\r\n\r\r\r\nx\r.\r\n\r.\r\n",
    "no header": b"\r\n\r\nonly a body\r\n",
    "nothing": b"\r\n",
    "header without end": HEAD + b"X-Last: this is all, and it goes on\r\n and on\r\n",
    "lines that are no fields": b"what is this\r\n: and this\r\n\tand that\r\nSubject no colon\r\nTo:\r\n\r\nbody\r\n",
    "octets of any kind": bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"") * 40 + b"\r\n" + HEAD + b"\r\n\xff\xfe\xc3\x28\xed\xa0\x80\r\n",
    "2,000 parts in one another": nested(2000),
    "10,000 fields": b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(10_000)) + b"\r\nbody\r\n",
    "a field of 1 MB": HEAD + b"References:" + b" <a@example.org>" * 65_000 + b"\r\n\r\nbody\r\n",
    "an address list without end": HEAD + b"To: " + b"(((((<<<\"\\" * 20_000 + b"\r\nDelivered-To: " + b"," * 70_000 + b"\r\n\r\nbody\r\n",
}
LARGE = {
    "a header of 30 MB": lambda: HEAD + b"X-Long: " + b"y" * 60 + b"\r\n" + (b"X-Filler: " + b"z" * 88 + b"\r\n") * 300_000 + b"\r\nbody\r\n",
    "a field of 30 MB": lambda: HEAD + b"To: " + b"a@example.org, " * 2_000_000 + b"b@example.org\r\n\r\nbody\r\n",
    "a line of 100 MB": lambda: HEAD + b"\r\n" + b"x" * 100_000_000 + b"\r\n",
}


class Target:
    """Of a connection."""

    def __init__(self, p):
        self.p = p

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class MailboxTarget(Target):
    def __enter__(self):
        self.p.account()
        return self

    def deliver(self):
        return ["mailbox:anna/INBOX"]

    def arrived(self):
        return self.p.in_mailbox()

    wanted = staticmethod(lambda octets: octets)


class MaildirTarget(Target):
    def deliver(self):
        return ["maildir:" + self.p.maildir]

    def arrived(self):
        return in_maildir(self.p)

    wanted = staticmethod(lambda octets: octets)


class FolderTarget(Target):
    def deliver(self):
        return ["folder:" + os.path.join(self.p.home, "folder")]

    def arrived(self):
        folder, out = os.path.join(self.p.home, "folder"), []
        for name in os.listdir(folder):
            if name.endswith(".eml"):
                with open(os.path.join(folder, name), "rb") as f:
                    out.append(f.read())
        return out

    wanted = staticmethod(lambda octets: octets)


PROGRAM = """#!/bin/sh
t=$(mktemp {home}/taking/XXXXXXXX) && cat >"$t" || exit 75
for how in 75 100 hang; do
	[ -s {home}/$how ] && grep -q -a -f {home}/$how "$t" || continue
	rm "$t"
	echo "so it was told: $how" >&2
	[ $how = hang ] && exec sleep 600
	exit $how
done
mv "$t" {home}/taken
"""


class CommandTarget(Target):
    """`says(how, pattern)`: messages in which grep finds it get 75, 100 or hang; "" ends that."""

    def __enter__(self):
        self.home = os.path.join(self.p.home, "program")
        for name in ("taking", "taken"):
            os.makedirs(os.path.join(self.home, name))
        self.path = os.path.join(self.home, "program")
        with open(self.path, "w", encoding="ascii") as f:
            f.write(PROGRAM.format(home=self.home))
        os.chmod(self.path, 0o755)
        self.p.sections["target"] = section("target poisoned", {"type": "command", "argv": [self.path], "timeout": "1s"})
        self.p.write()
        return self

    def says(self, how, pattern):
        with open(os.path.join(self.home, {"wait": "75", "refuse": "100"}.get(how, how)), "w", encoding="ascii") as f:
            f.write(pattern + "\n" if pattern else "")

    def deliver(self):
        return ["poisoned"]

    def arrived(self):
        out, folder = [], os.path.join(self.home, "taken")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as f:
                out.append(f.read())
        return out

    wanted = staticmethod(lambda octets: octets)


class SmtpTarget(Target):
    """The same; `hang`: it says nothing to the end of the message."""
    lmtp = chunking = False

    def __enter__(self):
        self.rules = {}
        self.sink = Smtpd(lmtp=self.lmtp, chunking=self.chunking, judge=self.judge)
        self.sink.__enter__()
        self.p.sections["target"] = section("target poisoned", {
            "type": "lmtp" if self.lmtp else "smtp", "host": "127.0.0.1", "port": self.sink.port, "tls__mode": "none",
            "envelope__recipients": ["boss@corp.example"]})
        self.p.write()
        return self

    def __exit__(self, *_):
        self.sink.__exit__()

    def says(self, how, pattern):
        self.rules[how] = pattern and re.compile(pattern.encode(), re.M)

    def judge(self, _, __, octets):
        for how, answer in (("wait", "451 4.2.0 so it was told: 75"), ("refuse", "550 5.7.1 so it was told: 100")):
            if self.rules.get(how) and self.rules[how].search(octets):
                return answer
        if self.rules.get("hang") and self.rules["hang"].search(octets):
            self.sink.ended.wait()
        return ""

    def deliver(self):
        return ["poisoned"]

    def arrived(self):
        out = []
        for octets in self.sink.octets():
            mark, _, rest = octets.partition(b"\r\n")
            assert re.fullmatch(rb"Delivered-To: postrider\.[0-9a-f]+@\S+", mark), mark
            out.append(bytes(rest))
        return out

    @staticmethod
    def wanted(octets):
        """On this wire no CR and no LF is alone (RFC 5321 2.3.8)."""
        return re.sub(rb"\r\n|\r|\n", b"\r\n", octets)


class SmtpChunkingTarget(SmtpTarget):
    chunking = True


class LmtpTarget(SmtpTarget):
    lmtp = chunking = True


TARGETS = {"mailbox": MailboxTarget, "maildir": MaildirTarget, "folder": FolderTarget, "command": CommandTarget, "smtp": SmtpTarget, "bdat": SmtpChunkingTarget,
           "lmtp": LmtpTarget}
HANDED = ["command", "smtp", "lmtp"]


def origin_of(protocol, messages, **more):
    """The octets go out exactly as they are given here."""
    if protocol == "imap":
        store = Mailstore([b"x\r\n"] * len(messages))
        for entry, octets in zip(store.box("INBOX").entries, messages):
            entry.message = ImapMessage(b"x\r\n")
            entry.message.octets = octets
        return Imapd(store, **more)
    drop = Maildrop()
    drop.messages = [Message(f"uid{n:06d}", octets) for n, octets in enumerate(messages)]
    return Pop3d(drop, **more)


def left(origin):
    return origin.store.octets() if isinstance(origin, Imapd) else origin.drop.octets()


def digests(messages):
    return Counter(hashlib.sha256(m).hexdigest() for m in messages)


def whole(files):
    """As they came, of files whose lines end with LF."""
    return [m.replace(b"\n", b"\r\n") for m in files]


def in_maildir(p, *where):
    return whole(p.in_maildir(*where))


def surrounded(poison, count=6):
    mail = [corpus.normal(m) for m in corpus.small(count)]
    return mail[:count // 2] + [poison] + mail[count // 2:]
