# SPDX-License-Identifier: Apache-2.0
"""The ladder of mechanisms: in which order, what a refusal costs at the server, and what is remembered of it."""
import re

import pytest

import corpus
from dovecot import Dovecot, PASSWORD
from probing import Raw, both, failed, steps, tls
from serving import Server, until
from told import Told, box, sized

WRONG = "falsch-9Xk"


def implicit(dovecot, protocol):
    return {"port": dovecot.pop3s if protocol == "pop3" else dovecot.imaps}


# ---- a real server counts

SETS = ["plain login", "cram-md5 plain", "login cram-md5", "scram-sha-256 scram-sha-1 cram-md5 plain login", "digest-md5 cram-md5 login"]
LISTS = ["auto", "plain login user", "user plain", "cram-md5 login plain user", "scram-sha-1 plain"]


@pytest.fixture(scope="module", params=SETS)
def offering(request, authority):
    with Dovecot(authority, more=f"\nauth_mechanisms = {request.param}\nauth_verbose = yes\n") as server:
        server.mechs = request.param.split()
        yield server


def failures(server, user):
    """What its log has of this user: how many logins failed, of each of his connections that is over."""
    def over():
        return re.findall(rf"auth failed, (\d+) attempts in \d+ secs\): user=<{user}>", server.log())
    until(over, lambda: server.log()[-3000:], 10)
    return sum(map(int, over()))


@both
@pytest.mark.parametrize("auth", LISTS)
def test_a_wrong_password_costs_one_failure(p, authority, offering, protocol, auth):
    p.secrets.add(WRONG)
    wanted = auth.split()
    if auth != "auto" and not set(wanted) & {*offering.mechs, *(["user"] if "plain" in offering.mechs else [])}:
        pytest.skip("nothing in common")
    user = f"{protocol}{len(auth)}x{LISTS.index(auth)}"
    tls(p, protocol, offering, authority, **implicit(offering, protocol), user=user, password=WRONG, after="keep", deliver=["maildir:" + p.maildir],
        max_retries=3, retry_interval="1s", **({} if auth == "auto" else {"auth": wanted}))
    done = p("collect", "box")
    assert done.code == 1 and "refused" in done.err, done
    assert failures(offering, user) == 1, (offering.mechs, auth, offering.log()[-2000:])


@both
def test_the_strongest_that_is_offered(p, authority, offering, protocol):
    user = offering.fresh(corpus.small(2))
    tls(p, protocol, offering, authority, **implicit(offering, protocol), user=user)
    built = [m for m in "scram-sha-256 scram-sha-1 digest-md5 cram-md5 plain login".split() if m in offering.mechs]
    login = [r for r in steps(p, code=0) if r["step"] == "login"][0]
    of = {m["mechanism"]: m["reason"] for m in login["mechanisms"]}
    if of.get("DIGEST-MD5") == "not_built":
        built = [m for m in built if m != "digest-md5"]
    assert login["detail"].endswith("by " + built[0].upper()), login
    assert of[built[0].upper()] == "worked"
    order = list(of)
    passed = order[:order.index(built[0].upper())]
    assert all(of[m] != "worked" for m in passed) and set(order) - set(passed) - {built[0].upper()} == set(), order


# ---- a server that is told what to do

@both
def test_a_list_is_tried_in_its_order(p, protocol):
    with Told(protocol, ["CRAM-MD5", "LOGIN", "PLAIN", "USER"], {"USER": "ok"}) as told:
        box(p, protocol, told, auth=["login", "plain", "user"])
        p("collect", "box")
        assert told.seen == [["LOGIN", "PLAIN"]], "a plain refusal of what showed the password names it"


@both
@pytest.mark.parametrize("auth", [None, ["plain"], ["plain", "login", "user"], ["cram-md5", "plain"]])
@pytest.mark.parametrize("deed", ["bad", "no", "close"])
def test_no_word_is_needed_to_name_the_password(p, protocol, auth, deed):
    """With retries of the visit, too: credentials are fatal."""
    with Told(protocol, ["PLAIN", "LOGIN", "USER"], {"PLAIN": deed}) as told:
        box(p, protocol, told, max_retries=3, retry_interval="1s", **({"auth": auth} if auth else {}))
        done = p("collect", "box")
        assert done.code == 1 and told.seen == [["PLAIN"]], (done, told.seen)


