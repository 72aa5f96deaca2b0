# SPDX-License-Identifier: Apache-2.0
"""500 connections in one configuration, to 20 hosts that answer and one that does not, with 1,024 descriptors."""
import asyncio
import os
import resource
import signal
import threading
from collections import Counter

import pytest

import corpus
from dovecot import PASSWORD
from postrider import section
from serving import until
from test_memory import rss_anon, sanitized

HOSTS, USERS, SILENT = 20, 24, 20           # connections: 20 × 24, and 20 to the silent host
AT_ONCE = 8                                 # max_per_host, the default
WITH_SLOW = 2 * AT_ONCE                     # at most, with those that are slow, and so do not count: a silent host's are
MESSAGES = 3
FILES = 1024                                # `ulimit -n`
NEEDED = 740                                # descriptors: of 21 × 16 visits at once, each a connection and a lock, and what we have anyway
MEMORY = 64 * 1024                          # KiB
LIMIT = 150


class Host:
    """A POP3 server at an address of its own.  Its first visitors are greeted when there are as many as may come at once."""

    def __init__(self, address, silent=False):
        self.address, self.silent, self.inside, self.most, self.users = address, silent, 0, 0, Counter()
        self.drops, self.full, self.freed = {}, asyncio.Event(), asyncio.Event()

    async def start(self, port):
        self.server = await asyncio.start_server(self.visit, self.address, port, backlog=256)
        return self.server.sockets[0].getsockname()[1]

    async def visit(self, reader, writer):
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == AT_ONCE:
            self.full.set()
        self.came()
        try:
            await (self.freed if self.silent else self.full).wait()
            if self.silent:
                self.inside -= 1
            else:
                await self.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def talk(self, reader, writer):
        user, marked = None, set()
        writer.write(b"+OK\r\n")
        while line := await reader.readline():
            verb, _, arg = line.decode().strip().partition(" ")
            drop = self.drops.setdefault(user, dict(enumerate(self.mail(user), 1))) if user and verb not in ("USER", "PASS") else {}
            if verb == "CAPA":
                answer = b"+OK\r\nUIDL\r\nUSER\r\nPIPELINING\r\n.\r\n"
            elif verb == "USER":
                user, answer = arg, b"+OK\r\n"
            elif verb == "UIDL":
                answer = b"+OK\r\n" + b"".join(b"%d u%d\r\n" % (n, n) for n in drop) + b".\r\n"
            elif verb == "LIST":
                answer = b"+OK\r\n" + b"".join(b"%d %d\r\n" % (n, len(m)) for n, m in drop.items()) + b".\r\n"
            elif verb == "STAT":
                answer = b"+OK %d %d\r\n" % (len(drop), sum(map(len, drop.values())))
            elif verb == "RETR":
                answer = b"+OK\r\n" + drop[int(arg)] + b".\r\n"
            elif verb == "QUIT":        # over for us before it is for them
                self.inside -= 1
                self.users[user] += 1
                for n in marked:
                    drop.pop(n)
                writer.write(b"+OK bye\r\n")
                return
            else:
                marked |= {int(arg)} if verb == "DELE" else set()
                answer = b"+OK\r\n"
            writer.write(answer)

    def mail(self, user):
        return [b"Subject: %d for %s at %s\r\n\r\nhello\r\n" % (n, user.encode(), self.address.encode()) for n in range(MESSAGES)]

    def came(self):
        """A test looks at the process here."""


class World:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.hosts = [Host(f"127.0.0.{n}") for n in range(1, HOSTS + 1)]
        self.silent = Host(f"127.0.0.{HOSTS + 1}", silent=True)
        self.ports = [self.do(h.start(0)) for h in [*self.hosts, self.silent]]

    def do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    def visited(self):
        return sum(len(h.users) for h in self.hosts)

    def tell(self):
        return f"{self.visited()} visited; " + " ".join(f"{h.address}: {len(h.users)} came, {h.inside} there" for h in [*self.hosts, self.silent])

    def end_silence(self):
        self.loop.call_soon_threadsafe(self.silent.freed.set)

    def close(self):
        async def all_over():
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        self.do(all_over())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture
def w(p):
    world = World()
    p.sections["head"] = f"log {{ level = info  to = '{p.home}/log' }}\n"
    for host, port in zip([world.silent, *world.hosts], [world.ports[-1], *world.ports]):
        for n in range(SILENT if host.silent else USERS):
            p.sections[f"{host.address}-{n}"] = section(f"connection at{host.address.rpartition('.')[2]}-{n}", {
                "protocol": "pop3", "host": host.address, "port": port, "user": f"user{n}", "password": PASSWORD, "tls__mode": "none",
                "allow_cleartext": True, "auth": ["user"], "after": "delete", "interval": "0", "timeout": "140s", "deliver": ["mailbox:anna/INBOX"]})
    p.write()
    p.account()
    yield world
    world.close()


def few():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


class Watch:
    """The most that the process had, seen whenever somebody comes."""

    def __init__(self, w):
        self.process, self.files, self.memory = None, 0, 0
        for host in [*w.hosts, w.silent]:
            host.came = self.look

    def look(self):
        try:
            self.files = max(self.files, len(os.listdir(f"/proc/{self.process.pid}/fd")))
            self.memory = max(self.memory, rss_anon(self.process.pid))
        except (OSError, AttributeError):
            pass

    def judge(self):
        print(f"at most {self.files} descriptors, {self.memory} KiB")
        assert self.files < NEEDED
        assert sanitized() or self.memory < MEMORY


def all_there(p, w):
    want = Counter(m for h in w.hosts for n in range(USERS) for m in h.mail(f"user{n}"))
    assert Counter(map(corpus.normal, p.in_mailbox())) == want
    assert all(h.users[f"user{n}"] == 1 for h in w.hosts for n in range(USERS))
    assert all(AT_ONCE <= h.most <= WITH_SLOW for h in w.hosts)     # who had to wait for the others' coming for a second was slow
    assert w.silent.most == WITH_SLOW


def test_check(p, w):
    assert p.good("check").out


def test_collect(p, w):
    watch = Watch(w)
    watch.process = process = p.start("collect", preexec_fn=few)
    until(lambda: w.visited() == HOSTS * USERS or process.poll() is not None, w.tell)
    until(lambda: w.silent.most == WITH_SLOW or process.poll() is not None, w.tell)
    assert process.poll() is None and w.visited() == HOSTS * USERS  # nobody had to wait for the silent host
    w.end_silence()
    done = p.finish(process, LIMIT)
    summary = done.summary()
    assert done.code == 1 and len(summary) == HOSTS * USERS + SILENT
    assert all(counts == {"collected": MESSAGES, "skipped": 0, "held": 0, "failed": 0} for name, counts in summary.items() if not name.startswith("at21-"))
    watch.judge()
    assert watch.files > 21 * AT_ONCE           # they were all there at the same time
    all_there(p, w)


@pytest.mark.slow       # what is new is begun at 20 connections a second
def test_run(p, w):
    watch = Watch(w)
    watch.process = process = p.start("run", preexec_fn=few)
    try:
        until(lambda: w.visited() == HOSTS * USERS, w.tell)
        until(lambda: w.silent.most == WITH_SLOW, w.tell)
        rows = {r["connection"]: r for r in p.good("status", "--json").rows()[0]["connections"]}
        assert len(rows) == HOSTS * USERS + SILENT
        w.end_silence()
    finally:
        process.send_signal(signal.SIGTERM)
        assert p.finish(process, LIMIT).code == 0
    watch.judge()
    all_there(p, w)
