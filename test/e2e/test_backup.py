# SPDX-License-Identifier: Apache-2.0
"""`backup` and `restore`: what comes back is what was there, octet for octet, and nothing else is touched."""
import os
import re
import shutil
import stat
import subprocess

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from test_commands import data

MESSAGES = 1000
WORD = b"unmistakable-word-7\n"


def put(p, mail, box="anna/INBOX"):
    """Appends messages, in order."""
    p.puts = getattr(p, "puts", 0) + 1
    where = os.path.join(p.home, f"put{p.puts}")
    os.mkdir(where)
    for n, octets in enumerate(mail):
        with open(os.path.join(where, f"{n:06}.eml"), "wb") as f:
            f.write(octets)
    p.good("mailbox", "import", box, "eml:" + where)


def uids(p, box="anna/INBOX"):
    return [row["uid"] for row in data(p("mailbox", "show", box, "--json"))]


def tree(path):
    """Every file below, with mode and octets."""
    out = {}
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as f:
                out[os.path.relpath(full, path)] = (stat.S_IMODE(os.stat(full).st_mode), f.read())
    return out


def fails(p, *args, says, code):
    done = p(*args)
    assert done.code == code and says in done.err, done


@pytest.fixture
def backup(p):
    """anna/INBOX with a few messages, and a backup of it in HOME/backup."""
    p.account()
    put(p, corpus.small(5))
    p.good("backup", os.path.join(p.home, "backup"))
    return os.path.join(p.home, "backup")


def test_a_thousand_messages_come_back(p):
    mail = corpus.messages(MESSAGES)[:MESSAGES]
    to = os.path.join(p.home, "backup")
    p.account()
    put(p, mail)
    before, names = p.in_mailbox(), uids(p)
    assert len(before) == len(mail)
    row, = data(p("backup", to, "--json"))
    assert row["octets"] == os.path.getsize(os.path.join(to, "data.mdb")) and row["secret_key"] is False and row["packed"]
    p.good("mailbox", "remove", "anna/INBOX", "--with-messages")
    put(p, corpus.small(3))
    p.good("account", "remove", "anna", "--with-mailboxes")
    done = p.good("restore", "--replace", to)
    assert f"{MESSAGES} messages" in done.out, done
    assert p.in_mailbox() == before and uids(p) == names


def test_what_was_given_out_after_the_backup_is_not_given_again(p, backup):
    """A client that has seen a unique-id would take another message under it for the one it has."""
    kept = uids(p)
    put(p, corpus.small(4))
    given = set(uids(p)) - set(kept)
    for _ in range(3):
        p.good("restore", "--replace", backup)
        assert uids(p) == kept
        put(p, corpus.small(4))
        new = uids(p)[len(kept):]
        assert len(new) == 4 and not given & set(new)
        given |= set(new)
    put(p, corpus.small(1), "anna/another")
    p.good("mailbox", "remove", "anna/another", "--with-messages")


def test_what_was_replaced_is_kept_and_named(p, backup):
    put(p, corpus.small(2))
    there = p.in_mailbox()
    fails(p, "restore", backup, says="--replace", code=2)
    assert p.in_mailbox() == there
    done = p.good("restore", "--replace", backup)
    name = re.search(r"kept as \S+/(store\.before-restore-\d{8}T\d{6}Z)", done.out)[1]
    assert len(p.in_mailbox()) == 5
    shutil.rmtree(os.path.join(p.state, "store"))
    os.rename(os.path.join(p.state, name), os.path.join(p.state, "store"))
    assert p.in_mailbox() == there


