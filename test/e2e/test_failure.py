# SPDX-License-Identifier: Apache-2.0
"""What fails must say so: promptly, clearly, with the right exit code, and without a secret."""
import base64
import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import certs
import corpus
from dovecot import closed_port
from imap_store import Mailstore
from imapd import Imapd
from pop3d import Maildrop, Pop3d, Script, parse_script
from postrider import PASSWORD


def collect(p, want_code=1, limit=30):
    started = time.monotonic()
    done = p("collect", "box", limit=limit)
    assert done.code == want_code, done
    assert len(done.err.strip()) < 4000, "an error is a line, not a page"
    return done, time.monotonic() - started


def test_wrong_password(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(2))
    p.secrets.add("falsch-9Xk")
    p.connection("box", user=user, password="falsch-9Xk", port=dovecot.pop3s, tls__ca_certificates=authority.ca)
    done, _ = collect(p)
    assert re.search("password|credential|refused|login", done.text, re.I), done
    assert len(dovecot.left(user)) == 2 and p.in_maildir() == []


def plain_login(user):
    return base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()


def test_a_server_says_our_login_back(p):
    """What it could not parse; the password is in there, in base64."""
    login = plain_login("anna")
    p.secrets.add(login)
    rules = ["> CAPA", "< +OK", "< SASL PLAIN", "< UIDL", "< .", "> AUTH PLAIN*", f"< -ERR cannot parse: AUTH PLAIN {login}"]
    with Pop3d(Maildrop(corpus.small(2)), script=Script(parse_script(rules * 4))) as origin:
        p.clear("box", origin, auth=["plain"], trace="wire")
        done, _ = collect(p)
        assert re.search(r"cannot parse: AUTH PLAIN \*{8}", done.text), done
    assert p.in_maildir() == []


def test_a_relay_says_our_login_back(p):
    """The same, on a line that is shown, kept in the held area and told by history."""
    login, path = plain_login("relay"), os.path.join(tempfile.mkdtemp(dir="/tmp"), "s")     # a socket's path is short
    p.secrets.add(login)

    def serve():
        sock, _ = server.accept()
        with sock, sock.makefile("rwb") as f:
            f.write(b"220 hi\r\n")
            f.flush()
            for line in f:
                f.write(b"250-hi\r\n250 AUTH PLAIN\r\n" if line.startswith(b"LHLO") else b"221 bye\r\n" if line.startswith(b"QUIT") else
                        b"501 5.5.2 cannot parse: " + line)
                f.flush()

    with socket.socket(socket.AF_UNIX) as server, Pop3d(Maildrop(corpus.small(1))) as origin:
        server.bind(path)
        server.listen(8)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        p.sections["target relay"] = (f"target relay {{ type = lmtp  host = '{path}'  user = relay  password = '{PASSWORD}'  "
                                      "envelope { recipients = {'anna@example.org'} } }\n")
        p.clear("box", origin, deliver=["relay"])
        done, _ = collect(p, 0)
        assert "not shown: the password is in it" in done.text, done
        thread.join(20)
        for words in (("held", "list"), ("history", "box"), ("status",)):
            p(*words)
    shutil.rmtree(os.path.dirname(path))


def test_a_ca_that_did_not_sign(p, dovecot, home):
    other = certs.Authority(os.path.join(home, "other"), "Somebody else")
    p.connection("box", port=dovecot.pop3s, tls__ca_certificates=other.ca)
    done, _ = collect(p)
    assert re.search("certificate|issuer|CA", done.text), done


def test_the_system_store_does_not_know_our_ca(p, dovecot):
    p.connection("box", port=dovecot.pop3s)
    done, _ = collect(p)
    assert re.search("certificate|issuer|CA", done.text), done


@pytest.mark.parametrize("mode", ["implicit", "stls"])
@pytest.mark.parametrize("verify, code", [(True, 1), (False, 0)])
def test_a_certificate_for_another_name(p, authority, mode, verify, code):
    cert, key = authority.sign("other", ["DNS:pop.example.org"])
    with Pop3d(Maildrop(corpus.small(2)), tls=mode, cert=cert, key=key) as origin:
        p.connection("box", host="localhost", port=origin.port, tls__mode="explicit" if mode == "stls" else mode,
                     tls__ca_certificates=authority.ca, tls__verify_host=verify)
        done, _ = collect(p, code)
        assert bool(origin.verbs("PASS") or origin.verbs("AUTH")) is not verify
    if verify:
        assert "localhost" in done.text and re.search("name", done.text), done


def test_no_verification_when_told_so(p, dovecot):
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", user=user, port=dovecot.pop3s, tls__verify_server=False, tls__verify_host=False)
    collect(p, 0)
    assert len(p.in_maildir()) == 2


