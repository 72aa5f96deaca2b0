# SPDX-License-Identifier: Apache-2.0
"""`collect` and `baseline` while `postrider run` has the state: the instance makes the visits, and serves meanwhile."""
import os
import pty
import re
import signal
import subprocess
import threading
from collections import Counter

import pytest

import corpus
from dovecot import PASSWORD
from pop3d import Maildrop, Pop3d
from serving import LIMIT, Server, until

MAIL = corpus.small(400)


def digests(messages):
    return Counter(corpus.digest(m) for m in messages)


class Gate:
    """Holds the origin at a word ("RETR 50"), until it is opened; `reached` says that it came so far."""

    def __init__(self, word):
        self.word, self.reached, self.go = word, threading.Event(), threading.Event()

    def __call__(self, word):
        if word == self.word and not self.go.is_set():
            self.reached.set()
            self.go.wait(LIMIT)

    def wait(self):
        assert self.reached.wait(LIMIT), "the origin was not asked for " + self.word

    def open(self):
        self.go.set()


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", [])
        yield server


def box(s, origin, name="box", **keys):
    s.p.clear(name, origin, **{"deliver": ["mailbox:anna/INBOX"], "after": "delete", **keys})


def collected(done, name="box"):
    assert done.code == 0, done
    return done.summary()[name]["collected"]


def status(s):
    return s.p.good("status", "--json").rows()[0]


# ---- what is said

def test_the_same_words_as_alone(s):
    with Pop3d(Maildrop(MAIL[:30])) as origin:
        box(s, origin)
        box(s, origin, "off", enabled=False)
        s.start()
        done = s.p("collect", "box", "--json")
        row = done.rows()[0]
        assert done.code == 0 and row["connection"] == "box" and row["collected"] == 30 and row["error_kind"] == "none" and row["octets"] > 10000
        origin.drop.add(MAIL[30])
        done = s.p("collect")       # all that are enabled
        assert done.summary() == {"box": {"collected": 1, "skipped": 0, "held": 0, "failed": 0}} and done.err == ""
        assert s.p("-q", "collect", "box", "box").text == ""
        for names, words in (("bix", "did you mean box?"), ("off", "disabled"), ("other", "SIGHUP")):
            done = s.p("collect", "box", names)
            assert done.code == 2 and words in done.err and done.out == "", done
        s.stop()
        assert digests(s.octets()) == digests(MAIL[:31])
        assert len(re.findall("visit end", s.log())) == 3


def test_baseline_of_a_mailbox(s, authority, dovecot):
    user = dovecot.fresh(MAIL[:4])
    dovecot.fill(user, MAIL[4:10], "lists")
    s.p.connection("box", protocol="imap", port=dovecot.imaps, host="localhost", user=user, password=dovecot.password, tls__ca_certificates=authority.ca,
                   after="keep", mailbox=["*"], deliver=["mailbox:anna/INBOX"])
    s.start()
    done = s.p.good("baseline", "box", "--mailbox", "lists")
    assert done.summary()["box"]["skipped"] == 6, done
    done = s.p("baseline", "box", "--mailbox", "elsewhere")
    assert done.code == 1 and "mailbox elsewhere: is none of those" in done.err, done
    assert collected(s.p("collect", "box")) == 4


def test_baseline(s):
    with Pop3d(Maildrop(MAIL[:30])) as origin:
        box(s, origin, after="keep")
        s.start()
        done = s.p.good("baseline", "box")
        assert done.summary()["box"] == {"collected": 0, "skipped": 30, "held": 0, "failed": 0}
        assert collected(s.p("collect", "box")) == 0 and not origin.verbs("RETR")
        s.p.good("rescan", "box")
        assert collected(s.p("collect", "box")) == 30


