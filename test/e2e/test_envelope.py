# SPDX-License-Identifier: Apache-2.0
"""Envelopes (PRODUCT 2.1): catch-all boxes into mailboxes and Maildirs; whom a message is for, what goes before it, loops, and
what becomes of mail for nobody.  To servers: test_visits_relay.py and its like; here the boxes are ours."""
import re

import pytest

import corpus
from dovecot import PASSWORD
from pop3d import Maildrop, Pop3d
from postrider import section
from serving import Server
from test_memory import peak, sanitized

MIB = 1024              # KiB
MARK = re.compile(rb"Delivered-To: postrider\.[0-9a-f]{16}@\S+\r\n")
BODY = b"Subject: it\r\n\r\nX-Real-To: mallory@client1.com\r\nbody\r\n"


def lead(octets, *recipients):
    """What stands behind the lead, which is as it must be."""
    want = b"".join(b"X-Real-To: " + r.encode() + b"\r\n" for r in recipients)
    assert octets.startswith(want), octets[:1000]
    mark = MARK.match(octets, len(want))
    assert mark, octets[:1000]
    return octets[mark.end():]


def mark_of(octets):
    return MARK.search(octets)[0]


def gather(p, messages, prefix="uid", **keys):
    """One visit to a drop with these → (Done, the octets that are left there)."""
    with Pop3d(Maildrop(messages, prefix)) as origin:
        p.clear("box", origin, **{"after": "delete", "deliver": ["mailbox:anna/INBOX"], **keys})
        done = p("collect", "box")
        assert done.code == 0, done
        return done, origin.drop.octets()


ROWS = {
    "poprep": (b"Return-Path: <b@c>\r\nX-Real-To: anna@client1.com\r\nReceived: x\r\nTo: list@z\r\n", {"no_recipient": "delete"}, ["anna@client1.com"]),
    "several": (b"X-Real-To: anna@client1.com, bert@client1.com\r\nX-Real-To: carla@x.y\r\n", {"no_recipient": "hold"},
                ["anna@client1.com", "bert@client1.com", "carla@x.y"]),
    "postfix": (b"X-Original-To: anna@client1.com\r\nDelivered-To: catchall@isp\r\nReceived: x\r\n", {"source_domain": "client1.com"}, ["anna@client1.com"]),
    "exim": (b"Envelope-to: anna@client1.com\r\nReceived: x\r\n", {"no_recipient": "hold"}, ["anna@client1.com"]),
    "to": (b"To: A <anna@client1.com>, x@y\r\nCc: bert@CLIENT1.com\r\nBcc: carla@client1.com\r\n", {"source_domain": "client1.com"},
           ["anna@client1.com", "bert@CLIENT1.com", "carla@client1.com"]),
    "swap": (b"X-Real-To: anna@client1.com, x@y\r\n", {"source_domain": "client1.com", "target_domain": "corp.example"}, ["anna@corp.example"]),
    "word": (b"X-Real-To: anna\r\n", {"source_domain": "client1.com"}, ["anna@client1.com"]),
    "fixed": (b"X-Real-To: anna@client1.com\r\n", {"recipients": ["a@b", '"c d"@e']}, ["a@b", '"c d"@e']),
    "own": (b"X-Fax-To: anna@client1.com\r\nX-Real-To: x@y\r\n", {"headers": ["X-Fax-To"]}, ["anna@client1.com"]),
    "otherwise": (b"To: x@y\r\n", {"source_domain": "client1.com", "no_recipient": "p@q, r@s"}, ["p@q", "r@s"]),
}


@pytest.mark.parametrize("name", ROWS)
def test_catch_all_boxes(p, name):
    head, keys, recipients = ROWS[name]
    message = head + BODY
    p.account()
    done, left = gather(p, [message], deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir], **{"envelope__" + k: v for k, v in keys.items()})
    assert done.summary()["box"]["collected"] == 1 and left == []
    assert [lead(m, *recipients) for m in p.in_mailbox()] == [message]
    assert [lead(m.replace(b"\n", b"\r\n"), *recipients) for m in p.in_maildir()] == [message]


def test_the_section_of_a_target_counts_for_it_alone(p):
    message = b"X-Real-To: anna@client1.com\r\nTo: x@y\r\n" + BODY
    p.account()
    p.sections["routed"] = section("target routed", {"type": "mailbox", "mailbox": "anna/routed", "envelope__recipients": ["own@x"]})
    gather(p, [message], deliver=["mailbox:anna/plain", "routed"])
    assert p.in_mailbox("anna/plain") == [message]                        # what is set for one is not seen by another
    assert [lead(m, "own@x") for m in p.in_mailbox("anna/routed")] == [message]
    p.good("rescan", "box")
    gather(p, [message], deliver=["routed", "mailbox:anna/other"], envelope__source_domain="client1.com")
    assert [lead(m, "anna@client1.com") for m in p.in_mailbox("anna/other")] == [message]
    assert [lead(m, "own@x") for m in p.in_mailbox("anna/routed")] == [message] * 2


