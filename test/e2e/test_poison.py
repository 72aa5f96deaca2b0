# SPDX-License-Identifier: Apache-2.0
"""One bad message, target or disk never holds up another (PRODUCT 2.3, rules 3 and 4).

A message that nobody can parse arrives octet for octet, or is held and named; a disk that is full, a target that hangs or
refuses for ever stop what needs them and nothing else; and when that is over each message is there exactly once."""
import contextlib
import os
import re
import resource
import subprocess
import time

import pytest

import corpus
from poisoning import CommandTarget, HANDED, HEAD, LARGE, POISON, TARGETS, digests, in_maildir, left, origin_of, surrounded
from imapd import CAPS, Imapd, Mailstore
from probing import both
from smtpd import Script, parse_script
from serving import Server, until
from test_memory import MIB, peak, sanitized

FULL = re.compile("no space left|file too large", re.I)
targets = pytest.mark.parametrize("kind", list(TARGETS))
handed = pytest.mark.parametrize("kind", HANDED)
kept = pytest.mark.parametrize("kind", ["mailbox", "maildir"])


# ---- messages that nobody can parse

@both
@targets
def test_what_nobody_can_parse(p, protocol, kind):
    """All of them in one mailbox, among ordinary ones: each arrives as it was sent."""
    mail = [m for n, poison in enumerate(POISON.values()) for m in (poison, corpus.normal(corpus.small(20)[n]))]
    with origin_of(protocol, mail) as origin, TARGETS[kind](p) as target:
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver())
        done = p.good("collect", "box")
        assert done.summary()["box"] == {"collected": len(mail), "skipped": 0, "held": 0, "failed": 0}, done
        assert left(origin) == [] and digests(target.arrived()) == digests(map(target.wanted, mail))
        assert p.good("history", "box").out.count("\n") == len(mail)


@pytest.mark.parametrize("name", ["newer_than", "envelope", "gmail"])
def test_what_looks_into_headers_survives_it(p, name):
    """With keys that make us read headers: what cannot be read is no reason to leave mail behind."""
    mail = list(POISON.values())
    if name == "gmail":
        store = Mailstore(mail, gmail=True)
        with Imapd(store, caps=CAPS + ["X-GM-EXT-1"]) as origin:
            p.clear("box", origin, protocol="imap", after="keep", mailbox=["INBOX", "[Gmail]/All Mail"])
            assert p.good("collect", "box").summary()["box"]["collected"] == len(mail)
        return
    keys = {"newer_than": {"newer_than": "7d"}, "envelope": {"envelope__source_domain": "example.org", "envelope__no_recipient": "anna@example.org"}}[name]
    with origin_of("pop3", mail) as origin:
        p.clear("box", origin, after="delete", **keys)
        p.good("collect", "box")
        arrived = in_maildir(p)
        if name == "envelope":
            arrived = [re.sub(rb"^(X-Real-To: .*\r\n)*Delivered-To: postrider.*\r\n", b"", m) for m in arrived]
        assert digests(arrived) == digests(mail)


@pytest.mark.slow
@pytest.mark.skipif(sanitized(), reason="a sanitizer's memory is not ours")
@pytest.mark.parametrize("kind, protocol, name",
    [(k, p, n) for k in ("mailbox", "maildir") for p in ("pop3", "imap") for n in LARGE]
    + [(k, "pop3", n) for k in ("folder", "command", "smtp", "bdat", "lmtp") for n in ("a field of 30 MB", "a line of 100 MB")])
def test_what_is_large_takes_no_memory(p, protocol, kind, name):
    mail, peaks = surrounded(LARGE[name]()), []
    few = mail[:3] + mail[4:]
    with TARGETS[kind](p) as target:
        for messages in (few, mail):
            with origin_of(protocol, messages) as origin:
                p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver(), timeout="60s")
                done, highest = peak(p, "collect", "box")
                peaks.append(highest)
                assert done.summary()["box"]["collected"] == len(messages) and left(origin) == [], done
                p.good("rescan", "box")
        assert digests(target.arrived()) == digests(mail + few)
    assert peaks[1] - peaks[0] <= MIB, f"{peaks} KiB"


# ---- disks that are full

@contextlib.contextmanager
def disk(path, size):
    """A file system of that size; → a function that gives it another."""
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", path], check=True)
    try:
        yield lambda more: subprocess.run(["mount", "-o", f"remount,size={more}", path], check=True)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def fill(path):
    """A file takes what is free there."""
    name = os.path.join(path, "filler")
    fd = os.open(name, os.O_CREAT | os.O_WRONLY)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, b"\0" * 4096)
    os.close(fd)
    return name


