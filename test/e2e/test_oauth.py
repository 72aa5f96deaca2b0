# SPDX-License-Identifier: Apache-2.0
"""Logins by OAuth, end to end: an issuer of our own, Dovecot that asks it, scripted servers with Microsoft's manners."""
import base64
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import corpus
from dovecot import Dovecot, available
from issuer import CLIENT, SECRET, USER_CODE, Issuer
from serving import until

LIMIT = 60
MAIL = corpus.small(3)


@pytest.fixture
def i():
    with Issuer() as issuer:
        issuer.refresh = issuer.secret("R3fresh.first")
        yield issuer


@pytest.fixture(scope="module")
def world(authority):
    """A Dovecot that takes tokens, and the issuer it asks."""
    if not available():
        pytest.skip("no dovecot on this machine")
    with Issuer() as issuer, Dovecot(authority) as d:
        with open(d.path("oauth2"), "w", encoding="ascii") as f:
            f.write(f"introspection_url = {issuer.url('introspect')}\nintrospection_mode = post\nusername_attribute = username\n"
                    "active_attribute = active\nactive_value = true\n")
        d.stop()
        d.give(d.home)
        d.more = ("auth_mechanisms = plain login oauthbearer xoauth2\nauth_cache_size = 0\n"
                  f"passdb {{\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = {d.path('oauth2')}\n}}\n")
        d.start()
        yield d, issuer


@pytest.fixture
def dove(world):
    """→ Dovecot, its issuer, fresh for a test"""
    d, issuer = world
    issuer.user = d.fresh(MAIL)
    issuer.refresh, issuer.before, issuer.rotates, issuer.grace = issuer.secret("R3fresh.0-" + os.urandom(6).hex()), None, True, False
    issuer.life, issuer.pad, issuer.asked = 3600, "", []
    for rows in issuer.says.values():
        rows.clear()
    issuer.held.clear()
    issuer.go.clear()
    return d, issuer


def server_keys(d, authority, protocol, user):
    port = d.imaps if protocol == "imap" else d.pop3s
    return {"protocol": protocol, "port": port, "host": "localhost", "user": user, "password": None, "tls__ca_certificates": authority.ca, "after": "keep"}


def box(p, d, issuer, authority, protocol="imap", flow="device", **more):
    p.secrets |= issuer.secrets | {SECRET}
    p.connection("box", **{**server_keys(d, authority, protocol, issuer.user), **issuer.keys(flow), **more})


def run(p, issuer, *args, **more):
    done = p(*args, **more)
    p.secrets |= issuer.secrets
    p.judge(done)       # what was given out meanwhile is not shown either
    return done


def log_in(p, issuer, token=None):
    """A refresh token that was got elsewhere."""
    p.sections["box"] = p.sections["box"].replace("flow = 'device'", "flow = 'refresh_token'")
    p.write()
    done = p("oauth", "login", "box", "--password-file", "-", stdin=(token or issuer.refresh).encode() + b"\n")
    assert done.code == 0, done


def collected(p, issuer, count=len(MAIL)):
    done = run(p, issuer, "collect", "box")
    assert done.code == 0, done
    assert done.summary()["box"]["collected"] == count, done
    return done


# ---- the flows, with a server that asks the issuer

@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_each_mechanism_logs_in_to_dovecot(p, dove, authority, protocol, mechanism):
    d, issuer = dove
    box(p, d, issuer, authority, protocol, auth=[mechanism])
    log_in(p, issuer)
    collected(p, issuer)
    assert len(p.in_maildir()) == len(MAIL)
    done = run(p, issuer, "test", "box")
    assert done.code == 0 and mechanism.upper() in done.out, done


def test_by_device_code(p, dove, authority):
    d, issuer = dove
    issuer.refresh = None
    issuer.says["token"] = [(400, {"error": "authorization_pending"}), (400, {"error": "slow_down"}), None]
    box(p, d, issuer, authority)
    began = time.monotonic()
    done = run(p, issuer, "oauth", "login", "box")
    assert done.code == 0, done
    assert USER_CODE in done.out and issuer.url("verify") in done.out
    assert time.monotonic() - began >= 1 + 1 + 6, "the interval, and 5 s more after slow_down"
    assert [e for e, _ in issuer.asked] == ["device", "token", "token", "token"]
    assert "client_secret" not in issuer.asked[0][1]
    collected(p, issuer)
    listed = p.good("secret", "list")
    assert "oauth:box" in listed.out, listed


