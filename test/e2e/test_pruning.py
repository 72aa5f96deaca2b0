# SPDX-License-Identifier: Apache-2.0
"""What a ledger forgets by itself (history_keep), by visits and by a running instance, and that nothing comes twice for it."""
import time

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from serving import Server, until

MAIL = corpus.small(5)
DEFERS = 'command:/bin/sh -c "cat > /dev/null; exit 75"'


@pytest.fixture
def origin():
    with Pop3d(Maildrop(MAIL)) as o:
        yield o


def states(p, *words):
    return sorted(r["state"] for r in p.good("history", "box", "--json", *words).rows())


def next_second():
    """Moments in a ledger are whole seconds."""
    now = int(time.time())
    until(lambda: int(time.time()) > now, "the clock")


def test_kept_for_thirty_days(p, origin):
    p.clear("box", origin, after="delete")
    for _ in range(3):
        p.good("collect", "box")
        next_second()
    assert states(p) == ["gone"] * 5


def test_visits_forget(p, origin):
    p.clear("box", origin, after="delete", history_keep="1s")
    assert p.good("collect", "box").summary()["box"]["collected"] == 5
    until(lambda: p.good("collect", "box") and not states(p), lambda: str(states(p)))
    assert len(p.in_maildir()) == 5
    origin.drop.add(MAIL[0])        # the same octets, another message: it came, so it is delivered
    assert p.good("collect", "box").summary()["box"]["collected"] == 1
    assert len(p.in_maildir()) == 6


def test_what_is_listed_stays(p, origin):
    p.clear("box", origin, after="keep", history_keep="1s")
    p.good("collect", "box")
    for _ in range(3):
        next_second()
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
    assert states(p) == ["accepted"] * 5 and len(p.in_maildir()) == 5


def test_what_is_held_stays(p, origin):
    """Its message left the server before the target had it: the copy is all there is, and the entry knows it."""
    p.clear("box", origin, after="keep", history_keep="1s", deliver=[DEFERS])
    p("collect", "box")
    assert states(p) == ["held"] * 5
    origin.drop.remove(origin.drop.snapshot())
    for _ in range(4):
        p("collect", "box")
        next_second()
    assert states(p) == ["gone"] * 5 and len(p.good("held", "list", "--json").rows()) == 5
    assert all(r["copies"] for r in p.good("history", "--json").rows())
    p.clear("box", origin, after="keep", history_keep="1s", deliver=["maildir:" + p.maildir])
    for row in p.good("held", "list", "--json").rows():
        p.good("held", "remove", row["id"])
    until(lambda: p("collect", "box") and not states(p), lambda: str(states(p)))


def test_a_running_instance_forgets(home, authority, origin):
    """Without a visit: none is due in days."""
    with Server(home, authority) as s:
        s.write()
        p = s.p
        p.clear("box", origin, after="delete")
        p.clear("for-ever", origin, after="keep", history_keep=0)
        p.good("collect", "box")
        origin.drop.add(MAIL[1])
        p.good("collect", "box")
        p.good("collect", "box")
        next_second()
        p.good("collect", "box")        # a listing after the one that missed them
        assert states(p) == ["gone"] * 6
        p.clear("box", origin, after="delete", history_keep="1s")
        next_second()
        next_second()
        logins = len(origin.verbs("PASS"))
        s.start()
        until(lambda: not states(p), lambda: str(states(p)))
        assert len(origin.verbs("PASS")) == logins, "nobody asked the server"
        s.stop()
        assert "connection=box history forgotten entries=6 keep=1" in s.log()
        assert p.good("collect", "box").summary()["box"]["collected"] == 0 and len(p.in_maildir()) == 6


def test_a_reload_begins_anew(home, authority, origin):
    with Server(home, authority) as s:
        s.write()
        p = s.p
        p.clear("box", origin, after="delete", history_keep=0)
        p.good("collect", "box")
        p.good("collect", "box")
        next_second()
        p.good("collect", "box")
        s.start()
        assert states(p) == ["gone"] * 5
        p.clear("box", origin, after="delete", history_keep="1s")
        s.reload()
        until(lambda: not states(p), lambda: str(states(p)))
