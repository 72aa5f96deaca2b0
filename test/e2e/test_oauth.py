# SPDX-License-Identifier: Apache-2.0
"""Logins by OAuth, end to end: an issuer of our own, and Dovecot that asks it."""
import os
import signal
import time

import pytest

from dovecot import Dovecot, available
from issuer import CLIENT, SECRET, USER_CODE, Issuer
from oauth_helpers import MAIL, Running, collected, log_in, run
from serving import LIMIT, until


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
        assert done.code == 0 and "vault" not in done.text, "the instance makes it, with its vault"
        p.secrets |= issuer.secrets


def test_a_login_by_device_code_while_the_instance_runs(p, dove, authority):
    """The client's secret is in the vault, which the instance has open: it asks the issuer, and nobody gets the secret."""
    d, issuer = dove
    issuer.refresh = None
    issuer.says["token"] = [(400, {"error": "authorization_pending"}), None]
    box(p, d, issuer, authority, active="always", interval="1h", delay_failed_account="1s", oauth__client_secret="vault:client")
    p.good("secret", "set", "client", "--password-file", "-", stdin=SECRET.encode())
    with Running(p) as r:
        until(lambda: r.row()["error_class"] == "fatal", r.text)
        done = run(p, issuer, "oauth", "login", "box")
        assert done.code == 0 and USER_CODE in done.out and issuer.url("verify") in done.out and "being visited" in done.out, done
        until(lambda: r.row()["last_success"], lambda: str(r.row()) + r.text())
        assert [f["client_secret"] for e, f in issuer.asked if e in ("device", "token")][:3] == [SECRET] * 3
        assert SECRET not in done.text and SECRET not in r.text()
        issuer.says["token"] = [(400, {"error": "access_denied"})]
        done = run(p, issuer, "oauth", "login", "box")
        assert done.code == 1 and "denied" in done.err, done
        assert p("test", "box").code == 0, "the token from before is still there"
        p.secrets |= issuer.secrets


def test_ctrl_c_while_the_instance_waits_for_the_code(p, i):
    i.says["token"] = [(400, {"error": "authorization_pending"})] * 50
    p.connection("box", password=None, oauth__client_secret="vault:client", **i.keys())
    p.good("secret", "set", "client", "--password-file", "-", stdin=SECRET.encode())
    with Running(p):
        one = p.start("oauth", "login", "box")
        until(lambda: i.count() >= 1, lambda: "")
        one.send_signal(signal.SIGINT)
        done = p.finish(one)
        assert done.code == 1 and "stopped before the login was complete" in done.err, done


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


# ---- the configuration

def test_what_check_says(p, i):
    p.connection("box", password=None, **i.keys(token_url="http://issuer.example/token"))
    done = p("check")
    assert done.code == 2 and "shows tokens" in done.err, done
    p.connection("box", password=None, oauth__provider="microsoft", oauth__client_id="x")
    assert p.good("check").err == ""
    p.connection("box")
    assert p("oauth", "login", "box").code == 2 and p("oauth", "login", "none").code == 2 and p("oauth").code == 2
