# SPDX-License-Identifier: Apache-2.0
"""Bounded memory (PRODUCT 2.3, rule 4): RssAnon grows neither with a message nor, much, with a mailbox."""
import threading
import time

import pytest

import corpus
from pop3d import Maildrop, Message, Pop3d, Script, parse_script
from postrider import PROGRAM

MIB = 1024                      # in KiB, as /proc counts
BYTES_A_MESSAGE = 64


def sanitized():
    with open(PROGRAM, "rb") as f:
        return b"__asan_init" in f.read()


pytestmark = pytest.mark.skipif(sanitized(), reason="a sanitizer's memory is not ours")


def rss_anon(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("RssAnon")), 0)
    except OSError:
        return 0


def peak(p, *args):
    """Runs a command → (Done, the highest RssAnon seen, in KiB)."""
    process, seen, over = p.start(*args), [0], threading.Event()

    def watch():
        while not over.is_set():
            seen[0] = max(seen[0], rss_anon(process.pid))
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = p.finish(process)
    finally:
        over.set()
        watcher.join()
    assert done.code == 0, done
    return done, seen[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mailbox", "maildir", "both"])
def test_a_message_of_100_megabytes_takes_no_memory(p, kind):
    p.account()
    targets = {"mailbox": ["mailbox:anna/INBOX"], "maildir": ["maildir:" + p.maildir],
               "both": ["mailbox:anna/INBOX", "maildir:" + p.maildir]}[kind]
    small = corpus.small(3)
    huge = b"Subject: huge\r\n\r\n" + (b"x" * 98 + b"\r\n") * 1_000_000
    peaks = []
    for messages in (small, [small[0], huge, small[1]]):
        with Pop3d(Maildrop(messages)) as origin:
            p.clear("box", origin, after="delete", deliver=targets)
            peaks.append(peak(p, "collect", "box")[1])
            assert origin.drop.octets() == []
            p.good("rescan", "box")
    assert peaks[1] - peaks[0] <= MIB, f"{peaks} KiB"
    if kind != "mailbox":
        assert sorted(map(len, p.in_maildir()))[-1] > 98_000_000


def peaks_of_listing(p, command, count):
    """`count` kept messages that the ledger knows: what `command` takes."""
    drop = Maildrop()
    drop.messages = [Message(f"uid{n:08d}", b"x\r\n") for n in range(count)]
    with Pop3d(drop) as origin:
        name = f"box{count}"
        p.clear(name, origin, after="keep")
        if command != "baseline":
            p.good("baseline", name)
        highest = peak(p, command, name)[1]
        assert not origin.verbs("RETR")
    return highest


@pytest.mark.slow
@pytest.mark.parametrize("command", ["baseline", "collect"])
def test_many_messages_take_little_memory(p, command):
    few, many = 1_000, 100_000
    low, high = peaks_of_listing(p, command, few), peaks_of_listing(p, command, many)
    each = (high - low) * 1024 / (many - few)
    assert each <= BYTES_A_MESSAGE, f"{each:.0f} bytes a message: {low} KiB for {few}, {high} KiB for {many}"


def test_an_endless_listing_takes_no_endless_memory(p):
    """A million lines for two messages."""
    script = Script(parse_script(["> UIDL", "< +OK", "<*1000000 1 again-and-again", "! close"]))
    with Pop3d(Maildrop(corpus.small(2)), script=script) as origin:
        p.clear("box", origin)
        process, highest = p.start("collect", "box"), 0
        while process.poll() is None:
            highest = max(highest, rss_anon(process.pid))
            time.sleep(0.001)
        done = p.finish(process)
    assert done.code == 1 and highest < 64 * MIB, (highest, done)
