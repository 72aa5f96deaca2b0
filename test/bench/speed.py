# SPDX-License-Identifier: Apache-2.0
"""The measuring half of collect_speed.sh, which starts the server and the link and calls this.

Each line it prints is the median of BENCH_RUNS runs; the tools take turns, so that a
disturbance meets all of them.  Every collection is checked message by message.
"""
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import corpus  # noqa: E402

E = os.environ
RUNS, COUNT = int(E.get("BENCH_RUNS", "3")), int(E.get("BENCH_COUNT", "4000"))
RTTS = [int(r) for r in E.get("BENCH_RTTS", "0 50").split()]
TOOLS = E.get("BENCH_TOOLS", "popload postrider postrider-maildir mpop fetchmail-pop").split()
SLOW = {("fetchmail-pop", 50): 60, ("fetchmail-pop", 0): 1000}     # messages, for who would take all night


def checked(octets):
    """With the header that the harness checks bodies by."""
    head, _, body = octets.partition(b"\n\n")
    crc = zlib.crc32(corpus.normal(body))
    return head + b"\nX-Bench-CRC: %08x\n\n" % crc + body


def letter(number, size):
    text = corpus.small(1, 200, seed=number)[0]
    line = b"The same words in every line, which no measurement minds, number %06d\n" % number
    return checked(text + line * max(0, (size - len(text) - 30) // len(line)))


def fill(user, messages):
    """The user's maildrop, by the harness's own maker of Maildirs; then a poll, so that Dovecot has its index."""
    pool, users = os.path.join(E["S"], "pool"), users_file(user)
    shutil.rmtree(pool, ignore_errors=True)
    os.makedirs(pool)
    for number, octets in enumerate(messages):
        with open(os.path.join(pool, f"{number:06d}"), "wb") as f:
            f.write(octets)
    subprocess.run([sys.executable, os.path.join(E["BENCH_DIR"], "gen_corpus.py"), "maildir", "--pool", pool, "--users", users,
                    "--out", E["MAIL"], "--uid", E["BENCH_UID"]], check=True)
    popload("poll", user, 0)


def users_file(user):
    path = os.path.join(E["S"], "users-" + user)
    with open(path, "w", encoding="ascii") as f:
        f.write(f"{user}:{E['BENCH_PASS']}\n")
    return path


def space(rtt):
    return ["nsenter", "--net=" + os.path.join(E["BENCH_WORK"], "ns", "far" if rtt else "origin")]


def unchecked(name):
    """A run whose mail nobody looks at."""
    return ["env", "BENCH_EXPORT=no", *client(name, "run")]


def measured(argv):
    """By the harness's rusage, which counts the CPU of children: rc, wall_s, user_s, sys_s."""
    with tempfile.NamedTemporaryFile() as usage:
        done = subprocess.run([os.path.join(E["BIN"], "rusage"), usage.name, "900", *argv], capture_output=True, text=True)
        result = json.load(open(usage.name, encoding="ascii"))
    return result, done


def popload(script, user, rtt):
    argv = [*space(rtt), os.path.join(E["BIN"], "popload"), "--host", E["HOST"], "--port", E["PORT_POPS"], "--tls", "implicit",
            "--users", users_file(user), "--script", script, "--concurrency", "1", "--sessions", "1", "--pipeline",
            "--window", "254", "--quiet"]
    result, done = measured(argv)
    if result["rc"]:
        raise RuntimeError("popload: " + done.stderr)
    return result


def client(name, *args):
    script = os.path.join(HERE, "clients", name)
    return [script if os.path.exists(script) else os.path.join(E["BENCH_DIR"], "clients", name), *args]


def prepare(name, user):
    shutil.rmtree(os.path.join(E["S"], name), ignore_errors=True)
    subprocess.run(client(name, "config", "tls", users_file(user)), check=True)


def collect(name, user, rtt, want):
    """One collection from nothing, checked."""
    if name == "popload":
        return popload("fetch", user, rtt)
    prepare(name, user)
    result, done = measured([*space(rtt), *client(name, "run")])
    verify = subprocess.run([sys.executable, os.path.join(E["BENCH_DIR"], "verify_maildir.py"), os.path.join(E["S"], name, "mail")],
                            capture_output=True, text=True, check=True)
    found = json.loads(verify.stdout)
    if result["rc"] or (found["ok"], found["bad_crc"], found["no_header"]) != (want, 0, 0):
        raise RuntimeError(f"{name}: {result} {found}\n{done.stdout}{done.stderr}")
    return result


def speed():
    user = "one0001"
    print(f"{COUNT} messages of 4 KiB over TLS, median of {RUNS}")
    print(f"{'RTT':>6} {'tool':18} {'msg/s':>8} {'CPU µs/msg':>11}  of null")
    for rtt in RTTS:
        fill(user, [letter(n, 4096) for n in range(COUNT)])
        fill("a0001", [letter(n, 4096) for n in range(max(SLOW.values()))])
        results = {name: [] for name in TOOLS}
        for _ in range(RUNS):
            for name in TOOLS:
                count = SLOW.get((name, rtt), COUNT)
                if count != COUNT:
                    fill("a0001", [letter(n, 4096) for n in range(count)])
                r = collect(name, "a0001" if count != COUNT else user, rtt, count)
                results[name].append((count / r["wall_s"], 1e6 * (r["user_s"] + r["sys_s"]) / count))
        null = statistics.median(rate for rate, _ in results["popload"])
        for name, runs in results.items():
            rate = statistics.median(rate for rate, _ in runs)
            cpu = statistics.median(cpu for _, cpu in runs)
            print(f"{rtt:3d} ms {name:18} {rate:8.0f} {cpu:11.0f}  {100 * rate / null:5.0f} %", flush=True)


def poll():
    user, rtt = "big0001", 50
    fill(user, [letter(n, 600) for n in range(10_000)])
    for name in ("postrider", "postrider-maildir"):
        collect(name, user, 0, 10_000)
        runs = []
        for _ in range(RUNS):
            ours, _ = measured([*space(rtt), *unchecked(name)])
            runs.append((ours["wall_s"], popload("poll", user, rtt)["wall_s"]))
        ours, null = (statistics.median(column) for column in zip(*runs))
        print(f"poll of 10,000 kept, {rtt} ms: {name} {ours * 1000:.0f} ms, null collector {null * 1000:.0f} ms, "
              f"{(ours - null) * 1000 / rtt:+.1f} RTT", flush=True)


class Watch(threading.Thread):
    """The highest RssAnon (KiB) that any process named postrider, ours, shows."""

    def __init__(self, argv):
        super().__init__()
        self.process, self.peak = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE), 0

    def run(self):
        while self.process.poll() is None:
            for pid in family(self.process.pid):
                self.peak = max(self.peak, rss_anon(pid))
            time.sleep(0.002)


def family(pid):
    """Of a process and its descendants those that are postrider."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = f.read().split()
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            mine = [pid] if f.read().strip() == "postrider" else []
    except OSError:
        return []
    return mine + [p for c in children for p in family(int(c))]


def rss_anon(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("RssAnon")), 0)
    except (OSError, ProcessLookupError):
        return 0


def memory():
    user, rng = "one0001", random.Random(1)
    huge = checked(b"Subject: huge\n\n" + b"".join(b"%064x\n" % rng.getrandbits(256) for _ in range(100_000_000 // 65)))
    for name in ("postrider", "postrider-maildir"):
        peaks = []
        for messages in ([letter(1, 4096)] * 3, [letter(1, 4096), huge, letter(2, 4096)]):
            fill(user, messages)
            prepare(name, user)
            watch = Watch([*space(0), *unchecked(name)])
            watch.start()
            watch.join()
            if watch.process.returncode:
                raise RuntimeError(f"{name}: {watch.process.stderr.read().decode()}")
            peaks.append(watch.peak)
        print(f"RssAnon, {name}: {peaks[0]} KiB with small messages, {peaks[1]} KiB with one of 100 MB: {peaks[1] - peaks[0]:+d} KiB", flush=True)


if __name__ == "__main__":
    for part in sys.argv[1:] or ["speed", "poll", "memory"]:
        {"speed": speed, "poll": poll, "memory": memory}[part]()
