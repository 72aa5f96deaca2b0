# SPDX-License-Identifier: Apache-2.0
"""Folder targets of visits (PRODUCT 2.2): POP3 and IMAP, a consumer beside them, and folders that cannot be written."""
import json
import os
import re
import shutil
import subprocess
import threading

import pytest

import corpus
from imap_helpers import keys
from imap_parse import utf7
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Pop3d
from postrider import PROGRAM, section
from test_folder import MIXED, files, indexes

NAME = re.compile(r"order\.\d{4}-\d\d-\d\d\.\d{6}(#\d+)?")


@pytest.fixture
def out(p):
    """A target section `out` with a template and parts; → its path."""
    template = os.path.join(p.home, "note.txt")
    with open(template, "w", encoding="ascii") as f:
        f.write("%subject% from %FROM%\n")
    folder(p, prefix="order", template=template, split=True)
    p.account()
    return os.path.join(p.home, "Out")


def folder(p, **more):
    p.sections["target"] = section("target out", {"type": "folder", "path": os.path.join(p.home, "Out"), **more})
    p.write()


def pop3(p, origin, **more):
    p.clear("box", origin, **{"after": "delete", "deliver": ["out"], **more})


def counts(p, name="box", code=0):
    done = p("collect", name)
    assert done.code == code, done
    return done, done.summary()[name]


def messages(path):
    return sorted(files(path)[index["message"]] for index in indexes(path))


def normal(mail):
    return sorted(corpus.normal(m) for m in mail)


def tidy(path):
    """Nothing is on its way, and all files belong to an index."""
    named = [n for i in indexes(path) for n in [i["message"], i["message"][:-4] + ".json", i.get("text")] + [part["file"] for part in i.get("parts", [])]]
    return os.listdir(os.path.join(path, ".tmp")) == [] and sorted(n for n in named if n) == sorted(files(path))


def test_pop3_into_a_folder_with_parts_and_a_template(p, out):
    mail = [b"Return-Path: <carla@example.org>\n" + MIXED] + corpus.small(5)
    with Pop3d(Maildrop(mail)) as origin:
        pop3(p, origin)
        assert counts(p)[1]["collected"] == 6 and origin.drop.octets() == []
        assert counts(p)[1]["collected"] == 0
    got, every = files(out), indexes(out)
    assert messages(out) == normal(mail) and tidy(out)
    assert all(NAME.fullmatch(i["message"][:-4]) and i["facts"]["source"] == "connection" and i["facts"]["connection"] == "box" for i in every)
    assert sorted(i["facts"]["uid"] for i in every) == [f"uid{n:06d}" for n in range(1, 7)]
    assert all("mailbox" not in i["facts"] and i["recipients"] == [] for i in every)
    index = next(i for i in every if i["sender"] == "carla@example.org")
    assert got[index["text"]] == b"the _offer_ _x_ from Anna <anna@example.org>\n"
    with open(PROGRAM, "rb") as f:
        gmime = b"libgmime-3" in f.read()
    assert ("without GMime" in p("check").text) == (not gmime)
    if gmime:
        body, pdf = index["parts"]
        assert got[body["file"]] == "Jörg".encode() and got[pdf["file"]] == bytes(range(4))


def test_imap_into_a_folder(p, out):
    store = Mailstore(corpus.small(3))
    store.create(utf7("Entwürfe"))
    more = corpus.small(2, seed=9)
    for octets in more:
        store.add(utf7("Entwürfe"), octets)
    with Imapd(store) as origin:
        p.clear("box", origin, protocol="imap", after="delete", mailbox=["INBOX", "Entwürfe"], deliver=["out", "maildir:" + p.maildir])
        assert counts(p)[1]["collected"] == 5 and store.octets() == []
        assert counts(p)[1]["collected"] == 0
    assert messages(out) == normal(corpus.small(3) + more) == normal(p.in_maildir()) and tidy(out)
    facts = [i["facts"] for i in indexes(out)]
    assert sorted(f["mailbox"] for f in facts) == ["Entwürfe"] * 2 + ["INBOX"] * 3
    assert all(re.fullmatch(r"\d+/\d+", f["uid"]) for f in facts) and len({f["uid"] for f in facts}) == 5


def test_imap_of_dovecot_into_a_folder(p, authority, dovecot, out):
    user, mail = dovecot.fresh(), corpus.small(4)
    dovecot.fill(user, mail)
    p.connection("box", **keys(dovecot, authority, user), after="delete", deliver=["out"])
    assert counts(p)[1]["collected"] == 4 and dovecot.left(user) == []
    assert messages(out) == normal(mail) and tidy(out)


def test_a_path_alone_is_a_folder(p, home):
    there, other = os.path.join(p.home, "There"), os.path.join(p.home, "Other")
    with Pop3d(Maildrop(corpus.small(2))) as origin:
        p.clear("box", origin, after="keep", deliver=["folder:" + there])
        assert "not built" not in p.good("check").text
        assert counts(p)[1]["collected"] == 2
        p.good("collect", f"pop3://anna@127.0.0.1:{origin.port}", "--to", "folder:" + other, "--password-command", f"echo {origin.password}",
               "--tls.mode", "none", "--allow_cleartext", "true")
    assert messages(there) == messages(other) == normal(corpus.small(2))
    assert all(name.startswith("mail.") for name in files(there))


