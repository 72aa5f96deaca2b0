# SPDX-License-Identifier: Apache-2.0
"""serve_speed.sh's part maildir: the Maildirs that Dovecot serves, served by us: the same files, the same passwd-file scheme.

Warm: everything was opened before, and nothing changes.  Cold: the servers have their indexes on the disk, but are
started anew, and no page of the disk is in memory (drop_caches): each box is then opened once.
Neither side sets \\Seen (Dovecot max has pop3_no_flag_updates).
"""
import statistics
import subprocess

from serving import RUNS, SECS, Server, held, popload, quiet, table

POLL = ["--concurrency", "32", "--duration", SECS]
FETCH = ["--concurrency", "8", "--duration", SECS]
CASES = {   # what popload is told, warm; and cold, each box once; what counts; Dovecot's factor
    "login": (["login", "poll", *POLL], ["login", "poll", "--concurrency", "8", "--sessions", "200"], "sessions", 3),
    "poll": (["poll", "poll", *POLL], ["poll", "poll", "--concurrency", "8", "--sessions", "200"], "sessions", 3),
    "fetch 2 KB": (["fetch", "small", *FETCH], ["fetch", "small", "--concurrency", "8", "--sessions", "16"], "messages", 2),
    "fetch 2 KB, pipelined": (["fetch", "small", *FETCH, "--pipeline"], ["fetch", "small", "--concurrency", "8", "--sessions", "16", "--pipeline"], "messages", 2),
    "fetch corpus": (["fetch", "corpus", "--concurrency", "8", "--sessions", "32"], ["fetch", "corpus", "--concurrency", "8", "--sessions", "16"], "messages", 2),
}
SERVERS = [("dovecot", "max"), ("postrider", "maildir")]


def rate(server, args, what):
    cpu = server.cpu()
    result = popload(server, False, *args)
    cpu = server.cpu() - cpu
    return result[what] / cpu if cpu > 0 else 0


def drop_caches():
    subprocess.run(["sync"], check=True)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
        f.write("3")


def warm(figures):
    for name, variant in SERVERS:
        with Server(name, variant) as server:
            quiet()
            for case in CASES:      # all that is to be indexed is
                popload(server, False, *CASES[case][1])
            for case, (args, _, what, _) in CASES.items():
                figures.setdefault((name, case, "warm"), []).append(rate(server, args, what))


def cold(figures):
    for case, (_, args, what, _) in CASES.items():
        for name, variant in SERVERS:
            with Server(name, variant) as server:
                popload(server, False, *args)
            drop_caches()
            with Server(name, variant) as server:
                drop_caches()
                figures.setdefault((name, case, "cold"), []).append(rate(server, args, what))


def main():
    figures = {}
    for _ in range(RUNS):
        warm(figures)
        cold(figures)
    rows = []
    for how in "warm", "cold":
        for case, (_, _, what, times) in CASES.items():
            ours, peer = (statistics.median(figures[name, case, how]) for name in ("postrider", "dovecot"))
            rows.append((f"{case}, {how}", what, f"{ours:,.0f}", f"{peer:,.0f}", f"{ours / peer:.1f}", f"{times}" + held(ours >= times * peer)))
    table(["Maildirs, in clear, for each CPU second of the server", "", "Postrider", "Dovecot max", "x Dovecot", "wanted"], rows)
