# SPDX-License-Identifier: Apache-2.0
"""The POP3 service, octet by octet: commands, states, framing, TLS on the line (PRODUCT section 3, TRAPS)."""
import hashlib
import itertools
import re

import pytest

import corpus
from dovecot import PASSWORD
from serving import Server, shown

HARD = list(corpus.odd().values()) + list(corpus.rough().values())
FIVE = corpus.small(5)


@pytest.fixture(scope="module")
def service(authority, tmp_path_factory):
    """One service for all tests of this file that need no other settings; each test has users of its own."""
    with Server(tmp_path_factory.mktemp("served"), authority, failed_delay=0, failed_limit=0, overlong="drop") as s:
        s.account("hard", HARD)
        s.account("none", [])
        s.account("never")      # has no INBOX at all
        s.account("größe@example.org", FIVE, password="pä ss wörd ✓")
        for n in range(12):
            s.account(f"u{n}", FIVE)
        s.users = itertools.count()
        yield s.start()


@pytest.fixture
def served(service):
    yield service.revive()
    assert service.alive(), service.log()


@pytest.fixture
def user(served):
    return f"u{next(served.users)}"


def sent(served, user, script, pieces, greeting=True):
    """All that the server says to `script`, sent as `pieces` says: behind the greeting, which is never the same."""
    with served.raw() as c:
        octets = script.replace("USER ?", "USER " + user).encode().replace(b"\n", b"\r\n")
        for piece in pieces(octets):
            c.send(piece)
        return c.rest()


# ---- commands and states

BEFORE = [
    ("NOOP", "-ERR"), ("STAT", "-ERR"), ("LIST", "-ERR"), ("LIST 1", "-ERR"), ("RETR 1", "-ERR"), ("DELE 1", "-ERR"), ("RSET", "-ERR"),
    ("TOP 1 0", "-ERR"), ("UIDL", "-ERR"), ("XTND XMIT", "-ERR"), ("PASS x", "-ERR"), ("USER", "-ERR"), ("USER ", "-ERR"), ("PASS", "-ERR"),
    ("APOP u", "-ERR"), ("AUTH NOSUCH", "-ERR"), ("AUTH PLAIN !!!", "-ERR"), ("STLS now", "-ERR"), ("LANG xx", "-ERR"), ("QUIT now", "-ERR"),
    ("CAPA x", "-ERR"), ("", "-ERR"), (" ", "-ERR"), (":", "-ERR"), (" CAPA", "-ERR"), ("\tCAPA", "-ERR"), ("XYZZY", "-ERR"), ("+OK", "-ERR"),
    ("GET / HTTP/1.0", "-ERR"), ("EHLO me", "-ERR"), ("a1 LOGIN a b", "-ERR"), ("\0", "-ERR"), ("STAT\0x", "-ERR"), ("CAPA\0", "-ERR"),
    ("ÄÖÜ", "-ERR"), ("\x7f", "-ERR"), ("UTF8", "+OK"), ("utf8 ", "+OK"), ("LANG en", "+OK"), ("USER u", "+OK"), ("uSeR u", "+OK"),
]
AFTER = [
    ("USER u", "-ERR"), ("PASS x", "-ERR"), ("APOP u " + "0" * 32, "-ERR"), ("AUTH", "-ERR"), ("AUTH PLAIN", "-ERR"), ("STLS", "-ERR"),
    ("UTF8", "-ERR"), ("NOOP", "+OK"), ("noop", "+OK"), ("NOOP ", "+OK"), ("NOOP 1", "-ERR"), ("STAT", "+OK 5 "), ("STAT 1", "-ERR"),
    ("LIST 0", "-ERR"), ("LIST 6", "-ERR"), ("LIST 1 2", "-ERR"), ("LIST -1", "-ERR"), ("LIST +1", "-ERR"), ("LIST 1x", "-ERR"),
    ("LIST 0x1", "-ERR"), ("LIST 4294967296", "-ERR"), ("LIST 4294967297", "-ERR"), ("LIST 18446744073709551617", "-ERR"),
    ("LIST " + "9" * 60, "-ERR"), ("LIST 1", "+OK 1 "), ("LIST  1", "+OK 1 "), ("LIST 1 ", "+OK 1 "), ("LIST 00001", "+OK 1 "),
    ("RETR", "-ERR"), ("RETR 0", "-ERR"), ("RETR 6", "-ERR"), ("RETR 4294967297", "-ERR"), ("RETR 1 2", "-ERR"), ("RETR one", "-ERR"),
    ("TOP", "-ERR"), ("TOP 1", "-ERR"), ("TOP 1 -1", "-ERR"), ("TOP 1 x", "-ERR"), ("TOP 1 4294967297", "-ERR"), ("TOP 0 0", "-ERR"),
    ("TOP 1 1 1", "-ERR"), ("UIDL 0", "-ERR"), ("UIDL 6", "-ERR"), ("UIDL 4294967297", "-ERR"), ("UIDL 2", "+OK 2 "), ("DELE", "-ERR"),
    ("DELE 0", "-ERR"), ("DELE 6", "-ERR"), ("DELE 4294967298", "-ERR"), ("DELE 1 2", "-ERR"), ("RSET 1", "-ERR"), ("QUIT 1", "-ERR"),
    ("XTND XMIT", "-ERR"), ("XTND", "-ERR"), ("LANG xx", "-ERR"), ("LANG en", "+OK"), ("", "-ERR"), (" ", "-ERR"), (":", "-ERR"), ("\0", "-ERR"),
    ("STAT\0x", "-ERR"), ("RETR 1\0", "-ERR"), ("RETR\t1", "-ERR"), (" STAT", "-ERR"), ("XYZZY", "-ERR"), ("ÄÖÜ", "-ERR"), ("* BYE", "-ERR"),
]


