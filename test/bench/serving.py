# SPDX-License-Identifier: Apache-2.0
"""What the parts of serve_speed.sh share.  They run in the network namespace of the servers.

A figure is the median of BENCH_RUNS runs, in which the servers take turns, so that a disturbance
meets all of them.  "A CPU second" is the server's: of its control group, kernel time included.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
E = os.environ
sys.path[:0] = [HERE, E["BENCH_DIR"]]
import measure  # noqa: E402

RUNS, SECS = int(E.get("BENCH_RUNS", "3")), E.get("BENCH_SECS", "4")


class Server:
    """One of the scripts in servers/, started until the end of a `with`."""

    def __init__(self, name, variant="", **env):
        ours = os.path.join(HERE, "servers", name + ".sh")
        self.script = ours if os.path.exists(ours) else os.path.join(E["BENCH_DIR"], "servers", name + ".sh")
        self.variant, self.env, self.at = variant, {**E, **env}, {}

    def call(self, verb):
        argv = [self.script, verb] + ([self.variant] if self.variant else [])
        return subprocess.run(argv, check=True, env=self.env, stdout=subprocess.PIPE, text=True).stdout

    def __enter__(self):
        self.at = dict(word.split("=", 1) for word in self.call("start").split())
        return self

    def __exit__(self, *why):
        subprocess.run([self.script, "stop"], env=self.env, check=False)

    def port(self, tls):
        return self.at["pops" if tls else "pop"]

    def cpu(self):
        return measure.cg_cpu(self.at["cg"])

    def anon_kb(self):
        """RssAnon of all its processes."""
        total = 0
        for pid in open(os.path.join(E["CG_CPU"], self.at["cg"], "cgroup.procs"), encoding="ascii").read().split():
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("RssAnon"))
        return total


def popload_argv(server, tls, script, users, *more):
    return [os.path.join(E["BIN"], "popload"), "--port", server.port(tls), "--tls", "implicit" if tls else "none",
            "--timeout", "60", "--max-errors", "50", "--script", script, "--users", os.path.join(E["USERS"], users), *more]


def popload(*args):
    done = subprocess.run(popload_argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    try:
        result = json.loads(done.stdout)
    except ValueError as bad:
        raise RuntimeError("popload: " + done.stderr[-300:]) from bad
    if result["errors"]:
        print("popload: errors:", " ".join(args[2:4]), result["error_kinds"], done.stderr[-200:], file=sys.stderr)
    return result


def quiet():
    if not measure.quiet(float(E.get("BENCH_QUIET_WAIT", "60"))):
        print("other work is on the machine", file=sys.stderr)


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def held(good):
    return "" if good else " **missed**"