def test_what_fails_says_why(s):
    with Pop3d(Maildrop(MAIL[:3])) as origin:
        box(s, origin, "wrong", password="not-that-one")
        box(s, origin, "none", password=None)
        box(s, origin, "mute", port=1)
        box(s, origin)
        s.p.secrets.add("not-that-one")
        s.start()
        done = s.p("collect")
        assert done.code == 1 and done.summary()["box"]["collected"] == 3 and len(done.summary()) == 4
        assert re.search(r"^postrider collect: wrong: .*wrong", done.err, re.M), done
        assert re.search(r"^postrider collect: none: 127\.0\.0\.1:\d+: no password is set; write password = 'file:PATH' or 'command:CMD', or get a Kerberos ticket: ", done.err, re.M), done
        assert re.search(r"^postrider collect: mute: 127\.0\.0\.1:1: ", done.err, re.M), done
        kinds = {r["connection"]: r["error_kind"] for r in s.p("collect", "--json").rows()}
        assert kinds == {"wrong": "auth", "none": "config", "mute": "net", "box": "none"}
        assert status(s)["collect"] == {"waiting_now": 0, "running_now": 0, "visits": 8, "failed": 6, "messages": 3,
                                        "octets": sum(map(len, map(corpus.normal, MAIL[:3]))), "messages_per_second": 0}


def test_a_url_is_no_connection_of_the_instance(s):
    s.start()
    done = s.p("collect", "pop3://anna@127.0.0.1:1", "--to", "mailbox:anna/INBOX", "--password-command", "touch asked")
    assert done.code == 1 and "--state DIR" in done.err and "SIGHUP" in done.err, done
    assert not os.path.exists(os.path.join(s.home, "asked"))
    with Pop3d(Maildrop(MAIL[:3])) as origin:
        done = s.p("collect", f"pop3://anna@127.0.0.1:{origin.port}", "--state", s.home + "/other", "--to", "maildir:" + s.p.maildir,
                   "--allow_cleartext", "true", "--password-command", "echo " + PASSWORD)
        assert done.code == 0 and len(s.p.in_maildir()) == 3, done