@both
@pytest.mark.parametrize("deed, seen", [("no", [["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"]]), ("close", [["SCRAM-SHA-256"], ["SCRAM-SHA-1"], ["CRAM-MD5"]])])
def test_at_most_three_over_all_connections(p, protocol, deed, seen):
    """Refusals that say nothing of the password, and a server that closes after each of them."""
    offered = ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "USER"]
    with Told(protocol, offered, {m: deed for m in offered}) as told:
        box(p, protocol, told)
        assert p("collect", "box").code == 1
        assert told.seen == seen


@both
def test_in_clear_nothing_weaker_on_another_connection_either(p, protocol):
    with Told(protocol, ["CRAM-MD5", "PLAIN", "USER"], {"CRAM-MD5": "close", "PLAIN": "ok", "USER": "ok"}) as told:
        box(p, protocol, told)
        done = p("collect", "box")
        assert done.code == 1 and told.flat == ["CRAM-MD5"], (done, told.seen)


@both
@pytest.mark.parametrize("after", ["no", "gone"])
@pytest.mark.parametrize("instead", ["false", "junk", "raw"])
def test_nothing_weaker_after_a_false_signature(p, protocol, instead, after):
    """Neither in this visit, nor in its retries, nor in the next one, where the server offers less; what is changed in the
    section begins anew."""
    with Told(protocol, ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "USER"], {"SCRAM-SHA-256": instead, "PLAIN": "ok", "USER": "ok", "after": after}) as told:
        box(p, protocol, told, max_retries=3, retry_interval="1s")
        done = p("collect", "box")
        assert done.code == 1 and told.seen == [["SCRAM-SHA-256"]] and "did not prove" in done.err, (done, told.seen)
        told.offered = ["SCRAM-SHA-1", "PLAIN", "USER"]
        done = p("collect", "box")
        assert done.code == 1 and told.flat == ["SCRAM-SHA-256"] and "somebody may be in between" in done.err, (done, told.seen)
        told.offered, told.deeds["SCRAM-SHA-256"] = ["SCRAM-SHA-256", "PLAIN"], "ok"
        assert p("collect", "box").code == 0 and told.flat == ["SCRAM-SHA-256"] * 2


@both
def test_a_change_of_the_section_begins_anew(p, protocol):
    with Told(protocol, ["SCRAM-SHA-256", "PLAIN"], {"SCRAM-SHA-256": "false", "PLAIN": "ok"}) as told:
        box(p, protocol, told)
        assert p("collect", "box").code == 1
        box(p, protocol, told, auth=["plain"])
        assert p("collect", "box").code == 0 and told.flat == ["SCRAM-SHA-256", "PLAIN"]


@both
def test_less_than_before_on_a_line_in_clear(p, protocol):
    with Told(protocol, ["SCRAM-SHA-256", "PLAIN", "USER"], {"SCRAM-SHA-256": "ok", "PLAIN": "ok", "USER": "ok"}) as told:
        box(p, protocol, told)
        assert p("collect", "box").code == 0 and told.flat == ["SCRAM-SHA-256"]
        told.offered = ["PLAIN", "USER"]
        done = p("collect", "box")
        assert done.code == 1 and told.flat == ["SCRAM-SHA-256"] and "weaker than what it had before" in done.err, done
        told.offered = ["SCRAM-SHA-256", "PLAIN"]
        assert p("collect", "box").code == 0 and told.flat == ["SCRAM-SHA-256"] * 2


