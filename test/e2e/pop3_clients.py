# SPDX-License-Identifier: Apache-2.0
"""Programs that other people wrote, each fetching all messages of a user and deleting them.

    fetch, lines, mechanisms, key = CLIENTS["mpop"]
    got = fetch(s, "anna", "stls", how)     s: serving.Server; how: a mechanism, or None for the client's own choice
`got` is a list of octets, in the order of the mailbox, as that program writes them down: with LF line ends for
instance, and some add fields.  So key(got) and key(what POP3 showed) are what must be the same, octet by octet.
Lines are "stls", "tls", "clear".  Each run has a home of its own, and an end.
"""
import base64
import json
import os
import poplib
import re
import subprocess
import tempfile

from serving import LIMIT, Raw

LISTENER = {"stls": "plain", "tls": "tls", "clear": "open"}
poplib._MAXLINE = 1 << 24       # it refuses lines of more than 2,048 octets
NODE = os.environ.get("POSTRIDER_NODE_MODULES", "")     # where `npm install node-pop3` was said


def run(argv, cwd, stdin=b"", good=(0,), **env):
    """→ what it wrote to standard output"""
    done = subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, timeout=LIMIT,
                          env={"PATH": os.environ["PATH"], "HOME": cwd, "LC_ALL": "C.UTF-8", **env})
    assert done.returncode in good, (argv[0], done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def put(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def folder(s):
    return tempfile.mkdtemp(dir=s.home)


def unix(octets):
    return octets.replace(b"\r\n", b"\n")


def files(path):
    out = []
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), "rb") as f:
            out.append(f.read())
    return out


def mda_into(home):
    """→ a directory, and a program that puts one message after the other there"""
    to = os.path.join(home, "messages")
    os.mkdir(to)
    mda = put(os.path.join(home, "mda"), f"#!/bin/sh\nn=$(ls {to} | wc -l)\ncat > {to}/$(printf %06d $n)\n")
    os.chmod(mda, 0o700)
    return to, mda


def in_maildir(path):
    """In the order of delivery, which the names of all these programs begin with."""
    def order(name):
        when, unique = name.split(".")[:2]
        return int(when), [int(n) for n in re.findall(r"\d+", unique)]

    names = sorted(os.listdir(os.path.join(path, "new")), key=order)
    out = []
    for name in names:
        with open(os.path.join(path, "new", name), "rb") as f:
            out.append(f.read())
    return out


# ---- libraries

def with_poplib(s, user, line, how=None):
    port = s.ports[LISTENER[line]]
    c = poplib.POP3_SSL("localhost", port, context=s.context(), timeout=LIMIT) if line == "tls" else poplib.POP3("localhost", port, timeout=LIMIT)
    if line == "stls":
        c.stls(s.context())
    if how == "apop":
        c.apop(user, s.secrets[user])
    else:
        c.user(user)
        c.pass_(s.secrets[user])
    count, size = c.stat()
    got = [b"".join(x + b"\r\n" for x in c.retr(n)[1]) for n in range(1, count + 1)]
    assert sum(map(len, got)) == size and len(c.uidl()[1]) == count
    for n in range(1, count + 1):
        c.dele(n)
    c.quit()
    return got


PERL = r"""
use strict; use Net::POP3;
my ($port, $line, $ca, $user, $password, $how, $to) = @ARGV;
my %tls = (SSL_ca_file => $ca, SSL_verifycn_name => 'localhost');
my $p = Net::POP3->new('localhost', Port => $port, Timeout => 60, $line eq 'tls' ? (SSL => 1, %tls) : ()) or die "no connection: $@";
if ($line eq 'stls') { $p->starttls(%tls) or die 'no STLS: ' . $p->message; }
my $count = $how eq 'apop' ? $p->apop($user, $password) : $how eq 'auth' ? $p->auth($user, $password) : $p->login($user, $password);
die 'no login: ' . $p->message unless defined $count;
my $list = $p->list; my $ids = $p->uidl;
die 'lists differ' unless keys %$list == keys %$ids;
for my $n (sort { $a <=> $b } keys %$list) {
	my $lines = $p->get($n); defined $lines or die "no message $n: " . $p->message;
	open my $f, '>:raw', sprintf('%s/%06d', $to, $n) or die; print $f @$lines; close $f;
	$p->delete($n) or die 'not deleted: ' . $p->message;
}
$p->quit or die 'no end: ' . $p->message;
"""


