# SPDX-License-Identifier: Apache-2.0
"""The half of imapd.py that works in a selected mailbox: SEARCH, FETCH, STORE, EXPUNGE, COPY, MOVE.

A session has a view: the entries it was told of, in order, which gives them
their numbers.  What others did in the meantime is told by `sync`, before each
tagged reply (expunges never with FETCH, STORE and SEARCH, as the RFC wants it).
"""
import re
import time

from imap_parse import Bad, Search, as_set, in_set
from origin import Gone, Session

MACROS = {"ALL": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"], "FAST": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]}
SECTION = re.compile(r"BODY(\.PEEK)?\[(.*?)\](?:<(\d+)\.(\d+)>)?$", re.I)


class Selected(Session):
    def __init__(self, origin, sock):
        super().__init__(origin, sock)
        self.leave()

    def leave(self):
        self.box, self.view, self.known, self.read_only, self.synced = None, [], {}, False, -1

    def enter(self, box, read_only):
        with self.origin.store.lock:
            self.box, self.view, self.read_only = box, list(box.entries), read_only or box.read_only
            self.known = {e.uid: e.flags for e in self.view}
            self.synced = self.origin.store.modseq

    # what others did

    def sync(self, expunges=True):
        store = self.origin.store
        with store.lock:
            if self.box and store.box(self.box.name) is not self.box:
                self.say("* BYE the mailbox is not there any more")
                self.flush()
                raise Gone
            if not self.box or self.synced == store.modseq:
                return
            there = {id(e) for e in self.box.entries}
            gone = [e for e in self.view if id(e) not in there]
            if expunges:
                self.tell_gone(gone)
                self.synced = store.modseq
            seen = {id(e) for e in self.view}
            new = [e for e in self.box.entries if id(e) not in seen]
            if new:
                self.view += new
                self.known.update((e.uid, e.flags) for e in new)
                self.say(f"* {len(self.view)} EXISTS", "* 0 RECENT")
            for number, e in enumerate(self.view, 1):
                if self.known[e.uid] != e.flags:
                    self.tell_flags(number, e)

    def tell_gone(self, gone):
        if gone and "QRESYNC" in self.enabled:
            self.say("* VANISHED " + as_set(e.uid for e in gone))
            self.view = [e for e in self.view if e not in gone]
        for e in gone if "QRESYNC" not in self.enabled else ():
            self.say(f"* {self.view.index(e) + 1} EXPUNGE")
            self.view.remove(e)

    def tell_flags(self, number, e):
        self.known[e.uid] = e.flags
        modseq = f" MODSEQ ({e.modseq})" if "CONDSTORE" in self.enabled else ""
        self.say(f"* {number} FETCH (UID {e.uid} FLAGS ({' '.join(sorted(e.flags))}){modseq})")

    def chosen(self, text, uid):
        """A set → (number, entry) of what is in it and still there."""
        with self.origin.store.lock:
            there = {id(e) for e in self.box.entries}
            if uid:
                inside = in_set(text, max((e.uid for e in self.view), default=0))
                return [(n, e) for n, e in enumerate(self.view, 1) if inside(e.uid) and id(e) in there]
            inside = in_set(text, len(self.view))
            return [(n, e) for n, e in enumerate(self.view, 1) if inside(n) and id(e) in there]

    # SEARCH

    def do_search(self, *words, uid=False):
        words, wanted = list(words), None
        if words and isinstance(words[0], str) and words[0].upper() == "RETURN":
            if not self.can("ESEARCH"):
                raise Bad("RETURN needs ESEARCH")
            wanted, words = [w.upper() for w in words[1]] or ["ALL"], words[2:]
        if words and isinstance(words[0], str) and words[0].upper() == "CHARSET":
            words = words[2:]
        search = Search(words, len(self.view), max((e.uid for e in self.view), default=0))
        with self.origin.store.lock:
            found = [e.uid if uid else n for n, e in enumerate(self.view, 1) if search.matches(n, e)]
        if wanted is None:
            self.say("* SEARCH" + "".join(f" {n}" for n in found))
        else:
            facts = {"ALL": as_set(found), "MIN": min(found, default=0), "MAX": max(found, default=0)}
            told = "".join(f" {w} {facts[w]}" for w in wanted if w in facts and found)
            count = f" COUNT {len(found)}" if "COUNT" in wanted else ""
            self.say(f'* ESEARCH (TAG "{self.tag}"){" UID" if uid else ""}{count}{told}')
        self.tagged("OK done", expunges=uid)

    def do_uid_search(self, *words):
        self.do_search(*words, uid=True)

    # FETCH

    def do_fetch(self, numbers, items, more=(), uid=False):
        items = [i.upper() for i in (MACROS.get(items.upper(), [items]) if isinstance(items, str) else items)]
        items = (["UID"] if uid and "UID" not in items else []) + items
        words = [w.upper() for w in more]
        chosen = self.chosen(numbers, uid)
        if "CHANGEDSINCE" in words:
            since = int(words[words.index("CHANGEDSINCE") + 1])
            self.enabled.add("CONDSTORE")
            chosen = [(n, e) for n, e in chosen if e.modseq > since]
            items += [] if "MODSEQ" in items else ["MODSEQ"]
            if "VANISHED" in words:
                inside = in_set(numbers, max((e.uid for e in self.view), default=0))
                gone = [u for at, u in self.box.vanished if at > since and inside(u)]
                if gone:
                    self.say("* VANISHED (EARLIER) " + as_set(gone))
        for number, e in chosen:
            self.tell(number, e, items)
        self.tagged("OK done", expunges=uid)

    def do_uid_fetch(self, *args):
        self.do_fetch(*args, uid=True)

    def tell(self, number, e, items):
        body = [i for i in items if i.startswith(("BODY[", "BODY.PEEK[", "RFC822")) and i != "RFC822.SIZE"]
        if body:
            self.origin.event(f"body {e.uid}")
        if any(not i.startswith("BODY.PEEK") and i != "RFC822.HEADER" for i in body) and not self.read_only:
            self.origin.store.store(e, e.flags | {"\\Seen"})
            items = items + ([] if "FLAGS" in items else ["FLAGS"])
        out = b" ".join(self.item(e, i) for i in items)
        self.known[e.uid] = e.flags if "FLAGS" in items else self.known[e.uid]
        self.out.append(b"* %d FETCH (%s)\r\n" % (number, out))
        if body and self.origin.pace:
            self.flush()
            time.sleep(self.origin.pace)
        if len(self.out) > 64 or (body and self.origin.watched):
            self.flush()

    def item(self, e, name):
        m = e.message
        if name == "UID":
            return b"UID %d" % e.uid
        if name == "FLAGS":
            return b"FLAGS (%s)" % " ".join(sorted(e.flags)).encode()
        if name == "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(m.octets)
        if name == "INTERNALDATE":
            return b'INTERNALDATE "%s"' % m.date.strftime("%d-%b-%Y %H:%M:%S %z").encode()
        if name == "MODSEQ" and self.can("CONDSTORE"):
            return b"MODSEQ (%d)" % e.modseq
        if name == "X-GM-MSGID" and self.can("X-GM-EXT-1"):
            return b"X-GM-MSGID %d" % m.gmail_id
        if name in ("RFC822", "RFC822.HEADER"):
            return self.literal(name, m.octets if name == "RFC822" else m.header())
        section = SECTION.match(name)
        if not section:
            raise Bad("unknown item " + name)
        octets = self.section(m, section[2])
        start = int(section[3] or 0)
        shown = name[:name.index("]") + 1].replace(".PEEK", "", 1) + (f"<{start}>" if section[3] else "")
        return self.literal(shown, octets[start:start + int(section[4])] if section[3] else octets)

    @staticmethod
    def literal(name, octets):
        return b"%s {%d}\r\n%s" % (name.encode(), len(octets), octets)

    @staticmethod
    def section(m, name):
        if name in ("", "HEADER"):
            return m.header() if name else m.octets
        if name == "TEXT":
            return m.octets[len(m.header()):]
        fields = re.match(r"HEADER\.FIELDS \((.*)\)$", name)
        if not fields:
            raise Bad("unknown section " + name)
        there = ((f, m.field(f)) for f in fields[1].split())
        return b"".join(f"{f}: {v}\r\n".encode("latin-1") for f, v in there if v is not None) + b"\r\n"

    # STORE, EXPUNGE

    def do_store(self, numbers, *words, uid=False):
        words, since = list(words), None
        if isinstance(words[0], list):
            since = int(words.pop(0)[1])
        how, silent, flags = words[0].upper().removesuffix(".SILENT"), words[0].upper().endswith(".SILENT"), words[1:]
        flags = {"\\" + f[1:].capitalize() if f[0] == "\\" else f for f in (flags[0] if isinstance(flags[0], list) else flags)}
        if how not in ("FLAGS", "+FLAGS", "-FLAGS"):
            raise Bad("unknown item " + how)
        if self.read_only:
            return self.tagged("NO [READ-ONLY] not here", expunges=uid)
        chosen = self.chosen(numbers, uid)
        late = [e.uid if uid else n for n, e in chosen if since is not None and e.modseq > since]
        for number, e in chosen:
            if (e.uid if uid else number) in late:
                continue
            self.origin.store.store(e, {"FLAGS": flags, "+FLAGS": e.flags | flags, "-FLAGS": e.flags - flags}[how])
            self.known[e.uid] = e.flags
            if not silent:
                self.tell_flags(number, e)
            elif "CONDSTORE" in self.enabled:
                self.say(f"* {number} FETCH (UID {e.uid} MODSEQ ({e.modseq}))")
        self.origin.event("stored")
        return self.tagged(f"OK [MODIFIED {as_set(late)}] some" if late else "OK done", expunges=uid)

    def do_uid_store(self, *args):
        self.do_store(*args, uid=True)

    def do_expunge(self):
        self.expunge([e for e in self.view if "\\Deleted" in e.flags])

    def do_uid_expunge(self, numbers):
        self.expunge([e for _, e in self.chosen(numbers, True) if "\\Deleted" in e.flags])

    def expunge(self, entries):
        if self.read_only:
            return self.tagged("NO [READ-ONLY] not here")
        self.origin.store.remove(self.box, entries)
        self.origin.event("expunged")
        return self.tagged("OK done")

    def do_close(self):
        if not self.read_only:
            self.origin.store.expunge(self.box.name)
        self.leave()
        self.tagged("OK done")

    def do_unselect(self):
        self.leave()
        self.tagged("OK done")

    def do_check(self):
        self.tagged("OK done")

    # COPY, MOVE

    def do_copy(self, numbers, name, uid=False):
        self.transfer(numbers, name, uid, False)

    def do_uid_copy(self, numbers, name):
        self.transfer(numbers, name, True, False)

    def do_move(self, numbers, name):
        self.transfer(numbers, name, False, True)

    def do_uid_move(self, numbers, name):
        self.transfer(numbers, name, True, True)

    def transfer(self, numbers, name, uid, move):
        store = self.origin.store
        with store.lock:
            target, chosen = store.box(name), [e for _, e in self.chosen(numbers, uid)]
            if not target:
                return self.tagged("NO [TRYCREATE] no such mailbox")
            if move and self.read_only:
                return self.tagged("NO [READ-ONLY] not here")
            pairs = [(e.uid, store.put(name, e.message, e.flags - {"\\Recent"})) for e in chosen]
        self.origin.event("moved" if move else "copied")
        code = ""
        if pairs and self.can("UIDPLUS"):
            code = f"[COPYUID {target.validity} {','.join(str(a) for a, _ in pairs)} {','.join(str(b) for _, b in pairs)}] "
        if not move:
            return self.tagged(f"OK {code}copied")
        store.remove(self.box, chosen)
        self.origin.event("expunged")
        self.say(f"* OK {code}moved")
        return self.tagged("OK done")
