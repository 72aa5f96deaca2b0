# SPDX-License-Identifier: Apache-2.0
"""The measuring half of collect_speed.sh, which starts the server and the link and calls this.

Each line it prints is the median of BENCH_RUNS runs; the tools take turns, so that a
disturbance meets all of them.  Every collection is checked message by message.
"""
import itertools
import json
import os
import random
import re
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
sys.path.insert(0, HERE)
import relaying  # noqa: E402
import thousand  # noqa: E402

E = os.environ
RUNS, COUNT = int(E.get("BENCH_RUNS", "3")), int(E.get("BENCH_COUNT", "4000"))
RTTS = [int(r) for r in E.get("BENCH_RTTS", "0 50").split()]
POP_TOOLS = "popload postrider postrider-maildir mpop fetchmail-pop"
IMAP_TOOLS = "postrider-imap postrider-imap-maildir mbsync mbsync-nosync getmail-imap fetchmail-imap fdm-imap"
SLOW = {("fetchmail-pop", 50): 60, ("fetchmail-pop", 0): 1000,     # messages, for who would take all night
        ("getmail-imap", 50): 60, ("getmail-imap", 0): 1000, ("fetchmail-imap", 50): 60, ("fetchmail-imap", 0): 1000,
        ("fdm-imap", 50): 60, ("fdm-imap", 0): 1000}
NO_FSYNC = ("mbsync-nosync", "fetchmail-imap")      # of the latter, its delivery agent here
IN_STORE = ("postrider", "postrider-imap")
PROCESS = {"mbsync": "mbsync", "getmail-imap": "getmail"}     # as /proc/PID/comm has it; else postrider
PEER_LIMIT, PEER_TRIES = 180, 3
LINE = "{:3d} ms {:22} {:8.0f} {:11.0f}  {}"


def checked(octets):
    """With the header that the harness checks bodies by."""
    head, _, body = octets.partition(b"\n\n")
    crc = zlib.crc32(corpus.normal(body))
    return head + b"\nX-Bench-CRC: %08x\n\n" % crc + body


WORDS = corpus.Stock(1)     # made once: it takes longer than a letter


