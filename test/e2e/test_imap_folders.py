# SPDX-License-Identifier: Apache-2.0
"""IMAP: which folders, and which message is which: patterns, UIDVALIDITY, flags taken back, Gmail's labels."""
import re

import pytest

import corpus
from imap_helpers import keys, same, visit
from imap_parse import utf7
from imap_store import ALL_MAIL, crlf
from imapd import CAPS, Imapd, Mailstore, Script, parse_script


def clear(p, origin, **more):
    p.clear("box", origin, **{"protocol": "imap", **more})


# ---- folders

@pytest.fixture
def folders(dovecot):
    """A user with five folders → (user, name → mail)."""
    user, made = dovecot.fresh(), {}
    for number, name in enumerate(("INBOX", "lists/a", "lists/b", "lists/b/deep", "Entwürfe/日本")):
        made[name] = corpus.small(number + 2, seed=100 + number)
        dovecot.fill(user, made[name], name)
    return user, made


@pytest.mark.parametrize("patterns, want", [
    (["*"], ["INBOX", "lists/a", "lists/b", "lists/b/deep", "Entwürfe/日本"]),
    (["lists/%"], ["lists/a", "lists/b"]),
    (["lists/*"], ["lists/a", "lists/b", "lists/b/deep"]),
    (["inbox", "lists/b"], ["INBOX", "lists/b"]),
    (["INBOX", "IN*", "*"], ["INBOX", "lists/a", "lists/b", "lists/b/deep", "Entwürfe/日本"]),
    (["Entwürfe/日本"], ["Entwürfe/日本"]),
    (["Entwürfe/%"], ["Entwürfe/日本"]),
])
def test_names_and_patterns(p, authority, dovecot, folders, patterns, want):
    user, made = folders
    p.connection("box", **keys(dovecot, authority, user), after="delete", mailbox=patterns)
    mail = [m for name in want for m in made[name]]
    visit(p, collected=len(mail))
    assert same(p.in_maildir(), mail)
    for name, there in made.items():
        assert len(dovecot.left(user, name)) == (0 if name in want else len(there)), name
    visit(p, collected=0)


def test_one_folder_is_forgotten(p, authority, dovecot, folders):
    user, made = folders
    p.connection("box", **keys(dovecot, authority, user), after="keep", mailbox=["*"])
    visit(p, collected=sum(map(len, made.values())))
    done = p.good("rescan", "box", "--mailbox", "Entwürfe/日本")
    assert f"{len(made['Entwürfe/日本'])} entries forgotten" in done.out, done
    visit(p, collected=len(made["Entwürfe/日本"]))
    p.good("rescan", "box", "--mailbox", "inbox")
    visit(p, collected=len(made["INBOX"]))
    visit(p, collected=0)
    done = p("rescan", "box", "--mailbox", "lists")
    assert done.code == 2 and "a mailbox lists" in done.err, done


def test_one_folder_is_passed_over(p, authority, dovecot, folders):
    user, made = folders
    p.connection("box", **keys(dovecot, authority, user), after="keep", mailbox=["*"])
    done = p.good("baseline", "box", "--mailbox", "Entwürfe/日本")
    assert done.summary()["box"]["skipped"] == len(made["Entwürfe/日本"]), done
    done = p.good("baseline", "box", "--mailbox", "inbox")
    assert done.summary()["box"]["skipped"] == len(made["INBOX"]), done
    rest = [m for name in made if name not in ("INBOX", "Entwürfe/日本") for m in made[name]]
    visit(p, collected=len(rest))
    assert same(p.in_maildir(), rest)
    done = p("baseline", "box", "--mailbox", "nowhere")
    assert done.code == 1 and "mailbox nowhere: is none of those" in done.err, done
    assert p("baseline", "box", "box", "--mailbox", "INBOX").code == 2
    p.connection("box", **keys(dovecot, authority, user), after="keep", mailbox=["lists/*"])
    done = p("baseline", "box", "--mailbox", "INBOX")
    assert done.code == 1 and "none of those" in done.err, "a typing error is not a success"


