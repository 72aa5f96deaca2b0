# SPDX-License-Identifier: Apache-2.0
"""Mail out of a real Dovecot, octet for octet, into both kinds of target."""
import os
import poplib
import resource
import shutil
import socket
import ssl
import subprocess
import time
from collections import Counter

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from postrider import PROGRAM

COUNT = int(os.environ.get("POSTRIDER_MESSAGES", "5000"))


@pytest.fixture(scope="module")
def mail():
    return corpus.messages(COUNT)


@pytest.fixture(scope="module")
def full(dovecot, mail):
    """Dovecot with the whole corpus in anna's maildrop, which nobody deletes from."""
    dovecot.fill("anna", mail)
    return dovecot


def tls(dovecot, authority, mode="implicit", **more):
    port = dovecot.pop3s if mode == "implicit" else dovecot.pop3
    return {"port": port, "tls__mode": mode, "tls__ca_certificates": authority.ca, **more}


def digests(messages):
    return Counter(corpus.digest(m) for m in messages)


def another_client(dovecot, authority, user):
    pop = poplib.POP3_SSL("localhost", dovecot.pop3s, context=ssl.create_default_context(cafile=authority.ca))
    pop.user(user)
    pop.pass_(dovecot.password)
    count, _ = pop.stat()
    pop.quit()
    return count


def last_session(dovecot, user):
    """What Dovecot wrote of the user's last session: top=…, retr=…, del=…"""
    for _ in range(50):
        lines = [line for line in dovecot.log().splitlines() if f"pop3({user})" in line and "retr=" in line]
        if lines:
            return lines[-1]
        time.sleep(0.1)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["implicit", "explicit"])
@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
def test_every_octet_arrives_and_nothing_comes_twice(p, full, authority, mail, mode, kind):
    p.account()
    target = "mailbox:anna/INBOX" if kind == "mailbox" else "maildir:" + p.maildir
    p.connection("box", **tls(full, authority, mode), after="keep", deliver=[target])
    done = p.good("collect", "box")
    assert done.summary()["box"]["collected"] == COUNT, done
    arrived = p.in_mailbox() if kind == "mailbox" else p.in_maildir()
    if kind == "mailbox":       # as stored: CRLF, in the server's order
        assert [corpus.normal(m) for m in mail] == arrived
    assert digests(arrived) == digests(mail)

    sessions = full.log().count("retr=")
    again = p.good("collect", "box")
    assert again.summary()["box"]["collected"] == 0, again
    for _ in range(50):
        if full.log().count("retr=") > sessions:
            break
        time.sleep(0.1)
    assert "retr=0/0" in last_session(full, "anna")
    assert len(p.in_mailbox() if kind == "mailbox" else p.in_maildir()) == COUNT
    assert another_client(full, authority, "anna") == COUNT


@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
def test_each_odd_message_alone(p, authority, dovecot, kind):
    """One message a maildrop: what follows a message must not be what saves it."""
    p.account()
    for number, (name, octets) in enumerate({**corpus.odd(), **corpus.rough()}.items()):
        box, path = f"anna/box{number}", f"{p.maildir}{number}"
        user = dovecot.fresh([octets])
        p.connection("box", user=user, **tls(dovecot, authority), after="delete",
                     deliver=["mailbox:" + box if kind == "mailbox" else "maildir:" + path])
        p.good("collect", "box")
        arrived = p.in_mailbox(box) if kind == "mailbox" else p.in_maildir(path)
        assert [corpus.normal(m) for m in arrived] == [corpus.normal(octets)], name
        assert dovecot.left(user) == [], name


@pytest.mark.parametrize("after, left", [("delete", 0), ("keep", 300), (None, 0)])
def test_what_another_client_sees_afterwards(p, authority, dovecot, after, left):
    mail = corpus.small(300)
    user = dovecot.fresh(mail)
    p.connection("box", user=user, **tls(dovecot, authority), after=after)
    p.good("collect", "box")
    assert digests(p.in_maildir()) == digests(mail)
    assert another_client(dovecot, authority, user) == left


