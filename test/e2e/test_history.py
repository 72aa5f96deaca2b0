# SPDX-License-Identifier: Apache-2.0
"""`history`: which entries it shows, and in which order; the same over a running instance."""
import signal

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from serving import Served

REFUSES = "command:/bin/sh -c 'cat > /dev/null; exit 100'"
DEFERS = "command:/bin/sh -c 'cat > /dev/null; exit 75'"


@pytest.fixture
def origin():
    with Pop3d(Maildrop(corpus.small(6))) as o:
        yield o


def uids(p, *words):
    return [row["uid"] for row in p.good("history", "--json", *words).rows()]


def aged(p, monkeypatch=None):
    """Entries of two connections, the second one's two messages a while younger."""


@pytest.fixture
def filled(p, origin):
    """Two messages that are delivered, one gone, and three that a target did not take."""
    p.clear("a", origin, after="keep", max_messages=2)
    p.good("collect", "a")
    p.clear("b", origin, after="keep", deliver=[DEFERS], max_messages=2, on_refused="keep")
    p("collect", "b")
    p.clear("c", origin, after="keep", deliver=[REFUSES], max_messages=1, on_refused="keep")
    p("collect", "c")
    return p


def test_by_state(filled):
    p = filled
    assert len(uids(p)) == 5
    assert len(uids(p, "--state", "accepted")) == 2 == len(uids(p, "--state", "delivered"))
    assert len(uids(p, "--state", "held")) == 2
    assert len(uids(p, "--state", "held,refused")) == 3 == len(uids(p, "--state", "held", "--state=refused"))
    assert len(uids(p, "--state", "failed")) == 3
    assert uids(p, "--state", "gone") == []
    done = p("history", "--state", "eaten")
    assert done.code == 2 and "there is no state eaten" in done.err and "refused" in done.err, done
    assert p("history", "--state", "held,").code == 2


def test_gone_is_disposed(p, origin):
    p.clear("a", origin, after="delete")
    p.good("collect", "a")
    p.good("collect", "a")
    assert len(uids(p, "--state", "disposed")) == 6 == len(uids(p, "--state", "delivered"))
    assert uids(p, "--state", "accepted") == []


def test_by_uid_and_target(filled, origin):
    p = filled
    first = origin.drop.snapshot()[0].uidl
    assert uids(p, "--uid", first) == [first] * 3
    assert uids(p, "a", "--uid", first) == [first]
    assert uids(p, "--uid", first[:-1]) == []
    assert len(uids(p, "--target", DEFERS)) == 2
    assert len(uids(p, "--target", REFUSES)) == 1
    assert uids(p, "--target", "maildir:" + p.maildir) == []
    done = p("history", "--target", "nowhere")
    assert done.code == 2 and "there is no target nowhere" in done.err, done


def test_by_moment(filled):
    p = filled
    rows = p.good("history", "--json").rows()
    latest, oldest = max(r["first_seen"] for r in rows), min(r["first_seen"] for r in rows)
    assert len(uids(p, "--since", "1h")) == 5 == len(uids(p, "--since", oldest))
    assert uids(p, "--since", "2999-01-01") == [] == uids(p, "--until", "1h")
    assert len(uids(p, "--until", latest)) == 5
    assert len(uids(p, "--since", latest)) == sum(r["first_seen"] == latest for r in rows)
    east = f"{latest[:11]}{(int(latest[11:13]) + 2) % 24:02d}{latest[13:19]}+02:00"
    if int(latest[11:13]) < 22:
        assert uids(p, "--since", east) == uids(p, "--since", latest)
    for bad in ("yesterday", "7", "2026-13-01", "2026-11-21T04:05", "", "7w"):
        done = p("history", "--since", bad)
        assert done.code == 2 and "--since" in done.err, done


def test_order_and_limit(filled):
    p = filled
    rows = p.good("history", "--json").rows()
    ids = [r["id"] for r in rows]
    assert [r["first_seen"] for r in rows] == sorted(r["first_seen"] for r in rows)
    assert [r["id"] for r in p.good("history", "--json", "--reverse").rows()] == ids[::-1]
    for limit in range(7):
        n = min(limit, 5)
        assert [r["id"] for r in p.good("history", "--json", "--limit", str(limit)).rows()] == ids[5 - n:]
        assert [r["id"] for r in p.good("history", "--json", "--reverse", "--limit", str(limit)).rows()] == ids[::-1][:n]
    assert p("history", "--limit", "-1").code == 2 and p("history", "--limit", "many").code == 2
    assert len(p.good("history", "--limit", "2", "--state", "accepted").out.splitlines()) == 2


def test_beside_a_running_instance(filled, origin):
    p = filled
    alone = p.good("history", "--json").out, p.good("history", "--json", "--reverse", "--limit", "3").out, p.good("history", "--state", "held").out
    s = Served(p).start()
    try:
        assert (p.good("history", "--json").out, p.good("history", "--json", "--reverse", "--limit", "3").out,
                p.good("history", "--state", "held").out) == alone
        done = p("history", "--state", "eaten")
        assert done.code == 2 and "there is no state eaten" in done.err, done
    finally:
        s.stop(signal.SIGTERM)
