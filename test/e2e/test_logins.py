# SPDX-License-Identifier: Apache-2.0
"""What a login costs at the server that refuses it, and what a server that is not what it was gets to see."""
import contextlib
import re
import select
import smtplib
import socket
import ssl
import threading

import pytest

import corpus
import postfix
from dovecot import Dovecot, PASSWORD, available
from pop3d import Maildrop, Pop3d
from postrider import Postrider, section
from probing import Raw, both, steps, tls
from serving import Server, until
from test_serve_relay import needs_postfix
from told import Told, box, sized

WRONG = "falsch-9Xk"
ALL = ["scram-sha-256", "scram-sha-1", "digest-md5", "cram-md5", "plain", "login"]


@pytest.fixture(scope="module")
def strict(authority):
    """A Dovecot with all that goes by a password, which counts, and whose logins others may use."""
    if not available():
        pytest.skip("no dovecot on this machine")
    more = (f"\nauth_mechanisms = {' '.join(ALL)} apop\nauth_verbose = yes\nservice auth {{\n  unix_listener auth-client {{\n    mode = 0666\n  }}\n}}\n")
    with Dovecot(authority, more=more) as d:
        yield d


def failures(d, user):
    """How many logins of this user's failed, on each connection that is over."""
    def over():
        return re.findall(rf"auth failed, (\d+) attempts in \d+ secs\): user=<{user}>", d.log())
    until(over, lambda: d.log()[-3000:])
    return sum(map(int, over()))


# ---- one failure

@pytest.mark.parametrize("protocol, auth", [(x, a) for x in ("pop3", "imap") for a in ["auto", *ALL, "user"] + ["apop"] * (x == "pop3")])
def test_one_failure_at_dovecot(p, strict, authority, protocol, auth):
    p.secrets.add(WRONG)
    user = strict.fresh()
    tls(p, protocol, strict, authority, port=strict.pop3s if protocol == "pop3" else strict.imaps, user=user, password=WRONG, max_retries=3, retry_interval="1s",
        **({} if auth == "auto" else {"auth": [auth]}))
    done = p("collect", "box")
    assert done.code == 1 and "check `user` and `password`" in done.err, done
    assert failures(strict, user) == 1, strict.log()[-2000:]


@pytest.fixture(scope="module")
def taking(strict, authority):
    """A Postfix that asks this Dovecot."""
    if not postfix.available():
        pytest.skip("no postfix on this machine, or not root")
    cert, key = authority.sign("postfix-logins")
    with postfix.Postfix(strict.uid, strict.gid, {}) as server:
        server.settings(smtpd_tls_cert_file=cert, smtpd_tls_key_file=key, smtpd_tls_security_level="encrypt", smtpd_tls_auth_only="yes",
                        smtpd_sasl_auth_enable="yes", smtpd_sasl_type="dovecot", smtpd_sasl_path=strict.path("run", "auth-client"),
                        smtpd_recipient_restrictions="permit_sasl_authenticated, reject")
        yield server


def lines_now(server):
    """Its log, with all that was written of what is over: a refusal is logged before it is said."""
    before = len(re.findall(r"disconnect from .* ehlo=1 quit=1 commands=2\b", server.log()))
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as smtp:
        smtp.ehlo()
    until(lambda: len(re.findall(r"disconnect from .* ehlo=1 quit=1 commands=2\b", server.log())) > before, lambda: server.log()[-2000:])
    return server.log()


@needs_postfix
@pytest.mark.parametrize("auth", ["auto", *ALL])
def test_one_failure_at_postfix(p, taking, authority, auth):
    """With several messages for two connections."""
    p.secrets.add(WRONG)
    p.sections["relay"] = section("target relay", {
        "type": "smtp", "host": "127.0.0.1", "port": taking.port, "user": "anna", "password": WRONG, "tls__ca_certificates": authority.ca,
        "envelope__recipients": ["anna@" + postfix.DOMAIN], **({} if auth == "auto" else {"auth": [auth]})})
    before = len(re.findall(r"SASL \S+ authentication failed", lines_now(taking)))
    with Pop3d(Maildrop(corpus.small(3))) as origin:
        p.clear("box", origin, after="keep", deliver=["relay"])
        done = p("collect", "box")
    assert "check `user` and `password`" in done.err, done
    assert done.summary()["box"]["held"] > 1, done
    assert len(re.findall(r"SASL \S+ authentication failed", lines_now(taking))) == before + 1, taking.log()[-3000:]


