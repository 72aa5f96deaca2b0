# SPDX-License-Identifier: Apache-2.0
"""The mailboxes behind imapd.py, shared by all its sessions and by the test, which plays the other clients.

    store = Mailstore(messages)               they stand in INBOX, UIDs 1, 2, …
    store.add("lists/a", octets, flags={"\\\\Seen"})
    store.flag("INBOX", 3, add={"\\\\Seen"})     as another client does it
    store.expunge("INBOX", {3})               takes these away, whatever their flags
    store.recreate("INBOX")                   deleted and made again: the same mail, a new UIDVALIDITY
    store.octets("INBOX"), store.seen("INBOX"), store.uids("INBOX"), store.everything()

With `gmail`, folders are labels: a message has one X-GM-MSGID wherever it
stands, all of them stand in "[Gmail]/All Mail" too, and EXPUNGE elsewhere only
removes a label; what comes into "[Gmail]/Trash" loses all others.
"""
import re
import threading
from email.utils import parsedate_to_datetime
from datetime import datetime, timezone

from imap_parse import pattern

ALL_MAIL, TRASH = "[Gmail]/All Mail", "[Gmail]/Trash"


def crlf(octets):
    """As IMAP shows a message that a Maildir holds; a last line without an end stays without."""
    return re.sub(rb"\r?\n", b"\r\n", octets)


class Message:
    made = 1_780_000_000_000_000_000

    def __init__(self, octets, date=None):
        Message.made += 7919
        self.octets, self.gmail_id = crlf(octets), Message.made
        self.date = date or self.header_date() or datetime(2024, 5, 17, 10, 0, tzinfo=timezone.utc)

    def header(self):
        head, blank, _ = self.octets.partition(b"\r\n\r\n")
        return head + blank

    def field(self, name):
        m = re.search(rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*(.*(?:\r\n[ \t].*)*)", self.header())
        return m[1].decode("latin-1").strip() if m else None

    def header_date(self):
        try:
            date = parsedate_to_datetime(self.field("Date"))
            return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
        except (TypeError, ValueError):
            return None


class Entry:
    """A message in a mailbox."""

    def __init__(self, uid, message, flags, modseq):
        self.uid, self.message, self.flags, self.modseq = uid, message, frozenset(flags), modseq


class Mailbox:
    def __init__(self, name, validity):
        self.name, self.validity, self.uidnext, self.entries = name, validity, 1, []
        self.vanished = []      # (modseq, uid)
        self.read_only = False

    def find(self, uid):
        return next((e for e in self.entries if e.uid == uid), None)


class Mailstore:
    def __init__(self, messages=(), delimiter="/", gmail=False, validity=1_700_000_000):
        self.lock, self.boxes, self.delimiter, self.gmail = threading.RLock(), {}, delimiter, gmail
        self.modseq, self.validity, self.attributes = 1, validity, {}
        for name in ["INBOX"] + ([ALL_MAIL, TRASH] if gmail else []):
            self.create(name)
        if gmail:
            self.attributes = {ALL_MAIL: "\\All", TRASH: "\\Trash", "[Gmail]": "\\Noselect"}
        for octets in messages:
            self.add("INBOX", octets)

    def box(self, name):
        """The mailbox of this name, or None; INBOX in any case."""
        return self.boxes.get("INBOX" if name.upper() == "INBOX" else name)

    def create(self, name):
        with self.lock:
            if self.box(name):
                return None
            self.validity += 1
            self.boxes[name] = Mailbox(name, self.validity)
            return self.boxes[name]

    def matching(self, reference, patterns):
        """What LIST shows: (name, attributes), folders that only have children too."""
        with self.lock:
            names = set(self.boxes)
            for name in list(names) if self.delimiter else ():
                parts = name.split(self.delimiter)
                names |= {self.delimiter.join(parts[:n]) for n in range(1, len(parts))}
            found = [pattern(reference + p, self.delimiter) for p in patterns]
            for name in sorted(names):
                if not any(f.fullmatch(name) for f in found):
                    continue
                parent = self.delimiter and any(n.startswith(name + self.delimiter) for n in names)
                attributes = [] if name in self.boxes else ["\\Noselect"]
                special = self.attributes.get(name)
                yield name, attributes + ["\\HasChildren" if parent else "\\HasNoChildren"] + ([special] if special and special not in attributes else [])

    def delete(self, name):
        with self.lock:
            return self.boxes.pop(self.box(name).name)

    def recreate(self, name, messages=None):
        """A new UIDVALIDITY, and UIDs from 1: with the same messages, or with these."""
        with self.lock:
            old = [(e.message, e.flags) for e in self.box(name).entries] if messages is None else [(Message(m), ()) for m in messages]
            self.delete(name)
            self.create(name)
            for message, flags in old:
                self.put(name, message, flags)

    def put(self, name, message, flags=(), uid=None):
        """`message` into the mailbox → its UID there."""
        with self.lock:
            box = self.box(name)
            if self.gmail and (there := next((e for e in box.entries if e.message is message), None)):
                return there.uid
            self.modseq += 1
            uid = uid or box.uidnext
            box.entries.append(Entry(uid, message, flags, self.modseq))
            box.uidnext = max(box.uidnext, uid + 1)
            if self.gmail and box.name == TRASH:
                for other in self.boxes.values():
                    if other is not box:
                        self.remove(other, [e for e in other.entries if e.message is message])
            elif self.gmail and box.name != ALL_MAIL:
                self.put(ALL_MAIL, message, flags)
            return uid

    def add(self, name, octets, flags=(), uid=None, date=None):
        """A new message, as delivered by somebody → the Message."""
        with self.lock:
            if not self.box(name):
                self.create(name)
            message = octets if isinstance(octets, Message) else Message(octets, date)
            self.put(name, message, flags, uid)
            return message

    def remove(self, box, entries):
        with self.lock:
            for e in entries:
                self.modseq += 1
                box.vanished.append((self.modseq, e.uid))
            box.entries = [e for e in box.entries if e not in entries]

    def expunge(self, name, uids=None):
        """These UIDs, or (None) what is marked \\Deleted."""
        with self.lock:
            box = self.box(name)
            self.remove(box, [e for e in box.entries if (e.uid in uids if uids is not None else "\\Deleted" in e.flags)])

    def store(self, entry, flags):
        with self.lock:
            if entry.flags != frozenset(flags):
                self.modseq += 1
                entry.flags, entry.modseq = frozenset(flags), self.modseq

    def flag(self, name, uid, add=(), drop=()):
        entry = self.box(name).find(uid)
        self.store(entry, (entry.flags | set(add)) - set(drop))

    # what a test wants to know

    def octets(self, name="INBOX"):
        with self.lock:
            return [e.message.octets for e in self.box(name).entries] if self.box(name) else []

    def uids(self, name="INBOX"):
        with self.lock:
            return [e.uid for e in self.box(name).entries]

    def seen(self, name="INBOX", flag="\\Seen"):
        """The octets of those with the flag."""
        with self.lock:
            return [e.message.octets for e in self.box(name).entries if flag in e.flags]

    def everything(self):
        with self.lock:
            return [e.message.octets for box in self.boxes.values() for e in box.entries]