def test_every_command_before_the_login(served):
    with served.raw() as c:
        for command, want in BEFORE:
            answer = c.ask(command)
            assert answer.startswith(want), f"{command!r}: {answer}"
            assert c.multi("CAPA")      # exactly one line came: all that follows is in step
        c.quit()


def test_every_command_after_the_login(served, user):
    with served.login(user) as c:
        for command, want in AFTER:
            answer = c.ask(command)
            assert answer.startswith(want), f"{command!r}: {answer}"
            assert c.good("STAT").startswith("+OK 5 "), command
        c.quit()


def test_what_marked_messages_answer(served, user):
    with served.login(user) as c:
        sizes, uids = c.multi("LIST"), c.multi("UIDL")
        c.good("DELE 2")
        c.good("DELE 4")
        for command in ("LIST 2", "UIDL 2", "RETR 2", "TOP 2 0", "DELE 2", "LIST 4"):
            c.bad(command)
        rest = [sizes[0], sizes[2], sizes[4]]
        assert c.multi("LIST") == rest      # numbers never change
        assert c.multi("UIDL") == [uids[0], uids[2], uids[4]]
        assert c.good("STAT") == f"+OK 3 {sum(int(r.split()[1]) for r in rest)}"
        c.good("RSET")
        assert c.multi("LIST") == sizes and c.multi("UIDL") == uids
        c.good("DELE 5")
        c.quit()
    with served.login(user) as c:
        assert c.multi("LIST") == sizes[:4] and c.multi("UIDL") == uids[:4]
        c.bad("DELE 5")
        c.quit()


def test_an_empty_inbox(served):
    for user in ("none", "never"):
        with served.login(user) as c:
            assert c.good("STAT") == "+OK 0 0"
            assert c.multi("LIST") == [] and c.multi("UIDL") == []
            for command in ("RETR 1", "DELE 1", "TOP 1 0", "LIST 1", "UIDL 1"):
                c.bad(command)
            c.good("RSET")
            c.quit()


def test_capa_says_what_holds(served, user):
    with served.raw("plain") as c:
        before = c.multi("CAPA")
        names = {line.split()[0] for line in before}
        assert {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "STLS", "UTF8", "LANG", "EXPIRE", "SASL"} <= names
        assert "USER" not in names and "LOGIN-DELAY" not in names and "IMPLEMENTATION" not in names
        assert not {"PLAIN", "LOGIN"} & set(next(line for line in before if line.startswith("SASL")).split())
        assert c.multi("AUTH") == c.multi("AUTH ") == next(line for line in before if line.startswith("SASL")).split()[1:]
        c.good("STLS")
        c.secure(served.context())
        after = c.multi("CAPA")
        assert "USER" in after and "STLS" not in after
        assert {"PLAIN", "LOGIN"} <= set(next(line for line in after if line.startswith("SASL")).split())
        c.bad("STLS")
        c.login(user)
        assert [line for line in c.multi("CAPA") if line != "USER"] == [line for line in after if line != "USER"]
        c.quit()


def test_clear_text_logins_are_refused_without_tls(served, user):
    with served.raw("plain") as c:
        for command in ("USER " + user, "PASS " + PASSWORD, "AUTH PLAIN", "AUTH LOGIN"):
            c.bad(command)
        c.quit()


