# SPDX-License-Identifier: Apache-2.0
"""Who may come in, how many, for how long, and what the service says of itself (PRODUCT 2.4)."""
import base64
import socket
import struct
import time

import pytest

import corpus
from dovecot import PASSWORD
from serving import Raw, Server, shown, until

MAIL = corpus.small(3)
STRANGER = "127.0.0.66"


@pytest.fixture
def s(home, authority):
    with Server(home, authority, failed_delay=0) as server:
        server.account("anna", MAIL)
        server.account("ben", MAIL)
        yield server


def turned_away(s, name="open", source=None):
    """Closed before the greeting; True if the server said that it is full."""
    c = Raw(s.ports[name], source, greeting=False)
    said = c.rest()
    assert said == b"" or said.startswith(b"-ERR [SYS/TEMP] ") and said.count(b"\n") == 1, said
    return said != b""


# ---- overlong commands

@pytest.mark.parametrize("line", [b"A" * 511 + b"\r\n", b"A" * 600, b"USER " + b"x" * 700 + b"\r\nQUIT\r\n", b"\0" * 513], ids=["513", "600", "user", "nul"])
@pytest.mark.parametrize("name", ["open", "tls"])
def test_an_overlong_command_denies_the_address_until_the_restart(s, line, name):
    s.start()
    with s.raw(name, source=STRANGER) as c:
        c.send(line)
        assert b"AAA" not in c.rest()
    for at in ("open", "plain", "open"):
        assert not turned_away(s, at, STRANGER)
    with s.login() as c:        # nobody else
        c.quit()
    assert "overlong" in (e["reason"] for e in s.wait_sessions(1))
    s.wait_log("denied address=" + STRANGER)
    assert STRANGER not in s.p.good("block", "list").text
    s.reload()
    assert not turned_away(s, source=STRANGER)
    s.stop()
    s.start()
    with s.login(source=STRANGER) as c:
        c.quit()


def test_overlong_in_a_session_that_is_logged_in(s):
    s.start()
    with s.login(source=STRANGER) as c:
        c.good("DELE 1")
        c.send(b"NOOP" + b" " * 600 + b"\r\nQUIT\r\n")
        assert b"+OK" not in c.rest()
    assert not turned_away(s, source=STRANGER)
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 3 ")
        c.quit()


def test_overlong_drop_only_drops(s):
    s.keys["overlong"] = "drop"
    s.start()
    for _ in range(3):
        with s.raw(source=STRANGER) as c:
            c.send(b"A" * 600)
            assert b"AAA" not in c.rest()
    with s.login(source=STRANGER) as c:
        c.quit()


def test_512_octets_deny_nobody(s):
    s.start()
    with s.raw(source=STRANGER) as c:
        c.bad("A" * 510)
        c.quit()
    with s.raw(source=STRANGER) as c:
        c.quit()


# ---- numbers

def test_max_sessions(s):
    s.keys["max_sessions"] = 3
    s.start()
    held = [s.login() for _ in range(3)]
    assert turned_away(s) and turned_away(s, "plain")
    held.pop().quit()
    until(lambda: not refused(s), "a place for another one")
    held[0].good("STAT")


def refused(s, source=None, name="open"):
    c = Raw(s.ports[name], source, greeting=False)
    try:
        return not c.line().startswith("+OK")
    except EOFError:
        return True
    finally:
        c.close()


def test_when_full_the_oldest_without_login_makes_room(s):
    s.keys["max_sessions"] = 2
    s.head["workers"] = 1       # each loop knows its own
    s.start()
    known, idle = s.login(), s.raw()
    with s.login("ben") as c:
        assert idle.rest() == b""
        c.good("STAT")
        known.good("STAT")
        c.quit()


def test_max_per_address(s):
    s.keys["max_per_address"] = 2
    s.start()
    held = [s.raw(source=STRANGER), s.login(source=STRANGER)]
    assert turned_away(s, source=STRANGER)
    with s.login(source="127.0.0.67") as c:
        c.quit()
    held.pop().quit()
    until(lambda: not refused(s, STRANGER), "a place for another one")


