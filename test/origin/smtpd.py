# SPDX-License-Identifier: Apache-2.0
"""An SMTP or LMTP server for tests: faithful by itself, and as wrong as a script says (origin.py).

    with Smtpd() as sink:                        sink.port; sink.mails: (sender, recipients, octets) as they came
    with Smtpd(lmtp=True, chunking=True, judge=…) as sink:
`judge(sender, recipient, octets)` says the answer to a whole message, "" = accepted; of LMTP for each recipient, of SMTP for
the first.  `sink.judge` may be changed at any time.
"""
import re

from origin import Gone, Origin, Script, Session, parse_script

__all__ = ["Script", "Smtpd", "parse_script"]


class SmtpSession(Session):
    def __init__(self, origin, sock):
        super().__init__(origin, sock)
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.body = None, [], b""

    def greet(self):
        self.say("220 sink.example ESMTP")

    def heard(self, line):
        self.origin.saw(line)
        self.answer(line, lambda: self.command(*re.match(r"(\S*) ?(.*)", line).groups()))

    def command(self, verb, arg):
        done = getattr(self, "do_" + verb.lower(), None)
        return done(arg) if done else self.say("500 5.5.1 unknown command")

    def do_ehlo(self, _):
        self.say("250-sink.example", "250-PIPELINING", "250-8BITMIME", *(["250-CHUNKING"] if self.origin.chunking else []), "250 SIZE 0")

    do_lhlo = do_ehlo

    def do_mail(self, arg):
        self.sender = re.match(r"FROM:<(.*?)>", arg)[1]
        self.say("250 2.1.0 good")

    def do_rcpt(self, arg):
        self.recipients.append(re.match(r"TO:<(.*?)>", arg)[1])
        self.say("250 2.1.5 good")

    def do_rset(self, _):
        self.reset()
        self.say("250 2.0.0 good")

    def do_data(self, _):
        if not self.recipients:
            return self.say("503 5.5.1 nobody to take it")
        self.say("354 go on")
        octets, since = b"", 0
        self.flush()
        pieces = bytearray(b"\r\n" + self.inbuf)
        while (at := pieces.find(b"\r\n.\r\n", max(0, since))) < 0:
            since = len(pieces) - 4
            got = self.sock.recv(1 << 20)
            if not got:
                raise Gone
            pieces += got
        octets, self.inbuf = bytes(pieces[2:at + 2]), bytes(pieces[at + 5:])
        return self.over(re.sub(rb"(^|\r\n)\.", rb"\1", octets))

    def do_bdat(self, arg):
        size, last = int(arg.split()[0]), arg.upper().endswith(" LAST")
        chunk = bytearray(self.inbuf[:size])
        self.inbuf = self.inbuf[size:]
        while len(chunk) < size:
            self.flush()
            got = self.sock.recv(min(size - len(chunk), 1 << 20))
            if not got:
                raise Gone
            chunk += got
        self.body += chunk
        if last:
            self.over(self.body)
        else:
            self.say("250 2.0.0 more")

    def over(self, octets):
        answers = [self.origin.judge(self.sender, r, octets) or "" for r in self.recipients]
        answers = answers if self.origin.lmtp else answers[:1]
        took = [r for r, a in zip(self.recipients, answers) if not a] if self.origin.lmtp else [] if answers[0] else self.recipients
        if took:
            self.origin.mails.append((self.sender, took, octets))
        self.reset()
        self.say(*(a or "250 2.0.0 taken" for a in answers))

    def do_noop(self, _):
        self.say("250 2.0.0 good")

    def do_quit(self, _):
        self.say("221 2.0.0 bye")
        self.flush()
        raise Gone


class Smtpd(Origin):
    session = SmtpSession

    def __init__(self, lmtp=False, chunking=False, judge=None, **more):
        super().__init__(**more)
        self.lmtp, self.chunking, self.judge, self.mails = lmtp, chunking, judge or (lambda *_: ""), []

    def octets(self):
        return [octets for _, _, octets in self.mails]
