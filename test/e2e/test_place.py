# SPDX-License-Identifier: Apache-2.0
"""Mailboxes that lie in Maildirs: by account, by domain, by the configuration."""
import os
import shutil

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from serving import Server
from test_commands import data

NOBODY = 65534


def row(p, *args):
    rows = data(p(*args, "--json"))
    assert len(rows) == 1, rows
    return rows[0]


def fails(p, *args, says, code=None):
    done = p(*args)
    assert done.code != 0 and (code is None or done.code == code), done
    assert says in done.err, done


def names(*path):
    return sorted(n for n in os.listdir(os.path.join(*path)))


def octets(*path):
    """The messages in new/ and cur/, with CRLF, sorted."""
    out = []
    for sub in ("new", "cur"):
        for name in names(*path, sub):
            with open(os.path.join(*path, sub, name), "rb") as f:
                out.append(corpus.normal(f.read()))
    return sorted(out)


def normal(messages):
    return sorted(corpus.normal(m) for m in messages)


def pop3(p, **keys):
    """A section pop3 with these keys; nothing listens, for no service runs."""
    p.sections["pop3"] = "pop3 {\n" + "".join(f"\t{k} = '{v}'\n" for k, v in keys.items()) + "\tlisten a { address = '127.0.0.1'  port = 1  tls = none }\n}\n"
    p.write()


@pytest.fixture
def origin():
    with Pop3d(Maildrop(corpus.small(4))) as server:
        yield server


def test_a_setting_is_kept_shown_and_taken_back(p):
    p.account("anna")
    shown = row(p, "account", "show", "anna")
    assert shown["maildir"] is None and shown["path"] is None
    assert "mail          in the store" in p.good("account", "show", "anna").out
    where = os.path.join(p.home, "mail", "%u")
    p.good("account", "set", "anna", "maildir=" + where, "quota=1GB")
    shown = row(p, "account", "show", "anna")
    assert shown["maildir"] == where and shown["path"] == os.path.join(p.home, "mail", "anna") and shown["quota"] == 1 << 30
    assert f"mail          in the Maildir {shown['path']}" in p.good("account", "show", "anna").out
    assert row(p, "account", "list")["maildir"] == where
    p.good("account", "set", "anna", "quota=none")
    assert row(p, "account", "show", "anna")["maildir"] == where
    p.good("account", "set", "anna", "maildir=none")
    assert row(p, "account", "show", "anna")["maildir"] == "none"
    p.good("account", "set", "anna", "maildir=default")
    assert row(p, "account", "show", "anna")["maildir"] is None


@pytest.mark.parametrize("value, says", [
    ("Maildir", "maildir: Maildir is no absolute path"), ("", "none"), ("/a/../b", '".."'), ("/a/%h", "none of %u"), ("/", "root of all"),
    ("/a/%d", "has no domain"), ("/proc/self/%u", "lies in /proc, /sys or /dev"), ("//dev/shm", "lies in /proc, /sys or /dev"), ("/" + "x" * 1024, "maildir"),
])
def test_a_wrong_path_is_named(p, value, says):
    p.account("anna")
    before = row(p, "account", "show", "anna")
    if value:
        fails(p, "account", "set", "anna", "maildir=" + value, says=says)
    assert row(p, "account", "show", "anna") == before


def test_what_decides_and_in_what_order(p):
    p.good("domain", "add", "client1.com")
    p.account("anna@client1.com")
    p.account("bert")

    def path(name="anna@client1.com"):
        return row(p, "account", "show", name)["path"]

    pop3(p, maildir="/all/%u")
    assert path() == "/all/anna@client1.com" and path("bert") == "/all/bert"
    fails(p, "domain", "set", "client1.com", "maildir=/d", says="neither %u")
    p.good("domain", "set", "client1.com", "maildir=/d/%n")
    assert "maildir       /d/%n" in p.good("domain", "show", "client1.com").out
    assert path() == "/d/anna" and path("bert") == "/all/bert"
    p.good("account", "set", "anna@client1.com", "maildir=/own")
    assert path() == "/own"
    p.good("account", "set", "anna@client1.com", "maildir=none")
    assert path() is None
    p.good("account", "set", "anna@client1.com", "maildir=default")
    p.good("domain", "set", "client1.com", "maildir=none")
    assert path() is None
    p.good("domain", "set", "client1.com", "maildir=default")
    assert path() == "/all/anna@client1.com"
    pop3(p, maildir="/all/%d/%n")
    assert row(p, "account", "show", "bert")["path_wrong"] and "nowhere: " in p.good("account", "show", "bert").out
    pop3(p, maildir="/all")
    fails(p, "check", says="all would have the same Maildir", code=2)
    pop3(p)
    assert path() is None


