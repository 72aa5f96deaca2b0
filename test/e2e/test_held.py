# SPDX-License-Identifier: Apache-2.0
"""The held area by command: what waits, has failed or is quarantined is listed, looked at, tried again, released, thrown away."""
import os
import re
import stat

import pytest

import corpus
from imapd import CAPS, Imapd, Mailstore
from imap_store import ALL_MAIL
from pop3d import Maildrop, Pop3d
from serving import Server, until
from test_serve_submission import MESSAGE, begin, program, submit

ODD = (b"Return-Path: <odd@example.org>\r\nSubject: \x1b]0;title\x07 caf\xc3\xa9\r\nX: 1\r\n\r\nbody \x1b[2J\xff\0\r\n\r\nend\r\n")


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        yield server


class Target:
    """A program that takes messages, refuses them or is to be asked later, as a file says."""
    def __init__(self, p):
        self.path, self.says, self.taken = (os.path.join(p.home, name) for name in ("program", "says", "taken"))
        os.mkdir(self.taken)
        with open(self.path, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nread says < {self.says}\ntest $says = 0 || {{ echo because $says >&2; exit $says; }}\n"
                    f"exec cat > $(mktemp {self.taken}/XXXXXXXX)\n")
        os.chmod(self.path, stat.S_IRWXU)
        self.later()

    def say(self, status):
        with open(self.says + ".new", "w", encoding="ascii") as f:
            f.write(f"{status}\n")
        os.rename(self.says + ".new", self.says)

    def later(self):
        self.say(75)

    def refuse(self):
        self.say(100)

    def take(self):
        self.say(0)

    def octets(self):
        out = []
        for name in os.listdir(self.taken):
            with open(os.path.join(self.taken, name), "rb") as f:
                out.append(f.read())
        return sorted(out)


@pytest.fixture
def target(p):
    return Target(p)


def small(count):
    """As they are delivered."""
    return [corpus.normal(octets) for octets in corpus.small(count)]


def held(p, *args):
    return p.good("held", "list", *args, "--json").rows()


def states(p, *args):
    return sorted(row["state"] for row in held(p, *args))


def history(p, name="box"):
    return [row["state"] for row in p.good("history", name, "--json").rows()]


def box(p, origin, target, name="box", **keys):
    p.clear(name, origin, **{"deliver": ["command:" + target.path], **keys})


def raw(p, number):
    """Not through p(): the octets are nobody's text."""
    process = p.start("held", "show", number, "--raw")
    out, err = process.communicate(timeout=p.limit)
    assert process.returncode == 0, err
    return out


# ---- submitted messages

def test_a_submitted_message_is_looked_at(s):
    c = begin(s, "command:" + program(s, "echo not yet >&2; exit 75\n"))
    assert submit(c).startswith("+OK")
    c.quit()
    row, = held(s.p)
    assert row["state"] == "waiting" and row["connection"] == "" and row["account"] == "anna" and row["recipients"] == 3
    assert held(s.p, "--status", "failed") == [] and held(s.p, "nobody") == [] and len(held(s.p, "--status", "waiting")) == 1
    shown = s.p.good("held", "show", row["id"]).text
    assert re.search(r"^state +waiting$", shown, re.M) and re.search(r"^recipient +secret@example\.net$", shown, re.M), shown
    assert "Subject: hello" in shown and "line one" not in shown and "Bcc" not in shown
    assert s.p.good("held", "show", row["id"], "--json").rows()[0]["to"] == ["bert@example.net", "carla@example.net", "secret@example.net"]
    octets = raw(s.p, row["id"])
    assert octets.endswith(MESSAGE.partition(b"\r\n\r\n")[2]) and len(octets) == row["octets"]
    path = os.path.join(s.home, "copy")
    s.p.good("held", "show", row["id"], "--output", path)
    with open(path, "rb") as f:
        assert f.read() == octets
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    done = s.p("held", "show", row["id"], "--output", path)
    assert done.code == 2 and "exists" in done.err, done
    with open(path, "rb") as f:
        assert f.read() == octets
    assert s.p("held", "release", row["id"]).code == 2
    assert s.p("held", "show", row["id"], "--raw", "--output", path).code == 2


