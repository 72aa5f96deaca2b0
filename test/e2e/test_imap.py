# SPDX-License-Identifier: Apache-2.0
"""Mail out of a real Dovecot by IMAP, octet for octet, and what another client sees afterwards.

POSTRIDER_CORPUS   messages of the large test (300; the full run takes 5000)
"""
import json
import os
import re
import time
from urllib.parse import quote

import pytest

import corpus
from dovecot import Dovecot, shown
from imap_helpers import keys, same, visit
from imap_store import crlf

COUNT = int(os.environ.get("POSTRIDER_CORPUS", "300"))


@pytest.fixture(scope="module")
def mail():
    return corpus.messages(COUNT)


@pytest.fixture(scope="module")
def full(dovecot, mail):
    """A user with the whole corpus, which nobody deletes."""
    return dovecot.fresh(mail)


@pytest.mark.parametrize("mode", ["implicit", "explicit"])
@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
def test_every_octet_arrives_and_nothing_comes_twice(p, dovecot, full, authority, mail, mode, kind):
    p.account()
    p.connection("box", **keys(dovecot, authority, full, mode), after="keep",
                 deliver=["mailbox:anna/INBOX" if kind == "mailbox" else "maildir:" + p.maildir])
    visit(p, collected=COUNT, failed=0)
    arrived = p.in_mailbox() if kind == "mailbox" else p.in_maildir()
    assert same(arrived, mail)      # in no order: Dovecot answers pipelined FETCHes out of turn when its output is full
    visit(p, collected=0)
    assert len(p.in_mailbox() if kind == "mailbox" else p.in_maildir()) == COUNT
    with dovecot.client(full) as c:
        assert list(c.flags().values()) == [set()] * COUNT, "keep leaves no trace, not even \\Seen"


@pytest.mark.parametrize("mode", ["implicit", "explicit"])
def test_compressed(p, authority, mail, mode):
    with Dovecot(authority, compress=True) as d:
        user = d.fresh(mail)
        for compress in (True, False):
            p.connection("box", **keys(d, authority, user, mode), after="keep", compress=compress, trace="protocol")
            done = p.good("collect", "box", "-v")
            assert ("compression" in done.err) is compress, done
            assert same(p.in_maildir(), mail)


@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
def test_each_odd_message_alone(p, authority, dovecot, kind):
    """One message a mailbox: what follows a message must not be what saves it."""
    p.account()
    for number, (name, octets) in enumerate({**corpus.odd(), **corpus.rough()}.items()):
        box, path = f"anna/box{number}", f"{p.maildir}{number}"
        user = dovecot.fresh([octets])
        p.connection("box", **keys(dovecot, authority, user), after="delete",
                     deliver=["mailbox:" + box if kind == "mailbox" else "maildir:" + path])
        p.good("collect", "box")
        assert same(p.in_mailbox(box) if kind == "mailbox" else p.in_maildir(path), [octets]), name
        assert dovecot.left(user) == [], name


@pytest.mark.parametrize("after, left, flags", [("delete", 0, None), ("keep", 40, set()), ("seen", 40, {"\\Seen"}), (None, 40, set())])
def test_what_another_client_sees_afterwards(p, authority, dovecot, after, left, flags):
    mail = corpus.small(40)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after=after)
    visit(p, collected=40)
    assert same(p.in_maildir(), mail)
    for _ in range(2):
        with dovecot.client(user) as c:
            assert list(c.flags().values()) == [flags] * left
        visit(p, collected=0)
    assert same(p.in_maildir(), mail)


def test_flags_of_others_are_not_touched(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(3))
    with dovecot.client(user) as c:
        c.store([2], "+FLAGS", "(\\Flagged $Work)")
    p.connection("box", **keys(dovecot, authority, user), after="seen")
    visit(p, collected=3)
    with dovecot.client(user) as c:
        assert c.flags() == {1: {"\\Seen"}, 2: {"\\Seen", "\\Flagged", "$Work"}, 3: {"\\Seen"}}


def test_what_another_client_marked_deleted_stays(p, authority, dovecot):
    """UIDPLUS: only what we collected is expunged."""
    user = dovecot.fresh(corpus.small(4))
    p.connection("box", **keys(dovecot, authority, user), after="delete", max_messages=2)
    with dovecot.client(user) as c:
        c.store([4], "+FLAGS", "(\\Deleted)")
    visit(p, collected=2)
    with dovecot.client(user) as c:
        assert c.flags() == {3: set(), 4: {"\\Deleted"}}


