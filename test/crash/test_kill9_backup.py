# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any instant of a backup or a restore: the old store or the new one, and no half backup taken for a whole.

Instants are random times within an undisturbed run; every system call is src/store/restore_test.c's to try.
"""
import os
import random
import shutil
import time

import pytest

import corpus
from postrider import Postrider
from trial import SEED, kills

KILLS = kills(30)
LARGE = [b"Subject: large\r\n\r\n" + b"x" * 4_000_000 + b"\r\n"] * 4


def put(p, name, mail):
    where = os.path.join(p.home, name)
    os.mkdir(where)
    for n, octets in enumerate(mail):
        with open(os.path.join(where, f"{n:06}.eml"), "wb") as f:
            f.write(octets)
    p.good("mailbox", "import", "anna/INBOX", "eml:" + where)
    shutil.rmtree(where)


def count(p):
    return sum(row["messages"] for row in p.good("mailbox", "list", "--json").rows())


def killed(p, instant, *args):
    process = p.start(*args)
    time.sleep(instant)
    process.kill()
    process.communicate(timeout=60)
    return process.returncode == 0


@pytest.fixture
def p(home):
    p = Postrider(home)
    p.good("account", "add", "anna", "--recoverable", "--password-file", "-", stdin=b"unmistakable-word-9\n")
    put(p, "mail", corpus.messages(200)[:200] + LARGE)
    return p


def lasts(p, *args):
    began = time.monotonic()
    p.good(*args)
    return time.monotonic() - began


@pytest.mark.slow
def test_a_backup_killed_at_any_time(p):
    rng = random.Random(f"{SEED} backup")
    there, to = count(p), os.path.join(p.home, "b")
    took = lasts(p, "backup", to)
    shutil.rmtree(to)
    whole = 0
    for _ in range(KILLS):
        ended = killed(p, rng.random() * took * 1.1, "backup", to)
        done = p("restore", "--verify-only", to)
        assert done.code == 0 or not ended, done
        assert (done.code == 0) == os.path.exists(os.path.join(to, "manifest")), done
        if done.code == 0:
            whole += 1
            assert f"{there} messages" in done.out, done
        assert count(p) == there
        shutil.rmtree(to, ignore_errors=True)
    print(f"{whole} of {KILLS} were whole")


@pytest.mark.slow
def test_a_restore_killed_at_any_time(p):
    rng = random.Random(f"{SEED} restore")
    old, to = count(p), os.path.join(p.home, "b")
    p.good("backup", to)
    took = lasts(p, "restore", "--replace", to)
    with open(os.path.join(to, "secret.key"), "rb") as f:
        key = f.read()
    other = bytes(32)
    new = 0
    for number in range(KILLS):
        put(p, "more", corpus.small(3))
        with open(os.path.join(p.state, "secret.key"), "wb") as f:
            f.write(other)
        killed(p, rng.random() * took * 1.1, "restore", "--replace", to)
        there = count(p)
        assert there in (old, old + 3), f"{there} messages, number {number}, seed {SEED}"
        with open(os.path.join(p.state, "secret.key"), "rb") as f:
            assert f.read() == (key if there == old else other), f"number {number}, seed {SEED}"
        aside = [n for n in os.listdir(p.state) if n.startswith("store.")]
        assert "store.restoring" not in aside
        new += there == old
        if there != old:
            p.good("restore", "--replace", to)
            aside = [n for n in os.listdir(p.state) if n.startswith("store.")]
        for name in aside:
            shutil.rmtree(os.path.join(p.state, name))
    p.good("restore", "--verify-only", to)
    print(f"{new} of {KILLS} times the new one")
