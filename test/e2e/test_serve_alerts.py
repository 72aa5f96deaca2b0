# SPDX-License-Identifier: Apache-2.0
"""Alerts as POP3 clients meet them."""
import poplib

import pytest

import corpus
from serving import PASSWORD, Server, shown

MAIL = corpus.small(3)
ALERT = "-ERR [SYS/PERM] alert: "


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna@client1.com", MAIL)
        server.account("bert@client1.com", MAIL[:1])
        server.account("carl", MAIL[:1])
        yield server


def add(s, *words):
    s.p.good("alert", "add", *words)


def tries(s, user, limit=10):
    """What attempts to log in on one connection are told, until one is let in."""
    out = []
    with s.raw() as c:
        for _ in range(limit):
            c.good(f"USER {user}")
            answer = c.ask(f"PASS {PASSWORD}")
            if answer.startswith("+OK"):
                assert c.good("STAT").startswith("+OK")
                return out
            assert answer.startswith(ALERT), answer
            out.append(answer[len(ALERT):])
    raise AssertionError(out)


def test_alert_after_alert_until_the_login_succeeds(s):
    add(s, "--server", "server")
    add(s, "--domain", "client1.com", "domain")
    s.start()
    add(s, "--account", "anna@client1.com", "account 1")
    add(s, "--account", "anna@client1.com", "account 2")
    assert tries(s, "anna@client1.com") == ["account 1", "account 2", "domain", "server"]
    assert tries(s, "anna@client1.com") == []
    assert tries(s, "bert@client1.com") == ["domain", "server"]
    s.kill()
    s.start()
    assert tries(s, "anna@client1.com") == [] and tries(s, "bert@client1.com") == []
    assert tries(s, "carl") == ["server"]
    add(s, "--server", "once more")
    assert tries(s, "anna@client1.com") == ["once more"]


def test_an_alert_is_no_failed_login_and_no_login(s):
    """Neither counted, nor delayed, nor blocked; and login_delay begins with a login."""
    s.keys |= {"failed_limit": 1, "failed_delay": "30s", "login_delay": "1h"}
    for n in range(5):
        add(s, "--account", "carl", f"alert {n}")
    s.start()
    assert len(tries(s, "carl")) == 5
    assert "login failed" not in s.log() and "blocked" not in s.log()


def test_a_wrong_password_sees_nothing(s):
    add(s, "--account", "carl", "secret words")
    s.start()
    with s.raw() as c:
        c.good("USER carl")
        assert c.bad("PASS wrong", "[AUTH]") and "secret" not in c.ask("NOOP")
    assert tries(s, "carl") == ["secret words"]


def test_what_is_pipelined_behind_it(s):
    """The mailbox stays closed, and every answer is in its place."""
    add(s, "--account", "carl", "x")
    s.start()
    with s.raw() as c:
        c.send(f"USER carl\r\nPASS {PASSWORD}\r\nSTAT\r\nUSER carl\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n")
        assert c.line().startswith("+OK") and c.line() == ALERT + "x" and c.line().startswith("-ERR")
        assert c.line().startswith("+OK") and c.line().startswith("+OK") and c.line().startswith("+OK 1 ") and c.line().startswith("+OK")


def test_poplib_sees_it(s):
    add(s, "--server", "maintenance tonight")
    s.start()
    with pytest.raises(poplib.error_proto, match=r"\[SYS/PERM\] alert: maintenance tonight"):
        box = poplib.POP3("127.0.0.1", s.ports["open"], timeout=20)
        box.user("carl")
        box.pass_(PASSWORD)
    box.close()
    assert tries(s, "carl") == []


def test_the_quota_says_so_itself(s):
    s.p.good("account", "set", "carl", "quota=100KB")
    small = 78 * b"x" + b"\r\n"
    s.fill("carl", (95 * 1024 - len(shown(MAIL[0]))) // len(small) * [small])
    s.start()
    assert tries(s, "carl") == ["mailbox is 94 % full"]
    assert tries(s, "carl") == []
    c = s.login("carl")
    for n in range(1, 1000):
        c.good(f"DELE {n}")
    c.quit()
    assert tries(s, "carl") == []
    s.p.good("account", "set", "carl", "quota=10000B")
    assert tries(s, "carl") == ["mailbox is full: new mail waits until some is removed"]


def test_many_sessions_at_once(s):
    """Each alert is told to one of them."""
    for n in range(4):
        add(s, "--account", "carl", f"alert {n}")
    s.start()
    sessions = [s.raw() for _ in range(12)]
    for c in sessions:
        c.send(f"USER carl\r\nPASS {PASSWORD}\r\n")
    answers = []
    for c in sessions:
        assert c.line().startswith("+OK")
        answers.append(c.line())
    assert sorted(a for a in answers if not a.startswith("+OK")) == [f"{ALERT}alert {n}" for n in range(4)]
