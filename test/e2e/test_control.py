# SPDX-License-Identifier: Apache-2.0
"""Commands about a running instance, and blocks, while there is none."""
import fcntl
import os

import pytest

from test_accounts import fails
from test_commands import data


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["status", "--watch"], ["service", "stop", "pop3"],
                                   ["service", "restart", "console"]])
def test_nothing_is_running(p, words):
    fails(p, *words, says="postrider is not running", code=1)
    fails(p, *words, says="postrider run", code=1)


@pytest.mark.parametrize("words", [["status", "now"], ["service"], ["service", "dance", "pop3"], ["service", "stop"], ["block"],
                                   ["block", "add"], ["block", "add", "192.0.2.1", "for ever"], ["block", "list", "all"],
                                   ["block", "add", "192.0.2.1/24"], ["block", "add", "192.0.2.1", "--for", "soon"],
                                   ["block", "add", "192.0.2.1", "--for", "0"], ["block", "add", "192.0.2.1", "--why", "x" * 201],
                                   ["block", "remove", "192.0.2.1"]])
def test_bad_usage_exits_2(p, words):
    assert p(*words).code == 2


def test_blocks_last(p):
    p.good("block", "add", "192.0.2.0/24", "--for", "1h", "--why", "noisy\nneighbour")
    p.good("block", "add", "2001:DB8::1")
    rows = data(p("block", "list", "--json"))
    assert [r["network"] for r in rows] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert rows[0]["why"] == "noisy?neighbour" and rows[0]["until"] > rows[0]["since"] and rows[1]["until"] is None
    text = p.good("block", "list").out
    assert "192.0.2.0/24  until " in text and "2001:db8::1/128  for ever" in text
    p.good("block", "remove", "192.0.2.0/24")
    assert [r["network"] for r in data(p("block", "list", "--json"))] == ["2001:db8::1/128"]


def test_long_lists_come_whole(p):
    """More than a page of them."""
    mail = os.path.join(p.home, "mail")
    os.mkdir(mail)
    for n in range(1, 1204):
        with open(os.path.join(mail, f"{n:08}.eml"), "w", encoding="ascii") as f:
            f.write(f"Subject: number {n}\r\n\r\n")
    p.account()
    p.good("mailbox", "import", "anna/INBOX", "eml:" + mail)
    rows = data(p("mailbox", "show", "anna/INBOX", "--json"))
    assert [r["subject"] for r in rows] == [f"number {n}" for n in range(1, 1204)]
    assert [r["number"] for r in rows] == list(range(1, 1204))


@pytest.mark.parametrize("what, says", [("postrider collect", "(postrider collect)"), ("postrider run", "does not answer")])
def test_who_has_the_store_is_named(p, what, says):
    os.makedirs(p.state, exist_ok=True)
    with open(os.path.join(p.state, "run.lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.write(f"{os.getpid()} 2026-01-01T00:00:00Z {what}\n")
        f.flush()
        fails(p, "account", "list", says=says, code=1)
        fails(p, "mailbox", "list", says=f"process {os.getpid()} ({what})", code=1)


def test_a_password_that_is_no_text(p):
    p.good("account", "add", "anna", "--password-file", "-", stdin=b"\xff\xfe octets")
    assert data(p("account", "show", "anna", "--json"))[0]["can_login"]
    fails(p, "account", "passwd", "anna", "--password-file", "/dev/zero", says="password", code=2)
