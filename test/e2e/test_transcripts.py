# SPDX-License-Identifier: Apache-2.0
"""Odd servers as data: each file in test/transcripts is one server and what must come of it.

POP3 servers stand in the folder itself, IMAP servers in imap/.  A file begins
with what it is about (# lines), then the case:
    messages: N           so many in the maildrop, or in INBOX (2)
    mail: TEXT            instead of these: one message, escapes as in scripts; again for another
    runs: N               visits (1)
    in: clear | tls | starttls      played only there (clear and tls)
    set: KEY VALUE…       a key of the connection (after = delete unless set); several values make a list
    caps: +NAME -NAME     IMAP: more or less than CAPS below
    tells: no             IMAP: capabilities come only when asked for
    uids: N…              IMAP: the ids of the messages
    removal: N…           after the first visit the ledger says of these that they are deleted, whatever `after` says
    want: …               checked after the last run:
        exit N | exit-any N…    error REGEX      (of the first run)
        later REGEX             (of the second run)
        collected N, failed N   by the summary lines of all runs together
        target N, left N        messages in the target, in the maildrop or INBOX
        left-or-collected N     all N are still in the maildrop, or all in the target
        folder NAME N           IMAP: so many stand in that folder
        bodies N                IMAP: so many commands asked for whole messages
        seen N                  IMAP: so many in INBOX are \\Seen
        missing N               message N of the maildrop is not in the target
        only-whole              nothing in the target but whole messages of the maildrop
        said LINE, never VERB   the client said that line; never said that verb (or verbs: UID STORE)
        count VERB N            how often the client said that verb
then the script, in the language of origin.parse_script (IMAP: imapd.py tells what is more).

Each file is played in clear and inside TLS (where a line that breaks is cut without a close_notify).
Of every file holds: it ends soon, by itself; nothing is lost (each message is in
the maildrop or, whole, in the target); nothing is there twice.
"""
import glob
import os
import re

import pytest

import corpus
from imapd import Imapd, Mailstore
from origin import Script, parse_script, unescape
from pop3d import Maildrop, Pop3d
from removals import remove

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSCRIPTS = os.path.join(HERE, "..", "transcripts")
FILES = sorted(glob.glob(os.path.join(TRANSCRIPTS, "**", "*.txt"), recursive=True))
CAPS = ["IMAP4rev1", "LITERAL+", "ID", "UIDPLUS", "MOVE", "UNSELECT"]


def read(path):
    case = {"messages": 2, "runs": 1, "in": "clear tls", "set": {"after": "delete", "timeout": "5s"}, "want": [], "mail": [],
            "caps": list(CAPS), "tells": True, "uids": [], "removal": []}
    script = []
    with open(path, encoding="utf-8") as f:
        for line in f.read().splitlines():
            head, _, rest = (line if line != "mail:" else "mail: ").partition(": ")
            if line.startswith("#"):
                continue
            if head in ("messages", "runs"):
                case[head] = int(rest)
            elif head == "in":
                case["in"] = rest
            elif head == "set":
                key, *values = rest.split()
                case["set"][key] = {"true": True}.get(values[0], values[0]) if len(values) == 1 else values
            elif head == "mail":
                case["mail"].append(unescape(rest))
            elif head == "caps":
                words = rest.split()
                case["caps"] = [c for c in case["caps"] if "-" + c not in words] + [w[1:] for w in words if w[0] == "+"]
            elif head == "tells":
                case["tells"] = rest != "no"
            elif head in ("uids", "removal"):
                case[head] = [int(n) for n in rest.split()]
            elif head == "want":
                case["want"].append(rest)
            else:
                script.append(line)
    case["script"] = parse_script(script)
    return case


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.ca, *authority.sign("transcripts")


class Pop3:
    """The server of one case, and what is left on it."""

    def __init__(self, case, mail, **how):
        self.drop = Maildrop(mail)
        self.origin = Pop3d(self.drop, script=Script(case["script"]), **how)

    def uids(self):
        return [m.uidl for m in self.drop.snapshot()]

    def left(self, folder=None):
        return self.drop.octets()

    everywhere = left


