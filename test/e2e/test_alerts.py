# SPDX-License-Identifier: Apache-2.0
"""Alerts and quota, as the command line and collecting show them."""
import re

import pytest

from pop3d import Maildrop, Pop3d
from serving import Server
from test_accounts import fails, row
from test_commands import data

LINE = b"x" * 98 + b"\r\n"


def mail(octets):
    """A message of so many octets."""
    head = b"Subject: %d\r\n\r\n" % octets
    body = LINE * (octets // 100)
    return head + body[:octets - len(head) - 2] + b"\r\n"


def usage(p, account="anna"):
    return row(p, "account", "show", account)["usage"]


def texts(p):
    return [r["text"] for r in data(p("alert", "list", "--json"))]


# ---- alerts

def test_alerts_are_added_listed_and_removed(p):
    p.account("anna")
    p.good("domain", "add", "client1.com")
    added = p.good("alert", "add", "--account", "Anna", "call us")
    assert "alert 1 added for account anna" in added.out and not added.err
    assert "alert 2 added for domain client1.com" in p.good("alert", "add", "new rules", "--domain", "client1.com").out
    added = p.good("alert", "add", "--server", "gr\u00fc\u00dfe\nfrom us")
    assert "alert 3 added for the server" in added.out and "not all of the text is ASCII" in added.err and "'?'" in added.err
    rows = data(p("alert", "list", "--json"))
    assert [(r["id"], r["scope"], r["text"]) for r in rows] == [(1, "account", "call us"), (2, "domain", "new rules"), (3, "server", "gr\u00fc\u00dfe from us")]
    assert rows[0]["account"] == "anna" and rows[1]["domain"] == "client1.com" and "domain" not in rows[2]
    assert re.search(r"^2  domain client1\.com  made 20\S+Z  new rules$", p.good("alert", "list").out, re.M)
    p.good("alert", "remove", "2")
    fails(p, "alert", "remove", "2", says="there is no alert 2", code=2)
    p.good("account", "remove", "anna")
    assert texts(p) == ["gr\u00fc\u00dfe from us"]
    assert row(p, "alert", "add", "--server", "the next")["id"] == 4


def test_whom_the_store_does_not_know_may_be_of_another_source(p):
    p.good("domain", "add", "client1.com")
    assert "the store has no account carl@client1.com" in p.good("alert", "add", "--account", "carl@client1.com", "x").out
    assert "the store has no domain client2.com" in p.good("alert", "add", "--domain", "client2.com", "x").out
    assert "the store has no" not in p.good("alert", "add", "--domain", "client1.com", "x").out


@pytest.mark.parametrize("words, says", [
    (["add", "x"], "for whom"), (["add", "--server", "--account", "anna", "x"], "for whom"), (["add", "--server"], "one text"),
    (["add", "--server", "a", "b"], "one text"), (["add", "--server", ""], "has a text"), (["add", "--server", "x" * 401], "at most 400 octets"),
    (["add", "--account", "a b", "x"], "blanks"), (["add", "--domain", "a..b", "x"], "domain is named"), (["remove", "x"], "no number"),
    (["remove", "-1"], ""), (["remove"], "the number of an alert"), (["show"], "add TEXT"), ([], "add TEXT"),
])
def test_wrong_words_are_named(p, words, says):
    fails(p, "alert", *words, says=says, code=2)
    assert texts(p) == []


def test_a_running_instance_does_the_same(home, authority):
    with Server(home, authority) as s:
        s.account("anna", [])
        s.p.good("alert", "add", "--server", "before")
        s.start()
        s.p.good("alert", "add", "--account", "anna", "while it runs")
        assert texts(s.p) == ["before", "while it runs"]
        s.p.good("alert", "remove", "1")
        s.stop()
        assert texts(s.p) == ["while it runs"]


# ---- quota

def test_import_ends_where_the_quota_does(p, tmp_path):
    p.account("anna")
    p.good("account", "set", "anna", "quota=10KB")
    for n in range(5):
        (tmp_path / f"{n}.eml").write_bytes(mail(3000))
    done = p("mailbox", "import", "anna/INBOX", f"eml:{tmp_path}")
    assert done.code == 1 and "over quota: anna has 9000 of its 10240 octets, the message has 3000" in done.err, done
    assert usage(p) == 9000 and len(p.in_mailbox()) == 3
    assert "usage         9000 octets, 87 % of the quota that holds: 10240 octets" in p.good("account", "show", "anna").out
    p.good("mailbox", "remove", "anna/INBOX", "--with-messages")
    assert usage(p) == 0


def test_a_domains_quota_is_that_of_its_accounts(p, tmp_path):
    p.good("domain", "add", "client1.com")
    p.account("anna@client1.com")
    p.account("bert@client1.com")
    p.good("domain", "set", "client1.com", "quota=5000B")
    p.good("account", "set", "bert@client1.com", "quota=none")
    shown = row(p, "account", "show", "anna@client1.com")
    assert shown["quota"] is None and shown["quota_in_force"] == 5000 and shown["usage"] == 0
    (tmp_path / "1.eml").write_bytes(mail(6000))
    fails(p, "mailbox", "import", "anna@client1.com/INBOX", f"eml:{tmp_path}", says="over quota", code=1)
    p.good("mailbox", "import", "bert@client1.com/INBOX", f"eml:{tmp_path}")
    assert usage(p, "bert@client1.com") == 6000 and usage(p, "anna@client1.com") == 0


def now_room(p, quota):
    p.good("account", "set", "anna", "quota=" + quota)
    p.good("retry", "box")


def test_collected_mail_is_held_until_there_is_room(p):
    """What fits is delivered and deleted; the rest is held, stays at its server too, and comes exactly once."""
    messages = [mail(4000), mail(7000), mail(2000), mail(9000), mail(1000)]
    p.account("anna")
    p.good("account", "set", "anna", "quota=8000B")
    with Pop3d(Maildrop(messages)) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"], after="delete")
        done = p.good("collect", "box")
        assert "over quota: anna has" in done.text, done
        assert done.summary()["box"] == {"collected": 3, "skipped": 0, "held": 2, "failed": 0}, done
        assert origin.drop.octets() == [messages[1], messages[3]]
        assert p.in_mailbox() == [messages[0], messages[2], messages[4]]
        retrs = len(origin.verbs("RETR"))
        for _ in range(2):
            assert p.good("collect", "box").summary()["box"]["collected"] == 0
        assert len(origin.verbs("RETR")) == retrs        # not fetched to be held again
        assert origin.drop.octets() == [messages[1], messages[3]] and usage(p) == 7000
        rows = [r for r in data(p("history", "box", "--json")) if r["state"] == "held"]
        assert len(rows) == 2 and all("over quota" in r["error"] for r in rows), rows
        now_room(p, "15000B")
        assert p.good("collect", "box").summary()["box"]["collected"] == 1
        now_room(p, "none")
        assert p.good("collect", "box").summary()["box"]["collected"] == 1
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
        assert origin.drop.octets() == [] and len(origin.verbs("RETR")) == retrs
    assert sorted(p.in_mailbox()) == sorted(messages)


def test_the_other_target_has_it_meanwhile(p):
    """One target that is over quota holds up neither the other nor the messages; nothing comes twice."""
    messages = [mail(3000), mail(3000)]
    p.account("anna")
    p.good("account", "set", "anna", "quota=4000B")
    with Pop3d(Maildrop(messages)) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX", "maildir:" + p.maildir], after="delete")
        assert p("collect", "box").summary()["box"] == {"collected": 1, "skipped": 0, "held": 1, "failed": 0}
        assert len(p.in_maildir()) == 2 and len(p.in_mailbox()) == 1 and len(origin.drop.octets()) == 1
        now_room(p, "default")
        assert p.good("collect", "box").summary()["box"]["collected"] == 1
        p.good("collect", "box")
        assert origin.drop.octets() == []
    assert len(p.in_maildir()) == 2 and len(p.in_mailbox()) == 2


def test_a_full_mailbox_is_no_full_stop(p):
    """All of it is held; with room, all of it comes, without being fetched again."""
    messages = [mail(1000 + n) for n in range(40)]
    p.account("anna")
    p.good("account", "set", "anna", "quota=100B")
    with Pop3d(Maildrop(messages)) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"], after="delete")
        done = p.good("collect", "box")
        assert done.summary()["box"]["held"] == 40 and "over quota" in done.text, done
        assert p.good("collect", "box").summary()["box"]["held"] == 0 and len(origin.drop.octets()) == 40
        now_room(p, "none")
        assert p.good("collect", "box").summary()["box"]["collected"] == 40
        p.good("collect", "box")
        assert origin.drop.octets() == [] and len(origin.verbs("RETR")) == 40
    assert sorted(p.in_mailbox()) == sorted(messages)


def test_what_does_not_fit_holds_up_nothing_that_does(p):
    big, small = [mail(50_000 + n) for n in range(15)], [mail(100 + n) for n in range(15)]
    p.account("anna")
    p.good("account", "set", "anna", "quota=10000B")
    with Pop3d(Maildrop(big + small)) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"], after="delete")
        for _ in range(2):
            p.good("collect", "box")
        assert sorted(p.in_mailbox()) == sorted(small) and origin.drop.octets() == big
        now_room(p, "120000B")      # two of them
        assert p("collect", "box").summary()["box"]["collected"] == 2


def test_a_large_message_over_quota_waits_in_the_held_area(p):
    """Once: neither its mailbox nor the held area takes it again."""
    p.account("anna")
    p.good("account", "set", "anna", "quota=200KB")
    big = mail(8_000_000)
    with Pop3d(Maildrop([big, mail(1000)])) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"], after="delete")
        for _ in range(3):
            p.good("collect", "box")
        assert usage(p) == 1000 and len(origin.drop.octets()) == 1
        assert [r["octets"] for r in data(p("held", "list", "--json"))] == [len(big)]
        now_room(p, "9MB")
        p.good("collect", "box")
        p.good("collect", "box")
        assert origin.drop.octets() == [] and data(p("held", "list", "--json")) == []
    assert usage(p) == 1000 + len(big)
