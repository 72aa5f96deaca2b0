# SPDX-License-Identifier: Apache-2.0
"""A POP3 server for tests: faithful by itself, and as wrong as a script says.

    drop = Maildrop(messages)
    with Pop3d(drop) as origin:                          clear, on a free port
    with Pop3d(drop, tls="implicit", cert=…, key=…):     or tls="stls"

The maildrop is kept faithfully: a session sees a snapshot, DELE marks, and
only QUIT in the transaction state removes.  Script and events: origin.py; the
events here are "RETR 3", "sent RETR 3", "QUIT", "deleted", "sent QUIT", "gone".
"""
import re
import threading
import time

from origin import Gone, Origin, Script, Session, parse_script

__all__ = ["CAPA", "Maildrop", "Pop3d", "Script", "parse_script"]

CAPA = ["TOP", "UIDL", "USER", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"]


class Message:
    def __init__(self, uidl, octets):
        self.uidl, self.octets = uidl, octets      # octets with CRLF, as they go over the wire


class Maildrop:
    """`messages`: octets with LF or CRLF; unique-ids count up and are never used twice."""

    def __init__(self, messages=(), prefix="uid"):
        self.lock, self.prefix, self.made, self.messages = threading.Lock(), prefix, 0, []
        for octets in messages:
            self.add(octets)

    def add(self, octets, uidl=None):
        self.made += 1
        octets = re.sub(rb"\r?\n", b"\r\n", octets)
        if not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        with self.lock:
            self.messages.append(Message(uidl or f"{self.prefix}{self.made:06d}", octets))

    def snapshot(self):
        with self.lock:
            return list(self.messages)

    def remove(self, gone):
        with self.lock:
            self.messages = [m for m in self.messages if m not in gone]

    def octets(self):
        return [m.octets for m in self.snapshot()]


class Pop3Session(Session):
    """One connection: reads lines, answers, sends when it has read all that came."""

    def __init__(self, origin, sock):
        super().__init__(origin, sock)
        self.user, self.messages, self.deleted = None, None, set()

    def heard(self, line):
        self.origin.saw(line)
        verb, _, arg = line.partition(" ")
        self.answer(line, lambda: self.command(verb.upper(), arg))
        if verb.upper() == "RETR" and self.origin.pace:
            time.sleep(self.origin.pace)

    def remove_deleted(self):
        self.origin.drop.remove(self.deleted)

    # what a right server does

    def greet(self):
        self.say("+OK ready")

    def command(self, verb, arg):
        done = getattr(self, "do_" + verb.lower(), None)
        if not done:
            return self.say("-ERR unknown command")
        if verb not in ("CAPA", "STLS", "USER", "PASS", "QUIT", "NOOP") and self.messages is None:
            return self.say("-ERR log in first")
        return done(arg)

    def do_capa(self, _):
        capa = list(self.origin.capa)
        if self.origin.tls == "stls" and not self.tls:
            capa.append("STLS")
        self.say("+OK", *capa, ".")

    def do_stls(self, _):
        if self.origin.tls != "stls" or self.tls:
            return self.say("-ERR no")
        self.say("+OK begin TLS")
        self.flush()
        return self.secure()

    def do_user(self, arg):
        self.user = arg
        self.say("+OK")

    def do_pass(self, arg):
        if (self.user, arg) != (self.origin.user, self.origin.password):
            return self.say("-ERR [AUTH] wrong")
        if not self.origin.enter():
            return self.say("-ERR [IN-USE] mailbox is locked")
        self.messages = self.origin.drop.snapshot()
        return self.say("+OK")

    def alive(self):
        return [(n, m) for n, m in enumerate(self.messages, 1) if m not in self.deleted]

    def find(self, arg):
        if not arg.isdigit() or not 1 <= int(arg) <= len(self.messages) or self.messages[int(arg) - 1] in self.deleted:
            self.say("-ERR no such message")
            return None
        return self.messages[int(arg) - 1]

    def do_stat(self, _):
        self.say(f"+OK {len(self.alive())} {sum(len(m.octets) for _, m in self.alive())}")

    def do_noop(self, _):
        self.say("+OK")

    def do_rset(self, _):
        self.deleted = set()
        self.say("+OK")

    def do_list(self, arg):
        self.listing(arg, lambda m: str(len(m.octets)))

    def do_uidl(self, arg):
        self.listing(arg, lambda m: m.uidl)

    def listing(self, arg, show):
        if not arg:
            return self.say("+OK", *(f"{n} {show(m)}" for n, m in self.alive()), ".")
        m = self.find(arg)
        return m and self.say(f"+OK {arg} {show(m)}")

    def body(self, octets):
        self.out.append(b"+OK\r\n")
        self.out.append(re.sub(rb"(^|\r\n)\.", rb"\1..", octets) + b".\r\n")
        if len(self.out) > 64:
            self.flush()

    def do_retr(self, arg):
        m = self.find(arg)
        if m:
            self.body(m.octets)

    def do_top(self, arg):
        number, _, lines = arg.partition(" ")
        m = self.find(number)
        if m:
            head, blank, body = m.octets.partition(b"\r\n\r\n")
            self.body(head + blank + b"".join(body.splitlines(keepends=True)[:int(lines)]) if blank else m.octets)

    def do_dele(self, arg):
        m = self.find(arg)
        if m:
            self.deleted.add(m)
            self.say("+OK")

    def do_quit(self, _):
        if self.messages is not None:
            self.origin.drop.remove(self.deleted)
            self.origin.event("deleted")
        self.say("+OK bye")
        self.flush()
        raise Gone


class Pop3d(Origin):
    session = Pop3Session

    def __init__(self, drop, capa=None, exclusive=False, **more):
        super().__init__(**more)
        self.drop, self.capa, self.exclusive = drop, CAPA if capa is None else capa, exclusive

    def enter(self):
        return not self.exclusive