@pytest.mark.parametrize("folder", ["Archive", "Archiv/2024", "Erledigt/Größe & Maß"])
@pytest.mark.parametrize("there", [True, False])
def test_move(p, authority, dovecot, folder, there):
    mail = corpus.small(30)
    user = dovecot.fresh(mail)
    if there:
        with dovecot.client(user) as c:
            c.create(folder)
        dovecot.fill(user, corpus.small(2, seed=3), folder)
    p.connection("box", **keys(dovecot, authority, user), after="move:" + folder)
    visit(p, collected=30)
    visit(p, collected=0)
    with dovecot.client(user) as c:
        assert c.octets() == []
        assert same(c.octets(folder), mail + (corpus.small(2, seed=3) if there else []))
    assert same(p.in_maildir(), mail)


def test_move_into_the_mailbox_itself_is_refused_or_does_nothing(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", **keys(dovecot, authority, user), after="move:INBOX")
    for _ in range(2):
        p("collect", "box")
    with dovecot.client(user) as c:
        assert len(c.octets()) == 2
    assert len(p.in_maildir()) in (0, 2)


def test_delete_after_waits_and_then_deletes(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(5))
    p.connection("box", **keys(dovecot, authority, user), after="keep", delete_after="3s")
    visit(p, collected=5)
    visit(p, collected=0)
    assert len(dovecot.left(user)) == 5, "too early"
    time.sleep(3.2)
    dovecot.fill(user, corpus.small(1, seed=12))
    visit(p, collected=1)
    assert [shown(m) for m in dovecot.left(user)] == [shown(corpus.small(1, seed=12)[0])]
    assert len(p.in_maildir()) == 6


def test_both_targets_must_have_it(p, authority, dovecot):
    p.account()
    mail = corpus.messages(40)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="delete", deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir])
    visit(p, collected=40)
    assert same(p.in_maildir(), mail) and same(p.in_mailbox(), mail)
    assert dovecot.left(user) == []


def test_a_target_that_cannot_take_it_keeps_it_on_the_server(p, authority, dovecot):
    p.account()
    user = dovecot.fresh(corpus.small(5))
    blocked = os.path.join(p.home, "file")
    with open(blocked, "w", encoding="ascii") as f:
        f.write("not a directory")
    p.connection("box", **keys(dovecot, authority, user), after="delete", deliver=["mailbox:anna/INBOX", f"maildir:{blocked}/Maildir"])
    done = p("collect", "box")
    assert done.code in (1, 2) and blocked in done.text, done
    assert len(dovecot.left(user)) == 5
    p.connection("box", **keys(dovecot, authority, user), after="delete", deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir])
    p.good("collect", "box")
    assert len(p.in_maildir()) == len(p.in_mailbox()) == 5 and dovecot.left(user) == []


def test_an_empty_mailbox(p, authority, dovecot):
    user = dovecot.fresh()
    p.connection("box", **keys(dovecot, authority, user), after="delete")
    visit(p, collected=0, failed=0)


def test_new_mail_between_visits(p, authority, dovecot):
    mail, user = corpus.small(30), dovecot.fresh()
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    for start in (0, 10, 20):
        dovecot.fill(user, mail[start:start + 10])
        visit(p, collected=10)
    assert same(p.in_maildir(), mail)


def test_mail_that_others_delete_between_visits(p, authority, dovecot):
    mail = corpus.small(12)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    visit(p, collected=12)
    with dovecot.client(user) as c:
        c.expunge([1, 5, 12])
    dovecot.fill(user, corpus.small(1, seed=40))
    visit(p, collected=1)
    visit(p, collected=0)
    states = [r["state"] for r in p.good("history", "box", "--json").rows()]
    assert states.count("gone") == 3 and states.count("accepted") == 10


def test_wrong_password(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(2))
    p.secrets.add("falsch-9Xk")
    p.connection("box", **keys(dovecot, authority, user), password="falsch-9Xk")
    done = p("collect", "box", limit=30)
    assert done.code == 1 and re.search("password|credential|refused|login|authentic", done.text, re.I), done
    assert len(dovecot.left(user)) == 2 and p.in_maildir() == []


