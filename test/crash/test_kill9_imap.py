# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any instant of a visit over IMAP, for each disposition: nothing missing, nothing twice,
and on the server all is as asked, as if nobody had been killed.

Instants are random steps of the conversation, half of them from the first
disposition on, and random times against a real Dovecot.  See trial.py.
"""
import random
import shutil
import time
from collections import Counter

import pytest

import corpus
from dovecot import shown
from imapd import CAPS, Imapd, Mailstore
from trial import SEED, TARGETS, Trial, each, kills

KILLS = kills(3)
# name → after, capabilities that are missing.  `copy` is how servers without MOVE move.
DISPOSITIONS = {"delete": ("delete", ()), "seen": ("seen", ()), "move": ("move:Done", ()), "copy": ("move:Done", ("MOVE",)),
                "keep": ("keep", ())}
DISPOSES = ("UID STORE", "UID MOVE", "UID COPY", "CREATE", "UID EXPUNGE", "LOGOUT")


@pytest.fixture(scope="module")
def mail():
    big = [m for m in corpus.messages(400) if len(m) > 150_000][:2]
    return corpus.messages(40)[:40] + big


class Imap:
    """The server of one trial: its mailboxes stay, whoever gets killed."""

    def __init__(self, trial, how, event=None):
        self.trial, (self.after, missing) = trial, DISPOSITIONS[how]
        self.store = Mailstore(trial.mail)
        self.origin = Imapd(self.store, caps=[c for c in CAPS if c not in missing], event=event)
        trial.p.clear("box", self.origin, protocol="imap", after=self.after, deliver=trial.targets())

    def verify(self, story):
        self.trial.verify(0, story)
        check(self.after, self.trial.mail, self.store.octets(), self.store.seen(), self.store.octets("Done"), story)


def check(after, mail, inbox, seen, done, story):
    """What stands on the server is what an undisturbed visit leaves."""
    want, have = Counter(shown(m) for m in mail), Counter(shown(m) for m in done)
    if after in ("keep", "seen"):
        assert Counter(shown(m) for m in inbox) == want, f"{len(inbox)} of {len(mail)} in INBOX; {story}"
        assert len(seen) == (len(mail) if after == "seen" else 0), f"{len(seen)} seen; {story}"
    else:
        assert inbox == [], f"{len(inbox)} left in INBOX; {story}"
    if after == "move:Done":
        assert have == want, f"in the folder {sum((want - have).values())} missing, {sum((have - want).values())} twice; {story}"


def steps_of_a_visit(mail, home, kind, how):
    """The steps of an undisturbed visit, as words."""
    steps = []
    server = Imap(Trial(home, kind, mail, random.Random(0)), how, steps.append)
    with server.origin:
        server.trial.p.good("collect", "box")
        server.verify("undisturbed")
    return steps


def instants(count, rng, steps):
    """Steps to kill at: from the first disposition on as often as in all before."""
    narrow = next((n for n, word in enumerate(steps, 1) if word.startswith(DISPOSES)), len(steps) - 4)
    return [rng.randrange(1, narrow) if n % 2 else rng.randrange(narrow, len(steps) + 1) for n in range(count)]


def killed_at_step(trial, how, at):
    """Runs a visit and kills it at step `at` of the conversation; then puts things right."""
    seen, process = [], None

    def event(word):
        seen.append(word)
        if len(seen) == at:
            process.kill()

    server = Imap(trial, how, event)
    with server.origin as origin:
        for _ in range(trial.rng.choice((1, 1, 2))):
            seen.clear()
            process = trial.p.start("collect", "box")
            process.communicate(timeout=60)
            trial.come_by()
        origin.event, origin.watched = (lambda word: None), False
        trial.run_until_done()
        word = seen[at - 1] if len(seen) >= at else "the end"
        server.verify(f"{how}: killed at step {at} ({word}), seed {SEED}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("how", DISPOSITIONS)
def test_killed_at_any_step(home, mail, how, kind):
    rng = random.Random(f"{SEED} imap {how} {kind}")
    steps = steps_of_a_visit(mail, each(home, "measure"), kind, how)
    for number, at in enumerate(instants(KILLS, rng, steps)):
        path = each(home, str(number))
        killed_at_step(Trial(path, kind, mail, rng), how, at)
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["delete", "move", "copy"])
def test_killed_at_each_step_of_a_disposition(home, how):
    """Few messages, and every single step from the first disposition to the end."""
    mail = corpus.small(3)
    steps = steps_of_a_visit(mail, each(home, "measure"), "mailbox", how)
    first = next(n for n, word in enumerate(steps, 1) if word.startswith(DISPOSES))
    for at in range(first, len(steps) + 1):
        path = each(home, str(at))
        killed_at_step(Trial(path, "mailbox", mail, random.Random(at)), how, at)
        shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["delete", "seen", "move"])
@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
def test_killed_at_any_time_with_dovecot(home, mail, dovecot, authority, kind, how):
    rng = random.Random(f"{SEED} imap time {kind} {how}")
    after, took = DISPOSITIONS[how][0], 0.2
    for number in range(KILLS + 1):
        path = each(home, str(number))
        trial = Trial(path, kind, mail, rng, rng.choice((None, "any")) if kind == "maildir" else None)
        trial.shown = shown
        user = f"imap-{kind}-{how}-{number}"
        dovecot.fill(user, mail)
        trial.p.connection("box", protocol="imap", user=user, port=dovecot.imaps, tls__ca_certificates=authority.ca, after=after,
                           deliver=trial.targets())
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
        story = f"{how}: killed after {instant} s of {took}, seed {SEED}, number {number}"
        trial.verify(0, story)
        with dovecot.client(user) as c:
            flags = c.flags()
            check(after, mail, c.octets(), [u for u, f in flags.items() if "\\Seen" in f], c.octets("Done") if after == "move:Done" else [], story)
        shutil.rmtree(path)


@pytest.mark.parametrize("after, inbox, seen, done", [
    ("delete", [b"a"], [], []), ("seen", [b"a"], [], []), ("seen", [], [], []), ("keep", [b"a"], [b"a"], []),
    ("move:Done", [], [], [b"a", b"a"]), ("move:Done", [], [], []), ("move:Done", [b"a"], [], [b"a"]),
])
def test_the_check_can_fail(after, inbox, seen, done):
    with pytest.raises(AssertionError):
        check(after, [b"a"], inbox, seen, done, "")
