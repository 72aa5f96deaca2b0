# SPDX-License-Identifier: Apache-2.0
"""Mailboxes that `run` watches while the machine's clock is set (libfaketime; timers go on as before).

`interval` is an hour and the servers of two tests never tell: what comes, comes because `run` looked by itself.
"""
import os
import re

import pytest

import corpus
from elsewhere import preload
from imap_helpers import keys, same
from imapd import Imapd, Mailstore, Script, parse_script
from serving import LIMIT
from test_idle import Watching, watch

MAIL = corpus.small(12)
DAY = 86400


class Clock:
    """A wall clock that can be set while a program runs; CLOCK_MONOTONIC stays what it is."""

    def __init__(self, p):
        self.path = os.path.join(p.home, "clock")
        self.set(0)
        p.variables = {"LD_PRELOAD": preload(), "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, days):
        with open(self.path + ".new", "w", encoding="ascii") as f:
            f.write(f"{days * DAY:+d}\n")
        os.rename(self.path + ".new", self.path)


def test_watched_while_the_clock_is_set(p, dovecot, authority):
    """Forwards and back, before mail comes and behind it: all of it comes, once."""
    clock = Clock(p)
    users = [dovecot.fresh([MAIL[n]]) for n in range(2)]
    for n, user in enumerate(users):
        watch(p, f"box{n}", **keys(dovecot, authority, user))
    with Watching(p, "-v", "-v") as w:
        w.has(2)
        w.idles(2)
        count = 2
        for jumps, days in enumerate((2, -1, 2, 0)):
            dovecot.fill(users[0], [MAIL[count]])
            clock.set(days)
            w.says("clock jump", jumps + 1)
            dovecot.fill(users[1], [MAIL[count + 1]])
            count += 2
            w.has(count)
        assert same(p.in_maildir(), MAIL[:count])


@pytest.mark.parametrize("days", [2, -3])
def test_a_jump_is_followed_by_a_look(p, days):
    """The server forgot whom it was to tell, as one does that slept: nothing but the jump says that there is mail."""
    clock = Clock(p)
    script = "> IDLE\n< + idling\n! arrive something\n> DONE\n< {tag} OK done\n> IDLE\n< + idling\n"
    with Imapd(Mailstore([MAIL[0]]), script=Script(parse_script(script.splitlines()))) as origin:
        p.clear("box", origin, protocol="imap", idle=True, interval="30d", active="always", after="keep")
        with Watching(p, "-v", "-v") as w:
            w.has(1)
            w.idles(1)
            clock.set(days)
            w.has(2)
            w.says(r"clock jump slept=0s set=-?\d+s watched=1")
            moved = int(re.search(r"clock jump slept=0s set=(-?\d+)s watched=1", w.text())[1])
            assert abs(moved - days * DAY) <= LIMIT, w.text()
            w.idles(2)
            assert origin.met == 1
