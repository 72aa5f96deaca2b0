# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any instant, then run again: nothing missing, nothing twice.

POSTRIDER_KILLS   instants for each case (12; the full run takes 50)
POSTRIDER_SEED    of the random instants (fixed, printed with a failure)

Two ways to choose an instant: at a random step of the conversation (each
command, its answer, the deletion at QUIT), which hits the narrow places, and
at a random time, which hits what no conversation shows.
"""
import os
import random
import shutil
import time
from collections import Counter

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from postrider import Postrider

KILLS = int(os.environ.get("POSTRIDER_KILLS", "12"))
SEED = int(os.environ.get("POSTRIDER_SEED", "20260101"))
TARGETS = ["mailbox", "maildir", "both"]


@pytest.fixture(scope="module")
def mail():
    big = [m for m in corpus.messages(400) if len(m) > 150_000][:3]
    return corpus.messages(60)[:60] + big


class Reader:
    """Another program at the Maildir: moves mail to cur/ or deletes it, and remembers what it read."""

    def __init__(self, rng, path, habit):
        self.rng, self.path, self.habit, self.deleted = rng, path, habit, []

    def come_by(self):
        for sub in ("new", "cur"):
            folder = os.path.join(self.path, sub)
            for name in sorted(os.listdir(folder)) if self.habit and os.path.isdir(folder) else ():
                habit = self.rng.choice(("move", "delete", "leave")) if self.habit == "any" else self.habit
                path = os.path.join(folder, name)
                if habit == "delete":
                    with open(path, "rb") as f:
                        self.deleted.append(f.read())
                    os.unlink(path)
                elif habit == "move" and sub == "new":
                    os.rename(path, os.path.join(self.path, "cur", name + ":2,S"))


class Trial:
    """One maildrop, one target, one program that gets killed."""

    def __init__(self, home, kind, mail, rng, habit=None):
        self.p, self.mail, self.kind, self.rng = Postrider(home), mail, kind, rng
        self.p.account()
        self.reader = Reader(rng, self.p.maildir, habit)

    def targets(self):
        return {"mailbox": ["mailbox:anna/INBOX"], "maildir": ["maildir:" + self.p.maildir],
                "both": ["mailbox:anna/INBOX", "maildir:" + self.p.maildir]}[self.kind]

    def run_until_done(self):
        """Undisturbed: each run must end well; two must be enough, and a third finds nothing."""
        for _ in range(2):
            self.reader.come_by()
            self.p.good("collect", "box")
        self.reader.come_by()
        done = self.p.good("collect", "box")
        assert done.summary()["box"]["collected"] == 0, done

    def verify(self, left, story):
        want = Counter(corpus.digest(m) for m in self.mail)
        assert left == 0, f"{left} left on the server; {story}"
        if self.kind in ("maildir", "both"):
            have = Counter(corpus.digest(m) for m in self.p.in_maildir() + self.reader.deleted)
            assert have == want, f"maildir: {tell(have, want)}; {story}"
            assert os.listdir(self.p.maildir + "/tmp") == [], f"left in tmp/; {story}"
        if self.kind in ("mailbox", "both"):
            have = Counter(corpus.digest(m) for m in self.p.in_mailbox())
            assert have == want, f"mailbox: {tell(have, want)}; {story}"


def tell(have, want):
    return f"{sum((want - have).values())} missing, {sum((have - want).values())} twice"


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
            trial.reader.come_by()
        origin.event = lambda word: None
        trial.run_until_done()
        word = seen[at - 1] if len(seen) >= at else "the end"
        trial.verify(len(origin.drop.octets()), f"killed at step {at} ({word}), seed {SEED}")


def instants(count, rng, steps):
    """Steps to kill at: the last ones (DELE, QUIT, closing the ledger) as often as all others."""
    return [rng.randrange(1, steps + 1) if n % 2 else rng.randrange(max(1, steps - 12), steps + 1) for n in range(count)]


def each(home, name):
    path = os.path.join(home, name)
    os.mkdir(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_killed_at_any_step(home, mail, kind):
    rng = random.Random(f"{SEED} step {kind}")
    steps = steps_of_a_visit(mail, each(home, "measure"), kind)
    for number, at in enumerate(instants(KILLS, rng, steps)):
        path = each(home, str(number))
        killed_at_step(Trial(path, kind, mail, rng), at)
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("habit", ["move", "delete", "any"])
def test_killed_while_a_reader_uses_the_maildir(home, mail, habit):
    rng = random.Random(f"{SEED} reader {habit}")
    steps = steps_of_a_visit(mail, each(home, "measure"), "maildir")
    for number, at in enumerate(instants((KILLS + 2) // 3, rng, steps)):
        path = each(home, str(number))
        killed_at_step(Trial(path, "maildir", mail, rng, habit), at)
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
def test_killed_at_any_time_with_dovecot(home, mail, dovecot, authority, kind):
    rng = random.Random(f"{SEED} time {kind}")
    keys = {"port": dovecot.pop3s, "tls__ca_certificates": authority.ca, "after": "delete"}
    took = 0.2
    for number in range(KILLS + 1):
        path = each(home, str(number))
        trial = Trial(path, kind, mail, rng, rng.choice((None, "any")) if kind == "maildir" else None)
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


def test_a_ledger_that_says_placing_is_believed_after_a_reader_deleted(home, mail):
    """Killed exactly between rename and `accepted` as far as one can see it from outside:
    as soon as the first message shows in new/, the reader takes it away and we kill."""
    trial = Trial(home, "maildir", mail[:20], random.Random(SEED), "delete")
    with Pop3d(Maildrop(trial.mail), pace=0.01) as origin:
        trial.p.clear("box", origin, after="delete", deliver=trial.targets())
        process = trial.p.start("collect", "box")
        new = os.path.join(trial.p.maildir, "new")
        end = time.monotonic() + 30
        while time.monotonic() < end and not (os.path.isdir(new) and os.listdir(new)):
            pass
        process.kill()
        process.communicate(timeout=30)
        origin.pace = 0
        trial.run_until_done()
        trial.verify(len(origin.drop.octets()), "killed as the first file showed")