def test_the_folder_to_move_to_is_left_out(p, authority, dovecot, folders):
    user, made = folders
    old = corpus.small(3, seed=77)
    dovecot.fill(user, old, "Archive")
    p.connection("box", **keys(dovecot, authority, user), after="move:Archive", mailbox=["*"])
    mail = [m for some in made.values() for m in some]
    visit(p, collected=len(mail))
    visit(p, collected=0)
    assert same(p.in_maildir(), mail) and same(dovecot.left(user, "Archive"), mail + old)


def test_a_pattern_that_nothing_matches(p, authority, dovecot):
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", **keys(dovecot, authority, user), mailbox=["nothing/*"])
    done = p("collect", "box")
    assert p.in_maildir() == [] and (done.code == 0 or "nothing/*" in done.text), done


@pytest.mark.parametrize("others", [[], ["INBOX"]])
def test_a_missing_mailbox_is_named_and_others_are_collected(p, authority, dovecot, others):
    user = dovecot.fresh(corpus.small(2))
    p.connection("box", **keys(dovecot, authority, user), mailbox=others + ["Nirgends/wo"], after="delete")
    done = p("collect", "box")
    assert done.code == 1 and "Nirgends/wo" in done.text, done
    assert len(p.in_maildir()) == 2 * len(others) and len(dovecot.left(user)) == 2 - 2 * len(others)


def test_the_same_ids_in_two_folders_are_different_messages(p):
    store = Mailstore(corpus.small(3))
    for octets in corpus.small(3, seed=9):
        store.add("other", octets)
    store.box("other").validity = store.box("INBOX").validity
    with Imapd(store) as origin:
        clear(p, origin, mailbox=["INBOX", "other"], after="keep")
        visit(p, collected=6)
        visit(p, collected=0)
    assert same(p.in_maildir(), corpus.small(3) + corpus.small(3, seed=9))


@pytest.mark.parametrize("delimiter", [".", "\\", "/", None])
def test_any_delimiter(p, delimiter):
    store = Mailstore(corpus.small(2), delimiter=delimiter)
    name = f"lists{delimiter}a" if delimiter else "lists"
    store.add(name, corpus.small(1, seed=9)[0])
    with Imapd(store) as origin:
        clear(p, origin, mailbox=["*"], after="delete")
        visit(p, collected=3)
    assert store.octets() == store.octets(name) == []


def test_moving_into_a_folder_of_another_delimiter(p):
    """The name is the user's word: what stands in the configuration is what is made."""
    store = Mailstore(corpus.small(2), delimiter=".")
    with Imapd(store) as origin:
        clear(p, origin, after="move:Done")
        visit(p, collected=2)
    assert len(store.octets("Done")) == 2 and store.octets() == []


def test_names_of_folders_are_octets_to_nobody(p):
    """Quotes, backslashes, blanks, brackets, & in names."""
    name = 'a "b" \\ [c] {3} & % ü'
    store = Mailstore()
    store.add(utf7(name), corpus.small(1)[0])
    with Imapd(store) as origin:
        clear(p, origin, mailbox=["a*"], after="move:" + 'x "y" & ö')
        visit(p, collected=1)
    assert len(store.octets(utf7('x "y" & ö'))) == 1


# ---- which message is which

@pytest.mark.parametrize("count", [4, 30])
def test_a_recreated_mailbox_doubles_nothing_and_loses_nothing(p, authority, dovecot, count):
    mail, new = corpus.small(count), corpus.small(2, seed=55)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    visit(p, collected=count)
    assert dovecot.recreate(user) == count
    dovecot.fill(user, new[:1])
    visit(p, collected=1)
    visit(p, collected=0)
    assert dovecot.recreate(user) == count + 1
    visit(p, collected=0)
    dovecot.fill(user, new[1:])
    visit(p, collected=1)
    assert same(p.in_maildir(), mail + new)


def test_a_recreated_mailbox_is_compared_once(p):
    store = Mailstore(corpus.small(12))
    with Imapd(store) as origin:
        clear(p, origin, after="keep")
        visit(p, collected=12)
        store.recreate("INBOX")
        visit(p, collected=0)
        fetched = len([s for s in origin.said if "BODY.PEEK[" in s])
        visit(p, collected=0)
        assert len([s for s in origin.said if "BODY.PEEK[" in s]) == fetched, "re-keyed once, known from then on"


def test_a_recreated_mailbox_with_other_mail_under_the_same_ids(p):
    mail, other = corpus.small(5), corpus.small(5, seed=8)
    store = Mailstore(mail)
    with Imapd(store) as origin:
        clear(p, origin, after="keep")
        visit(p, collected=5)
        store.recreate("INBOX", other)
        visit(p, collected=5)
        visit(p, collected=0)
    assert same(p.in_maildir(), mail + other)


def test_a_recreated_mailbox_whose_mail_was_to_be_deleted(p):
    """Collected, and before it could be deleted everything got new ids: deleted now, not collected again."""
    mail = corpus.small(15)
    store = Mailstore(mail)
    for flags in ([], ["\\Seen"]):
        with Imapd(store) as origin:
            clear(p, origin, after="keep" if not flags else "delete")
            p.good("collect", "box")
        store.recreate("INBOX")
    with Imapd(store) as origin:
        clear(p, origin, after="delete")
        p.good("collect", "box")
        p.good("collect", "box")
    assert store.octets() == [] and same(p.in_maildir(), mail)


def test_a_mailbox_deleted_under_a_visit(p):
    """Gone between listing and fetching: an error, and the next visit has what is there then."""
    mail = corpus.small(6)
    store = Mailstore(mail)

    def event(word):
        if word.startswith("UID FETCH") and "BODY.PEEK[]" in word and origin.event is event:
            origin.event = lambda _: None
            store.recreate("INBOX")

    with Imapd(store, event=event) as origin:
        clear(p, origin, after="delete")
        p("collect", "box")
        p.good("collect", "box")
    assert store.octets() == [] and same(p.in_maildir(), mail)


def test_seen_taken_back_by_another_client_comes_again_once(p, authority, dovecot):
    mail = corpus.small(5)
    user = dovecot.fresh(mail)
    p.connection("box", **keys(dovecot, authority, user), after="seen")
    visit(p, collected=5)
    with dovecot.client(user) as c:
        c.store([2], "-FLAGS", "(\\Seen)")
    visit(p, collected=1)
    visit(p, collected=0)
    assert same(p.in_maildir(), mail + mail[1:2])
    with dovecot.client(user) as c:
        assert list(c.flags().values()) == [{"\\Seen"}] * 5


def test_seen_by_a_human_does_not_hide_a_message(p, authority, dovecot):
    """\\Seen is never our memory of what was collected (fetchmail's manual page)."""
    mail = corpus.small(4)
    user = dovecot.fresh(mail)
    with dovecot.client(user) as c:
        c.store([1, 2], "+FLAGS", "(\\Seen)")
    p.connection("box", **keys(dovecot, authority, user), after="keep")
    visit(p, collected=4)
    with dovecot.client(user) as c:
        c.store([1, 2], "-FLAGS", "(\\Seen)")
    visit(p, collected=0)
    assert same(p.in_maildir(), mail)


def test_pointed_at_another_account_the_same_ids_are_other_messages(p):
    """paperless-ngx issue 10080"""
    store = Mailstore(corpus.small(5), validity=1)
    with Imapd(store) as origin:
        clear(p, origin, after="keep")
        visit(p, collected=5)
        origin.user = "berta"
        origin.store = Mailstore(corpus.small(5, seed=4), validity=1)
        clear(p, origin, after="keep", user="berta")
        visit(p, collected=5)
    assert len(p.in_maildir()) == 10


@pytest.mark.parametrize("caps", [[], ["CONDSTORE"], ["CONDSTORE", "ENABLE", "QRESYNC"], ["ESEARCH"], ["UIDPLUS"], ["MOVE"],
                                  ["COMPRESS=DEFLATE"]])
@pytest.mark.parametrize("after", ["keep", "delete", "seen", "move:Done"])
def test_with_and_without_each_extension(p, caps, after):
    """The same over servers of every age: mail comes, leaves, arrives, and nothing is doubled."""
    mail, new = corpus.small(8), corpus.small(4, seed=31)
    store = Mailstore(mail)
    with Imapd(store, caps=["IMAP4rev1", *caps]) as origin:
        clear(p, origin, after=after)
        visit(p, collected=8)
        visit(p, collected=0)
        if after in ("keep", "seen"):
            store.expunge("INBOX", {2, 8})
        for octets in new:
            store.add("INBOX", octets)
        visit(p, collected=4)
        visit(p, collected=0)
        assert len(origin.verbs("COMPRESS DEFLATE")) == (4 if "COMPRESS=DEFLATE" in caps else 0)
    assert same(p.in_maildir(), mail + new)
    assert len(store.octets()) == {"keep": 10, "seen": 10}.get(after, 0)
    assert len(store.seen()) == (10 if after == "seen" else 0)
    assert sorted(store.octets("Done")) == (sorted(crlf(m) for m in mail + new) if after == "move:Done" else [])


# ---- Gmail

@pytest.fixture
def gmail():
    """Five messages; numbers 1 and 2 also stand under the label work."""
    store = Mailstore(corpus.small(5), gmail=True)
    store.create("work")
    for entry in store.box("INBOX").entries[:2]:
        store.put("work", entry.message)
    return store


@pytest.mark.parametrize("patterns", [["INBOX", "work"], ["*"], [ALL_MAIL, "INBOX"]])
def test_gmail_one_message_in_two_folders_comes_once(p, gmail, patterns):
    with Imapd(gmail, caps=CAPS + ["X-GM-EXT-1"]) as origin:
        clear(p, origin, mailbox=patterns, after="keep")
        visit(p, collected=5)
        visit(p, collected=0)
        gmail.put("work", gmail.box("INBOX").find(3).message)     # a label is added: no new message
        visit(p, collected=0)
    assert same(p.in_maildir(), corpus.small(5))


def test_gmail_delete_takes_every_label_that_was_collected(p, gmail):
    with Imapd(gmail, caps=CAPS + ["X-GM-EXT-1"]) as origin:
        clear(p, origin, mailbox=["INBOX", "work"], after="delete")
        p.good("collect", "box")
        visit(p, collected=0)
    assert same(p.in_maildir(), corpus.small(5))
    assert gmail.octets() == gmail.octets("work") == []


def test_the_helpers_can_fail():
    assert re.fullmatch(r"Entw&APw-rfe/&ZeVnLA-", utf7("Entwürfe/日本"))


@pytest.mark.parametrize("after, script", [
    ("seen", "> SELECT *\n! edit /PERMANENTFLAGS \\(.*?\\)/PERMANENTFLAGS ()/"),
    ("delete", "> SELECT *\n! edit /PERMANENTFLAGS \\(.*?\\)/PERMANENTFLAGS ()/"),
    ("seen", "> UID STORE *\n< {tag} OK done"),
])
def test_a_flag_that_does_not_stick_is_told_and_doubles_nothing(p, after, script):
    with Imapd(Mailstore(corpus.small(3)), script=Script(parse_script(script.splitlines()))) as origin:
        p.clear("box", origin, protocol="imap", after=after)
        for _ in range(3):
            done = p("collect", "box")
            assert done.code == 1 and re.search(r"\\(Seen|Deleted)", done.text), done
            assert len(p.in_maildir()) == 3


def test_a_mailbox_of_which_nobody_says_how_much_it_has_is_not_empty(p):
    store = Mailstore(corpus.small(3))
    with Imapd(store) as origin:
        p.clear("box", origin, protocol="imap", after="keep")
        p.good("collect", "box")
    script = Script(parse_script(["> EXAMINE *", "! edit /\\* \\d+ EXISTS\\r\\n//"]))
    with Imapd(store, script=script) as origin:
        p.clear("box", origin, protocol="imap", after="keep", max_messages=99)
        done = p("collect", "box")
        assert done.code == 1 and "EXISTS" in done.text, done
    with Imapd(store) as origin:
        p.clear("box", origin, protocol="imap", after="keep")
        p.good("collect", "box")
        assert len(p.in_maildir()) == 3


def test_more_refusals_than_a_window_end(p):
    script = Script(parse_script(["> UID FETCH *BODY*", "< {tag} NO [SERVERBUG] not now"]))
    with Imapd(Mailstore([b"Subject: %d\n\nx\n" % n for n in range(1100)]), script=script) as origin:
        p.clear("box", origin, protocol="imap", after="keep", timeout="5s")
        assert p("collect", "box", limit=60).summary()["box"]["failed"] == 1100
