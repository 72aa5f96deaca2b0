# SPDX-License-Identifier: Apache-2.0
"""The POP3 service as other people's programs see it: they fetch and delete, byte for byte."""
import itertools
import os
import re
import shutil

import pytest

import corpus
import pop3_clients
from dovecot import PASSWORD
from pop3_clients import CLIENTS, run
from postrider import Postrider
from serving import Server, shown

HEAD = b"From: a@example.org\nSubject: %s\n\n"
MAIL = [
    corpus.small(1)[0],
    b"",
    HEAD % b"dots" + b".\n..\n...\n.x\n..y\nz.\n.\n",
    b".X: y\nSubject: a dot first\n\nbody\n",
    HEAD % b"no final newline" + b"the last line just ends",
    HEAD % "grüße".encode() + bytes(range(128, 256)) + b"\n" + "日本語\n".encode(),
    HEAD % b"lines of 5,000 octets" + b"a" * 5000 + b"\n." + b"b" * 4999 + b"\n",
    HEAD % b"2 MB" + (b"x" * 71 + b"\n") * 29128,
    HEAD % b"NULs" + b"a\0b\n\0\n",
]
SHOWN = [shown(m) for m in MAIL]
RUNS = [(name, line, None) for name, (_, lines, _, _) in CLIENTS.items() for line in lines]
RUNS += [(name, lines[0], how) for name, (_, lines, hows, _) in CLIENTS.items() for how in hows]
MANY = ["poplib", "Net::POP3", "mpop"]
HASHED = [("curl", "plain", True), ("mpop", "login", True), ("mpop", "user", True), ("mpop", "scram-sha-256", True), ("poplib", None, True),
          ("curl", "apop", False), ("curl", "cram-md5", False), ("mpop", "scram-sha-1", False)]
PROGRAMS = {"Net::POP3": "perl", "node-pop3": "node", "s_client": "openssl"}


@pytest.fixture(scope="module")
def service(authority, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("clients"), authority, failed_delay=0, failed_limit=0) as s:
        for n in range(len(RUNS) + 14):
            s.account(f"u{n}", MAIL)
        for name in MANY:
            s.account("many-" + name.replace(":", ""), corpus.small(1001, 200))
        for n in range(len(HASHED)):
            s.account(f"h{n}@example.org", MAIL, recoverable=False)
        s.account("many-collect", corpus.small(1001, 200))
        s.users = itertools.count()
        yield s.start()


@pytest.fixture
def s(service):
    yield service.revive()
    assert service.alive(), service.log()


@pytest.fixture
def user(s):
    return f"u{next(s.users)}"


def need(name):
    program = PROGRAMS.get(name, name)
    if name == "poplib":
        return
    if not shutil.which(program):
        pytest.skip(f"no {program} on this machine (tools/deps test)")
    if name == "node-pop3" and not os.path.isdir(os.path.join(pop3_clients.NODE or "/nowhere", "node-pop3")):
        pytest.skip("node-pop3 is not of Debian: npm install node-pop3, and say where by POSTRIDER_NODE_MODULES=…/node_modules")


def compare(name, got, want):
    key = CLIENTS[name][3]
    assert len(got) == len(want)
    for number, (a, b) in enumerate(zip(got, want), 1):
        assert key(a) == key(b), f"message {number}: {len(key(a))} octets, not {len(key(b))}: {key(a)[:200]!r}"


def left(s, user):
    with s.login(user, "tls") as c:
        count = int(c.good("STAT").split()[1])
        c.quit()
    return count


@pytest.mark.parametrize("name, line, how", RUNS, ids=["-".join(filter(None, r)) for r in RUNS])
def test_fetch_and_delete(s, user, name, line, how):
    need(name)
    compare(name, CLIENTS[name][0](s, user, line, how), SHOWN)
    assert left(s, user) == 0
    ends = [e for e in s.wait_sessions(1) if e["user"] == user and e["deleted"] == str(len(MAIL))]
    assert len(ends) == 1 and ends[0]["reason"] == "quit"
    assert ends[0]["tls"] == ("no" if line == "clear" else "yes")
    assert not how or how in ("auth", "user") or ends[0]["mechanism"].lower() == how, ends


@pytest.mark.parametrize("name", MANY)
def test_a_thousand_and_one_messages(s, name):
    need(name)
    user = "many-" + name.replace(":", "")
    compare(name, CLIENTS[name][0](s, user, "tls"), [shown(m) for m in corpus.small(1001, 200)])
    assert left(s, user) == 0


# ---- a password that is only known by its hash

@pytest.mark.parametrize("number, name, how, good", [(n, *row) for n, row in enumerate(HASHED)], ids=[f"{r[0]}-{r[1]}" for r in HASHED])
def test_an_account_without_a_recoverable_secret(s, number, name, how, good):
    """APOP, CRAM-MD5 and SCRAM-SHA-1 have nothing to compare with: a clean refusal."""
    need(name)
    user = f"h{number}@example.org"
    if good:
        compare(name, CLIENTS[name][0](s, user, "tls", how), SHOWN)
        assert left(s, user) == 0
    else:
        with pytest.raises(AssertionError, match="(?i)auth|denied|login"):
            CLIENTS[name][0](s, user, "tls", how)
        assert left(s, user) == len(MAIL)