def test_max_per_user_and_the_account_s_own(s):
    s.keys["max_per_user"] = 2
    s.p.good("account", "set", "ben", "max_sessions=1")
    s.start()
    held = [s.login("anna"), s.login("anna"), s.login("ben")]
    for user in ("anna", "ben"):
        with s.raw() as c:
            c.good("USER " + user)
            c.bad("PASS " + PASSWORD, "[SYS/TEMP]")
            c.good("CAPA")
            c.block()
            c.quit()
    for c in held:
        c.quit()

    def again(user):
        c = s.raw()
        c.good("USER " + user)
        good = c.ask("PASS " + PASSWORD).startswith("+OK")
        c.quit()
        return good

    for user in ("anna", "ben"):
        until(lambda user=user: again(user), user)


def test_an_account_without_a_limit(s):
    s.keys["max_per_user"] = 1
    s.p.good("account", "set", "ben", "max_sessions=none")
    s.start()
    for c in [s.login("ben") for _ in range(5)]:
        c.quit()


def test_exclusive(s):
    s.keys["exclusive"] = True
    s.start()
    with s.login() as first, s.raw() as other:
        other.good("USER anna")
        other.bad("PASS " + PASSWORD, "[IN-USE]")
        with s.login("ben") as c:
            c.quit()
        first.good("DELE 1")
        first.quit()
        other.good("USER anna")
        other.good("PASS " + PASSWORD)
        assert other.good("STAT").startswith("+OK 2 ")
        other.quit()


def test_login_delay(s):
    s.keys["login_delay"] = "1h"
    s.start()
    with s.login() as c:
        assert "LOGIN-DELAY 3600" in c.multi("CAPA")
        c.quit()
    with s.raw() as c:
        assert "LOGIN-DELAY 3600" in c.multi("CAPA")
        c.good("USER anna")
        c.bad("PASS " + PASSWORD, "[LOGIN-DELAY]")
        c.login("ben")
        c.quit()


# ---- failed logins

def test_failed_logins_block_the_address_for_a_time(s):
    s.keys["failed_limit"] = 3
    s.start()
    with s.raw(source=STRANGER) as c:
        for _ in range(3):
            c.send("USER anna\r\nPASS wrong\r\n")
        said = c.rest().split(b"\r\n")
        assert [x[:11] for x in said] == [b"+OK", b"-ERR [AUTH]"] * 3 + [b""]
    assert not turned_away(s, source=STRANGER)
    assert STRANGER in s.p.good("block", "list").out
    with s.login() as c:
        c.quit()
    s.p.good("block", "remove", STRANGER)
    with s.login(source=STRANGER) as c:
        c.quit()


def test_a_failed_login_waits_and_others_do_not(s):
    s.keys["failed_delay"] = "2s"
    s.start()
    with s.raw(source=STRANGER) as slow:
        slow.send("USER anna\r\nPASS wrong\r\n")
        assert slow.line() == "+OK"
        with s.login("ben") as c:       # order of events: this whole session ends before the refusal comes
            c.quit()
        slow.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.socket.recv(1)
        slow.socket.settimeout(60)
        assert slow.line().startswith("-ERR [AUTH]")


# ---- addresses

def test_access_deny_with_exceptions(s):
    s.keys.update(access="deny", **{"except": ["127.0.0.64/26"]})
    s.start()
    assert not turned_away(s) and not turned_away(s, source="127.0.0.128")
    for source in ("127.0.0.64", "127.0.0.127"):
        with s.login(source=source) as c:
            c.quit()


def test_access_grant_with_exceptions(s):
    s.keys["except"] = [STRANGER]
    s.start()
    assert not turned_away(s, source=STRANGER)
    with s.login() as c:
        c.quit()


def v1(client, port=40000):
    return f"PROXY TCP4 {client} 192.0.2.1 {port} 110\r\n".encode()


def v2(client, port=40000):
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", port, 110)


