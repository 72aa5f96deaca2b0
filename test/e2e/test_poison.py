# SPDX-License-Identifier: Apache-2.0
"""One bad message, target or disk never holds up another (PRODUCT 2.3, rules 3 and 4).

A message that nobody can parse arrives octet for octet, or is held and named; a disk that is full, a target that hangs or
refuses for ever stop what needs them and nothing else; and when that is over each message is there exactly once."""
import contextlib
import hashlib
import os
import re
import resource
import shutil
import subprocess
from collections import Counter

import pytest

import corpus
from imap_store import Message as ImapMessage
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Message, Pop3d
from probing import both
from serving import Server, until
from test_memory import MIB, peak, sanitized

FULL = re.compile("no space left|file too large", re.I)
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
    """Of a connection: keys of it, what has arrived there."""

    def __init__(self, p):
        self.p = p
        self.prepare()

    def prepare(self):
        pass

    def make(self):
        pass


class MailboxTarget(Target):
    def prepare(self):
        self.p.account()

    def deliver(self):
        return ["mailbox:anna/INBOX"]

    def arrived(self):
        return self.p.in_mailbox()


class MaildirTarget(Target):
    def deliver(self):
        return ["maildir:" + self.p.maildir]

    def arrived(self):
        return in_maildir(self.p)


TARGETS = {"mailbox": MailboxTarget, "maildir": MaildirTarget}
targets = pytest.mark.parametrize("kind", list(TARGETS))


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


# ---- messages that nobody can parse

@both
@targets
def test_what_nobody_can_parse(p, protocol, kind):
    """All of them in one mailbox, among ordinary ones: each arrives as it was sent."""
    mail = [m for n, poison in enumerate(POISON.values()) for m in (poison, corpus.normal(corpus.small(20)[n]))]
    target = TARGETS[kind](p)
    with origin_of(protocol, mail) as origin:
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver())
        done = p.good("collect", "box")
        assert done.summary()["box"] == {"collected": len(mail), "skipped": 0, "held": 0, "failed": 0}, done
        assert left(origin) == [] and digests(target.arrived()) == digests(mail)
        assert p.good("history", "box").code == 0


@pytest.mark.parametrize("name", ["newer_than", "envelope", "gmail"])
def test_what_looks_into_headers_survives_them(p, name):
    """With keys that make us read headers: what cannot be read is no reason to leave mail behind."""
    mail = list(POISON.values())
    if name == "gmail":
        store = Mailstore(mail, gmail=True)
        with Imapd(store) as origin:
            p.clear("box", origin, protocol="imap", after="keep", mailbox=["INBOX", "[Gmail]/All Mail"])
            p.good("collect", "box")
        return
    keys = {"newer_than": {"newer_than": "7d"}, "envelope": {}}[name]
    with origin_of("pop3", mail) as origin:
        p.clear("box", origin, after="delete", **keys)
        p.good("collect", "box")
        assert digests(in_maildir(p)) == digests(mail)


@pytest.mark.slow
@pytest.mark.skipif(sanitized(), reason="a sanitizer's memory is not ours")
@both
@targets
@pytest.mark.parametrize("name", list(LARGE))
def test_what_is_large_takes_no_memory(p, protocol, kind, name):
    mail, peaks = surrounded(LARGE[name]()), []
    target = TARGETS[kind](p)
    for messages in (mail[:3] + mail[4:], mail):
        with origin_of(protocol, messages) as origin:
            p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver(), timeout="60s")
            done, highest = peak(p, "collect", "box")
            peaks.append(highest)
            assert done.summary()["box"]["collected"] == len(messages) and left(origin) == [], done
            p.good("rescan", "box")
    assert digests(target.arrived()) == digests(mail + mail[:3] + mail[4:])
    assert peaks[1] - peaks[0] <= MIB, f"{peaks} KiB"


# ---- disks that are full

@contextlib.contextmanager
def disk(path, size):
    """A file system of that size; → a function that gives it another."""
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", path], check=True)
    try:
        yield lambda more: subprocess.run(["mount", "-o", f"remount,size={more}", path], check=True)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def fill(path):
    """A file takes what is free there."""
    name = os.path.join(path, "filler")
    fd = os.open(name, os.O_CREAT | os.O_WRONLY)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, b"\0" * 4096)
    os.close(fd)
    return name


def row(p, name="box"):
    return {r["connection"]: r for r in p.good("status", "--json").rows()[0]["connections"]}[name]


@root
@both
@targets
def test_a_full_disk_under_the_state(p, protocol, kind):
    """The ledger cannot be written: the visit ends and says so, nothing that is not delivered leaves the server; with room
    again each is there once."""
    mail = surrounded(POISON["NULs"], 60)
    with disk(p.state, "2m") as resize, origin_of(protocol, mail) as origin:
        target = TARGETS[kind](p)
        fill(p.state)
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver())
        done = p("collect", "box")
        assert done.code == 1 and FULL.search(done.err), done
        assert digests(left(origin)) & digests(mail) == digests(left(origin))
        gone = digests(mail) - digests(left(origin))
        resize("64m")
        assert not gone - digests(target.arrived()), "deleted and not delivered"
        done = p.good("collect", "box")
        assert left(origin) == [] and digests(target.arrived()) == digests(mail), done