# ---- our own collector

def collector(s, home, user, **keys):
    p = Postrider(os.path.join(home, "collector"))
    p.connection("box", **{"host": "localhost", "port": s.ports["tls"], "user": user, "password": s.secrets[user],
                           "tls__ca_certificates": s.authority.ca, "deliver": ["maildir:" + p.maildir], **keys})
    return p


@pytest.fixture
def elsewhere(home):
    os.mkdir(os.path.join(home, "collector"))
    return home


def unix(mail):
    return sorted(m.replace(b"\r\n", b"\n") for m in mail)


@pytest.mark.parametrize("line", ["stls", "tls", "clear"])
def test_collect_keeps_then_deletes(s, elsewhere, user, line):
    more = {"stls": {"port": s.ports["plain"], "tls__mode": "explicit"}, "tls": {},
            "clear": {"port": s.ports["open"], "tls__mode": "none", "allow_cleartext": True, "tls__ca_certificates": None}}[line]
    p = collector(s, elsewhere, user, after="keep", **more)
    for count in (len(MAIL), 0):
        done = p.good("collect", "box")
        assert done.summary()["box"]["collected"] == count, done
    assert unix(p.in_maildir()) == unix(SHOWN) and left(s, user) == len(MAIL)
    p.connection("box", **{"host": "localhost", "port": s.ports["tls"], "user": user, "password": s.secrets[user], "tls__ca_certificates": s.authority.ca,
                           "deliver": ["maildir:" + p.maildir], "after": "delete", **more})
    p.good("collect", "box")
    assert unix(p.in_maildir()) == unix(SHOWN) and left(s, user) == 0


@pytest.mark.parametrize("how", ["scram-sha-256-plus", "scram-sha-1-plus", "scram-sha-256", "scram-sha-1", "cram-md5", "apop", "plain", "login", "user"])
def test_collect_by_each_mechanism(s, elsewhere, user, how):
    p = collector(s, elsewhere, user, after="delete", auth=[how])
    assert p.good("collect", "box").summary()["box"]["collected"] == len(MAIL)
    end = [e for e in s.wait_sessions(1) if e["user"] == user]
    assert end[0]["mechanism"].lower() == how and end[0]["deleted"] == str(len(MAIL))
    assert left(s, user) == 0


def test_collect_a_thousand_and_one_messages(s, elsewhere):
    p = collector(s, elsewhere, "many-collect", after="delete")
    assert p.good("collect", "box").summary()["box"]["collected"] == 1001
    assert unix(p.in_maildir()) == unix(shown(m) for m in corpus.small(1001, 200)) and left(s, "many-collect") == 0


def test_a_wrong_password_is_told_to_the_collector(s, elsewhere, user):
    p = collector(s, elsewhere, user, password="wrong" + PASSWORD[:2])
    done = p("collect", "box")
    assert done.code == 1 and re.search("(?i)password|credentials|login|authentication", done.text), done
    assert left(s, user) == len(MAIL)


# ---- programs that look at it

def nmap(s, listener, script):
    need("nmap")
    out = run(["nmap", "-n", "-Pn", "-sT", "-p", str(s.ports[listener]), "--script", "+" + script, "127.0.0.1"], s.home).decode()
    assert "ERROR" not in out, out
    return out


def test_nmap_capabilities(s):
    for listener in ("plain", "open"):
        out = nmap(s, listener, "pop3-capabilities")
        assert re.search(r"pop3-capabilities: .*\bUIDL\b", out) and "STLS" in out and "PIPELINING" in out, out


def test_nmap_finds_no_ntlm(s):
    assert "pop3-ntlm-info" not in nmap(s, "open", "pop3-ntlm-info")


@pytest.mark.slow
@pytest.mark.parametrize("listener", ["plain", "tls"])
def test_testssl(s, listener):
    need("testssl")
    more = ["--starttls", "pop3", "--server-defaults", "--heartbleed", "--ccs-injection", "--renegotiation"] if listener == "plain" else []
    argv = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--protocols", *more,
            f"localhost:{s.ports[listener]}"]
    out = run(argv, s.home, good=range(0, 50)).decode()
    for old in ("SSLv2", "SSLv3", "TLS 1", "TLS 1.1"):
        assert re.search(rf"^ {re.escape(old)} +not offered", out, re.M), out
    for new in ("TLS 1.2", "TLS 1.3"):
        assert re.search(rf"^ {re.escape(new)} +offered", out, re.M), out
    assert "VULNERABLE (NOT ok)" not in out, out
    with s.raw("tls") as c:
        c.quit()


def test_openssl_resumes_sessions(s):
    need("s_client")
    where = os.path.join(s.home, "session.pem")
    argv = ["openssl", "s_client", "-connect", f"localhost:{s.ports['plain']}", "-starttls", "pop3", "-CAfile", s.authority.ca, "-verify_return_error",
            "-verify_hostname", "localhost", "-tls1_2"]
    first = run([*argv, "-sess_out", where], s.home, b"QUIT\r\n").decode()
    assert "New, TLSv1.2" in first and "Verify return code: 0" in first
    again = run([*argv, "-sess_in", where], s.home, b"QUIT\r\n").decode()
    assert "Reused, TLSv1.2" in again and "Verify return code: 0" in again