def row(p, name="box"):
    return {r["connection"]: r for r in p.good("status", "--json").rows()[0]["connections"]}[name]


@root
@both
@pytest.mark.parametrize("kind", ["mailbox", "maildir", "command", "lmtp"])
def test_a_full_disk_under_the_state(p, protocol, kind):
    """The ledger cannot be written: the visit ends and says so, nothing that is not delivered leaves the server; with room
    again each is there once."""
    mail = surrounded(POISON["NULs"], 60)
    with disk(p.state, "2m") as resize, origin_of(protocol, mail) as origin, TARGETS[kind](p) as target:
        fill(p.state)
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver())
        done = p("collect", "box")
        assert done.code == 1 and FULL.search(done.err), done
        assert digests(left(origin)) & digests(mail) == digests(left(origin))
        gone = digests(mail) - digests(left(origin))
        resize("64m")
        assert not gone - digests(target.arrived()), "deleted and not delivered"
        done = p.good("collect", "box")
        assert left(origin) == [] and digests(target.arrived()) == digests(mail), done


@root
@both
@pytest.mark.parametrize("kind", ["mailbox", "maildir", "command", "smtp"])
def test_a_message_for_which_there_is_no_room_in_the_state(p, protocol, kind):
    """A large one would fill the disk: it stays at the server and is named, the others flow."""
    huge = HEAD + b"\r\n" + (b"x" * 98 + b"\r\n") * 900_000
    mail = surrounded(huge)
    with disk(p.state, "32m") as resize, origin_of(protocol, mail) as origin, TARGETS[kind](p) as target:
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver())
        done = p("collect", "box")
        assert done.code == 1 and FULL.search(done.err), done
        assert left(origin) == [huge], (len(left(origin)), done)
        assert digests(target.arrived()) == digests(mail) - digests([huge])
        assert done.summary()["box"]["failed"] == 1 and FULL.search(p.good("history", "box").out)
        resize("400m")
        p.good("collect", "box")
        assert left(origin) == [] and digests(target.arrived()) == digests(mail)


@root
@both
@pytest.mark.parametrize("both_targets", [False, True])
def test_a_full_disk_under_a_maildir(p, home, protocol, both_targets):
    """Other connections, and the other target of this one, go on; with room again each is there once."""
    mail = surrounded(POISON["lone CRs"], 40)
    second = os.path.join(home, "second")
    other = os.path.join(home, "other")
    with disk(p.maildir, "64k") as resize, origin_of(protocol, mail) as origin, origin_of(protocol, mail) as well:
        keys = {"protocol": protocol, "after": "delete"}
        p.clear("box", origin, **keys, deliver=["maildir:" + p.maildir] + (["maildir:" + second] if both_targets else []))
        p.clear("well", well, **keys, deliver=["maildir:" + other])
        done = p("collect")
        assert done.code == 1 and FULL.search(done.err), done
        assert done.summary()["well"]["collected"] == len(mail) and digests(in_maildir(p, other)) == digests(mail)
        assert done.summary()["box"]["failed"] > 0 and left(origin)
        assert not digests(mail) - digests(left(origin)) - digests(in_maildir(p))
        assert not os.path.exists(os.path.join(p.maildir, "tmp")) or len(os.listdir(os.path.join(p.maildir, "tmp"))) <= 1
        resize("8m")
        done = p.good("collect", "box")
        assert left(origin) == [] and digests(in_maildir(p)) == digests(mail), done
        if both_targets:
            assert digests(in_maildir(p, second)) == digests(mail)


