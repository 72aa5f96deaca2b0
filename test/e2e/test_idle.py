# SPDX-License-Identifier: Apache-2.0
"""Mailboxes that `run` watches by IMAP IDLE and NOTIFY: at a real Dovecot, and at servers that do it wrongly.

`interval` is an hour: what comes, comes because the server told it.
"""
import os
import re
import signal

import pytest

import corpus
from dovecot import Dovecot
from imap_helpers import keys, same
from imap_parse import quoted
from imapd import Imapd, Mailstore, Script, parse_script, without
from oauth_helpers import Running
from serving import until

MAIL = corpus.small(12)


def watch(p, name, **more):
    p.connection(name, **{"idle": True, "interval": "1h", "active": "always", "after": "keep", **more})


class Watching(Running):
    """`run -v`, its log, and what it watches."""

    def idles(self, count=1):
        until(lambda: self.text().count("idle begin") >= count, self.text)

    def has(self, count):
        until(lambda: len(self.p.in_maildir()) >= count, self.text)
        assert len(self.p.in_maildir()) == count

    def says(self, what, count=1):
        until(lambda: len(re.findall(what, self.text())) >= count, lambda: f"{what}: {self.text()}")

    def reload(self):
        self.p.write()
        before = self.text().count("reloaded")
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.text().count("reloaded") > before, self.text)


def append(d, user, name, octets):
    """By Dovecot itself: of a file that somebody else puts into a Maildir, it notifies only whoever has that one selected."""
    with d.client(user) as c:
        c.ask("APPEND", quoted(name), None, None, octets)


def logins(d, user):
    return len(re.findall(rf"imap-login: Info: Login: user=<{user}>", d.log()))


@pytest.mark.parametrize("after", ["keep", "delete", "seen", "move:Done"])
def test_what_comes_is_fetched_at_once_by_the_same_session(p, dovecot, authority, after):
    user = dovecot.fresh(MAIL[:2])
    watch(p, "box", **keys(dovecot, authority, user, after=after))
    with Watching(p, "-v", "-v") as w:
        w.has(2)
        for n in range(2, 6):
            w.idles(n - 1)
            dovecot.fill(user, [MAIL[n]])
            w.has(n + 1)
        w.idles(5)
        assert same(p.in_maildir(), MAIL[:6])
        assert logins(dovecot, user) == 1
        until(lambda: len(dovecot.left(user)) == (6 if after in ("keep", "seen") else 0), lambda: dovecot.left(user))


@pytest.mark.parametrize("mode", ["explicit", "implicit"])
def test_over_each_kind_of_tls(p, dovecot, authority, mode):
    user = dovecot.fresh(MAIL[:1])
    watch(p, "box", **keys(dovecot, authority, user, mode))
    with Watching(p, "-v", "-v") as w:
        w.idles()
        dovecot.fill(user, MAIL[1:3])
        w.has(3)


@pytest.mark.parametrize("notify", [True, False])
def test_several_mailboxes(p, authority, notify):
    """With NOTIFY all of them; without, the first, and what lies in the others is found when that has news."""
    with Dovecot(authority, more="" if notify else "imap_capability = IMAP4rev1 IDLE UIDPLUS ESEARCH CONDSTORE\n") as d:
        user = d.fresh(MAIL[:1])
        for name in ("lists/a", "lists/b"):
            d.fill(user, [], name)
        watch(p, "box", **keys(d, authority, user), mailbox=["INBOX", "lists/*"])
        with Watching(p, "-v", "-v") as w:
            w.has(1)
            w.idles(2 if notify else 1)     # the first look behind NOTIFY comes at once
            append(d, user, "lists/b", MAIL[1])
            if notify:
                w.has(2)
            append(d, user, "INBOX", MAIL[2])
            w.has(3)
            if notify:
                append(d, user, "lists/a", MAIL[3])
                w.has(4)
            assert logins(d, user) == (4 if notify else 3), "ours, and those that put the mail there"


def test_a_server_that_goes_and_comes_back(p, authority):
    with Dovecot(authority) as d:
        user = d.fresh(MAIL[:1])
        watch(p, "box", **keys(d, authority, user))
        with Watching(p, "-v", "-v") as w:
            w.idles()
            ports = d.pop3, d.pop3s, d.imap, d.imaps
            d.stop()
            w.says("idle lost")
            d.fill(user, [MAIL[1]])
            d.start(ports)
            w.has(2)
            w.idles(2)
            d.fill(user, [MAIL[2]])
            w.has(3)


def test_a_reload_keeps_what_did_not_change(p, dovecot, authority):
    users = [dovecot.fresh(MAIL[:1]) for _ in range(3)]
    for n, user in enumerate(users):
        watch(p, f"box{n}", **keys(dovecot, authority, user))
    with Watching(p, "-v", "-v") as w:
        w.idles(3)
        watch(p, "box1", **keys(dovecot, authority, users[1]), description="another")
        del p.sections["box2"]
        w.reload()
        w.idles(4)
        assert [logins(dovecot, user) for user in users] == [1, 2, 1]
        for n in range(3):
            dovecot.fill(users[n], [MAIL[1 + n]])
        w.has(5)
        assert MAIL[3] not in p.in_maildir()


def test_the_service_stops_and_starts(p, dovecot, authority):
    user = dovecot.fresh(MAIL[:1])
    watch(p, "box", **keys(dovecot, authority, user))
    with Watching(p, "-v", "-v") as w:
        w.idles()
        p.good("service", "stop", "collect")
        dovecot.fill(user, [MAIL[1]])
        p.good("service", "start", "collect")
        w.has(2)
        w.idles(2)


