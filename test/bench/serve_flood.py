# SPDX-License-Identifier: Apache-2.0
"""serve_speed.sh's part flood: what honest clients see while others do their worst, all at once.

The others, in a process of their own (flood.py), come from 127.0.1.0/24: half-open sessions that are
begun anew whenever the server ends them, wrong logins, and a client that asks for much and never reads.
Honest ones come from 127.0.0.1, two at a time, and log in, or poll; what counts is the
whole session's time at the 99th percentile, before and during.
"""
import os
import subprocess
import sys
import time

from serving import E, HERE, Server, held, popload, quiet, table

SECONDS = int(E.get("BENCH_FLOOD", "15"))
TIMES = 3


def honest(server, tls, script, seconds):
    return popload(server, tls, script, "poll", "--concurrency", "2", "--duration", str(seconds))["session_ms"]


class Flood:
    def __init__(self, server, tls):
        argv = ["nice", sys.executable, os.path.join(HERE, "flood.py"), server.port(False), server.port(True) if tls else "0"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()      # all are there

    def end(self):
        self.process.terminate()
        return self.process.communicate()[0].strip()


def flood(tls):
    rows = []
    with Server("postrider", "plain") as server:
        popload(server, tls, "poll", "poll", "--concurrency", "8", "--sessions", "400")
        quiet()
        calm = {script: honest(server, tls, script, SECONDS / 2) for script in ("login", "poll")}
        attack = Flood(server, tls)
        time.sleep(1)
        busy = {script: honest(server, tls, script, SECONDS / 2) for script in ("login", "poll")}
        told = attack.end()
    kind = "TLS handshakes that never end" if tls else "half-open sessions"
    for script in ("login", "poll"):
        times = busy[script]["p99"] / calm[script]["p99"]
        rows.append((f"{script}, {kind}", *(f"{ms['p50']:.2f} / {ms['p99']:.2f} ms" for ms in (calm[script], busy[script])),
                     f"{times:.1f}", f"at most {TIMES}" + held(times <= TIMES)))
    return rows, f"{kind}: {told}"


def main():
    rows, told = [], []
    for tls in False, True:
        more, line = flood(tls)
        rows += more
        told.append(line)
    table(["honest sessions, median / p99", "quiet", "in the flood", "p99, times", "wanted"], rows)
    print("The flood itself. " + ". ".join(told) + ".\n", flush=True)
