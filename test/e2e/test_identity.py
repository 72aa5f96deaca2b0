# SPDX-License-Identifier: Apache-2.0
"""Which message is which (PRODUCT 2.3): ids that change, double, vanish or were never there."""
import pytest

import corpus
from pop3d import Maildrop, Pop3d, Script, parse_script


def arrived(p):
    return sorted(corpus.digest(m) for m in p.in_maildir())


def wanted(messages):
    return sorted(corpus.digest(m) for m in messages)


def test_all_ids_change_and_nothing_is_doubled(p):
    """A server migration: the same mail under new ids, and one that is really new."""
    mail = corpus.small(25)
    with Pop3d(Maildrop(mail)) as origin:
        p.clear("box", origin, after="keep")
        assert p.good("collect", "box").summary()["box"]["collected"] == 25
        fresh = corpus.small(1, seed=50)
        origin.drop = Maildrop(mail + fresh, prefix="moved-")
        assert p.good("collect", "box").summary()["box"]["collected"] == 1
        assert arrived(p) == wanted(mail + fresh)
        fetched = len(origin.verbs("RETR"))
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
        assert len(origin.verbs("RETR")) == fetched, "re-keyed once, known from then on"
    assert arrived(p) == wanted(mail + fresh)


def test_all_ids_change_while_deleting(p):
    """Messages that could not be deleted come back under new ids: same mail, deleted now."""
    mail = corpus.small(15)
    refuse = Script(parse_script(["> QUIT", "< -ERR some messages were not deleted", "! close"]))
    with Pop3d(Maildrop(mail), script=refuse) as origin:
        p.clear("box", origin, after="delete")
        p("collect", "box")
        origin.script = None
        origin.drop = Maildrop(mail, prefix="moved-")
        p.good("collect", "box")
        assert origin.drop.octets() == []
    assert arrived(p) == wanted(mail)


def test_doubled_ids_are_told_apart_by_content(p):
    mail = corpus.small(6)
    drop = Maildrop()
    for octets, uidl in zip(mail, ["a", "b", "b", "c", "b", "d"]):
        drop.add(octets, uidl)
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        for _ in range(3):
            p.good("collect", "box")
            assert arrived(p) == wanted(mail)
        drop.remove([m for m in drop.snapshot() if m.octets == corpus.normal(mail[1])])
        p.good("collect", "box")    # k of the others has moved
        assert arrived(p) == wanted(mail)


def test_one_message_listed_twice(p):
    """The same id and the same octets at two numbers: nothing is lost, nothing collected for ever."""
    mail = corpus.small(3)
    drop = Maildrop()
    for octets, uidl in ((mail[0], "a"), (mail[1], "b"), (mail[1], "b"), (mail[2], "c")):
        drop.add(octets, uidl)
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        p.good("collect", "box")
        first = arrived(p)
        assert set(first) == set(wanted(mail)) and 3 <= len(first) <= 4
        for _ in range(2):
            p.good("collect", "box")
            assert arrived(p) == first


NO_UIDL = ["> CAPA", "< +OK", "< TOP", "< USER", "< PIPELINING", "< .", "> UIDL*", "< -ERR what?"]


def test_without_uidl_keep_is_refused(p):
    with Pop3d(Maildrop(corpus.small(3)), script=Script(parse_script(NO_UIDL))) as origin:
        p.clear("box", origin, after="keep")
        done = p("collect", "box")
        assert done.code == 1 and "UIDL" in done.text and "keep" in done.text, done
        assert len(origin.drop.octets()) == 3


def test_without_uidl_delete_works(p):
    mail = corpus.small(8)
    with Pop3d(Maildrop(mail), script=Script(parse_script(NO_UIDL))) as origin:
        p.clear("box", origin, after="delete")
        p.good("collect", "box")
        assert arrived(p) == wanted(mail) and origin.drop.octets() == []
        p.good("collect", "box")
    assert arrived(p) == wanted(mail)


def test_without_uidl_a_deletion_that_did_not_hold_doubles_nothing(p):
    mail = corpus.small(8)
    lost = parse_script(NO_UIDL + ["> QUIT", "! close", "> QUIT", "! faithful"])
    with Pop3d(Maildrop(mail), script=Script(lost)) as origin:
        p.clear("box", origin, after="delete")
        p("collect", "box")
        assert len(origin.drop.octets()) == 8
        p.good("collect", "box")
        assert origin.drop.octets() == []
    assert arrived(p) == wanted(mail)