@root
@both
@targets
def test_a_message_for_which_there_is_no_room_in_the_state(p, protocol, kind):
    """A large one would fill the disk: it stays at the server and is named, the others flow."""
    huge = HEAD + b"\r\n" + (b"x" * 98 + b"\r\n") * 900_000
    mail = surrounded(huge)
    with disk(p.state, "32m") as resize, origin_of(protocol, mail) as origin:
        target = TARGETS[kind](p)
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver())
        done = p("collect", "box")
        assert done.code == 1 and FULL.search(done.err), done
        assert left(origin) == [huge], (len(left(origin)), done)
        assert digests(target.arrived()) == digests(mail) - digests([huge])
        assert done.summary()["box"]["failed"] == 1 and FULL.search(p.good("history", "box").out)
        resize("400m")
        p.good("collect", "box")
        assert left(origin) == [] and digests(target.arrived()) == digests(mail)


@root
@both
@pytest.mark.parametrize("both_targets", [False, True])
def test_a_full_disk_under_a_maildir(p, home, protocol, both_targets):
    """Other connections, and the other target of this one, go on; with room again each is there once."""
    mail = surrounded(POISON["lone CRs"], 40)
    second = os.path.join(home, "second")
    other = os.path.join(home, "other")
    with disk(p.maildir, "64k") as resize, origin_of(protocol, mail) as origin, origin_of(protocol, mail) as well:
        keys = {"protocol": protocol, "after": "delete"}
        p.clear("box", origin, **keys, deliver=["maildir:" + p.maildir] + (["maildir:" + second] if both_targets else []))
        p.clear("well", well, **keys, deliver=["maildir:" + other])
        done = p("collect")
        assert done.code == 1 and FULL.search(done.err), done
        assert done.summary()["well"]["collected"] == len(mail) and digests(in_maildir(p, other)) == digests(mail)
        assert done.summary()["box"]["failed"] > 0 and left(origin)
        assert not digests(mail) - digests(left(origin)) - digests(in_maildir(p))
        assert not os.path.exists(os.path.join(p.maildir, "tmp")) or len(os.listdir(os.path.join(p.maildir, "tmp"))) <= 1
        resize("8m")
        done = p.good("collect", "box")
        assert left(origin) == [] and digests(in_maildir(p)) == digests(mail), done
        if both_targets:
            assert digests(in_maildir(p, second)) == digests(mail)


@both
def test_a_file_that_may_not_grow(p, protocol):
    """A limit on files (RLIMIT_FSIZE) as a full disk: EFBIG, and no SIGXFSZ that ends us."""
    huge = HEAD + b"\r\n" + (b"x" * 98 + b"\r\n") * 60_000
    mail = surrounded(huge)
    with origin_of(protocol, mail) as origin:
        p.clear("box", origin, protocol=protocol, after="delete")
        p.good("check")
        limit = 4 << 20
        process = p.start("collect", "box", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        done = p.finish(process)
        assert done.code == 1 and FULL.search(done.err), done
        assert left(origin) == [huge] and digests(in_maildir(p)) == digests(mail) - digests([huge])
        p.good("collect", "box")
        assert left(origin) == [] and digests(in_maildir(p)) == digests(mail)


# ---- the service, with a disk that fills up and is emptied

@root
@targets
def test_the_service_outlives_a_full_disk(home, authority, kind):
    """`run` goes on, names the connection in `status`, and delivers when there is room; the other one flows."""
    mail = surrounded(POISON["NULs"], 40)
    with Server(home, authority) as s:
        where = s.p.state if kind == "mailbox" else s.p.maildir
        other = os.path.join(home, "other")
        with disk(where, "4m" if kind == "mailbox" else "64k") as resize, origin_of("pop3", []) as origin, origin_of("pop3", mail) as well:
            s.account("anna", [])
            deliver = ["mailbox:anna/INBOX"] if kind == "mailbox" else ["maildir:" + s.p.maildir]
            keys = {"after": "delete", "active": "always", "interval": "1s", "delay_failed_host": "1s"}
            s.p.clear("box", origin, deliver=deliver, **keys)
            if kind == "maildir":
                s.p.clear("well", well, deliver=["maildir:" + other], **keys)
            s.start()
            until(lambda: row(s.p)["last_success"], lambda: s.log())
            if kind == "mailbox":
                fill(where)
            origin.drop.messages = origin_of("pop3", mail).drop.messages
            bad = until(lambda: (r := row(s.p))["error_kind"] == "local" and r, lambda: f"{row(s.p)}\n{s.log()}")
            assert FULL.search(bad["error"]), bad
            if kind == "maildir":
                until(lambda: not left(well), "the other connection")
                assert digests(in_maildir(s.p, other)) == digests(mail)
            assert s.alive()
            resize("64m")
            until(lambda: not left(origin), lambda: f"all delivered: {row(s.p)}\n{s.log()[-2000:]}")
            until(lambda: row(s.p)["error_kind"] == "none", lambda: s.log())
            assert row(s.p)["failures"] == 0
            s.stop()
            arrived = s.octets() if kind == "mailbox" else in_maildir(s.p)
            assert digests(arrived) == digests(mail)