def test_two_targets_must_both_have_it(p, authority, dovecot):
    p.account()
    mail = corpus.messages(60)
    user = dovecot.fresh(mail)
    p.connection("box", user=user, **tls(dovecot, authority), after="delete",
                 deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir])
    p.good("collect", "box")
    assert digests(p.in_maildir()) == digests(p.in_mailbox()) == digests(mail)
    assert dovecot.left(user) == []


def test_a_target_that_cannot_take_it_keeps_it_on_the_server(p, authority, dovecot):
    p.account()
    user = dovecot.fresh(corpus.small(5))
    blocked = os.path.join(p.home, "file")
    with open(blocked, "w", encoding="ascii") as f:
        f.write("not a directory")
    p.connection("box", user=user, **tls(dovecot, authority), after="delete",
                 deliver=["mailbox:anna/INBOX", f"maildir:{blocked}/Maildir"])
    done = p("collect", "box")
    assert done.code in (1, 2) and blocked in done.text, done
    assert len(dovecot.left(user)) == 5
    p.connection("box", user=user, **tls(dovecot, authority), after="delete",
                 deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir])
    p.good("collect", "box")
    assert len(p.in_maildir()) == len(p.in_mailbox()) == 5
    assert dovecot.left(user) == []


@pytest.mark.parametrize("scheme", ["pop3s", "pop3"])
def test_by_url_without_any_configuration(home, authority, dovecot, scheme):
    """As an ordinary user: the state then lies in the home directory."""
    mail = corpus.small(50)
    user = dovecot.fresh(mail)
    secret = os.path.join(home, "password")
    with open(secret, "w", encoding="ascii") as f:
        f.write(dovecot.password + "\n")
    program = shutil.copy(PROGRAM, os.path.join(home, "postrider"))     # the checkout may lie where only root can go
    for path in (home, secret, program):
        os.chown(path, dovecot.uid, dovecot.gid)
    drop = {} if os.getuid() else {"user": dovecot.uid, "group": dovecot.gid, "extra_groups": []}
    port = dovecot.pop3s if scheme == "pop3s" else dovecot.pop3
    argv = [program, "collect", f"{scheme}://{user}@localhost:{port}", "--to", f"maildir:{home}/In",
            "--password-file", secret, "--tls.ca_certificates", authority.ca]
    if scheme == "pop3":
        argv += ["--tls.mode", "explicit"]
    env = {"PATH": os.environ["PATH"], "HOME": home}
    for after, left in (([], 50), (["--after", "delete"], 0)):
        done = subprocess.run(argv + after, env=env, cwd=home, capture_output=True, text=True, timeout=60, **drop)
        assert done.returncode == 0, done
        assert dovecot.password not in done.stdout + done.stderr
        arrived = []
        for name in os.listdir(f"{home}/In/new"):
            with open(f"{home}/In/new/{name}", "rb") as f:
                arrived.append(f.read())
        assert digests(arrived) == digests(mail)
        assert another_client(dovecot, authority, user) == left
    assert os.path.isdir(os.path.join(home, ".local/state/postrider"))


def test_by_url_from_a_password_command(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(3))
    p.account()
    done = p.good("collect", f"pop3s://{user}@localhost:{dovecot.pop3s}", "--to", "mailbox:anna/INBOX",
                  "--password-command", f"printf %s {dovecot.password}", "--tls.ca_certificates", authority.ca)
    assert "3 collected" in done.text
    assert len(p.in_mailbox()) == 3


@pytest.mark.parametrize("source", ["literal", "file", "command"])
def test_password_sources(p, authority, dovecot, source):
    user = dovecot.fresh(corpus.small(2))
    path = os.path.join(p.home, "secret")
    with open(path, "w", encoding="ascii") as f:
        f.write(dovecot.password + "\n")
    os.chmod(path, 0o600)
    text = {"literal": dovecot.password, "file": "file:" + path, "command": "command:cat " + path}[source]
    p.connection("box", user=user, password=text, **tls(dovecot, authority))
    p.good("collect", "box")
    assert len(p.in_maildir()) == 2


