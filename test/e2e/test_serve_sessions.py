# SPDX-License-Identifier: Apache-2.0
"""What sessions do to mailboxes: nothing but what QUIT says; snapshots; \\Seen (PRODUCT section 3)."""
import re

import pytest

import corpus
from serving import LIMIT, Server, shown, until

MAIL = corpus.small(6)
SHOWN = [shown(m) for m in MAIL]


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        yield server


def marked(s, *numbers, name="open"):
    c = s.login(name=name)
    for n in numbers:
        c.good(f"DELE {n}")
    return c


# ---- deletion

def by_fin(c):
    c.close()


def by_rst(c):
    c.reset()


def by_half_close(c):
    c.half_close()
    c.closed()
    c.close()


def amid_a_message(c):
    c.send("RETR 1\r\n" * 100)
    c.line()
    c.reset()


def amid_a_command(c):
    c.send("QUI")
    c.close()


def by_an_overlong_command(c):
    c.send("QUIT" + " " * 600 + "\r\nQUIT\r\n")
    c.rest()
    c.close()


WHY = {by_fin: ["closed", "broken"], by_rst: ["broken"], by_half_close: ["closed"], amid_a_message: ["broken"],
       amid_a_command: ["closed", "broken"], by_an_overlong_command: ["overlong"]}     # TLS's end is missing: broken


@pytest.mark.parametrize("name", ["open", "tls"])
@pytest.mark.parametrize("drop", WHY)
def test_a_dropped_session_deletes_nothing(s, drop, name):
    if name == "tls" and drop is by_half_close:
        pytest.skip("TLS of Python has no half-close")
    s.keys["overlong"] = "drop"
    s.account("anna", MAIL)
    s.start()
    drop(marked(s, 1, 3, 6, name=name))
    end, = s.wait_sessions(1)
    assert end["deleted"] == "0" and end["user"] == "anna" and end["reason"] in WHY[drop], end
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 6 ")
        c.quit()
    s.stop()
    assert s.octets() == SHOWN


def test_a_killed_service_deletes_nothing_either(s):
    s.account("anna", MAIL)
    s.start()
    c = marked(s, 1, 2)
    s.kill()
    c.rest()
    assert s.octets() == SHOWN


def test_quit_deletes_what_was_marked_and_nothing_else(s):
    s.account("anna", MAIL)
    s.account("ben", MAIL)
    s.start()
    with marked(s, 2, 5, 6) as c:
        c.quit()
    end, = s.wait_sessions(1)
    assert end["deleted"] == "3" and end["reason"] == "quit" and end["messages"] == "0"
    with marked(s, 1) as c:
        c.good("RSET")
        c.quit()
    with s.login() as c:
        assert [c.message(f"RETR {n}") for n in (1, 2, 3)] == [SHOWN[0], SHOWN[2], SHOWN[3]]
        c.quit()
    s.stop()
    assert s.octets() == [SHOWN[0], SHOWN[2], SHOWN[3]] and s.octets("ben") == SHOWN


def test_uidls_are_never_used_twice(s):
    s.account("anna", MAIL)
    known = []
    for _ in range(3):
        s.start()
        with s.login() as c:
            uids = [line.split()[1] for line in c.multi("UIDL")]
            assert all(re.fullmatch("[!-~]{1,70}", u) for u in uids)
            kept = [u for u in uids if u in known]
            assert kept == known[-len(kept):] if kept else not known
            known += [u for u in uids if u not in known]
            for n in range(1, len(uids)):
                c.good(f"DELE {n}")
            c.quit()
        s.stop()
        s.fill("anna", MAIL)
    assert len(known) == len(set(known)) == 6 + 6 + 6


def test_a_thousand_and_one_messages(s):
    mail = corpus.small(1001, 100)
    s.account("anna", mail)
    s.start()
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 1001 ")
        assert len(c.multi("LIST")) == len(set(line.split()[1] for line in c.multi("UIDL"))) == 1001
        c.send("".join(f"RETR {n}\r\n" for n in range(1, 1002)))
        for octets in mail:
            c.line()
            assert c.block() == shown(octets)
        c.send("".join(f"DELE {n}\r\n" for n in range(1, 1002) if n != 777))
        for _ in range(1000):
            assert c.line().startswith("+OK")
        c.quit()
    with s.login() as c:
        assert c.message("RETR 1") == shown(mail[776]) and c.good("STAT").startswith("+OK 1 ")
        c.quit()


# ---- a session is a snapshot

