# SPDX-License-Identifier: Apache-2.0
"""A thousand connections in one configuration, visited at once; the part `thousand` of speed.py.

Against servers that are started here, over TLS at 50 ms: the harness's nullpop, which does nothing, so that what is
measured is ours; and Dovecot, for what is to be had in the world.  Each mailbox has ten messages, which are collected
before; the visits that are measured find nothing new, and each must say so.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

E = os.environ
sys.path.append(E["BENCH_DIR"])
import measure  # noqa: E402
COUNT, MESSAGES, RTT, OCTETS = int(E.get("BENCH_CONNECTIONS", "1000")), 10, 50, 600
RUNS = int(E.get("BENCH_RUNS", "3"))
NULLPOP_PORT = 10996
SERVER = "popbench-dovecot"     # its control group
OPEN_FILES = int(E.get("BENCH_OPEN_FILES", "1024"))     # as a shell has it: Postrider must help itself


def users():
    return [f"i{n:04d}" for n in range(1, COUNT + 1)]


class Nullpop:
    """The harness's, but listening also where the far end of the link is."""

    def __init__(self, messages=MESSAGES, octets=OCTETS):
        binary = os.path.join(E["S"], "nullpop")
        with open(os.path.join(E["BENCH_DIR"], "src", "nullpop.c"), encoding="ascii") as f:
            source = f.read().replace("INADDR_LOOPBACK", "INADDR_ANY")
        subprocess.run(["gcc", "-O2", "-x", "c", "-", "-o", binary, "-lssl", "-lcrypto"], input=source, text=True, check=True)
        key = E["TLS_CERT"].replace("cert.pem", "key.pem")
        self.process = subprocess.Popen(["nsenter", "--net=" + os.path.join(E["BENCH_WORK"], "ns", "origin"), binary,
                                         str(NULLPOP_PORT), "1", str(messages), str(octets), E["TLS_CERT"], key])
        time.sleep(0.5)
        if self.process.poll() is not None:
            raise RuntimeError("nullpop did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def configure(name, protocol, port):
    """A state and a configuration of its own for each case; every connection delivers into a box of its own."""
    home = os.path.join(E["S"], "thousand-" + name)
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    conf = os.path.join(home, "postrider.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"state = '{home}/state'\nmax_per_host = {COUNT}\n")
        for user in users():
            f.write(f"connection {user} {{\n\tprotocol = {protocol}\n\thost = '{E['HOST']}'\n\tport = {port}\n\tuser = '{user}'\n"
                    f"\tpassword = '{E['BENCH_PASS']}'\n\tafter = keep\n\tdeliver = {{'mailbox:all/{user}'}}\n"
                    f"\ttls {{\n\t\tca_certificates = '{E['TLS_CERT']}'\n\t}}\n}}\n")
    os.chmod(conf, 0o600)
    subprocess.run([E["POSTRIDER"], "-c", conf, "-q", "account", "add", "all", "--password-file", "-"], input="", text=True, check=True)
    return conf


def argv(conf):
    return ["nsenter", "--net=" + os.path.join(E["BENCH_WORK"], "ns", "far"), "prlimit", f"--nofile={OPEN_FILES}:20000",
            E["POSTRIDER"], "-c", conf, "collect"]


def check(name, result, done, each):
    lines = re.findall(r"^i\d+: (\d+) collected, 0 skipped, 0 held, 0 failed", done.stdout, re.M)
    if result["rc"] or lines != [str(each)] * COUNT:
        raise RuntimeError(f"{name}: {result}, {len(lines)} connections told {sorted(set(lines))}\n{done.stderr[-2000:]}")


def one(bench, name, protocol, port):
    conf = configure(name, protocol, port)
    result, done = bench.measured(argv(conf))
    check(name, result, done, MESSAGES)
    first = result["wall_s"]
    runs = []
    for _ in range(RUNS):
        served = measure.cg_cpu(SERVER)
        result, done = bench.measured(argv(conf))
        check(name, result, done, 0)
        runs.append((result["wall_s"], result["user_s"], result["sys_s"], measure.cg_cpu(SERVER) - served))
    watch = bench.Watch(argv(conf), pause=0.05)
    watch.start()
    watch.join()
    wall, user, system, server = (statistics.median(column) for column in zip(*runs))
    print(f"{COUNT} connections, {RTT} ms, nothing new: Postrider, {name:14} {wall:6.2f} s, CPU {user:.2f} s user {system:.2f} s system, "
          f"Dovecot's {server:.2f} s; RssAnon {watch.peak} KiB; first collect of {COUNT * MESSAGES}: {first:.2f} s", flush=True)


def null(bench, name, port):
    """The same polls by popload, all at once in one thread."""
    results = [bench.popload("poll", RTT, *users(), port=port, at_once=COUNT) for _ in range(RUNS)]
    runs = [(r["wall_s"], r["user_s"], r["sys_s"]) for r in results]
    wall, user, system = (statistics.median(column) for column in zip(*runs))
    print(f"{COUNT} connections, {RTT} ms, nothing new: null collector, {name:9} {wall:6.2f} s, CPU {user:.2f} s user {system:.2f} s system",
          flush=True)


def thousand(bench):
    pool = [bench.letter(n, OCTETS) for n in range(MESSAGES)]
    bench.fill_all(users(), pool)
    with Nullpop():
        one(bench, "nullpop", "pop3", NULLPOP_PORT)
        null(bench, "nullpop", NULLPOP_PORT)
    one(bench, "Dovecot POP3", "pop3", E["PORT_POPS"])
    null(bench, "Dovecot", E["PORT_POPS"])
    one(bench, "Dovecot IMAP", "imap", E["PORT_IMAPS"])
