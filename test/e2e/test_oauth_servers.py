# SPDX-License-Identifier: Apache-2.0
"""Logins by OAuth at scripted servers: Microsoft's manners, Google's, long tokens, refusals of every kind."""
import base64
import contextlib
import socket
import threading

import pytest

from issuer import Issuer
from oauth_helpers import Running, collected, log_in, run
from origin import stop_accepting
from serving import until


@pytest.fixture
def i():
    with Issuer() as issuer:
        issuer.refresh = issuer.secret("R3fresh.first")
        yield issuer


class Scripted:
    """A server for one protocol: talk(self, file) for each connection; what it heard is in `heard`."""

    def __init__(self, talk):
        self.talk, self.heard, self.connections = talk, [], 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.serving = threading.Thread(target=self.serve, daemon=True)
        self.serving.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection, connection.makefile("rwb", buffering=0) as f, contextlib.suppress(OSError, EOFError):
                self.file = f
                self.talk(self)

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        self.heard.append(line[:-2].decode())
        return self.heard[-1]

    def say(self, *lines):
        for line in lines:
            self.file.write(line.encode() + b"\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop_accepting(self.socket, self.serving)


def xoauth2(user, token):
    return base64.b64encode(f"user={user}\1auth=Bearer {token}\1\1".encode()).decode()


def pop3_rest(s):
    """An empty maildrop, behind the login."""
    while True:
        verb = s.line().split()[0].upper()
        if verb == "CAPA":
            s.say("+OK", "UIDL", "TOP", ".")
        elif verb == "STAT":
            s.say("+OK 0 0")
        elif verb == "UIDL":
            s.say("+OK", ".")
        elif verb == "QUIT":
            s.say("+OK")
            return
        else:
            s.say("-ERR")


def microsoft_pop3(refusals):
    def talk(s):
        s.say("+OK The Microsoft Exchange POP3 service is ready.")
        assert s.line() == "CAPA"
        s.say("+OK", "TOP", "UIDL", "SASL PLAIN XOAUTH2", "USER", ".")
        if s.line() != "AUTH XOAUTH2":      # an initial response in that line: it closes
            s.say("-ERR Protocol error. Connection is closed. 10")
            return
        s.say("+ ")
        s.line()
        if refusals:
            s.say(refusals.pop(0))
            return
        s.say("+OK User successfully logged on.")
        pop3_rest(s)
    return talk


def clear(p, s, i, protocol, **more):
    p.secrets |= i.secrets
    p.connection("box", **{"protocol": protocol, "port": s.port, "tls__mode": "none", "allow_cleartext": True, "password": None, "after": "keep", **i.keys(), **more})
    log_in(p, i)


@pytest.mark.parametrize("size", [1500, 16 * 1024, 32 * 1024 - 64])
def test_microsofts_two_lines_on_pop3(p, i, size):
    i.pad = "." + "x" * size
    with Scripted(microsoft_pop3([])) as s:
        clear(p, s, i, "pop3")
        collected(p, i, 0)
        token = next(t for t in i.active)
        assert s.heard[1:3] == ["AUTH XOAUTH2", xoauth2("anna", token)]


@pytest.mark.parametrize("refusal", ["-ERR AccessTokenExpired", "-ERR Authentication failure: AccessTokenExpired.",
                                     '-ERR [AUTH] authentication failed: "AccessTokenExpired"'])
def test_microsoft_says_that_a_token_has_ended_on_pop3(p, i, refusal):
    i.pad = "." + "x" * 1500
    with Scripted(microsoft_pop3([refusal])) as s:
        clear(p, s, i, "pop3")
        collected(p, i, 0)
        assert s.connections == 2 and i.count() == 2
        said = [line for line in s.heard if len(line) > 1000]
        assert said == [xoauth2("anna", t) for t in i.active]


def test_a_plain_refusal_costs_one_failure(p, i):
    i.pad = "." + "x" * 1500
    with Scripted(microsoft_pop3(["-ERR Authentication failure: unknown user name or bad password."] * 9)) as s:
        clear(p, s, i, "pop3")
        done = run(p, i, "collect", "box")
        assert done.code == 1 and "unknown user name" in done.err, done
        assert s.connections == 1 and i.count() == 1


def imap_rest(s):
    while True:
        tag, verb = s.line().split()[:2]
        if verb.upper() == "LOGOUT":
            s.say("* BYE", f"{tag} OK")
            return
        if verb.upper() == "CAPABILITY":
            s.say("* CAPABILITY IMAP4rev1 UIDPLUS")
        elif verb.upper() == "LIST":
            s.say('* LIST () "/" INBOX')
        elif verb.upper() in ("SELECT", "EXAMINE"):
            s.say("* 0 EXISTS", "* OK [UIDVALIDITY 7]", "* OK [UIDNEXT 1]")
        elif verb.upper() == "UID":
            s.say("* SEARCH") if "SEARCH" in s.heard[-1] else None
        s.say(f"{tag} OK")


def imap(initial, mechanisms, refusals):
    """refusals: (a challenge's JSON or None, the text of NO)"""
    def talk(s):
        s.say("* OK The Microsoft Exchange IMAP4 service is ready.")
        tag = s.line().split()[0]
        s.say(f"* CAPABILITY IMAP4rev1 {mechanisms}{' SASL-IR' if initial else ''}", f"{tag} OK")
        words = s.line().split()
        assert words[1] == "AUTHENTICATE" and len(words) == (4 if initial else 3), words
        if not initial:
            s.say("+ ")
            s.line()
        if refusals:
            challenge, text = refusals.pop(0)
            if challenge:
                s.say("+ " + base64.b64encode(challenge.encode()).decode())
                s.line()
            s.say(f"{words[0]} NO {text}")
            s.line()
            return
        s.say(f"{words[0]} OK AUTHENTICATE completed.")
        imap_rest(s)
    return talk


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("size", [100, 16 * 1024, 32 * 1024 - 64])
def test_imap_with_and_without_an_initial_response(p, i, initial, size):
    i.pad = "." + "x" * size
    with Scripted(imap(initial, "AUTH=PLAIN AUTH=XOAUTH2", [])) as s:
        clear(p, s, i, "imap")
        collected(p, i, 0)
        assert any(line.endswith(xoauth2("anna", next(iter(i.active)))) for line in s.heard)


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("refusal", [
    ('{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}', "[AUTHENTICATIONFAILED] Invalid credentials (Failure)"),
    ('{"status":"400","schemes":"Bearer"}', "SASL authentication failed"),
    (None, "[AUTHENTICATIONFAILED] AccessTokenExpired"),
    (None, "AUTHENTICATE failed: AccessTokenExpired."),
])
def test_imap_says_that_a_token_has_ended(p, i, initial, refusal):
    with Scripted(imap(initial, "AUTH=XOAUTH2", [refusal])) as s:
        clear(p, s, i, "imap")
        collected(p, i, 0)
        assert s.connections == 2 and i.count() == 2


@pytest.mark.parametrize("refusal", [('{"status":"403","schemes":"bearer"}', "[AUTHENTICATIONFAILED] Invalid credentials"), (None, "AUTHENTICATE failed.")])
def test_imap_refuses_for_another_reason(p, i, refusal):
    with Scripted(imap(True, "AUTH=XOAUTH2", [refusal] * 9)) as s:
        clear(p, s, i, "imap")
        assert run(p, i, "collect", "box").code == 1
        assert s.connections == 1 and i.count() == 1


def test_exchange_ends_a_session_when_the_token_does(p, i):
    """imapsync issue 250: in the middle of a session, which goes on with another token."""
    def talk(s):
        good = imap(True, "AUTH=XOAUTH2", [])
        if s.connections > 3:
            return good(s)
        s.say("* OK The Microsoft Exchange IMAP4 service is ready.")
        s.say("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR", s.line().split()[0] + " OK")
        s.say(s.line().split()[0] + " OK")
        s.say("* CAPABILITY IMAP4rev1", s.line().split()[0] + " OK")
        s.line()
        return s.say("* BYE Session invalidated - AccessTokenExpired")
    with Scripted(talk) as s:
        clear(p, s, i, "imap")
        collected(p, i, 0)
        assert s.connections == 4 and i.count() == 4


def test_a_bare_refusal_of_a_token_that_was_good(p, i):
    """Exchange says no more of one that has ended than that the login failed."""
    refusals = []
    with Scripted(imap(True, "AUTH=XOAUTH2", refusals)) as s:
        clear(p, s, i, "imap", active="always", interval="1s")
        with Running(p) as r:
            until(lambda: s.connections == 1 and r.row()["last_success"], r.text)
            assert i.count() == 1
            refusals.append((None, "AUTHENTICATE failed."))
            until(lambda: not refusals and s.connections >= 4, r.text)      # the one behind the second login
            assert i.count() == 2
            refusals += [(None, "AUTHENTICATE failed.")] * 2
            until(lambda: r.row()["error_class"] == "fatal", r.text)
            assert i.count() == 3 and not refusals
            p.secrets |= i.secrets


def test_oauthbearer_says_whom_and_where(p, i):
    with Scripted(imap(True, "AUTH=OAUTHBEARER AUTH=XOAUTH2", [('{"status":"invalid_token"}', "[AUTHENTICATIONFAILED] no")])) as s:
        clear(p, s, i, "imap", user="a,b=c")
        collected(p, i, 0)
        said = [base64.b64decode(line.split()[3]).decode() for line in s.heard if " AUTHENTICATE " in line]
        assert said == [f"n,a=a=2Cb=3Dc,\1host=127.0.0.1\1port={s.port}\1auth=Bearer {t}\1\1" for t in i.active]
        assert base64.b64encode(b"\1").decode() in s.heard, "the challenge is answered"


def test_a_token_of_another_program(p, i):
    """Without a section oauth the password is a token, when the mechanism says so."""
    with Scripted(imap(True, "AUTH=XOAUTH2", [])) as s:
        p.connection("box", protocol="imap", port=s.port, tls__mode="none", allow_cleartext=True, auth=["xoauth2"], password="command:echo T0ken.own", after="keep")
        p.secrets.add("T0ken.own")
        collected(p, i, 0)
        assert any(line.endswith(xoauth2("anna", "T0ken.own")) for line in s.heard)