def test_many_come_once_and_as_they_were(p):
    p.account()
    messages = corpus.messages(60)
    keys = {"after": "keep", "envelope__recipients": ["anna@client1.com"]}
    with Pop3d(Maildrop(messages)) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"], **keys)
        assert p.good("collect", "box").summary()["box"]["collected"] == 60
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
        assert [lead(m, "anna@client1.com") for m in p.in_mailbox()] == origin.drop.octets()


def test_by_a_url(p):
    p.account()
    message = b"X-Real-To: anna@client1.com, x@y\r\n" + BODY
    with Pop3d(Maildrop([message])) as origin:
        argv = ["collect", f"pop3://anna@127.0.0.1:{origin.port}", "--to", "mailbox:anna/INBOX", "--password-file", "-", "--tls.mode", "none",
                "--allow_cleartext", "true"]
        done = p(*argv, "--envelope.source_domain", "@x", stdin=PASSWORD.encode())
        assert done.code == 2 and "--envelope.source_domain: @x is no domain" in done.err, done
        p.good(*argv, "--envelope.source_domain", "client1.com", stdin=PASSWORD.encode())
    assert [lead(m, "anna@client1.com") for m in p.in_mailbox()] == [message]
    done = p("collect", "pop3://anna@127.0.0.1", "--to", "smtp://127.0.0.1", "--password-file", "-", stdin=PASSWORD.encode())
    assert done.code == 2 and "does not say who gets the mail" in done.err, done


# ---- for nobody, and loops

NOBODY = b"To: x@y\r\n" + BODY


def for_nobody(p, what, **keys):
    good = b"X-Real-To: anna@client1.com\r\n" + BODY
    p.account()
    done, left = gather(p, [good, NOBODY, good], envelope__source_domain="client1.com", envelope__no_recipient=what, **keys)
    assert [lead(m, "anna@client1.com") for m in p.in_mailbox()] == [good, good]       # the others flow
    return done, left


def test_no_recipient_delete(p):
    done, left = for_nobody(p, "delete", after="keep")
    assert len(left) == 2 and NOBODY not in left, done          # the user's word, whatever `after` says
    assert "names no recipient in client1.com" in done.text, done


def test_no_recipient_quarantine(p):
    done, left = for_nobody(p, "quarantine")
    assert left == [], done
    assert "names no recipient in client1.com" in done.text, done


def test_no_recipient_hold(p):
    done, left = for_nobody(p, "hold")
    assert left == [NOBODY], done
    with Pop3d(Maildrop([])) as origin:
        origin.drop.add(NOBODY, "uid000002")
        p.clear("box", origin, after="delete", deliver=["mailbox:anna/INBOX"], envelope__source_domain="client1.com")
        p("collect", "box")
        assert not any(e.startswith("RETR") for e in origin.said), origin.said          # not before `retry`
    assert len(p.in_mailbox()) == 2


def test_a_loop_is_refused(p):
    """What went out with our mark comes back: on_refused decides.  By way of another connection it is no loop."""
    message = b"X-Real-To: anna@client1.com\r\n" + BODY
    p.account()
    gather(p, [message])
    assert p.in_mailbox() == [message]          # no envelope, nothing added
    gather(p, [message], "first", envelope__headers=["X-Real-To"], deliver=["mailbox:anna/first"])
    went = p.in_mailbox("anna/first")[0]
    lead(went, "anna@client1.com")
    done, left = gather(p, [went], "again", envelope__headers=["X-Real-To"], deliver=["mailbox:anna/first"])
    assert "a loop" in done.text and left == [], done
    assert p.in_mailbox("anna/first") == [went]
    with Pop3d(Maildrop([went])) as origin:
        p.clear("other", origin, after="delete", deliver=["mailbox:anna/first"], envelope__headers=["X-Real-To"])
        p.good("collect", "other")
    twice = p.in_mailbox("anna/first")[1]
    assert lead(twice, "anna@client1.com") == went and mark_of(twice) != mark_of(went)


