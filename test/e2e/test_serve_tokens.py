# SPDX-License-Identifier: Apache-2.0
"""OAUTHBEARER and XOAUTH2: logins by token, judged by an introspection endpoint of our own on 127.0.0.1."""
import base64
import json
import os
import subprocess
import time

import pytest

import corpus
from dovecot import PASSWORD
from introspection import CLIENT, SECRET, Endpoint, endpoint
from serving import Server, until

QUICK = {"failed_delay": "0", "failed_limit": 0}


def keys(e, **more):
    oauth = {"introspection_url": e.url(), "client_id": CLIENT, "client_secret": SECRET, **more}
    return {"oauth__" + k: v for k, v in oauth.items() if v is not None}


@pytest.fixture
def e():
    with endpoint() as found:
        yield found


@pytest.fixture
def s(tmp_path, authority, e):
    with Server(tmp_path, authority, **QUICK, **keys(e)) as found:
        found.p.secrets.add(SECRET)
        found.p.sections["log"] = "log { level = debug }\n"
        yield found


def token(s, e, name, said=None, **more):
    """A token of this name: no log may ever have it."""
    t = f"Tok3n.{name.translate({32: 46, 35: 46, 64: 46})}-{os.urandom(12).hex()}=="
    s.secrets["token " + name] = t
    e.says[t] = {"active": True, "username": name, "exp": time.time() + 3600, **more} if said is None else said
    return t


def coded(octets):
    return base64.b64encode(octets.encode()).decode() or "="


def bearer(user, t):
    return coded(f"n,{'a=' + user if user else ''},\1host=127.0.0.1\1auth=Bearer {t}\1\1")


def xoauth2(user, t):
    return coded(f"user={user}\1auth=Bearer {t}\1\1")


FORMS = {"OAUTHBEARER": bearer, "XOAUTH2": xoauth2}


def start(s, accounts=("anna",)):
    for name in accounts:
        s.account(name, corpus.small(2))
    return s.start()


def attempt(s, mech, user, t, name="tls", **more):
    """→ the last answer, and the challenge of a refusal."""
    with s.raw(name, **more) as c:
        return say(c, mech, user, t)


def say(c, mech, user, t):
    answer, challenge = c.ask(f"AUTH {mech} {FORMS[mech](user, t)}"), None
    if answer.startswith("+ "):
        challenge = json.loads(base64.b64decode(answer[2:]))
        answer = c.ask(coded("\1"))
    return answer, challenge


def good(s, mech, user, t, messages=2, **more):
    with s.raw("tls", **more) as c:
        answer, challenge = say(c, mech, user, t)
        assert answer.startswith("+OK") and challenge is None, answer
        assert c.good("STAT").split()[1] == str(messages)
        c.quit()


def wrong(s, mech, user, t, **more):
    answer, challenge = attempt(s, mech, user, t, **more)
    assert answer.startswith("-ERR [AUTH]"), answer
    assert challenge["status"] == {"OAUTHBEARER": "invalid_token", "XOAUTH2": "401"}[mech]
    return answer


def busy(s, mech, user, t, **more):
    answer, challenge = attempt(s, mech, user, t, **more)
    assert answer.startswith("-ERR [SYS/TEMP]") and challenge is None, answer


def mechanisms(c):
    return next((line.split()[1:] for line in c.multi("CAPA") if line.startswith("SASL")), [])


def failures(s):
    return s.log().count("login failed")


@pytest.mark.parametrize("mech", FORMS)
def test_whose_token_it_is_comes_in(s, e, mech):
    start(s, ("anna", "bert"))
    t = token(s, e, "anna")
    good(s, mech, "anna", t)
    good(s, mech, "ANNA", t)
    assert e.asked == [t]                   # the second time it was remembered
    for _ in range(3):
        wrong(s, mech, "bert", t)           # what is remembered lets in nobody else
        good(s, mech, "anna", t)
    assert wrong(s, mech, "nobody", t) == wrong(s, mech, "bert", token(s, e, "not active", {"active": False}))
    assert e.asked.count(t) == 1
    line = next(line for line in s.log().splitlines() if "login failed" in line)
    assert f'mechanism={mech} tls=TLSv1.3 user="bert" reason="the token is not for this account"' in line


