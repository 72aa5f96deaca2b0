# SPDX-License-Identifier: Apache-2.0
"""`history`: which entries it shows, and in which order; the same over a running instance."""
import pytest

import corpus
from pop3d import Maildrop, Pop3d
from serving import Server

REFUSES = 'command:/bin/sh -c "cat > /dev/null; exit 100"'
DEFERS = 'command:/bin/sh -c "cat > /dev/null; exit 75"'


@pytest.fixture
def origin():
    with Pop3d(Maildrop(corpus.small(6))) as o:
        yield o


def uids(p, *words):
    return [row["uid"] for row in p.good("history", "--json", *words).rows()]


def fill(p, origin):
    """Two messages that are delivered, and three that a target did not take."""
    p.clear("a", origin, after="keep", max_messages=2)
    p.good("collect", "a")
    p.clear("b", origin, after="keep", deliver=[DEFERS], max_messages=2, on_refused="keep")
    p("collect", "b")
    p.clear("c", origin, after="keep", deliver=[REFUSES], max_messages=1, on_refused="keep")
    p("collect", "c")
    return p


@pytest.fixture
def filled(p, origin):
    return fill(p, origin)


def test_a_wrong_state_where_nothing_was_collected(p, origin):
    p.clear("a", origin)
    done = p("history", "--status", "eaten")
    assert done.code == 2 and "there is no state eaten" in done.err, done
    assert p.good("history", "--status", "held").out == ""


def test_by_state(filled):
    p = filled
    assert len(uids(p)) == 5
    assert len(uids(p, "--status", "accepted")) == 2 == len(uids(p, "--status", "delivered"))
    assert len(uids(p, "--status", "held")) == 2
    assert len(uids(p, "--status", "held,refused")) == 3 == len(uids(p, "--status", "held", "--status=refused"))
    assert len(uids(p, "--status", "failed")) == 3
    assert uids(p, "--status", "gone") == []
    done = p("history", "--status", "eaten")
    assert done.code == 2 and "there is no state eaten" in done.err and "refused" in done.err, done


def test_gone_is_disposed(p, origin):
    p.clear("a", origin, after="delete")
    p.good("collect", "a")
    p.good("collect", "a")
    assert len(uids(p, "--status", "disposed")) == 6 == len(uids(p, "--status", "delivered"))
    assert uids(p, "--status", "accepted") == []


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
    assert len(p.good("history", "--limit", "2", "--status", "accepted").out.splitlines()) == 2


def test_beside_a_running_instance(home, authority, origin):
    with Server(home, authority) as s:
        s.write()
        p, asked = fill(s.p, origin), (("--json",), ("--json", "--reverse", "--limit", "3"), ("--status", "held"), ("b", "--target", DEFERS))
        alone = [p.good("history", *words).out for words in asked]
        assert all(alone)
        s.start()
        assert [p.good("history", *words).out for words in asked] == alone
        done = p("history", "--status", "eaten")
        assert done.code == 2 and "there is no state eaten" in done.err, done