def with_perl(s, user, line, how=None):
    to = folder(s)
    argv = ["perl", "-e", PERL, str(s.ports[LISTENER[line]]), line, s.authority.ca, user, s.secrets[user], how or "login", to]
    run(argv, s.home)
    return files(to)


NODE_SCRIPT = """
const Pop3 = require('node-pop3'), [port, line, ca, user, password] = process.argv.slice(1);
const opts = {user, password, host: 'localhost', port: +port, timeout: 60000, tls: line === 'tls', tlsOptions: {ca: require('fs').readFileSync(ca)}};
(async () => {
	const p = new Pop3(opts), out = [];
	for (const [n] of await p.UIDL()) {
		const [, stream] = await p.command('RETR', n), parts = [];
		for await (const part of stream) parts.push(Buffer.from(part));
		out.push(Buffer.concat(parts).toString('base64'));
		await p.command('DELE', n);
	}
	await p.QUIT();
	console.log(JSON.stringify(out));
})().catch(e => { console.error(e); process.exit(1); });
"""


def with_node(s, user, line, how=None):
    """It leaves doubled dots to its user, and drops the last line's end, or not."""
    argv = ["node", "-e", NODE_SCRIPT, str(s.ports[LISTENER[line]]), line, s.authority.ca, user, s.secrets[user]]
    return [re.sub(rb"(?m)^\.", b"", base64.b64decode(x)) for x in json.loads(run(argv, s.home, NODE_PATH=NODE))]


# ---- programs

def with_curl(s, user, line, how=None):
    url = f"{'pop3s' if line == 'tls' else 'pop3'}://localhost:{s.ports[LISTENER[line]]}/"
    base = ["curl", "-sS", "--cacert", s.authority.ca, "--max-time", str(LIMIT), "--user", f"{user}:{s.secrets[user]}"]
    base += ["--ssl-reqd"] if line == "stls" else []
    base += ["--login-options", "AUTH=" + {"apop": "+APOP"}.get(how, how.upper())] if how else []
    count = len(run([*base, url], s.home).split(b"\r\n")) - 1
    to, got = folder(s), []
    argv = [*base]
    for n in range(1, count + 1):       # one connection for all
        argv += [url + str(n), "-o", os.path.join(to, str(n))]
    run(argv, s.home)
    for n in range(1, count + 1):
        got.append(open(os.path.join(to, str(n)), "rb").read() if os.path.exists(os.path.join(to, str(n))) else b"")
    argv = [*base]
    for n in range(1, count + 1):
        argv += [url + str(n), "-I", "-X", "DELE", "-o", os.devnull] if n == 1 else [url + str(n), "-o", os.devnull]
    run(argv, s.home)
    return got


def forget(pattern):
    """Line ends are LF, and what that program adds is not looked at."""
    return lambda octets: re.sub(pattern, b"", unix(octets))


def with_fetchmail(s, user, line, how=None):
    home = folder(s)
    to, mda = mda_into(home)
    tls = {"tls": "ssl sslcertck", "stls": "sslproto tls1.2+ sslcertck", "clear": "sslproto ''"}[line]
    rc = put(os.path.join(home, "rc"), f"set no syslog\nset invisible\nset no bouncemail\npoll localhost service {s.ports[LISTENER[line]]} protocol pop3 "
             f"auth {how or 'password'}\n user '{user}' password '{s.secrets[user]}' {tls} sslcertfile '{s.authority.ca}' "
             f"mda '{mda}' no rewrite nokeep fetchall\n")
    run(["fetchmail", "-f", rc, "-i", os.path.join(home, "ids"), "--pidfile", os.path.join(home, "pid")], home, good=(0, 1))
    return files(to)


def with_mpop(s, user, line, how=None):
    home = folder(s)
    to = os.path.join(home, "Maildir")
    for sub in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(to, sub))
    tls = {"tls": "tls on\ntls_starttls off", "stls": "tls on\ntls_starttls on", "clear": "tls off"}[line]
    rc = put(os.path.join(home, "rc"), f"account default\nhost localhost\nport {s.ports[LISTENER[line]]}\n{tls}\n"
             + (f"tls_trust_file {s.authority.ca}\n" if line != "clear" else "")
             + f"user {user}\npassword {s.secrets[user]}\nauth {how or ('on' if line != 'clear' else 'user')}\nkeep off\nreceived_header off\n"
             f"delivery maildir {to}\nuidls_file {home}/uidls\n")
    run(["mpop", "-C", rc, "-q"], home)
    return in_maildir(to)


