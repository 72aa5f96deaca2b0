# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the POP3 service while QUIT deletes: all of it or nothing, never a part of a message, and
what was answered +OK is gone.

The instant is random, from before QUIT is sent to a while behind it, and half of the kills come as soon as
the answer does.  What small and large deletions take differs: one batch, and an intent with its parts.
"""
import os
import random
import shutil
import threading
import time

import pytest

import corpus
from serving import Server, shown
from trial import SEED, each, kills

KILLS = kills(50)
DELETED = 20


def mark(s, numbers):
    c = s.login()
    c.send("".join(f"DELE {n}\r\n" for n in numbers))
    for _ in numbers:
        assert c.line().startswith("+OK")
    return c


def quit_and_kill(s, numbers, wait):
    """Deletes these messages; kills the service `wait` s after QUIT was sent (None: when it was answered).  → was it +OK?"""
    c = mark(s, numbers)
    killer = threading.Thread(target=lambda: (time.sleep(wait), s.process.kill())) if wait is not None else None
    if killer:
        killer.start()
    said = b""
    try:
        c.send("QUIT\r\n")
        said = c.until(b"\r\n")
    except (EOFError, OSError):
        pass
    if killer:
        killer.join()
    s.kill()
    c.close()
    assert said in (b"", b"+OK\r\n"), said
    return said != b""


def undisturbed(s, numbers):
    """How long QUIT takes."""
    with mark(s, numbers) as c:
        since = time.monotonic()
        c.quit()
    return time.monotonic() - since


def seen_by_pop3(s):
    """What the next session has: sizes as announced, octets whole."""
    got = []
    with s.login() as c:
        sizes = [int(line.split()[1]) for line in c.multi("LIST")]
        for first in range(0, len(sizes), 100):
            part = sizes[first:first + 100]
            c.send("".join(f"RETR {first + n}\r\n" for n in range(1, len(part) + 1)))
            for size in part:
                assert c.line().startswith("+OK")
                got.append(c.block())
                assert len(got[-1]) == size
        c.quit()
    return got


def trial(s, mail, numbers, wait, story):
    """One kill with a fresh mailbox → (answered, deleted)"""
    s.start()
    answered = quit_and_kill(s, numbers, wait)
    all_of_it, rest = mail, [m for n, m in enumerate(mail, 1) if n not in numbers]
    s.start()
    got = seen_by_pop3(s)
    s.stop()
    assert got in (all_of_it, rest), f"{len(got)} messages, of {len(mail)} and {len(numbers)} to be deleted; {story}"
    assert not answered or got == rest, f"+OK, and it is there; {story}"
    return answered, got == rest


def run(home, authority, mail, numbers, count, rng):
    """Each kill has a copy of the same mailbox."""
    want = [shown(m) for m in mail]
    outcomes = []
    with Server(each(home, "first"), authority) as first:
        first.account("anna", mail)
        kept = shutil.copytree(first.p.state, os.path.join(home, "kept"))
        first.start()
        took = undisturbed(first, numbers)
    for number in range(count):
        path = each(home, str(number))
        wait = None if number % 5 == 4 else rng.random() * took * 1.2
        story = f"killed {wait} s after QUIT, which takes {took} s; seed {SEED}, number {number}"
        s = Server(path, authority)
        s.secrets = first.secrets
        shutil.copytree(kept, s.p.state)
        outcomes.append(trial(s, want, numbers, wait, story))
        shutil.rmtree(path)
    print(f"seed {SEED}: answered and deleted {outcomes.count((True, True))}, deleted {outcomes.count((False, True))}, "
          f"neither {outcomes.count((False, False))}")
    return outcomes


@pytest.mark.slow
def test_killed_during_quit(home, authority):
    rng = random.Random(f"{SEED} quit")
    numbers = set(rng.sample(range(1, 31), DELETED))
    run(home, authority, corpus.messages(30), numbers, KILLS, rng)


@pytest.mark.slow
def test_killed_during_the_quit_of_a_large_mailbox(home, authority):
    """More index pages than one batch holds: the parts of an intent become durable before it does."""
    rng = random.Random(f"{SEED} large")
    mail = [b"Subject: %d\n\nsmall\n" % n for n in range(30_000)]
    run(home, authority, mail, set(range(1, len(mail) + 1, 2)), (KILLS + 2) // 3, rng)
