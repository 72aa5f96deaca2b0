# SPDX-License-Identifier: Apache-2.0
"""The matrix of visits and targets, as one configuration: a connection and a user for each cell.

{POP3, IMAP} × {implicit, explicit, none} × {each after} × {each target type} × {accepts, defers, refuses, dies}; and what is refused
with each other on_refused.  Nothing refuses for good on a mailbox, a Maildir or a folder, and nothing dies there but ourselves: those
cells stand in other tests (test_matrix's last, test/crash).  Each user has three messages; the target's mood is about the second, so that the others are seen to flow; but for
Maildirs and folders, which take nothing at all.

    m = Matrix(home, dovecot, smtp, lmtp)       fills the users, writes the configuration
    m.collect()                                 all connections, once
    m.faults(m.first)                           what is not as it should be, a line for each cell
    m.mend(); m.recover(); m.faults(m.last)
"""
import os
import pwd
import re
import shutil
from collections import Counter, defaultdict
from typing import NamedTuple

import postrider
import sinks
from postrider import Postrider, section

TLS = ("implicit", "explicit", "none")
AFTER = {"pop3": ("keep", "delete"), "imap": ("keep", "delete", "seen", "move:Done")}
HOW = {"mailbox": ("accepts", "defers"), "maildir": ("accepts", "defers"), "folder": ("accepts", "defers"),
       "command": ("accepts", "defers", "refuses", "dies"), "smtp": ("accepts", "defers", "refuses", "dies"),
       "lmtp": ("accepts", "defers", "refuses", "dies")}
NUMBERS = (1, 2, 3)
BIG = 60_000                    # of the message that a mailbox has no room for
QUOTA = "50000"
POSTMASTER = "postmaster"       # without main_domain
REASON = {"mailbox": {"defers": "over quota"}, "maildir": {"defers": "Permission denied"}, "folder": {"defers": "Permission denied"},
          "command": {"defers": sinks.DEFERS, "refuses": sinks.REFUSES, "dies": "signal|killed"},
          "smtp": {"defers": sinks.DEFERS, "refuses": sinks.REFUSES, "dies": "closed"},
          "lmtp": {"defers": sinks.DEFERS, "refuses": sinks.REFUSES, "dies": "closed"}}


