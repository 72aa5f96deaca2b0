# SPDX-License-Identifier: Apache-2.0
"""XTND XMIT to SMTP and LMTP servers: a real Postfix (STARTTLS, AUTH), a real Dovecot, and one that goes silent."""
import email
import os
import pwd
import re
import shutil
import signal
import socket
import tempfile
import threading

import pytest

import corpus
import postfix
from dovecot import free_ports
from postrider import section
from serving import Server, until
from test_relay import Dovecot, arrived, bare
from test_serve_submission import begin, stuffed, submitted

MESSAGES = 40
needs_postfix = pytest.mark.skipif(not postfix.available(), reason="Postfix starts as root only")
needs_dovecot = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/usr/lib/dovecot/lmtp"), reason="Dovecot's LMTP server starts as root only")


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.head["main_domain"] = "example.org"
        yield server


@pytest.fixture
def boxes():
    """Where Postfix delivers: a folder for each of its users, nobody's.

    Not below pytest's own directories: each pytest that starts closes the one above them to all but its user."""
    user, top = pwd.getpwnam("nobody"), tempfile.mkdtemp(prefix="pr-boxes-")
    os.chmod(top, 0o755)
    for name in ("anna", "carla"):
        os.mkdir(os.path.join(top, name))
        os.chown(os.path.join(top, name), user.pw_uid, user.pw_gid)
    yield top
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def lmtp_home():
    home = tempfile.mkdtemp(prefix="pr-lmtp-")      # a Unix socket's path is short
    os.chmod(home, 0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)


def real_postfix(boxes):
    user = pwd.getpwnam("nobody")
    return postfix.Postfix(user.pw_uid, user.pw_gid, {name: os.path.join(boxes, name) for name in ("anna", "carla")})


def target(s, kind, port, **keys):
    s.p.sections["relay"] = section("target relay", {"type": kind, "host": "127.0.0.1", "port": port, **keys})
    return "relay"


