# SPDX-License-Identifier: Apache-2.0
"""Visits that hand messages to a real Postfix (STARTTLS, AUTH) and to a real Dovecot's LMTP server, from a real Dovecot.

What arrives is what lay at the source, octet for octet, but for lines at its top.  From above: what the server adds that has the
mailbox (Return-Path, the recipient's Delivered-To, Received; Postfix's virtual(8) X-Original-To too), then ours, the
Delivered-To that a loop is found by, and then the message.  Its own Return-Path, which is the envelope's sender now, goes where Postfix
takes it away (message_drop_headers); Dovecot leaves it.
"""
import os
import re
import smtplib
import socket
import threading

import pytest

import corpus
import postfix
from postrider import section
from serving import Server, until
from test_relay import Dovecot
from test_serve_relay import boxes, lmtp_home, needs_dovecot, needs_postfix, real_postfix  # noqa: F401

OLD = "old.example"         # the domain of the catch-all mailbox
OURS = rb"Delivered-To: postrider\.[0-9a-f]{16}@\S+\n"
RECEIVED = rb"Received: from [^\n]*\n(?:[\t ][^\n]*\n)+"
BY_POSTFIX = re.compile(rb"\AReturn-Path: <([^>]*)>\nX-Original-To: (\S+)\nDelivered-To: \2\n" + RECEIVED + OURS)
BY_DOVECOT = re.compile(rb"\AReturn-Path: <([^>]*)>\n(?:Delivered-To: (\S+)\n)?" + RECEIVED + OURS)    # of one recipient
SCHEMES = {"pop3": "pop3s", "imap": "imaps"}


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        yield server


def letter(number, to, octets):
    """As a catch-all mailbox has it, for `to`; with lines of its own that are like those which are added."""
    return (b"Return-Path: <n%d@sender.example>\nX-Original-To: %s@%s\nDelivered-To: catchall@%s\nReceived: from a.example\n\tby b.example; now\n"
            % (number, to.encode(), OLD.encode(), OLD.encode()) + octets)