@both
def test_a_file_that_may_not_grow(p, protocol):
    """A limit on files (RLIMIT_FSIZE) as a full disk: EFBIG, and no SIGXFSZ that ends us."""
    huge = HEAD + b"\r\n" + (b"x" * 98 + b"\r\n") * 60_000
    mail = surrounded(huge)
    with origin_of(protocol, mail) as origin:
        p.clear("box", origin, protocol=protocol, after="delete")
        p.good("check")
        limit = 4 << 20
        process = p.start("collect", "box", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        done = p.finish(process)
        assert done.code == 1 and FULL.search(done.err), done
        assert left(origin) == [huge] and digests(in_maildir(p)) == digests(mail) - digests([huge])
        p.good("collect", "box")
        assert left(origin) == [] and digests(in_maildir(p)) == digests(mail)


# ---- the service, with a disk that fills up and is emptied

@root
@kept
def test_the_service_outlives_a_full_disk(home, authority, kind):
    """`run` goes on, names the connection in `status`, and delivers when there is room; the other one flows."""
    mail = surrounded(POISON["NULs"], 40)
    with Server(home, authority) as s:
        where = s.p.state if kind == "mailbox" else s.p.maildir
        other = os.path.join(home, "other")
        with disk(where, "4m" if kind == "mailbox" else "64k") as resize, origin_of("pop3", []) as origin, origin_of("pop3", mail) as well:
            s.account("anna", [])
            deliver = ["mailbox:anna/INBOX"] if kind == "mailbox" else ["maildir:" + s.p.maildir]
            keys = {"after": "delete", "active": "always", "interval": "1s", "delay_failed_host": "1s"}
            s.p.clear("box", origin, deliver=deliver, **keys)
            if kind == "maildir":
                s.p.clear("well", well, deliver=["maildir:" + other], **keys)
            s.start()
            until(lambda: row(s.p)["last_success"], lambda: s.log())
            if kind == "mailbox":
                fill(where)
            origin.drop.messages = origin_of("pop3", mail).drop.messages
            bad = until(lambda: (r := row(s.p))["error_kind"] == "local" and r, lambda: f"{row(s.p)}\n{s.log()}")
            assert FULL.search(bad["error"]), bad
            if kind == "maildir":
                until(lambda: not left(well), "the other connection")
                assert digests(in_maildir(s.p, other)) == digests(mail)
            assert s.alive()
            resize("64m")
            until(lambda: not left(origin), lambda: f"all delivered: {row(s.p)}\n{s.log()[-2000:]}")
            until(lambda: row(s.p)["error_kind"] == "none", lambda: s.log())
            assert row(s.p)["failures"] == 0
            s.stop()
            arrived = s.octets() if kind == "mailbox" else in_maildir(s.p)
            assert digests(arrived) == digests(mail)


# ---- targets that refuse, defer, hang

BAD = "^Subject: number 7,"


def held(p):
    return p.good("held", "list", "--json").rows()


def named(p, why, **want):
    """`status` names the connection, how many of its messages do not go on, and why."""
    (told,) = p.good("status", "--json").rows()[0]["held_connections"]
    assert told["connection"] == "box" and {k: told[k] for k in want} == want and why in told["why"], told
    text = p.good("status").out
    assert re.search(rf"^box .*so it was told: {why}", text, re.M), text


def ordinary(count):
    return [corpus.normal(m) for m in corpus.small(count)]


def service(s, origin, target, **keys):
    s.p.clear("box", origin, **{"after": "delete", "active": "always", "interval": "1s", "deliver": target.deliver(), **keys})
    s.start()


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("other", [])
        yield server


@handed
def test_one_message_is_refused_for_ever(s, kind):
    """The others flow; it is quarantined under a name that says why, and nobody is asked again; released, it arrives once."""
    mail = ordinary(20)
    bad = [m for m in mail if re.search(BAD.encode(), m, re.M)]
    with origin_of("pop3", mail) as origin, TARGETS[kind](s.p) as target:
        target.says("refuse", BAD)
        service(s, origin, target)
        until(lambda: not left(origin), lambda: s.log())        # quarantine counts as accepted
        assert digests(target.arrived()) == digests(map(target.wanted, mail)) - digests(map(target.wanted, bad))
        (one,) = held(s.p)
        assert one["connection"] == "box" and one["state"] == "quarantined" and "so it was told: 100" in one["why"], one
        assert "so it was told: 100" in s.p.good("history", "box").out
        named(s.p, "100", quarantined=1)
        visits = len(origin.verbs("QUIT"))
        until(lambda: len(origin.verbs("QUIT")) >= visits + 2, "two more visits")
        assert len(held(s.p)) == 1 and held(s.p)[0]["attempts"] == one["attempts"]
        target.says("refuse", "")
        s.p.good("held", "release", one["id"])
        until(lambda: not held(s.p), lambda: s.log())
        s.stop()
        assert digests(target.arrived()) == digests(map(target.wanted, mail))


@handed
@both
def test_one_message_is_deferred(s, protocol, kind):
    """It is held, its copy at the server stays, and the others flow; when it is taken it is there once, and gone at the server."""
    mail = ordinary(20)
    bad = [m for m in mail if re.search(BAD.encode(), m, re.M)]
    with origin_of(protocol, mail) as origin, TARGETS[kind](s.p) as target:
        target.says("wait", BAD)
        service(s, origin, target, protocol=protocol)
        until(lambda: left(origin) == bad, lambda: s.log())
        assert digests(target.arrived()) == digests(map(target.wanted, mail)) - digests(map(target.wanted, bad))
        (one,) = held(s.p)
        assert one["connection"] == "box" and one["state"] == "waiting" and "so it was told: 75" in one["why"], one
        named(s.p, "75", held=1)
        target.says("wait", "")
        s.p.good("held", "retry", one["id"])
        until(lambda: not left(origin) and not held(s.p), lambda: s.log())
        s.stop()
        assert digests(target.arrived()) == digests(map(target.wanted, mail))


@both
@pytest.mark.parametrize("pattern", [BAD, "^Subject:"], ids=["one message", "every message"])
def test_a_program_that_hangs(p, home, protocol, pattern):
    """It is killed at its time-out: what it did not take is held, the other target and the other connection have theirs."""
    mail, other = ordinary(20), os.path.join(home, "other")
    bad = [m for m in mail if re.search(pattern.encode(), m, re.M)]
    with origin_of(protocol, mail) as origin, origin_of(protocol, mail) as well, CommandTarget(p) as target:
        target.says("hang", pattern)
        p.clear("box", origin, protocol=protocol, after="delete", deliver=[*target.deliver(), "maildir:" + p.maildir])
        p.clear("well", well, protocol=protocol, after="delete", deliver=["maildir:" + other])
        done = p("collect")
        assert done.summary()["box"] == {"collected": 20 - len(bad), "held": len(bad), "skipped": 0, "failed": 0}, done
        assert done.summary()["well"]["collected"] == 20 and left(well) == []
        assert digests(in_maildir(p, other)) == digests(in_maildir(p)) == digests(mail)
        assert digests(left(origin)) == digests(bad) and digests(target.arrived()) == digests(mail) - digests(bad)
        assert len(held(p)) == len(bad)
        target.says("hang", "")
        p.good("held", "retry")
        for _ in range(2):              # the copies at the server go when a listing shows that they are there
            p.good("collect", "box")
        assert left(origin) == [] and held(p) == []
        assert digests(target.arrived()) == digests(in_maildir(p)) == digests(mail)


@pytest.mark.parametrize("kind, when", [("smtp", "greeting"), ("lmtp", "EHLO"), ("smtp", "message")])
def test_a_server_that_says_nothing(s, home, kind, when):
    """RFC 5321 lets it take minutes: the other connections flow, the end of the service does not wait for it, and afterwards
    each message is there once."""
    mail, other = ordinary(10), os.path.join(home, "other")
    with origin_of("pop3", mail) as origin, origin_of("pop3", mail) as well, TARGETS[kind](s.p) as target:
        hello = "LHLO *" if kind == "lmtp" else "EHLO *"
        if when == "message":
            target.says("hang", "^Subject:")
        else:
            target.sink.script = Script(parse_script([f"> {hello if when == 'EHLO' else when}", "! hang"]))
        s.p.clear("well", well, after="delete", active="always", interval="1s", deliver=["maildir:" + other])
        service(s, origin, target)
        until(lambda: target.sink.met and fetched(origin) == 10, lambda: s.log())
        until(lambda: not left(well), "the other connection")
        visits = len(well.verbs("QUIT"))
        until(lambda: len(well.verbs("QUIT")) > visits + 1, "and again")
        if when == "message":
            began = time.monotonic()
            s.stop()
            assert time.monotonic() - began < 40
        else:
            s.kill()
        assert len(left(origin)) == 10 and target.arrived() == []
        target.sink.script = None
        target.says("hang", "")
        s.start()
        until(lambda: not left(origin), lambda: s.log())
        s.stop()
        assert digests(target.arrived()) == digests(in_maildir(s.p, other)) == digests(mail)


def fetched(origin):
    return len(origin.verbs("RETR")) + len([x for x in origin.said if "BODY.PEEK[]" in x])


@handed
@both
def test_held_max(p, protocol, kind):
    """Above it the visit stops fetching, and says so: nothing is lost, the rest stays where it is; then each arrives once."""
    mail = ordinary(300)
    with origin_of(protocol, mail) as origin, TARGETS[kind](p) as target:
        target.says("wait", "^Subject:")
        p.clear("box", origin, protocol=protocol, after="delete", deliver=target.deliver(), held_max="40KB", max_messages=None)
        done = p("collect", "box")
        got = done.summary()["box"]
        assert done.code == 1 and "held_max" in done.err, done
        assert got["held"] == len(held(p)) > 5 and sum(h["octets"] for h in held(p)) <= 40 << 10, got
        assert len(left(origin)) == 300 and target.arrived() == []
        again = p("collect", "box")
        assert again.code == 1 and "held_max" in again.err and len(held(p)) == got["held"], again
        target.says("wait", "")
        p.good("held", "retry")
        for _ in range(3):
            p("collect", "box")
        assert left(origin) == [] and held(p) == []
        assert digests(target.arrived()) == digests(map(target.wanted, mail))