def test_words_that_are_wrong(p):
    p.account()
    for words, says in ((("held", "show"), "one ID"), (("held", "show", "12"), "no held message"), (("held", "list", "--status", "lost"), "waiting, failed"),
                        (("held", "look"), "release ID"), (("retry", "nobody"), "neither a held message nor a connection"),
                        (("retry", "0123456789abcdef"), "there is no held message"), (("held", "release", "0123456789abcdef"), "no held message")):
        done = p(*words)
        assert done.code == 2 and says in done.err, done
    assert "no message is held" in p.good("retry").out


# ---- of connections

def test_what_waits_is_tried_again_once_it_is_asked_for(p, target):
    mail = small(3)
    with Pop3d(Maildrop(mail)) as origin:
        box(p, origin, target)
        p("collect", "box")
        assert states(p, "box") == ["waiting"] * 3 and history(p) == ["held"] * 3
        number = held(p)[0]["id"]
        assert f"held as {number}" in p.good("history", "box").out
        shown = p.good("held", "list").out
        assert re.search(rf"^{number}  waiting  box to command:\S+  uid\S+ .*because 75", shown, re.M), shown
        target.take()
        p.good("collect", "box")
        assert target.octets() == [] or sorted(target.octets()) == sorted(mail)     # not due before a minute
        done = p.good("retry", "box")
        if held(p):
            assert "3 held messages are tried with the next postrider collect or run" in done.out
            p.good("collect", "box")
        assert target.octets() == sorted(mail) and held(p) == []
        assert "no message of box is held or refused" in p.good("retry", "box").out


def not_listed(origin):
    """The server lists nothing; what is returned lets it list everything again."""
    at, name = (origin.drop, "messages") if isinstance(origin, Pop3d) else (origin.store.box("INBOX"), "entries")
    all_of_it = getattr(at, name)
    setattr(at, name, [])
    return lambda: setattr(at, name, all_of_it)


@pytest.mark.parametrize("asked", ["before", "behind"])         # `retry`: before the server lists them again, or behind that
@pytest.mark.parametrize("server", ["pop3", "imap"])
def test_a_listing_without_what_waits_makes_no_second_copy(p, target, server, asked):
    mail = small(3)
    with Pop3d(Maildrop(mail)) if server == "pop3" else Imapd(Mailstore(mail)) as origin:
        box(p, origin, target, after="delete", **({} if server == "pop3" else {"protocol": "imap"}))
        p("collect", "box")
        copies = sorted(row["id"] for row in held(p))
        back = not_listed(origin)
        p.good("collect", "box")
        assert history(p) == ["gone"] * 3 and sorted(row["id"] for row in held(p)) == copies
        back()
        if asked == "behind":
            p.good("collect", "box")
            assert history(p) == ["held"] * 3 and sorted(row["id"] for row in held(p)) == copies
        target.take()
        assert "3 held messages are tried" in p.good("retry").out
        for _ in range(3):
            p.good("collect", "box")
        assert target.octets() == sorted(mail) and held(p) == []
        assert (origin.drop if server == "pop3" else origin.store).octets() == []


@pytest.mark.parametrize("after", ["delete", "keep"])
def test_a_quarantined_message_is_released(p, target, after):
    mail = small(1)
    with Pop3d(Maildrop(mail)) as origin:
        box(p, origin, target, on_refused="quarantine", after=after)
        target.refuse()
        p("collect", "box")
        row, = held(p, "box", "--status", "quarantined")
        assert f"held as {row['id']}" in p.good("history", "box").out and p.good("history", "--json").rows()[0]["copies"] == [row["id"]]
        assert "because 100" in row["why"] and len(origin.drop.octets()) == (after == "keep")
        assert "release" in p("retry", row["id"]).err
        assert "no message" in p.good("retry", "box").out       # a person decides, one by one
        p.good("held", "release", row["id"])
        p("collect", "box")
        again, = held(p, "box")
        assert again["state"] == "quarantined" and again["attempts"] > row["attempts"]
        target.take()
        p.good("held", "release", again["id"])
        p.good("collect", "box")
        assert held(p) == [] and target.octets() == sorted(mail)