class Cell(NamedTuple):
    protocol: str
    tls: str
    after: str
    target: str
    how: str
    refused: str = "quarantine"

    @property
    def name(self):
        """Dovecot's users are in small letters; sinks.py reads the end."""
        return "-".join((self.protocol, self.tls, self.after.replace(":", "_").lower(), self.target, self.refused, self.how))

    @property
    def second(self):
        """What becomes of the second message once it is refused, unless it is quarantined; as what no server is there to return is."""
        quarantined = self.refused == "quarantine" or (self.refused == "return" and self.target == "command")
        return self.refused if self.how == "refuses" and not quarantined else None

    def message(self, number):
        """As it lies at the server.  Lines that begin with dots, and 8-bit octets."""
        size = BIG if self.target == "mailbox" and self.how == "defers" and number == 2 else 300
        body = b"".join(b"..%d.\xe4 line\r\n" % n if n % 7 == 0 else b"line %d of it\r\n" % n for n in range(size // 15))
        body += b"#" * 16 * number + b"\r\n"       # a size of its own
        return (f"Return-Path: <n{number}@{self.name}.test>\r\nMessage-ID: <n{number}.{self.name}@matrix.test>\r\n"
                f"From: n{number}@{self.name}.test\r\nSubject: {number}\r\n\r\n").encode() + body

    def stays(self, number):
        """It is not accepted by the first visit."""
        if self.target in ("maildir", "folder"):
            return self.how == "defers"
        return number == 2 and (self.how in ("defers", "dies") or self.second == "keep")

    def fate(self, number):
        """→ ledger states that are right after the first visit"""
        if self.stays(number):
            return ("pending",) if self.target in ("maildir", "folder") else ("refused",) if self.second else ("held",)
        return self.done(number, False)

    def done(self, number, mended=True):
        """What the ledger says in the end; also of what was released: it was disposed of before."""
        if number == 2 and self.second == "delete":
            return "disposing", "gone"
        if self.held(number) == "quarantined" and self.after == "keep":
            return ("quarantined", "accepted") if mended else ("quarantined",)
        return {"keep": ("accepted",), "delete": ("disposing", "gone"), "seen": ("seen",), "move:Done": ("disposing", "gone")}[self.after]

    def held(self, number):
        """→ the state of its copy in the held area, or None"""
        if number == 2 and not self.second and self.target in ("command", "smtp", "lmtp", "mailbox"):
            return {"defers": "waiting", "dies": "waiting", "refuses": "quarantined"}.get(self.how)
        return None

    def copies(self, number, waits):
        return 0 if waits or number == 2 and self.second in ("delete", "return") else 1

    def lies(self, number, stays):
        """→ (folder, seen) at the server, or None"""
        if number == 2 and self.second == "delete":
            return None
        if stays or self.after == "keep":
            return "INBOX", False
        return {"delete": None, "seen": ("INBOX", True), "move:Done": ("Done", False)}[self.after]


def cells():
    return [Cell(protocol, tls, after, target, how) for protocol in AFTER for tls in TLS for after in AFTER[protocol]
            for target in HOW for how in HOW[target]] + \
        [Cell(protocol, "none", after, target, "refuses", refused) for protocol in AFTER for after in AFTER[protocol]
            for target in ("command", "smtp", "lmtp") for refused in ("keep", "delete", "return")]


def bare(octets):
    """Without what is put in front on the way."""
    lines = octets.replace(b"\r\n", b"\n").split(b"\n")
    while re.match(rb"(Return-Path|Delivered-To|Received|X-Real-To):|[ \t]", lines[0]):
        lines.pop(0)
    return b"\n".join(lines)


class Nobody(Postrider):
    """Runs as nobody when we are root, whom no directory's mode keeps out."""
    limit = 180

    def __init__(self, home):
        super().__init__(home)
        who = pwd.getpwnam("nobody")
        self.drop = {} if os.getuid() else {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        self.head = ""
        self.program = shutil.copy(postrider.PROGRAM, os.path.join(self.home, "program"))

    def write(self):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"state = '{self.state}'\n{getattr(self, 'head', '')}\n" + "\n".join(self.sections.values()))
        os.chmod(self.config, 0o600)

    def argv(self, *args):
        return [self.program, "-c", self.config, *args]

    def start(self, *args, **more):
        return super().start(*args, **{**self.drop, **more})

    def give(self):
        """All that is ours becomes nobody's."""
        for base, folders, files in os.walk(self.home) if self.drop else ():
            for path in [base, *(os.path.join(base, n) for n in folders + files)]:
                os.chown(path, self.drop["user"], self.drop["group"])


class Found:
    """How things stand: by cell, by number."""

    def __init__(self):
        self.history, self.held, self.left = defaultdict(dict), defaultdict(dict), defaultdict(dict)
        self.copies, self.bounces, self.returned, self.wrong = Counter(), Counter(), Counter(), []


class Matrix:
    def __init__(self, home, dovecot, smtp, lmtp, only=None):
        self.home, self.dovecot, self.smtp, self.lmtp = str(home), dovecot, smtp, lmtp
        self.cells = [c for c in cells() if not only or re.search(only, c.name)]
        self.by_name = {c.name: c for c in self.cells}
        self.sizes = {(c.name, len(c.message(n))): n for c in self.cells for n in NUMBERS}
        self.p = Nobody(home)
        self.p.head = "max_per_host = 32\nlog { level = info }\n"
        self.command = self.path("command")
        self.program = sinks.command(self.command)
        self.first = self.last = None
        for name in ("maildir", "folder"):
            os.mkdir(self.path(name))
        self.sections()
        for cell in self.cells:
            dovecot.fill(cell.name, [cell.message(n) for n in NUMBERS])
            if cell.after == "move:Done":
                dovecot.fill(cell.name, [], "Done")
        self.p.write()
        for name in ("anna", "tight"):
            self.p.account(name)
        self.p.give()
        self.p.good("account", "set", "tight", "quota=" + QUOTA)
        self.shut(True)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def shut(self, closed):
        """Folders that take nothing: made, and not to be written to."""
        for cell in self.cells:
            if cell.target not in ("maildir", "folder") or cell.how != "defers":
                continue
            where = self.path(cell.target, cell.name)
            inside = [where] + [os.path.join(where, n) for n in (("tmp", "new", "cur") if cell.target == "maildir" else (".tmp",))]
            for path in inside:
                os.makedirs(path, exist_ok=True)
                if self.p.drop:
                    os.chown(path, self.p.drop["user"], self.p.drop["group"])
            for path in inside:
                os.chmod(path, 0o500 if closed else 0o700)

    def sections(self):
        for name, kind in {(self.target(c), c.target) for c in self.cells if c.target in ("smtp", "lmtp")}:
            self.p.sections["target " + name] = section("target " + name, {"type": kind, "host": "127.0.0.1", "tls__mode": "none",
                                                                           "port": getattr(self, kind).port})
        for how in HOW["command"]:
            name = "command-" + how
            self.p.sections["target " + name] = section("target " + name, {"type": "command", "argv": [self.program, how, self.command]})
        for cell in self.cells:
            ports = {"pop3": (self.dovecot.pop3s, self.dovecot.pop3), "imap": (self.dovecot.imaps, self.dovecot.imap)}[cell.protocol]
            keys = {"protocol": cell.protocol, "host": "127.0.0.1", "port": ports[cell.tls != "implicit"], "user": cell.name,
                    "password": self.dovecot.password, "auth": ["plain"], "tls__mode": cell.tls, "allow_cleartext": cell.tls == "none",
                    "timeout": "60s", "after": cell.after, "on_refused": cell.refused, "deliver": [self.target(cell)]}
            if cell.tls != "none":
                keys["tls__ca_certificates"] = self.dovecot.authority.ca
            if cell.target in ("smtp", "lmtp"):
                keys["envelope__recipients"] = [cell.name + "@matrix.test"]
            self.p.sections[cell.name] = section("connection " + cell.name, keys)

    def target(self, cell):
        """Servers are shared by all cells; but one that dies takes along what is pipelined behind the message."""
        if cell.target in ("smtp", "lmtp") and cell.how == "dies":
            return cell.target + "." + cell.name
        return {"mailbox": f"mailbox:{'tight' if cell.how == 'defers' else 'anna'}/{cell.name}",
                "maildir": "maildir:" + self.path("maildir", cell.name), "folder": "folder:" + self.path("folder", cell.name),
                "command": "command-" + cell.how}.get(cell.target, cell.target)

    def collect(self):
        self.done = self.p("collect")
        self.first, self.lines = self.look(), self.said(self.done)

    @staticmethod
    def said(done):
        """Connection → its lines of the log."""
        lines = defaultdict(list)
        for line in done.err.splitlines():
            m = re.search(r"\bconnection=(\S+)", line)
            if m and " visit end " not in line:
                lines[m[1]].append(line)
        return lines

    # what there is

    def key(self, octets):
        """→ (cell, number) of a message; octets that are not as they were sent are remembered."""
        m = re.search(rb"(?m)^Message-ID: <n(\d)\.(\S+)@matrix\.test>", octets)
        cell = m and self.by_name.get(m[2].decode())
        return (cell, int(m[1])) if cell else None

    def count(self, found, octets):
        key = self.key(octets)
        if not key:
            found.wrong.append(octets[:300])
            return
        found.copies[key] += 1
        if bare(octets) != bare(key[0].message(key[1])):
            found.wrong.append((key[0].name, key[1], octets[:300]))

    def sources(self, found):
        for cell in self.cells:
            for folder in ("INBOX", "Done"):
                box = self.dovecot.folder(cell.name, folder)
                for sub in ("new", "cur"):
                    where = os.path.join(box, sub)
                    for name in os.listdir(where) if os.path.isdir(where) else ():
                        with open(os.path.join(where, name), "rb") as f:
                            number = self.key(f.read())[1]
                        found.left[cell][number] = (folder, cell.protocol == "imap" and "S" in name.partition(":2,")[2])     # Dovecot's RETR sets it

    def files(self, target):
        for base, _, names in os.walk(self.path(target)):
            for name in names:
                if os.path.basename(base) in ("new", "cur") if target == "maildir" else name.endswith(".eml"):
                    with open(os.path.join(base, name), "rb") as f:
                        yield f.read()

    def look(self):
        found = Found()
        for row in self.p.good("history", "--json").rows():
            cell = self.by_name[row["connection"]]
            found.history[cell][self.sizes[cell.name, row["size"]]] = row
        for row in self.p.good("held", "list", "--json").rows():
            cell = self.by_name.get(row.get("connection"))
            if cell and row["uid"] == "":      # that is a bounce
                found.bounces[cell] += 1
                continue
            number = cell and self.sizes.get((cell.name, row["octets"]), 2)
            if cell and number not in found.held[cell]:
                found.held[cell][number] = row
            else:
                found.wrong.append(("held", row))
        self.sources(found)
        for octets in [*self.files("maildir"), *self.files("folder"), *sinks.arrived(self.command)]:
            self.count(found, octets)
        for sender, recipient, octets in self.smtp.taken + self.lmtp.taken:
            if not sender:
                found.returned[(self.key(octets) or (None,))[0]] += recipient == POSTMASTER
                continue
            self.count(found, octets)
            key = self.key(octets)
            if key and recipient != key[0].name + "@matrix.test":
                found.wrong.append(("recipient", recipient, key))
        for cell in self.cells:
            if cell.target == "mailbox":
                for octets in self.p.in_mailbox(self.target(cell).partition(":")[2]):
                    self.count(found, octets)
        return found

    # what there should be

    def told(self, cell, number, found):
        """The log's lines that say why a message was not accepted; → what is wrong with them."""
        uid = found.history[cell].get(number, {}).get("uid", "?")
        named = f"message {uid.partition('/')[2]} of INBOX" if cell.protocol == "imap" else f"({uid})"
        target = self.target(cell)
        lines = [line for line in self.lines[cell.name] if target in line and named in line]
        if len(lines) != 1:
            return f"{len(lines)} lines of {uid} and {target}: {self.lines[cell.name]}"
        return None if re.search(REASON[cell.target][cell.how], lines[0], re.I) else f"no reason: {lines[0]}"

    def fault(self, cell, number, found, mended):
        stays = not mended and cell.stays(number)
        waits = None if mended else cell.held(number)
        row, held = found.history[cell].get(number, {}), found.held[cell].get(number, {})
        wants = {"ledger": (row.get("state"), cell.done(number) if mended else cell.fate(number)), "held": (held.get("state"), (waits,)),
                 "lies": (found.left[cell].get(number), (cell.lies(number, stays),)),
                 "copies": (found.copies[cell, number], (cell.copies(number, stays or waits),))}
        if cell.how == "dies" and number != 2 and not mended and row.get("state") == "held" and "closed" in row.get("error", ""):
            return None         # it was behind the one that the server died of
        out = [f"{what}: {have}, not {' or '.join(map(str, want))}" for what, (have, want) in wants.items() if have not in want]
        if (stays or waits or not mended and number == 2 and cell.second) and (line := self.told(cell, number, found)):
            out.append("log: " + line)
        if stays and not re.search(REASON[cell.target][cell.how], row.get("error", "") + held.get("why", ""), re.I):
            out.append(f"reason: ledger {row.get('error')!r}, held {held.get('why')!r}")
        later = [line for done in (self.again, self.rest) for line in self.said(done)[cell.name]] if mended else self.lines[cell.name]
        return f"{cell.name} {number}: {'; '.join(out + later)}" if out else None

    def faults(self, found, mended=False):
        """→ a line for each message that is not as it should be"""
        return [line for cell in self.cells for number in NUMBERS if (line := self.fault(cell, number, found, mended))] + \
            [f"wrong: {w}" for w in found.wrong] + \
            [line for cell in self.cells if (line := self.bounce_fault(cell, found, mended))]

    @staticmethod
    def bounce_fault(cell, found, mended):
        """One for what was returned, and it arrives."""
        waits, came, want = found.bounces[cell], found.returned[cell], cell.second == "return"
        if (waits, came) == (0, want) or (not mended and (waits, came) == (want, 0)):
            return None
        return f"{cell.name}: {waits} bounces wait and {came} came to {POSTMASTER}, where {want:d} is due"

    def mend(self):
        self.smtp.mend()
        self.lmtp.mend()
        sinks.mend(self.command)
        self.shut(False)
        self.p.good("account", "set", "tight", "quota=none")

    def recover(self):
        """What waits is tried again, what is quarantined goes once more; then what nobody was asked for meanwhile, and what a visit had
        no time left to dispose of."""
        for rows in self.first.held.values():
            for row in rows.values():
                if row["state"] == "quarantined":
                    self.p.good("held", "release", row["id"])
        self.p.good("held", "retry")
        self.again = self.p("collect")
        self.asked = [f"{c.name} 2: {row}" for c, row in self.kept() if row != self.first.history[c].get(2)]
        for cell, _ in self.kept():
            self.p.good("retry", cell.name)
        rest = {c.name for c, _ in self.kept()} | set(self.undone())
        self.rest = self.p("collect", *sorted(rest)) if rest else self.again
        self.last = self.look()

    def undone(self):
        """Names of connections with messages that are to be disposed of by the next visit."""
        for row in self.p.good("history", "--json").rows():
            cell = self.by_name[row["connection"]]
            if row["state"] == "disposing" or row["state"] not in cell.done(self.sizes[cell.name, row["size"]]):
                yield cell.name

    def kept(self):
        """→ (cell, row of the ledger) of what stays at the server because it was refused."""
        rows = {(r["connection"], r["size"]): r for r in self.p.good("history", "--json").rows()}
        return [(c, rows.get((c.name, len(c.message(2))))) for c in self.cells if c.second == "keep"]