def test_without_a_name_it_is_the_token_s(s, e):
    start(s)
    t = token(s, e, "anna")
    good(s, "OAUTHBEARER", "", t)
    good(s, "OAUTHBEARER", "", t)
    wrong(s, "OAUTHBEARER", "", token(s, e, "nobody"))
    with s.raw("tls") as c:
        c.bad(f"AUTH XOAUTH2 {xoauth2('', t)}")
        c.quit()
    assert e.asked.count(t) == 1 and s.sessions()[0]["user"] == "anna"


def test_the_token_asked_for_by_an_empty_challenge(s, e):
    start(s)
    for mech, form in FORMS.items():
        with s.raw("tls") as c:
            assert c.ask("AUTH " + mech) == "+ "
            c.good(form("anna", token(s, e, "anna")))
            c.quit()
        with s.raw("tls") as c:             # and one that is taken back
            assert c.ask("AUTH " + mech) == "+ "
            c.bad("*")
            c.quit()


ANSWERS = {
    "inactive": {"active": False}, "no claim": {"active": True}, "another claim": {"active": True, "sub": "anna"},
    "expired": {"active": True, "username": "anna", "exp": 1}, "not yet": {"active": True, "username": "anna", "nbf": 9e9},
    "truth as a text": {"active": "true", "username": "anna"}, "other user": {"active": True, "username": "bert"},
    "nobody": {"active": True, "username": "nobody"}, "a box": {"active": True, "username": "INBOX#anna"},
}


def test_all_that_is_wrong(s, e):
    start(s, ("anna", "bert"))
    said = set()
    for name, answer in ANSWERS.items():
        for mech in FORMS:
            said.add(wrong(s, mech, "anna", token(s, e, name, answer)))
    assert len(said) == 1, "the client learns why"
    assert failures(s) == len(ANSWERS) * 2  # each once


def test_scope(s, e):
    s.keys |= keys(e, scope="pop mail.read")
    start(s)
    for mech in FORMS:
        good(s, mech, "anna", token(s, e, "anna", scope="mail.read other pop"))
        wrong(s, mech, "anna", token(s, e, "anna", scope="pop"))
        wrong(s, mech, "anna", token(s, e, "anna", scope="pop mail.readonly"))
        wrong(s, mech, "anna", token(s, e, "anna"))


def test_another_claim_names_the_user(s, e):
    s.keys |= keys(e, username_claim="email")
    s.head["main_domain"] = "example.org"
    start(s)
    good(s, "XOAUTH2", "anna", token(s, e, "nobody", email="Anna@example.org"))
    wrong(s, "XOAUTH2", "anna", token(s, e, "anna"))


def test_names_with_boxes_aliases_and_routes(s, e):
    s.account("anna", corpus.small(2))
    s.account("bert", corpus.small(1))
    s.fill("anna", corpus.small(3), "private")
    s.p.good("domain", "add", "client1.com")
    s.p.good("account", "set", "anna", "alias=chef")
    s.p.good("route", "add", "*@client1.com", "anna")
    s.start()
    t = token(s, e, "anna")
    good(s, "XOAUTH2", "chef", t)
    good(s, "OAUTHBEARER", "anna", token(s, e, "chef"))
    good(s, "XOAUTH2", "private#anna", t, 3)
    good(s, "OAUTHBEARER", "private#anna", t, 3)
    wrong(s, "XOAUTH2", "private#bert", t)
    with s.raw("tls") as c:                 # right, but there is no such box
        answer, challenge = say(c, "XOAUTH2", "absent#anna", t)
        assert answer.startswith("-ERR") and challenge is None, answer
    good(s, "XOAUTH2", "any@client1.com", t, 0)
    routed = token(s, e, "any@client1.com")
    wrong(s, "XOAUTH2", "any@client1.com", routed)
    wrong(s, "XOAUTH2", "anna", routed)
    wrong(s, "OAUTHBEARER", "", routed)


def test_nobody_can_tell_is_not_a_failed_login(s, e):
    start(s)
    kept = token(s, e, "anna")
    good(s, "XOAUTH2", "anna", kept)
    for says in (500, 503, 401, 302, b"<html>", b"", b"[]", b"[" * 60000, b'{"active":true,"username":"anna"' + b" " * 70000 + b"}"):
        for mech in FORMS:
            busy(s, mech, "anna", token(s, e, "anna", says))
    assert failures(s) == 0
    assert s.log().count("tokens cannot be judged now") == 1        # not once a login
    e.stop()
    busy(s, "XOAUTH2", "anna", token(s, e, "anna"))
    good(s, "XOAUTH2", "anna", kept)        # remembered
    c = s.raw("tls")
    c.good("USER anna")
    c.good("PASS " + PASSWORD)
    c.quit()
    again = Endpoint(port=e.port)
    try:
        good(s, "XOAUTH2", "anna", token(s, again, "anna"))
        s.wait_log("tokens are judged again")
    finally:
        again.stop()
    assert failures(s) == 0


