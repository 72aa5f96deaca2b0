# SPDX-License-Identifier: Apache-2.0
"""serve_speed.sh's part open: a box of 100,000 messages, and the others meanwhile.

APOP logs in, so that no password hash is in the figure; what a login to a small box takes is
subtracted.  "Evicted": the server is started anew with no page of the store in memory, and others
have logged in before (their pages are their own).  The others: sessions on both loops that say
NOOP, one after another, all the time.
"""
import hashlib
import os
import socket
import statistics
import subprocess
import threading
import time

from serving import E, Server, held, table

TIMES = 9
OTHERS = 8


class Client:
    """A POP3 client as small as can be."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.greeting = self.file.readline().decode("ascii")

    def say(self, line):
        self.sock.sendall(line.encode("ascii") + b"\r\n")
        reply = self.file.readline().decode("ascii")
        if not reply.startswith("+OK"):
            raise RuntimeError(f"{line.split()[0]}: {reply!r}")
        return reply

    def apop(self, user):
        """Milliseconds."""
        stamp = self.greeting[self.greeting.rindex("<"):].strip()
        digest = hashlib.md5((stamp + E["BENCH_PASS"]).encode("ascii")).hexdigest()
        begin = time.monotonic()
        self.say(f"APOP {user} {digest}")
        return (time.monotonic() - begin) * 1000

    def end(self):
        self.say("QUIT")
        self.file.close()
        self.sock.close()


def login_ms(server, user):
    client = Client(server.port(False))
    took = client.apop(user)
    client.end()
    return took


class Others:
    """Sessions that are at it all the time; how long each of their commands took."""

    def __init__(self, server):
        self.clients = [Client(server.port(False)) for _ in range(OTHERS)]
        for number, client in enumerate(self.clients):
            client.apop(f"p{number + 1:04d}")
        self.took, self.over = [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over:
            for client in self.clients:
                begin = time.monotonic()
                client.say("NOOP")
                self.took.append((begin, (time.monotonic() - begin) * 1000))
            time.sleep(0.001)

    def between(self, begin, end):
        return sorted(ms for at, ms in self.took if begin <= at < end) or [0.0]

    def end(self):
        self.over = True
        self.thread.join()
        for client in self.clients:
            client.end()


def evict():
    """No page of the store stays in memory (nobody has it open); says how many octets do."""
    path = os.path.join(E["BENCH_WORK"], "postrider-plain", "state", "store", "data.mdb")
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    done = subprocess.run(["fincore", "-b", "-n", "-o", "RES", path], stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def warm():
    """Warm openings; the others' latency while nothing happens, and while large boxes are opened one after another."""
    with Server("postrider", "plain") as server:
        login_ms(server, "large")
        small = statistics.median(login_ms(server, "p0100") for _ in range(TIMES))
        large = statistics.median(login_ms(server, "large") for _ in range(TIMES))
        others = Others(server)
        begin = time.monotonic()
        time.sleep(2)
        middle = time.monotonic()
        while time.monotonic() < middle + 2:
            login_ms(server, "large")
        end = time.monotonic()
        others.end()
    return large - small, others.between(begin, middle), others.between(middle, end)


def evicted():
    with Server("postrider", "plain"):
        pass                    # stopped: nobody has the store open
    left = evict()
    with Server("postrider", "plain") as server:
        login_ms(server, "p0001")
        others = Others(server)
        time.sleep(0.2)
        begin = time.monotonic()
        large = login_ms(server, "large")
        end = time.monotonic()
        others.end()
        small = login_ms(server, "p0001")
    return large - small, others.between(begin, end), left


def quantiles(all_of):
    return f"{all_of[len(all_of) // 2]:.2f} / {all_of[len(all_of) * 99 // 100]:.2f} / {all_of[-1]:.2f} ms"


def main():
    ms, quiet, busy = warm()
    cold = [evicted() for _ in range(3)]
    cold_ms = statistics.median(one[0] for one in cold)
    meanwhile = sorted(took for one in cold for took in one[1])
    table(["opening 100,000 messages", "Postrider", "wanted"], [
        ("warm", f"{ms:.1f} ms", "at most 20 ms" + held(ms <= 20)),
        (f"with no page of the store in memory ({max(one[2] for one in cold) // 1024} KiB were left)", f"{cold_ms:.0f} ms",
         "at most 200 ms" + held(cold_ms <= 200)),
        ("NOOP of others (median / p99 / max), nothing else happens", quantiles(quiet), ""),
        ("the same while one warm box after another is opened", quantiles(busy), "no more than a time slice"),
        ("the same while the evicted one is opened", quantiles(meanwhile), "no more than a time slice"),
    ])