def test_a_recoverable_password_needs_the_key(p):
    to, without, elsewhere = (os.path.join(p.home, n) for n in ("with", "without", "elsewhere"))
    p.good("account", "add", "anna", "--recoverable", "--password-file", "-", stdin=WORD)
    with open(os.path.join(p.state, "secret.key"), "rb") as f:
        key = f.read()
    done = p.good("backup", to)
    assert "secret.key" in done.out, done
    done = p.good("backup", "--without-key", without)
    assert "set the passwords that can be recovered again" in done.out, done
    assert sorted(os.listdir(without)) == ["data.mdb", "manifest"]
    for folder in (to, without):
        for mode, octets in tree(folder).values():
            assert mode == 0o600 and WORD.strip() not in octets
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    p.good("restore", to, "--state", elsewhere)
    assert tree(elsewhere)["secret.key"] == (0o600, key)
    os.unlink(os.path.join(p.state, "secret.key"))
    done = p.good("restore", "--replace", without)
    assert "no secret.key" in done.err and not os.path.exists(os.path.join(p.state, "secret.key")), done
    p.good("restore", "--replace", to)
    with open(os.path.join(p.state, "secret.key"), "rb") as f:
        assert f.read() == key


def test_looking_changes_nothing(p, backup):
    state, there = tree(p.state), tree(backup)
    for path in [backup] + [os.path.join(backup, n) for n in there]:
        os.chmod(path, 0o500 if path == backup else 0o400)
    done = p.good("restore", "--verify-only", backup)
    assert "1 mailboxes, 5 messages" in done.out, done
    row, = data(p("restore", "--verify-only", backup, "--json"))
    assert row["messages"] == 5 and row["restored"] is False and row["replaced"] is None
    assert {n: o for n, (_, o) in tree(backup).items()} == {n: o for n, (_, o) in there.items()}
    assert tree(p.state) == state
    os.chmod(backup, 0o700)


@pytest.mark.parametrize("name, change, says", [
    ("data.mdb", lambda o: o[:-4096], "octets"),
    ("data.mdb", lambda o: o[:5000] + bytes([o[5000] ^ 1]) + o[5001:], "SHA-256"),
    ("data.mdb", None, "data.mdb"),
    ("manifest", lambda o: o[:-1], "cut off or damaged"),
    ("manifest", lambda o: b"", "manifest"),
    ("manifest", lambda o: o.replace(b"postrider-backup 1", b"postrider-backup 2"), "another version"),
    ("manifest", None, "no manifest"),
])
def test_a_damaged_backup_is_refused(p, backup, name, change, says):
    path = os.path.join(backup, name)
    with open(path, "rb") as f:
        octets = f.read()
    os.unlink(path)
    if change:
        with open(path, "wb") as f:
            f.write(change(octets))
    put(p, corpus.small(2))
    there = p.in_mailbox()
    for args in (["--verify-only", backup], ["--replace", backup]):
        done = p("restore", *args)
        assert done.code != 0 and says in done.err, done
    assert p.in_mailbox() == there
    assert not [n for n in os.listdir(p.state) if n.startswith("store.")]


def test_a_store_in_use_is_not_replaced(p, backup):
    """While another process holds run.lock: it is named, and nothing happens."""
    with Pop3d(Maildrop(corpus.small(2)), pace=3) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"])
        visit = p.start("collect", "box")
        try:
            lock = os.path.join(p.state, "run.lock")
            while visit.poll() is None and not (os.path.exists(lock) and os.path.getsize(lock)):
                pass
            fails(p, "restore", "--replace", backup, says="is in use by process", code=1)
        finally:
            visit.kill()
            visit.communicate()
    assert not [n for n in os.listdir(p.state) if n.startswith("store.")]
    p.good("restore", "--replace", backup)


