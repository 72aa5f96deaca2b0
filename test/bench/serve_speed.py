# SPDX-License-Identifier: Apache-2.0
"""The measuring half of serve_speed.sh: the parts speed and idle, and the way to the others."""
import os
import statistics
import subprocess
import sys
import time

import serve_flood
import serve_maildir
import serve_open
from serving import E, RUNS, SECS, Server, held, popload, popload_argv, quiet, table

IDLE = int(E.get("BENCH_IDLE", "10000"))
CORPUS_OCTETS = 109436      # the mean of the harness's corpus: what nullpop sends beside it

# ---- speed

POLL = ["--concurrency", "32", "--duration", SECS]
SMALL = ["--concurrency", "8", "--duration", SECS]
CORPUS = ["--concurrency", "8", "--sessions", "16"]
CASES = {   # what popload is told; what counts; Dovecot's factor, nullpop's part, of nullpop with TLS
    "login": (["login", "poll", *POLL], "sessions", 5, 1 / 3, 0.85),
    "poll": (["poll", "poll", *POLL], "sessions", 5, 1 / 3, 0.85),
    "fetch 2 KB": (["fetch", "small", *SMALL], "messages", 5, 0.5, 0.5),
    "fetch 2 KB, pipelined": (["fetch", "small", *SMALL, "--pipeline"], "messages", 5, 0.5, 0.5),
    "fetch corpus": (["fetch", "corpus", *CORPUS], "messages", 4, 0.5, 0.5),
    "fetch corpus, pipelined": (["fetch", "corpus", *CORPUS, "--pipeline"], "messages", 4, 0.5, 0.5),
}


def rate(server, tls, args, what):
    cpu = server.cpu()
    result = popload(server, tls, *args)
    cpu = server.cpu() - cpu
    return result[what] / cpu if cpu > 0 else 0


def warm(server):
    popload(server, False, "poll", "poll", "--concurrency", "8", "--sessions", "400")
    popload(server, False, "fetch", "small", "--concurrency", "8", "--sessions", "16")
    popload(server, False, "fetch", "corpus", "--concurrency", "8", "--sessions", "16")


def measure_speed(figures):
    null = {name: ("corpus" if "corpus" in name else "small") for name in CASES}
    turns = [("dovecot", "max", CASES), ("postrider", "plain", CASES),
             ("nullpop", "2048", [n for n in CASES if null[n] == "small"]),
             ("nullpop", str(CORPUS_OCTETS), [n for n in CASES if null[n] == "corpus"])]
    for name, variant, cases in turns:
        with Server(name, variant) as server:
            quiet()
            if name != "nullpop":
                warm(server)
            for case in cases:
                for tls in False, True:
                    args, what = CASES[case][:2]
                    figures.setdefault((name, case, tls), []).append(rate(server, tls, args, what))
            print(name, variant, "done", file=sys.stderr)


def measure_hash(figures):
    """With accounts as they are by default: a password that is not remembered, then those that are."""
    with Server("postrider", "hash", BENCH_FILL=os.path.join(E["USERS"], "poll")) as server:
        first = ["login", "poll", "--concurrency", "8", "--sessions", "200"]
        figures.setdefault("first", []).append(rate(server, False, first, "sessions"))
        figures.setdefault("again", []).append(rate(server, False, CASES["login"][0], "sessions"))
        figures.setdefault("again, TLS", []).append(rate(server, True, CASES["login"][0], "sessions"))


def speed():
    figures, hashed = {}, {}
    for _ in range(RUNS):
        measure_speed(figures)
        measure_hash(hashed)
    middle = {key: statistics.median(all_of) for key, all_of in figures.items()}
    rows = []
    for case, (_, _, times, part, part_tls) in CASES.items():
        for tls in False, True:
            ours, peer, null = (middle[name, case, tls] for name in ("postrider", "dovecot", "nullpop"))
            want = part_tls if tls else part
            good = ours >= want * null and (ours >= times * peer or (tls and "fetch" not in case))
            wanted = f"{want:.0%} of null" if tls and "fetch" not in case else f"{times} x, {want:.0%} of null"
            rows.append((case, "TLS" if tls else "clear", f"{ours:,.0f}", f"{peer:,.0f}", f"{null:,.0f}", f"{ours / peer:.1f}",
                         f"{ours / null:.0%}", wanted + held(good)))
    table(["for each CPU second of the server", "", "Postrider", "Dovecot max", "nullpop", "x Dovecot", "of null", "wanted"], rows)
    rows = [(name, f"{statistics.median(all_of):,.0f}") for name, all_of in hashed.items()]
    table(["logins a CPU second, argon2id (the default)", ""], rows)


# ---- idle

def hold(server, tls, users, count, more=()):
    """RssAnon (KiB) with `count` idle sessions logged in, less what it was without; and how many there were."""
    ready = os.path.join(E["S"], "ready")
    if os.path.exists(ready):
        os.remove(ready)
    before = server.anon_kb()
    argv = popload_argv(server, tls, "idle", users, "--concurrency", str(count), "--hold", "300", "--ready-file", ready, *more)
    load = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 180
        while not os.path.exists(ready) and load.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(1)
        there = int(open(ready, encoding="ascii").read() or "0") if os.path.exists(ready) else 0
        return server.anon_kb() - before, there
    finally:
        load.terminate()
        load.wait()


def idle_once(tls):
    with Server("postrider", "plain") as server:
        popload(server, tls, "poll", "poll", "--concurrency", "8", "--sessions", "64")     # what the first ones cost once
        kb, there = hold(server, tls, "idle", IDLE, ["--ramp", "32"])
    if there < IDLE:
        print(f"only {there} of {IDLE} sessions were held", file=sys.stderr)
    return kb / max(there, 1), there


def idle_large():
    """Octets of each message of a box of 100,000, by eight sessions that have it open."""
    with Server("postrider", "plain") as server:
        popload(server, False, "login", "large", "--concurrency", "1", "--sessions", "1")
        kb, there = hold(server, False, "large", 8)
    return kb * 1024 / max(there, 1) / 100000


def idle():
    rows = []
    for tls, most in (False, 4), (True, 24):
        kb, there = idle_once(tls)
        rows.append((f"an idle session {'with TLS' if tls else 'in clear'}, box of 10 messages, {there:,} of them", f"{kb:.1f} KiB",
                     f"{most} KiB" + held(kb <= most)))
    octets = idle_large()
    rows.append(("each message of a box of 100,000", f"{octets:.1f} octets", "24" + held(octets <= 24.5)))
    table(["RssAnon", "Postrider", "at most"], rows)


PARTS = {"speed": speed, "idle": idle, "maildir": serve_maildir.main, "open": serve_open.main, "flood": serve_flood.main}

if __name__ == "__main__":
    for part in sys.argv[1:]:
        if part not in PARTS:
            sys.exit(f"no part {part}; there are {', '.join(PARTS)}")
    for part in sys.argv[1:]:
        PARTS[part]()
