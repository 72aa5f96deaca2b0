# SPDX-License-Identifier: Apache-2.0
"""A POP3 server for tests: faithful by itself, and as wrong as a script says.

    drop = Maildrop(messages)
    with Pop3d(drop) as origin:                          clear, on a free port
    with Pop3d(drop, tls="implicit", cert=…, key=…):     or tls="stls"

The maildrop is kept faithfully: a session sees a snapshot, DELE marks, and
only QUIT in the transaction state removes.  A `Script` replaces the replies to
chosen commands (see parse_script); `event` is called with a word at every
step ("RETR 3", "sent RETR 3", "QUIT", "deleted", "sent QUIT", "gone"), so
that a test can do something at exactly that instant.
"""
import fnmatch
import re
import socket
import ssl
import threading
import time

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


class Rule:
    """Replies to commands that match `pattern`; rules with one pattern take turns, the last one stays."""

    def __init__(self, pattern):
        self.pattern, self.actions = pattern, []


ESCAPE = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\"}


def unescape(text):
    out, at = b"", 0
    for m in re.finditer(r"\\(x[0-9a-fA-F]{2}|.)", text):
        out += text[at:m.start()].encode()
        out += bytes([int(m[1][1:], 16)]) if m[1][0] == "x" and len(m[1]) == 3 else ESCAPE[m[1]]
        at = m.end()
    return out + text[at:].encode()


def parse_script(lines):
    """Script lines → rules.

    > RETR 1        when the client says this (fnmatch pattern, any case; `greeting`, `continue`)
    < +OK text      the line is sent, with CRLF; escapes \\r \\n \\t \\0 \\\\ \\xHH
    << text         sent without CRLF
    <*1000 text     sent so many times
    ! faithful      what a right server would say    ! close     close the connection
    ! hang          say nothing any more             ! wait S    pause
    ! secure        start TLS here                   ! forget    ignore what the client sent on already
    ! deleted       remove what is marked, as QUIT does
    """
    rules = []
    for line in lines:
        if line.startswith("> "):
            rules.append(Rule(line[2:].strip()))
            continue
        m = re.match(r"<(<|\*\d+)?(?: (.*))?$", line)
        if m:
            text = unescape(m[2] or "")
            times = int(m[1][1:]) if m[1] and m[1] != "<" else 1
            rules[-1].actions.append(("send", (text if m[1] == "<" else text + b"\r\n"), times))
        elif line.startswith("! "):
            verb, *args = line[2:].split()
            rules[-1].actions.append((verb, *args))
        elif line.strip():
            raise ValueError("not a script line: " + line)
    return rules


class Script:
    def __init__(self, rules):
        self.rules, self.lock = list(rules), threading.Lock()

    def take(self, said):
        """The actions for what the client said, or None."""
        with self.lock:
            match = [r for r in self.rules if fnmatch.fnmatchcase(said.upper(), r.pattern.upper())]
            if not match:
                return None
            again = [r for r in match if r.pattern == match[0].pattern]
            if len(again) > 1:
                self.rules.remove(again[0])
            return match[0].actions


class Gone(Exception):
    """The connection ends here."""


class Session:
    """One connection: reads lines, answers, sends when it has read all that came."""

    def __init__(self, origin, sock):
        self.origin, self.sock = origin, sock
        self.inbuf, self.out = b"", []
        self.user, self.messages, self.deleted = None, None, set()
        self.tls = origin.tls == "implicit"

    def run(self):
        try:
            if self.tls:
                self.secure()
            self.answer("greeting", self.greet)
            while True:
                line = self.line().decode("latin-1")
                self.origin.saw(line)
                verb, _, arg = line.partition(" ")
                self.answer(line, lambda v=verb.upper(), a=arg: self.command(v, a))
        except (Gone, OSError):
            pass
        finally:
            self.origin.event("gone")
            try:
                self.sock.close()
            except OSError:
                pass

    def line(self):
        while b"\n" not in self.inbuf:
            self.flush()
            got = self.sock.recv(65536)
            if not got:
                raise Gone
            self.inbuf += got
        line, _, self.inbuf = self.inbuf.partition(b"\n")
        return line.rstrip(b"\r")

    def say(self, *lines):
        self.out += [line.encode() + b"\r\n" for line in lines]

    def flush(self):
        out, self.out = b"".join(self.out), []
        if out:
            self.sock.sendall(out)

    def secure(self):
        self.sock = self.origin.context.wrap_socket(self.sock, server_side=True)
        self.tls = True

    def answer(self, said, faithful):
        self.origin.event(said)
        actions = self.origin.script.take(said) if self.origin.script else None
        if actions is None:
            faithful()
        for action in actions or ():
            self.act(faithful, *action)
        if said.upper().startswith("RETR") and self.origin.pace:
            time.sleep(self.origin.pace)
        if self.origin.watched:
            self.flush()
        self.origin.event("sent " + said)

    def act(self, faithful, verb, *args):
        if verb == "send":
            for _ in range(args[1] // 1000):
                self.sock.sendall(args[0] * 1000)
            self.out += [args[0]] * (args[1] % 1000)
        elif verb == "faithful":
            faithful()
        elif verb == "forget":
            time.sleep(0.2)
            self.sock.setblocking(False)
            try:
                while self.sock.recv(65536):
                    pass
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            self.sock.setblocking(True)
            self.inbuf = b""
        elif verb == "wait":
            self.flush()
            time.sleep(float(args[0]))
        elif verb == "secure":
            self.flush()
            self.secure()
        elif verb == "hang":
            self.flush()
            self.origin.ended.wait()
            raise Gone
        elif verb == "deleted":
            self.origin.drop.remove(self.deleted)
        elif verb == "close":
            self.flush()
            raise Gone
        else:
            raise ValueError("no such action: " + verb)

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


class Pop3d:
    def __init__(self, drop, tls=None, cert=None, key=None, user="anna", password="geheim-7Q2x", script=None,
                 capa=None, pace=0.0, event=None, exclusive=False):
        self.drop, self.tls, self.user, self.password, self.script = drop, tls, user, password, script
        self.capa, self.pace, self.exclusive = CAPA if capa is None else capa, pace, exclusive
        self.watched, self.event = bool(event), event or (lambda word: None)
        self.said, self.ended, self.inside = [], threading.Event(), 0
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Session(self, sock).run, daemon=True).start()

    def saw(self, line):
        self.said.append(line)

    def enter(self):
        return not self.exclusive

    def verbs(self, verb):
        return [line for line in self.said if line.split(" ")[0].upper() == verb]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.close()
