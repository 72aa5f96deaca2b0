# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any instant, then run again: nothing missing, nothing twice.

Two ways to choose an instant: at a random step of the conversation (each
command, its answer, the deletion at QUIT), which hits the narrow places, and
at a random time, which hits what no conversation shows.  See trial.py.
"""
import os
import random
import shutil
import time

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from trial import SEED, TARGETS, Trial, each, kills

KILLS = kills(12)


@pytest.fixture(scope="module")
def mail():
    big = [m for m in corpus.messages(400) if len(m) > 150_000][:3]
    return corpus.messages(60)[:60] + big


def steps_of_a_visit(mail, home, kind):
    """How many steps an undisturbed visit has."""
    steps = []
    with Pop3d(Maildrop(mail), event=steps.append) as origin:
        trial = Trial(home, kind, mail, random.Random(0))
        trial.p.clear("box", origin, after="delete", deliver=trial.targets())
        trial.p.good("collect", "box")
    return len(steps)


def killed_at_step(trial, at):
    """Runs a visit and kills it at step `at` of the conversation; then puts things right."""
    seen, process = [], None

    def event(word):
        seen.append(word)
        if len(seen) == at:
            process.kill()

    with Pop3d(Maildrop(trial.mail), event=event) as origin:
        trial.p.clear("box", origin, after="delete", deliver=trial.targets())
        for _ in range(trial.rng.choice((1, 1, 2))):
            seen.clear()
            process = trial.p.start("collect", "box")
            process.communicate(timeout=60)
            trial.come_by()
        origin.event = lambda word: None
        trial.run_until_done()
        word = seen[at - 1] if len(seen) >= at else "the end"
        trial.verify(len(origin.drop.octets()), f"killed at step {at} ({word}), seed {SEED}")


def instants(count, rng, steps):
    """Steps to kill at: the last ones (DELE, QUIT, closing the ledger) as often as all others."""
    return [rng.randrange(1, steps + 1) if n % 2 else rng.randrange(max(1, steps - 12), steps + 1) for n in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*TARGETS, "enveloped"])
def test_killed_at_any_step(home, mail, kind):
    rng = random.Random(f"{SEED} step {kind}")
    steps = steps_of_a_visit(mail, each(home, "measure"), kind)
    for number, at in enumerate(instants(KILLS, rng, steps)):
        path = each(home, str(number))
        killed_at_step(Trial(path, kind, mail, rng), at)
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind, habit", [("maildir", "move"), ("maildir", "delete"), ("maildir", "any"), ("folder", "delete"), ("folder", "any")])
def test_killed_while_a_reader_uses_it(home, mail, kind, habit):
    rng = random.Random(f"{SEED} reader {habit}")
    steps = steps_of_a_visit(mail, each(home, "measure"), kind)
    for number, at in enumerate(instants((KILLS + 2) // 3, rng, steps)):
        path = each(home, str(number))
        killed_at_step(Trial(path, kind, mail, rng, habit), at)
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mailbox", "maildir", "folder"])
def test_killed_at_any_time_with_dovecot(home, mail, dovecot, authority, kind):
    rng = random.Random(f"{SEED} time {kind}")
    keys = {"port": dovecot.pop3s, "tls__ca_certificates": authority.ca, "after": "delete"}
    took = 0.2
    for number in range(KILLS + 1):
        path = each(home, str(number))
        trial = Trial(path, kind, mail, rng, rng.choice((None, "any")) if kind != "mailbox" else None)
        user = f"hans-{kind}-{number}"      # a new one each time: the last one's session may still be dying
        dovecot.fill(user, mail)
        trial.p.connection("box", user=user, **keys, deliver=trial.targets())
        started = time.monotonic()
        process = trial.p.start("collect", "box")
        instant = None
        if number:      # the first run is undisturbed, and tells how long one takes
            instant = rng.random() * took
            time.sleep(instant)
            process.kill()
        process.communicate(timeout=60)
        if not number:
            took = 1.05 * (time.monotonic() - started)
        trial.run_until_done()
        trial.verify(len(dovecot.left(user)), f"killed after {instant} s of {took}, seed {SEED}, number {number}")
        shutil.rmtree(path)


@pytest.mark.parametrize("kind", ["maildir", "folder"])
def test_a_ledger_that_says_placing_is_believed_after_a_reader_deleted(home, mail, kind):
    """Killed exactly between rename and `accepted` as far as one can see it from outside:
    as soon as the first message shows in new/, or in the folder, the reader takes it away and we kill."""
    trial = Trial(home, kind, mail[:20], random.Random(SEED), "delete")
    where, ending = (os.path.join(trial.p.maildir, "new"), "") if kind == "maildir" else (trial.folder, ".json")
    with Pop3d(Maildrop(trial.mail), pace=0.01) as origin:
        trial.p.clear("box", origin, after="delete", deliver=trial.targets())
        process = trial.p.start("collect", "box")
        end = time.monotonic() + 30
        while time.monotonic() < end and not (os.path.isdir(where) and any(name.endswith(ending) for name in os.listdir(where))):
            pass
        process.kill()
        process.communicate(timeout=30)
        origin.pace = 0
        trial.run_until_done()
        trial.verify(len(origin.drop.octets()), "killed as the first file showed")
