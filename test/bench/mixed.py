#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A thousand connections of mixed kinds in one running instance: who is late, and what it costs when nothing happens.

    test/bench/mixed.py [--connections 1000] [--hosts 50] [--interval 20] [--seconds 180] [--quiet 60] [--idle] [--strace]

First for `seconds` at `interval`: how late the healthy ones are, each of whose hosts has slow and failing ones too; then
an instance with the default interval, once all were visited: its CPU over `quiet` seconds.  $POSTRIDER as for tests.
"""
import argparse
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "origin"), os.path.join(HERE, "..", "e2e")]
from mixed import Mixed  # noqa: E402
from postrider import PROGRAM, section  # noqa: E402

SHARES = {"pop3": 50, "imap": 25, "refused": 5, "hangs": 5, "drips": 5, "slow": 5, "denies": 5}


def configure(home, m, a, interval):
    names = [kind for kind, share in SHARES.items() for _ in range(a.connections * share // 100)]
    random.Random(1).shuffle(names)
    conf, kinds = os.path.join(home, "postrider.conf"), {}
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"state = '{home}/state'\n")
        for n, kind in enumerate(names):
            user = f"u{n:04}"
            kinds[user] = kind
            keys = {**m.keys(kind, m.hosts[n % len(m.hosts)], user), "password": "secret-word", "interval": interval, "deliver": [f"folder:{home}/mail"]}
            if kind == "imap" and a.idle:
                keys["idle"] = True
            f.write(section("connection " + user, keys))
    os.chmod(conf, 0o600)
    return conf, kinds


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


def lateness(events, kinds, interval, since):
    """Of each visit but the first: how much later than the longest interval behind the end of the one before; and who has not come at all."""
    last, late = {}, []
    for when, _, _, user, what in events:
        if when < since or kinds.get(user) not in ("pop3", "imap"):
            continue
        if what == "in" and user in last:
            late.append((when - last[user] - interval * 1.05, user))
        if what == "out":
            last[user] = when
    now = events[-1][0]
    late += [(now - end - interval * 1.05, user) for user, end in last.items() if now - end > interval * 1.05 + 1 and not late_since(events, user, end)]
    missing = [u for u, kind in kinds.items() if kind in ("pop3", "imap") and u not in last]
    return sorted(late), missing


def late_since(events, user, end):
    return any(e[3] == user and e[4] == "in" and e[0] > end for e in events)


class Run:
    def __init__(self, conf, log):
        with open(log, "wb") as f:
            self.process = subprocess.Popen([PROGRAM, "-c", conf, "-q", "run"], stdout=f, stderr=f)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def busy(a, home, m):
    conf, kinds = configure(home, m, a, f"{a.interval}s")
    with Run(conf, os.path.join(home, "log")) as run:
        before, began = cpu(run.pid), time.time()
        time.sleep(a.seconds)
        used, memory = cpu(run.pid) - before, rss(run.pid)
        events = m.events()
    late, missing = lateness(events, kinds, a.interval, began)
    visits = sum(e[4] == "in" for e in events)
    print(f"interval {a.interval} s, {a.seconds} s: {visits} logins, CPU {100 * used / a.seconds:.2f} %, RssAnon {memory} KiB; "
          f"healthy visits later than the longest interval: median {statistics.median(x for x, _ in late):.2f} s, "
          f"99 % {late[len(late) * 99 // 100][0]:.2f} s, most {late[-1][0]:.2f} s ({late[-1][1]}); beyond 1 s: {sum(x > 1 for x, _ in late)} of {len(late)}; "
          f"never came: {len(missing)}", flush=True)


def quiet(a, home, m):
    conf, kinds = configure(home, m, a, "15min")
    with Run(conf, os.path.join(home, "log")) as run:
        began, healthy = time.time(), sum(k in ("pop3", "imap") for k in kinds.values())
        while len({e[3] for e in m.events() if e[0] > began and kinds.get(e[3]) in ("pop3", "imap")}) < healthy:
            time.sleep(1)
            if time.time() > began + 300:
                print("not all came within 300 s")
                break
        print(f"all came within {time.time() - began:.0f} s", flush=True)
        time.sleep(a.settle)
        if a.strace:
            done = subprocess.run(["timeout", "-s", "INT", str(a.quiet), "strace", "-f", "-c", "-p", str(run.pid)], capture_output=True, text=True, check=False)
            print(done.stderr[-3000:])
        before = cpu(run.pid)
        time.sleep(a.quiet)
        print(f"idle: CPU {100 * (cpu(run.pid) - before) / a.quiet:.3f} % over {a.quiet} s, RssAnon {rss(run.pid)} KiB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name, default in (("connections", 1000), ("hosts", 50), ("interval", 20), ("seconds", 180), ("quiet", 60), ("settle", 70)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--strace", action="store_true")
    a = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, hard), hard))
    for part in (busy, quiet):
        if getattr(a, "seconds" if part is busy else "quiet"):
            home = tempfile.mkdtemp(prefix="pr-mixed-")
            try:
                with Mixed(a.hosts, os.path.join(home, "events")) as m:
                    part(a, home, m)
            finally:
                shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