@pytest.mark.parametrize("version, header", [("v1", v1), ("v2", v2)])
def test_proxy(s, version, header):
    s.listen["proxied"] = {"tls": "starttls", "allow_cleartext": True, "proxy_protocol": version, "trusted": ["127.0.0.9"]}
    s.keys["max_per_address"] = 1
    s.start()
    proxy = "127.0.0.9"
    with s.raw("proxied", source=proxy, first=header("198.51.100.7")) as c, s.raw("proxied", source=proxy, first=header("198.51.100.8")) as other:
        full = s.raw("proxied", source=proxy, first=header("198.51.100.7", 40001), greeting=False)
        assert full.rest().startswith(b"-ERR [SYS/TEMP]")
        c.login()
        assert c.message("RETR 1") == shown(MAIL[0])
        c.quit()
        other.send(b"A" * 600)      # the client's address is denied, not the proxy's
        other.rest()
    assert s.raw("proxied", source=proxy, first=header("198.51.100.8"), greeting=False).rest() == b""
    with s.raw("proxied", source=proxy, first=header("198.51.100.9") + b"NOSUCH\r\n") as c:
        assert c.line().startswith("-ERR")      # what came in the header's segment is the client's
        c.quit()
    assert any(e["address"].startswith("198.51.100.7") and e["messages"] == "1" for e in s.wait_sessions(3))
    for first, source in ((header("198.51.100.5"), None), (b"CAPA\r\nQUIT\r\n", proxy), (b"PROXY nonsense\r\n", proxy), (b"\x16\x03\x01\0", proxy)):
        assert b"+OK" not in s.raw("proxied", source=source, first=first, greeting=False).rest(), (first, source)
    with s.login() as c:
        c.quit()


# ---- time

def test_login_timeout(s):
    s.keys["login_timeout"] = "1s"
    s.start()
    known = s.login()
    with s.raw() as silent, s.raw() as busy, s.raw("tls") as over_tls, Raw(s.ports["tls"], greeting=False) as no_handshake:
        busy.good("USER anna")
        for c in (silent, busy, over_tls, no_handshake):
            c.closed()      # nothing is said when time runs out
    known.good("STAT")      # whoever is logged in stays
    known.quit()


def test_login_timeout_is_for_the_whole_login(s):
    """A client that says something now and then does not stay for ever."""
    s.keys["login_timeout"] = "1s"
    s.start()
    with s.raw() as c:
        for _ in range(600):
            try:
                c.send("USER anna\r\n")
                if not c.fill():
                    break
            except OSError:
                break
            c.socket.settimeout(60)
            time.sleep(0.1)
        else:
            pytest.fail("it was never closed")
    assert s.wait_sessions(1)[0]["reason"] == "login-timeout"


def test_idle_timeout(s):
    s.keys["idle_timeout"] = "1s"
    s.start()
    with s.login() as c:
        c.good("DELE 1")
        c.closed()
    assert s.wait_sessions(1)[0]["reason"] == "idle"
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 3 ")      # as RFC 1939 has it
        c.quit()


# ---- what it says of itself

@pytest.mark.parametrize("keys, has, has_not", [
    ({}, ["+OK "], ["ostrider"]),
    ({"hide_version": False}, ["+OK Postrider "], []),
    ({"greeting": "mail.example.org at your service"}, ["+OK mail.example.org at your service"], ["ostrider"]),
    ({"greeting": "Grüße"}, ["+OK Gr"], []),
    ({"greeting": "x" * 400}, ["+OK " + "x" * 400], []),
])
def test_greeting(s, keys, has, has_not):
    s.keys.update(keys)
    s.start()
    with s.raw() as c:
        capa = c.multi("CAPA")
        assert all(x in c.greeting for x in has) and not any(x in c.greeting for x in has_not), c.greeting
        assert len(c.greeting) <= 510
        assert any("ostrider" in line for line in capa) == (keys.get("hide_version") is False)
        c.quit()


def test_the_stamp_is_shown_only_where_apop_is_offered(s):
    s.keys["apop"] = False
    s.start()
    with s.raw() as c:
        assert "<" not in c.greeting
        c.bad("APOP anna " + "0" * 32)
        c.quit()


def test_mechanisms_are_those_of_the_list(s):
    s.keys["mechanisms"] = ["scram-sha-256", "plain"]
    s.start()
    with s.raw() as c:
        capa = c.multi("CAPA")
        assert "SASL SCRAM-SHA-256 PLAIN" in capa and "USER" not in capa and "<" not in c.greeting
        for command in ("USER anna", "AUTH LOGIN", "AUTH CRAM-MD5", "APOP anna " + "0" * 32):
            c.bad(command)
        c.good("AUTH PLAIN " + base64.b64encode(b"\0anna\0" + PASSWORD.encode()).decode())
        c.quit()
