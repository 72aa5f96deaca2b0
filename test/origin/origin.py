# SPDX-License-Identifier: Apache-2.0
"""What the scripted servers share: the script language, a session, a listening port.

A `Script` replaces the replies to chosen commands (see parse_script).  `event`
is called with a word at every step ("RETR 3", "sent RETR 3", "gone", and what
the protocol adds), so that a test can do something at exactly that instant.
"""
import contextlib
import fnmatch
import re
import socket
import ssl
import threading
import time
import zlib

ESCAPE = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\"}


class Rule:
    """Replies to commands that match `pattern`; rules with one pattern take turns, the last one stays."""

    def __init__(self, pattern):
        self.pattern, self.actions = pattern, []


def unescape(text):
    out, at = b"", 0
    for m in re.finditer(r"\\(x[0-9a-fA-F]{2}|.)", text):
        out += text[at:m.start()].encode()
        out += bytes([int(m[1][1:], 16)]) if m[1][0] == "x" and len(m[1]) == 3 else ESCAPE[m[1]]
        at = m.end()
    return out + text[at:].encode()


def parse_script(lines):
    """Script lines → rules.

    > RETR 1        when the client says this (fnmatch pattern, any case; `greeting`)
    < +OK text      the line is sent, with CRLF; escapes \\r \\n \\t \\0 \\\\ \\xHH
    << text         sent without CRLF
    <*1000 text     sent so many times; <<*1000 too
    ! faithful      what a right server would say    ! close     close the connection
    ! silently      do that, but say nothing         ! wait S    pause
    ! edit /A/B/    say that with A (a pattern) become B; any sign may stand for /
    ! hang          say nothing any more             ! forget    ignore what the client sent on already
    ! secure        start TLS here                   ! compress  start DEFLATE here
    ! deleted       remove what is marked, as QUIT or EXPUNGE do
    What else a protocol knows, and what `{words}` it replaces in a line, its session says.
    """
    rules = []
    for line in lines:
        if line.startswith("> "):
            rules.append(Rule(line[2:].strip()))
            continue
        m = re.match(r"<(<)?(?:\*(\d+))?(?: (.*))?$", line)
        if m:
            text = unescape(m[3] or "")
            rules[-1].actions.append(("send", (text if m[1] else text + b"\r\n"), int(m[2] or 1)))
        elif line.startswith("! edit "):
            rules[-1].actions.append(("edit", line[7:]))
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


class Deflated:
    """A socket inside DEFLATE (RFC 4978); as far as a session needs one."""

    def __init__(self, sock, unread=b""):
        self.sock, self.unread = sock, unread
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def recv(self, size):
        got, self.unread = self.unread or self.sock.recv(size), b""
        while got and not (plain := self.inflate.decompress(got)):
            got = self.sock.recv(size)
        return plain if got else b""

    def sendall(self, octets):
        self.sock.sendall(self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH))

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Session:
    """One connection: reads lines, answers, sends when it has read all that came.

    A protocol gives `greet` and `heard` (a command line came), and may give
    `filled` (words in a script's line), `remove_deleted` and acts of its own
    (a method act_NAME for `! NAME`).
    """

    def __init__(self, origin, sock):
        self.origin, self.sock = origin, sock
        self.inbuf, self.out = b"", []
        self.tls = origin.tls == "implicit"

    def run(self):
        try:
            if self.tls:
                self.secure()
            self.answer("greeting", self.greet)
            while True:
                self.heard(self.line().decode("latin-1"))
        except (Gone, OSError):
            pass
        finally:
            self.origin.over.append(self)
            self.origin.event("gone")
            try:
                self.sock.close()
            except OSError:
                pass

    def receive(self):
        self.flush()
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        self.inbuf += got

    def line(self):
        while b"\n" not in self.inbuf:
            self.receive()
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
        self.origin.versions.append(self.sock.version())
        self.tls = True

    def compress(self):
        self.flush()
        self.sock, self.inbuf = Deflated(self.sock, self.inbuf), b""

    def answer(self, said, faithful):
        self.origin.event(said)
        actions = self.origin.script.take(said) if self.origin.script else None
        if actions is None:
            faithful()
        for verb, *args in actions or ():
            self.act(faithful, verb, *args)
        if self.origin.watched:
            self.flush()
        self.origin.event("sent " + said)

    def act(self, faithful, verb, *args):
        if verb == "faithful":
            faithful()
        elif verb in ("silently", "edit"):
            before, self.out = self.out, []
            try:
                faithful()
            finally:
                self.out = before + ([self.edited(b"".join(self.out), *args)] if args else [])
        else:
            done = getattr(self, "act_" + verb, None)
            if not done:
                raise ValueError("no such action: " + verb)
            done(*args)

    def edited(self, octets, how):
        _, old, new, _ = how.split(how[0])
        return re.sub(old.encode(), self.filled(new.encode()), octets)

    def filled(self, octets):
        return octets

    def act_send(self, octets, times):
        octets = self.filled(octets)
        if times >= 1000:
            self.flush()
        for _ in range(times // 1000):
            self.sock.sendall(octets * 1000)
        self.out += [octets] * (times % 1000)

    def act_forget(self):
        time.sleep(0.2)
        self.sock.setblocking(False)
        try:
            while self.sock.recv(65536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        self.sock.setblocking(True)
        self.inbuf = b""

    def act_wait(self, seconds):
        self.flush()
        time.sleep(float(seconds))

    def act_secure(self):
        self.flush()
        self.secure()

    def act_compress(self):
        self.compress()

    def act_hang(self):
        self.flush()
        self.origin.ended.wait()
        raise Gone

    def act_close(self):
        self.flush()
        raise Gone

    def act_deleted(self):
        self.remove_deleted()

    def remove_deleted(self):
        raise ValueError("nothing to delete here")


def stop_accepting(server, thread):
    """The thread first: it would go on with the number of a descriptor, which is the next server's by then."""
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


class Origin:
    """A port with sessions behind it.  `tls`: None, "implicit" or "stls" (offered in clear).

    `port` 0 is a free one.  `said` is all that clients said, `versions` of which TLS the handshakes were, `met` how many connected, `over`
    the sessions of those that are gone."""

    session = Session

    def __init__(self, tls=None, cert=None, key=None, user="anna", password="geheim-7Q2x", script=None, pace=0.0, event=None, port=0):
        self.tls, self.user, self.password, self.script, self.pace = tls, user, password, script, pace
        self.watched, self.event = bool(event), event or (lambda word: None)
        self.said, self.versions, self.met, self.over, self.ended = [], [], 0, [], threading.Event()
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.server = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.server.getsockname()[1]

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            self.met += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.session(self, sock).run, daemon=True).start()

    def saw(self, line):
        self.said.append(line)

    def verbs(self, verb):
        """What the client said that begins with these words."""
        words = verb.upper().split()
        return [line for line in self.said if line.upper().split()[:len(words)] == words]

    def __enter__(self):
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        stop_accepting(self.server, self.accepting)
