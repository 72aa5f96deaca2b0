#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""watching.py [PART…] -- what mailboxes cost that are watched by IMAP IDLE, and how soon their mail is there.

memory   RssAnon a mailbox; CPU and wake-ups in a quiet minute
latency  from a message's rename into its mailbox at the server to its file in the Maildir here, one message at a time in
         random mailboxes; once idle, once with as many as can be
restart  the server goes, mail comes to each mailbox meanwhile, the server comes back: how long until all is here
silent   a network that says nothing for SILENT_S (600) seconds: mail that came meanwhile (needs root: a namespace)

All of it at one Dovecot with TLS on loopback, one user a mailbox, and beside it fetchmail --idle, one process a mailbox as it wants
it.  Without PART the first three.  COUNT (300) mailboxes, PEERS (10) of fetchmail's, MESSAGES (300), POSTRIDER.
A table in Markdown on standard output.
"""
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e"), os.path.join(HERE, "..", "origin"), os.path.join(HERE, "..")]
import certs                                                            # noqa: E402
import dovecot as dovecots                                              # noqa: E402
import imap_helpers                                                     # noqa: E402
import postrider as runs                                                # noqa: E402

COUNT, PEERS, MESSAGES = (int(os.environ.get(k, d)) for k, d in (("COUNT", 300), ("PEERS", 10), ("MESSAGES", 300)))
SILENT_S = int(os.environ.get("SILENT_S", 600))
LIMITS = "mailbox_idle_check_interval = 1s\ndefault_process_limit = 2000\ndefault_client_limit = 8000\nservice imap {\n  process_limit = 2000\n}\nservice imap-login {\n  service_count = 0\n}\n"
MESSAGE = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: number %d\r\n\r\n" + b"x" * 2000 + b"\r\n"
LIMIT = 900


def until(asked, limit=LIMIT):
    end = time.monotonic() + limit
    while not asked():
        if time.monotonic() > end:
            raise SystemExit("not within %d s" % limit)
        time.sleep(0.005)


def number_of(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key))


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(values):
    values = sorted(values)
    return "median %.2f s, 95 %% within %.2f s, at most %.2f s" % (statistics.median(values), values[len(values) * 95 // 100 - 1], values[-1])


class Drops:
    """Puts mail into mailboxes at the server, as an MTA does."""

    def __init__(self, d):
        self.d, self.count = d, 0

    def put(self, user):
        self.count += 1
        box, name = self.d.folder(user), f"{int(time.time())}.M{self.count:06d}P2.bench"
        path = os.path.join(box, "tmp", name)
        with open(path, "wb") as f:
            f.write(MESSAGE % self.count)
        os.chown(path, self.d.uid, self.d.gid)
        os.rename(path, os.path.join(box, "new", name))
        return time.monotonic()


class Ours:
    name = "postrider"

    def __init__(self, d, authority, users, host="127.0.0.1"):
        self.home = tempfile.mkdtemp(prefix="pr-watching-")
        self.p = runs.Postrider(self.home)
        keys = imap_helpers.keys(d, authority, users[0])
        for n, user in enumerate(users):
            self.p.sections[f"box{n}"] = runs.section(f"connection box{n}", {
                **keys, "user": user, "host": host, "password": d.password, "idle": True, "after": "keep", "interval": "1h",
                "deliver": ["maildir:" + self.box(n)]})
        self.p.write()

    def box(self, n):
        return os.path.join(self.home, "boxes", str(n))

    def start(self, inside=()):
        self.log = open(os.path.join(self.home, "log"), "wb")
        self.process = subprocess.Popen([*inside, *self.p.argv("run", "-v", "-v")], stdout=self.log, stderr=self.log, env=self.p.environment(), cwd=self.home)
        self.pids = [self.process.pid]

    def idling(self, count):
        with open(os.path.join(self.home, "log"), "rb") as f:
            text = f.read()
        return text.count(b"idle begin") - text.count(b"idle end") >= count

    def messages(self, n):
        new = os.path.join(self.box(n), "new")
        return len(os.listdir(new)) if os.path.isdir(new) else 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.home)


class Fetchmail:
    """One process a mailbox; --idle watches one."""
    name = "fetchmail"

    def __init__(self, d, authority, users):
        self.home, self.users, self.d, self.authority = tempfile.mkdtemp(prefix="pr-fetchmail-"), users, d, authority
        os.mkdir(os.path.join(self.home, "boxes"))

    def start(self):
        self.all, self.pids = [], []
        for n, user in enumerate(self.users):
            home = os.path.join(self.home, str(n))
            os.mkdir(home)
            os.mkdir(os.path.join(self.home, "boxes", str(n)))
            rc = os.path.join(home, "rc")
            with open(rc, "w", encoding="ascii") as f:
                f.write(f'poll localhost protocol imap port {self.d.imaps} user "{user}" password "{self.d.password}" ssl sslcertfile {self.authority.ca} '
                        f'keep idle mda "cat > {self.home}/boxes/{n}/$$"\n')
            os.chmod(rc, 0o600)
            log = open(os.path.join(home, "log"), "wb")
            self.all.append(subprocess.Popen(["fetchmail", "-f", rc, "--nodetach", "-v", "-v", "-i", os.path.join(home, "ids"), "--pidfile", os.path.join(home, "pid")],
                                             stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "FETCHMAILHOME": home, "HOME": home}))
        self.pids = [p.pid for p in self.all]

    def idling(self, count):
        done = 0
        for n in range(len(self.users)):
            with open(os.path.join(self.home, str(n), "log"), "rb") as f:
                done += b"IDLE" in f.read()
        return done >= count

    def messages(self, n):
        return len(os.listdir(os.path.join(self.home, "boxes", str(n))))

    def stop(self):
        for p in self.all:
            p.terminate()
        for p in self.all:
            p.wait(60)
        shutil.rmtree(self.home)


def anonymous(tool):
    return sum(number_of(pid, "RssAnon") for pid in tool.pids)


def memory(tool, users, one):
    total = anonymous(tool)
    if one is not None:
        print(f"| {tool.name} | RssAnon | {total} KiB for {len(users)} mailboxes, {one} KiB for one: {(total - one) / (len(users) - 1):.1f} KiB each further one |")
    else:
        print(f"| {tool.name} | RssAnon | {total / len(users):.1f} KiB a mailbox, of {len(users)} |")
    cpu, wakes, began = sum(map(cpu_s, tool.pids)), sum(number_of(p, "voluntary_ctxt") for p in tool.pids), time.monotonic()
    time.sleep(60)
    passed = time.monotonic() - began
    print(f"| {tool.name} | a quiet minute | {(sum(map(cpu_s, tool.pids)) - cpu) / passed * 100:.2f} % of a core, "
          f"{(sum(number_of(p, 'voluntary_ctxt') for p in tool.pids) - wakes) / passed:.1f} wake-ups a second |", flush=True)


def one_by_one(tool, users, drops, count):
    waits, chance = [], random.Random(7)
    for _ in range(count):
        n = chance.randrange(len(users))
        before, began = tool.messages(n), drops.put(users[n])
        until(lambda: tool.messages(n) > before)
        waits.append(time.monotonic() - began)
        time.sleep(0.1)
    print(f"| {tool.name} | latency, {count} messages one at a time | {spread(waits)} |", flush=True)


def all_at_once(tool, users, drops):
    before = [tool.messages(n) for n in range(len(users))]
    began, waits = [drops.put(user) for user in users], {}
    while len(waits) < len(users):
        for n in range(len(users)):
            if n not in waits and tool.messages(n) > before[n]:
                waits[n] = time.monotonic() - began[n]
        time.sleep(0.005)
    print(f"| {tool.name} | latency, one to each of {len(users)} at once | {spread(waits.values())} |", flush=True)


def restart(tool, users, drops, d):
    ports = d.pop3, d.pop3s, d.imap, d.imaps
    before = [tool.messages(n) for n in range(len(users))]
    d.stop()
    time.sleep(3)
    for user in users:
        drops.put(user)
    d.start(ports)
    began = time.monotonic()
    until(lambda: all(tool.messages(n) > before[n] for n in range(len(users))))
    print(f"| {tool.name} | after a restart of the server, one to each of {len(users)} meanwhile | all there after {time.monotonic() - began:.1f} s |", flush=True)


def one_alone(make):
    """What a process with one mailbox needs."""
    tool = make(1)
    tool.start()
    until(lambda: tool.idling(1))
    time.sleep(1)
    kib = anonymous(tool)
    tool.stop()
    return kib


def measure(tool, users, drops, d, parts, one):
    tool.start()
    try:
        until(lambda: tool.idling(len(users)))
        time.sleep(2)
        if "memory" in parts:
            memory(tool, users, one)
        if "latency" in parts:
            one_by_one(tool, users, drops, MESSAGES if one is not None else MESSAGES // 6)
            all_at_once(tool, users, drops)
            if "memory" in parts:
                until(lambda: tool.idling(len(users)))
                time.sleep(2)
                print(f"| {tool.name} | RssAnon after that | {anonymous(tool)} KiB |", flush=True)
        if "restart" in parts:
            restart(tool, users, drops, d)
    finally:
        tool.stop()


class Line:
    """Between us, in a namespace of our own, and another one: a pair of interfaces.  Silent, it loses all, both ways, and says nothing."""
    HERE, THERE = "10.77.0.1", "10.77.0.2"

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 10)
        self.there = ["nsenter", "-t", str(self.holder.pid), "-n"]
        for command in ("ip link set lo up", "ip link add va type veth peer name vb", f"ip link set vb netns {self.holder.pid}",
                        f"ip addr add {self.HERE}/24 dev va", "ip link set va up"):
            subprocess.run(command.split(), check=True)
        for command in ("ip link set lo up", f"ip addr add {self.THERE}/24 dev vb", "ip link set vb up"):
            subprocess.run(self.there + command.split(), check=True)

    def silent(self, on):
        for prefix, other, device in (([], self.THERE, "va"), (self.there, self.HERE, "vb")):
            words = ["ip", "neigh", "replace", other, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", device] if on else \
                ["ip", "neigh", "del", other, "dev", device]
            subprocess.run(prefix + words, check=True)

    def end(self):
        self.holder.terminate()
        self.holder.wait()


def silent(authority):
    """To be run in a namespace of its own."""
    line = Line()
    try:
        with dovecots.Dovecot(authority, names=("IP:" + Line.HERE,), more=LIMITS + f"listen = 127.0.0.1, {Line.HERE}\n") as d:
            users = [d.fresh([MESSAGE % 0]) for _ in range(min(COUNT, 50))]
            drops, tool = Drops(d), Ours(d, authority, users, Line.HERE)
            tool.start(line.there)
            try:
                until(lambda: tool.idling(len(users)))
                line.silent(True)
                time.sleep(SILENT_S / 2)
                for user in users:
                    drops.put(user)
                time.sleep(SILENT_S / 2)
                line.silent(False)
                began = time.monotonic()
                until(lambda: all(tool.messages(n) >= 2 for n in range(len(users))))
                late = time.monotonic() - began
                time.sleep(5)
                assert all(tool.messages(n) == 2 for n in range(len(users))), "something came twice"
                print(f"| {tool.name} | {SILENT_S} s without a packet, one to each of {len(users)} in the middle of it | all there {late:.1f} s after the network was |",
                      flush=True)
            finally:
                tool.stop()
    finally:
        line.end()


def main(parts):
    if "silent" in parts and os.environ.get("POSTRIDER_NAMESPACE") != "own":
        subprocess.run(["unshare", "-n", sys.executable, os.path.abspath(__file__), "silent"], check=True, env={**os.environ, "POSTRIDER_NAMESPACE": "own"})
        parts = [p for p in parts if p != "silent"]
        if not parts:
            return
    folder = tempfile.mkdtemp(prefix="pr-bench-certs-")
    authority = certs.Authority(folder)
    if "silent" in parts:
        silent(authority)
        shutil.rmtree(folder)
        return
    with dovecots.Dovecot(authority, more=LIMITS) as d:
        users = [d.fresh([MESSAGE % 0]) for _ in range(COUNT)]
        drops = Drops(d)
        print("| tool | what | measured |\n|---|---|---|")
        one = one_alone(lambda n: Ours(d, authority, users[:n])) if "memory" in parts else 0
        measure(Ours(d, authority, users), users, drops, d, parts, one)
        if PEERS and shutil.which("fetchmail"):
            few = [d.fresh([MESSAGE % 0]) for _ in range(PEERS)]
            measure(Fetchmail(d, authority, few), few, drops, d, [p for p in parts if p != "restart"], None)
    shutil.rmtree(folder)


main(sys.argv[1:] or ["memory", "latency", "restart"])