def test_a_visit_by_hand_takes_the_session(p, dovecot, authority):
    user = dovecot.fresh(MAIL[:1])
    watch(p, "box", **keys(dovecot, authority, user))
    with Watching(p, "-v", "-v") as w:
        w.idles()
        done = p.good("collect", "box")
        assert done.summary()["box"]["collected"] == 0, done
        w.idles(2)
        p.good("test", "box")
        assert logins(dovecot, user) == 2, "the test has a session of its own"


def test_more_connections_than_the_server_takes(p, authority):
    """One session less than it allows is left watching, so that the others can be polled; nothing is lost."""
    with Dovecot(authority, more="mail_max_userip_connections = 2\n") as d:
        user = d.fresh(MAIL[:1])
        for n in range(3):
            d.fill(user, [MAIL[1 + n]], f"f{n}")
            watch(p, f"box{n}", **keys(d, authority, user), mailbox=[f"f{n}"], interval="2s", delay_failed_host="1s")
        last = p.sections.pop("box2")
        p.write()
        with Watching(p, "-v", "-v") as w:
            w.idles(2)          # who logs in at the same time is not counted by the others: Dovecot lets three in
            p.sections["box2"] = last
            w.reload()
            w.has(3)
            w.says("too many sessions of this account")
            for n in range(3):
                d.fill(user, [MAIL[4 + n]], f"f{n}")
            w.has(6)


# ---- servers that do it wrongly

def scripted(text="", caps=None):
    return Imapd(Mailstore([MAIL[0]]), script=Script(parse_script(text.splitlines())) if text else None, **({"caps": caps} if caps else {}))


def look(p, w, origin):
    """A visit by hand finds what is there."""
    done = p.good("collect", "box")
    assert done.summary()["box"]["failed"] == 0, done


@pytest.mark.parametrize("caps", [without("IDLE"), None])
def test_no_idle(p, caps):
    """Not offered, or refused: it is polled."""
    with scripted("" if caps else "> IDLE\n< {tag} NO not today\n", caps) as origin:
        p.clear("box", origin, protocol="imap", idle=True, interval="1h", active="always", after="keep")
        with Watching(p, "-v", "-v") as w:
            w.has(1)
            if not caps:
                w.says("refuses IDLE")
            look(p, w, origin)
            look(p, w, origin)
            assert len(origin.verbs("IDLE")) == (0 if caps else 1)


ANSWERED = "> DONE\n< {tag} OK done\n"


@pytest.mark.parametrize("script", [
    "> IDLE\n< + idling\n! arrive {text}\n< * 2 EXISTS\n> IDLE\n< + idling\n" + ANSWERED,
    "> IDLE\n! arrive {text}\n< * 2 EXISTS\n< + idling\n> IDLE\n< + idling\n" + ANSWERED,
    "> IDLE\n< + idling\n! arrive {text}\n< * OK Still here\n< {tag} OK enough\n> IDLE\n< + idling\n" + ANSWERED,
    "> IDLE\n< + idling\n! arrive {text}\n< * BYE going down\n! close\n> IDLE\n< + idling\n" + ANSWERED,
    "> IDLE\n! arrive {text}\n! close\n> IDLE\n< + idling\n" + ANSWERED,
], ids=["told", "told before it began", "ended by the server", "BYE", "closed"])
def test_what_a_server_tells_or_does_not(p, script):
    with scripted(script.replace("{text}", "anything")) as origin:
        p.clear("box", origin, protocol="imap", idle=True, interval="1h", active="always", after="keep")
        with Watching(p, "-v", "-v") as w:
            w.has(2)
            until(lambda: len(origin.verbs("IDLE")) == 2, w.text)


def test_a_server_that_ends_it_again_and_again(p):
    with scripted("> IDLE\n< + idling\n! close\n") as origin:
        p.clear("box", origin, protocol="imap", idle=True, interval="1h", active="always", after="keep")
        with Watching(p, "-v", "-v") as w:
            w.says("polled instead, for an hour")
            look(p, w, origin)
            assert len(origin.verbs("IDLE")) == 3


def test_a_session_that_is_dead(p):
    """It said nothing and does not answer: the next visit goes on with a fresh one."""
    with scripted("> IDLE\n< + idling\n> DONE\n! hang\n> IDLE\n< + idling\n") as origin:
        p.clear("box", origin, protocol="imap", idle=True, interval="1h", active="always", after="keep", timeout="1s")
        with Watching(p, "-v", "-v") as w:
            w.idles()
            look(p, w, origin)
            w.says("the session that watched is dead")
            assert origin.met == 2


def test_no_secret_is_told_of_it(p, dovecot, authority):
    """The password's command is not run again for a session that is there; nothing of it shows at the highest verbosity."""
    user, ran = dovecot.fresh(MAIL[:1]), os.path.join(p.home, "ran")
    watch(p, "box", **keys(dovecot, authority, user), password=f"command:echo x >> {ran}; echo {dovecot.password}", trace="wire")
    with Watching(p, "-v", "-v") as w:
        w.idles()
        dovecot.fill(user, [MAIL[1]])
        w.has(2)
        w.idles(2)
        with open(ran, encoding="ascii") as f:
            assert f.read() == "x\n"