def test_a_consumer_finds_all_whole_where_an_index_is(p, out):
    """Messages of one second have numbers; whoever waits for the index takes everything, while more comes."""
    mail, taken, seconds, over = corpus.small(150) + [MIXED] * 10, [], [], threading.Event()

    def take():
        for name in [n for n in os.listdir(out) if n.endswith(".json")] if os.path.isdir(out) else ():
            with open(os.path.join(out, name), "rb") as f:
                index = json.load(f)
            with open(os.path.join(out, index["message"]), "rb") as f:
                taken.append(f.read())
            seconds.append(name)
            assert len(taken[-1]) == index["size"]
            for one in [index["message"], index["text"], name] + [part["file"] for part in index.get("parts", [])]:
                os.unlink(os.path.join(out, one))

    def consume():
        while not over.is_set():
            take()
        take()

    failed = []
    consumer = threading.Thread(target=lambda: failed.extend(failure(consume)))
    with Pop3d(Maildrop(mail)) as origin:
        pop3(p, origin)
        consumer.start()
        try:
            assert counts(p)[1]["collected"] == len(mail) and origin.drop.octets() == []
        finally:
            over.set()
            consumer.join()
    assert not failed, failed
    assert sorted(taken) == normal(mail) and files(out) == {} and os.listdir(out + "/.tmp") == []
    assert len(set(seconds)) == len(mail) and any("#" in name for name in seconds)


def failure(work):
    try:
        work()
    except Exception as e:      # of another thread: told by the test's
        yield e


def test_the_same_folder_twice_is_refused(p, out):
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        p.sections["again"] = section("target again", {"type": "folder", "path": out, "prefix": "again"})
        pop3(p, origin, deliver=["out", "again"])
        done = p("collect", "box")
        assert done.code == 2 and "out and again are the same place" in done.text, done
        assert len(origin.drop.octets()) == 1 and not os.path.exists(out)


# ---- what cannot be written

def own(p, user):
    for top, folders, names in os.walk(p.home):
        for name in [top] + [os.path.join(top, n) for n in folders + names]:
            os.chown(name, user, user)


@pytest.mark.parametrize("order", [["out", "maildir"], ["maildir", "out"]])
def test_a_folder_without_permission_holds_up_nobody(p, out, order):
    """The other target gets each message once, the server keeps them, the ledger knows who has what."""
    mail, user = corpus.small(30), {}
    os.mkdir(out)
    with Pop3d(Maildrop(mail)) as origin:
        pop3(p, origin, deliver=["maildir:" + p.maildir if t == "maildir" else t for t in order])
        if os.geteuid() == 0:       # to whom nothing is forbidden
            own(p, 65534)
            user = {"user": 65534, "group": 65534}
        os.chmod(out, 0o500)
        for _ in range(2):
            done = p.finish(p.start("collect", "box", **user))
            assert done.code == 1 and done.summary()["box"]["collected"] == 0 and done.summary()["box"]["failed"] == 30, done
            assert "target out" in done.text and "Permission denied" in done.text, done
            assert normal(p.in_maildir()) == normal(mail) and len(origin.drop.octets()) == 30 and os.listdir(out) == []
        os.chmod(out, 0o700)
        done = p.finish(p.start("collect", "box", **user))
        assert done.code == 0 and done.summary()["box"]["collected"] == 30 and origin.drop.octets() == [], done
    assert messages(out) == normal(mail) == normal(p.in_maildir()) and tidy(out)


def test_a_folder_alone_without_permission_fails_the_visit(p, out):
    with open(out, "w", encoding="ascii"):
        pass
    with Pop3d(Maildrop(corpus.small(3))) as origin:
        pop3(p, origin)
        done, got = counts(p, code=1)
        assert got["collected"] == 0 and out in done.text and len(origin.drop.octets()) == 3, done
        os.unlink(out)
        assert counts(p)[1]["collected"] == 3 and origin.drop.octets() == []
    assert messages(out) == normal(corpus.small(3)) and tidy(out)


def test_a_full_disk_fails_what_does_not_fit(p, out):
    """The large one stays at the server, pending, whole at the other target, and leaves nothing in the folder."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small file system is root's to make")
    large = b"Subject: large\n\n" + b"x" * 70 + b"\n"
    large += (b"y" * 70 + b"\n") * (3_000_000 // 71)
    mail = corpus.small(3) + [large] + corpus.small(3, seed=4)
    os.mkdir(out)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", out], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    with Pop3d(Maildrop(mail)) as origin:
        try:
            pop3(p, origin, deliver=["out", "maildir:" + p.maildir])
            left = 7
            for visit in range(4):      # others that are written while it fills the disk fare as it does, that time
                done, got = counts(p, code=1)
                left -= got["collected"]
                assert got["failed"] == left and "No space left" in done.text, done
                if left > 1 and visit < 3:
                    continue
                assert left == 1, done
                assert origin.drop.octets() == [corpus.normal(large)] and normal(p.in_maildir()) == normal(mail)
                assert messages(out) == normal(mail[:3] + mail[4:]) and tidy(out)
        finally:
            subprocess.run(["umount", out], check=True)
        assert counts(p)[1]["collected"] == 1 and origin.drop.octets() == []
    assert messages(out) == [corpus.normal(large)] and tidy(out) and normal(p.in_maildir()) == normal(mail)
