# SPDX-License-Identifier: Apache-2.0
"""Mail that goes on, and many accounts at one host: the parts `relay` and `accounts` of speed.py (collect_speed.sh relay accounts).

relay     COUNT messages of 4 KiB over TLS, from Dovecot by POP3 to SMTP and by IMAP to LMTP, and from the harness's nullpop,
          which does nothing, to SMTP; the sink (relay_sink.c) is beside the collector, on its loopback.  fetchmail beside us.
          The sink says how many messages it took, that none came twice, and that every body has its checksum.
accounts  50 accounts of one host with 40 messages of 2 KB each, into a Maildir for each; ours with as many visits at once as
          max_per_host allows by default (8), and with 50.  Peers that take one account after the other and one message after
          the other are given few of the accounts; what is compared is messages/s.

BENCH_SINK   options of relay_sink (default -c: CHUNKING, as Postfix has it; "" none)
BENCH_PAIRS  of relay (default "pop3:smtp imap:lmtp nullpop:smtp")
Each result is also a line of JSON in BENCH_WORK/results/relay.jsonl.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys

import thousand

E = os.environ
HERE = os.path.dirname(os.path.abspath(__file__))
SINK_PORT, TO = 10025, "anna@sink.example"
PORTS = {"pop3": "PORT_POPS", "imap": "PORT_IMAPS"}
FETCHMAIL = {50: 60, 0: 500}    # messages; at 50 ms it takes five a second
ACCOUNTS, EACH = 50, 40
ONE_BY_ONE = ("getmail-pop", "getmail-imap", "fetchmail-pop", "fetchmail-imap")
FEW = 5
CANNOT = {("fetchmail", "nullpop")}     # it wants more of a server
RELAY_LINE = "{:3d} ms {:8} to {:5} {:10} {:8.0f} msg/s {:8.0f} CPU µs/msg  {}"
ACCOUNTS_LINE = "{:3d} ms {:26} {:8.2f} s {:8.0f} msg/s {:8.0f} CPU µs/msg  {}"


class Sink:
    """Runs within the block; `said` after it."""

    def __init__(self, rtt, kind):
        self.binary = os.path.join(E["S"], "relay_sink")
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", os.path.join(HERE, "relay_sink.c"), "-o", self.binary, "-lz"], check=True)
        options = E.get("BENCH_SINK", "-c").split() + (["-l"] if kind == "lmtp" else [])
        space = "far" if rtt else "origin"
        self.argv = ["nsenter", "--net=" + os.path.join(E["BENCH_WORK"], "ns", space), self.binary, *options, str(SINK_PORT)]
        self.said = None

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the sink did not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.said = json.loads(self.process.communicate()[0] or "null")


def record(**what):
    folder = os.path.join(E["BENCH_WORK"], "results")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "relay.jsonl"), "a", encoding="ascii") as f:
        f.write(json.dumps(what) + "\n")


# ---- relay

def postrider(home, protocol, port, user, kind):
    conf = os.path.join(home, "postrider.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"state = '{home}/state'\nconnection one {{\n\tprotocol = {protocol}\n\thost = '{E['HOST']}'\n\tport = {port}\n\tuser = '{user}'\n"
                f"\tpassword = '{E['BENCH_PASS']}'\n\tafter = keep\n\tdeliver = {{'{kind}://127.0.0.1:{SINK_PORT}'}}\n"
                f"\tenvelope {{\n\t\trecipients = {{'{TO}'}}\n\t}}\n\ttls {{\n\t\tca_certificates = '{E['TLS_CERT']}'\n\t}}\n}}\n")
    os.chmod(conf, 0o600)
    return [E["POSTRIDER"], "-c", conf, "collect"]


def fetchmail(home, protocol, port, user, kind):
    conf = os.path.join(home, "rc")
    uidl = "uidl" if protocol == "pop3" else ""
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"set no bouncemail\nset no syslog\nset idfile \"{home}/ids\"\n"
                f"poll {E['HOST']} protocol {protocol} service {port} timeout 600 {uidl} no dns\n"
                f"  user \"{user}\" password \"{E['BENCH_PASS']}\" keep no rewrite pass8bits smtphost \"127.0.0.1/{SINK_PORT}\" smtpname \"{TO}\"\n"
                f"    {'lmtp' if kind == 'lmtp' else ''} ssl sslcertfile \"{E['TLS_CERT']}\" no sslcertck\n")
    os.chmod(conf, 0o600)
    return ["env", f"FETCHMAILHOME={home}", "fetchmail", "-f", conf, "--silent", "--nodetach", "--pidfile", f"{home}/pid"]


def relay_once(bench, tool, source, kind, rtt, count, user):
    home = os.path.join(E["S"], "relay-" + tool)
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home, mode=0o700)
    protocol = "imap" if source == "imap" else "pop3"
    port = thousand.NULLPOP_PORT if source == "nullpop" else E[PORTS[protocol]]
    argv = {"postrider": postrider, "fetchmail": fetchmail}[tool](home, protocol, port, user, kind)
    with Sink(rtt, kind) as sink:
        result, done = bench.measured([*bench.space(rtt), *argv], bench.PEER_LIMIT)
    said = sink.said
    wanted = (count, count, 0) if source == "nullpop" else (count, 0, count)
    if result["rc"] or (said["accepted"], said["bare"], said["good"]) != wanted or said["again"] or said["bad"]:
        raise RuntimeError(f"{tool} {source} {kind}: {result} {said}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return result, said


class Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def pair(bench, source, kind, rtt):
    """{tool: [messages/s, CPU µs a message]}, medians; the tools take turns."""
    counts = {"postrider": bench.COUNT, "fetchmail": min(FETCHMAIL[rtt], bench.COUNT)}
    users = {"postrider": "one0001", "fetchmail": "a0001"}
    names = [name for name in bench.tools("postrider fetchmail") if (name, source) not in CANNOT]
    runs = {name: [] for name in names}
    for _ in range(bench.RUNS):
        for name in names:
            count = counts[name]
            if source != "nullpop":     # anew each time: fetchmail sets \Seen
                bench.fill(users[name], [bench.letter(n, 4096) for n in range(count)])
            with thousand.Nullpop(count, 4096) if source == "nullpop" else Nothing():
                r, said = relay_once(bench, name, source, kind, rtt, count, users[name])
            rate, cpu = count / r["wall_s"], 1e6 * (r["user_s"] + r["sys_s"]) / count
            record(part="relay", tool=name, source=source, to=kind, rtt=rtt, count=count, rate=rate, cpu_us=cpu, sink=said)
            runs[name].append((rate, cpu))
    return {name: [statistics.median(column) for column in zip(*all_of)] for name, all_of in runs.items()}


def relay(bench):
    pairs = E.get("BENCH_PAIRS", "pop3:smtp imap:lmtp nullpop:smtp").split()
    print(f"{bench.COUNT} messages of 4 KiB over TLS to a sink on loopback ({E.get('BENCH_SINK', '-c') or 'plain'}), median of {bench.RUNS}", flush=True)
    for rtt in bench.RTTS:
        for source, kind in (p.split(":") for p in pairs):
            found = pair(bench, source, kind, rtt)
            for name, (rate, cpu) in found.items():
                times = f"{rate / found['fetchmail'][0]:6.0f} x fetchmail" if "fetchmail" in found else ""
                print(RELAY_LINE.format(rtt, source, kind, name, rate, cpu, times), flush=True)


# ---- accounts

def accounts_once(bench, tool, per_host, users, rtt):
    bench.fill_each(users, [bench.letter(n, 2048) for n in range(EACH * len(users))], EACH)
    shutil.rmtree(os.path.join(E["S"], tool), ignore_errors=True)
    env = dict(E, BENCH_PER_HOST=str(per_host))
    subprocess.run(bench.client(tool, "config", "tls", bench.users_file(*users)), check=True, env=env)
    result, done = bench.measured([*bench.space(rtt), *bench.client(tool, "run")], 900)
    okay = subprocess.run(bench.client(tool, "okrc"), capture_output=True, text=True, check=True).stdout.strip().split(",")
    verify = subprocess.run([sys.executable, os.path.join(E["BENCH_DIR"], "verify_maildir.py"), os.path.join(E["S"], tool, "mail")],
                            capture_output=True, text=True, check=True)
    found = json.loads(verify.stdout)
    if str(result["rc"]) not in okay or (found["ok"], found["bad_crc"], found["no_header"]) != (EACH * len(users), 0, 0):
        raise RuntimeError(f"{tool}: {result} {found}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return result


def contenders(bench):
    """(name as shown, client, max_per_host)"""
    for name in bench.tools("postrider-maildir postrider-imap-maildir fdm mpop mbsync mbsync-nosync"):
        if name.startswith("postrider"):
            yield from ((f"{name}, {n} at once", name, n) for n in (8, ACCOUNTS))
        else:
            yield name, name, 0


def accounts(bench):
    print(f"{ACCOUNTS} accounts x {EACH} messages of 2 KB, median of {bench.RUNS}", flush=True)
    names = list(contenders(bench))
    for rtt in bench.RTTS:
        runs = {shown: [] for shown, _, _ in names}
        for _ in range(bench.RUNS):
            for shown, tool, per_host in names:
                users = [f"a{n:04d}" for n in range(1, 1 + (FEW if tool in ONE_BY_ONE else ACCOUNTS))]
                r = accounts_once(bench, tool, per_host, users, rtt)
                count = len(users) * EACH
                one = (r["wall_s"], count / r["wall_s"], 1e6 * (r["user_s"] + r["sys_s"]) / count)
                record(part="accounts", tool=shown, rtt=rtt, accounts=len(users), wall_s=one[0], rate=one[1], cpu_us=one[2])
                runs[shown].append(one)
        found = {shown: [statistics.median(column) for column in zip(*all_of)] for shown, all_of in runs.items()}
        peers = [rate for shown, (_, rate, _) in found.items() if not shown.startswith("postrider")]
        for shown, (wall, rate, cpu) in found.items():
            print(ACCOUNTS_LINE.format(rtt, shown, wall, rate, cpu, f"{rate / max(peers):6.1f} x the best peer" if peers else ""), flush=True)
