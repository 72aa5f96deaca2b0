# SPDX-License-Identifier: Apache-2.0
"""Messages that are deleted at the server one by one, beside mail that stays, is marked or moved, at a real Dovecot."""
import os

import pytest

import corpus
from dovecot import shown
from imap_helpers import keys, same, visit
from imap_store import ALL_MAIL, TRASH, crlf
from imapd import CAPS, Imapd, Mailstore
from pop3d import Maildrop, Pop3d
from removals import remove, remove_unseen

COUNT = 12
GOES = (2, 5, 6, 11)
STAYS = [n for n in range(1, COUNT + 1) if n not in GOES]


def states(p):
    """UID → state, of all that the ledger has."""
    return {int(r["uid"].split("/")[-1]): r["state"] for r in p.good("history", "--json").rows() if r["uid"]}


def in_order(mail, uids):
    return [mail[n - 1] for n in uids]


@pytest.mark.parametrize("when", ["known", "arriving"])
@pytest.mark.parametrize("after", ["keep", "seen", "move:Done", "delete"])
def test_imap(p, authority, dovecot, after, when):
    mail = corpus.small(COUNT, seed=61)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="keep" if when == "known" else after)
    if when == "known":             # then they are in the ledger, whatever `after` is tomorrow
        visit(p, collected=COUNT)
        remove(p, *GOES)
        p.connection("box", **keys(dovecot, authority, user), after=after)
        visit(p, collected=0)
    else:
        p.account()                 # makes the store
        with dovecot.client(user) as c:
            validity = c.validity()
        remove_unseen(p, validity, *GOES, user=user)
        visit(p, collected=COUNT, failed=0)
    assert same(p.in_maildir(), mail)
    left = [] if after in ("move:Done", "delete") else STAYS
    with dovecot.client(user) as c:
        assert c.flags() == {n: {"\\Seen"} if after == "seen" else set() for n in left}
        assert same(c.octets(), in_order(mail, left))
        if after == "move:Done":
            assert same(c.octets("Done"), in_order(mail, STAYS))
    for _ in range(2):
        visit(p, collected=0)
    found = states(p)
    assert {found[n] for n in GOES} == {"gone"}, found
    assert same(p.in_maildir(), mail)


@pytest.mark.parametrize("after", ["keep", "delete"])
def test_pop3(p, authority, dovecot, after):
    mail = corpus.small(COUNT, seed=62)
    user = dovecot.fresh(mail)
    p.connection("box", port=dovecot.pop3s, user=user, tls__mode="implicit", tls__ca_certificates=authority.ca, after="keep")
    p.good("collect", "box")
    uids = sorted(r["uid"] for r in p.good("history", "--json").rows())     # Dovecot's: UID and UIDVALIDITY, in hexadecimal
    remove(p, *(uids[n - 1] for n in GOES))
    p.connection("box", port=dovecot.pop3s, user=user, tls__mode="implicit", tls__ca_certificates=authority.ca, after=after)
    for _ in range(3):
        done = p.good("collect", "box")
        assert done.summary()["box"]["collected"] == 0, done
    left = [] if after == "delete" else STAYS
    assert same([shown(m) for m in dovecot.left(user)], in_order(mail, left))
    assert same(p.in_maildir(), mail)


def test_what_another_client_marked_deleted_stays(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(4, seed=63))
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    visit(p, collected=4)
    with dovecot.client(user) as c:
        c.store([4], "+FLAGS", "(\\Deleted)")
    remove(p, 2)
    visit(p, collected=0)
    with dovecot.client(user) as c:
        assert c.flags() == {1: set(), 3: set(), 4: {"\\Deleted"}}


def test_under_a_new_uidvalidity(p, authority, dovecot):
    """Told by its content, under another id: nothing comes twice, and it goes."""
    mail = corpus.small(COUNT, seed=64)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    visit(p, collected=COUNT)
    remove(p, *GOES)
    dovecot.recreate(user)
    visit(p, collected=0)
    visit(p, collected=0)
    assert same(dovecot.left(user), in_order(mail, STAYS))
    assert same(p.in_maildir(), mail)


