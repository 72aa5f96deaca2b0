# SPDX-License-Identifier: Apache-2.0
"""IDLE and NOTIFY of our IMAP session, alone, against a real Dovecot: idle_lines.c drives it, and lets it rest whenever it may."""
import contextlib
import os
import select
import subprocess

import pytest

import corpus
import postrider as program
from dovecot import Dovecot

LINES = os.path.join(os.path.dirname(program.PROGRAM), "test", "idle_lines")
MAIL, GONE, FLAGS = "1", "2", "4"


@pytest.fixture(scope="module")
def listed(authority):
    """With an index of its list, which NOTIFY reads."""
    with Dovecot(authority, more="mailbox_list_index = yes\n") as d:
        yield d


class Session:
    def __init__(self, d, user, box="INBOX"):
        self.process = subprocess.Popen([LINES, str(d.imap), user, d.password, box], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.held = b""
        assert self.event("ready") and self.event("done")

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, seconds=60):
        while b"\n" not in self.held:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                return None
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, "it ended"
            self.held += more
        line, self.held = self.held.split(b"\n", 1)
        return line.decode().split(" ")

    def event(self, what, flags=None, name=None):
        """The next event of this kind: [what, flags, UIDNEXT, UIDVALIDITY, messages, text…]; the others are passed over."""
        while (got := self.line()) is not None:
            assert got[0] != "failed" or what == "failed", got
            if got[0] == what and flags in (None, got[1]) and name in (None, " ".join(got[5:])):
                return got
        raise AssertionError(f"no {what} {flags} {name}")

    def until_done(self):
        """Of each mailbox that is told of until then: [UIDNEXT, UIDVALIDITY, messages]"""
        told = {}
        while (got := self.line()) is not None and got[0] == "news":
            told[" ".join(got[5:])] = got[2:5]
        assert got and got[0] == "done", got
        return told

    def news(self, name, uid_next=None):
        """Of this mailbox.  Dovecot holds some back until the next command, and tells others again: NOOP until it comes."""
        for _ in range(120):
            got = self.line(0.5)
            if got is None:
                self.say("noop")
            elif got[0] == "news":
                assert got[5:] != ["other"], got
                if " ".join(got[5:]) == name and uid_next in (None, got[2]):
                    return
            else:
                assert got[0] in ("done", "message"), got
        raise AssertionError(f"no news of {name}")


@contextlib.contextmanager
def session(d, user, box="INBOX"):
    s = Session(d, user, box)
    try:
        yield s
    finally:
        s.process.stdin.close()
        s.process.stdout.close()
        s.process.terminate()
        s.process.wait(30)


def append(client, box="INBOX"):
    assert client.imap.append(box, None, None, corpus.small(1)[0])[0] == "OK"


def test_idle(dovecot):
    user = dovecot.fresh(corpus.small(2))
    with session(dovecot, user) as s, dovecot.client(user) as c:
        for _ in range(2):
            s.say("idle")
            s.event("idling")
            append(c)
            s.event("news", MAIL)
            c.store([1], "+FLAGS", "(\\Seen)")
            s.event("news", FLAGS)
            c.store([1], "-FLAGS", "(\\Seen)")
            s.event("news", FLAGS)
            s.say("done")
            s.event("done")
        s.say("idle")
        s.event("idling")
        c.store([1], "+FLAGS", "(\\Deleted)")
        c.expunge([1])
        s.event("news", GONE)
        s.say("done")
        s.event("done")


def test_done_at_once(dovecot):
    user = dovecot.fresh(corpus.small(1))
    with session(dovecot, user) as s, dovecot.client(user) as c:
        for _ in range(20):
            s.say("idle\ndone")
            s.event("done")
        append(c)
        s.say("idle")
        s.event("news", MAIL)
        s.say("done")
        s.event("done")
        s.say("logout")
        s.event("bye")


def test_the_server_is_restarted(authority):
    with Dovecot(authority) as d:
        user = d.fresh(corpus.small(1))
        with session(d, user) as s:
            s.say("idle")
            s.event("idling")
            d.stop()
            assert " ".join(s.event("failed")[5:])


@pytest.mark.parametrize("idles", [False, True])
def test_notify(listed, idles):
    """One connection is told of three mailboxes; of the fourth, which nobody asked for, nothing."""
    user = listed.fresh(corpus.small(1))
    with listed.client(user) as c:
        for box in ("a", "b", "other"):
            c.create(box)
        append(c, "a")
        with session(listed, user) as s:
            s.say("notify a b")
            told = s.until_done()
            assert set(told) == {"a", "b"}, told
            assert told["a"][0] == "2" and told["a"][1] != "0" and told["a"][2] == "1" and told["b"][::2] == ["1", "0"], told
            if idles:           # within one IDLE, Dovecot 2.3 may tell the first of them alone, or none
                s.say("idle")
                s.event("idling")
            append(c, "other")
            append(c, "b")
            if idles:
                s.say("done")
                s.event("done")
            s.news("b", "2")
            append(c)
            s.news("")
            append(c, "a")
            s.news("a", "3")


def test_notify_of_all(listed):
    user = listed.fresh(corpus.small(1))
    with listed.client(user) as c:
        c.create("lists/a b")
        with session(listed, user) as s:
            s.say("personal")
            assert "lists/a b" in s.until_done()
            append(c, '"lists/a b"')
            s.news("lists/a b", "2")
            c.create("new")
            append(c, "new")
            s.news("new", "2")


def test_notify_none(listed):
    """Nothing is told after it, of the selected mailbox neither."""
    user = listed.fresh(corpus.small(1))
    with listed.client(user) as c:
        with session(listed, user) as s:
            s.say("personal")
            s.until_done()
            s.say("none")
            s.event("done")
            append(c)
            s.say("noop")
            assert s.until_done() == {}