def test_a_target_is_delivered_into_the_maildir(p, origin):
    p.account("anna")
    p.good("account", "set", "anna", "maildir=" + os.path.join(p.home, "mail", "%u"))
    p.clear("box", origin, deliver=["mailbox:anna/INBOX"], after="delete")
    done = p.good("collect", "box")
    assert done.summary()["box"]["collected"] == 4
    assert octets(p.home, "mail", "anna") == normal(corpus.small(4))
    assert names(p.home, "mail", "anna", "tmp") == []
    assert p.good("collect", "box").summary()["box"]["collected"] == 0
    p.clear("two", origin, deliver=["mailbox:anna/x.y"])
    fails(p, "collect", "two", says='in a Maildir the name of a box has no "."')


def test_a_box_is_a_maildir_folder(p, origin):
    p.account("anna")
    p.good("account", "set", "anna", "maildir=" + os.path.join(p.home, "mail"))
    p.clear("box", origin, deliver=["mailbox:anna/Entwürfe/alt"])
    assert p.good("collect", "box").summary()["box"]["collected"] == 4
    assert octets(p.home, "mail", ".Entw&APw-rfe.alt") == normal(corpus.small(4))
    assert octets(p.home, "mail") == [] and os.path.exists(os.path.join(p.home, "mail", ".Entw&APw-rfe.alt", "maildirfolder"))
    rows = data(p("mailbox", "list", "--json"))
    assert [(r["mailbox"], r["messages"]) for r in rows] == [("anna/INBOX", 0), ("anna/Entwürfe/alt", 4)]
    assert rows[1]["maildir"] == os.path.join(p.home, "mail", ".Entw&APw-rfe.alt")
    assert "anna/Entwürfe/alt  4 messages  in the Maildir" in p.good("mailbox", "list").out


def test_only_who_is_known_gets_a_maildir(p, origin):
    pop3(p, maildir=os.path.join(p.home, "mail", "%u"))
    p.clear("box", origin, deliver=["mailbox:dora/INBOX"])
    fails(p, "collect", "box", says="neither account dora")
    fails(p, "mailbox", "import", "dora/INBOX", "eml:" + p.home, says="neither such an account")
    assert not os.path.exists(os.path.join(p.home, "mail"))
    os.makedirs(os.path.join(p.home, "mail", "dora"))     # another source of users knows her
    assert p.good("collect", "box").summary()["box"]["collected"] == 4
    assert octets(p.home, "mail", "dora") == normal(corpus.small(4))


def test_mail_is_not_hidden_by_a_setting(p, origin):
    p.good("domain", "add", "client1.com")
    p.account("anna@client1.com")
    p.clear("box", origin, deliver=["mailbox:anna@client1.com/INBOX"])
    p.good("collect", "box")
    where = os.path.join(p.home, "mail", "%n")
    fails(p, "account", "set", "anna@client1.com", "maildir=" + where, says="mailbox export")
    fails(p, "domain", "set", "client1.com", "maildir=" + where, says="mailbox export")
    pop3(p, maildir=where)
    assert "hidden" in p.good("mailbox", "list").out
    pop3(p)
    p.good("mailbox", "export", "anna@client1.com/INBOX", "maildir:" + os.path.join(p.home, "mail", "anna"))
    p.good("mailbox", "remove", "anna@client1.com/INBOX", "--with-messages")
    p.good("domain", "set", "client1.com", "maildir=" + where)
    assert row(p, "mailbox", "list")["messages"] == 4
    assert p.good("collect", "box").summary()["box"]["collected"] == 0      # it has them
    fails(p, "mailbox", "add", "anna@client1.com/other", says="made with its first message")
    fails(p, "mailbox", "remove", "anna@client1.com/INBOX", "--with-messages", says="lies in the Maildir")


