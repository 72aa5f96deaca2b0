# SPDX-License-Identifier: Apache-2.0
"""Mailboxes that `run` watches while no packet arrives, or the server's processes stand still; mail comes meanwhile."""
import contextlib
import os
import signal
import subprocess
import time

import pytest

import corpus
from dovecot import Dovecot
from elsewhere import own_network
from imap_helpers import keys, same
from test_idle import Watching, watch

MAIL = corpus.small(12)
SHORT = {"timeout": "2s", "interval": "2s", "delay_failed_host": "1s", "retry_interval": "1s"}


@contextlib.contextmanager
def nothing_arrives():
    """A queue for less than any packet has: all are dropped on the way out, and nobody is told."""
    subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "bfifo", "limit", "1"], check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


def processes(d):
    """Dovecot's, its master first."""
    found = [d.process.pid]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):      # one that ended meanwhile
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == d.process.pid:
                    found.append(int(pid))
    return found


@contextlib.contextmanager
def stands_still(d):
    stopped = []
    try:
        for pid in processes(d):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        yield
    finally:
        for pid in reversed(stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def goes_on(d, user, w, count):
    """It watches again, and what comes now comes, too; each message once."""
    before = w.text().count("idle begin")
    d.fill(user, [MAIL[count]])
    w.has(count + 1)
    w.idles(before + 1)
    assert same(w.p.in_maildir(), MAIL[:count + 1])


@own_network
def test_nothing_arrives_for_a_while(p, authority):
    with Dovecot(authority) as d:
        user = d.fresh(MAIL[:1])
        watch(p, "box", **keys(d, authority, user), **SHORT)
        with Watching(p, "-v", "-v") as w:
            w.has(1)
            w.idles()
            with nothing_arrives():
                d.fill(user, [MAIL[1]])
                w.says("the session that watched is dead")
                w.says("visit next=")           # and there was no other to be had
                d.fill(user, [MAIL[2]])
                assert len(p.in_maildir()) == 1
            w.has(3)
            goes_on(d, user, w, 3)


@own_network
def test_nothing_arrives_and_nobody_notices(p, authority):
    """What was told meanwhile comes late, by TCP itself."""
    with Dovecot(authority) as d:
        user = d.fresh(MAIL[:1])
        watch(p, "box", **keys(d, authority, user))
        with Watching(p, "-v", "-v") as w:
            w.has(1)
            w.idles()
            with nothing_arrives():
                d.fill(user, [MAIL[1]])
                time.sleep(1)
                assert len(p.in_maildir()) == 1
            w.has(2)
            goes_on(d, user, w, 2)
            assert "idle lost" not in w.text() and "is dead" not in w.text()


@pytest.mark.parametrize("noticed", [True, False])
def test_a_server_that_stands_still(p, authority, noticed):
    with Dovecot(authority) as d:
        user = d.fresh(MAIL[:1])
        watch(p, "box", **keys(d, authority, user), **(SHORT if noticed else {}))
        with Watching(p, "-v", "-v") as w:
            w.has(1)
            w.idles()
            with stands_still(d):
                d.fill(user, [MAIL[1]])
                if noticed:
                    w.says("the session that watched is dead")
                    w.says("visit next=")
                assert len(p.in_maildir()) == 1
            w.has(2)
            goes_on(d, user, w, 2)
