# SPDX-License-Identifier: Apache-2.0
"""Users of a passwd-file in Dovecot's format: who comes in, by what, and what a change of the file does."""
import base64
import concurrent.futures
import os
import poplib
import re
import ssl
import subprocess
import time

import postrider as program
import pytest
from dovecot import Dovecot, available
from serving import Server, until

RIGHT, OTHER = "geheim-7Q2x", "gäste Über 9"
SCHEMES = ["PLAIN", "CLEARTEXT", "CLEAR", "CRYPT", "DES-CRYPT", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "ARGON2I", "ARGON2ID",
           "PLAIN-MD5", "LDAP-MD5", "SHA", "SHA1", "SHA256", "SHA512", "SMD5", "SSHA", "SSHA256", "SSHA512", "MD5", "CRAM-MD5", "HMAC-MD5",
           "PBKDF2", "SCRAM-SHA-1", "SCRAM-SHA-256", "SHA.HEX", "SHA512.B64", "SSHA256.HEX", "PLAIN.B64", "PLAIN.HEX", "SSHA512.BASE64", "SMD5.HEX"]
# Users whose lines are odd; the password is RIGHT where there is one.
ODD = """\
# comment:{PLAIN}geheim-7Q2x

twice:{PLAIN}geheim-7Q2x
twice:{PLAIN}another
upper:{ssha.hex}HEX
bare:CRYPT
legacy:MD5[34]
fields:{PLAIN}geheim-7Q2x:1:1:Some Body:/h/fields:/bin/false:userdb_quota_rule=*:storage=1G
near:{PLAIN}geheim-7Q2x::::::allow_nets=127.0.0.0/8,::1
far:{PLAIN}geheim-7Q2x::::::allow_nets=10.0.0.0/8
odd-net:{PLAIN}geheim-7Q2x::::::allow_nets=10.1.2.3/8,127.1.2.3/8
nologin:{PLAIN}geheim-7Q2x::::::nologin=yes
unknown:{FOO}geheim-7Q2x
broken:{SSHA}geheim-7Q2x
short:{SSHA}c2hvcnQ=
locked:!
locked2:*
empty:
only
blank:{PLAIN}geheim-7Q2xBLANK
at@x.example:{PLAIN}geheim-7Q2x
yes:{CRYPT}YESCRYPT
tail:{PLAIN}geheim-7Q2x"""


