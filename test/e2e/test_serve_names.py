# SPDX-License-Identifier: Apache-2.0
"""What a user name may be (PRODUCT section 3, Names), rights, routed names and alerts, in whole sessions."""
import base64

import pytest

import corpus
from dovecot import PASSWORD
from serving import Server, shown

MAIL = corpus.small(8)
HIDDEN = "no such mailbox, or no right to read it"


@pytest.fixture
def s(home, authority):
    with Server(home, authority, failed_delay="0") as server:
        server.head["main_domain"] = "corp.example"
        yield server


def texts(c):
    """All messages, as RETR shows them."""
    return [c.message(f"RETR {n}") for n in range(1, len(c.multi("LIST")) + 1)]


def sees(s, user, messages, name="open", password=PASSWORD):
    c = s.raw(name)
    c.login(user, password)
    assert texts(c) == [shown(m) for m in messages]
    c.quit()


def refused(s, user, code="[SYS/PERM]", password=PASSWORD):
    with s.raw() as c:
        c.good("USER " + user)
        return c.bad("PASS " + password, code)


# ---- whose mailbox, and which

def test_the_names_of_the_field(s):
    s.p.good("domain", "add", "corp.example")
    s.p.good("domain", "add", "client1.com")
    for account in "jsmith", "boss", "public", "jsmith@client1.com":
        s.account(account)
    s.fill("jsmith", MAIL[:1])
    s.fill("jsmith", MAIL[1:3], "private")
    s.fill("jsmith@client1.com", MAIL[3:4], "lists/info")
    s.fill("public", MAIL[4:6], "announces")
    s.fill("boss", MAIL[6:8])
    s.p.good("acl", "set", "public/announces", "anyone", "lr")
    s.p.good("acl", "set", "boss/INBOX", "jsmith", "lrs")
    s.start()
    sees(s, "jsmith", MAIL[:1])
    sees(s, "private#jsmith", MAIL[1:3])
    sees(s, "lists/info#jsmith@client1.com", MAIL[3:4])
    sees(s, "lists/info#jsmith%client1.com", MAIL[3:4])
    sees(s, "~public/announces#jsmith", MAIL[4:6])
    sees(s, "~boss/INBOX#jsmith", MAIL[6:8])
    sees(s, "INBOX#jsmith@corp.example", MAIL[:1])
    assert HIDDEN in refused(s, "~jsmith/INBOX#boss")
    assert HIDDEN in refused(s, "~nobody/INBOX#jsmith")
    assert HIDDEN in refused(s, "~public/secret#jsmith")
    assert HIDDEN in refused(s, "~public/announces#jsmith@client1.com")     # public of its own domain: there is none
    assert HIDDEN in refused(s, "absent#jsmith")
    for name in "~boss/INBOX#jsmith", "private#jsmith", "nothing#jsmith":
        assert refused(s, name, "[AUTH]", "wrong").endswith(refused(s, "jsmith", "[AUTH]", "wrong")[len("-ERR [AUTH]"):])


def test_by_every_mechanism(s):
    s.account("jsmith")
    s.fill("jsmith", MAIL[:2], "private")
    s.start()
    word = base64.b64encode(f"\0private#jsmith\0{PASSWORD}".encode()).decode()
    with s.raw() as c:
        c.good("AUTH PLAIN " + word)
        assert texts(c) == [shown(m) for m in MAIL[:2]]
    import hashlib
    with s.raw() as c:
        stamp = c.greeting[c.greeting.rindex("<"):]
        c.good("APOP private#jsmith " + hashlib.md5((stamp + PASSWORD).encode()).hexdigest())
        assert len(c.multi("LIST")) == 2


# ---- rights

def test_without_the_right_nothing_is_deleted(s):
    for account in "jsmith", "boss":
        s.account(account)
    s.fill("boss", MAIL[:3])
    s.p.good("acl", "set", "boss/INBOX", "jsmith", "lr")
    s.start()
    c = s.raw()
    c.login("~boss/INBOX#jsmith", PASSWORD)
    c.bad("DELE 1", "[SYS/PERM]")
    c.message("RETR 1")
    c.quit()
    c = s.raw()
    c.login("boss", PASSWORD)
    assert len(c.multi("LIST")) == 3
    c.quit()
    s.stop()
    assert s.seen("boss") == []         # nor the right to say that it was read
    s.p.good("acl", "set", "boss/INBOX", "jsmith", "lrst")
    s.start()
    c = s.raw()
    c.login("~boss/INBOX#jsmith", PASSWORD)
    c.message("RETR 2")
    c.good("DELE 1")
    c.quit()
    s.stop()
    assert [shown(m) for m in s.octets("boss")] == [shown(m) for m in MAIL[1:3]]
    assert s.seen("boss") == [shown(MAIL[1])]


