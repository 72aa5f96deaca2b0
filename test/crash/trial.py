# SPDX-License-Identifier: Apache-2.0
"""What the tests with kill -9 share: a trial, readers at the Maildir and at the folder, the choice of instants.

POSTRIDER_KILLS   instants for each case (the full run takes 50)
POSTRIDER_SEED    of the random instants (fixed, printed with a failure)
"""
import json
import os
import re
from collections import Counter

import corpus
from postrider import Postrider, section

SEED = int(os.environ.get("POSTRIDER_SEED", "20260101"))
TARGETS = ["mailbox", "maildir", "both", "folder", "all"]
MAILBOX, MAILDIR, FOLDER = ("mailbox", "both", "all", "enveloped"), ("maildir", "both", "all", "enveloped"), ("folder", "all")
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


class Consumer:
    """Another program at the folder: where an index is, it finds all else whole, and perhaps takes it away, in any order."""

    def __init__(self, rng, path, habit):
        self.rng, self.path, self.habit, self.taken = rng, path, habit, []

    def octets(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def message(self, name):
        """What the index speaks of → (the message, all files)."""
        index = json.loads(self.octets(name))
        parts = index.get("parts", [])
        message = self.octets(index["message"])
        assert len(message) == index["size"] and self.octets(index["text"]).startswith(b"From "), index
        assert all(len(self.octets(part["file"])) == part["size"] for part in parts), index
        files = [name, index["message"], index["text"]] + [part["file"] for part in parts]
        assert len(set(files)) == len(files), index
        return message, files

    def all(self):
        """The messages that are there → (their octets, all files)."""
        messages, files = [], []
        for name in sorted(os.listdir(self.path)) if os.path.isdir(self.path) else ():
            if name.endswith(".json"):
                message, its = self.message(name)
                messages.append(message)
                files += its
        return messages, files

    def come_by(self):
        for name in sorted(os.listdir(self.path)) if self.habit and os.path.isdir(self.path) else ():
            if not name.endswith(".json") or (self.habit == "any" and self.rng.random() < 0.5):
                continue
            message, files = self.message(name)
            self.taken.append(message)
            self.rng.shuffle(files)
            for one in files:
                os.unlink(os.path.join(self.path, one))


class Trial:
    """One mailbox at the source, one target or some, one program that gets killed.  "enveloped" is both, each with an envelope."""

    def __init__(self, home, kind, mail, rng, habit=None):
        self.p, self.mail, self.kind, self.rng = Postrider(home), mail, kind, rng
        self.p.account()
        self.folder = os.path.join(self.p.home, "Out")
        self.readers = [Reader(rng, self.p.maildir, habit), Consumer(rng, self.folder, habit)]
        template = os.path.join(self.p.home, "note.txt")
        with open(template, "w", encoding="ascii") as f:
            f.write("From %From%: %Subject%\n")
        self.p.sections["target"] = section("target out", {"type": "folder", "path": self.folder, "template": template, "split": True})
        self.shown = lambda octets: octets      # how the server shows a message

    def targets(self):
        keys = {"envelope__recipients": ["anna@example.org"]}
        if self.kind == "enveloped":
            self.p.sections["routed"] = section("target routed", {"type": "mailbox", "mailbox": "anna/INBOX", **keys})
            self.p.sections["filed"] = section("target filed", {"type": "maildir", "path": self.p.maildir, **keys})
            return ["routed", "filed"]
        return [name for name, kinds in (("mailbox:anna/INBOX", MAILBOX), ("maildir:" + self.p.maildir, MAILDIR), ("out", FOLDER))
                if self.kind in kinds]

    def come_by(self):
        for reader in self.readers:
            reader.come_by()

    def run_until_done(self):
        """Undisturbed: each run must end well; two must be enough, and a third finds nothing."""
        for _ in range(2):
            self.come_by()
            self.p.good("collect", "box")
        self.come_by()
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
        if self.kind in MAILDIR:
            have = Counter(corpus.digest(self.bare(m)) for m in self.p.in_maildir() + self.readers[0].deleted)
            assert have == want, f"maildir: {tell(have, want)}; {story}"
            assert os.listdir(self.p.maildir + "/tmp") == [], f"left in tmp/; {story}"
        if self.kind in FOLDER:
            messages, files = self.readers[1].all()
            have = Counter(corpus.digest(m) for m in messages + self.readers[1].taken)
            assert have == want, f"folder: {tell(have, want)}; {story}"
            assert sorted(os.listdir(self.folder)) == sorted(files + [".tmp"]), f"left in the folder; {story}"
            assert os.listdir(self.folder + "/.tmp") == [], f"left in .tmp/; {story}"
        if self.kind in MAILBOX:
            have = Counter(corpus.digest(self.bare(m)) for m in self.p.in_mailbox())
            assert have == want, f"mailbox: {tell(have, want)}; {story}"


def tell(have, want):
    return f"{sum((want - have).values())} missing, {sum((have - want).values())} twice"


def each(home, name):
    path = os.path.join(home, name)
    os.mkdir(path)
    return path
