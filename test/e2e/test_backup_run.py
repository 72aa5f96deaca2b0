# SPDX-License-Identifier: Apache-2.0
"""A backup of a running service: it goes on serving and taking mail, and what is restored is the store of one moment."""
import os
import re
import signal
import stat
import subprocess
import threading
import time

import pytest

import corpus
from serving import LIMIT, Server, shown, until

MESSAGES = 1000


@pytest.fixture
def s(home, authority):
    with Server(home, authority, max_sessions=50) as server:
        server.account("anna", corpus.messages(MESSAGES)[:MESSAGES])
        server.account("bert", [])
        yield server


def numbered(n):
    return f"Subject: {n}\r\n\r\n".encode() + bytes([65 + n % 26]) * (n * 997 % 60_000) + b"\r\n"


def into(s, name):
    return os.path.join(s.home, name)


class Load(threading.Thread):
    """Appends numbered messages to bert/INBOX, import after import, and takes some of anna's away by POP3."""

    def __init__(self, s):
        super().__init__()
        self.s, self.over, self.durable, self.failed = s, threading.Event(), 0, None

    def run(self):
        try:
            while not self.over.is_set():
                where = self.s.put([numbered(n) for n in range(self.durable, self.durable + 20)])
                self.s.p.good("mailbox", "import", "bert/INBOX", "eml:" + where)
                self.durable += 20
                c = self.s.login("anna")
                for n in range(1, 4) if int(c.good("STAT").split()[1]) > 3 else ():
                    c.good(f"DELE {n}")
                c.quit()
        except Exception as e:      # told by the test's own thread
            self.failed = e


def restored(s, backup, name="restored"):
    """The state directory that a backup becomes, as exports of its boxes."""
    state = into(s, name)
    s.p.good("restore", backup, "--state", state)
    out = {}
    for box in ("anna/INBOX", "bert/INBOX"):
        where = into(s, f"{name}-{box.replace('/', '-')}")
        s.p.good("mailbox", "export", box, "eml:" + where, "--state", state)
        out[box] = []
        for file in sorted(os.listdir(where)):
            with open(os.path.join(where, file), "rb") as f:
                out[box].append(f.read())
    return out


@pytest.mark.slow
def test_a_backup_while_mail_comes_and_goes(s):
    s.start()
    all_of_anna = [shown(m) for m in corpus.messages(MESSAGES)[:MESSAGES]]
    load = Load(s)
    load.start()
    until(lambda: load.durable or load.failed, "some mail")
    try:
        for n in range(3):
            before = load.durable
            done = s.p.good("backup", into(s, f"b{n}"))
            after = load.durable + 20
            got = restored(s, into(s, f"b{n}"), f"r{n}")
            count = len(got["bert/INBOX"])
            assert before <= count <= after, (before, count, after)
            assert got["bert/INBOX"] == [numbered(k) for k in range(count)]
            anna = [shown(m) for m in got["anna/INBOX"]]
            assert anna == all_of_anna[len(all_of_anna) - len(anna):] and len(anna) % 3 == MESSAGES % 3
            assert "secret.key" in done.out, done
    finally:
        load.over.set()
        load.join(LIMIT)
    assert not load.failed, load.failed
    assert "store.backup" in s.log()


def test_the_backup_of_a_running_service_is_like_any_other(s):
    s.start()
    to = into(s, "b")
    row, = s.p.good("backup", to, "--json").rows()
    assert row["secret_key"] and row["packed"] and row["octets"] == os.path.getsize(os.path.join(to, "data.mdb"))
    assert sorted(os.listdir(to)) == ["data.mdb", "manifest", "secret.key"]
    assert all(stat.S_IMODE(os.stat(os.path.join(to, n)).st_mode) == 0o600 for n in os.listdir(to))
    assert f"{MESSAGES} messages" in s.p.good("restore", "--verify-only", to).out
    done = s.p("restore", "--replace", to)
    assert done.code == 1 and "is in use by process" in done.err and "postrider run" in done.err, done
    s.login("anna").quit()
    done = s.p("backup", to)
    assert done.code == 2 and "it has a backup" in done.err, done
    s.stop()
    s.p.good("restore", "--replace", to)
    assert [shown(m) for m in s.octets("anna")] == [shown(m) for m in corpus.messages(MESSAGES)[:MESSAGES]]
    s.start()
    s.login("anna").quit()      # with the password of then


def test_the_service_is_not_harmed_by_who_leaves(s):
    """The command is killed, or stopped, while the service writes: that goes on, and the next backup is good."""
    s.fill("anna", [b"Subject: large\r\n\r\n" + b"x" * 20_000_000 + b"\r\n"] * 6)
    s.start()
    for n, number in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)):
        to = into(s, f"left{n}")
        process = s.p.start("backup", to)
        file = os.path.join(to, "data.mdb")
        until(lambda: process.poll() is not None or (os.path.exists(file) and os.path.getsize(file)), "octets")
        process.send_signal(number)
        process.communicate(timeout=LIMIT)
        if process.returncode and number != signal.SIGKILL:
            assert not os.path.exists(to)
        if process.returncode and number == signal.SIGKILL:
            done = s.p("restore", "--verify-only", to)
            assert done.code == 2 and "no manifest" in done.err, done
    s.login("anna").quit()
    # The one that was broken off may still be ending.
    done = until(lambda: (d := s.p("backup", into(s, f"b{time.monotonic_ns()}"))).code == 0 and d, "a good backup")
    assert re.search(r"the store as it was at \d", done.out), done


def test_a_full_disk_is_the_commands_error(s):
    if os.geteuid() != 0:
        pytest.skip("a small file system is root's to make")
    small = into(s, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        s.start()
        done = s.p("backup", os.path.join(small, "b"))
        assert done.code == 1 and "No space left" in done.err, done
        assert os.listdir(small) == []
        s.login("anna").quit()
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_service_ends_while_it_makes_a_backup(s):
    s.fill("anna", [b"Subject: large\r\n\r\n" + b"x" * 20_000_000 + b"\r\n"] * 6)
    s.start()
    to = into(s, "b")
    process = s.p.start("backup", to)
    file = os.path.join(to, "data.mdb")
    until(lambda: process.poll() is not None or (os.path.exists(file) and os.path.getsize(file)), "octets")
    s.stop()
    done = s.p.finish(process)
    assert done.code == 0 or not os.path.exists(to), done
    assert len(s.octets("anna")) == MESSAGES + 6