def test_a_right_that_is_taken_away_amid_a_session(s):
    for account in "jsmith", "boss":
        s.account(account)
    s.fill("boss", MAIL[:2])
    s.p.good("acl", "set", "boss/INBOX", "jsmith", "lrst")
    s.start()
    c = s.raw()
    c.login("~boss/INBOX#jsmith", PASSWORD)
    c.good("DELE 1")
    s.p.good("acl", "remove", "boss/INBOX", "jsmith")
    c.bad("QUIT")
    c.closed()
    assert HIDDEN in refused(s, "~boss/INBOX#jsmith")
    sees(s, "boss", MAIL[:2])


# ---- routed names

def routed(number, *to):
    return b"".join(b"X-Real-To: " + t + b"\r\n" for t in to) + b"Subject: %d\r\n\r\nbody\r\n" % number


def test_a_routed_name_sees_its_mail_alone(s):
    mail = [routed(1, b"abcdef@client1.com"), routed(2, b"other@client1.com"), routed(3, b"ABCDEF@Client1.COM, other@client1.com"), routed(4),
            routed(5, b"abcdef"), routed(6, b"other@client1.com", b"<abcdef@client1.com>"), routed(7, b"abcdef@client2.com"), routed(8, b"xabcdef@client1.com")]
    s.account("cl1", mail)
    s.p.good("route", "add", "*@client1.com", "cl1")
    s.p.good("route", "add", "sales@elsewhere.example", "cl1")
    s.start()
    mine = [mail[n] for n in (0, 2, 4, 5)]
    sees(s, "abcdef@client1.com", mine)
    sees(s, "AbcDef%CLIENT1.com", mine)
    sees(s, "cl1", mail)
    sees(s, "sales@elsewhere.example", mail)
    sees(s, "nobody@client1.com", [])
    c = s.raw()
    c.login("abcdef@client1.com", PASSWORD)
    assert c.good("STAT") == f"+OK 4 {sum(len(shown(m)) for m in mine)}"
    c.good("DELE 2")
    c.quit()
    sees(s, "abcdef@client1.com", [mail[n] for n in (0, 4, 5)])
    sees(s, "cl1", [m for n, m in enumerate(mail) if n != 2])


# ---- alerts

def test_alert_after_alert_until_the_login_succeeds(s):
    s.p.good("domain", "add", "corp.example")
    for account in "jsmith", "boss":
        s.account(account, MAIL[:1])
    s.p.good("alert", "add", "--account", "jsmith", "your password expires")
    s.p.good("alert", "add", "--domain", "corp.example", "we move on Friday")
    s.start()
    s.p.good("alert", "add", "--server", "the server stops at eight")
    told = []
    with s.raw() as c:                  # one an attempt, and none is a failed login: one connection sees all
        for _ in range(3):
            c.good("USER jsmith")
            told.append(c.bad("PASS " + PASSWORD, "[SYS/PERM] alert: "))
        c.login("jsmith")
        c.quit()
    assert [t.split("alert: ")[1] for t in told] == ["your password expires", "we move on Friday", "the server stops at eight"]
    sees(s, "jsmith", MAIL[:1])
    assert "alert" not in refused(s, "boss", "[AUTH]", "wrong")       # only who proved who he is
    s.stop()
    s.start()
    sees(s, "jsmith", MAIL[:1])
    assert "we move on Friday" in refused(s, "boss")
    assert "the server stops at eight" in refused(s, "boss")
    sees(s, "boss", MAIL[:1])


def test_a_full_mailbox_is_told_once(s):
    s.account("jsmith", MAIL[:4])
    octets = sum(len(shown(m)) for m in MAIL[:4])
    s.p.good("account", "set", "jsmith", f"quota={octets + 20}")
    s.start()
    assert "full" in refused(s, "jsmith")
    sees(s, "jsmith", MAIL[:4])