def doveadm(scheme, password):
    rounds = ["-r", "5"] if scheme in ("CRYPT", "BLF-CRYPT") else []
    done = subprocess.run(["doveadm", "pw", "-s", scheme, *rounds, "-p", password], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def users():
    """→ the text of a file with a user for each scheme, and the odd ones; the texts behind the schemes."""
    lines, secrets = [], set()
    for n, scheme in enumerate(SCHEMES):
        for kind, password in (("a", RIGHT), ("b", OTHER)):
            text = doveadm(scheme, password)
            lines.append(f"{kind}{n}:{text}")
            secrets.add(text.partition("}")[2])
    made = {"HEX": doveadm("SSHA.HEX", RIGHT), "CRYPT": doveadm("SHA512-CRYPT", RIGHT), "MD5": doveadm("PLAIN-MD5", RIGHT),
            "YESCRYPT": "$y$j75$abcdefgh$XNvN3.Wf7ylegryi1qpfL0jFG5Auw.BPhYTlI89ORNA"}
    odd = re.sub(r"BLANK|\{ssha\.hex\}HEX|:CRYPT$|MD5(?=\[)|YESCRYPT", lambda m: {
        "B": " ", "{": "{ssha.hex}" + made["HEX"].partition("}")[2], ":": ":" + made["CRYPT"].partition("}")[2],
        "M": made["MD5"].partition("}")[2], "Y": made["YESCRYPT"]}[m[0][0]], ODD, flags=re.M)
    return "\n".join(lines) + "\n" + odd, secrets


def names(text):
    return sorted({line.split(":")[0] for line in text.split("\n") if line and line[0] not in "#:"})


def logs_in(port, authority, user, password):
    """Over TLS, by AUTH PLAIN, which takes any password."""
    c = poplib.POP3_SSL("localhost", port, timeout=60, context=ssl.create_default_context(cafile=authority.ca))
    try:
        response = base64.b64encode(f"\0{user}\0{password}".encode())
        return c._shortcmd("AUTH PLAIN " + response.decode()).startswith(b"+OK")
    except poplib.error_proto as e:
        assert any(words in e.args[0] for words in (b"[AUTH]", b"Authentication failed", b"disabled")), e
        return False
    finally:
        c.close()


def server(home, authority, path, **more):
    return Server(home, authority, users=[f"passwd-file:{path}"], failed_delay="0s", failed_limit=0, **more)


@pytest.mark.skipif(not available(), reason="needs Dovecot")
def test_every_verdict_is_dovecots(tmp_path, authority, users):
    text, secrets = users
    with Dovecot(authority, passwd=text) as d, server(tmp_path, authority, d.path("passwd")) as s:
        s.start()
        asked = [(user, password) for user in names(text) for password in (RIGHT, OTHER, RIGHT[:-1], RIGHT + "x", RIGHT + " ")]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:         # Dovecot lets each failure wait
            theirs = list(pool.map(lambda a: logs_in(d.pop3s, authority, *a), asked))
            ours = list(pool.map(lambda a: logs_in(s.ports["tls"], authority, *a), asked))
        for who, their, our in zip(asked, theirs, ours):
            assert our == their, f"{who}: {our}, and Dovecot {their}\n{d.log()}"
        assert sum(ours) >= 2 * len(SCHEMES) + 8, sum(ours)     # the passwords, and more than 8 octets for DES-CRYPT
        log = s.log()
        assert 'user="unknown": the scheme {FOO} is not known' in log
        assert not [x for x in secrets if x in log]
        s.secrets = {"": RIGHT, "other": OTHER}


def capa(c):
    c.good("CAPA")
    return set(re.findall(r"SASL (.*)", c.block().decode())[0].split())


def write(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def test_what_is_offered_is_what_can_work(tmp_path, authority):
    path = tmp_path / "passwd"
    path.write_text("anna:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n")
    with server(tmp_path, authority, path) as s:
        s.start()
        with s.raw() as c:
            assert "<" not in c.greeting and capa(c) == {"PLAIN", "LOGIN"}
            c.bad("APOP anna 0123456789abcdef0123456789abcdef")
        write(path, "anna:{PLAIN}" + RIGHT + "\nbob:" + doveadm("SCRAM-SHA-256", RIGHT) + "\n")
        until(lambda: "2 users read" in s.log(), s.log)
        with s.raw() as c:
            assert "<" in c.greeting and capa(c) == {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"}
        c = poplib.POP3("127.0.0.1", s.ports["open"], timeout=60)
        c.apop("anna", RIGHT)
        assert c.stat() == (0, 0)
        c.quit()
        c = poplib.POP3("127.0.0.1", s.ports["open"], timeout=60)
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):      # he is there, and has no secret: as a wrong one
            c.apop("bob", RIGHT)
        c.close()
        s.secrets = {"anna": RIGHT}


def test_a_change_of_the_file_counts_at_once_and_a_broken_one_never(tmp_path, authority):
    path = tmp_path / "passwd"
    path.write_text("anna:{PLAIN}first-secret\n")
    with server(tmp_path, authority, path) as s:
        s.start()
        port = s.ports["tls"]
        assert logs_in(port, authority, "anna", "first-secret")
        write(path, "anna:{PLAIN}second-secret\n")
        until(lambda: logs_in(port, authority, "anna", "second-secret"), s.log)
        assert not logs_in(port, authority, "anna", "first-secret")
        path.unlink()
        s.wait_log("the users that were read before stay in use")
        assert logs_in(port, authority, "anna", "second-secret")
        s.reload()                      # of the settings: the last good users stay
        assert logs_in(port, authority, "anna", "second-secret")
        s.keys["users"] = [f"passwd-file:{path}.other"]
        s.reload(good=False)
        assert logs_in(port, authority, "anna", "second-secret")
        s.keys["users"] = [f"passwd-file:{path}"]
        write(path, "bob:{PLAIN}third-secret\n")
        until(lambda: logs_in(port, authority, "bob", "third-secret"), s.log)
        assert not logs_in(port, authority, "anna", "second-secret")
        s.secrets = {"1": "first-secret", "2": "second-secret", "3": "third-secret"}


def test_the_first_source_answers(tmp_path, authority):
    path = tmp_path / "passwd"
    path.write_text("anna:{PLAIN}file-secret\nfile@x.example:{PLAIN}file-secret\n")
    with Server(tmp_path, authority, users=["internal", f"passwd-file:{path}"], failed_delay="0s", failed_limit=0) as s:
        s.account("anna", [b"Subject: a\r\n\r\nx\r\n"])
        s.start()
        port = s.ports["tls"]
        assert logs_in(port, authority, "anna", s.secrets["anna"]) and not logs_in(port, authority, "anna", "file-secret")
        assert logs_in(port, authority, "FILE%X.example", "file-secret")
        s.keys["users"].reverse()
        s.reload()
        assert logs_in(port, authority, "anna", "file-secret") and not logs_in(port, authority, "anna", s.secrets["anna"])


def test_a_hundred_thousand_users(tmp_path, authority):
    path = tmp_path / "passwd"
    with open(path, "w", encoding="ascii") as f:
        for n in range(100_000):
            f.write(f"user{n}@x{n % 50}.example:{{SSHA}}hLrLrtElJYykdAerPrWAdJhC3hyeKOPU:1:1::/h/u{n}::userdb_quota_rule=*:storage=1G\n")
    with server(tmp_path, authority, path) as s:
        s.start()
        assert "100000 users read" in s.log()
        for user in ("user0@x0.example", "user77777@x27.example", "user99999@x49.example"):
            assert logs_in(s.ports["tls"], authority, user, "geheim")
        assert not logs_in(s.ports["tls"], authority, "user1@x0.example", "geheim")


def test_check_reads_the_file(tmp_path, authority):
    s = server(tmp_path, authority, tmp_path / "passwd")
    s.write()
    done = s.p("check")
    assert done.code == 2 and "passwd: No such file or directory" in done.err, done
    (tmp_path / "passwd").write_text("anna:{FOO}some-secret\n")
    done = s.p("check")
    assert done.code == 0 and 'line=1 user="anna": the scheme {FOO} is not known' in done.err and "some-secret" not in done.err, done


# What one check of these would take hours, or gigabytes, for.
DEAR = {
    "sha512": "{CRYPT}$6$rounds=999999999$salt$xx", "bcrypt": "{BLF-CRYPT}$2y$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "argon": "{ARGON2ID}$argon2id$v=19$m=4194304,t=100,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "pbkdf2": "{PBKDF2}$1$salt$2000000000$0000000000000000000000000000000000000000", "yescrypt": "{CRYPT}$y$jFT$salt$xx",
    "scrypt": "{CRYPT}$7$DU..../....salt$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".replace("$7$D", "$7$L"),
}


def test_a_line_that_costs_too_much_holds_nobody_up(tmp_path, authority):
    lines = [f"{name}:{text}" for name, text in DEAR.items()]
    (tmp_path / "passwd").write_text("\n".join([*lines, "anna:{PLAIN}geheim", "bob:" + doveadm("SHA512-CRYPT", "geheim")]) + "\n")
    with server(tmp_path, authority, tmp_path / "passwd") as s:
        s.write()
        told = s.p("check")
        assert told.code == 0, told
        s.start()
        for number, name in enumerate(DEAR, 1):
            for log in (told.err, s.log()):
                assert re.search(f'line={number} user="{name}": one check of what is behind .* would cost too much: ', log), log
        with concurrent.futures.ThreadPoolExecutor(2 * len(DEAR)) as pool:
            guesses = [pool.submit(logs_in, s.ports["tls"], authority, name, "x") for name in DEAR for _ in range(2)]
            began = time.monotonic()
            assert logs_in(s.ports["tls"], authority, "anna", "geheim") and logs_in(s.ports["tls"], authority, "bob", "geheim")
            assert not any(g.result() for g in guesses)
        assert time.monotonic() - began < 20


def test_a_hash_that_never_ends_does_not_keep_the_service(tmp_path, authority):
    (tmp_path / "passwd").write_text("anna:{CRYPT}$6$salt$xx\n")
    endless = os.path.join(os.path.dirname(program.PROGRAM), "test", "endless_crypt.so")
    with server(tmp_path, authority, tmp_path / "passwd") as s:
        before = s.p.environment
        s.p.environment = lambda: {**before(), "LD_PRELOAD": endless, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        s.start()
        clients = [s.raw("open") for _ in range(4)]
        for c in clients:
            c.send(b"USER anna\r\nPASS x\r\n")
        time.sleep(1)
        assert s.alive()
        s.stop()        # exit status 0, and in time
        assert "are hashed still: nobody waits for them" in s.log()


def test_a_file_that_others_can_read_is_warned_of(tmp_path, authority):
    path = tmp_path / "passwd"
    for number, (mode, text, says) in enumerate((
            (0o640, "anna:{PLAIN}some-secret\n", None), (0o644, "anna:!\n", None),
            (0o644, "anna:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n", "what passwords can be guessed by"), (0o604, "anna:{PLAIN}some-secret\n", "({PLAIN})"))):
        path.write_text(text)
        path.chmod(mode)
        home = tmp_path / str(number)
        home.mkdir()
        with server(home, authority, path) as s:
            s.write()
            told = s.p("check")
            s.start()
            for log in (told.err, s.log()):
                assert log.count("every user of this machine can read it") == (1 if says else 0), log
                assert not says or says in log and f"(mode {mode:04o})" in log, log
                assert "some-secret" not in log
