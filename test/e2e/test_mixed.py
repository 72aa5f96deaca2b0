# SPDX-License-Identifier: Apache-2.0
"""Slow and failing connections beside healthy ones of the same hosts: all of those are visited, again and again."""
import os
from collections import Counter

import pytest

from mixed import Mixed
from serving import Server, until

SHARES = {"pop3": 12, "imap": 6, "refused": 3, "hangs": 9, "drips": 3, "slow": 3, "denies": 3}
HOSTS = 2           # of each, nine that never greet: more than max_per_host


@pytest.fixture
def world(home, authority):
    with Server(home, authority) as s, Mixed(HOSTS, os.path.join(str(home), "events")) as m:
        s.account("anna", [])
        for host in m.hosts:
            for kind, count in SHARES.items():
                for n in range(count):
                    name = f"{kind}-{host.rpartition('.')[2]}-{n}"
                    s.p.connection(name, **{**m.keys(kind, host, name), "interval": "2s", "timeout": "1h", "active": "always",
                                            "deliver": ["mailbox:anna/INBOX"]})
        yield s, m


def test_the_healthy_ones_come_again_and_again(world):
    s, m = world
    s.start()

    def visits():
        return Counter(e[3] for e in m.events() if e[4] == "in" and e[2] in ("pop3", "imap"))

    def all_came():
        seen = visits()
        return len(seen) == HOSTS * (SHARES["pop3"] + SHARES["imap"]) and min(seen.values()) >= 3
    until(all_came, lambda: f"{visits()}\n{s.log()[-3000:]}", limit=300)    # none of those that hang times out in that
    denied = Counter(e[3] for e in m.events() if e[4] == "denied")
    assert set(denied.values()) <= {1}