@both
@pytest.mark.parametrize("auth", [None, ["apop", "plain", "user"], ["cram-md5", "plain"], ["plain", "user"], ["user", "plain"], ["scram-sha-256", "plain"]])
def test_a_server_that_closes_instead_of_an_answer(p, protocol, auth):
    """It may count that as a failure: nothing is shown a second time, though the settings allow retries."""
    offered = ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "USER"] + ["APOP"] * (protocol == "pop3")
    if protocol == "imap" and auth and auth[0] == "apop":
        pytest.skip("POP3's own")
    with Told(protocol, offered, {m: "mute" for m in offered}) as told:
        box(p, protocol, told, max_retries=3, retry_interval="1s", **({"auth": auth} if auth else {}))
        done = p("collect", "box")
        first = (auth or ["scram-sha-256"])[0].upper()
        assert done.code == 1 and told.seen == [[first]], (done, told.seen)
        assert "may be its way to refuse the login" in done.err, done
        row = [r for r in steps_of(p) if r["step"] == "login"][0]
        assert {m["mechanism"].split()[0]: m["reason"] for m in row["mechanisms"]}[first] == "unanswered", row


def steps_of(p):
    return p("test", "box", "--json").rows()


@both
def test_a_server_that_closes_before_anything_is_shown(p, protocol):
    """That is the network's, and tried again as the settings say."""
    with Told(protocol, ["CRAM-MD5"], {"CRAM-MD5": "gone"}) as told:
        box(p, protocol, told, max_retries=1, retry_interval="1s")
        done = p("collect", "box")
        assert done.code == 1 and told.flat == ["CRAM-MD5"] * 2, (done, told.seen)


@both
def test_the_close_may_belong_to_the_refusal_before(p, authority, protocol):
    """It refuses a mechanism and closes, while the password is on its way already: another connection is made for that."""
    with Told(protocol, ["SCRAM-SHA-256", "SCRAM-SHA-1"], {"SCRAM-SHA-256": "close", "SCRAM-SHA-1": "ok"}) as told:
        box(p, protocol, told)
        assert p("collect", "box").code == 0 and told.flat == ["SCRAM-SHA-256", "SCRAM-SHA-1"]


@pytest.mark.parametrize("words, seen", [
    (b"-ERR", ["APOP"]), (b"-ERR permission denied", ["APOP"]), (b"-ERR unknown user", ["APOP"]), (b"-ERR [AUTH] no", ["APOP"]),
    (b"-ERR unknown command", ["APOP", "AUTH"]), (b"-ERR APOP not supported", ["APOP", "AUTH"])])
def test_a_plain_refusal_of_apop(p, words, seen):
    heard = []

    def speak(_, sock):
        f = sized(sock)
        f.write(b"+OK <1.2@x>\r\n")
        while line := f.readline():
            verb = line.split()[0].decode()
            heard.extend([verb] if verb in ("APOP", "AUTH") else [])
            f.write({"APOP": words, "AUTH": b"-ERR [AUTH] no", "CAPA": b"+OK\r\nSASL CRAM-MD5\r\n."}.get(verb, b"+OK") + b"\r\n")
    with Raw(speak) as raw:
        p.clear("box", raw, auth=["apop", "cram-md5"])
        assert p("collect", "box").code == 1 and heard == seen


# ---- what servers do not say

@pytest.mark.parametrize("deed, code", [("ok", 0), ("bad", 1), ("no", 1)])
@pytest.mark.parametrize("caps", ["", "SASL-IR"])
@pytest.mark.parametrize("offered, first", [(["SCRAM-SHA-256", "PLAIN", "USER"], "SCRAM-SHA-256"), (["PLAIN"], "PLAIN"), (["CRAM-MD5", "USER"], "CRAM-MD5"),
                                            (["LOGIN", "USER"], "LOGIN"), (["USER"], "USER")])