def test_too_many_recipients_and_hops_are_refused(p):
    many = b"X-Real-To: " + b", ".join(b"a%d@b" % n for n in range(101)) + b"\r\n" + BODY
    just = b"X-Real-To: " + b", ".join(b"a%d@b" % n for n in range(100)) + b"\r\n" + BODY
    hops = b"X-Real-To: a@b\r\n" + b"Received: x\r\n" * 51 + BODY
    p.account()
    done, left = gather(p, [many, just, hops], envelope__headers=["X-Real-To"])
    assert "more than 100 recipients" in done.text and "more than 50 Received" in done.text and left == [], done
    assert [lead(m, *(f"a{n}@b" for n in range(100))) for m in p.in_mailbox()] == [just]


# ---- large ones

@pytest.mark.skipif(sanitized(), reason="a sanitizer's memory is not ours")
@pytest.mark.slow
def test_a_huge_header_takes_no_memory(p):
    """30 MB of header, in one field and in many, between small ones: the recipients are found in its beginning."""
    p.account()
    start = b"X-Real-To: anna@client1.com\r\n"
    folded = start + b"X: " + b"x" * 70 + (b"\r\n " + b"y" * 70) * 410_000 + b"\r\n\r\nbody\r\n"
    many = start + (b"X-Line: " + b"y" * 64 + b"\r\n") * 400_000 + b"\r\nbody\r\n"
    late = (b"X-Line: " + b"y" * 64 + b"\r\n") * 400_000 + start + b"\r\nbody\r\n"
    small = [start + m for m in corpus.small(3)]
    peaks = []
    for number, messages in enumerate((small, [small[0], folded, many, late, small[1]])):
        box = f"anna/box{number}"
        with Pop3d(Maildrop(messages)) as origin:
            p.clear("box", origin, after="delete", deliver=["mailbox:" + box], envelope__no_recipient="late@client1.com", envelope__headers=["X-Real-To"])
            peaks.append(peak(p, "collect", "box")[1])
            assert origin.drop.octets() == []
            p.good("rescan", "box")
        whom = ["anna@client1.com" if m.startswith(start) else "late@client1.com" for m in messages]
        for got, want, recipient in zip(p.in_mailbox(box), messages, whom, strict=True):
            assert lead(got, recipient) == corpus.normal(want)
    assert peaks[1] - peaks[0] <= 4 * MIB, f"{peaks} KiB"


def test_large_messages_through_a_spool(p):
    p.account()
    large = [b"X-Real-To: anna@client1.com\r\n\r\n" + bytes([65 + n]) * 70 + b"\r\n" + b"z" * 998 * 9_000 + b"\r\n.\r\n..x\r\n" for n in range(3)]
    gather(p, large, envelope__source_domain="client1.com", deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir])
    assert [lead(m, "anna@client1.com") for m in p.in_mailbox()] == large
    assert sorted(len(m) for m in p.in_maildir()) == sorted(len(m.replace(b"\r\n", b"\n")) for m in p.in_mailbox())


# ---- and to those who read it

@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("cl1")
        server.p.good("route", "add", "*@client1.com", "cl1")
        yield server


def view(s, user):
    c = s.raw()
    c.login(user, PASSWORD)
    out = [c.message(f"RETR {n + 1}") for n in range(int(c.good("STAT").split()[1]))]
    c.quit()
    return out


@pytest.mark.parametrize("where", ["store", "Maildir"])
def test_a_catch_all_box_for_pop3_clients(s, where):
    """One box at the provider, one account here, and each address sees its own mail: what a stranger writes into X-Real-To
    does not choose whose mail it is."""
    if where == "Maildir":
        s.write()
        s.p.good("account", "set", "cl1", "maildir=" + s.p.maildir)
    forged = b"To: anna@client1.com\r\nSubject: to anna\r\nX-Real-To: mallory@client1.com\r\n\r\nforged\r\n"
    on_top = b"X-Real-To: mallory@client1.com\r\nTo: anna@client1.com\r\n\r\non top\r\n"
    messages = [b"To: anna@client1.com, bert@client1.com\r\n\r\nboth\r\n", forged, on_top, b"Cc: bert@client1.com\r\n\r\nbert\r\n"]
    s.write()
    gather(s.p, messages, deliver=["mailbox:cl1/INBOX"], envelope__headers=["X-Original-To"], envelope__source_domain="client1.com")
    s.start()

    def bodies(user):
        return [m.split(b"\r\n\r\n", 1)[1] for m in view(s, user)]
    assert bodies("anna@client1.com") == [b"both\r\n", b"forged\r\n", b"on top\r\n"]
    assert bodies("bert@client1.com") == [b"both\r\n", b"bert\r\n"]
    assert bodies("mallory@client1.com") == []
    assert len(bodies("cl1")) == 4
    s.keys["route_header"] = "X-Original-To"
    s.reload()
    s.keys["route_header"] = None
    s.reload()
    assert bodies("mallory@client1.com") == []