@both
def test_what_worked_is_remembered(p, protocol):
    """By another process, too: what the server refuses on the way is not tried every time."""
    deeds = {"SCRAM-SHA-256": "no", "SCRAM-SHA-1": "no", "CRAM-MD5": "ok"}
    with Told(protocol, ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"], deeds) as told:
        box(p, protocol, told)
        assert p("collect", "box").code == 0 and p("collect", "box").code == 0 and p("collect", "box").code == 0
        assert told.seen == [["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"], ["CRAM-MD5"], ["CRAM-MD5"]]
        told.offered.insert(0, "DIGEST-MD5")        # which is weaker than those that were refused; and what worked is gone
        told.offered.remove("CRAM-MD5")
        told.seen.clear()
        p("collect", "box")
        assert "SCRAM-SHA-256" in told.flat


# ---- `postrider test` says why

def reasons(rows):
    login = [r for r in rows if r["step"] == "login"][0]
    return {m["mechanism"]: (m["reason"], m["detail"]) for m in login["mechanisms"]}


@both
def test_why_each_was_passed_over(p, protocol):
    with Told(protocol, ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN", "USER"], {"CRAM-MD5": "ok"}) as told:
        p.clear("box", told, protocol=protocol, allow_cleartext=False)
        of = reasons(steps(p, code=0))
        assert of["SCRAM-SHA-256-PLUS"] == ("not_offered", "not offered")
        assert of["SCRAM-SHA-256"][0] == "refused" and re.match(r"refused by the server: .*no", of["SCRAM-SHA-256"][1])
        assert of["XOAUTH2"] == ("no_oauth", "no oauth section") and of["EXTERNAL"][0] == "no_certificate"
        assert of["CRAM-MD5"][0] == "worked" and "PLAIN" not in of
        told.deeds["CRAM-MD5"] = "no"
        rows = steps(p)
        of = reasons(rows)
        assert of["PLAIN"] == ("clear_line", "the line is in clear and allow_cleartext = false")
        assert of["USER" if protocol == "pop3" else "USER (LOGIN of IMAP)"][0] == "clear_line" and of["CRAM-MD5"][0] == "refused"
        text = p("test", "box").out
        assert "\n  PLAIN: the line is in clear and allow_cleartext = false\n" in text and "\n  SCRAM-SHA-256-PLUS: not offered\n" in text
        assert p("test", "box", "-q").out.count("\n") == 1


@both
def test_the_last_one_has_its_reason_too(p, protocol):
    with Told(protocol, ["SCRAM-SHA-1", "PLAIN"], {"SCRAM-SHA-1": "false", "PLAIN": "ok"}) as told:
        box(p, protocol, told)
        of = reasons([failed(p, "login", "did not prove")])
        assert of["SCRAM-SHA-1"][0] == "false_proof" and "PLAIN" not in of
        told.deeds = {"SCRAM-SHA-1": "no", "PLAIN": "bad"}
        box(p, protocol, told, auth=["plain", "scram-sha-1"])
        assert reasons([failed(p, "login", "refused")]) == {"PLAIN": ("credentials", reasons([failed(p, "login", "refused")])["PLAIN"][1])}


# ---- detection

DETECT = [["capa"], ["auth"], ["greeting"], ["capa", "auth"], ["capa", "greeting"], ["auth", "greeting"], ["capa", "auth", "greeting"]]


class Detected:
    """A POP3 server in clear that knows all three ways, each telling of another mechanism: CAPA of CRAM-MD5, AUTH of LOGIN,
    the greeting of APOP; `capa` False: it does not know CAPA."""

    def __init__(self, capa):
        self.capa, self.said = capa, []
        self.raw = Raw(self.speak)

    def speak(self, _, sock):
        f = sized(sock)
        f.write(b"+OK ready <1.2@detected>\r\n")
        while line := f.readline():
            self.said.append(line.decode().strip())
            verb, *rest = line.decode().split()
            if verb == "CAPA":
                f.write(b"+OK\r\nUSER\r\nSASL CRAM-MD5\r\nUIDL\r\n.\r\n" if self.capa else b"-ERR what?\r\n")
            elif verb == "AUTH" and not rest:
                f.write(b"+OK\r\nLOGIN\r\n.\r\n")
            elif verb in ("AUTH", "APOP", "USER"):
                f.write(b"-ERR [AUTH] no\r\n")
            else:
                f.write(b"+OK\r\n")


@pytest.mark.parametrize("detect", DETECT)
@pytest.mark.parametrize("capa", [True, False])
def test_what_is_looked_for(p, detect, capa):
    origin = Detected(capa)
    with origin.raw:
        origin.port = origin.raw.port
        p.clear("box", origin, detect=detect, auth=["cram-md5", "login", "apop", "user"])
        p("test", "box")
        told = capa and "capa" in detect
        assert ("CAPA" in origin.said) is ("capa" in detect)
        assert ("AUTH" in origin.said) is ("auth" in detect and not told), "it is for servers without CAPA"
        first = [s for s in origin.said if s.split()[0] in ("AUTH", "APOP", "USER") and s != "AUTH"][0].split()
        want = ["AUTH", "CRAM-MD5"] if told else ["AUTH", "LOGIN"] if "auth" in detect else ["APOP", "anna"] if "greeting" in detect else ["USER", "anna"]
        assert first[:2] == want, origin.said


def test_without_any_only_user_is_tried(p):
    origin = Detected(True)
    with origin.raw:
        origin.port = origin.raw.port
        p.clear("box", origin, detect=[])
        p("test", "box")
        assert origin.said == ["USER anna"]


@both
def test_offered_only_behind_tls(p, authority, dovecot, protocol):
    """Dovecot offers none of clear text on a clear line; behind STLS it is another list that counts."""
    user = dovecot.fresh(corpus.small(1))
    tls(p, protocol, dovecot, authority, port=dovecot.pop3 if protocol == "pop3" else dovecot.imap, user=user, tls__mode="explicit",
        auth=["plain"])
    assert [r for r in steps(p, code=0) if r["step"] == "login"][0]["detail"].endswith("by PLAIN")
    tls(p, protocol, dovecot, authority, port=dovecot.pop3 if protocol == "pop3" else dovecot.imap, user=user, tls__mode="none",
        auth=["plain"])
    failed(p, "login", "allow_cleartext" if protocol == "imap" else "none of the mechanisms|allow_cleartext")


# ---- beside a running instance

@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", [])
        yield server


def vault(s, name):
    s.p.good("secret", "set", name, "--password-file", "-", stdin=PASSWORD)


@both
def test_an_instance_makes_the_test(s, protocol):
    """With its vault; the same lines, rows and codes as alone; beside a visit, which goes on; of one that is disabled, too."""
    with Told(protocol, ["PLAIN", "USER"], {"PLAIN": "ok"}) as told:
        box(s.p, protocol, told, password="vault:box", deliver=["mailbox:anna/INBOX"])
        box(s.p, protocol, told, deliver=["mailbox:anna/INBOX"])
        s.p.connection("off", protocol=protocol, port=told.port, host="127.0.0.1", tls__mode="none", allow_cleartext=True, password="vault:box", enabled=False)
        s.p.clear("box", told, protocol=protocol, password="vault:box", deliver=["mailbox:anna/INBOX"], after="keep")
        s.start()
        s.p.good("secret", "set", "box", "--password-command", f"printf {PASSWORD}")
        done = s.p("test", "box", "--json")
        assert done.code == 0 and not done.err, done
        assert [r["step"] for r in done.rows()] == ["connect", "greeting", "TLS", "capabilities", "login", "mailbox", "logout"]
        assert {r["connection"] for r in done.rows()} == {"box"} and reasons(done.rows())["PLAIN"][0] == "worked"
        text = s.p.good("test", "box").out
        assert "\n  SCRAM-SHA-256: not offered\n" in text and text.count("✓") == 7
        assert s.p("test", "off").code == 0
        done = s.p("test", "bix")
        assert done.code == 2 and "did you mean box?" in done.err, done
        s.p.good("service", "stop", "collect")
        assert s.p("test", "box").code == 0
        told.deeds["PLAIN"] = "bad"
        done = s.p("test", "off", "box")
        assert done.code == 1 and done.out.count("✗ login") == 2 and re.search(r"^box:$", done.out, re.M) and re.search(r"^off:$", done.out, re.M), done
        row = s.p.good("status", "--json").rows()
        assert not [r for r in row if r.get("connection") == "box" and r.get("failures")], "a test is no visit"
        s.stop()


def test_ctrl_c_stops_what_the_instance_does(s):
    import signal
    with Raw(lambda raw, sock: (sock.sendall(b"+OK ready\r\n"), raw.ended.wait(60))) as raw:
        s.p.clear("box", raw, deliver=["mailbox:anna/INBOX"])
        s.start()
        one = s.p.start("test", "box")
        while not raw.count:
            pass
        one.send_signal(signal.SIGINT)
        done = s.p.finish(one)
        assert done.code == 1 and "stopped before the test came to its end" in done.out, done
        s.stop()
