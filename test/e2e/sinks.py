# SPDX-License-Identifier: Apache-2.0
"""Targets that do as a message says: an SMTP and an LMTP server, and a program.

    with Sink() as smtp, Sink(lmtp=True) as lmtp:       smtp.port; smtp.taken: (sender, recipient, octets) of all that was accepted
        command(folder)                                 a program for `argv`, with how and folder behind it; arrived(folder): octets
    …mend()                                             from now on they take everything

A message `From` n2@… (its Return-Path, or the Message-ID <n2.…>) to CELL-HOW@… meets with HOW: accepts, defers, refuses or
dies; all others are accepted.  SMTP has DATA, LMTP has BDAT.  Who dies has read half of the message by then.
"""
import os
import re
import socket
import threading

from origin import stop_accepting

DEFERS, REFUSES = "come back when I am well", "nobody here wants that"
DYING = "2"                     # the message that does not get through

PROGRAM = r"""#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# HOW FOLDER: a message on standard input
t=$(mktemp "$2/tmp/XXXXXXXX") || exit 75
while IFS= read -r line; do
	printf '%s\n' "$line"
	case $line in Message-ID:*) break ;; esac
done >"$t"
if [ ! -e "$2/mended" ]; then
	case $1-$line in
	defers-*'<nDYING.'*) rm "$t"; echo 'DEFERS' >&2; exit 75 ;;
	refuses-*'<nDYING.'*) rm "$t"; echo 'REFUSES' >&2; exit 100 ;;
	dies-*'<nDYING.'*) rm "$t"; kill -9 $$ ;;
	esac
fi
cat >>"$t" || exit 75
mv "$t" "$2/taken"
"""


def command(folder):
    """→ the path of the program"""
    for name in ("tmp", "taken"):
        os.makedirs(os.path.join(folder, name))
    path = os.path.join(folder, "program")
    with open(path, "w", encoding="ascii") as f:
        f.write(PROGRAM.replace("DYING", DYING).replace("DEFERS", DEFERS).replace("REFUSES", REFUSES))
    os.chmod(path, 0o755)
    return path


def mend(folder):
    open(os.path.join(folder, "mended"), "w").close()


def arrived(folder):
    out = []
    for name in sorted(os.listdir(os.path.join(folder, "taken"))):
        with open(os.path.join(folder, "taken", name), "rb") as f:
            out.append(f.read())
    return out


class Gone(Exception):
    """This connection ends here, without a word."""


class Conversation:
    def __init__(self, sink, sock):
        self.sink, self.sock, self.buffer, self.history, self.odd = sink, sock, b"", [], sink.odd
        self.forget()

    def forget(self):
        self.sender, self.recipients, self.octets = None, [], b""

    def receive(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        self.buffer += got

    def line(self):
        while b"\n" not in self.buffer:
            self.receive()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def say(self, *lines):
        self.history.append(lines)
        self.sock.sendall("".join(line + "\r\n" for line in lines).encode())

    def run(self):
        try:
            self.say("220 sink ready")
            while True:
                self.command(self.line())
        except (Gone, OSError):
            pass
        finally:
            self.sock.close()

    def how(self):
        """What happens to this message: the sender's number, the recipient's cell."""
        name = self.recipients[0].partition("@")[0] if self.recipients else ""
        return name.rpartition("-")[2] if self.sender.startswith(f"n{DYING}@") and not self.sink.mended else "accepts"

    def early(self):
        """Half of the cells hear it at RCPT."""
        return "-implicit-" in self.recipients[0]

    def command(self, line):
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        self.history.append(line)
        if verb in ("EHLO", "LHLO"):
            self.say("250-sink", "250-PIPELINING", "250-8BITMIME", *(["250-CHUNKING"] if self.sink.lmtp else []), "250 SIZE 10000000")
        elif verb in ("NOOP", "RSET"):
            self.forget()
            self.say("250 so be it")
        elif verb == "MAIL":
            self.forget()
            self.sender = re.match(r"FROM:<(.*?)>", rest, re.I)[1]
            self.say("250 sender")
        elif verb == "RCPT":
            self.rcpt(re.match(r"TO:<(.*?)>", rest, re.I)[1])
        elif verb == "DATA":
            self.data()
        elif verb == "BDAT":
            self.bdat(*rest.split())
        elif verb == "QUIT":
            self.say("221 bye")
            raise Gone
        else:
            self.odd.append((line, self.history[-12:]))
            self.say("500 what?")

    def rcpt(self, recipient):
        self.recipients.append(recipient)
        how = self.how()
        if self.early() and how in ("defers", "refuses"):
            self.recipients.pop()
            self.say("451 4.2.1 " + DEFERS if how == "defers" else "550 5.1.1 " + REFUSES)
        else:
            self.say("250 recipient")

    def data(self):
        if not self.recipients:
            return self.say("503 5.5.1 no recipients")
        self.say("354 go on")
        while b"\r\n.\r\n" not in b"\r\n" + self.buffer:
            if self.how() == "dies" and self.buffer:
                raise Gone
            self.receive()
        if self.how() == "dies":
            raise Gone
        octets, _, self.buffer = (b"\r\n" + self.buffer).partition(b"\r\n.\r\n")
        self.octets = octets[2:].replace(b"\r\n..", b"\r\n.") + b"\r\n" if octets else b""
        return self.judge()

    def bdat(self, size, last=""):
        size = int(size)
        dies = self.recipients and self.how() == "dies"
        while len(self.buffer) < (size // 2 if dies else size):
            self.receive()
        if dies:
            raise Gone
        chunk, self.buffer = self.buffer[:size], self.buffer[size:]
        self.octets += chunk
        if not self.recipients:
            self.say("503 5.5.1 no recipients")
        elif last.upper() == "LAST":
            self.judge()
        else:
            self.say("250 chunk")

    def judge(self):
        how = self.how()
        for recipient in self.recipients if self.sink.lmtp else self.recipients[:1]:
            if how == "defers":
                self.say("451 4.2.1 " + DEFERS)
            elif how == "refuses":
                self.say("550 5.7.1 " + REFUSES)
            else:
                self.sink.taken.append((self.sender, recipient, self.octets))
                self.say("250 2.0.0 taken")
        self.forget()


class Sink:
    def __init__(self, lmtp=False):
        self.lmtp, self.mended, self.taken, self.odd = lmtp, False, [], []
        self.server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.server.getsockname()[1]

    def mend(self):
        self.mended = True

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Conversation(self, sock).run, daemon=True).start()

    def __enter__(self):
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        return self

    def __exit__(self, *_):
        stop_accepting(self.server, self.accepting)