@pytest.mark.parametrize("auth", ["plain", "login", "user", "cram-md5", "scram-sha-1", "scram-sha-256"])
def test_login_mechanisms(p, authority, dovecot, auth):
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", user=user, auth=[auth], **tls(dovecot, authority))
    p.good("collect", "box")
    assert len(p.in_maildir()) == 2


def test_all_enabled_connections_in_one_run(p, authority, dovecot):
    p.account()
    users = [dovecot.fresh(corpus.small(number, seed=number)) for number in (1, 2, 3)]
    for user in users:
        p.connection(user, user=user, **tls(dovecot, authority), deliver=[f"mailbox:anna/{user}"])
    p.connection("off", enabled=False, port=1)
    done = p.good("collect")
    assert {n: c["collected"] for n, c in done.summary().items()} == dict(zip(users, (1, 2, 3)))
    for number, user in enumerate(users, 1):
        assert len(p.in_mailbox(f"anna/{user}")) == number


def test_one_bad_connection_does_not_hold_up_the_others(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(4))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        p.connection("silent", port=silent.getsockname()[1], tls__mode="none", allow_cleartext=True, timeout="2s")
        p.connection("good", user=user, **tls(dovecot, authority))
        done = p("collect", limit=30)
    assert done.code == 1 and done.summary()["good"]["collected"] == 4, done


def test_more_at_once_than_a_shell_lets_open(p):
    """Each visit holds a socket and a lock file; only the hard limit may end that."""
    soft = 64

    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    p.sections["top"] = "max_per_host = 100\n"
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        for n in range(soft):
            p.clear(f"box{n}", origin, after="keep")
        done = p.finish(p.start("collect", preexec_fn=few_files))
    assert done.code == 0 and sum(row["collected"] for row in done.summary().values()) == soft, done


def test_two_collects_of_one_connection_at_once(p):
    with Pop3d(Maildrop(corpus.small(30)), pace=0.1) as origin:
        p.clear("box", origin)
        first = p.start("collect", "box")
        while not origin.verbs("RETR"):
            time.sleep(0.01)
        second = p("collect", "box")
        assert second.code == 1, second
        assert str(first.pid) in second.text and "since" in second.text, second
        done = p.finish(first)
        assert done.code == 0 and done.summary()["box"]["collected"] == 30, done
    assert len(p.in_maildir()) == 30


def test_one_that_stands_still_keeps_its_lock(p):
    """SIGSTOP, not dead: nobody else may think its lock is stale."""
    with Pop3d(Maildrop(corpus.small(20)), pace=0.05) as origin:
        p.clear("box", origin)
        first = p.start("collect", "box")
        while len(origin.verbs("RETR")) < 3:
            time.sleep(0.01)
        first.send_signal(subprocess.signal.SIGSTOP)
        try:
            second = p("collect", "box")
        finally:
            first.send_signal(subprocess.signal.SIGCONT)
        assert second.code == 1 and str(first.pid) in second.text, second
        assert p.finish(first).code == 0
    assert len(p.in_maildir()) == 20


def test_new_mail_between_visits(p, authority, dovecot):
    mail, user = corpus.small(30), dovecot.fresh()
    p.connection("box", user=user, **tls(dovecot, authority), after="keep")
    for start in (0, 10, 20):
        dovecot.fill(user, mail[start:start + 10])
        assert p.good("collect", "box").summary()["box"]["collected"] == 10
    assert digests(p.in_maildir()) == digests(mail)


def test_the_target_folder_is_made_and_private(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(1))
    p.maildir = os.path.join(p.home, "deep", "er", "Maildir")
    p.connection("box", user=user, **tls(dovecot, authority), deliver=["maildir:" + p.maildir])
    p.good("collect", "box")
    assert len(os.listdir(p.maildir + "/new")) == 1 and os.listdir(p.maildir + "/tmp") == []
    assert os.stat(p.maildir).st_mode & 0o077 == 0
    shutil.rmtree(p.maildir)