@pytest.mark.parametrize("auth", ["plain", "login", "user", "cram-md5", "scram-sha-1", "scram-sha-256"])
def test_login_mechanisms(p, authority, dovecot, auth):
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", **keys(dovecot, authority, user), auth=[auth], trace="wire")
    p.good("collect", "box", "-v", "-v")
    assert len(p.in_maildir()) == 2


@pytest.mark.parametrize("scheme, path, want", [("imaps", "", 3), ("imaps", "/INBOX", 3), ("imap", "/lists/a", 2), ("imaps", "/" + quote("lists/größe"), 1)])
def test_by_url_without_any_configuration(p, authority, dovecot, scheme, path, want):
    user = dovecot.fresh(corpus.small(3))
    dovecot.fill(user, corpus.small(2, seed=21), "lists/a")
    dovecot.fill(user, corpus.small(1, seed=22), "lists/größe")
    secret = os.path.join(p.home, "password")
    with open(secret, "w", encoding="ascii") as f:
        f.write(dovecot.password + "\n")
    os.chmod(secret, 0o600)
    args = [f"{scheme}://{user}@localhost:{dovecot.imaps if scheme == 'imaps' else dovecot.imap}{path}", "--to", "maildir:" + p.maildir,
            "--password-file", secret, "--tls.ca_certificates", authority.ca] + (["--tls.mode", "explicit"] if scheme == "imap" else [])
    for more in ([], ["--max_messages", "9"]):
        p.good("collect", *args, *more)
        assert len(p.in_maildir()) == want, "kept unless told so, and known the next time"
    p.good("collect", *args, "--after", "delete")
    assert len(p.in_maildir()) == want
    assert [len(dovecot.left(user, f)) for f in ("INBOX", "lists/a", "lists/größe")] == [n - (want if n == want else 0) for n in (3, 2, 1)]


def test_by_url_with_keys_of_the_command_line(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(3))
    dovecot.fill(user, corpus.small(2, seed=21), "lists/a")
    p.good("collect", f"imaps://{user}@localhost:{dovecot.imaps}", "--to", "maildir:" + p.maildir, "--mailbox", "lists/%", "--pull", "unread",
           "--after", "move:Done", "--password-command", f"printf %s {dovecot.password}", "--tls.ca_certificates", authority.ca)
    assert len(p.in_maildir()) == len(dovecot.left(user, "Done")) == 2 and len(dovecot.left(user)) == 3


def test_baseline_skips_what_is_there(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(6))
    p.connection("box", **keys(dovecot, authority, user), after="delete")
    p.good("baseline", "box")
    visit(p, collected=0)
    dovecot.fill(user, corpus.small(1, seed=60))
    visit(p, collected=1)
    assert len(dovecot.left(user)) == 6 and same(p.in_maildir(), corpus.small(1, seed=60))


def test_rescan_forgets(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(4))
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    visit(p, collected=4)
    p.good("rescan", "box")
    visit(p, collected=4)
    assert len(p.in_maildir()) == 8


def test_history_names_validity_and_uid(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(3))
    dovecot.fill(user, corpus.small(2, seed=5), "lists/a")
    with dovecot.client(user) as c:
        want = [f"{c.validity('INBOX')}/{n}" for n in (1, 2, 3)] + [f"{c.validity('lists/a')}/{n}" for n in (1, 2)]
    p.connection("box", **keys(dovecot, authority, user), after="keep", mailbox=["INBOX", "lists/a"])
    visit(p, collected=5)
    rows = [json.loads(line) for line in p.good("history", "box", "--json").out.splitlines()]
    assert sorted(r["uid"] for r in rows) == sorted(want) and {r["state"] for r in rows} == {"accepted"}


def test_a_visit_that_is_stopped_loses_nothing(p, authority, dovecot):
    mail = corpus.messages(COUNT)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="delete")
    process = p.start("collect", "box")
    end = time.monotonic() + 20
    while time.monotonic() < end and not p.in_maildir() and process.poll() is None:
        time.sleep(0.005)
    process.terminate()
    process.communicate(timeout=30)
    p.good("collect", "box")
    assert same(p.in_maildir(), mail) and dovecot.left(user) == []


def test_the_corpus_is_what_we_think():
    """The comparison of this file can fail."""
    assert not same([b"a\n"], [b"b\n"]) and not same([b"a\n"] * 2, [b"a\n"]) and not same([b"a"], [b"a\n"]) and same([b"a\r\n"], [b"a\n"])
    assert crlf(b"a\nb") == b"a\r\nb"