# ---- framing

def test_messages_come_octet_by_octet_and_as_long_as_said(served):
    with served.login("hard") as c:
        sizes = [int(line.split()[1]) for line in c.multi("LIST")]
        for number, (octets, size) in enumerate(zip(HARD, sizes), 1):
            got = c.message(f"RETR {number}")
            assert got == shown(octets), number
            assert len(got) == size, f"{number}: {size} octets were announced, {len(got)} came"
        c.quit()


def top(octets, lines):
    """The header, the blank line, and so many lines of the body."""
    head, blank, body = shown(octets).partition(b"\r\n\r\n") if not octets.startswith(b"\n") else (b"", b"\r\n", shown(octets)[2:])
    return head + blank + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:-1][:lines])


def test_top(served):
    with served.login("hard") as c:
        for number, octets in enumerate(HARD, 1):
            for lines in (0, 1, 2, 4294967295):
                assert c.message(f"TOP {number} {lines}") == top(octets, lines), (number, lines)
        c.quit()


WHOLE = ("CAPA\nUSER ?\nPASS " + PASSWORD + "\nSTAT\nLIST\nUIDL\nLIST 2\nUIDL 4294967297\n\n:\n"
         + "".join(f"RETR {n}\nTOP {n} 0\n" for n in (1, 2, 3, 4, 5)) + "DELE 1\nRSET\nNOOP\nXYZZY\nRETR 9\nQUIT\n")


def test_a_whole_session_in_one_segment_and_in_any_pieces(served, user):
    """The same octets come back, however the client's arrive; commands behind PASS do not vanish."""
    whole = sent(served, user, WHOLE, lambda octets: [octets])
    assert whole.count(b"\r\n.\r\n") == 13 and whole.endswith(b"\r\n") and b"-ERR" in whole
    assert whole == sent(served, user, WHOLE, lambda octets: [octets[n:n + 1] for n in range(len(octets))])
    for size in (2, 3, 7, 50):
        assert whole == sent(served, user, WHOLE, lambda octets: [octets[n:n + size] for n in range(0, len(octets), size)])
    assert whole == sent(served, user, WHOLE, lambda octets: [octets.replace(b"\r\n", b"\n")])     # people type LF


def test_pipelining_of_any_depth(served):
    with served.login("hard") as c:
        uids = c.multi("UIDL")
        c.send(b"UIDL 3\r\nNOOP\r\n" * 5000)
        for _ in range(5000):
            assert c.line() == "+OK " + uids[2]
            assert c.line().startswith("+OK")
        c.send("".join(f"RETR {n}\r\n" for n in range(1, len(HARD) + 1)) * 3)
        for octets in HARD * 3:
            assert c.line().startswith("+OK")
            assert c.block() == shown(octets)
        c.quit()


def test_a_client_that_half_closes_still_gets_all_answers(served, user):
    with served.login(user) as c:
        c.send(b"RETR 1\r\n" * 500 + b"DELE 1\r\nQUIT\r\n")
        c.half_close()
        for _ in range(500):
            assert c.line().startswith("+OK")
            assert c.block() == shown(FIVE[0])
        assert c.line().startswith("+OK") and c.line().startswith("+OK")
        c.closed()
    with served.login(user) as c:       # without QUIT: the answers, and nothing is deleted
        c.send(b"STAT\r\nRETR 1\r\nDELE 1\r\nSTAT\r\nNO")
        c.half_close()
        assert c.line().startswith("+OK 4 ") and c.line().startswith("+OK")
        c.block()
        assert c.line().startswith("+OK") and c.line().startswith("+OK 3 ")
        c.closed()
    with served.login(user) as c:
        assert c.good("STAT").startswith("+OK 4 ")
        c.quit()


def test_a_client_that_never_reads_stops_nobody(served, user):
    with served.login("hard", buffer=4096) as lazy:
        lazy.send(b"RETR 16\r\n" * 400)      # a megabyte each
        for _ in range(8):      # both loops
            with served.login("hard") as c:
                assert c.message("RETR 16") == shown(HARD[15])
                c.quit()
        for _ in range(3):
            assert lazy.line().startswith("+OK")
            assert lazy.block() == shown(HARD[15])


# ---- long and odd lines