def test_what_was_refused_and_kept_is_asked_again(p, target):
    mail = small(2)
    with Pop3d(Maildrop(mail)) as origin:
        box(p, origin, target, on_refused="keep", after="delete")
        target.refuse()
        p("collect", "box")
        assert history(p) == ["refused"] * 2 and held(p) == []
        target.take()
        p.good("collect", "box")
        assert target.octets() == [] and len(origin.drop.octets()) == 2
        assert "2 refused messages are fetched and tried again by the next visit of box" in p.good("retry", "box").out
        assert history(p) == ["pending"] * 2
        p.good("collect", "box")
        assert target.octets() == sorted(mail) and origin.drop.octets() == []


def test_taken_at_last_after_the_one_visit_of_interval_0(s):
    """All of them are tried at once, and one more visit takes them off the server."""
    mail = small(20)
    target = Target(s.p)
    with Pop3d(Maildrop(mail)) as origin:
        box(s.p, origin, target, after="delete", interval="0", active="always")
        s.start()
        until(lambda: len(states(s.p, "box")) == len(mail), "all held")
        target.take()
        assert f"{len(mail)} held messages are tried now" in s.p.good("retry").out
        until(lambda: origin.drop.octets() == [], "an empty maildrop")
        assert target.octets() == sorted(mail) and held(s.p) == []


def test_what_is_for_nobody_waits_at_the_server(p, target):
    """no_recipient = hold: nothing is held here, and retry and held list say where it is."""
    mail = small(2)
    with Pop3d(Maildrop(mail)) as origin:
        box(p, origin, target, after="delete", envelope__headers=["X-Nobody"], envelope__no_recipient="hold")
        p("collect", "box")
        assert history(p) == ["held"] * 2 and held(p) == []
        for words in (("held", "list"), ("held", "list", "box"), ("retry",)):
            assert "box: 2 messages wait at the server" in p.good(*words).out, words
        assert p.good("held", "list", "--json").out == ""
        assert "2 refused messages" in p.good("retry", "box").out
        assert "at the server" not in p.good("held", "list").out


def test_what_is_thrown_away_is_at_the_server_still(p, target):
    mail = small(1)
    with Pop3d(Maildrop(mail)) as origin:
        box(p, origin, target, after="delete")
        p("collect", "box")
        row, = held(p)
        p.good("held", "remove", row["id"])
        assert held(p) == [] and p("held", "remove", row["id"]).code == 2
        assert history(p) == ["refused"]
        target.take()
        p.good("collect", "box")
        assert target.octets() == [] and len(origin.drop.octets()) == 1
        p.good("retry", "box")
        p.good("collect", "box")
        assert target.octets() == mail and origin.drop.octets() == []


@pytest.mark.parametrize("again", ["held", "before", "behind"])
def test_gmail_the_label_goes_while_it_is_held(p, target, again):
    """Archived: it is in All Mail still, and what its targets have or wait for is that entry's from then on."""
    with Imapd(Mailstore(small(1), gmail=True), caps=CAPS + ["X-GM-EXT-1"]) as origin:
        box(p, origin, target, protocol="imap", mailbox=["INBOX", ALL_MAIL], deliver=["command:" + target.path, "maildir:" + p.home + "/other"])
        p("collect", "box")
        assert states(p, "box") == ["waiting"]
        inbox = origin.store.box("INBOX")
        origin.store.remove(inbox, list(inbox.entries))
        if again == "before":       # delivered by a visit that sees the label gone
            target.take()
            p.good("retry", "box")
        for _ in range(2):
            p("collect", "box")
        assert states(p, "box") == ([] if again == "before" else ["waiting"])
        if again == "behind":       # and the copy is thrown away then
            row, = held(p, "box")
            p.good("held", "remove", row["id"])
        target.take()
        p.good("retry", "box")
        for _ in range(2):
            p("collect", "box")
        assert states(p, "box") == []
    assert len(target.octets()) == 1 and len(os.listdir(p.home + "/other/new")) == 1


