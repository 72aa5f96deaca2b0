# SPDX-License-Identifier: Apache-2.0
"""Bounded memory over IMAP (PRODUCT 2.3, rule 4): neither a message nor a mailbox makes us grow."""
import time

import pytest

import corpus
from imap_store import Entry, Message
from imapd import CAPS, Imapd, Mailstore, Script, parse_script
from test_memory import BYTES_A_MESSAGE, MIB, peak, rss_anon, sanitized

pytestmark = pytest.mark.skipif(sanitized(), reason="a sanitizer's memory is not ours")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mailbox", "maildir"])
@pytest.mark.parametrize("caps", [CAPS, CAPS + ["COMPRESS=DEFLATE"]], ids=["plain", "compressed"])
def test_a_message_of_100_megabytes_takes_no_memory(p, kind, caps):
    p.account()
    small, peaks = corpus.small(3), []
    huge = b"Subject: huge\r\n\r\n" + (b"x" * 98 + b"\r\n") * 1_000_000
    for messages in (small, [small[0], huge, small[1]]):
        store = Mailstore(messages)
        with Imapd(store, caps=caps) as origin:
            p.clear("box", origin, protocol="imap", after="delete",
                    deliver=["mailbox:anna/INBOX" if kind == "mailbox" else "maildir:" + p.maildir])
            peaks.append(peak(p, "collect", "box")[1])
            assert store.octets() == []
            p.good("rescan", "box")
    assert peaks[1] - peaks[0] <= MIB, f"{peaks} KiB"
    if kind == "maildir":
        assert sorted(map(len, p.in_maildir()))[-1] > 98_000_000


def peaks_of_listing(p, command, count, caps):
    """`count` kept messages that the ledger knows, under ids that are no range: what `command` takes."""
    store, message = Mailstore(), Message(b"x\r\n")
    store.box("INBOX").entries = [Entry(3 * n, message, (), 1) for n in range(1, count + 1)]
    store.box("INBOX").uidnext = 3 * count + 1
    with Imapd(store, caps=caps) as origin:
        name = f"box{count}"
        p.clear(name, origin, protocol="imap", after="keep")
        if command != "baseline":
            p.good("baseline", name)
        highest = peak(p, command, name)[1]
        assert not [s for s in origin.said if "BODY" in s]
    return highest


@pytest.mark.slow
@pytest.mark.parametrize("command", ["baseline", "collect"])
def test_many_messages_take_little_memory(p, command):
    few, many, caps = 1_000, 100_000, ["IMAP4rev1", "UIDPLUS", "ESEARCH"]
    low, high = (peaks_of_listing(p, command, count, caps) for count in (few, many))
    each = (high - low) * 1024 / (many - few)
    assert each <= BYTES_A_MESSAGE, f"{each:.0f} bytes a message: {low} KiB for {few}, {high} KiB for {many}"


@pytest.mark.parametrize("verb, line", [
    ("UID SEARCH *", "<*1000000 * SEARCH 1 2 1 2"), ("UID FETCH *", "<*1000000 * 1 FETCH (FLAGS (x))"), ("SELECT *", "<<*3000000 ((((("),
    ("SELECT *", "<<*3000000 * OK [X "),
])
def test_an_endless_answer_takes_no_endless_memory(p, verb, line):
    with Imapd(Mailstore(corpus.small(2)), caps=["IMAP4rev1"], script=Script(parse_script(["> " + verb, line, "! close"]))) as origin:
        p.clear("box", origin, protocol="imap", after="delete")
        process, highest = p.start("collect", "box"), 0
        while process.poll() is None:
            highest = max(highest, rss_anon(process.pid))
            time.sleep(0.001)
        done = p.finish(process)
    assert done.code == 1 and highest < 64 * MIB, (highest, done)
