# SPDX-License-Identifier: Apache-2.0
"""Which messages a visit takes over IMAP: pull, search, newer_than, max_size, max_messages."""
import re
import time
from datetime import datetime, timezone
from email.utils import formatdate

import pytest

import corpus
from imap_helpers import keys, visit
from imapd import Imapd, Mailstore


def numbers(p):
    """The subjects' numbers of corpus.small, of all that arrived."""
    return sorted(int(re.search(rb"^Subject: number (\d+)", m, re.M)[1]) for m in p.in_maildir())


@pytest.fixture
def box(p, authority, dovecot):
    """Sets keys of a connection to a mailbox of six messages, of which 1, 2 and 5 (from 0) are \\Seen."""
    user = dovecot.fresh(corpus.small(6))
    with dovecot.client(user) as c:
        c.store([2, 3, 6], "+FLAGS", "(\\Seen)")

    def with_keys(**more):
        p.connection("box", **keys(dovecot, authority, user, **more))
    with_keys.user, with_keys.dovecot = user, dovecot
    return with_keys


@pytest.mark.parametrize("pull, visits", [
    ("all", [{0, 1, 2, 3, 4, 5}, set()]),
    ("unread", [{0, 3, 4}, set()]),
    ("first", [{0}, {1}, {2}]),
    ("last", [{5}]),
    ("first-unread", [{0}, {3}, {4}, set()]),
    ("last-unread", [{4}, {3}, {0}, set()]),
])
def test_pull(p, box, pull, visits):
    box(pull=pull, after="keep")
    have = set()
    for want in visits:
        have |= want
        visit(p, collected=len(want))
        assert numbers(p) == sorted(have)


def test_pull_unread_and_seen_afterwards(p, box):
    box(pull="unread", after="seen")
    visit(p, collected=3)
    visit(p, collected=0)
    with box.dovecot.client(box.user) as c:
        assert list(c.flags().values()) == [{"\\Seen"}] * 6
        c.store([2], "-FLAGS", "(\\Seen)")      # one that was never collected
    visit(p, collected=1)
    assert numbers(p) == [0, 1, 3, 4]


def test_pull_first_with_delete(p, box):
    box(pull="first", after="delete")
    for n in range(1, 4):
        visit(p, collected=1)
        assert len(box.dovecot.left(box.user)) == 6 - n
    assert numbers(p) == [0, 1, 2]


@pytest.mark.parametrize("search, want", [
    ("SEEN", [1, 2, 5]), ("UNSEEN", [0, 3, 4]), ('SUBJECT "number 3,"', [3]), ("OR UID 1 UID 4", [0, 3]), ("NOT SEEN NOT UID 1", [3, 4]),
    ("FROM nobody@nowhere", []),
])
def test_search(p, box, search, want):
    box(search=search, after="keep")
    visit(p, collected=len(want))
    assert numbers(p) == want
    visit(p, collected=0)


def test_search_leaves_the_rest_on_the_server(p, box):
    """What does not match is neither gone nor deleted, and comes when the search is lifted."""
    box(search="SEEN", after="delete")
    visit(p, collected=3)
    assert len(box.dovecot.left(box.user)) == 3
    visit(p, collected=0)
    box(after="delete")
    visit(p, collected=3)
    assert numbers(p) == [0, 1, 2, 3, 4, 5] and box.dovecot.left(box.user) == []


def test_search_that_stops_matching_forgets_nothing(p, box):
    """Collected as unread, read by a human, unread again: known all the time."""
    box(search="UNSEEN", after="keep")
    visit(p, collected=3)
    for how in ("+FLAGS", "-FLAGS"):
        with box.dovecot.client(box.user) as c:
            c.store([1, 4, 5], how, "(\\Seen)")
        visit(p, collected=0)
    assert numbers(p) == [0, 3, 4]


def test_search_that_the_server_does_not_understand(p, box):
    box(search="NONSENSE 7", after="delete")
    done = p("collect", "box")
    assert done.code == 1 and re.search("search", done.text, re.I), done
    assert len(box.dovecot.left(box.user)) == 6


@pytest.mark.parametrize("search", ["ALL\r\na UID STORE 1:* +FLAGS (\\Deleted)", "SUBJECT \"x", "UID {5}"])
def test_a_search_is_one_line_and_no_literal(p, box, search):
    box(search=search.replace("\r\n", "\\r\\n"), after="keep")
    done = p("collect", "box", limit=40)
    assert done.code in (0, 1, 2), done
    with box.dovecot.client(box.user) as c:
        assert all("\\Deleted" not in f for f in c.flags().values())


def test_max_messages_is_a_limit_a_visit_and_no_error(p, box):
    box(max_messages=4, after="keep")
    for want in (4, 2, 0):
        visit(p, collected=want)


def test_max_messages_does_not_stall_with_delete(p, box):
    box(max_messages=5, after="delete")
    visit(p, collected=5)
    visit(p, collected=1)
    assert box.dovecot.left(box.user) == []


def test_max_messages_over_several_folders(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(3))
    dovecot.fill(user, corpus.small(3, seed=2), "lists/a")
    p.connection("box", **keys(dovecot, authority, user), mailbox=["*"], max_messages=4, after="delete")
    for want in (4, 2, 0):
        visit(p, collected=want)


def test_max_size_leaves_the_large_on_the_server(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(3) + [corpus.odd()["a megabyte in one line"]])
    p.connection("box", **keys(dovecot, authority, user), max_size="100KB", after="delete")
    visit(p, collected=3)
    visit(p, collected=0)
    assert len(dovecot.left(user)) == 1 and len(p.in_maildir()) == 3
    p.connection("box", **keys(dovecot, authority, user), after="delete")
    visit(p, collected=1)
    assert dovecot.left(user) == []


def test_max_size_does_not_download_the_large(p):
    store = Mailstore(corpus.small(2) + [corpus.odd()["a megabyte in one line"]])
    bodies = []
    with Imapd(store, event=lambda w: bodies.append(w) if w.startswith("body ") else None) as origin:
        p.clear("box", origin, protocol="imap", max_size="100KB", after="keep")
        visit(p, collected=2)
    assert "body 3" not in bodies and "body 1" in bodies


def test_newer_than_looks_at_the_date(p):
    now = time.time()
    store = Mailstore()
    for n, when in enumerate((now - 30 * 86400, now - 3600, now - 8 * 86400, now - 6 * 86400)):
        store.add("INBOX", f"Date: {formatdate(when)}\nSubject: number {n}, x\n\nbody {n}\n".encode(), date=datetime.fromtimestamp(when, timezone.utc))
    with Imapd(store) as origin:
        p.clear("box", origin, protocol="imap", newer_than="7d", after="delete")
        visit(p, collected=2)
        visit(p, collected=0)
    assert numbers(p) == [1, 3] and len(store.octets()) == 2


def test_newer_than_without_a_date_takes_it(p):
    """No date, or one nobody can read: never a reason to leave mail behind."""
    store = Mailstore()
    for text in (b"Subject: number 0, x\n\nno date\n", b"Date: next Tuesday, perhaps\nSubject: number 1, x\n\nodd date\n"):
        store.add("INBOX", text, date=datetime.now(timezone.utc))
    with Imapd(store) as origin:
        p.clear("box", origin, protocol="imap", newer_than="7d", after="keep")
        visit(p, collected=2)


def test_selection_does_not_mark_anything(p, box):
    box(search="ALL", newer_than="3650d", max_size="1MB", after="keep")
    p.good("collect", "box")
    with box.dovecot.client(box.user) as c:
        assert [bool(f) for f in c.flags().values()] == [False, True, True, False, False, True]