def test_one_that_hangs_holds_up_nobody_else(s, e):
    start(s, ("anna", "bert"))
    slow = token(s, e, "anna", "hang")
    with s.raw("tls") as c, s.raw("tls") as gone:
        for one in (c, gone):
            one.send(f"AUTH XOAUTH2 {xoauth2('anna', slow)}\r\n")
        until(lambda: len(e.asked) == 2, "two that wait")
        gone.reset()
        good(s, "XOAUTH2", "bert", token(s, e, "bert"))
        assert c.line().startswith("-ERR [SYS/TEMP]")       # after INTROSPECT_TIMEOUT_MS
        c.quit()
    assert failures(s) == 0


def test_a_stop_does_not_wait_for_it(s, e):
    start(s)
    with s.raw("tls") as c:
        c.send(f"AUTH XOAUTH2 {xoauth2('anna', token(s, e, 'anna', 'hang'))}\r\n")
        until(lambda: e.asked, "one that waits")
        s.stop()
    assert "cannot be judged" not in s.log()        # so it says when a question has timed out


def test_offered_where_a_token_is_safe(s, e):
    start(s)
    with s.raw("plain") as c:
        assert not set(FORMS) & set(mechanisms(c))
        for mech, form in FORMS.items():
            c.bad(f"AUTH {mech} {form('anna', token(s, e, 'anna'))}")
        c.good("STLS")
        c.secure(s.context())
        assert set(FORMS) < set(mechanisms(c))
    for name in ("open", "tls"):
        with s.raw(name) as c:
            assert set(FORMS) < set(mechanisms(c))
    good(s, "XOAUTH2", "anna", token(s, e, "anna"))
    assert attempt(s, "XOAUTH2", "anna", token(s, e, "anna"), "open")[0].startswith("+OK")
    assert len(e.asked) == 2


def test_without_the_section_there_is_none(s, e):
    for key in [k for k in s.keys if k.startswith("oauth__")]:
        del s.keys[key]
    start(s)
    with s.raw("tls") as c:
        assert not set(FORMS) & set(mechanisms(c))
        c.bad(f"AUTH XOAUTH2 {xoauth2('anna', token(s, e, 'anna'))}")
    assert not e.asked


def test_a_failed_login_is_late_and_counts_once(s, e):
    s.keys |= {"failed_delay": "1s", "failed_limit": 3, "failed_block": "1h"}
    start(s)
    bad = token(s, e, "bad", {"active": False})
    with s.raw("tls") as c:
        challenge = c.ask(f"AUTH XOAUTH2 {xoauth2('anna', bad)}")
        assert challenge.startswith("+ "), challenge
        began = time.monotonic()
        assert c.ask("").startswith("-ERR [AUTH]")
        assert time.monotonic() - began > 0.9
        c.quit()
    assert failures(s) == 1
    with s.raw("tls") as c:                 # gone before the refusal: counted all the same
        assert c.ask(f"AUTH XOAUTH2 {xoauth2('anna', bad)}").startswith("+ ")
        c.reset()
    until(lambda: failures(s) == 2, "its line in the log")
    with s.raw("tls") as c:
        assert c.ask(f"AUTH OAUTHBEARER {bearer('anna', bad)}").startswith("+ ")
        assert c.ask(coded("\1")).startswith("-ERR [AUTH]")
        c.closed()                          # the third
    s.wait_log("blocked address=127.0.0.1 failures=3")
    assert failures(s) == 3
    assert len(e.asked) == 3


def test_who_goes_at_the_last_try_is_blocked_in_the_log_too(s, e):
    s.keys |= {"failed_delay": "1s", "failed_limit": 1, "failed_block": "1h"}
    start(s)
    with s.raw("tls") as c:
        assert c.ask(f"AUTH XOAUTH2 {xoauth2('anna', token(s, e, 'bad', {'active': False}))}").startswith("+ ")
        c.reset()
    s.wait_log("blocked address=127.0.0.1 failures=1")
    assert failures(s) == 1


