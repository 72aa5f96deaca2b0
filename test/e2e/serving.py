# SPDX-License-Identifier: Apache-2.0
"""Runs `postrider run`, the POP3 service, in a home of its own, on free ports of 127.0.0.1.

    with Server(home, authority, max_sessions=3) as s:      keys of the section pop3
        s.account("anna", messages)     an account with that INBOX, while the service is not running
        s.start()                       until it listens
        c = s.raw(); c = s.raw("tls")   a socket at a listener, see Raw
        s.stop()                        SIGTERM, exit status 0, the log is clean; __exit__ does it too
        s.octets("anna")                what is in her INBOX, while the service is not running
Three listeners by default: `plain` offers STLS, `open` allows clear-text passwords too, `tls` is implicit; s.ports says
where.  s.listen, s.keys and s.head may be changed; s.write makes them the file, s.reload sends SIGHUP besides.
Every wait has an end.
"""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import corpus
from dovecot import PASSWORD, free_ports
from postrider import Done, Postrider, section, value

LIMIT = 60              # seconds for anything at all; a machine under load is slow, not wrong


def until(asked, what, limit=LIMIT):
    """Waits until `asked()` says something true, and returns that."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        answer = asked()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"not within {limit} s: {what() if callable(what) else what}")


def shown(octets):
    """A message as RETR shows it: CRLF, and an end of the last line if there is one."""
    return corpus.normal(octets) if octets else b""


class Server:
    def __init__(self, home, authority, listen=None, **keys):
        self.home, self.authority = str(home), authority
        self.p = Postrider(self.home)
        self.cert, self.key = authority.sign("served")
        os.chmod(self.key, 0o600)
        self.listen = listen or {"plain": {"tls": "starttls"}, "open": {"tls": "starttls", "allow_cleartext": True}, "tls": {"tls": "implicit"}}
        self.keys = {"certificate": self.cert, "key": self.key, **keys}
        self.head = {}
        self.secrets = {}
        self.logs, self.process, self.imports = 0, None, 0
        self.ports = {}
        self.place()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process and kind:
            self.kill()
            print(self.log())       # pytest shows it with the failure
        elif self.process:
            self.stop()

    # ---- the configuration

    def place(self):
        """Ports for the listeners that have none."""
        new = [n for n in self.listen if n not in self.ports]
        self.ports.update(zip(new, free_ports(len(new))))

    def write(self):
        self.place()
        out = [f"{k} = {value(v)}\n" for k, v in self.head.items()]
        body = section("pop3", {k: v for k, v in self.keys.items() if v is not None}).rsplit("}", 1)[0]
        for name, keys in self.listen.items():
            body += section("listen " + name, {"address": "127.0.0.1", "port": self.ports[name], **keys})
        self.p.sections["pop3"] = "".join(out) + body + "}\n"
        self.p.write()

    # ---- accounts and mailboxes, while it does not run

    def account(self, name="anna", messages=None, *options, password=PASSWORD, recoverable=True):
        self.write()
        self.secrets[name] = password
        more = ["--recoverable"] if recoverable else []
        self.p.good("account", "add", name, *more, *options, "--password-file", "-", stdin=password.encode())
        if messages is not None:
            self.fill(name, messages)

    def put(self, messages):
        """→ a directory with these octets as files, to be imported in this order."""
        self.imports += 1
        where = os.path.join(self.home, f"import{self.imports}")
        os.mkdir(where)
        for number, octets in enumerate(messages):
            with open(os.path.join(where, f"{number:06}.eml"), "wb") as f:
                f.write(octets)
        return where

    def fill(self, name, messages, box="INBOX"):
        """Appends these octets, in this order."""
        self.write()
        if not messages:
            self.p.good("mailbox", "add", f"{name}/{box}")
            return
        where = self.put(messages)
        self.p.good("mailbox", "import", f"{name}/{box}", "eml:" + where)
        shutil.rmtree(where)

    def octets(self, name="anna", box="INBOX"):
        assert not self.process
        return self.p.in_mailbox(f"{name}/{box}")

    def seen(self, name="anna", box="INBOX"):
        """The octets of the messages that are \\Seen, as RETR shows them, sorted."""
        assert not self.process
        self.imports += 1
        where = os.path.join(self.home, f"seen{self.imports}")
        self.p.good("mailbox", "export", f"{name}/{box}", "maildir:" + where)
        out = []
        for path in (os.path.join(where, sub, n) for sub in ("new", "cur") for n in os.listdir(os.path.join(where, sub))):
            if "S" in path.partition(":2,")[2]:
                with open(path, "rb") as f:
                    out.append(shown(f.read()))
        return sorted(out)

    # ---- the process

    def start(self, wait=True):
        assert not self.process
        self.write()
        self.logs += 1
        self.path = os.path.join(self.home, f"log{self.logs}")
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(self.p.argv("run"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.p.environment(), cwd=self.home)
        if wait:
            self.wait_log("running workers=")
            for name in self.listen:
                assert f"listening name={name} " in self.log(), self.log()
        return self

    def alive(self):
        return self.process and self.process.poll() is None

    def revive(self):
        """For tests that share a service: one that ended by an error failed the test before, not this one."""
        if not self.alive():
            self.process = None
            self.start()
        return self

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, words, count=1):
        """Until the log has `words` so many times."""
        def asked():
            log = self.log()
            return log.count(words) >= count or (self.process and self.process.poll() is not None)

        until(asked, lambda: f"{words!r} in the log:\n{self.log()}")
        assert self.log().count(words) >= count, f"no {words!r}:\n{self.log()}"

    def sessions(self):
        """What the log says of each session that ended, as dicts."""
        lines = re.findall(r"session end (.*)", self.log())
        return [{k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|\S*)', line)} for line in lines]

    def wait_sessions(self, count):
        until(lambda: len(self.sessions()) >= count, lambda: f"{count} sessions that ended:\n{self.log()}")
        return self.sessions()

    def reload(self, good=True):
        """SIGHUP; returns when the log says how it went."""
        self.write()
        before = len(self.reloads())
        self.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.reloads()) > before, lambda: "a reload:\n" + self.log())
        said = self.reloads()[-1]
        assert good is (said == "reloaded"), self.log()

    def reloads(self):
        return re.findall(r"(?:info|error) (reloaded|reload: .*)", self.log())

    def judge(self):
        self.p.secrets |= set(self.secrets.values())
        self.p.judge(Done(self.process.returncode, "", self.log()))

    def stop(self):
        process = self.process
        process.send_signal(signal.SIGTERM)
        self.gone()

    def gone(self):
        """It was told to end: it must, in order."""
        try:
            code = self.process.wait(LIMIT)
        except Exception:
            self.kill()
            raise AssertionError(f"SIGTERM did not end it:\n{self.log()}") from None
        self.judge()
        self.process = None
        assert code == 0, f"exit {code}\n{self.log()}"

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait(LIMIT)
        self.process = None

    # ---- clients

    def context(self, verify=True):
        context = ssl.create_default_context(cafile=self.authority.ca)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def raw(self, name="open", source=None, greeting=True, first=b"", buffer=None):
        tls = self.context() if self.listen[name].get("tls") == "implicit" else None
        return Raw(self.ports[name], source, tls, greeting, first, buffer)

    def login(self, user="anna", name="open", **more):
        c = self.raw(name, **more)
        c.login(user, self.secrets[user])
        return c


class Raw:
    """A socket that speaks what it is told.

        c.ask("STAT")       → the answer's line, without its end
        c.multi("LIST")     → the lines behind +OK, unstuffed
        c.message("RETR 1") → the octets of a message, unstuffed
        c.send(octets), c.line(), c.block(), c.rest() (all until the server closes), c.closed()
    A line is cut at CRLF, and must have it."""

    def __init__(self, port, source=None, tls=None, greeting=True, first=b"", buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(LIMIT)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if first:
            self.socket.sendall(first)
        self.left = b""
        if tls:
            self.secure(tls)
        self.greeting = self.line() if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def secure(self, context):
        assert not self.left
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets):
        self.socket.sendall(octets.encode() if isinstance(octets, str) else octets)

    def fill(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b""
        self.left += got
        return got

    def until(self, end):
        at, since = -1, 0
        while at < 0:
            at = self.left.find(end, since)
            if at < 0:
                since = max(0, len(self.left) - len(end) + 1)
                if not self.fill():
                    raise EOFError(f"closed behind {self.left!r}")
        octets, self.left = self.left[:at + len(end)], self.left[at + len(end):]
        return octets

    def line(self):
        line = self.until(b"\r\n")[:-2]
        assert b"\n" not in line and b"\r" not in line, line
        return line.decode("utf-8", "surrogateescape")

    def block(self):
        """The octets up to the lone dot, unstuffed."""
        if self.left.startswith(b".\r\n"):
            octets = b""
            self.left = self.left[3:]
        else:
            while len(self.left) < 3 and self.fill():
                pass
            if self.left.startswith(b".\r\n"):
                return self.block()
            octets = self.until(b"\r\n.\r\n")[:-3]
        lines = octets.split(b"\r\n")
        assert lines.pop() == b""
        for line in lines:
            assert not line.startswith(b".") or line.startswith(b".."), f"a dot that is not doubled: {line[:80]!r}"
        return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines)

    def ask(self, command):
        self.send(command + ("\r\n" if isinstance(command, str) else b"\r\n"))
        return self.line()

    def good(self, command):
        answer = self.ask(command)
        assert answer.startswith("+OK"), f"{command}: {answer}"
        return answer

    def bad(self, command, code=""):
        answer = self.ask(command)
        assert answer.startswith("-ERR " + code), f"{command}: {answer}"
        return answer

    def multi(self, command):
        self.good(command)
        return self.block().decode("utf-8", "surrogateescape").split("\r\n")[:-1]

    def message(self, command):
        self.good(command)
        return self.block()

    def login(self, user="anna", password=PASSWORD):
        self.good("USER " + user)
        return self.good("PASS " + password)

    def rest(self):
        """All that comes until the server closes."""
        while self.fill():
            pass
        octets, self.left = self.left, b""
        return octets

    def closed(self):
        """The server closes, and says no more."""
        rest = self.rest()
        assert rest == b"", rest

    def quit(self):
        self.good("QUIT")
        self.closed()
        self.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        """The connection breaks: RST, no FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()
