# SPDX-License-Identifier: Apache-2.0
"""A server of POP3 or IMAP in clear that is told what to offer, and what comes of each mechanism; and one that looks.

    with Told("imap", ["SCRAM-SHA-256", "PLAIN"], {"PLAIN": "bad"}) as told:
        box(p, "imap", told)        a connection to it
        told.seen                   [[mechanisms that were begun on the first connection], …]
"""
import base64
import hashlib
import hmac
import re

from dovecot import PASSWORD
from probing import Raw


def sized(sock):
    return sock.makefile("rwb", buffering=0)


class Told:
    """What it offers, and for each mechanism what it does: ok, no (a plain refusal), bad ([AUTH]), close (a plain refusal, and
    the end), gone (the end, in place of an answer), mute (the same, when the password is out, or a proof of it), false (the
    server's own proof is).  caps: what an IMAP server says beside its mechanisms.  `seen`: what was begun, by connections."""

    def __init__(self, protocol, offered, deeds, caps="SASL-IR"):
        self.protocol, self.offered, self.deeds, self.seen, self.caps = protocol, offered, deeds, [], caps
        self.raw = Raw(self.speak)

    def __enter__(self):
        self.raw.__enter__()
        self.port = self.raw.port
        return self

    def __exit__(self, *args):
        self.raw.__exit__(*args)

    @property
    def flat(self):
        return [m for one in self.seen for m in one]

    def speak(self, _, sock):
        self.seen.append([])
        f = sized(sock)
        (self.pop3 if self.protocol == "pop3" else self.imap)(f)

    # what comes of one mechanism: True goes on, False is the end

    def judge(self, say, more, mech, initial):
        deed = self.deeds.get(mech, "no")
        self.seen[-1].append(mech)
        if deed in ("no", "bad", "close"):
            if mech == "CRAM-MD5" and deed == "bad":
                more(base64.b64encode(b"<1.2@x>").decode())
            say(deed == "bad")
            return deed != "close"
        if deed == "gone":
            return False
        if mech.startswith("SCRAM"):
            return self.scram(say, more, mech, initial, deed)
        if mech == "DIGEST-MD5":
            return self.digest(say, more, deed)
        if mech == "CRAM-MD5":
            more(base64.b64encode(b"<1.2@x>").decode())
        elif mech in ("PLAIN", "XOAUTH2") and not initial:
            more("")
        elif mech == "LOGIN":
            more("")
            more("")
        if deed != "mute":
            say(None)
        return deed != "mute"

    def digest(self, say, more, deed):
        """RFC 2831, for anna; but that rspauth is false where the deed says so."""
        said = base64.b64decode(more(base64.b64encode(b'realm="told",nonce="n0",qop="auth",charset=utf-8,algorithm=md5-sess').decode())).decode()
        of = dict(re.findall(r'([a-z-]+)="?([^",]*)"?', said))

        def md5(octets):
            return hashlib.md5(octets).digest()

        def response(a2):
            a1 = md5(f"anna:{of['realm']}:{PASSWORD}".encode()) + f":n0:{of['cnonce']}".encode()
            return md5(f"{md5(a1).hex()}:n0:{of['nc']}:{of['cnonce']}:auth:{md5(a2.encode()).hex()}".encode()).hex()
        assert of["response"] == response("AUTHENTICATE:" + of["digest-uri"]), said
        proof = "0" * 32 if deed == "false" else response(":" + of["digest-uri"])
        if more(base64.b64encode(b"rspauth=" + proof.encode()).decode()) == "*":
            if self.deeds.get("after") == "gone":
                return False
            say(False)
            return True
        say(None)
        return True

    def scram(self, say, more, mech, initial, deed):
        """By the book, but that the signature is false where the deed says so, or something else stands there (junk; raw: no base64)."""
        name = "sha256" if "256" in mech else "sha1"
        first = base64.b64decode(initial or more(""))
        bare = first.split(b",", 2)[2]
        nonce = bare.split(b"r=")[1] + b"server"
        salt, count = b"0123456789abcdef", 64
        said = b"r=" + nonce + b",s=" + base64.b64encode(salt) + b",i=%d" % count
        final = base64.b64decode(more(base64.b64encode(said).decode()))
        if deed == "mute":
            return False
        salted = hashlib.pbkdf2_hmac(name, PASSWORD.encode(), salt, count)
        key = hmac.digest(salted, b"Server Key", name)
        signature = hmac.digest(key, bare + b"," + said + b"," + final.rsplit(b",p=", 1)[0], name)
        if deed == "false":
            signature = bytes(len(signature))
        last = {"junk": base64.b64encode(b"x=y").decode(), "raw": "!!"}.get(deed) or base64.b64encode(b"v=" + base64.b64encode(signature)).decode()
        if more(last) == "*":
            if self.deeds.get("after") == "gone":
                return False
            say(False)
            return True
        say(None)
        return True

    def pop3(self, f):
        f.write(b"+OK ready <1.2@told>\r\n" if "APOP" in self.offered else b"+OK ready\r\n")

        def say(good):
            f.write(b"+OK\r\n" if good is None else b"-ERR [AUTH] no\r\n" if good else b"-ERR no\r\n")

        def more(challenge):
            f.write(b"+ " + challenge.encode() + b"\r\n")
            return f.readline().strip().decode()
        while line := f.readline():
            verb, *rest = line.decode().split()
            if verb == "CAPA":
                names = " ".join(m for m in self.offered if m not in ("USER", "APOP"))
                f.write(("+OK\r\n" + ("USER\r\n" if "USER" in self.offered else "") + (f"SASL {names}\r\n" if names else "") + "UIDL\r\n.\r\n").encode())
            elif verb == "AUTH":
                if not self.judge(say, more, rest[0], rest[1] if len(rest) > 1 else None):
                    return
            elif verb == "APOP":
                if not self.judge(say, more, "APOP", None):
                    return
            elif verb == "PASS":
                if not self.judge(say, more, "USER", None):
                    return
            elif verb == "STAT":
                f.write(b"+OK 0 0\r\n")
            elif verb == "UIDL":
                f.write(b"+OK\r\n.\r\n")
            else:
                f.write(b"+OK\r\n")

    def imap(self, f):
        caps = f"IMAP4rev1 {self.caps} " + " ".join("AUTH=" + m for m in self.offered if m != "USER") + ("" if "USER" in self.offered else " LOGINDISABLED")
        f.write(f"* OK [CAPABILITY {caps}] ready\r\n".encode())
        tag = ""

        def say(good):
            f.write(f"{tag} {'OK in' if good is None else 'NO [AUTHENTICATIONFAILED] no' if good else 'NO no'}\r\n".encode())

        def more(challenge):
            f.write(b"+ " + challenge.encode() + b"\r\n")
            return f.readline().strip().decode()
        while line := f.readline():
            tag, verb, *rest = line.decode().split()
            if verb == "AUTHENTICATE":
                if not self.judge(say, more, rest[0], rest[1] if len(rest) > 1 else None):
                    return
            elif verb == "LOGIN":
                if not self.judge(say, more, "USER", None):
                    return
            elif verb == "CAPABILITY":
                f.write(f"* CAPABILITY {caps}\r\n{tag} OK\r\n".encode())
            elif verb in ("EXAMINE", "SELECT"):
                f.write(f"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 1] x\r\n{tag} OK\r\n".encode())
            elif verb == "LOGOUT":
                f.write(f"* BYE\r\n{tag} OK\r\n".encode())
                return
            elif verb == "LIST":
                f.write(f'* LIST () "/" INBOX\r\n{tag} OK\r\n'.encode())
            else:
                f.write(f"{tag} OK\r\n".encode())


def box(p, protocol, told, **keys):
    p.clear("box", told, protocol=protocol, **{"deliver": ["maildir:" + p.maildir], "after": "keep", **keys})
