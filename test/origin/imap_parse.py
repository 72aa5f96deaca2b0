# SPDX-License-Identifier: Apache-2.0
"""What an IMAP server reads: arguments, sets of ids, LIST patterns, search criteria (RFC 3501 section 9)."""
import base64
import re
from datetime import datetime


class Bad(Exception):
    """The command cannot be understood."""


class Text(str):
    """It came as a quoted string or a literal: never a keyword."""


def arguments(text):
    """The words of a command: atoms as str, strings as Text, parentheses as lists."""
    words, at = sequence(text, 0, "")
    if at != len(text):
        raise Bad("a ) too many")
    return words


def sequence(text, at, end):
    words = []
    while at < len(text) and text[at] != ")":
        if text[at] == " ":
            at += 1
        elif text[at] == "(":
            inner, at = sequence(text, at + 1, ")")
            words.append(inner)
        elif text[at] == '"':
            m = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S).match(text, at)
            if not m:
                raise Bad("a string without end")
            words.append(Text(re.sub(r"(?s)\\(.)", r"\1", m[1])))
            at = m.end()
        else:
            m = re.compile(r'(?:\[[^\]]*\]|[^\s()"\[])+').match(text, at)
            if not m:
                raise Bad("not an atom")
            words.append(m[0])
            at = m.end()
    if end and at == len(text):
        raise Bad("a ) is missing")
    return words, at + len(end)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def utf7(name):
    """A mailbox's name as it goes over the wire (RFC 3501 section 5.1.3)."""
    def coded(m):
        return "&" + base64.b64encode(m[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
    return re.sub(r"[^\x20-\x7e]+", coded, name.replace("&", "&-"))


def in_set(text, last):
    """A set of numbers → a predicate; `*` is `last`, and n:* holds it also when it is below n."""
    ranges = []
    for part in text.split(","):
        m = re.fullmatch(r"(\d+|\*)(?::(\d+|\*))?", part)
        if not m or "0" in (m[1], m[2]):
            raise Bad("not a set")
        first, second = (last if n == "*" else int(n or m[1].replace("*", str(last))) for n in (m[1], m[2]))
        if max(first, second) > 0xFFFFFFFF:
            raise Bad("a number over 32 bits")
        ranges.append((min(first, second), max(first, second)))
    return lambda n: any(a <= n <= b for a, b in ranges)


def as_set(numbers):
    """Numbers → the shortest set, in rising order."""
    out, numbers = [], sorted(set(numbers))
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in out)


def pattern(text, delimiter):
    """A LIST pattern → a regular expression."""
    other = f"[^{re.escape(delimiter)}]*" if delimiter else ".*"
    out = "".join({"*": ".*", "%": other}.get(c, re.escape(c)) for c in text)
    return re.compile(re.sub(r"^inbox", "(?i:inbox)", out, flags=re.I), re.S)


def date(text):
    try:
        return datetime.strptime(text, "%d-%b-%Y").date()
    except ValueError:
        raise Bad("not a date: " + text) from None


FLAG_KEYS = {"ANSWERED": "\\Answered", "DELETED": "\\Deleted", "DRAFT": "\\Draft", "FLAGGED": "\\Flagged", "SEEN": "\\Seen",
             "RECENT": "\\Recent"}
COMPARE = {"BEFORE": lambda a, b: a < b, "ON": lambda a, b: a == b, "SINCE": lambda a, b: a >= b}


class Search:
    """Criteria as a test of (number, entry).  `last` and `last_uid` are what * means."""

    def __init__(self, words, last, last_uid):
        self.words, self.last, self.last_uid = list(words), last, last_uid
        self.keys = []
        while self.words:
            self.keys.append(self.key())

    def matches(self, number, entry):
        return all(key(number, entry) for key in self.keys)

    def word(self):
        if not self.words:
            raise Bad("a search key lacks its argument")
        return self.words.pop(0)

    def key(self):
        word = self.word()
        if isinstance(word, list):
            inner = Search(word, self.last, self.last_uid)
            return inner.matches
        name = word.upper()
        if name in FLAG_KEYS or (name.startswith("UN") and name[2:] in FLAG_KEYS):
            want, flag = name in FLAG_KEYS, FLAG_KEYS.get(name) or FLAG_KEYS[name[2:]]
            return lambda n, e: (flag in e.flags) is want
        done = getattr(self, "key_" + name.lower(), None)
        if done:
            return done()
        if name in ("FROM", "TO", "CC", "BCC", "SUBJECT"):
            return self.header(name, self.word())
        if name.removeprefix("SENT") in COMPARE:
            return self.compare(name)
        if re.fullmatch(r"[\d:,*]+", name):
            inside = in_set(name, self.last)
            return lambda n, e: inside(n)
        raise Bad("unknown search key: " + name)

    def key_all(self):
        return lambda n, e: True

    def key_not(self):
        inner = self.key()
        return lambda n, e: not inner(n, e)

    def key_or(self):
        one, other = self.key(), self.key()
        return lambda n, e: one(n, e) or other(n, e)

    def key_uid(self):
        inside = in_set(self.word(), self.last_uid)
        return lambda n, e: inside(e.uid)

    def key_larger(self):
        size = int(self.word())
        return lambda n, e: len(e.message.octets) > size

    def key_smaller(self):
        size = int(self.word())
        return lambda n, e: len(e.message.octets) < size

    def key_keyword(self):
        flag = self.word()
        return lambda n, e: flag in e.flags

    def key_unkeyword(self):
        flag = self.word()
        return lambda n, e: flag not in e.flags

    def key_header(self):
        name = self.word()
        return self.header(name, self.word())

    def key_text(self):
        word = self.word().encode("latin-1").lower()
        return lambda n, e: word in e.message.octets.lower()

    def key_body(self):
        word = self.word().encode("latin-1").lower()
        return lambda n, e: word in e.message.octets[len(e.message.header()):].lower()

    def key_modseq(self):
        least = int(self.word())
        return lambda n, e: e.modseq >= least

    @staticmethod
    def header(name, word):
        """Has the field, and the word is in it; an empty word: has it at all."""
        def key(_, e):
            there = e.message.field(name)
            return there is not None and word.lower() in there.lower()
        return key

    def compare(self, name):
        right, sent = date(self.word()), name.startswith("SENT")
        relation = COMPARE[name.removeprefix("SENT")]

        def key(_, e):
            when = e.message.header_date() if sent else e.message.date
            return when is not None and relation(when.date(), right)
        return key