def letter(number, size):
    rng = random.Random(number)
    text = corpus.header(rng, 1, number) + WORDS.text(rng, 200)
    line = b"The same words in every line, which no measurement minds, number %06d\n" % number
    return checked(text + line * max(0, (size - len(text) - 30) // len(line)))


def fill(user, messages):
    fill_all([user], messages)


def fill_each(users, messages, each):
    """Some of the messages for each user: the first have the first."""
    fill_all(users, messages, "--per-user", str(each), "--spread")


def fill_all(users, messages, *more):
    """Each user's maildrop, by the harness's own maker of Maildirs; then polls, so that Dovecot has its index."""
    pool = os.path.join(E["S"], "pool")
    shutil.rmtree(pool, ignore_errors=True)
    os.makedirs(pool)
    for number, octets in enumerate(messages):
        with open(os.path.join(pool, f"{number:06d}"), "wb") as f:
            f.write(octets)
    subprocess.run([sys.executable, os.path.join(E["BENCH_DIR"], "gen_corpus.py"), "maildir", "--pool", pool, "--users",
                    users_file(*users), "--out", E["MAIL"], "--uid", E["BENCH_UID"], *more], check=True)
    popload("poll", 0, *users)


def users_file(*users):
    path = os.path.join(E["S"], f"users-{users[0]}-{len(users)}")
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"{user}:{E['BENCH_PASS']}\n" for user in users)
    return path


def space(rtt):
    return ["nsenter", "--net=" + os.path.join(E["BENCH_WORK"], "ns", "far" if rtt else "origin")]


def unchecked(name):
    """A run whose mail nobody looks at."""
    return ["env", "BENCH_EXPORT=no", *client(name, "run")]


def measured(argv, limit=900):
    """By the harness's rusage, which counts the CPU of children: rc, timed_out, wall_s, user_s, sys_s."""
    with tempfile.NamedTemporaryFile() as usage:
        done = subprocess.run([os.path.join(E["BIN"], "rusage"), usage.name, str(limit), *argv], capture_output=True, text=True)
        result = json.load(open(usage.name, encoding="ascii"))
    return result, done


def popload(script, rtt, *users, port=E.get("PORT_POPS"), at_once=1):
    """The null collector: one session for each user."""
    argv = [*space(rtt), os.path.join(E["BIN"], "popload"), "--host", E["HOST"], "--port", str(port), "--tls", "implicit",
            "--users", users_file(*users), "--script", script, "--concurrency", str(at_once), "--sessions", str(len(users)),
            "--pipeline", "--window", "254", "--quiet"]
    result, done = measured(argv)
    if result["rc"]:
        raise RuntimeError("popload: " + done.stdout[-500:] + done.stderr[-500:])
    return result


def client(name, *args):
    """A script of ours or of the harness; there a link may have become a file that says where it led."""
    ours = os.path.join(HERE, "clients", name)
    theirs = os.path.join(E["BENCH_DIR"], "clients", name)
    if os.path.exists(ours):
        return [ours, *args]
    if os.access(theirs, os.X_OK):
        return [theirs, *args]
    with open(theirs, encoding="ascii") as f:
        target = os.path.join(os.path.dirname(theirs), f.read().strip())
    return ["bash", "-c", f". '{target}'", theirs, *args]


def prepare(name, user):
    shutil.rmtree(os.path.join(E["S"], name), ignore_errors=True)
    subprocess.run(client(name, "config", "tls", users_file(user)), check=True)


def hangs(name, attempt):
    """Peers do, now and then (getmail waits for a SIGCHLD that came before): tried again, and told."""
    if name.startswith("postrider") or attempt >= PEER_TRIES:
        raise RuntimeError(f"{name} does not end")
    print(f"{name} did not end within {PEER_LIMIT} s; once more", file=sys.stderr, flush=True)


def collect(name, user, rtt, want):
    """One collection from nothing, checked."""
    if name == "popload":
        return popload("fetch", rtt, user)
    for attempt in itertools.count(1):
        prepare(name, user)
        result, done = measured([*space(rtt), *client(name, "run")], PEER_LIMIT)
        if not result["timed_out"]:
            break
        hangs(name, attempt)
    verify = subprocess.run([sys.executable, os.path.join(E["BENCH_DIR"], "verify_maildir.py"), os.path.join(E["S"], name, "mail")],
                            capture_output=True, text=True, check=True)
    found = json.loads(verify.stdout)
    if result["rc"] or (found["ok"], found["bad_crc"], found["no_header"]) != (want, 0, 0):
        raise RuntimeError(f"{name}: {result} {found}\n{done.stdout}{done.stderr}")
    return result


def tools(standard):
    return E.get("BENCH_TOOLS", standard).split()


def in_turns(names, rtt):
    """By tool, of each run its messages/s and CPU µs a message: the medians."""
    user = "one0001"
    fill(user, [letter(n, 4096) for n in range(COUNT)])
    results = {name: [] for name in names}
    for _ in range(RUNS):
        for name in names:
            slow = (name, rtt) in SLOW
            count = min(SLOW[name, rtt], COUNT) if slow else COUNT
            if slow:  # filled for each: fetchmail sets \\Seen
                fill("a0001", [letter(n, 4096) for n in range(count)])
            r = collect(name, "a0001" if slow else user, rtt, count)
            results[name].append((count / r["wall_s"], 1e6 * (r["user_s"] + r["sys_s"]) / count))
    return {name: [statistics.median(column) for column in zip(*runs)] for name, runs in results.items()}


def heading(protocol, last):
    print(f"{COUNT} messages of 4 KiB over {protocol} with TLS, median of {RUNS}")
    print(f"{'RTT':>6} {'tool':22} {'msg/s':>8} {'CPU µs/msg':>11}  {last}", flush=True)


def speed():
    heading("POP3", "of null")
    for rtt in RTTS:
        results = in_turns(tools(POP_TOOLS), rtt)
        for name, (rate, cpu) in results.items():
            print(LINE.format(rtt, name, rate, cpu, f"{100 * rate / results['popload'][0]:5.0f} %"), flush=True)


def imap():
    heading("IMAP", "durable")
    for rtt in RTTS:
        for name, (rate, cpu) in in_turns(tools(IMAP_TOOLS), rtt).items():
            print(LINE.format(rtt, name, rate, cpu, "no" if name in NO_FSYNC else "yes"), flush=True)


def poll():
    user, rtt = "big0001", 50
    fill(user, [letter(n, 600) for n in range(10_000)])
    for name in ("postrider", "postrider-maildir"):
        collect(name, user, 0, 10_000)
        runs = []
        for _ in range(RUNS):
            ours, _ = poll_once(name, rtt, 0)
            runs.append((ours, popload("poll", rtt, user)["wall_s"]))
        ours, null = (statistics.median(column) for column in zip(*runs))
        print(f"poll of 10,000 kept, {rtt} ms: {name} {ours * 1000:.0f} ms, null collector {null * 1000:.0f} ms, "
              f"{(ours - null) * 1000 / rtt:+.1f} RTT", flush=True)


def deliver_one(user, number):
    """One more message in the maildrop, which Dovecot has in its index before anybody asks for it."""
    new = os.path.join(E["MAIL"], user, "Maildir", "new", f"{int(time.time())}.more{number}.bench")
    with open(new + ".tmp", "wb") as f:
        f.write(letter(1_000_000 + number, 600))
    os.chown(new + ".tmp", int(E["BENCH_UID"]), int(E["BENCH_UID"]))
    os.rename(new + ".tmp", new)
    popload("poll", 0, user)


def count_mail(name):
    """Without looking into it; ours lies in the store, and `collect` has told."""
    return sum(len(files) for d, _, files in os.walk(os.path.join(E["S"], name, "mail")) if os.path.basename(d) in ("new", "cur"))


def poll_once(name, rtt, more):
    """One visit that must bring `more` messages: its wall time and CPU."""
    before = count_mail(name)
    result, done = measured([*space(rtt), *unchecked(name)])
    brought = count_mail(name) - before if name not in IN_STORE else told(done.stdout)
    if result["rc"] or brought != more:
        raise RuntimeError(f"{name}: {brought} came instead of {more}: {result}\n{done.stdout}{done.stderr}")
    return result["wall_s"], result["user_s"] + result["sys_s"]


def told(text):
    found = re.findall(r"^\S+: (\d+) collected, \d+ skipped, 0 held, 0 failed", text, re.M)
    if not found:
        raise RuntimeError("no result in: " + text)
    return sum(int(n) for n in found)


def imap_poll():
    """Nothing changed; a message more; after that, nothing changed again."""
    user, rtt = "big0001", 50
    names = tools("postrider-imap postrider-imap-maildir mbsync")
    fill(user, [letter(n, 600) for n in range(10_000)])
    for name in names:
        collect(name, user, 0, 10_000)
        poll_once(name, 0, 0)
    runs = {(name, more): [] for more in (0, 1) for name in names}
    for turn in range(RUNS):
        for more in (0, 1):
            if more:
                deliver_one(user, turn)
            for name in names:
                runs[name, more].append(poll_once(name, rtt, more))
        for name in names:
            poll_once(name, 0, 0)
    for (name, more), results in runs.items():
        wall, cpu = (statistics.median(column) for column in zip(*results))
        print(f"IMAP poll of 10,000 kept, {rtt} ms, {'one new' if more else 'unchanged'}: {name:22} {wall * 1000:6.0f} ms "
              f"({wall * 1000 / rtt:.1f} RTT), CPU {cpu * 1000:.0f} ms", flush=True)


class Watch(threading.Thread):
    """The highest RssAnon (KiB) that any process of that name, of a command, shows."""

    def __init__(self, argv, comm="postrider", pause=0.002):
        super().__init__()
        self.comm, self.pause, self.peak, self.late = comm, pause, 0, False
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def run(self):
        end = time.monotonic() + PEER_LIMIT
        while self.process.poll() is None:
            if time.monotonic() > end:
                self.late = True
                self.process.kill()
            for pid in family(self.process.pid, self.comm):
                self.peak = max(self.peak, rss_anon(pid))
            time.sleep(self.pause)


def family(pid, comm):
    """Of a process and its descendants those of that name."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = f.read().split()
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            mine = [pid] if f.read().strip() == comm else []
    except OSError:
        return []
    return mine + [p for c in children for p in family(int(c), comm)]


def rss_anon(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("RssAnon")), 0)
    except (OSError, ProcessLookupError):
        return 0


def memory_of(names):
    """What a message of 100 MB among small ones costs."""
    user, rng = "one0001", random.Random(1)
    huge = checked(b"Subject: huge\n\n" + b"".join(b"%064x\n" % rng.getrandbits(256) for _ in range(100_000_000 // 65)))
    peaks = {name: [] for name in names}
    for messages in ([letter(1, 4096)] * 3, [letter(1, 4096), huge, letter(2, 4096)]):
        fill(user, messages)
        for name in names:
            for attempt in itertools.count(1):
                prepare(name, user)
                watch = Watch([*space(0), *unchecked(name)], PROCESS.get(name, "postrider"))
                watch.start()
                watch.join()
                if not watch.late:
                    break
                hangs(name, attempt)
            if watch.process.returncode or not watch.peak:
                raise RuntimeError(f"{name}: {watch.process.stderr.read().decode()}")
            peaks[name].append(watch.peak)
    for name, (small, large) in peaks.items():
        print(f"RssAnon, {name}: {small} KiB with small messages, {large} KiB with one of 100 MB: {large - small:+d} KiB", flush=True)


def memory():
    memory_of(tools("postrider postrider-maildir"))


def imap_memory():
    memory_of(tools("postrider-imap postrider-imap-maildir mbsync getmail-imap"))


PARTS = {"speed": speed, "poll": poll, "memory": memory, "imap": imap, "imap-poll": imap_poll, "imap-memory": imap_memory,
         "relay": lambda: relaying.relay(sys.modules[__name__]), "accounts": lambda: relaying.accounts(sys.modules[__name__]),
         "thousand": lambda: thousand.thousand(sys.modules[__name__])}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