def test_import_export_and_show(p):
    p.account("anna")
    mail = corpus.small(5)
    where = os.path.join(p.home, "eml")
    os.mkdir(where)
    for n, m in enumerate(mail):
        with open(os.path.join(where, f"{n}.eml"), "wb") as f:
            f.write(m)
    p.good("account", "set", "anna", "maildir=" + os.path.join(p.home, "mail"))
    assert row(p, "mailbox", "import", "anna/INBOX", "eml:" + where)["messages"] == 5
    assert octets(p.home, "mail") == normal(mail)
    for name in names(p.home, "mail", "new"):
        size = os.path.getsize(os.path.join(p.home, "mail", "new", name))
        assert f",S={size}," in name
    assert sorted(p.in_mailbox()) == normal(mail)
    rows = data(p("mailbox", "show", "anna/INBOX", "--json"))
    assert [r["number"] for r in rows] == [1, 2, 3, 4, 5] and sum(r["octets"] for r in rows) == sum(len(m) for m in normal(mail))
    assert {r["file"] for r in rows} == set(names(p.home, "mail", "new")) and not any(r["seen"] for r in rows)
    first = names(p.home, "mail", "new")[0]
    os.rename(os.path.join(p.home, "mail", "new", first), os.path.join(p.home, "mail", "cur", first + ":2,S"))
    assert [r["seen"] for r in data(p("mailbox", "show", "anna/INBOX", "--json"))].count(True) == 1
    p.good("mailbox", "export", "anna/INBOX", "maildir:" + os.path.join(p.home, "copy"))
    assert octets(p.home, "copy") == normal(mail) and len(names(p.home, "copy", "cur")) == 1
    assert data(p("mailbox", "show", "anna/none", "--json")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives away")
def test_what_root_imports_is_the_owners(p):
    p.account("anna")
    where = os.path.join(p.home, "mail")
    os.mkdir(where)
    os.chmod(p.home, 0o711)
    os.chown(where, NOBODY, NOBODY)
    with open(os.path.join(p.home, "1.eml"), "wb") as f:
        f.write(b"Subject: x\n\nx\n")
    p.good("account", "set", "anna", "maildir=" + where)
    p.good("mailbox", "import", "anna/lists/info", "eml:" + p.home)
    for folder, _, files in os.walk(where):
        for name in [folder] + [os.path.join(folder, f) for f in files]:
            assert os.stat(name).st_uid == NOBODY, name
    assert len(octets(where, ".lists.info")) == 1


def test_a_running_instance_sees_the_same_places(tmp_path, authority):
    with Server(tmp_path, authority) as s:
        s.account("anna", corpus.small(2))
        s.account("bert")
        s.start()
        mail = os.path.join(s.home, "mail")
        fails(s.p, "account", "set", "anna", "maildir=" + mail, says="mailbox export")
        s.p.good("account", "set", "bert", "maildir=" + mail)
        where = s.put(corpus.small(3))
        s.p.good("mailbox", "import", "bert/INBOX", "eml:" + where)
        assert octets(mail) == normal(corpus.small(3))
        assert sorted(s.p.in_mailbox("bert/INBOX")) == normal(corpus.small(3))
        rows = {r["mailbox"]: r for r in data(s.p("mailbox", "list", "--json"))}
        assert rows["bert/INBOX"]["messages"] == 3 and rows["anna/INBOX"]["messages"] == 2
        s.keys["maildir"] = os.path.join(s.home, "all", "%u")
        s.reload()
        s.wait_log("pop3.maildir: 1 mailboxes of the store have mail that nobody sees now, anna/INBOX is the first")
        assert row(s.p, "account", "show", "anna")["path"] == os.path.join(s.home, "all", "anna")
        rows = {(r["mailbox"], "maildir" in r): r for r in data(s.p("mailbox", "list", "--json"))}
        assert rows[("anna/INBOX", False)]["hidden"] and rows[("anna/INBOX", True)]["messages"] == 0
        s.p.good("account", "set", "anna", "maildir=none")
        assert len(s.p.in_mailbox("anna/INBOX")) == 2
        s.keys["maildir"] = None
        s.reload()
        assert row(s.p, "account", "show", "anna")["path"] is None


def test_collect_of_an_instance_delivers_into_maildirs(tmp_path, authority, origin):
    with Server(tmp_path, authority) as s:
        s.account("anna")
        s.keys["maildir"] = os.path.join(s.home, "all", "%u")
        s.p.clear("box", origin, deliver=["mailbox:anna/INBOX"])
        s.start()
        assert s.p.good("collect", "box").summary()["box"]["collected"] == 4
        assert octets(s.home, "all", "anna") == normal(corpus.small(4))
        assert s.p.good("collect", "box").summary()["box"]["collected"] == 0


def test_what_is_delivered_there_is_served_from_there(home, authority, origin):
    """All that puts mail somewhere, and POP3, mean the same place: import, collect, XTND XMIT, folders."""
    with Server(home, authority, maildir=os.path.join(home, "all", "%u"), submission="mailbox:archive/INBOX") as s:
        s.account("anna", corpus.small(3))
        s.account("archive")
        s.p.clear("box", origin, deliver=["mailbox:anna/lists/info"])
        s.start()
        assert s.p.good("collect", "box").summary()["box"]["collected"] == 4
        c = s.login()
        assert c.ask("STAT").startswith("+OK 3 ")
        first = c.message("RETR 1")
        c.good("DELE 1")
        c.good("XTND XMIT")
        c.send(b"From: a@b\r\nTo: c@d\r\nBcc: secret@e\r\n\r\nhello\r\n.\r\n")
        assert c.line().startswith("+OK")
        c.quit()
        assert octets(s.home, "all", "anna") == sorted(m for m in normal(corpus.small(3)) if m != first)
        sent, = octets(s.home, "all", "archive")
        assert b"secret" not in sent and sent.endswith(b"hello\r\n")
        c = s.raw()
        c.login("lists/info#anna", s.secrets["anna"])
        assert c.ask("STAT").startswith("+OK 4 ")
        c.quit()
        c = s.login("archive")
        assert c.message("RETR 1") == sent
        c.quit()


def test_no_link_leads_out_of_a_maildir(home, authority, origin):
    """Whose Maildir it is makes links in it; nobody gets, removes or delivers mail through one."""
    with Server(home, authority, maildir=os.path.join(home, "link", "%u"), submission="mailbox:anna/out") as s:
        os.mkdir(os.path.join(home, "all"))
        os.symlink("all", os.path.join(home, "link"))     # the administrator's, and good
        s.account("anna", corpus.small(2))
        s.account("boss", corpus.small(3))
        anna, boss = os.path.join(home, "all", "anna"), os.path.join(home, "all", "boss")
        os.symlink("../boss", os.path.join(anna, ".steal"))
        os.makedirs(os.path.join(anna, ".part", "cur"))
        os.symlink("../../boss/new", os.path.join(anna, ".part", "new"))
        os.makedirs(os.path.join(anna, ".out", "new"))
        os.symlink("../../boss/tmp", os.path.join(anna, ".out", "tmp"))
        s.p.clear("box", origin, deliver=["mailbox:anna/steal"])
        s.start()
        for folder, link in ("steal", ".steal"), ("part", ".part/new"):
            c = s.raw()
            c.good("USER " + folder + "#anna")
            assert c.ask("PASS " + s.secrets["anna"]).startswith("-ERR [SYS/")
            c.quit()
            s.wait_log(f"/link/anna/{link} is a symbolic link")
            says = f"/link/anna/{link} is a symbolic link, and none is followed inside of a Maildir"
            fails(s.p, "mailbox", "show", "anna/" + folder, says=says)
            fails(s.p, "mailbox", "export", "anna/" + folder, "maildir:" + os.path.join(home, "copy"), says=says)
            rows = {r["mailbox"]: r for r in data(s.p("mailbox", "list", "--json"))}
            assert rows["anna/" + folder]["messages"] is None and link in rows["anna/" + folder]["why"]
        fails(s.p, "mailbox", "import", "anna/steal", "eml:" + s.put(corpus.small(1)), says="/link/anna/.steal is a symbolic link")
        assert "/link/anna/.steal is a symbolic link" in (lambda d: d.out + d.err)(s.p("collect", "box"))
        c = s.login("boss")
        assert c.ask("STAT").startswith("+OK 3 ")
        c.good("XTND XMIT")
        c.send(b"From: a@b\r\nTo: c@d\r\n\r\nhello\r\n.\r\n")
        assert c.line().startswith("-ERR")
        c.quit()
        c = s.login()
        assert c.ask("STAT").startswith("+OK 2 ")
        c.quit()
        assert octets(boss) == normal(corpus.small(3)) and names(boss) == ["cur", "new", "tmp"] and names(boss, "tmp") == []


def test_a_setting_goes_with_its_account(p):
    p.account("anna")
    p.good("account", "set", "anna", "maildir=/old")
    p.good("account", "remove", "anna")
    p.account("anna")
    assert row(p, "account", "show", "anna")["maildir"] is None


def test_a_backup_has_the_settings(p):
    p.account("anna")
    p.good("account", "set", "anna", "maildir=/m/%u")
    where = os.path.join(p.home, "backup")
    p.good("backup", where)
    shutil.rmtree(p.state)
    p.good("restore", where)
    assert row(p, "account", "show", "anna")["path"] == "/m/anna"
