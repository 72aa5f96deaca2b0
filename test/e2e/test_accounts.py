# SPDX-License-Identifier: Apache-2.0
"""Accounts, domains, aliases, limits and the removal of mailboxes, as the command line shows them."""
import os
import stat

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from test_commands import data

WORD = b"unmistakable-word-7\n"


def row(p, *args):
    rows = data(p(*args, "--json"))
    assert len(rows) == 1, rows
    return rows[0]


def fails(p, *args, says, code=None):
    done = p(*args)
    assert done.code != 0 and (code is None or done.code == code), done
    assert says in done.err, done


def test_a_recoverable_password_is_not_in_the_database(p):
    p.good("account", "add", "anna", "--recoverable", "--password-file", "-", stdin=WORD)
    key = os.path.join(p.state, "secret.key")
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600 and os.path.getsize(key) == 32
    with open(os.path.join(p.state, "store", "data.mdb"), "rb") as f:
        assert WORD.strip() not in f.read()
    shown = row(p, "account", "show", "anna")
    assert shown["recoverable"] and shown["scram_sha1"] and shown["can_login"]
    os.chmod(key, 0o640)
    done = p("account", "passwd", "anna", "--recoverable", "--password-file", "-", stdin=WORD)
    assert done.code != 0 and "chmod 600" in done.err, done
    p.good("account", "passwd", "anna", "--scram-sha-1", "--password-file", "-", stdin=WORD)
    shown = row(p, "account", "show", "anna")
    assert not shown["recoverable"] and shown["scram_sha1"]


def test_limits_are_set_and_shown(p):
    p.account("anna")
    shown = row(p, "account", "show", "anna")
    assert shown["quota"] is None and shown["max_sessions"] is None and shown["aliases"] == []
    p.good("account", "set", "anna", "quota=1GB", "max_sessions=5")
    shown = row(p, "account", "show", "anna")
    assert shown["quota"] == 1 << 30 and shown["max_sessions"] == 5
    p.good("account", "set", "anna", "quota=none", "max_sessions=0")
    shown = row(p, "account", "show", "anna")
    assert shown["quota"] == 0 and shown["max_sessions"] == 0
    text = p.good("account", "show", "anna").out
    assert "quota         none" in text
    p.good("account", "set", "anna", "quota=default", "max_sessions=default")
    assert row(p, "account", "show", "anna") == {**shown, "quota": None, "max_sessions": None}
    p.good("account", "passwd", "anna", "--password-file", "-", stdin=WORD)


@pytest.mark.parametrize("words, says", [
    (["quota=much"], "quota"), (["max_sessions=-1"], "max_sessions"), (["max_sessions=99999999999"], "max_sessions"),
    (["colour=red"], "none of quota"), (["quota"], "KEY=VALUE"), (["alias=a b"], "blanks"), (["unalias=info"], "no alias"),
    ([], "KEY=VALUE"),
])
def test_a_wrong_word_is_named(p, words, says):
    p.account("anna")
    before = row(p, "account", "show", "anna")
    fails(p, "account", "set", "anna", *words, says=says)
    assert row(p, "account", "show", "anna") == before


def test_aliases_come_and_go(p):
    p.account("anna")
    p.account("bert")
    p.good("account", "set", "anna", "alias=info@client1.com", "alias=Sales")
    assert row(p, "account", "show", "anna")["aliases"] == ["info@client1.com", "sales"]
    fails(p, "account", "set", "bert", "alias=sales", says="alias of anna")
    fails(p, "account", "set", "bert", "unalias=sales", says="no alias")
    fails(p, "account", "set", "bert", "alias=anna", says="is an account")
    p.good("account", "set", "anna", "unalias=SALES")
    assert row(p, "account", "show", "anna")["aliases"] == ["info@client1.com"]
    assert "alias         info@client1.com" in p.good("account", "show", "anna").out


def test_with_the_first_domain_others_are_refused(p):
    p.account("old@elsewhere.example")
    p.good("domain", "add", "Client1.com")
    fails(p, "account", "add", "x@elsewhere.example", "--password-file", "/dev/null", says="postrider domain add elsewhere.example")
    p.account("anna@client1.com")
    p.account("bare")
    p.sections["main"] = "main_domain = 'main.example'\n"
    p.write()
    p.account("boss")
    names = [r["account"] for r in data(p("account", "list", "--json"))]
    assert names == ["anna@client1.com", "bare", "boss@main.example", "old@elsewhere.example"]
    fails(p, "domain", "remove", "client1.com", says="1 accounts")
    p.good("account", "remove", "anna@client1.com")
    p.good("domain", "remove", "client1.com")
    assert data(p("domain", "list", "--json")) == []


def test_a_domain_has_limits_and_an_address(p):
    p.good("domain", "add", "client1.com")
    p.good("domain", "add", "client2.com")
    p.good("domain", "set", "client1.com", "quota=25MB", "address=2001:0DB8::0001")
    shown = row(p, "domain", "show", "client1.com")
    assert shown["quota"] == 25 << 20 and shown["address"] == "2001:db8::1" and shown["accounts"] == 0
    fails(p, "domain", "set", "client2.com", "address=2001:db8::1", says="that of domain client1.com")
    fails(p, "domain", "set", "client2.com", "address=example.org", says="not an address")
    fails(p, "domain", "set", "client2.com", "colour=red", says="none of quota")
    fails(p, "domain", "add", "client1.com", says="there already")
    fails(p, "domain", "add", "a..b", says="no empty label")
    fails(p, "domain", "show", "client3.com", says="postrider domain add client3.com")
    p.good("domain", "set", "client1.com", "address=none")
    p.good("domain", "set", "client2.com", "address=2001:db8::1")
    assert [r["address"] for r in data(p("domain", "list", "--json"))] == [None, "2001:db8::1"]
    assert "address       2001:db8::1" in p.good("domain", "show", "client2.com").out


def test_an_account_goes_with_its_mail_only_when_asked(p):
    p.account("anna")
    with Pop3d(Maildrop(corpus.small(3))) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"], after="keep")
        p.good("collect", "box")
    fails(p, "mailbox", "remove", "anna/INBOX", says="--with-messages")
    fails(p, "account", "remove", "anna", says="--with-mailboxes")
    assert row(p, "mailbox", "list")["messages"] == 3
    p.good("mailbox", "remove", "anna/INBOX", "--with-messages")
    assert data(p("mailbox", "list", "--json")) == []
    p.good("mailbox", "add", "anna/INBOX")
    assert row(p, "mailbox", "list")["messages"] == 0
    p.good("account", "remove", "anna", "--with-mailboxes")
    assert data(p("mailbox", "list", "--json")) == [] and data(p("account", "list", "--json")) == []
    fails(p, "account", "remove", "anna", says="no account anna")
    fails(p, "account", "show", "anna", says="no account anna")


@pytest.mark.parametrize("command, words", [
    ("account", []), ("account", ["dance"]), ("account", ["add"]), ("account", ["show", "a", "b"]), ("account", ["list", "a"]),
    ("domain", []), ("domain", ["dance"]), ("domain", ["set", "a"]), ("domain", ["list", "a"]), ("mailbox", ["remove"]),
])
def test_bad_usage_exits_2(p, command, words):
    assert p(command, *words).code == 2
