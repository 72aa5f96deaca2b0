# SPDX-License-Identifier: Apache-2.0
"""What the tests with kill -9 share: a trial, a reader at the Maildir, the choice of instants.

POSTRIDER_KILLS   instants for each case (the full run takes 50)
POSTRIDER_SEED    of the random instants (fixed, printed with a failure)
"""
import os
import re
from collections import Counter

import corpus
from postrider import Postrider, section

SEED = int(os.environ.get("POSTRIDER_SEED", "20260101"))
TARGETS = ["mailbox", "maildir", "both"]
LEAD = re.compile(rb"X-Real-To: anna@example\.org\r?\nDelivered-To: postrider\.[0-9a-f]{16}@\S+\r?\n")


def kills(usual):
    return int(os.environ.get("POSTRIDER_KILLS", usual))


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
    """One mailbox at the source, one target or two, one program that gets killed.  "enveloped" is both, each with an envelope."""

    def __init__(self, home, kind, mail, rng, habit=None):
        self.p, self.mail, self.kind, self.rng = Postrider(home), mail, kind, rng
        self.p.account()
        self.reader = Reader(rng, self.p.maildir, habit)
        self.shown = lambda octets: octets      # how the server shows a message

    def targets(self):
        keys = {"envelope__recipients": ["anna@example.org"]}
        if self.kind == "enveloped":
            self.p.sections["routed"] = section("target routed", {"type": "mailbox", "mailbox": "anna/INBOX", **keys})
            self.p.sections["filed"] = section("target filed", {"type": "maildir", "path": self.p.maildir, **keys})
            return ["routed", "filed"]
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

    def bare(self, octets):
        """Without what goes before it."""
        if self.kind != "enveloped":
            return octets
        assert LEAD.match(octets), octets[:200]
        return LEAD.sub(b"", octets, count=1)

    def verify(self, left, story):
        want = Counter(corpus.digest(self.shown(m)) for m in self.mail)
        assert left == 0, f"{left} left on the server; {story}"
        if self.kind in ("maildir", "both", "enveloped"):
            have = Counter(corpus.digest(self.bare(m)) for m in self.p.in_maildir() + self.reader.deleted)
            assert have == want, f"maildir: {tell(have, want)}; {story}"
            assert os.listdir(self.p.maildir + "/tmp") == [], f"left in tmp/; {story}"
        if self.kind in ("mailbox", "both", "enveloped"):
            have = Counter(corpus.digest(self.bare(m)) for m in self.p.in_mailbox())
            assert have == want, f"mailbox: {tell(have, want)}; {story}"


def tell(have, want):
    return f"{sum((want - have).values())} missing, {sum((have - want).values())} twice"


def each(home, name):
    path = os.path.join(home, name)
    os.mkdir(path)
    return path