def test_the_bar_is_drawn(s):
    gate = Gate("RETR 50")
    with Pop3d(Maildrop(MAIL[:60]), event=gate, capa=["UIDL", "USER"]) as origin:
        box(s, origin)
        s.start()
        ours, theirs = pty.openpty()
        process = subprocess.Popen(s.p.argv("collect", "box"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
                                   env=s.p.environment(), cwd=s.home)
        gate.wait()
        seen = b""
        while not re.search(rb"\d+ of 60  \[#+", seen):
            seen += os.read(ours, 4096)
        gate.open()
        out, _ = process.communicate(timeout=LIMIT)
        assert process.returncode == 0 and b"box: 60 collected" in out
        os.close(theirs)
        os.close(ours)


def test_many_connections(s):
    """More than visit one host at once; the later ones wait for their turn."""
    s.head["max_per_host"] = 3
    with Pop3d(Maildrop(MAIL[:20])) as origin:
        for n in range(40):
            box(s, origin, f"box{n}", after="keep", deliver=[f"mailbox:anna/box{n}"])
        s.start()
        done = s.p.good("collect")
        assert {k: v["collected"] for k, v in done.summary().items()} == {f"box{n}": 20 for n in range(40)}
        done = s.p.good("collect", "--json")
        assert [r["collected"] for r in done.rows()] == [0] * 40
        assert status(s)["collect"]["visits"] == 80


# ---- one connection, two visits

def test_two_at_once_of_one_connection(s):
    gate = Gate("RETR 50")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        second = s.p("collect", "box")
        assert second.code == 1 and "box is being visited already, since 20" in second.err, second
        assert s.p("rescan", "box").code == 1       # nor does anybody take its ledger away
        now = status(s)["collect"]
        assert now["running_now"] == 1 and now["visits"] == 0
        assert re.search(r"^visits +1 now, \d+ messages/s; 0 waiting", s.p.good("status").out, re.M)
        gate.open()
        assert collected(s.p.finish(first)) == len(MAIL)
        assert origin.drop.octets() == []
        s.stop()
        assert digests(s.octets()) == digests(MAIL)


def test_ctrl_c_stops_the_visit_and_nothing_else(s):
    gate = Gate("RETR 50")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        first.send_signal(signal.SIGINT)
        s.wait_log("collect.stop")
        gate.open()
        done = s.p.finish(first)
        assert done.code == 1 and "the next one goes on from here" in done.err and "box" in done.summary(), done
        some = done.summary()["box"]["collected"]
        assert some < len(MAIL) and len(origin.drop.octets()) == len(MAIL)
        assert collected(s.p("collect", "box")) == len(MAIL) - some
        assert origin.drop.octets() == []
        s.stop()
        assert digests(s.octets()) == digests(MAIL)


def test_a_command_that_is_killed_leaves_its_visit(s):
    gate = Gate("RETR 50")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        first.kill()
        first.communicate()
        gate.open()
        until(lambda: status(s)["collect"]["visits"] == 1, "the visit's end")
        assert origin.drop.octets() == []
        s.stop()
        assert digests(s.octets()) == digests(MAIL)


def test_the_service_is_stopped_and_started(s):
    gate = Gate("RETR 50")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        assert re.search("collect: (draining|stopped)", s.p.good("service", "stop", "collect").out)
        gate.open()
        assert s.p.finish(first).code == 1
        assert {x["service"]: x["state"] for x in status(s)["services"]} == {"pop3": "running", "collect": "stopped"}
        done = s.p("collect", "box")
        assert done.code == 1 and "service start collect" in done.err, done
        s.p.good("service", "start", "collect")
        s.p.good("collect", "box")
        s.stop()
        assert digests(s.octets()) == digests(MAIL)


# ---- who reads meanwhile

class Client(threading.Thread):
    """Reads and deletes again and again.  `have`: what QUITs that were answered took away; `perhaps`: what those that were not, may have."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.s, self.have, self.perhaps, self.ended, self.failure = s, [], [], threading.Event(), None
        self.start()

    def session(self):
        with self.s.login() as c:
            read = []
            for line in c.multi("UIDL"):
                number, uid = line.split()
                read.append((uid, c.message("RETR " + number)))
                c.good("DELE " + number)
            before, self.perhaps = self.perhaps, self.perhaps + read
            c.good("QUIT")
            self.have += read
            self.perhaps = before

    def run(self):
        while not self.ended.is_set():
            try:
                self.session()
            except (OSError, EOFError):
                pass            # the instance is killed, or not yet there again
            except Exception as e:      # pylint: disable=broad-except
                self.failure = e
                return

    def end(self):
        self.ended.set()
        self.join(LIMIT)
        assert not self.failure, self.failure


def verify(s, client, want):
    """Nothing lost, nothing twice: what was read and deleted, and what is left.  The instance does not run."""
    left = [corpus.normal(m) for m in s.octets()]
    taken = list(client.have)
    left_digests = digests(left)
    uids = [uid for uid, _ in client.have]
    assert len(set(uids)) == len(uids), "a message came back after QUIT"
    for uid, octets in dict(client.perhaps).items():
        if not left_digests[corpus.digest(octets)] and uid not in uids:
            taken.append((uid, octets))
    have, want = digests([octets for _, octets in taken] + left), digests(want)
    assert have == want, f"{sum((want - have).values())} missing, {sum((have - want).values())} twice"


@pytest.mark.parametrize("origin_is", ["pop3d", "postrider"])
def test_a_client_reads_and_deletes_while_mail_comes(s, home, authority, origin_is):
    mail = corpus.small(3000)
    os.mkdir(os.path.join(home, "other"))
    other = Server(os.path.join(home, "other"), authority)
    if origin_is == "pop3d":
        with Pop3d(Maildrop(mail), pace=0.0003) as origin:
            box(s, origin)
            s.start()
            client = Client(s)
            assert collected(s.p("collect", "box")) == len(mail)
            assert origin.drop.octets() == []
    else:
        with other:
            other.account("anna", mail)
            other.start()
            s.p.connection("box", port=other.ports["tls"], host="localhost", tls__ca_certificates=authority.ca, after="delete",
                           deliver=["mailbox:anna/INBOX"])
            s.start()
            client = Client(s)
            assert collected(s.p("collect", "box")) == len(mail)
            other.stop()
            assert other.octets() == []
    until(lambda: len(client.have) == len(mail) or not client.is_alive(), lambda: f"all to be read, not {len(client.have)}")
    client.end()
    s.stop()
    verify(s, client, mail)
    assert len(client.have) == len(mail)


# ---- signals

@pytest.mark.parametrize("word", ["PASS " + PASSWORD, "UIDL", "RETR 1", "RETR 200", "sent RETR 399", "DELE 1", "DELE 300", "QUIT", "deleted"])
def test_kill_9_amid_a_visit(s, word):
    """Exactly once, whatever was on its way, and a client that reads and deletes as well."""
    gate = Gate(word)
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        client = Client(s)
        first = s.p.start("collect", "box")
        gate.wait()
        s.kill()
        gate.open()
        done = s.p.finish(first)
        assert done.code == 1 and done.err, done
        s.start()
        for _ in range(3):
            done = s.p.good("collect", "box")
        assert done.summary()["box"]["collected"] == 0
        client.end()
        assert origin.drop.octets() == []
        s.stop()
        verify(s, client, MAIL)


@pytest.mark.parametrize("word", ["PASS " + PASSWORD, "UIDL", "RETR 200", "QUIT"])
def test_sigterm_amid_a_visit(s, word):
    """What is complete is delivered, the command hears of it, and the next one goes on from there."""
    gate = Gate(word)
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        s.process.terminate()
        s.wait_log("ending")
        gate.open()
        done = s.p.finish(first)
        s.gone()
        assert "box" in done.summary(), done
        some = done.summary()["box"]["collected"]
        if word == "QUIT":
            assert done.code == 0 and some == len(MAIL) and origin.drop.octets() == []
        else:
            assert done.code == 1 and some < len(MAIL) and "the next one goes on from here" in done.err, done
        assert len(s.octets()) == some
        s.start()
        assert collected(s.p("collect", "box")) == len(MAIL) - some
        assert origin.drop.octets() == []
        s.stop()
        assert digests(s.octets()) == digests(MAIL)


def test_sigterm_twice_does_not_wait_for_a_server(s):
    gate = Gate("QUIT")
    with Pop3d(Maildrop(MAIL[:50]), event=gate) as origin:
        box(s, origin, timeout="10min")
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        s.process.terminate()
        s.wait_log("ending")
        assert s.process.poll() is None
        s.process.terminate()
        s.gone()
        s.p.finish(first)
        gate.open()
        s.start()
        s.p.good("collect", "box")
        assert origin.drop.octets() == []
        s.stop()
        assert digests(s.octets()) == digests(MAIL[:50])


def test_sighup_amid_a_visit(s):
    """It goes on with what it began with, though its connection is another one now, or none."""
    gate = Gate("RETR 200")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        box(s, origin, host="192.0.2.1", user="nobody", deliver=["mailbox:anna/elsewhere"])
        s.reload()
        del s.p.sections["box"]
        for _ in range(3):
            s.reload()
        assert s.p("collect", "box").code == 2
        gate.open()
        assert collected(s.p.finish(first)) == len(MAIL)
        assert origin.drop.octets() == []
        box(s, origin, "new")
        assert s.p("collect", "new").code == 2      # until it is told
        s.reload()
        assert collected(s.p("collect", "new"), "new") == 0
        s.stop()
        assert digests(s.octets()) == digests(MAIL)


def test_a_reload_that_fails_leaves_the_visits(s):
    gate = Gate("RETR 200")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        first = s.p.start("collect", "box")
        gate.wait()
        s.keys["colour"] = "red"
        s.reload(good=False)
        del s.keys["colour"]
        s.head["log_to"] = "/nowhere/at/all"
        s.reload(good=False)
        gate.open()
        assert collected(s.p.finish(first)) == len(MAIL)
        del s.head["log_to"]
        s.write()
        assert collected(s.p("collect", "box")) == 0


def test_certificates_are_read_again_by_a_reload(s, authority):
    """The same file, with other authorities in it."""
    cert, key = authority.sign("origin")
    known = os.path.join(s.home, "ca.pem")
    with open(known, "wb") as f, open(s.cert, "rb") as g:
        f.write(g.read())       # somebody, but not who signed it
    with Pop3d(Maildrop(MAIL[:5]), tls="implicit", cert=cert, key=key) as origin:
        s.p.connection("box", host="localhost", port=origin.port, tls__ca_certificates=known, deliver=["mailbox:anna/INBOX"])
        s.start()
        assert s.p("collect", "box", "--json").rows()[0]["error_kind"] == "tls"
        with open(known, "wb") as f, open(authority.ca, "rb") as g:
            f.write(g.read())
        s.reload()
        assert collected(s.p("collect", "box")) == 5
