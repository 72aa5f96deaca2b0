# SPDX-License-Identifier: Apache-2.0
"""Servers that take any login, by whatever mechanism is asked for, and servers that say back what they heard.

    with Taker("pop3", mech="PLAIN") as t:      "imap", "smtp", "lmtp" too; t.port
    Taker("imap", says_back=True)               refuses every login with the line in it, as it came and decoded
    Taker("pop3", says_back="later")            takes the login, and says the secret back in errors of later commands
    Taker(…, certificate=(pem, key))            TLS from the beginning
    t.heard                                     lines before and within the login, as they came
    t.passwords = {"anna": "word"}              for SCRAM and digests only
An empty mailbox is all there is behind the login; SMTP takes every message.
"""
import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import re
import socket
import ssl
import threading

from origin import stop_accepting

CHALLENGE = {"LOGIN": [b"Username:", b"Password:"], "CRAM-MD5": [b"<1896.697170952@taker>"]}


class Gone(Exception):
    pass


def b64(octets):
    return base64.b64encode(octets)


class Talk:
    def __init__(self, taker, sock):
        self.taker, self.file, self.inside, self.secret = taker, sock.makefile("rwb", buffering=0), False, b""

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise Gone
        line = line.rstrip(b"\r\n")
        while m := re.search(rb"\{(\d+)(\+?)\}$", line):
            if not m[2]:
                self.say(b"+ go on")
            line = line[:m.start()] + self.file.read(int(m[1])) + self.file.readline().rstrip(b"\r\n")
        if not self.inside:
            self.taker.heard.append(line)
        return line

    def say(self, *lines):
        for line in lines:
            self.file.write(line + b"\r\n")

    # ---- logins

    def scram(self, first, say, name):
        bare = first.partition(b",,")[2]
        digest = "sha256" if "256" in name else "sha1"
        nonce, salt = re.search(rb"r=([^,]*)", bare)[1] + os.urandom(9).hex().encode(), b"salt of it"
        server_first = b"r=" + nonce + b",s=" + b64(salt) + b",i=4096"
        say(server_first)
        final = base64.b64decode(self.line())
        user = re.search(rb"n=([^,]*)", bare)[1].decode()
        salted = hashlib.pbkdf2_hmac(digest, self.taker.passwords[user].encode(), salt, 4096)
        said = bare + b"," + server_first + b"," + final.partition(b",p=")[0]
        key = hmac.new(salted, b"Server Key", digest).digest()
        say(b"v=" + b64(hmac.new(key, said, digest).digest()))
        self.line()
        return final

    def sasl(self, name, initial, say):
        """-> all that the client said, decoded"""
        said = [] if initial is None else [base64.b64decode(initial)]
        if name.startswith("SCRAM"):
            if not said:
                say(b"")
                said = [base64.b64decode(self.line())]
            return [self.scram(said[0], say, name)]
        for challenge in CHALLENGE.get(name, [b""])[len(said):]:
            say(challenge)
            with contextlib.suppress(binascii.Error):
                said.append(base64.b64decode(self.line()))
        return said

    def judge(self, good, bad, *said):
        """One login: `bad` with what was said, or `good`."""
        self.secret = b" ".join(said)
        if self.taker.says_back is True:
            shown = b" ".join(said).replace(b"\0", b" ").replace(b"\1", b" ").replace(b"\r", b" ").replace(b"\n", b" ")
            self.say(bad + b" I do not take " + self.taker.heard[-1] + b" (" + shown + b")")
        else:
            self.say(good)
            self.inside = True

    def back(self):
        return b" what is " + self.secret.replace(b"\0", b" ").replace(b"\1", b" ") + b" " + b64(self.secret)

    # ---- protocols

    def pop3(self):
        self.say(b"+OK <1896.697170952@taker> ready")
        while True:
            line = self.line()
            verb, _, rest = line.partition(b" ")
            verb = verb.upper()
            if verb == b"CAPA":
                sasl = [b"SASL " + self.taker.mech.encode()] if self.taker.mech else []
                self.say(b"+OK", b"UIDL", b"USER", b"PIPELINING", *sasl, b".")
            elif verb == b"AUTH" and rest:
                name, _, initial = rest.decode().partition(" ")
                said = self.sasl(name.upper(), initial or None, lambda c: self.say(b"+ " + b64(c)))
                self.judge(b"+OK", b"-ERR [AUTH]", *said)
            elif verb in (b"PASS", b"APOP"):
                self.judge(b"+OK", b"-ERR [AUTH]", rest)
            elif verb == b"QUIT":
                self.say(b"+OK bye")
                raise Gone
            elif verb == b"USER":
                self.say(b"+OK")
            elif self.taker.says_back and self.inside:
                self.say(b"-ERR" + self.back())
            elif verb in (b"UIDL", b"LIST"):
                self.say(b"+OK", b".")
            else:
                self.say(b"+OK 0 0")

    def imap(self):
        self.say(b"* OK ready")
        while True:
            line = self.line()
            tag, _, rest = line.partition(b" ")
            verb, _, rest = rest.partition(b" ")
            verb = verb.upper()
            if verb == b"CAPABILITY":
                sasl = b" SASL-IR AUTH=" + self.taker.mech.encode() if self.taker.mech else b""
                self.say(b"* CAPABILITY IMAP4rev1 LITERAL+" + sasl, tag + b" OK")
            elif verb == b"AUTHENTICATE":
                name, _, initial = rest.decode().partition(" ")
                said = self.sasl(name.upper(), initial or None, lambda c: self.say(b"+ " + b64(c)))
                self.judge(tag + b" OK in", tag + b" NO [AUTHENTICATIONFAILED]", *said)
            elif verb == b"LOGIN":
                self.judge(tag + b" OK in", tag + b" NO [AUTHENTICATIONFAILED]", rest)
            elif verb == b"LOGOUT":
                self.say(b"* BYE", tag + b" OK")
                raise Gone
            elif self.taker.says_back and self.inside:
                self.say(b"* NO" + self.back(), tag + b" NO" + self.back())
            elif verb in (b"SELECT", b"EXAMINE"):
                self.say(b"* FLAGS (\\Seen \\Deleted)", b"* 0 EXISTS", b"* OK [UIDVALIDITY 1]", b"* OK [UIDNEXT 1]", tag + b" OK [READ-WRITE]")
            elif verb == b"LIST":
                self.say(b'* LIST () "/" INBOX', tag + b" OK")
            else:
                self.say(tag + b" OK")

    def smtp(self):
        self.say(b"220 taker ESMTP")
        while True:
            line = self.line()
            verb, _, rest = line.partition(b" ")
            verb = verb.upper()
            if verb in (b"EHLO", b"LHLO"):
                self.say(b"250-taker", b"250-8BITMIME", b"250 AUTH " + self.taker.mech.encode())
            elif verb == b"AUTH":
                name, _, initial = rest.decode().partition(" ")
                said = self.sasl(name.upper(), initial or None, lambda c: self.say(b"334 " + b64(c)))
                self.judge(b"235 in", b"535 5.7.8", *said)
            elif verb == b"QUIT":
                self.say(b"221 bye")
                raise Gone
            elif self.taker.says_back and self.inside:
                self.say(b"550 5.0.0" + self.back())
            elif verb == b"DATA":
                self.say(b"354 go on")
                while self.line() != b".":
                    pass
                self.say(b"250 taken")
            else:
                self.say(b"250 good")

    lmtp = smtp

    def run(self):
        with contextlib.suppress(OSError, Gone, ValueError):
            getattr(self, self.taker.protocol)()
        self.file.close()


class Taker:
    def __init__(self, protocol, mech="", says_back=False, certificate=None):
        self.protocol, self.mech, self.says_back = protocol, mech, says_back
        self.heard, self.passwords, self.context = [], {}, None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.serving = threading.Thread(target=self.serve, daemon=True)
        self.serving.start()

    def one(self, sock):
        with sock, contextlib.suppress(OSError), self.context.wrap_socket(sock, server_side=True) if self.context else sock as talked:
            Talk(self, talked).run()

    def serve(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop_accepting(self.socket, self.serving)
