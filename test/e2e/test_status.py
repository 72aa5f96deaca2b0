# SPDX-License-Identifier: Apache-2.0
"""`status` of connections: who is late, why, and what `--check` says to whoever watches us."""
import pytest

import corpus
from dovecot import free_ports
from pop3d import Maildrop, Pop3d
from postrider import AWAY
from serving import Server, until

WRONG = "not-that-one"


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", [])
        server.p.secrets.add(WRONG)
        yield server


@pytest.fixture
def origin():
    with Pop3d(Maildrop(corpus.small(3))) as o:
        yield o


def box(s, name, origin, **keys):
    s.p.clear(name, origin, **{"deliver": ["mailbox:anna/INBOX"], "after": "keep", "active": "always", "interval": "1h", **keys})


def rows(s):
    return {r["connection"]: r for r in s.p.good("status", "--json").rows()[0]["connections"]}


def ended(s, name):
    return until(lambda: (r := rows(s)[name]) and r["last"] and not r["running"] and r, "the visit's end")


def test_all_is_well(s, origin):
    box(s, "good", origin)
    box(s, "away", origin, active=AWAY)
    box(s, "off", origin, enabled=False)
    s.start()
    row = ended(s, "good")
    assert row["lag"] == 0 and row["attention"] is False and row["idle"] is None and row["idle_alive"] is None, row
    assert not any(r["attention"] or r["lag"] for r in rows(s).values())
    done = s.p.good("status", "--check")
    assert done.out == "all is well\n"
    assert s.p.good("status", "--check", "-q").out == ""
    assert len(s.p.good("status", "--check", "--json").rows()[0]["connections"]) == 3


def test_what_needs_somebody_comes_first(s, origin):
    box(s, "good", origin)
    box(s, "wrong", origin, password=WRONG)
    box(s, "nobody", origin, port=free_ports(1)[0])
    s.start()
    for name in ("good", "wrong", "nobody"):
        ended(s, name)
    row = rows(s)
    assert row["wrong"]["attention"] and row["wrong"]["error_class"] == "fatal"
    assert not row["nobody"]["attention"] and row["nobody"]["error_class"] == "counted", "one failure of the network is nothing yet"
    lines = [line for line in s.p.good("status").out.splitlines() if line[2:].split(" ")[0] in row]
    assert [line.split()[0 if line[0] == " " else 1] for line in lines] == ["wrong", "good", "nobody"], lines
    assert lines[0].startswith("! wrong") and "fatal, auth: " in lines[0] and lines[1].startswith("  good") and "counted, net: " in lines[2], lines
    done = s.p("status", "--check")
    assert done.code == 1 and done.out.startswith("connection wrong: a fatal error (auth): ") and done.out.count("\n") == 1, done
    assert s.p("status", "--check", "-q").code == 1


def test_messages_that_failed_need_somebody(s, origin):
    box(s, "good", origin, on_refused="quarantine", deliver=['command:/bin/sh -c "cat > /dev/null; exit 100"'])
    s.start()
    ended(s, "good")
    until(lambda: rows(s)["good"]["quarantined"] == 3, lambda: str(rows(s)))
    assert s.p.good("status", "--check").out == "all is well\n", "what is quarantined was decided"


def test_words(s):
    s.write()
    assert s.p("status", "--check").code == 1 and "not running" in s.p("status", "--check").err
    assert s.p("status", "--check", "--watch").code == 2