@pytest.mark.parametrize("right", [True, False])
def test_a_pinned_key_replaces_the_chain(p, dovecot, right):
    pem = subprocess.run(["openssl", "x509", "-in", dovecot.cert, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True, capture_output=True).stdout
    user = dovecot.fresh(corpus.small(2))
    pin = hashlib.sha256(der if right else der + b"x").hexdigest()
    p.connection("box", user=user, port=dovecot.pop3s, tls__pin=pin)
    done, _ = collect(p, 0 if right else 1)
    assert right or "pin" in done.text, done


def test_closed_port(p):
    with closed_port() as port:
        p.connection("box", port=port)
        done, _ = collect(p)
    assert str(port) in done.text and "127.0.0.1" in done.text and "refused" in done.text and "within" not in done.text, done


def test_no_such_host(p):
    p.connection("box", host="no-such-host.invalid", port=995)
    done, _ = collect(p)
    assert "no-such-host.invalid" in done.text


@pytest.mark.parametrize("mode", ["none", "implicit", "explicit"])
def test_silent_server(p, mode):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        p.connection("box", port=silent.getsockname()[1], tls__mode=mode, allow_cleartext=True,
                     connect_timeout="2s", timeout="2s")
        done, took = collect(p)
    assert took > 1, f"{took} s: {done}"
    assert re.search(r"no .* within 2 s", done.text), done


def test_stls_stripped(p, authority):
    """A man in the middle takes STLS out of CAPA: no password may go over the line."""
    script = Script(parse_script(["> CAPA", "< +OK", "< USER", "< UIDL", "< ."]))
    with Pop3d(Maildrop(corpus.small(2)), script=script) as origin:
        p.connection("box", port=origin.port, tls__mode="explicit", tls__ca_certificates=authority.ca, allow_cleartext=True)
        done, _ = collect(p)
        assert not [s for s in origin.said if s.split()[0].upper() in ("USER", "PASS", "AUTH", "APOP")]
    assert re.search("STLS|TLS", done.text), done


def test_stls_not_required_goes_on_in_clear_only_when_allowed(p):
    drop = Maildrop(corpus.small(2))
    with Pop3d(drop) as origin:
        p.connection("box", port=origin.port, tls__mode="explicit", tls__required=False, allow_cleartext=False)
        collect(p)
        assert not origin.verbs("PASS")
        p.connection("box", port=origin.port, tls__mode="explicit", tls__required=False, allow_cleartext=True)
        collect(p, 0)
    assert len(p.in_maildir()) == 2


def test_no_clear_password_without_leave(p):
    with Pop3d(Maildrop(corpus.small(2))) as origin:
        p.connection("box", port=origin.port, tls__mode="none")
        done, _ = collect(p)
        assert not [s for s in origin.said if s.split()[0].upper() in ("PASS", "AUTH")]
    assert "allow_cleartext" in done.text, done


def test_not_tls_at_all(p):
    """Implicit TLS to a clear port: a technical failure with a hint, at once."""
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        p.connection("box", port=origin.port, tls__mode="implicit")
        done, _ = collect(p)
    assert "TLS" in done.text and "within" not in done.text, done        # no time-out has told it


def test_data_sent_along_with_the_stls_answer(p, authority):
    """Plain text injected before the handshake ends the visit."""
    cert, key = authority.sign("injected")
    script = Script(parse_script(["> STLS", "<< +OK begin TLS\\r\\n+OK injected\\r\\n", "! secure"]))
    with Pop3d(Maildrop(corpus.small(1)), tls="stls", cert=cert, key=key, script=script) as origin:
        p.connection("box", port=origin.port, tls__mode="explicit", tls__ca_certificates=authority.ca)
        done, _ = collect(p)
        assert not origin.verbs("PASS") and not origin.verbs("AUTH")
    assert re.search("before TLS|TLS", done.text), done


def test_capabilities_before_tls_are_forgotten(p, authority):
    """Only the CAPA inside TLS counts: before it, the man in the middle offers no PIPELINING and a bad mechanism."""
    cert, key = authority.sign("forgotten")
    script = Script(parse_script(["> CAPA", "< +OK", "< STLS", "< SASL CRAM-MD5", "< .", "> CAPA", "! faithful"]))
    with Pop3d(Maildrop(corpus.small(2)), tls="stls", cert=cert, key=key, script=script) as origin:
        p.connection("box", port=origin.port, tls__mode="explicit", tls__ca_certificates=authority.ca)
        collect(p, 0)
        assert len(origin.verbs("CAPA")) >= 2 and not origin.verbs("AUTH")


def test_client_does_not_downgrade_after_a_broken_handshake(p, authority):
    script = Script(parse_script(["> STLS", "< +OK begin TLS", "< this is not TLS", "! close"]))
    with Pop3d(Maildrop(corpus.small(1)), tls="stls", cert=authority.ca, key=authority.key, script=script) as origin:
        p.connection("box", port=origin.port, tls__mode="explicit", tls__ca_certificates=authority.ca, allow_cleartext=True)
        collect(p)
        assert not origin.verbs("PASS")


@pytest.mark.parametrize("trace", ["off", "protocol", "wire"])
@pytest.mark.parametrize("auth", ["user", "plain", "login", "cram-md5", "scram-sha-256"])
def test_no_secret_at_any_loudness(p, authority, dovecot, trace, auth):
    """Postrider() itself greps every output for the secret's shapes; here all sources speak."""
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", user=user, auth=[auth], port=dovecot.pop3s, tls__ca_certificates=authority.ca, trace=trace)
    done = p.good("collect", "box", "-v", "-v")
    p.good("check", "-v", "-v")
    p.good("history", "box", "-v", "-v")
    for top, _, names in os.walk(p.state):
        for name in names:
            with open(os.path.join(top, name), "rb") as f:
                assert dovecot.password.encode() not in f.read(), name
    assert done.err.strip() or trace == "off"


def test_the_secret_is_not_in_the_process_list(p):
    with Pop3d(Maildrop(corpus.small(20)), pace=0.05) as origin:
        p.clear("box", origin)
        first = p.start("collect", "box")
        while not origin.verbs("RETR"):
            time.sleep(0.01)
        for name in ("cmdline", "environ"):
            with open(f"/proc/{first.pid}/{name}", "rb") as f:
                assert b"geheim" not in f.read()
        assert p.finish(first).code == 0


def test_sigterm_in_the_middle_loses_nothing(p):
    drop = Maildrop(corpus.small(30))
    want = sorted(drop.octets())
    with Pop3d(drop, pace=0.05) as origin:
        p.clear("box", origin)
        first = p.start("collect", "box")
        while len(origin.verbs("RETR")) < 5:
            time.sleep(0.01)
        first.terminate()
        try:
            first.communicate(timeout=20)
        except Exception:
            first.kill()
            raise
        origin.pace = 0
        p.good("collect", "box")
    assert sorted(corpus.normal(m) for m in p.in_maildir()) == want and drop.octets() == []


@pytest.mark.parametrize("args", [
    ["no-such-command"], ["collect", "no-such-connection"], ["collect", "--no-such-option"], ["history", "nobody"],
    ["collect", "pop3s://anna@localhost"], ["collect", "ftp://anna@localhost", "--to", "maildir:x"],
    ["mailbox"], ["account", "add"], ["collect", "pop3s://anna@localhost", "--to", "nonsense:x"],
])
def test_bad_usage_is_exit_2(p, args):
    p.connection("box", port=995)
    done = p(*args)
    assert done.code == 2 and done.err.strip(), done


def test_an_unreadable_configuration_is_exit_2(p):
    os.unlink(p.config)
    done = p("collect", "box")
    assert done.code == 2 and p.config in done.err, done


def test_a_literal_password_that_others_can_read_is_refused(p):
    p.connection("box", port=995)
    os.chmod(p.config, 0o644)
    done = p("collect", "box")
    assert done.code == 2 and re.search("mode|read", done.err), done


SAID_BACK = {
    "pop3": ["> STAT\n< -ERR no geheim-7Q2x", "> UIDL\n< -ERR no geheim-7Q2x", "> RETR *\n< -ERR no geheim-7Q2x", "> DELE *\n< -ERR geheim-7Q2x",
             "> PASS *\n< -ERR [IN-USE] geheim-7Q2x", "> greeting\n< -ERR geheim-7Q2x"],
    "imap": ["> SELECT *\n< {tag} NO geheim-7Q2x", "> UID SEARCH*\n< * OK [ALERT] geheim-7Q2x\n! faithful", "> UID FETCH*\n< {tag} NO geheim-7Q2x",
             "> UID STORE*\n< {tag} NO geheim-7Q2x", "> UID FETCH*\n< * BYE geheim-7Q2x\n! close", "> LOGIN*\n< {tag} NO [UNAVAILABLE] geheim-7Q2x"],
}


@pytest.mark.parametrize("protocol, script", [(k, s) for k, all_of in SAID_BACK.items() for s in all_of])
def test_a_server_that_says_the_password_back(p, protocol, script):
    """Each run looks for the secret in all its output (postrider.py)."""
    rules = Script(parse_script(script.splitlines()))
    server = Pop3d(Maildrop(corpus.small(2)), script=rules) if protocol == "pop3" else Imapd(Mailstore(corpus.small(2)), script=rules)
    with server as origin:
        p.clear("box", origin, protocol=protocol, after="delete", trace="wire")
        shown = p("-v", "collect", "box").text + p("-v", "test", "box").text + p("history", "box").text
        assert "***" in shown


def test_a_password_command_does_not_outlive_a_stop(p, home):
    """It may take as long as it likes; whoever stops the program does not."""
    begun = os.path.join(home, "begun")
    p.connection("box", port=1, password=f"command:touch {begun}; exec sleep 600")
    process = p.start("collect", "box")
    while not os.path.exists(begun):
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    done = p.finish(process, limit=30)
    assert done.code == 1 and "stopped" in done.err, done