def test_an_id_that_comes_back_is_a_new_message(p):
    mail = corpus.small(4)
    drop = Maildrop(mail)
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        p.good("collect", "box")
        third = drop.snapshot()[2]
        drop.remove([third])
        p.good("collect", "box")
        again = corpus.small(1, seed=77)[0]
        drop.add(again, third.uidl)
        assert p.good("collect", "box").summary()["box"]["collected"] == 1
    assert arrived(p) == wanted(mail + [again])


def test_a_message_we_deleted_that_is_still_listed_is_not_new(p):
    """DELE and QUIT are answered +OK, and nothing was deleted: Exchange, Maillennium."""
    mail = corpus.small(12)
    script = Script(parse_script(["> QUIT", "< +OK bye", "! close", "> QUIT", "< +OK bye", "! close", "> QUIT", "! faithful"]))
    with Pop3d(Maildrop(mail), script=script) as origin:
        p.clear("box", origin, after="delete")
        for left in (12, 12, 0, 0):
            p.good("collect", "box")
            assert len(origin.drop.octets()) == left and arrived(p) == wanted(mail)
        assert len(origin.verbs("RETR")) == 12


def test_one_message_in_two_boxes_of_two_users_is_two(p):
    mail = corpus.small(3)
    with Pop3d(Maildrop(mail)) as one, Pop3d(Maildrop(mail), user="bert") as two:
        p.clear("one", one)
        p.clear("two", two, user="bert")
        p.good("collect")
    assert arrived(p) == wanted(mail + mail)


def test_pointed_at_another_account_the_same_ids_are_other_messages(p):
    first, second = corpus.small(3), corpus.small(3, seed=70)
    with Pop3d(Maildrop(first)) as one, Pop3d(Maildrop(second), user="bert") as two:
        p.clear("box", one, after="keep")
        p.good("collect", "box")
        p.clear("box", two, user="bert", after="keep")
        assert p.good("collect", "box").summary()["box"]["collected"] == 3
    assert arrived(p) == wanted(first + second)


def test_order_of_the_listing_does_not_matter(p):
    mail = corpus.small(12)
    drop = Maildrop(mail)
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        p.good("collect", "box")
        drop.messages.reverse()
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
    assert arrived(p) == wanted(mail)


@pytest.mark.parametrize("uidl", [
    "x" * 200, "with / slash", "../../../etc/passwd", "two words", "  leading", "Größe", "%s%n%s", "'\"`;|", "\x7f", "a" * 70,
])
def test_odd_ids_are_only_ids(p, uidl):
    mail = corpus.small(3)
    drop = Maildrop()
    for octets, name in zip(mail, ["first", uidl, "third"]):
        drop.add(octets, name)
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        p.good("collect", "box")
        p.good("collect", "box")
        p.good("history", "box")
        assert arrived(p) == wanted(mail) and len(origin.verbs("RETR")) == 3


def test_long_ids_that_differ_only_at_the_end(p):
    mail = corpus.small(2)
    drop = Maildrop()
    for octets, end in zip(mail, "ab"):
        drop.add(octets, "y" * 300 + end)
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        p.good("collect", "box")
        p.good("collect", "box")
    assert arrived(p) == wanted(mail)


def test_case_of_ids_matters(p):
    mail = corpus.small(2)
    drop = Maildrop()
    drop.add(mail[0], "AbC")
    drop.add(mail[1], "aBc")
    with Pop3d(drop) as origin:
        p.clear("box", origin, after="keep")
        p.good("collect", "box")
    assert arrived(p) == wanted(mail)


@pytest.mark.parametrize("after", ["delete", "keep"])
@pytest.mark.parametrize("script", ["> RETR 1\n! faithful\n! faithful", "> RETR 3\n! faithful\n! faithful", "> LIST\n! faithful\n! faithful"])
def test_answers_that_shift_lose_nothing(p, script, after):
    """One answer too many under pipelining: ids and texts do not belong together, and what was taken is compared."""
    mail = corpus.small(6, seed=31)
    drop = Maildrop(mail)
    with Pop3d(drop, script=Script(parse_script(script.splitlines()))) as origin:
        p.clear("box", origin, after=after, timeout="2s")
        assert p("collect", "box").code == 1
    with Pop3d(drop) as origin:
        p.clear("box", origin, after=after)
        p.good("collect", "box")
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
        arrived = [corpus.digest(m) for m in p.in_maildir()]
        for m in mail:
            assert corpus.digest(m) in arrived, "lost"
        assert len(drop.octets()) == (0 if after == "delete" else 6)
