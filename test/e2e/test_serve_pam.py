# SPDX-License-Identifier: Apache-2.0
"""Users of PAM (PRODUCT 2.4, `users`): judged in a helper, by a module of the tests' own that asks no system's users."""
import base64
import glob
import os
import pwd
import shutil
import signal
import subprocess

import pytest

import corpus
from dovecot import PASSWORD
from postrider import PROGRAM
from serving import Server, shown, until

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "geheim&Pam"       # of all its users: see the module
MAIL = corpus.small(3)

pytestmark = pytest.mark.skipif(not shutil.which("cc") or not os.path.exists("/usr/include/security/pam_ext.h"), reason="no compiler, or no libpam0g-dev")


@pytest.fixture(scope="session")
def module(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("pam") / "module.so")
    source = os.path.join(HERE, "..", "..", "src", "main", "test_pam_module.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", out, source, "-lpam"], check=True)
    return out


@pytest.fixture
def s(home, authority, module, monkeypatch):
    services = os.path.join(str(home), "pam.d")
    os.mkdir(services)
    with open(os.path.join(services, "mail"), "w", encoding="utf-8") as f:
        f.write(f"auth required {module}\naccount required {module}\n")
    with open(os.path.join(services, "other"), "w", encoding="utf-8") as f:
        f.write("auth required pam_deny.so\naccount required pam_deny.so\n")
    with Server(home, authority, users=["internal", "pam:mail"], failed_delay="0s", failed_limit=100) as server:
        environment = server.p.environment
        monkeypatch.setattr(server.p, "environment", lambda: {**environment(), "POSTRIDER_PAM_CONFDIR": services})
        server.secrets["of PAM's"] = SECRET     # in no log
        server.head["main_domain"] = "corp.example"
        server.keys["maildir"] = os.path.join(str(home), "mail", "%n")
        yield server


def mail_of(s, name, messages):
    """A Maildir for a name that no account has."""
    for sub in "new", "cur", "tmp":
        os.makedirs(os.path.join(s.home, "mail", name, sub))
    for number, octets in enumerate(messages):
        with open(os.path.join(s.home, "mail", name, "new", f"17000000{number:02}.M1P1.host"), "wb") as f:
            f.write(octets)


def enters(s, user, password=SECRET):
    with s.raw() as c:
        c.good("USER " + user)
        return c.ask("PASS " + password)