def test_lines_up_to_512_octets_are_refused_longer_ones_end_the_session(served, user):
    with served.login(user) as c:
        assert c.good("NOOP" + " " * 249)          # 255 with CRLF
        for size in (254, 300, 400, 510):       # 512 with CRLF
            answer = c.bad("Q" * size)
            assert "QQ" not in answer and len(answer) < 500
        c.good("STAT")
        c.send(b"Q" * 511 + b"\r\nSTAT\r\n")
        rest = c.rest()
        assert b"Q" not in rest and b"+OK" not in rest
    served.wait_log('reason="overlong command"')
    with served.raw() as c:     # never a line's end
        c.send(b"garbage-" * 75)
        assert b"garbage" not in c.rest()


def test_long_responses_to_auth_are_no_overlong_commands(served):
    with served.raw("tls") as c:
        c.bad("AUTH PLAIN " + "QUFB" * 1000)
        assert c.ask("AUTH PLAIN").startswith("+ ")
        c.bad("QUFB" * 3000)
        c.multi("CAPA")
        c.send("AUTH PLAIN " + "QUFB" * 5000)
        assert b"QUFB" not in c.rest()


def test_lines_that_are_no_commands_end_it_in_the_end(served):
    with served.raw() as c:
        c.send(b"GET / HTTP/1.1\r\n" + b"Header: value\r\n" * 100)
        said = c.rest().split(b"\r\n")
        assert said.pop() == b"" and all(line.startswith(b"-ERR") for line in said) and 2 < len(said) < 30


# ---- STLS

def test_what_came_with_stls_ends_the_connection(served):
    for more in (b"CAPA\r\n", b"C", b"USER anna\r\nPASS x\r\n", b"\x16\x03\x01"):
        with served.raw("plain") as c:
            c.send(b"STLS\r\n" + more)
            said = c.rest()
            assert said in (b"", b"+OK begin TLS\r\n"), said
    served.wait_log('reason="data before TLS"', 4)
    with served.raw("plain") as c:      # behind the answer, but in clear: it is no TLS
        c.good("STLS")
        c.send(b"CAPA\r\n")
        assert b"TOP" not in c.rest() and b"+OK" not in c.left


def test_what_was_said_before_stls_is_forgotten(served, user):
    with served.raw("open") as c:
        c.good("USER " + user)
        c.good("STLS")
        c.secure(served.context())
        c.bad("PASS " + PASSWORD)
        c.login(user)
        c.quit()


def test_a_tls_hello_on_the_clear_port_gets_a_hint(served):
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506)
    for _ in range(2):      # and no denial
        with served.raw("plain", source="127.0.0.70") as c:
            c.send(hello)
            said = c.rest()
            assert said.startswith(b"-ERR ") and b"TLS" in said and said.count(b"\n") == 1
    with served.raw("plain", source="127.0.0.70") as c:
        c.quit()


# ---- logins

def stamp(greeting):
    return re.search(r"<[^<> ]+@[^<> ]+>$", greeting)[0]


def test_apop(served, user):
    stamps = set()
    for password, want in ((PASSWORD, "+OK"), ("wrong", "-ERR [AUTH]"), (PASSWORD, "+OK")):
        with served.raw("plain") as c:
            stamps.add(stamp(c.greeting))
            digest = hashlib.md5((stamp(c.greeting) + password).encode()).hexdigest()
            c.bad(f"APOP {user} " + digest[:-1])
            assert c.ask(f"APOP {user} {digest}").startswith(want)
            c.good("STAT") if want == "+OK" else c.bad("STAT")
            c.quit()
    assert len(stamps) == 3


def test_wrong_logins_all_sound_alike(served, user):
    said = set()
    for name, password in ((user, "wrong"), ("nobody-here", "wrong"), ("nobody-here", PASSWORD), (user, ""), (user, PASSWORD + " ")):
        with served.raw() as c:
            said.add((c.ask("USER " + name), c.ask("PASS " + password)))
            c.login(user)       # and it may be tried again
            c.quit()
    assert len(said) == 1 and said.pop()[1].startswith("-ERR [AUTH]")


def test_names_and_passwords_in_utf8(served):
    name = "größe@example.org"
    for first in ([], ["UTF8"]):
        with served.raw() as c:
            for command in first:
                c.good(command)
            c.login(name, served.secrets[name])
            assert c.message("RETR 1") == shown(FIVE[0])
            c.quit()


def test_lang(served):
    with served.raw() as c:
        listed = [line.split()[0] for line in c.multi("LANG")]
        assert "en" in listed
        for tag in (*listed, "*", "EN"):
            c.good("LANG " + tag)
        c.bad("LANG tlh")
        c.bad("LANG " + "x" * 200)
        c.quit()