def test_a_cancelled_refusal(s, e):
    start(s)
    with s.raw("tls") as c:
        assert c.ask(f"AUTH OAUTHBEARER {bearer('anna', token(s, e, 'x', {'active': False}))}").startswith("+ ")
        c.bad("*")
        assert failures(s) == 1
        c.good(f"AUTH OAUTHBEARER {bearer('anna', token(s, e, 'anna'))}")
        c.quit()


def test_a_long_token(s, e):
    start(s)
    t = "e" * 12200         # with a command, in base64, 16 KiB
    e.says[t] = {"active": True, "username": "anna"}
    good(s, "XOAUTH2", "anna", t)
    assert e.asked == [t]


def test_a_reload_changes_the_endpoint(s, e):
    start(s)
    t = token(s, e, "anna")
    good(s, "XOAUTH2", "anna", t)
    with endpoint() as other:
        other.says[t] = {"active": False}
        s.keys |= keys(other)
        s.reload()
        wrong(s, "XOAUTH2", "anna", t)      # remembered under other settings
        assert e.asked == [t] and other.asked == [t]
        s.keys |= keys(other, client_secret="file:" + os.path.join(s.home, "absent"))
        s.reload(good=False)
        assert "oauth: client_secret: password file" in s.log()
        wrong(s, "XOAUTH2", "anna", t)
        assert other.asked == [t, t]
        secret = os.path.join(s.home, "secret")
        with open(secret, "w", encoding="ascii") as f:
            f.write(SECRET + "\n")
        s.keys |= keys(other, client_secret="file:" + secret)
        s.reload()
        good(s, "XOAUTH2", "anna", token(s, other, "anna"))
        with s.raw("tls") as held:
            s.keys = {k: v for k, v in s.keys.items() if not k.startswith("oauth__")}
            s.reload()
            answer, _ = say(held, "XOAUTH2", "anna", token(s, other, "anna"))
            assert answer.startswith("-ERR [SYS/TEMP]"), answer     # it began under the old settings
        with s.raw("tls") as c:
            assert not set(FORMS) & set(mechanisms(c))
        s.keys |= keys(other)
        s.reload()
        good(s, "XOAUTH2", "anna", token(s, other, "anna"))


def test_https_and_its_certificate(tmp_path, authority):
    with endpoint(certificate=authority.sign("served")) as e, Server(tmp_path, authority, **QUICK) as s:
        s.keys |= keys(e, introspection_url=e.url("https", "localhost"), ca_certificates=authority.ca)
        s.p.secrets.add(SECRET)
        start(s)
        good(s, "XOAUTH2", "anna", token(s, e, "anna"))
        s.keys |= keys(e, introspection_url=e.url("https", "localhost"))       # the system does not know that authority
        del s.keys["oauth__ca_certificates"]
        s.reload()
        busy(s, "XOAUTH2", "anna", token(s, e, "anna"))
        assert len(e.asked) == 1 and "certificate" in s.log()


def test_no_token_and_no_secret_is_left_behind(s, e):
    start(s)
    t = token(s, e, "anna")
    for mech in FORMS:
        good(s, mech, "anna", t)
        wrong(s, mech, "bert", t)
        wrong(s, mech, "anna", token(s, e, "bad", {"active": False}))
        busy(s, mech, "anna", token(s, e, "broken", 500))
    pid = s.process.pid
    for what in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{what}", "rb") as f:
            held = f.read()
        assert SECRET.encode() not in held and t.encode() not in held
    found = subprocess.run(["grep", "-rlaF", "-e", t, "-e", SECRET, s.home], capture_output=True, text=True, check=False).stdout.split()
    assert found == [s.p.config], found     # the configuration has the secret


def test_the_configuration_is_checked(s, e):
    s.account("anna", [])
    s.write()
    s.p.good("check")
    s.keys |= keys(e, client_secret="file:" + os.path.join(s.home, "absent"))
    s.write()
    done = s.p("check")
    assert done.code == 2 and "oauth: client_secret: password file" in done.err and "cannot be opened" in done.err, done
    s.keys |= keys(e, introspection_url="http://auth.example.org/")
    s.write()
    done = s.p("check")
    assert done.code == 2 and "oauth.introspection_url" in done.err and "shows tokens" in done.err, done
    s.keys |= keys(e)
    s.write()
    os.chmod(s.p.config, 0o644)
    done = s.p("check")
    assert done.code == 2 and "oauth.client_secret: it stands here in clear" in done.err, done