def letter(to, octets=b"hello\r\n", subject=b"it"):
    return (b"From: anna@example.org\r\nTo: " + b", ".join(a.encode() for a in to) + b"\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            b"Message-ID: <" + subject + b"@example.org>\r\nSubject: " + subject + b"\r\n\r\n" + octets)


def submit(c, octets):
    c.good("XTND XMIT")
    c.send(stuffed(octets))
    return c.line()


def nothing_held(s):
    return not re.search(r"^[0-9a-f]{16}", s.p.good("held", "list").text, re.M)


def letters(domain):
    """Bodies of all kinds, as lines that no server cuts."""
    out = []
    for number, octets in enumerate(corpus.messages(MESSAGES + 60)[60:]):
        body = corpus.normal(octets).partition(b"\r\n\r\n")[2].replace(b"\0", b"0")
        out.append(letter([f"anna@{domain}"], (body if body.endswith(b"\r\n") else body + b"\r\n"), b"n%d" % number))
    return out


@needs_postfix
@needs_dovecot
def test_postfix_with_starttls_and_login(s, boxes, authority, lmtp_home):
    cert, key = authority.sign("postfix")
    password = os.path.join(s.home, "password")
    with open(password, "w", encoding="ascii") as f:
        f.write("x\n")
    os.chmod(password, 0o600)
    with Dovecot(lmtp_home) as d:
        p = real_postfix(boxes)
        p.settings(smtpd_tls_cert_file=cert, smtpd_tls_key_file=key, smtpd_tls_security_level="encrypt", smtpd_tls_auth_only="yes",
                   smtpd_sasl_auth_enable="yes", smtpd_sasl_type="dovecot", smtpd_sasl_path=os.path.join(d.home, "auth"),
                   smtpd_recipient_restrictions="permit_sasl_authenticated, reject")
        with p:
            c = begin(s, target(s, "smtp", p.port, tls__ca_certificates=authority.ca, user="anna", password="file:" + password))
            sent = letters(postfix.DOMAIN)
            for octets in sent:
                assert submit(c, octets).startswith("+OK"), s.log()
            c.quit()
            p.delivered(MESSAGES)
            log = p.log()
    assert arrived(os.path.join(boxes, "anna")) == sorted(bare(octets) for octets in sent)
    assert "sasl_method=SCRAM-SHA-256" in log and "sasl_username=anna" in log and "TLS connection" not in s.log()
    assert {f["outcome"] for f in submitted(s)} == {"delivered"}


@needs_postfix
def test_a_certificate_that_nobody_vouches_for(s, boxes, authority):
    cert, key = authority.sign("postfix")
    p = real_postfix(boxes)
    p.settings(smtpd_tls_cert_file=cert, smtpd_tls_key_file=key, smtpd_tls_security_level="may")
    with p:
        c = begin(s, target(s, "smtp", p.port))     # the system's authorities do not know ours
        octets = letter([f"anna@{postfix.DOMAIN}"])
        assert submit(c, octets).startswith("+OK")
        assert submitted(s)[0]["outcome"] == "held" and "certificate" in s.log()
        target(s, "smtp", p.port, tls__ca_certificates=authority.ca)
        s.reload()
        s.p.good("held", "retry")
        s.wait_log("outcome=delivered")
        p.delivered(1)
        c.quit()
        log = p.log()
    assert arrived(os.path.join(boxes, "anna")) == [bare(octets)]
    assert log.count("from=<anna@example.org>") == 1    # nothing of it was said before that


@needs_postfix
def test_deferred_alone_is_held_and_delivered_once(s, boxes):
    p = real_postfix(boxes)
    p.settings(smtpd_recipient_restrictions=f"check_recipient_access inline:{{ {{ carla@{postfix.DOMAIN} = 450 4.2.1 come later }} }}, permit")
    with p:
        c = begin(s, f"smtp://127.0.0.1:{p.port}")
        octets = letter([f"anna@{postfix.DOMAIN}", f"carla@{postfix.DOMAIN}"])
        assert submit(c, octets).startswith("+OK")
        assert submitted(s)[0]["outcome"] == "held" and "come later" in s.log()
        p.delivered(1)
        s.p.good("held", "retry")
        s.wait_log("outcome=deferred")
        s.kill()                                # it outlives that
        p.settings(smtpd_recipient_restrictions="permit")
        s.start()
        s.p.good("held", "retry")
        s.wait_log("outcome=delivered")
        p.delivered(2)
        assert nothing_held(s)
    for name in ("anna", "carla"):
        assert arrived(os.path.join(boxes, name)) == [bare(octets)]


@needs_postfix
def test_refused_by_postfix(s, boxes):
    with real_postfix(boxes) as p:
        c = begin(s, f"smtp://127.0.0.1:{p.port}")
        said = submit(c, letter(["bert@example.net"]))
        assert said.startswith("-ERR [SYS/PERM] 554") and "Relay access denied" in said
        assert submitted(s)[0]["outcome"] == "refused"
        c.good("NOOP")
        c.quit()
        assert nothing_held(s)


@needs_dovecot
@pytest.mark.parametrize("local", [False, True])
def test_lmtp_and_the_sender_is_told(s, local, lmtp_home):
    with Dovecot(lmtp_home) as d:
        c = begin(s, f"lmtp:{lmtp_home}/lmtp" if local else f"lmtp://127.0.0.1:{d.port}")
        sent = letters("example.org")
        for octets in sent:
            assert submit(c, octets).startswith("+OK")
        octets = letter(["carla@example.org", "bert@example.org"], subject=b"part")
        assert submit(c, octets).startswith("+OK")
        c.quit()
        s.wait_log("outcome=delivered attempts=")
        assert nothing_held(s)
    assert arrived(os.path.join(lmtp_home, "mail", "carla")) == [bare(octets)]
    got = arrived(os.path.join(lmtp_home, "mail", "anna"))
    told, = [m for m in got if b"multipart/report" in m]
    assert sorted(m for m in got if m != told) == sorted(bare(m) for m in sent)
    told = email.message_from_bytes(told)
    assert told["To"] == "<anna@example.org>" and told["Auto-Submitted"] == "auto-replied"
    assert "Final-Recipient: rfc822; bert@example.org" in told.as_string() and "Message-ID: <part@example.org>" in told.as_string()
    assert "carla" not in told.get_payload(1).as_string()


@needs_postfix
def test_a_server_that_is_down_and_settings_that_change(s, boxes):
    port, = free_ports(1)
    c = begin(s, target(s, "smtp", port, tls__mode="none"))
    octets = letter([f"anna@{postfix.DOMAIN}"])
    assert submit(c, octets).startswith("+OK")
    assert submitted(s)[0]["outcome"] == "held"
    with real_postfix(boxes) as p:
        target(s, "smtp", p.port, tls__mode="none")
        s.reload()
        s.p.good("held", "retry")
        s.wait_log("outcome=delivered")
        p.delivered(1)
        c.quit()                                # a session keeps the settings that it began with
        c = s.login()
        assert submit(c, letter([f"carla@{postfix.DOMAIN}"])).startswith("+OK")
        p.delivered(2)
    c.quit()
    assert arrived(os.path.join(boxes, "anna")) == [bare(octets)]


class Silent:
    """Takes a message up to its last octet, and does not answer."""
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.whole = self.socket.getsockname()[1], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with self.socket.accept()[0] as c, c.makefile("rwb") as f:
            self.say(f, b"220 host")
            for line in f:
                self.say(f, b"354 go" if line == b"DATA\r\n" else b"250 host")
                if line == b"DATA\r\n":
                    break
            for line in f:
                if line == b".\r\n":
                    break
            self.whole.set()
            f.read()

    @staticmethod
    def say(f, text):
        f.write(text + b"\r\n")
        f.flush()


@needs_postfix
def test_the_end_in_the_middle(s, boxes):
    silent = Silent()
    c = begin(s, target(s, "smtp", silent.port, tls__mode="none"))
    octets = letter([f"anna@{postfix.DOMAIN}"])
    c.good("XTND XMIT")
    c.send(stuffed(octets))
    assert silent.whole.wait(60)
    s.process.send_signal(signal.SIGTERM)
    assert c.line().startswith("+OK")           # it is held: nobody knows whether the server has it
    c.close()
    s.gone()
    silent.thread.join(60)
    silent.socket.close()
    with real_postfix(boxes) as p:
        target(s, "smtp", p.port, tls__mode="none")
        s.write()
        s.start()
        s.p.good("held", "retry")
        s.wait_log("outcome=delivered")
        p.delivered(1)
    assert arrived(os.path.join(boxes, "anna")) == [bare(octets)]
    until(lambda: nothing_held(s), "the end of it")
