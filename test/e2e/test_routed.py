# SPDX-License-Identifier: Apache-2.0
"""Routed names over whole sessions (PRODUCT section 3): route_header, its change, deletion, Maildirs, commands and backups."""
import os

import pytest

import corpus
from dovecot import PASSWORD
from serving import Server, shown

WHOM = "abcdef@client1.com"


def mail(number, *fields):
    return b"".join(f.encode() + b"\r\n" for f in fields) + corpus.normal(corpus.small(20)[number])


def to(number, *addresses):
    return mail(number, *("X-Real-To: " + a for a in addresses))


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("cl1")
        server.p.good("route", "add", "*@client1.com", "cl1")
        yield server


def sees(s, user=WHOM):
    c = s.raw()
    c.login(user, PASSWORD)
    count, octets = c.good("STAT").split()[1:3]
    out = [c.message(f"RETR {n + 1}") for n in range(int(count))]
    assert sum(map(len, out)) == int(octets)
    c.quit()
    return out


def test_another_header(s):
    old = [to(0, "abcdef"), mail(1, "X-Original-To: " + WHOM), to(2, "other")]
    new = [to(3, WHOM), mail(4, "x-original-to: Abcdef@client1.com", "X-Real-To: other")]
    s.fill("cl1", old)
    s.start()
    assert sees(s) == [shown(old[0])]
    s.keys["route_header"] = "X-Original-To"
    s.reload()
    assert sees(s) == [shown(old[1])]       # came before, by its header
    assert sees(s) == [shown(old[1])]
    s.fill("cl1", new)                      # through the running instance
    assert sees(s) == [shown(old[1]), shown(new[1])]
    s.stop()
    s.fill("cl1", [mail(5, "X-Original-To: abcdef")])     # by a command that has the store itself
    s.start()
    assert len(sees(s)) == 3
    s.keys["route_header"] = None
    s.reload()
    assert sees(s) == [shown(old[0]), shown(new[0])]


def test_what_a_view_deletes_is_gone_for_all(s):
    all_mail = [to(0, "other"), to(1, WHOM), to(2, "abcdef"), to(3), to(4, "other", WHOM)]
    s.fill("cl1", all_mail)
    s.start()
    c = s.raw()
    c.login(WHOM, PASSWORD)
    of_view = {line.split()[1] for line in c.multi("UIDL")}
    c.good("DELE 2")
    c.good("DELE 3")
    assert c.good("STAT").split()[1] == "1"
    c.quit()
    assert sees(s) == [shown(all_mail[1])]
    whole = s.login("cl1")
    of_all = {line.split()[1] for line in whole.multi("UIDL")}
    assert len(of_all) == 3 and len(of_all & of_view) == 1
    assert [whole.message(f"RETR {n}") for n in (1, 2, 3)] == [shown(all_mail[n]) for n in (0, 1, 3)]
    whole.good("DELE 2")
    whole.quit()
    assert sees(s) == []
    s.stop()
    assert sorted(s.octets("cl1")) == sorted([all_mail[0], all_mail[3]])


def test_a_snapshot_stays(s):
    s.fill("cl1", [to(0, WHOM), to(1, "other")])
    s.start()
    c = s.raw()
    c.login(WHOM, PASSWORD)
    s.fill("cl1", [to(2, WHOM), to(3, "other")])
    assert c.good("STAT").split()[1] == "1" and c.message("RETR 1") == shown(to(0, WHOM))
    c.quit()
    assert sees(s) == [shown(to(0, WHOM)), shown(to(2, WHOM))]


def test_in_a_maildir(s, home):
    path = os.path.join(str(home), "Maildir")
    messages = [to(0, WHOM), to(1, "other"), to(2), to(3, "x, <ABCDEF>")]
    for sub in "tmp", "new", "cur":
        os.makedirs(os.path.join(path, sub))

    def put(number):
        with open(os.path.join(path, "new", f"{number}.P1.host"), "wb") as f:
            f.write(messages[number].replace(b"\r\n", b"\n"))

    for number in range(3):
        put(number)
    s.p.good("account", "set", "cl1", "maildir=" + path)
    s.start()
    for _ in range(3):
        assert sees(s) == [shown(messages[0])]
    put(3)
    assert sees(s) == [shown(messages[0]), shown(messages[3])]
    c = s.raw()
    c.login(WHOM, PASSWORD)
    c.good("DELE 2")
    c.quit()
    assert sees(s) == [shown(messages[0])]
    assert len(sees(s, "cl1")) == 3
    os.unlink([os.path.join(path, sub, n) for sub in ("new", "cur") for n in os.listdir(os.path.join(path, sub)) if n.startswith("0.")][0])
    assert sees(s) == []


def test_a_backup_has_the_index(s, home):
    messages = [to(0, WHOM), to(1, "other"), to(2, "abcdef")]
    s.fill("cl1", messages)
    where = os.path.join(str(home), "backup")
    s.p.good("backup", where)
    s.fill("cl1", [to(3, WHOM)])
    s.p.good("restore", where, "--replace")
    s.fill("cl1", [to(4, WHOM)])
    s.start()
    assert sees(s) == [shown(m) for m in (messages[0], messages[2], to(4, WHOM))]


def test_the_name_of_a_header_is_checked(s):
    s.keys["route_header"] = "x" * 128
    s.write()
    done = s.p("check")
    assert done.code == 2 and "route_header" in done.err
