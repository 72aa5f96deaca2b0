# SPDX-License-Identifier: Apache-2.0
"""The messages that our tests collect: the same octets on every machine.

    corpus.messages(5000)     the hard ones of `odd()` first, then ordinary mail
    corpus.normal(octets)     as a POP3 server must show them: CRLF everywhere
    corpus.digest(octets)     SHA-256 of that, to compare what arrived

Messages are made with LF line ends, as a Maildir holds them.  Sizes are
log-normal (median 3 KB), one in a hundred has an attachment of 100 KB to 1 MB.
"""
import base64
import hashlib
import random
import re
from email.utils import formatdate

WORDS = ("invoice meeting draft server budget harbour letter garden window contract answer question morning "
         "friday release ticket review address number please thanks regards attached enclosed signed later "
         "naïve café Größe señor smørrebrød Ελλάδα почта 日本語 straße façade").split()


def normal(octets):
    """As POP3 shows a stored message: CRLF line ends, and one at the end."""
    octets = re.sub(rb"\r?\n", b"\r\n", octets)
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def digest(octets):
    return hashlib.sha256(normal(octets)).hexdigest()


class Stock:
    """Lines made once; a message takes runs of them, which is quick."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.lines = [self.line(rng) for _ in range(4000)]
        blob = rng.randbytes(1 << 20)
        self.blob = base64.encodebytes(blob)

    @staticmethod
    def line(rng):
        kind = rng.random()
        if kind < 0.02:
            return rng.choice([b".", b"..", b"...", b". ", b".\t"])
        text = " ".join(rng.choices(WORDS, k=rng.randrange(1, 14)))
        if kind < 0.05:
            return b"." + text.encode()
        if kind < 0.08:
            return b""
        if kind < 0.10:
            return text.encode("latin-1", "replace")
        if kind < 0.11:
            return b"From " + text.encode()
        if kind < 0.115:
            return text.encode() * 40
        return text.encode()

    def text(self, rng, size):
        out, have, at = [], 0, rng.randrange(len(self.lines))
        while have < size:
            line = self.lines[at % len(self.lines)]
            out.append(line)
            have += len(line) + 1
            at += 1
        return b"\n".join(out) + b"\n"


def header(rng, seed, number, more=b""):
    when = formatdate(1_700_000_000 + 977 * number)
    hop = f"Received: from mx{rng.randrange(9)}.example.net (192.0.2.{rng.randrange(1, 255)})\n\tby mail.example.org; {when}\n"
    return (hop * rng.randrange(1, 4) + f"Message-ID: <{seed}.{number}@example.org>\nDate: {when}\n"
            f"From: Sender {number % 50} <sender{number % 50}@example.net>\nTo: anna@example.org\n"
            f"Subject: number {number}, {' '.join(rng.choices(WORDS[:20], k=4))}\n").encode() + more + b"\n"


def ordinary(stock, seed, number):
    rng = random.Random(seed * 1_000_003 + number)
    if rng.random() < 0.01:
        return attachment(stock, rng, seed, number)
    size = int(min(200_000, max(40, rng.lognormvariate(8.0, 1.0))))
    return header(rng, seed, number) + stock.text(rng, size)


def attachment(stock, rng, seed, number):
    size = int(100_000 * 10 ** rng.random()) // 77 * 77
    start = rng.randrange(len(stock.blob) - size) // 77 * 77
    head = header(rng, seed, number, b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=_part"\n')
    return (head + b"--=_part\nContent-Type: text/plain; charset=utf-8\n\n" + stock.text(rng, 1500)
            + b"--=_part\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
            + stock.blob[start:start + size] + b"--=_part--\n")


def odd():
    """What breaks collectors: name → octets (LF line ends)."""
    head = b"From: a@example.org\nSubject: %s\n\n"
    return {
        "starts with a dot": b".X-First: line\nSubject: dot at octet 0\n\nbody\n",
        "lines of 70,000 octets": head % b"long lines" + b"a" * 70_000 + b"\n." + b"b" * 69_999 + b"\n" + b"c" * 70_000 + b"\n",
        "no final newline": head % b"no end" + b"the last line just ends",
        "no final newline after a dot": head % b"no end, dot" + b"text\n.",
        "empty": b"",
        "only dots": head % b"dots" + b".\n..\n...\n....\n.\n",
        "dots in a row": head % b"dot rows" + b"." * 5000 + b"\n" + b".\n" * 500,
        "no header": b"\njust a body, no header at all\n",
        "no body": b"From: a@example.org\nSubject: no body\n",
        "one octet": b"x",
        "blank last lines": head % b"blank end" + b"text\n\n\n\n",
        "every octet but NUL, CR, LF": head % b"octets" + bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\n",
        "mbox From first": b"From someone Mon Jan  1 00:00:00 2024\nSubject: mbox\n\nFrom the start\n>From quoted\n",
        "looks like replies": head % b"replies" + b"+OK\n-ERR\n.+OK 1 2\n* BYE\n",
        "dot at piece edges": head % b"edges" + b"".join(b"x" * (4096 - 2) + b"\n." for _ in range(20)) + b"\n",
        "a megabyte in one line": head % b"one line" + b"m" * 1_000_000 + b"\n",
        "boundary of 64 KiB": head % b"64 KiB" + (b"y" * 63 + b"\n") * 1023 + b"\n",
    }


def rough():
    """Octets that not every server passes on as they are: NUL, lone CR."""
    head = b"From: a@example.org\nSubject: %s\n\n"
    return {
        "NULs": head % b"nul" + b"a\0b\n\0\n\0\0c\n",
        "lone CRs": head % b"cr" + b"a\rb\n\rc\n\r\rd\n.\re\n",
    }


def messages(count, seed=1):
    stock = Stock(seed)
    hard = list(odd().values()) + list(rough().values())
    return hard[:count] + [ordinary(stock, seed, n) for n in range(len(hard), count)]


def small(count, size=1000, seed=7):
    """`count` plain messages of about `size` octets: for tests that are not about octets."""
    stock = Stock(seed)
    return [header(random.Random(n), seed, n) + stock.text(random.Random(n), size) for n in range(count)]