def test_two_sessions_on_one_mailbox(s):
    s.account("anna", MAIL)
    s.start()
    with s.login() as one, s.login(name="tls") as other:
        before = other.good("STAT"), other.multi("LIST"), other.multi("UIDL")
        assert other.message("RETR 1") == SHOWN[0]
        for n in (1, 3):
            one.good(f"DELE {n}")
        assert other.message("RETR 3") == SHOWN[2]      # only marked
        one.quit()
        for command in ("RETR 1", "RETR 3", "TOP 1 0", "TOP 3 5"):
            other.bad(command)
        assert (other.good("STAT"), other.multi("LIST"), other.multi("UIDL")) == before
        assert other.message("RETR 2") == SHOWN[1] and other.message("RETR 6") == SHOWN[5]
        for n in (1, 2):        # one that is gone already, and one that is not
            other.good(f"DELE {n}")
        other.quit()
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 3 ")
        c.quit()
    s.stop()
    assert s.octets() == SHOWN[3:]


def test_both_sessions_delete_the_same(s):
    s.account("anna", MAIL)
    s.start()
    with marked(s, 1, 2, 3) as one, marked(s, 2, 3, 4) as other:
        one.send("QUIT\r\n")
        other.send("QUIT\r\n")
        assert one.line().startswith("+OK") and other.line().startswith("+OK")
        one.closed()
        other.closed()
    s.stop()
    assert s.octets() == SHOWN[4:]


def test_mail_that_arrives_shows_in_the_next_session(s):
    s.account("anna", MAIL[:5])
    s.start()
    with s.login() as c:
        where = s.put(MAIL[5:])
        done = s.p("mailbox", "import", "anna/INBOX", "eml:" + where)
        assert done.code == 0, done
        assert c.good("STAT").startswith("+OK 5 ") and len(c.multi("LIST")) == 5
        c.bad("RETR 6")
        c.good("DELE 1")
        c.quit()
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 5 ") and c.message("RETR 5") == SHOWN[5]
        c.quit()


# ---- \Seen

def seen_after(s, use, end):
    s.start()
    with s.login() as c:
        use(c)
        end(c)
    s.wait_sessions(1)
    s.stop()
    return s.seen()


def look(c):
    c.multi("LIST")
    c.multi("UIDL")
    c.message("TOP 1 0")
    c.message("TOP 2 10000")
    c.good("DELE 3")
    c.good("RSET")


def read_two(c):
    look(c)
    c.message("RETR 4")
    c.message("RETR 2")
    c.message("RETR 2")
    c.bad("RETR 9")


@pytest.mark.parametrize("end", [lambda c: c.quit(), lambda c: c.close(), lambda c: c.reset()], ids=["quit", "close", "reset"])
def test_retr_sets_seen_nothing_else_does(s, end):
    s.account("anna", MAIL)
    assert seen_after(s, look, end) == []
    assert seen_after(s, read_two, end) == sorted([SHOWN[1], SHOWN[3]])
    assert s.octets() == SHOWN


def test_after_retr_seen_can_be_off(s):
    s.keys["after_retr_seen"] = False
    s.account("anna", MAIL)
    assert seen_after(s, read_two, lambda c: c.quit()) == []


def test_what_was_sent_by_half_was_not_read(s):
    big = corpus.small(1, 3_000_000)[0]
    s.account("anna", [big])
    s.start()
    c = s.login(buffer=4096)
    c.send("RETR 1\r\n")
    c.line()
    c.reset()
    s.wait_sessions(1)
    s.stop()
    assert s.seen() == []


# ---- who else uses the store

def test_a_second_run_says_who_has_the_store(s):
    s.account("anna", MAIL)
    s.start()
    second = s.p("run", limit=LIMIT)
    assert second.code == 2 and f"process {s.process.pid}" in second.err, second
    with s.login() as c:
        c.quit()
    s.kill()        # the lock is no obstacle after a crash
    s.start()


def test_large_messages_and_many_sessions_at_once(s):
    big = corpus.small(1, 2_000_000)[0]
    s.account("anna", [big, MAIL[0]])
    s.start()
    clients = [s.login(name=("open", "tls")[n % 2]) for n in range(20)]
    for c in clients:
        c.send("RETR 1\r\nRETR 2\r\nSTAT\r\n")
    for c in clients:
        assert c.line().startswith("+OK")
        assert c.block() == shown(big)
        assert c.line().startswith("+OK")
        assert c.block() == SHOWN[0]
        assert c.line().startswith("+OK 2 ")
        c.quit()
    until(lambda: len(s.sessions()) == 20, "20 ends")
    assert {e["messages"] for e in s.sessions()} == {"2"}
