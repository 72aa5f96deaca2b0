# SPDX-License-Identifier: Apache-2.0
"""Servers of many hosts and kinds in one process, for a mixed load: 127.0.1.1, 127.0.1.2, … each with all kinds.

    with Mixed(hosts=10) as m:          m.ports[host][kind]; the process is this file
        m.connection(kind, host)        keys of a connection to one of them
        m.events()                      [(when, host, kind, user, what)] so far: "in" at a login or DONE, "out" at its QUIT, LOGOUT or IDLE
Kinds: pop3, imap (with IDLE); refused (nobody listens), hangs (before the greeting), drips (it, an octet a second), slow (each
answer takes two seconds), denies (every login).  All mailboxes are empty.
"""
import asyncio
import json
import os
import socket
import subprocess
import sys
import time

KINDS = ("pop3", "imap", "refused", "hangs", "drips", "slow", "denies")
SLOW_S = 2


class Mixed:
    def __init__(self, hosts, log):
        self.log, self.hosts = log, [f"127.0.1.{n + 1}" for n in range(hosts)]
        with open(log, "wb") as f:
            self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), *self.hosts], stdout=f, stdin=subprocess.PIPE)
        while not (lines := self.lines()):
            if self.process.poll() is not None:
                raise RuntimeError("the servers did not start")
            time.sleep(0.01)
        self.ports = json.loads(lines[0])

    def lines(self):
        with open(self.log, encoding="ascii") as f:
            return [line for line in f if line.endswith("\n")]

    def events(self):
        return [json.loads(line) for line in self.lines()[1:]]

    def keys(self, kind, host, user):
        return {"protocol": "imap" if kind == "imap" else "pop3", "host": host, "port": self.ports[host][kind], "user": user, "auth": ["user"],
                "tls__mode": "none", "allow_cleartext": True}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


# ---- the process

def tell(*event):
    print(json.dumps([time.time(), *event]), flush=True)


class Talk:
    def __init__(self, host, kind, reader, writer):
        self.host, self.kind, self.reader, self.writer, self.user = host, kind, reader, writer, None
        self.inside = False

    async def say(self, text):
        if self.kind == "slow":
            await asyncio.sleep(SLOW_S)
        for octet in text.encode() if self.kind == "drips" else ():
            await asyncio.sleep(1)
            self.writer.write(bytes([octet]))
        if self.kind != "drips":
            self.writer.write(text.encode())

    def enter(self, user):
        self.user, self.inside = user, True
        tell(self.host, self.kind, user, "in")

    def leave(self):
        if self.inside:
            tell(self.host, self.kind, self.user, "out")
        self.inside = False

    async def run(self):
        try:
            if self.kind == "hangs":
                await self.reader.read()
            else:
                await (self.imap() if self.kind == "imap" else self.pop3())
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.leave()
            self.writer.close()

    async def pop3(self):
        await self.say("+OK ready\r\n")
        user = None
        while line := (await self.reader.readline()).decode().strip():
            verb, _, rest = line.partition(" ")
            if verb == "USER":
                user = rest
            if verb == "CAPA":
                await self.say("+OK\r\nUIDL\r\nUSER\r\nPIPELINING\r\n.\r\n")
            elif verb == "PASS" and self.kind == "denies":
                tell(self.host, self.kind, user, "denied")
                await self.say("-ERR [AUTH] wrong password\r\n")
            elif verb in ("UIDL", "LIST"):
                await self.say("+OK\r\n.\r\n")
            elif verb == "QUIT":
                await self.say("+OK bye\r\n")
                return
            else:
                if verb == "PASS":
                    self.enter(user)
                await self.say("+OK 0 0\r\n")

    async def imap(self):
        await self.say("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n")
        while line := (await self.reader.readline()).decode().strip():
            tag, _, rest = line.partition(" ")
            verb, _, rest = rest.partition(" ")
            if verb == "CAPABILITY":
                await self.say("* CAPABILITY IMAP4rev1 IDLE\r\n")
            elif verb == "LOGIN":
                self.enter(rest.split()[0].strip('"'))
            elif verb in ("SELECT", "EXAMINE"):
                await self.say("* FLAGS (\\Seen \\Deleted)\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 1]\r\n")
            elif verb == "IDLE":
                await self.say("+ idling\r\n")
                self.leave()
                if not await self.reader.readline():
                    return
                self.enter(self.user)
            elif verb == "LOGOUT":
                await self.say(f"* BYE\r\n{tag} OK bye\r\n")
                return
            await self.say(f"{tag} OK done\r\n")


async def serve(hosts):
    ports, servers, closed = {h: {} for h in hosts}, [], []
    for host in hosts:
        for kind in KINDS:
            if kind == "refused":       # bound, and not listened at
                closed.append(socket.socket())
                closed[-1].bind((host, 0))
                ports[host][kind] = closed[-1].getsockname()[1]
                continue

            async def come(reader, writer, host=host, kind=kind):
                await Talk(host, kind, reader, writer).run()
            servers.append(await asyncio.start_server(come, host, 0, backlog=1024))
            ports[host][kind] = servers[-1].sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)      # until whoever started us is gone
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