class Imap:
    def __init__(self, case, mail, **how):
        self.store = Mailstore()
        for octets, uid in zip(mail, case["uids"] or range(1, len(mail) + 1)):
            self.store.add("INBOX", octets, uid=uid)
        self.origin = Imapd(self.store, caps=case["caps"], tells=case["tells"], script=Script(case["script"]), **how)

    def uids(self):
        return [e.uid for e in self.store.box("INBOX").entries]

    def left(self, folder="INBOX"):
        return self.store.octets(folder)

    def everywhere(self):
        return self.store.everything()


class Outcome:
    def __init__(self, runs, target, server, mail):
        self.runs, self.server, self.said = runs, server, server.origin.said
        self.target, self.sent, self.left = ([corpus.normal(m) for m in some] for some in (target, mail, server.left()))

    def total(self, what):
        return sum(r.summary().get("box", {}).get(what, 0) for r in self.runs)

    def count(self, *words):
        return len(self.server.origin.verbs(" ".join(words)))


def check(want, o):
    verb, *args = want.split()
    number = int(args[0]) if args and args[0].isdigit() else None
    if verb == "exit":
        return o.runs[-1].code == number
    if verb == "exit-any":
        return str(o.runs[-1].code) in args
    if verb == "error":
        return re.search(want.partition(" ")[2], o.runs[0].text, re.I)
    if verb == "later":
        return re.search(want.partition(" ")[2], o.runs[1].text, re.I)
    if verb in ("collected", "failed"):
        return o.total(verb) == number
    if verb == "target":
        return len(o.target) == number
    if verb == "left":
        return len(o.left) == number
    if verb == "left-or-collected":
        return len(o.left) == number or len(o.target) == number
    if verb == "missing":
        return o.sent[number - 1] not in o.target
    if verb == "only-whole":
        return set(o.target) <= set(o.sent)
    if verb == "nothing-lost":
        return True     # of every case
    if verb == "said":
        return want.partition(" ")[2] in o.said
    if verb == "folder":
        return len(o.server.left(args[0])) == int(args[1])
    if verb == "bodies":
        return len([s for s in o.said if s.endswith("BODY.PEEK[])")]) == number
    if verb == "seen":
        return len(o.server.store.seen()) == number
    if verb == "never":
        return o.count(*args) == 0
    if verb == "count":
        return o.count(*args[:-1]) == int(args[-1])
    raise ValueError("no such want: " + want)


def name(path):
    return os.path.relpath(path, TRANSCRIPTS)[:-4].replace(os.sep, "-")


CASES = [(path, line) for path in FILES for line in read(path)["in"].split()]
TLS = {"clear": None, "tls": "implicit", "starttls": "stls"}


@pytest.mark.parametrize("path, line", CASES, ids=[f"{name(path)}-{line}" for path, line in CASES])
def test_transcript(p, certificate, path, line):
    case, imap = read(path), os.path.basename(os.path.dirname(path)) == "imap"
    mail = case["mail"] or corpus.small(case["messages"])
    ca, cert, key = certificate
    server = (Imap if imap else Pop3)(case, mail, tls=TLS[line], cert=cert, key=key)
    keys = {"protocol": "imap" if imap else "pop3", **case["set"]}
    with server.origin as origin:
        if line == "clear":
            p.clear("box", origin, **keys)
        else:
            mode = "implicit" if line == "tls" else "explicit"
            p.connection("box", port=origin.port, tls__mode=mode, tls__ca_certificates=ca, allow_cleartext=True, **keys)
        uids = server.uids()
        runs = [p("collect", "box", limit=40)]
        if case["removal"]:
            remove(p, *(uids[n - 1] for n in case["removal"]))
        runs += [p("collect", "box", limit=40) for _ in range(case["runs"] - 1)]
        o = Outcome(runs, p.in_maildir(), server, mail)
        there = [corpus.normal(m) for m in server.everywhere()]
    story = "\n".join(map(repr, runs)) + "\nsaid: " + " | ".join(o.said[-60:])
    for octets in o.sent:
        assert octets in there or octets in o.target, "lost\n" + story
    assert len(o.target) == len(set(o.target)), "twice\n" + story
    for want in case["want"]:
        assert check(want, o), f"want: {want}\n{story}"