def with_getmail(s, user, line, how=None):
    home = folder(s)
    to, mda = mda_into(home)
    kind = "SimplePOP3SSLRetriever" if line == "tls" else "SimplePOP3Retriever"
    put(os.path.join(home, "rc"), f"[retriever]\ntype = {kind}\nserver = localhost\nport = {s.ports[LISTENER[line]]}\nusername = {user}\n"
        f"password = {s.secrets[user]}\n" + (f"ca_certs = {s.authority.ca}\n" if line == "tls" else "") + (f"use_{how} = true\n" if how else "")
        + f"[destination]\ntype = MDA_external\npath = {mda}\nallow_root_commands = true\nunixfrom = false\n"
        "[options]\ndelete = true\nread_all = true\ndelivered_to = false\nreceived = false\nverbose = 0\n")
    run(["getmail", "--getmaildir", home, "--rcfile", "rc"], home)
    return files(to)


def with_s_nail(s, user, line, how=None):
    home = folder(s)
    rc = put(os.path.join(home, "rc"), f"set v15-compat=yes tls-ca-file={s.authority.ca} tls-verify=strict pop3-auth={how or 'plain'} mbox-rfc4155\n"
             + ("set pop3-use-starttls\n" if line == "stls" else "") + "unset header save\nset keepsave\n")
    url = f"{'pop3s' if line == 'tls' else 'pop3'}://{user}:{s.secrets[user]}@localhost:{s.ports[LISTENER[line]]}"
    run(["s-nail", "-:u", "-f", url], home, f"copy * {home}/box\ndelete *\nquit\n".encode(), MAILRC=rc)
    with open(os.path.join(home, "box"), "rb") as f:
        return re.split(rb"(?:^|\n)From \S+ .*\n", f.read())[1:]


def with_s_client(s, user, line, how=None):
    """openssl's own client, with a whole session typed into it."""
    with Raw(s.ports["open"]) as c:
        c.login(user, s.secrets[user])
        count = int(c.good("STAT").split()[1])
        c.quit()
    argv = ["openssl", "s_client", "-quiet", "-connect", f"localhost:{s.ports[LISTENER[line]]}", "-CAfile", s.authority.ca, "-verify_return_error",
            "-verify_hostname", "localhost", *(["-starttls", "pop3"] if line == "stls" else [])]
    script = f"USER {user}\r\nPASS {s.secrets[user]}\r\n" + "".join(f"RETR {n}\r\nDELE {n}\r\n" for n in range(1, count + 1)) + "QUIT\r\n"
    said = run(argv, s.home, script.encode())
    got, at = [], said.index(b" messages\r\n") + len(b" messages\r\n")
    for _ in range(count):
        at = said.index(b"\r\n", at) + 2
        end = at if said.startswith(b".\r\n", at) else said.index(b"\r\n.\r\n", at) + 2
        got.append(re.sub(rb"(^|\r\n)\.", rb"\1", said[at:end]))
        at = said.index(b"\r\n", end + 3) + 2
    assert said[at:].startswith(b"+OK") and said.endswith(b"\r\n")
    return got


# name: the function; the lines it can do; mechanisms to be chosen; what of a message is compared
CLIENTS = {
    "poplib": (with_poplib, ("stls", "tls", "clear"), ("apop",), lambda m: m),
    "Net::POP3": (with_perl, ("stls", "tls", "clear"), ("apop", "auth"), unix),
    "node-pop3": (with_node, ("tls", "clear"), (), lambda m: m.rstrip(b"\r\n")),
    "curl": (with_curl, ("stls", "tls", "clear"), ("plain", "login", "cram-md5", "apop"), lambda m: m if m != b"\r\n" else b""),
    "fetchmail": (with_fetchmail, ("stls", "tls", "clear"), (), forget(rb"\AFrom: FETCHMAIL-DAEMON\nTo: .*\nSubject: Headerless .*\n\n\Z")),
    "mpop": (with_mpop, ("stls", "tls", "clear"), ("user", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "apop"), unix),
    "getmail": (with_getmail, ("tls", "clear"), ("apop",), forget(rb"\AReturn-Path: <unknown>\n\n?")),
    "s-nail": (with_s_nail, ("stls", "tls", "clear"), (), lambda m: forget(rb"(?m)^>(?=From )")(m).rstrip(b"\n")),
    "s_client": (with_s_client, ("stls", "tls"), (), lambda m: m),
}