def letters(count, whom=("anna", "carla")):
    """[(for whom, octets)], every third a hard one: dots, 8-bit octets, no last line end …, as far as Postfix leaves lines as they are."""
    hard = [octets for name, octets in corpus.odd().items() if b"\n\n" in octets and max(map(len, octets.split(b"\n"))) < 900 and "mbox" not in name]
    mail = [hard[n // 3 % len(hard)] if n % 3 == 0 else octets for n, octets in enumerate(corpus.messages(count + 60)[60:])]
    return [(whom[n % len(whom)], letter(n, whom[n % len(whom)], octets)) for n, octets in enumerate(mail)]


def ended(octets):
    """Over SMTP a message has an end of its last line."""
    return octets.replace(b"\r\n", b"\n") if octets.endswith(b"\n") else octets.replace(b"\r\n", b"\n") + b"\n"


def source(s, dovecot, authority, protocol, mail, **keys):
    """A connection `box` to a new user with this mail → the user"""
    user = dovecot.fresh(mail)
    s.p.connection("box", protocol=protocol, user=user, port=getattr(dovecot, SCHEMES[protocol]), tls__ca_certificates=authority.ca,
                   **{"after": "delete", "deliver": ["relay"], **keys})
    return user


def catch_all(s, kind, domain, **keys):
    s.p.sections["relay"] = section("target relay", {"type": kind, "envelope__headers": ["X-Original-To"], "envelope__source_domain": OLD,
                                                      "envelope__target_domain": domain, **keys})


def found(box, added):
    """[(sender, recipient, the message)] of a Maildir, each without what the servers and we have added."""
    out = []
    for name in os.listdir(os.path.join(box, "new")) if os.path.isdir(os.path.join(box, "new")) else ():
        with open(os.path.join(box, "new", name), "rb") as f:
            octets = f.read().replace(b"\r\n", b"\n")
        top = added.match(octets)
        assert top, octets[:600]
        out.append((top[1], top[2] or b"", octets[top.end():]))
    return sorted(out)


def wanted(mail, whom, domain, drops):
    """What `found` is to say; drops: the server takes the message's own Return-Path away."""
    out = []
    for to, octets in mail:
        if to == whom:
            sender, rest = re.match(rb"Return-Path: <(.*?)>\n(.*)", ended(octets), re.S).groups()
            out.append((sender, f"{to}@{domain}".encode(), rest if drops else ended(octets)))
    return sorted(out)


def as_it_is(boxes):  # noqa: F811
    """A Postfix that adds no Date, From and Message-ID where a message has none, as it does for clients on its own machine."""
    p = real_postfix(boxes)
    p.settings(local_header_rewrite_clients="", smtpd_error_sleep_time="0")
    return p


def held(p, *args):
    return p.good("held", "list", "box", *args, "--json").rows()


def secured(authority, lmtp):
    cert, key = authority.sign("postfix")
    return {"smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key, "smtpd_tls_security_level": "encrypt", "smtpd_tls_auth_only": "yes",
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": os.path.join(lmtp.home, "auth"),
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject"}


@needs_postfix
@needs_dovecot
@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_postfix_with_starttls_and_login(s, boxes, dovecot, authority, lmtp_home, protocol):  # noqa: F811
    mail = letters(60)
    with open(os.path.join(s.home, "password"), "w", encoding="ascii") as f:
        f.write("x\n")
    os.chmod(f.name, 0o600)
    user = source(s, dovecot, authority, protocol, [octets for _, octets in mail])
    with Dovecot(lmtp_home) as login, as_it_is(boxes) as p:
        p.settings(**secured(authority, login))
        catch_all(s, "smtp", postfix.DOMAIN, host="127.0.0.1", port=p.port, user="anna", password="file:" + f.name,
                  tls__ca_certificates=authority.ca)
        s.p.write()
        assert s.p.good("collect", "box").summary()["box"]["collected"] == len(mail)
        p.delivered(len(mail))
        log = p.log()
    for name in ("anna", "carla"):
        assert found(os.path.join(boxes, name), BY_POSTFIX) == wanted(mail, name, postfix.DOMAIN, True)
    assert dovecot.left(user) == []
    assert "sasl_method=SCRAM-SHA-256" in log and "improper command" not in log and "lost connection" not in log.split("relay=virtual")[-1]
    assert len(re.findall(r"sasl_username=anna", log)) == len(mail)


@needs_postfix
def test_a_certificate_that_nobody_vouches_for(s, boxes, dovecot, authority):  # noqa: F811
    """It is held, and nothing of it was said to that server."""
    mail = letters(2)
    cert, key = authority.sign("postfix")
    source(s, dovecot, authority, "pop3", [octets for _, octets in mail])
    p = as_it_is(boxes)
    p.settings(smtpd_tls_cert_file=cert, smtpd_tls_key_file=key, smtpd_tls_security_level="may")
    with p:
        catch_all(s, "smtp", postfix.DOMAIN, host="127.0.0.1", port=p.port)
        s.p.write()
        assert s.p.good("collect", "box").summary()["box"]["held"] == len(mail)
        assert "from=<" not in p.log() and all("certificate" in row["why"] for row in held(s.p))
        catch_all(s, "smtp", postfix.DOMAIN, host="127.0.0.1", port=p.port, tls__ca_certificates=authority.ca)
        s.p.write()
        s.p.good("retry", "box")
        s.p.good("collect", "box")
        p.delivered(len(mail))
    for name in ("anna", "carla"):
        assert found(os.path.join(boxes, name), BY_POSTFIX) == wanted(mail, name, postfix.DOMAIN, True)


@needs_postfix
@pytest.mark.parametrize("protocol", ["imap"])
def test_postfix_is_down_for_a_while(s, boxes, dovecot, authority, protocol):  # noqa: F811
    mail = letters(8)
    user = source(s, dovecot, authority, protocol, [octets for _, octets in mail], active="always", interval="1h")
    with as_it_is(boxes) as p:
        p.stop()
        catch_all(s, "smtp", postfix.DOMAIN, host="127.0.0.1", port=p.port, tls__mode="none")
        s.start()
        until(lambda: len(held(s.p)) == len(mail), lambda: "all are held:\n" + s.log())
        assert len(dovecot.left(user)) == len(mail)
        assert "8 held" in s.p.good("status").out
        assert p.launch()
        s.p.good("retry", "box")
        until(lambda: held(s.p) == [], lambda: "none is held:\n" + s.log())
        p.delivered(len(mail))
        s.p.good("collect", "box")          # and so it goes from the source
        assert dovecot.left(user) == []
        s.stop()
    for name in ("anna", "carla"):
        assert found(os.path.join(boxes, name), BY_POSTFIX) == wanted(mail, name, postfix.DOMAIN, True)


@needs_dovecot
@pytest.mark.parametrize("protocol, local", [("pop3", False), ("imap", True)])
def test_dovecot_by_lmtp(s, dovecot, authority, lmtp_home, protocol, local):
    mail = letters(40)
    user = source(s, dovecot, authority, protocol, [octets for _, octets in mail])
    with Dovecot(lmtp_home) as d:
        catch_all(s, "lmtp", "example.org", **({"host": lmtp_home + "/lmtp"} if local else {"host": "127.0.0.1", "port": d.port}))
        s.p.write()
        assert s.p.good("collect", "box").summary()["box"]["collected"] == len(mail)
    for name in ("anna", "carla"):
        assert found(os.path.join(lmtp_home, "mail", name), BY_DOVECOT) == wanted(mail, name, "example.org", False)
    assert dovecot.left(user) == []


QUOTA = """
mail_plugins = quota
protocol lmtp {{
  mail_plugins = quota
}}
lmtp_rcpt_check_quota = {early}
quota_full_tempfail = {temporary}
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes={bytes}
  quota_grace = 0
}}
"""


@needs_dovecot
@pytest.mark.parametrize("protocol, local, temporary, early", [("pop3", False, "yes", "no"), ("imap", True, "yes", "yes"), ("pop3", True, "no", "no"),
                                                                ("imap", False, "no", "yes")])
def test_one_recipient_over_quota(s, dovecot, authority, lmtp_home, protocol, local, temporary, early):
    """Both have each message once: anna at once, carla when there is room.  Full is never refused, also where the server says 552."""
    mail = [letter(n, "all", octets) for n, octets in enumerate(corpus.small(4))]
    user = source(s, dovecot, authority, protocol, mail)
    settings = {"temporary": temporary, "early": early}
    with Dovecot(lmtp_home, QUOTA.format(bytes=100_000, **settings)) as d:
        with smtplib.LMTP("127.0.0.1", d.port) as fills:
            fills.sendmail("x@example.org", ["carla@example.org"], b"Subject: large\r\n\r\n" + (b"x" * 69 + b"\r\n") * 1_300)
        before = os.listdir(os.path.join(lmtp_home, "mail", "carla", "new"))
        large = os.path.join(lmtp_home, "mail", "carla", "new", before[0])
        d.more = QUOTA.format(bytes=90_000, **settings)
        d.reload()
        where = {"host": lmtp_home + "/lmtp"} if local else {"host": "127.0.0.1", "port": d.port}
        s.p.sections["relay"] = section("target relay", {"type": "lmtp", "envelope__recipients": ["anna@example.org", "carla@example.org"], **where})
        s.p.write()
        for _ in range(2):
            done = s.p.good("collect", "box")
            assert [(row["recipients"], row["state"]) for row in held(s.p)] == [(1, "waiting")] * len(mail), done
            s.p.good("retry", "box")
        assert all("uota" in row["why"] for row in held(s.p)) and len(dovecot.left(user)) == len(mail)
        assert os.listdir(os.path.dirname(large)) == before
        d.more = QUOTA.format(bytes=1_000_000, **settings)
        d.reload()
        s.p.good("collect", "box")
        assert held(s.p) == [] and s.p.good("collect", "box").summary()["box"]["collected"] == 0
        os.unlink(large)
    for name in ("anna", "carla"):
        got = found(os.path.join(lmtp_home, "mail", name), BY_DOVECOT)
        want = wanted([(name, octets) for octets in mail], name, "example.org", False)
        assert [(sender, octets) for sender, _, octets in got] == [(sender, octets) for sender, _, octets in want]
    assert dovecot.left(user) == []


class Greylist:
    """A policy server (Postfix, SMTPD_POLICY_README): each sender and recipient is to come a second time."""

    def __init__(self):
        self.seen, self.server = {}, socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def serve(self, sock):
        asked = {}
        with sock, sock.makefile("rw", encoding="utf-8", newline="\n") as f:
            for line in f:
                key, _, word = line.rstrip("\n").partition("=")
                asked[key] = word
                if line == "\n":
                    who = asked["sender"], asked["recipient"]
                    self.seen[who] = self.seen.get(who, 0) + 1
                    f.write(f"action={'451 4.7.1 greylisted, come again' if self.seen[who] == 1 else 'DUNNO'}\n\n")
                    f.flush()

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def __enter__(self):
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.server.close()


@needs_postfix
@pytest.mark.parametrize("protocol", ["pop3"])
def test_a_postfix_that_greylists(s, boxes, dovecot, authority, protocol):  # noqa: F811
    mail = letters(12)
    user = source(s, dovecot, authority, protocol, [octets for _, octets in mail])
    with Greylist() as greylist, as_it_is(boxes) as p:
        p.settings(smtpd_recipient_restrictions=f"check_policy_service inet:127.0.0.1:{greylist.port}, permit")
        catch_all(s, "smtp", postfix.DOMAIN, host="127.0.0.1", port=p.port, tls__mode="none")
        s.p.write()
        assert s.p.good("collect", "box").summary()["box"]["held"] == len(mail)
        assert all("greylisted" in row["why"] for row in held(s.p)) and len(dovecot.left(user)) == len(mail)
        s.p.good("collect", "box")                  # not due
        assert len(held(s.p)) == len(mail) and set(greylist.seen.values()) == {1}
        s.p.good("retry", "box")
        for _ in range(2):                          # what was delivered behind the conversation with the source goes there with the next
            s.p.good("collect", "box")
        p.delivered(len(mail))
        assert held(s.p) == [] and set(greylist.seen.values()) == {2}
    for name in ("anna", "carla"):
        assert found(os.path.join(boxes, name), BY_POSTFIX) == wanted(mail, name, postfix.DOMAIN, True)
    assert dovecot.left(user) == []


@needs_postfix
@pytest.mark.parametrize("protocol", ["imap"])
def test_what_a_scanner_refuses_behind_data(s, boxes, dovecot, authority, protocol):  # noqa: F811
    mail = letters(12)
    to, octets = mail[5]
    bad = mail[5] = (to, octets + b"a line: EICAR-STANDARD-ANTIVIRUS-TEST-FILE\n")
    rest = [one for one in mail if one != bad]
    user = source(s, dovecot, authority, protocol, [octets for _, octets in mail])
    with as_it_is(boxes) as p:
        rules = p.path("conf", "body_checks")
        with open(rules, "w", encoding="ascii") as f:
            f.write("/EICAR-STANDARD/ REJECT virus found\n")
        p.settings(body_checks="regexp:" + rules)
        catch_all(s, "smtp", postfix.DOMAIN, host="127.0.0.1", port=p.port, tls__mode="none")
        s.p.write()
        assert s.p.good("collect", "box").summary()["box"]["collected"] == len(mail)     # quarantine is a durable place
        p.delivered(len(rest))
        row, = held(s.p)
        assert row["state"] == "quarantined" and "virus found" in row["why"] and row["sender"] == "n5@sender.example"
        assert dovecot.left(user) == []
        for name in ("anna", "carla"):
            assert found(os.path.join(boxes, name), BY_POSTFIX) == wanted(rest, name, postfix.DOMAIN, True)
        p.settings(body_checks="")
        s.p.good("held", "release", row["id"])
        s.p.good("collect", "box")
        p.delivered(len(mail))
        assert held(s.p) == []
    for name in ("anna", "carla"):
        assert found(os.path.join(boxes, name), BY_POSTFIX) == wanted(mail, name, postfix.DOMAIN, True)