def test_what_nobody_tries_is_named(p, target):
    """The target is not in `deliver`, or there is no such connection any more: neither `list` nor `retry` promises anything."""
    with Pop3d(Maildrop(small(1))) as origin:
        box(p, origin, target)
        p("collect", "box")
        row, = held(p)
        assert "tried with the next postrider collect or run" in p.good("retry", "box").text
        box(p, origin, target, deliver=["maildir:" + p.home + "/other"])
        reason = "is not in `deliver` of box"
        for words in (["held", "list"], ["retry", "box"], ["retry"], ["held", "retry", row["id"]]):
            text = p.good(*words).text
            assert reason in text and "next" not in text and " tried with" not in text, text
        p.good("collect", "box")
        assert reason in held(p)[0]["why"]      # and the record says so, too
        assert len(os.listdir(p.home + "/other/new")) == 0      # the copy was all that was left to do
        origin.drop.messages.clear()
        p.sections.clear()
        p.clear("other", origin, deliver=["maildir:" + p.home + "/other"])
        assert "the configuration has no connection box" in p.good("held", "list").text
        assert "the configuration has no connection box" in p.good("retry").text
        box(p, origin, target)
        target.take()
        p.good("retry", "box")
        p.good("collect", "box")
        assert held(p) == [] and target.octets() == small(1)


def test_a_rescan_brings_nothing_twice(p, target):
    mail = small(4)
    with Pop3d(Maildrop(mail[:2])) as origin:
        box(p, origin, target, after="keep")
        target.refuse()
        p("collect", "box")
        origin.drop.add(mail[2])
        target.later()
        p("collect", "box")
        origin.drop.add(mail[3])
        target.take()
        p.good("collect", "box")
        assert states(p) == ["quarantined", "quarantined", "waiting"] and target.octets() == [mail[3]]
        assert "1 entries forgotten" in (done := p.good("rescan", "box")).out and "but for 3 that are held" in done.out, done
        p.good("collect", "box")
        assert target.octets() == [mail[3]] * 2                 # it is what a rescan is for
        for row in held(p, "--status", "quarantined"):
            p.good("held", "release", row["id"])
        p.good("retry", "box")
        p.good("collect", "box")
        assert held(p) == [] and target.octets() == sorted(mail + [mail[3]])
        p.good("collect", "box")
        assert len(target.octets()) == 5


def test_a_message_that_would_tell_the_terminal(p, target):
    with Pop3d(Maildrop([ODD])) as origin:
        box(p, origin, target)
        p("collect", "box")
    row, = held(p)
    shown = p.good("held", "show", row["id"]).out               # p() looks for control octets
    assert "Subject: ?]0;title? café" in shown and "X: 1" in shown and "body" not in shown
    assert raw(p, row["id"]) == ODD


def test_a_backup_has_them(p, target):
    mail = small(2)
    with Pop3d(Maildrop(mail)) as origin:
        box(p, origin, target)
        p("collect", "box")
        before = held(p)
        backup = os.path.join(p.home, "backup")
        p.good("backup", backup)
        for row in before:
            p.good("held", "remove", row["id"])
        p.good("restore", "--replace", backup)
        assert held(p) == before and sorted(raw(p, row["id"]) for row in before) == sorted(mail)
        target.take()
        p.good("retry")
        p.good("collect", "box")
        assert target.octets() == sorted(mail) and held(p) == []
        p.good("collect", "box")
        assert len(target.octets()) == 2


def test_a_running_instance_tries_at_once_and_names_it(s):
    target, mail = Target(s.p), small(2)
    with Pop3d(Maildrop(mail)) as origin:
        box(s.p, origin, target)
        s.account("anna", [])
        s.start()
        s.p("collect", "box")
        status = s.p.good("status").out
        assert re.search(r"^box +2 held; the oldest .* ago: .*because 75.*: postrider held list box$", status, re.M), status
        row = s.p.good("status", "--json").rows()[0]
        assert [c["held"] for c in row["connections"]] == [2] and row["held_connections"][0]["why"].endswith('because 75"')
        target.take()
        assert "2 held messages are tried now" in s.p.good("retry", "box").out
        until(lambda: target.octets() == sorted(mail), "the messages")
        until(lambda: held(s.p) == [], "an empty held area")
        assert "held messages of connections" not in s.p.good("status").out
