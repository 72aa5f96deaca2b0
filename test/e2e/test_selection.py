# SPDX-License-Identifier: Apache-2.0
"""Which messages a visit takes: pull, newer_than, max_size, max_messages, use_top, delete_after."""
import re
import time
from email.utils import formatdate

import pytest

import corpus
from pop3d import CAPA, Maildrop, Pop3d


def numbers(messages):
    """The subjects' numbers of corpus.small, in the order given."""
    return [int(re.search(rb"^Subject: number (\d+)", m, re.M)[1]) for m in messages]


@pytest.fixture
def origin():
    with Pop3d(Maildrop(corpus.small(6))) as o:
        yield o


def visit(p, **want):
    done = p.good("collect", "box")
    got = done.summary()["box"]
    assert {k: got[k] for k in want} == want, done
    return done


def test_pull_first_takes_the_oldest_that_is_new_one_a_visit(p, origin):
    p.clear("box", origin, pull="first", after="keep")
    for n in range(3):
        visit(p, collected=1)
        assert sorted(numbers(p.in_maildir())) == list(range(n + 1))


def test_pull_last_takes_the_newest(p, origin):
    p.clear("box", origin, pull="last", after="keep")
    visit(p, collected=1)
    assert numbers(p.in_maildir()) == [5]


def test_pull_last_unread_goes_down(p, origin):
    p.clear("box", origin, pull="last-unread", after="keep")
    for n in (5, 4, 3):
        visit(p, collected=1)
        assert n in numbers(p.in_maildir())


def test_pull_first_with_delete(p, origin):
    p.clear("box", origin, pull="first", after="delete")
    for left in (5, 4):
        visit(p, collected=1)
        assert len(origin.drop.octets()) == left
    assert sorted(numbers(p.in_maildir())) == [0, 1]


def test_pull_unread_on_pop3_is_what_the_ledger_does_not_know(p, origin):
    p.clear("box", origin, pull="unread", after="keep")
    visit(p, collected=6)
    visit(p, collected=0)


def test_max_messages_is_a_limit_a_visit_and_no_error(p, origin):
    p.clear("box", origin, max_messages=4, after="keep")
    visit(p, collected=4)
    assert sorted(numbers(p.in_maildir())) == [0, 1, 2, 3]
    visit(p, collected=2)
    visit(p, collected=0)


def test_max_messages_does_not_stall_with_delete(p, origin):
    p.clear("box", origin, max_messages=5, after="delete")
    visit(p, collected=5)
    visit(p, collected=1)
    assert origin.drop.octets() == []


def test_max_size_leaves_the_large_on_the_server(p):
    drop = Maildrop(corpus.small(3) + [corpus.odd()["a megabyte in one line"]])
    with Pop3d(drop) as origin:
        p.clear("box", origin, max_size="100KB", after="delete")
        visit(p, collected=3)
        assert len(drop.octets()) == 1 and len(p.in_maildir()) == 3
        visit(p, collected=0)
        assert "RETR 1" not in origin.said[-6:]
        p.clear("box", origin, after="delete")
        visit(p, collected=1)
        assert drop.octets() == []


def test_newer_than_looks_at_the_date(p):
    old, new = formatdate(time.time() - 30 * 86400), formatdate(time.time() - 3600)
    dated = [f"From: a@example.org\nDate: {d}\nSubject: number {n}, x\n\nbody {n}\n".encode()
             for n, d in enumerate([old, new, old, new])]
    with Pop3d(Maildrop(dated)) as origin:
        p.clear("box", origin, newer_than="7d", after="delete")
        visit(p, collected=2)
        assert sorted(numbers(p.in_maildir())) == [1, 3]
        assert len(origin.drop.octets()) == 2


def test_newer_than_without_a_date_takes_it(p):
    """No date, or one nobody can read: never a reason to leave mail behind."""
    odd = [b"Subject: number 0, x\n\nno date\n", b"Date: next Tuesday, perhaps\nSubject: number 1, x\n\nodd date\n"]
    with Pop3d(Maildrop(odd)) as origin:
        p.clear("box", origin, newer_than="7d", after="keep")
        visit(p, collected=2)


def test_use_top_fetches_whole_messages_without_retr(p):
    mail = corpus.messages(30)
    with Pop3d(Maildrop(mail)) as origin:
        p.clear("box", origin, use_top=True, after="keep")
        visit(p, collected=30)
        assert not origin.verbs("RETR") and len(origin.verbs("TOP")) >= 30
        assert sorted(corpus.digest(m) for m in p.in_maildir()) == sorted(corpus.digest(m) for m in mail)


def test_use_top_without_top_is_an_error(p):
    with Pop3d(Maildrop(corpus.small(2)), capa=[c for c in CAPA if c != "TOP"]) as origin:
        p.clear("box", origin, use_top=True)
        done = p("collect", "box")
        assert done.code == 1 and "TOP" in done.text, done
        assert len(origin.drop.octets()) == 2 and not origin.verbs("DELE")


def test_delete_after_waits_and_then_deletes(p, origin):
    p.clear("box", origin, after="keep", delete_after="3s")
    visit(p, collected=6)
    assert len(origin.drop.octets()) == 6
    visit(p, collected=0)
    assert len(origin.drop.octets()) == 6, "too early"
    time.sleep(3.2)
    visit(p, collected=0)
    assert origin.drop.octets() == [] and len(p.in_maildir()) == 6


def test_delete_after_never_touches_what_was_skipped(p, origin):
    p.clear("box", origin, after="keep", delete_after="1s")
    p.good("baseline", "box")
    origin.drop.add(corpus.small(1, seed=99)[0])
    visit(p, collected=1)
    time.sleep(1.2)
    visit(p, collected=0)
    assert len(origin.drop.octets()) == 6 and len(p.in_maildir()) == 1


def test_seen_on_pop3_is_keep(p, origin):
    p.clear("box", origin, after="seen")
    visit(p, collected=6)
    visit(p, collected=0)
    assert len(origin.drop.octets()) == 6


def test_move_on_pop3_is_an_error_of_configuration(p, origin):
    p.clear("box", origin, after="move:Archive")
    done = p("collect", "box")
    assert done.code == 2 and re.search(r"postrider\.conf:\d+", done.err), done
