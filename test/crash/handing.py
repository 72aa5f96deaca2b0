# SPDX-License-Identifier: Apache-2.0
"""What the tests with kill -9 share that hand messages over: servers and a program that count what they took.

Message n has the sender n<n>@x.test, and is for anna and carla.  Until it is mended a target that is "mixed" defers n % 6 == 0, refuses
n % 6 == 1, and where each recipient has an answer defers carla's n % 6 == 2 and refuses carla's n % 6 == 3.
"""
import os
import re
import threading
import time
from collections import Counter

import corpus
from postrider import section
from smtpd import Smtpd, SmtpSession

DOMAIN, POSTMASTER = "x.test", "postmaster"
BOTH = ("anna@" + DOMAIN, "carla@" + DOMAIN)
LATER, NEVER = "451 4.2.0 later", "550 5.7.1 never"
LEAD = re.compile(rb"\ADelivered-To: postrider\.[0-9a-f]{16}@\S+\r\n")
PROGRAM = r"""#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
n=${POSTRIDER_SENDER#n} n=${n%%@*}
t=FOLDER/tmp/$n.$$
echo begun >FOLDER/events
cat >"$t"
echo judged >FOLDER/events
if [ ! -e FOLDER/mended ]; then
	case $((n % 6)) in
	0) rm "$t"; exit 75 ;;
	1) rm "$t"; exit 100 ;;
	esac
fi
mv "$t" FOLDER/taken
"""


def letters(count):
    """Message n is the n-th; one is larger than a pipe holds, one than what is held in memory."""
    out = [b"Return-Path: <n%d@%s>\r\nX-Number: %d\r\n" % (n, DOMAIN.encode(), n) + corpus.normal(m) for n, m in enumerate(corpus.small(count))]
    for n, size in ((4, 150_000), (5, 400_000)):
        out[n] += b"large, so large, larger than all others that are here\r\n" * (size // 55)
    return out


class Session(SmtpSession):
    def do_rcpt(self, arg):
        answer = "" if self.origin.lmtp else self.origin.mood(self.sender, arg[4:arg.index(">")], True)
        if answer:
            self.say(answer)
        else:
            super().do_rcpt(arg)


class Server(Smtpd):
    """SMTP or LMTP: `taken` has (n, recipient), `returned` the n of bounces."""
    session = Session

    def __init__(self, kind, mixed, originals, event):
        super().__init__(lmtp=kind == "lmtp", chunking=kind == "lmtp", judge=self.judged, event=event)
        self.kind, self.mixed, self.originals, self.wrong = kind, mixed, originals, []

    def section(self):
        return section("target out", {"type": self.kind, "host": "127.0.0.1", "port": self.port, "tls__mode": "none",
                                      "envelope__recipients": list(BOTH)})

    def mood(self, sender, recipient, alone):
        rest = int(sender[1:].partition("@")[0]) % 6 if self.mixed and sender else 5
        if alone:
            return (LATER if rest == 2 else NEVER if rest == 3 else "") if recipient == BOTH[1] else ""
        return LATER if rest == 0 else NEVER if rest == 1 else ""

    def judged(self, sender, recipient, octets):
        if sender and recipient == BOTH[0] and LEAD.sub(b"", octets) != self.originals[int(sender[1:].partition("@")[0])]:
            self.wrong.append(sender)
        answer = self.mood(sender, recipient, False) or (self.lmtp and self.mood(sender, recipient, True))
        self.event("judged")
        return answer

    def mend(self):
        self.mixed = False

    def quiet(self, p):
        """Nobody talks to us any more: what was sent before a kill has been read to its end."""
        gone(p)
        wait(lambda: len(self.over) == self.met)

    def taken(self):
        return Counter((int(sender[1:].partition("@")[0]), r) for sender, recipients, _ in self.mails if sender for r in recipients)

    def returned(self):
        return Counter(int(re.search(rb"^X-Number: (\d+)", octets, re.M)[1]) for sender, _, octets in self.mails if not sender)


class Program:
    """`taken` has (n, None): nobody in particular."""

    def __init__(self, mixed, originals, event, home):
        self.kind, self.originals, self.event, self.folder, self.wrong = "command", originals, event, os.path.join(home, "sink"), []
        for name in ("tmp", "taken"):
            os.makedirs(os.path.join(self.folder, name))
        os.mkfifo(os.path.join(self.folder, "events"))
        self.path = os.path.join(self.folder, "program")
        with open(self.path, "w", encoding="ascii") as f:
            f.write(PROGRAM.replace("FOLDER", self.folder))
        os.chmod(self.path, 0o755)
        if not mixed:
            self.mend()

    def section(self):
        return section("target out", {"type": "command", "argv": [self.path]})

    def mend(self):
        open(os.path.join(self.folder, "mended"), "w").close()

    def listen(self):
        while octets := os.read(self.fifo, 4096):
            for word in octets.decode().split():
                if word == "end":
                    return
                self.event(word)

    def __enter__(self):
        self.fifo = os.open(os.path.join(self.folder, "events"), os.O_RDWR)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.write(self.fifo, b"end\n")
        self.thread.join()
        os.close(self.fifo)

    def quiet(self, p):
        """What ran when it was killed has come to its end: it goes on by itself."""
        gone(p)

    def taken(self):
        self.wrong = []
        for name in os.listdir(os.path.join(self.folder, "taken")):
            with open(os.path.join(self.folder, "taken", name), "rb") as f:
                if f.read() != self.originals[int(name.partition(".")[0])]:
                    self.wrong.append(name)
        return Counter((int(name.partition(".")[0]), None) for name in os.listdir(os.path.join(self.folder, "taken")))

    def returned(self):
        return Counter()


def wait(asked, limit=60):
    end = time.monotonic() + limit
    while not asked():
        assert time.monotonic() < end, "no end of it"
        time.sleep(0.002)


def running(home):
    """Whether anything runs that this home is named to."""
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if pid.isdigit() and home.encode() in f.read():
                    return True
        except OSError:
            pass
    return False


def gone(p):
    wait(lambda: not running(p.home))