def test_settings_alone_open_the_mailbox_for_writing(p, authority):
    """on_refused = delete may want it at any moment of the visit; without such a key a mailbox that keeps all is only examined."""
    for more, verb in (({}, "EXAMINE"), ({"on_refused": "delete"}, "SELECT"), ({"envelope": None}, "EXAMINE"),
                       ({"envelope__recipients": ["a@b.example"], "envelope__no_recipient": "delete"}, "SELECT")):
        with Imapd(Mailstore(corpus.small(2))) as origin:
            p.clear("box", origin, protocol="imap", after="keep", **more)
            p.good("collect", "box")
            assert origin.verbs(verb) and not origin.verbs({"SELECT": "EXAMINE", "EXAMINE": "SELECT"}[verb]), (more, origin.said)
            assert not origin.verbs("UID STORE")


@pytest.mark.parametrize("after", ["keep", "move:Done"])
def test_gmail_puts_it_into_its_trash(p, after):
    """There \\Deleted and EXPUNGE would only take the label away."""
    mail = corpus.small(5, seed=65)
    gmail = Mailstore(mail, gmail=True)
    gmail.create("work")
    gmail.put("work", gmail.box("INBOX").entries[1].message)
    with Imapd(gmail, caps=CAPS + ["X-GM-EXT-1"]) as origin:
        p.clear("box", origin, protocol="imap", mailbox=["INBOX", "work"], after="keep")
        visit(p, collected=5)
        remove(p, 2, 4)
        p.clear("box", origin, protocol="imap", mailbox=["INBOX", "work"], after=after)
        for _ in range(3):
            visit(p, collected=0)
    gone = sorted(crlf(m) for m in in_order(mail, (2, 4)))
    kept = sorted(crlf(m) for m in in_order(mail, (1, 3, 5)))
    assert sorted(gmail.octets(TRASH)) == gone
    assert sorted(gmail.octets("INBOX")) == (kept if after == "keep" else [])
    assert gmail.octets("work") == []
    assert sorted(gmail.octets("Done") if after != "keep" else gmail.octets(ALL_MAIL)) == kept
    assert same(p.in_maildir(), mail)


def test_gmail_what_is_in_the_trash_stays_there(p):
    """Collected by a pattern, too: deleted there it would be gone for good."""
    mail = corpus.small(3, seed=66)
    with Imapd(Mailstore(mail, gmail=True), caps=CAPS + ["X-GM-EXT-1"]) as origin:
        p.clear("box", origin, protocol="imap", mailbox=["INBOX", "[Gmail]/*"], after="keep")
        visit(p, collected=3)
        remove(p, 2, 2)     # in INBOX and in All Mail
        for _ in range(3):
            visit(p, collected=0)
        assert origin.store.octets(TRASH) == [crlf(mail[1])]
    assert same(p.in_maildir(), mail)


# ---- by what a target says

POISON = b"Subject: poison\n\nno\n"


def judge(p):
    """A program that does with poison what the file `verdict` says, and takes everything else."""
    path = p.home + "/judge"
    with open(path, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\ngrep -q '^Subject: poison' || exit 0\nexit $(cat {p.home}/verdict)\n")
    os.chmod(path, 0o755)
    return path


def verdict(p, code):
    with open(p.home + "/verdict", "w", encoding="ascii") as f:
        f.write(f"{code}\n")


@pytest.mark.parametrize("first", [100, 75])
@pytest.mark.parametrize("protocol, after", [("imap", "keep"), ("imap", "seen"), ("imap", "delete"), ("pop3", "keep"), ("pop3", "delete")])
def test_on_refused_delete(p, protocol, after, first):
    """At once, or when the held copy is tried again: the message goes, and the others are as `after` says."""
    mail = [*corpus.small(2, seed=67), POISON, *corpus.small(2, seed=68)]
    with Imapd(Mailstore(mail)) if protocol == "imap" else Pop3d(Maildrop(mail)) as origin:
        keys = {"protocol": protocol, "after": after, "on_refused": "delete", "deliver": ["maildir:" + p.maildir, "command:" + judge(p)]}
        verdict(p, first)
        p.clear("box", origin, **keys)
        p("collect", "box")
        there = origin.store.octets if protocol == "imap" else origin.drop.octets
        if first == 75:             # held: it stays at the server, whatever becomes of the others
            assert crlf(POISON) in there()
            verdict(p, 100)
            assert p.good("held", "retry").code == 0
            for _ in range(2):
                assert "could not be deleted" not in p("collect", "box").text, "asked twice"
        assert sorted(there()) == ([] if after == "delete" else sorted(crlf(m) for m in mail if m != POISON))
        if protocol == "imap":
            assert len(origin.store.seen()) == (4 if after == "seen" else 0)
        p.good("collect", "box")
        assert crlf(POISON) not in there()
    assert same(p.in_maildir(), mail)
    assert p.good("held", "list", "--json").rows() == []