def helpers(s):
    """Process ids of the helper: children of the service."""
    with open(f"/proc/{s.process.pid}/task/{s.process.pid}/children", encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def plain(user, password, as_whom=""):
    return base64.b64encode(f"{as_whom}\0{user}\0{password}".encode()).decode()


# ---- who comes in

def test_in_by_user_and_by_plain(s):
    mail_of(s, "anna", MAIL)
    s.start()
    for name in "anna", "anna@corp.example", "ANNA%corp.example":
        with s.raw() as c:
            c.login(name, SECRET)
            assert [c.message(f"RETR {n}") for n in (1, 2, 3)] == [shown(m) for m in MAIL]
    with s.raw("tls") as c:
        c.good("AUTH PLAIN " + plain("anna", SECRET))
        assert c.good("STAT").startswith("+OK 3 ")
    assert [x["how"] for x in map(dict, s.wait_sessions(4)) if "how" in x][:1] in ([], ["pam"])
    assert enters(s, "anna", "wrong").startswith("-ERR [AUTH]")
    assert enters(s, "anna", "").startswith("-ERR")
    assert "PAM: Authentication failure" in s.log()


def test_what_capa_offers(s):
    s.keys["users"] = "pam:mail"
    s.start()
    with s.raw("tls") as c:
        assert sorted(next(x for x in c.multi("CAPA") if x.startswith("SASL")).split()[1:]) == ["LOGIN", "PLAIN"]
        assert "<" not in c.greeting        # no stamp: nobody here could log in with APOP


def test_apop_and_the_like_are_refused_cleanly(s):
    mail_of(s, "anna", MAIL)
    s.account("ida")
    mail_of(s, "ida", MAIL[:1])
    s.start()
    with s.raw("tls") as c:
        words = c.bad("APOP anna 0123456789abcdef0123456789abcdef", "[AUTH]")
        assert c.bad("APOP ida 0123456789abcdef0123456789abcdef", "[AUTH]") == words
    for mech in "CRAM-MD5", "SCRAM-SHA-256":
        with s.raw("tls") as c:
            first = base64.b64encode(b"n,,n=anna,r=fyko").decode() if mech.startswith("SCRAM") else ""
            answer = c.ask(f"AUTH {mech} {first}".rstrip())
            assert answer.startswith("+ "), answer
            last = b"anna 0123456789abcdef0123456789abcdef"
            if mech.startswith("SCRAM"):
                nonce = base64.b64decode(answer[2:]).split(b",")[0]
                last = b"c=biws," + nonce + b",p=" + base64.b64encode(b"x" * 32)
            assert c.ask(base64.b64encode(last).decode()) == words
    assert enters(s, "anna").startswith("+OK")      # and by a password she comes in


def test_a_known_password_lets_nobody_else_in(s):
    for name in "anna", "bob", "expired", "becomes":
        mail_of(s, name, MAIL[:1])
    s.account("ida")
    mail_of(s, "ida", MAIL[:1])
    s.start()
    for _ in range(2):      # by PAM, then from the cache
        assert enters(s, "anna").startswith("+OK")
        assert enters(s, "ida", PASSWORD).startswith("+OK")
        for other in "expired", "becomes", "ida":
            assert enters(s, other).startswith("-ERR [AUTH]"), other
        assert enters(s, "anna", PASSWORD).startswith("-ERR [AUTH]")
        assert enters(s, "bob", SECRET + "x").startswith("-ERR [AUTH]")
        with s.raw() as c:      # who is right as anna is not bob for that
            c.bad("AUTH PLAIN " + plain("anna", SECRET, "bob"), "[AUTH]")


def test_the_internal_database_answers_first(s):
    s.account("anna@corp.example")
    mail_of(s, "anna", MAIL[:2])
    s.start()
    assert enters(s, "anna", SECRET).startswith("-ERR [AUTH]")
    assert enters(s, "anna", PASSWORD).startswith("+OK")


# ---- a stack that is not well

def test_modules_that_hang_or_crash(s):
    for name in "anna", "hangs", "crashes", "exits", "unavailable", "local":
        mail_of(s, name, MAIL[:1])
    s.start()
    for name in "crashes", "exits", "unavailable":
        assert enters(s, name).startswith("-ERR [SYS/TEMP]"), name
    hanging = [s.raw() for _ in range(3)]
    for c in hanging:
        c.good("USER hangs")
        c.send(f"PASS {SECRET}\r\n")
    assert enters(s, "anna").startswith("+OK")
    assert enters(s, "local").startswith("+OK")
    assert "warn a login could not be judged: PAM: a module was killed by signal 9" in s.log()
    for c in hanging:
        c.close()
    mine = helpers(s)
    s.stop()        # with conversations under way: they end with it
    assert not any(os.path.exists(f"/proc/{pid}") for pid in mine)


def test_a_helper_that_is_killed_comes_back(s):
    mail_of(s, "anna", MAIL[:1])
    s.start()
    first, = helpers(s)
    os.kill(first, signal.SIGKILL)
    s.wait_log("the helper for PAM was killed by signal 9; it is started again")
    until(lambda: enters(s, "anna").startswith("+OK"), "anna is let in again")
    assert helpers(s) != [first]


def test_killed_with_the_service(s):
    mail_of(s, "anna", MAIL[:1])
    s.start()
    first, = helpers(s)
    s.kill()
    until(lambda: not os.path.exists(f"/proc/{first}"), "the helper ends with the service")


# ---- the helper

def test_it_has_nothing_of_ours(s):
    mail_of(s, "anna", MAIL[:1])
    s.start()
    assert enters(s, "anna").startswith("+OK")
    helper, = helpers(s)
    with open(f"/proc/{helper}/cmdline", "rb") as f:
        assert f.read().split(b"\0")[1] == b"--pam-helper"
    for pid in helper, s.process.pid:
        for what in "environ", "cmdline":
            with open(f"/proc/{pid}/{what}", "rb") as f:
                assert SECRET.encode() not in f.read()
    if os.geteuid() == 0:       # it is not dumpable: nobody else may look
        with open(f"/proc/{helper}/environ", "rb") as f:
            assert f.read() == b""
        files = {os.path.basename(p): os.readlink(p) for p in glob.glob(f"/proc/{helper}/fd/*")}
        assert sorted(files) == ["0", "1", "2"] and files["0"].startswith("socket:") and files["1"] == files["2"] == "/dev/null"
    with open(f"/proc/{helper}/limits", encoding="ascii") as f:
        assert [line.split()[4:6] for line in f if line.startswith("Max core")] == [["0", "0"]]


def test_nobody_starts_it_by_hand():
    done = subprocess.run([PROGRAM, "--pam-helper"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_without_pam_there_is_no_helper(s):
    s.keys["users"] = "internal"
    s.account("ida")
    mail_of(s, "ida", MAIL[:1])
    mail_of(s, "anna", MAIL[:1])
    s.start()
    assert not helpers(s)
    assert enters(s, "anna").startswith("-ERR [AUTH]")
    s.keys["users"] = ["internal", "pam:mail"]      # with the rights that a start would have: it can be begun now
    s.reload()
    assert enters(s, "anna").startswith("+OK")
    assert len(helpers(s)) == 1


def give_up_root(s):
    """All of it is nobody's, and so is the service soon; without TLS, for the key is root's."""
    user = pwd.getpwnam("nobody")
    s.head["run_as"] = "nobody"
    s.keys["certificate"] = s.keys["key"] = None
    s.listen = {"open": {"tls": "none", "allow_cleartext": True}}
    s.write()
    os.chmod(s.home, 0o755)
    for folder, _, names in os.walk(s.home):
        for path in (folder, *(os.path.join(folder, n) for n in names)):
            os.chown(path, user.pw_uid, user.pw_gid)
    s.start()


def users(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next({int(word) for word in line.split()[1:]} for line in f if line.startswith("Uid:"))


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: nothing to drop")
def test_root_stays_with_the_helper(s):
    mail_of(s, "anna", MAIL[:1])
    s.account("ida")
    mail_of(s, "ida", MAIL[:1])
    give_up_root(s)
    helper, = helpers(s)
    assert users(helper) == {0} and users(s.process.pid) == {pwd.getpwnam("nobody").pw_uid}
    assert enters(s, "anna").startswith("+OK")
    os.kill(helper, signal.SIGKILL)
    s.wait_log("restart postrider")
    assert enters(s, "anna", "another").startswith("-ERR [SYS/TEMP]")
    assert enters(s, "ida", PASSWORD).startswith("+OK")


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: nothing to drop")
def test_it_ends_with_a_service_that_gave_up_root(s):
    mail_of(s, "anna", MAIL[:1])
    mail_of(s, "hangs", MAIL[:1])
    give_up_root(s)
    helper, = helpers(s)
    c = s.raw()
    c.good("USER hangs")
    c.send(f"PASS {SECRET}\r\n")
    talk = until(lambda: open(f"/proc/{helper}/task/{helper}/children", encoding="ascii").read().split(), "a conversation")
    s.kill()        # root's processes, and we are not root: the socket's end tells them
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in (helper, *talk)), "the helper and its conversation end")


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: nothing to drop")
def test_a_reload_cannot_begin_it_without_root(s):
    s.keys["users"] = "internal"
    s.account("ida")
    mail_of(s, "ida", MAIL[:1])
    give_up_root(s)
    s.keys["users"] = ["internal", "pam:mail"]
    s.reload(good=False)
    assert "nothing has changed" in s.reloads()[-1] and "restart postrider" in s.reloads()[-1]
    assert enters(s, "ida", PASSWORD).startswith("+OK")
