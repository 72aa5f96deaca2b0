# SPDX-License-Identifier: Apache-2.0
"""Odd servers as data: each file in test/transcripts is one server and what must come of it.

A file begins with what it is about (# lines), then the case:
    messages: N           so many in the maildrop (2)        runs: N        visits (1)
    in: clear | tls       played only there (both)
    set: KEY VALUE…       a key of the connection (after = delete unless set); several values make a list
    want: …               checked after the last run:
        exit N | exit-any N…    error REGEX      (of the first run)
        collected N, failed N   by the summary lines of all runs together
        target N, left N        messages in the target, in the maildrop
        left-or-collected N     all N are still in the maildrop, or all in the target
        missing N               message N of the maildrop is not in the target
        only-whole              nothing in the target but whole messages of the maildrop
        said LINE, never VERB   the client said that line; never said that verb
        count VERB N            how often the client said that verb
then the script, in the language of pop3d.parse_script.

Each file is played in clear and inside TLS (where a line that breaks is cut without a close_notify).
Of every file holds: it ends soon, by itself; nothing is lost (each message is in
the maildrop or, whole, in the target); nothing is there twice.
"""
import glob
import os
import re

import pytest

import corpus
from pop3d import Maildrop, Pop3d, Script, parse_script

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = sorted(glob.glob(os.path.join(HERE, "..", "transcripts", "*.txt")))


def read(path):
    case = {"messages": 2, "runs": 1, "in": "clear tls", "set": {"after": "delete", "timeout": "5s"}, "want": []}
    script = []
    with open(path, encoding="utf-8") as f:
        for line in f.read().splitlines():
            head, _, rest = line.partition(": ")
            if line.startswith("#"):
                continue
            if head in ("messages", "runs"):
                case[head] = int(rest)
            elif head == "in":
                case["in"] = rest
            elif head == "set":
                key, *values = rest.split()
                case["set"][key] = {"true": True}.get(values[0], values[0]) if len(values) == 1 else values
            elif head == "want":
                case["want"].append(rest)
            else:
                script.append(line)
    case["script"] = parse_script(script)
    return case


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.ca, *authority.sign("transcripts")


class Outcome:
    def __init__(self, runs, target, drop, sent, said):
        self.runs, self.target, self.drop, self.sent, self.said = runs, target, drop, sent, said

    def total(self, what):
        return sum(r.summary().get("box", {}).get(what, 0) for r in self.runs)

    def count(self, verb):
        return len([s for s in self.said if s.split(" ")[0].upper() == verb])


def check(want, o):
    verb, *args = want.split()
    number = int(args[0]) if args and args[0].isdigit() else None
    if verb == "exit":
        return o.runs[-1].code == number
    if verb == "exit-any":
        return str(o.runs[-1].code) in args
    if verb == "error":
        return re.search(want.partition(" ")[2], o.runs[0].text, re.I)
    if verb in ("collected", "failed"):
        return o.total(verb) == number
    if verb == "target":
        return len(o.target) == number
    if verb == "left":
        return len(o.drop) == number
    if verb == "left-or-collected":
        return len(o.drop) == number or len(o.target) == number
    if verb == "missing":
        return o.sent[number - 1] not in o.target
    if verb == "only-whole":
        return set(o.target) <= set(o.sent)
    if verb == "nothing-lost":
        return True     # of every case
    if verb == "said":
        return want.partition(" ")[2] in o.said
    if verb == "never":
        return o.count(args[0]) == 0
    if verb == "count":
        return o.count(args[0]) == int(args[1])
    raise ValueError("no such want: " + want)


CASES = [(path, line) for path in FILES for line in read(path)["in"].split()]


@pytest.mark.parametrize("path, line", CASES, ids=[f"{os.path.basename(path)[:-4]}-{line}" for path, line in CASES])
def test_transcript(p, certificate, path, line):
    case, tls = read(path), "implicit" if line == "tls" else None
    mail = corpus.small(case["messages"])
    ca, cert, key = certificate
    with Pop3d(Maildrop(mail), tls=tls, cert=cert, key=key, script=Script(case["script"])) as origin:
        if tls:
            p.connection("box", port=origin.port, tls__ca_certificates=ca, **case["set"])
        else:
            p.clear("box", origin, **case["set"])
        runs = [p("collect", "box", limit=40) for _ in range(case["runs"])]
        o = Outcome(runs, [corpus.normal(m) for m in p.in_maildir()], origin.drop.octets(),
                    [corpus.normal(m) for m in mail], origin.said)
    story = "\n".join(map(repr, runs)) + "\nsaid: " + " | ".join(o.said[-60:])
    for octets in o.sent:
        assert octets in o.drop or octets in o.target, "lost\n" + story
    assert len(o.target) == len(set(o.target)), "twice\n" + story
    for want in case["want"]:
        assert check(want, o), f"want: {want}\n{story}"
