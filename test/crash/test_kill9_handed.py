# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any instant of visits that hand messages over: to an SMTP server, an LMTP server, a program.

Each trial kills a first visit, a visit that tries again what is held, and one of those after all takes everything.  Instants are
random steps, of the conversation with the source and of what the target does; half of them are just when the target has judged a
message, before its answer.  Beside the target there is a mailbox, which must have each message once, whatever happens.

What holds (PRODUCT 2.3): nothing is missing; a target has a message once more than once at most for each kill at which that message
was outstanding, which is to say that the target had it, and the ledger on the disk did not say so.  Those are looked up after each kill;
how many they may be, see OUTSTANDING.
"""
import itertools
import os
import random
import shutil
import threading
from collections import Counter

import pytest

import corpus
from handing import BOTH, Program, Server, letters
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Pop3d
from postrider import Postrider
from trial import SEED, each, kills, tell

KILLS = kills(1)                # of each case so many times three, and of all cases then, not of every second
COUNT = 18
FINAL = ("accepted", "disposing", "gone", "quarantined", "shared")
REFUSED = ("quarantine", "keep", "delete", "return")
PARALLEL = 2                    # connections to a target, or programs
# HANDED_EACH of src/collect/visit.h: the message whose answer is lost, and those that were answered since the ledger's last commit.
OUTSTANDING = 8 * PARALLEL


class Handed:
    def __init__(self, home, kind, protocol, mixed, after, on_refused, rng):
        self.p, self.kind, self.mixed, self.after, self.on_refused, self.rng = Postrider(home), kind, mixed, after, on_refused, rng
        self.mail = letters(COUNT)
        self.p.account()
        self.lock, self.process, self.left, self.only = threading.Lock(), None, 0, None
        self.may, self.killed, self.most = Counter(), 0, 0
        self.origin = Pop3d(Maildrop(self.mail), event=self.event) if protocol == "pop3" else Imapd(Mailstore(self.mail), event=self.event)
        self.target = Program(mixed, self.mail, self.event, self.p.home) if kind == "command" else Server(kind, mixed, self.mail, self.event)
        self.p.sections["out"] = self.target.section()
        self.p.clear("box", self.origin, protocol=protocol, after=after, on_refused=on_refused, deliver=["out", "mailbox:anna/INBOX"])

    def at_server(self):
        return self.origin.drop.octets() if hasattr(self.origin, "drop") else self.origin.store.octets("INBOX")

    def event(self, word):
        with self.lock:
            if self.process and (not self.only or word == self.only):
                self.left -= 1
                if self.left == 0:
                    self.process.kill()

    def kill(self, steps, judged):
        """A visit that is killed at a random step, if it has so many."""
        self.only = self.rng.choice((None, "judged"))
        with self.lock:
            self.left = self.rng.randrange(1, (judged if self.only else steps) + 1)
            self.process = self.p.start("collect", "box")
        self.process.communicate(timeout=60)
        code, self.process = self.process.returncode, None
        self.target.quiet(self.p)
        if code < 0:
            self.killed += 1
            self.look()

    def held(self, *args):
        return self.p.good("held", "list", *args, "--json").rows()

    def number(self, uid):
        return int(uid.removeprefix("uid").rpartition("/")[2]) - 1

    def states(self):
        rows = self.p.good("history", "box", "--json").rows()
        return {self.number(row["uid"]): row["state"] for row in rows if row["uid"]}

    def look(self):
        """What was outstanding: of each message, for whom."""
        states, held, outstanding = self.states(), {}, []
        for row in self.held():
            if row["uid"]:
                held.setdefault(self.number(row["uid"]), []).append(row)
        for n, recipient in self.target.taken():
            rows = held.get(n)
            if rows and self.kind != "command" and all(row["recipients"] == 1 for row in rows):
                open_to = BOTH[1:]      # only carla is ever held alone
            else:
                open_to = (*BOTH, None) if rows or states.get(n) not in FINAL else ()
            if recipient in open_to:
                outstanding.append((n, recipient))
        self.may.update(outstanding)
        self.most = max(self.most, len({n for n, _ in outstanding}))
        assert self.most <= OUTSTANDING, f"{outstanding} were outstanding"

    def settle(self):
        """Undisturbed: what is deferred is held, what is refused has its end."""
        done = self.p("collect", "box")
        assert done.code == 0 or (self.on_refused == "keep" and self.mixed), done
        self.target.quiet(self.p)

    def finish(self):
        """All is taken now, and all is asked for."""
        for _ in range(2):
            self.p.good("retry", "box")
            self.settle()
        self.quarantined = Counter(self.number(row["uid"]) for row in self.held("--status", "quarantined") if row["uid"])
        for row in self.held("--status", "quarantined"):
            self.p.good("held", "release", row["id"])
        self.settle()
        assert self.p.good("collect", "box").summary()["box"]["collected"] == 0
        self.target.quiet(self.p)

    # ---- what is right

    def refused(self, n, recipient):
        """Of these nothing was taken, and nobody is asked again."""
        if not self.mixed or self.on_refused not in ("delete", "return") or (self.kind == "command" and self.on_refused == "return"):
            return False
        return n % 6 == 1 or (n % 6 == 3 and recipient == BOTH[1])

    def verify(self, story):
        taken, returned = self.target.taken(), self.target.returned()
        whom = (None,) if self.kind == "command" else BOTH
        assert not self.target.wrong, f"not as it was: {self.target.wrong}; {story}"
        for n, recipient in itertools.product(range(COUNT), whom):
            have, want = taken.pop((n, recipient), 0), 0 if self.refused(n, recipient) else 1
            again = self.may[n, recipient] + max(0, self.quarantined[n] - 1)
            assert want <= have <= want + again, f"{have} of message {n} for {recipient}, {again} may come again; {story}"
        assert not taken, f"{taken}; {story}"
        told = {n for n in range(COUNT) for r in whom if self.refused(n, r)} if self.on_refused == "return" else set()
        assert set(returned) == told and all(count <= 1 + self.killed for count in returned.values()), f"returned: {returned}; {story}"
        assert all(count <= 1 + self.killed for count in self.quarantined.values()), f"quarantined: {self.quarantined}; {story}"
        have, want = Counter(map(corpus.digest, self.p.in_mailbox())), Counter(map(corpus.digest, self.mail))
        assert have == want, f"mailbox: {tell(have, want)}; {story}"
        self.verify_end(story)

    def verify_end(self, story):
        gone = [n for n in range(COUNT) if self.mixed and self.on_refused == "delete" and n % 6 == 1]
        left = [m for n, m in enumerate(self.mail) if n not in gone] if self.after == "keep" else []
        have, want = Counter(map(corpus.digest, self.at_server())), Counter(map(corpus.digest, left))
        assert have == want, f"at the server: {tell(have, want)}; {story}"
        assert self.held() == [], f"held; {story}"
        states = self.states()
        assert len(states) == COUNT and set(states.values()) <= set(FINAL), f"{states}; {story}"

    def trial(self, story):
        with self.origin, self.target:
            for _ in range(self.rng.choice((1, 1, 2))):
                self.kill((6 if self.kind == "command" else 8) * COUNT, COUNT)
            self.settle()
            if self.mixed:
                self.p.good("retry", "box")
                self.kill(COUNT, COUNT // 3)
                self.settle()
            self.target.mend()
            self.p.good("retry", "box")
            self.kill(COUNT, COUNT // 2)
            self.finish()
            self.verify(story)


def usual(protocol, after, on_refused):
    """Half of all, so that each word is with each other one."""
    return KILLS > 1 or (protocol == "imap") ^ (after == "keep") ^ (REFUSED.index(on_refused) % 2 == 1)


CASES = [(kind, protocol, mixed, after, on_refused) for kind, protocol, mixed, after, on_refused
         in itertools.product(("smtp", "lmtp", "command"), ("pop3", "imap"), (False, True), ("delete", "keep"), REFUSED)
         if usual(protocol, after, on_refused) and (mixed or on_refused == REFUSED[0])]


@pytest.mark.slow
@pytest.mark.parametrize("kind, protocol, mixed, after, on_refused", CASES)
def test_killed_at_any_step(home, kind, protocol, mixed, after, on_refused):
    story = f"{kind} {protocol} {'mixed' if mixed else 'takes all'} {after} {on_refused}"
    rng = random.Random(f"{SEED} {story}")
    for number in range(KILLS):
        path = each(home, str(number))
        trial = Handed(path, kind, protocol, mixed, after, on_refused, rng)
        trial.trial(f"{story}, seed {SEED}, number {number}")
        print(f"{trial.killed} kills, at most {trial.most} outstanding, {sum(trial.target.taken().values())} deliveries")
        shutil.rmtree(path)