@pytest.mark.parametrize("error, code, says", [("access_denied", 1, "denied"), ("expired_token", 1, "in time"), ("invalid_client", 2, "client_id")])
def test_a_code_that_brings_nothing(p, i, error, code, says):
    i.says["token"] = [(400, {"error": error})]
    p.connection("box", password=None, **i.keys())
    done = run(p, i, "oauth", "login", "box")
    assert done.code == code and says in done.err, done
    assert "oauth:box" not in p.good("secret", "list").out


def test_a_code_that_ends(p, i):
    i.says["device"] = [(200, {"device_code": "c", "user_code": USER_CODE, "verification_uri": "http://127.0.0.1/", "expires_in": 2, "interval": 1})]
    i.says["token"] = [(400, {"error": "authorization_pending"})] * 9
    p.connection("box", password=None, **i.keys())
    done = run(p, i, "oauth", "login", "box")
    assert done.code == 1 and "in time" in done.err, done
    assert i.count() <= 2


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_by_client_credentials(p, dove, authority, protocol):
    d, issuer = dove
    box(p, d, issuer, authority, protocol, "client_credentials", oauth__client_secret=SECRET)
    collected(p, issuer)
    assert issuer.asked[0][1] == {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
    done = run(p, issuer, "test", "box")
    assert done.code == 0, done
    assert run(p, issuer, "oauth", "login", "box").code == 2


def test_each_refresh_token_is_used_once(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority)
    log_in(p, issuer)
    collected(p, issuer)
    for _ in range(3):
        collected(p, issuer, 0)
    used = [form["refresh_token"] for e, form in issuer.asked if e == "token"]
    assert len(used) == len(set(used)) == 4


def test_as_long_a_token_as_dovecot_takes(p, dove, authority):
    d, issuer = dove
    issuer.pad = "x" * 3000
    for protocol in ("imap", "pop3"):
        box(p, d, issuer, authority, protocol)
        log_in(p, issuer)
        assert run(p, issuer, "collect", "box").code == 0


# ---- what is not taken

@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_token_that_ended_is_replaced_once(p, dove, authority, protocol):
    d, issuer = dove
    box(p, d, issuer, authority, protocol)
    log_in(p, issuer)
    issuer.says["introspect"] = [(200, {"active": False})]
    collected(p, issuer)
    assert issuer.count() == 2


def test_a_token_that_is_never_taken(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority)
    log_in(p, issuer)
    issuer.says["introspect"] = [(200, {"active": False})] * 20
    done = run(p, issuer, "collect", "box")
    assert done.code == 1 and "was refused" in done.err, done
    assert issuer.count() == 2, "one refresh, one further try"


def test_it_is_nobody_elses(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority)
    log_in(p, issuer)
    issuer.user = "somebody"
    assert run(p, issuer, "collect", "box").code == 1


def test_the_issuer_takes_the_token_no_more(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority)
    log_in(p, issuer, issuer.secret("R3fresh.revoked"))
    done = run(p, issuer, "collect", "box")
    assert done.code == 1 and "postrider oauth login box" in done.err and "invalid_grant" in done.err, done
    assert issuer.count() == 1
    log_in(p, issuer)
    collected(p, issuer)


def test_nobody_has_logged_in(p, i):
    p.connection("box", password=None, port=1, **i.keys())
    done = run(p, i, "collect", "box")
    assert done.code == 1 and "postrider oauth login box" in done.err, done
    assert not i.asked


# ---- the endpoint is down

def test_the_issuer_is_not_there(p, i):
    p.connection("box", password=None, port=1, max_retries=2, retry_interval="1s", **i.keys(flow="refresh_token"))
    log_in(p, i)
    i.stop()
    done = run(p, i, "collect", "box")
    assert done.code == 1 and "no access token" in done.err and "127.0.0.1" in done.err, done
    assert "trying again" not in done.err


class Running:
    """`postrider run`, with its log in a file."""

    def __init__(self, p):
        self.p, self.log = p, os.path.join(p.home, "log")

    def __enter__(self):
        with open(self.log, "wb") as f:
            self.process = subprocess.Popen(
                self.p.argv("run"), stdout=f, stderr=f, stdin=subprocess.DEVNULL, env=self.p.environment(), cwd=self.p.home)
        until(lambda: "running workers" in self.text(), self.text)
        return self

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def row(self):
        return next(r for r in self.p.good("status", "--json").rows()[0]["connections"] if r["connection"] == "box")

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0 or kind
        for secret in self.p.secrets:
            assert secret not in self.text()


def test_the_schedule_waits_for_an_issuer_that_is_down(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority, active="always", interval="1s", delay_failed_host="1s", delay_failed_account="2s")
    log_in(p, issuer)
    issuer.says["token"] = [(503, {}, {"Retry-After": "3"})]
    with Running(p) as r:
        until(lambda: r.row()["failures"] >= 2, lambda: str(r.row()) + r.text())
        row = r.row()
        assert row["error_class"] == "counted" and row["error_kind"] == "peer" and row["token_expires"] is None, row
        assert issuer.count() == 1, "not asked again before it said"
        until(lambda: r.row()["failures"] == 0 and r.row()["last_success"], r.text)
        assert r.row()["token_expires"], r.row()
        assert issuer.count() == 2
        assert "its access token ends" in p.good("status").out
        p.secrets |= issuer.secrets
    assert len(p.in_maildir()) == len(MAIL)


def test_a_login_while_the_instance_runs(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority, flow="refresh_token", active="always", interval="1h", delay_failed_account="1s")
    log_in(p, issuer, "R3fresh.old")
    with Running(p) as r:
        until(lambda: r.row()["error_class"] == "fatal", r.text)
        assert "postrider oauth login box" in r.row()["error"]
        log_in(p, issuer)
        until(lambda: r.row()["last_success"], lambda: str(r.row()) + r.text())
        done = p("test", "box")
        assert done.code == 1 and "vault" in done.text, done
        p.secrets |= issuer.secrets


# ---- killed

def killed_while_held(p, issuer):
    """Killed when the issuer has made a new refresh token, and has not said so yet."""
    issuer.says["token"] = ["hold"]
    process = p.start("collect", "box")
    assert issuer.held.wait(LIMIT)
    process.kill()
    process.communicate()
    issuer.go.set()


def test_killed_before_the_answer_and_the_issuer_has_patience(p, dove, authority):
    d, issuer = dove
    issuer.grace = True
    box(p, d, issuer, authority)
    log_in(p, issuer)
    killed_while_held(p, issuer)
    collected(p, issuer)


def test_killed_before_the_answer_and_the_issuer_has_none(p, dove, authority):
    d, issuer = dove
    box(p, d, issuer, authority)
    log_in(p, issuer)
    killed_while_held(p, issuer)
    done = run(p, issuer, "collect", "box")
    assert done.code == 1 and "postrider oauth login box" in done.err, done
    log_in(p, issuer)
    collected(p, issuer)


def test_killed_when_the_token_is_used(p, dove, authority):
    """What is used was kept before: the server sees the access token only when the new refresh token is durable."""
    d, issuer = dove
    box(p, d, issuer, authority)
    log_in(p, issuer)
    issuer.says["introspect"] = ["hold"]
    process = p.start("collect", "box")
    assert issuer.held.wait(LIMIT)
    process.kill()
    process.communicate()
    issuer.go.set()
    collected(p, issuer)        # strict: only the newest is taken


@pytest.mark.slow
def test_killed_at_any_instant(p, dove, authority):
    """An issuer with patience loses nothing, wherever we are killed."""
    d, issuer = dove
    issuer.grace = True
    box(p, d, issuer, authority)
    log_in(p, issuer)
    for n in range(25):
        process = p.start("collect", "box")
        time.sleep(0.004 * n)
        process.kill()
        process.communicate()
        assert run(p, issuer, "collect", "box").code == 0, n


# ---- Microsoft's manners, as scripted servers

class Scripted:
    """A server for one protocol: talk(self, file) for each connection; what it heard is in `heard`."""

    def __init__(self, talk):
        self.talk, self.heard, self.connections = talk, [], 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

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
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


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
            until(lambda: not refusals and s.connections >= 3 and r.row()["failures"] == 0, r.text)
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


# ---- the configuration

def test_what_check_says(p, i):
    p.connection("box", password=None, **i.keys(token_url="http://issuer.example/token"))
    done = p("check")
    assert done.code == 2 and "shows tokens" in done.err, done
    p.connection("box", password=None, oauth__provider="microsoft", oauth__client_id="x")
    assert p.good("check").err == ""
    p.connection("box")
    assert p("oauth", "login", "box").code == 2 and p("oauth", "login", "none").code == 2 and p("oauth").code == 2