def test_imap_with_and_without_sasl_ir(p, offered, first, caps, deed, code):
    """No AUTH= line at all in the last row; LOGINDISABLED where USER is not."""
    with Told("imap", offered, {m: deed for m in offered}, caps=caps) as told:
        box(p, "imap", told, auth=[first.lower()])
        assert p("collect", "box").code == code and told.seen == [[first]], told.seen
        box(p, "imap", told)
        told.seen.clear()
        done = p("collect", "box")
        assert done.code == code and told.flat[0] == first, told.seen
        assert len(told.flat) == 1 or deed == "no" and first in ("SCRAM-SHA-256", "LOGIN"), "that was before the password"


def test_imap_with_neither_auth_lines_nor_login(p):
    with Told("imap", [], {"USER": "ok"}) as told:
        box(p, "imap", told)
        done = p("collect", "box")
        assert done.code == 1 and told.flat == [] and "none of the mechanisms" in done.err, done


@pytest.mark.parametrize("detect", [[], ["capa"], ["auth"], ["greeting"], ["capa", "auth"], ["capa", "greeting"], ["auth", "greeting"], ["capa", "auth", "greeting"]])
@pytest.mark.parametrize("words", [b"-ERR no", b"-ERR [AUTH] no"])
def test_one_failure_however_it_was_detected(p, detect, words):
    shown = []

    def speak(_, sock):
        f = sized(sock)
        f.write(b"+OK <1.2@x>\r\n")
        while line := f.readline():
            verb, *rest = line.split()
            if verb == b"CAPA":
                f.write(b"+OK\r\nUSER\r\nSASL CRAM-MD5 PLAIN\r\n.\r\n")
            elif verb == b"AUTH" and not rest:
                f.write(b"+OK\r\nLOGIN\r\n.\r\n")
            elif verb == b"AUTH":
                for challenge in {b"CRAM-MD5": [b"PDEuMkB4Pg=="], b"LOGIN": [b"", b""]}.get(rest[0], []):
                    f.write(b"+ " + challenge + b"\r\n")
                    f.readline()
                shown.append(rest[0])
                f.write(words + b"\r\n")
            elif verb in (b"APOP", b"PASS"):
                shown.append(verb)
                f.write(words + b"\r\n")
            else:
                f.write(b"+OK\r\n")
    with Raw(speak) as raw:
        for auth in (None, ["apop", "cram-md5", "login", "plain", "user"]):
            p.clear("box", raw, detect=detect, max_retries=2, retry_interval="1s", **({"auth": auth} if auth else {}))
            shown.clear()
            done = p("collect", "box")
            assert done.code == 1 and len(shown) == 1, (auth, shown, done)


# ---- a server that is not what it was

@both
@pytest.mark.parametrize("after", ["no", "gone"])
def test_nothing_weaker_after_a_false_rspauth(p, protocol, after):
    with Told(protocol, ["DIGEST-MD5", "CRAM-MD5", "PLAIN", "USER"], {"DIGEST-MD5": "false", "CRAM-MD5": "ok", "PLAIN": "ok", "USER": "ok", "after": after}) as told:
        box(p, protocol, told, max_retries=3, retry_interval="1s")
        done = p("collect", "box")
        assert done.code == 1 and told.seen == [["DIGEST-MD5"]] and "did not prove" in done.err, (done, told.seen)
        told.offered = ["CRAM-MD5", "PLAIN", "USER"]
        done = p("collect", "box")
        assert done.code == 1 and told.flat == ["DIGEST-MD5"] and "somebody may be in between" in done.err, (done, told.seen)
        told.offered, told.deeds["DIGEST-MD5"] = ["DIGEST-MD5", "PLAIN"], "ok"
        assert p("collect", "box").code == 0 and told.flat == ["DIGEST-MD5"] * 2


def reasons(done):
    login = [r for r in done.rows() if r["step"] == "login"][0]
    return {m["mechanism"]: m["reason"] for m in login["mechanisms"]}


