# SPDX-License-Identifier: Apache-2.0
"""Rights and routes, as the command line shows them: without a running instance, and through one."""
import pytest

import serving
from test_accounts import fails
from test_commands import data


@pytest.fixture(params=["alone", "running"])
def c(request, tmp_path, authority):
    """A Postrider with the accounts anna, boss and cl1@client1.com."""
    with serving.Server(tmp_path, authority) as s:
        for name in ("anna", "boss", "cl1@client1.com"):
            s.account(name)
        if request.param == "running":
            s.start()
            yield s.p
            s.stop()
        else:
            yield s.p


def rights(c, *words):
    return [(r["mailbox"], r["who"], r["rights"]) for r in data(c("acl", "list", *words, "--json"))]


def routes(c):
    return [(r["address"], r["account"]) for r in data(c("route", "list", "--json"))]


def test_rights_come_and_go(c):
    assert rights(c) == []
    c.good("acl", "set", "boss/INBOX", "anna", "tsrl")
    c.good("acl", "set", "boss/inbox", "Anyone", "l")
    c.good("acl", "set", "anna/lists/info", "cl1@client1.com", "lr")
    assert rights(c, "boss/INBOX") == [("boss/INBOX", "anna", "lrst"), ("boss/INBOX", "anyone", "l")]
    assert rights(c) == [("anna/lists/info", "cl1@client1.com", "lr")] + rights(c, "boss/inbox")
    assert "boss/INBOX  anna  lrst" in c.good("acl", "list").out
    c.good("acl", "set", "boss/INBOX", "anna", "r")
    assert rights(c, "boss/INBOX")[0] == ("boss/INBOX", "anna", "r")
    c.good("acl", "remove", "boss/INBOX", "anna")
    fails(c, "acl", "remove", "boss/INBOX", "anna", says="anna has no rights")
    fails(c, "acl", "set", "boss/INBOX", "bert", "lr", says="postrider account add bert")
    c.good("acl", "set", "boss/INBOX", "bert", "lr", "--any-user")
    assert rights(c, "boss/INBOX") == [("boss/INBOX", "anyone", "l"), ("boss/INBOX", "bert", "lr")]
    c.good("account", "remove", "boss")
    assert rights(c) == [("anna/lists/info", "cl1@client1.com", "lr")]
    c.good("account", "remove", "cl1@client1.com")
    assert rights(c) == []


def test_rights_go_with_the_mailbox(c):
    c.good("mailbox", "add", "boss/shared")
    c.good("acl", "set", "boss/shared", "anna", "lr")
    c.good("mailbox", "remove", "boss/shared")
    assert rights(c) == []


def test_routes_come_and_go(c):
    c.good("route", "add", "*@Client2.com", "cl1@client1.com")
    c.good("route", "add", "info@client2.com", "anna")
    assert routes(c) == [("*@client2.com", "cl1@client1.com"), ("info@client2.com", "anna")]
    assert "info@client2.com  anna" in c.good("route", "list").out
    fails(c, "route", "add", "*@client2.com", "anna", says="leads to cl1@client1.com already")
    fails(c, "route", "add", "anna", "boss", says="is an account")
    fails(c, "route", "add", "x@client2.com", "bert", says="postrider account add bert")
    fails(c, "account", "set", "anna", "alias=info@client2.com", says="is a route")
    fails(c, "account", "set", "anna", "alias=*@client3.com", says="route add '*@client3.com' anna")
    c.good("route", "remove", "INFO@client2.com")
    fails(c, "route", "remove", "info@client2.com", says="no route")
    c.good("account", "remove", "cl1@client1.com")
    assert routes(c) == []


@pytest.mark.parametrize("words", [
    ["acl"], ["acl", "dance"], ["acl", "set", "boss/INBOX", "anna"], ["acl", "set", "boss/INBOX", "anna", ""], ["acl", "set", "boss/INBOX", "anna", "lrx"],
    ["acl", "set", "boss", "anna", "lr"], ["acl", "list", "a/b", "c/d"], ["acl", "list", "boss"], ["acl", "remove", "boss/INBOX"],
    ["acl", "set", "boss/INBOX", "boss", "lr"], ["route"], ["route", "dance"], ["route", "add", "a@b"], ["route", "add", "*", "anna"],
    ["route", "add", "a*@b", "anna"], ["route", "list", "a"], ["route", "remove"],
])
def test_bad_usage_exits_2(p, words):
    for name in ("anna", "boss"):
        p.account(name)
    assert p(*words).code == 2


@pytest.mark.parametrize("command", ["acl", "route"])
def test_they_have_help(p, command):
    assert f"postrider {command}" in p.good(command, "--help").out