def test_kept_mail_comes_again_after_a_restore_and_the_command_says_so(p):
    """What came after the backup and stayed at its server is fetched again; what was removed by a client is back."""
    to = os.path.join(p.home, "backup")
    mail = corpus.small(6)
    p.account()
    with Pop3d(Maildrop(mail[:3])) as origin:
        p.clear("box", origin, after="keep", deliver=["mailbox:anna/INBOX"])
        p.good("collect", "box")
    p.good("backup", to)
    with Pop3d(Maildrop(mail)) as origin:
        p.clear("box", origin, after="keep", deliver=["mailbox:anna/INBOX"])
        assert p.good("collect", "box").summary()["box"]["collected"] == 3
        there = p.in_mailbox()
        done = p.good("restore", "--replace", to)
        assert re.search(r"collected after \S+ is not in the store", done.err), done
        assert p.good("collect", "box").summary()["box"]["collected"] == 3
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
    assert p.in_mailbox() == there


def test_a_backup_is_made_in_a_new_or_empty_directory(p, backup):
    before = tree(backup)
    fails(p, "backup", backup, says="it has a backup", code=2)
    assert tree(backup) == before
    os.unlink(os.path.join(backup, "manifest"))
    fails(p, "backup", backup, says="cut off", code=2)
    fails(p, "restore", "--verify-only", backup, says="no manifest", code=2)
    fails(p, "backup", p.state, says="not empty", code=2)
    fails(p, "backup", says="name the directory", code=2)
    fails(p, "restore", says="name the backup", code=2)
    fails(p, "restore", "--verify-only", "--replace", backup, says="one of them", code=2)


def limited(p, octets, *args):
    """With a limit on file sizes: as full as a disk can be."""
    import resource
    done = subprocess.run(p.argv(*args), env=p.environment(), cwd=p.home, capture_output=True, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets)))
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("room", [0, 5000, 300_000, 2_000_000])
def test_a_full_disk_leaves_all_as_it_was(p, room):
    p.account()
    put(p, corpus.messages(120)[:120] + [b"Subject: large\r\n\r\n" + b"x" * 3_000_000 + b"\r\n"])
    there, to = p.in_mailbox(), os.path.join(p.home, "b")
    code, err = limited(p, room, "backup", to)
    assert code == 1 and ("File too large" in err or "cannot be" in err), (code, err)
    assert not os.path.exists(to)
    p.good("backup", to)
    put(p, corpus.small(2))
    more = p.in_mailbox()
    code, err = limited(p, room, "restore", "--replace", to)
    assert code == 1 and ("File too large" in err or "cannot be" in err), (code, err)
    assert not [n for n in os.listdir(p.state) if n.startswith("store.")]
    assert p.in_mailbox() == more
    p.good("restore", "--replace", to)
    assert p.in_mailbox() == there


def test_a_disk_that_is_full_says_no_space(p):
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small file system is root's to make")
    small = os.path.join(p.home, "small")
    os.mkdir(small)
    p.account()
    put(p, [b"Subject: large\r\n\r\n" + b"x" * 3_000_000 + b"\r\n"])
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        fails(p, "backup", os.path.join(small, "b"), says="No space left", code=1)
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)
    assert len(p.in_mailbox()) == 1


def test_a_backup_that_is_stopped_leaves_nothing(p):
    p.account()
    put(p, [b"Subject: large\r\n\r\n" + b"x" * 30_000_000 + b"\r\n"] * 8)
    to = os.path.join(p.home, "b")
    process = p.start("backup", to)
    data_file = os.path.join(to, "data.mdb")
    while process.poll() is None and not (os.path.exists(data_file) and os.path.getsize(data_file)):
        pass
    process.terminate()
    done = p.finish(process)
    if done.code == 0:      # it was faster
        p.good("restore", "--verify-only", to)
        return
    assert done.code == 1 and "stopped" in done.err, done
    assert not os.path.exists(to)


def test_restore_as_root_leaves_the_state_to_its_owner(p, backup):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    state = os.path.join(p.home, "theirs")
    os.mkdir(state)
    os.chown(state, 1234, 1234)
    p.good("restore", backup, "--state", state)
    for folder, folders, names in os.walk(state):
        for name in folders + names:
            assert os.stat(os.path.join(folder, name)).st_uid == 1234, name