@both
def test_a_test_goes_by_what_visits_learned(p, protocol):
    """Without an instance, and with no trace: what it knows counts for it, what it sees for nobody."""
    with Told(protocol, ["SCRAM-SHA-256", "PLAIN", "USER"], {"SCRAM-SHA-256": "false", "PLAIN": "ok", "USER": "ok"}) as told:
        box(p, protocol, told)
        assert p("collect", "box").code == 1
        told.offered = ["PLAIN", "USER"]
        done = p("test", "box", "--json")
        assert done.code == 1 and told.flat == ["SCRAM-SHA-256"] and reasons(done)["PLAIN"] == "weaker", (done, told.seen)
        told.offered, told.deeds["SCRAM-SHA-256"] = ["SCRAM-SHA-256", "PLAIN"], "ok"
        assert p("test", "box").code == 0
        told.offered = ["PLAIN", "USER"]
        done = p("collect", "box")
        assert done.code == 1 and "PLAIN" not in told.flat, "a test that was good changes nothing"
        told.offered = ["SCRAM-SHA-256", "PLAIN"]
        assert p("collect", "box").code == 0
        told.offered = ["PLAIN", "USER"]
        done = p("test", "box", "--json")
        assert done.code == 1 and "PLAIN" not in told.flat and reasons(done)["PLAIN"] == "downgrade", (done, told.seen)
        box(p, protocol, told, after="keep", auth=["plain"])
        assert p("test", "box").code == 0, "of other settings nothing is known"


class Between:
    """Somebody with a good certificate: TLS with us, and TLS of its own with the server at `port`.  change(octets): what it makes
    of what the server says."""

    def __init__(self, port, cert, key, change=lambda octets: octets):
        self.port, self.change, self.connections = port, change, 0
        self.front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.front.load_cert_chain(cert, key)
        self.back = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.back.check_hostname, self.back.verify_mode = False, ssl.CERT_NONE
        self.raw = Raw(self.speak)

    def pump(self, one, other, change):
        with contextlib.suppress(OSError):
            while octets := one.recv(65536):
                other.sendall(change(octets))
        for sock in (one, other):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def speak(self, _, sock):
        self.connections += 1
        with self.front.wrap_socket(sock, server_side=True) as us, \
                self.back.wrap_socket(socket.create_connection(("127.0.0.1", self.port))) as server:
            thread = threading.Thread(target=self.pump, args=(us, server, lambda octets: octets))
            thread.start()
            self.pump(server, us, self.change)
            thread.join()


@pytest.fixture
def ours(home, authority):
    with Server(home, authority) as server:
        server.account("anna", corpus.small(2))
        server.start()
        yield server


@pytest.mark.parametrize("more", [{}, {"auth": ["scram-sha-256-plus", "plain", "user"]}])
def test_somebody_in_between_us_and_our_own_server(ours, authority, tmp_path, more):
    """The server sees a binding to another line than ours: one failure, and nothing weaker, though all of that is offered; nor
    in the next visit, where the one in between offers less."""
    (tmp_path / "collecting").mkdir()
    p = Postrider(str(tmp_path / "collecting"))
    between = Between(ours.ports["tls"], *authority.sign("between"))
    with between.raw:
        p.connection("box", port=between.raw.port, host="localhost", tls__ca_certificates=authority.ca, after="keep", max_retries=2, retry_interval="1s", **more)
        done = p("collect", "box")
        assert done.code == 1 and "SCRAM-SHA-256-PLUS" in done.err, done
        assert between.connections == 1
        assert len(re.findall(r"login failed address=\S+ mechanism=(\S+)", ours.log())) == 1, ours.log()
        between.change = lambda octets: octets.replace(b"SCRAM-SHA-256-PLUS", b"X")
        done = p("collect", "box")
        assert done.code == 1 and "somebody may be in between" in done.err, done
        assert len(re.findall(r"login failed address=", ours.log())) == 1 and "session over" in ours.log(), ours.log()
    p.connection("box", port=ours.ports["tls"], host="localhost", tls__ca_certificates=authority.ca, after="keep", **more)
    assert p("collect", "box").code == 0, "the server itself, by another port: other settings"
