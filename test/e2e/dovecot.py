# SPDX-License-Identifier: Apache-2.0
"""A real Dovecot for one test run: no privileges, free loopback ports, own directories.

    with Dovecot(authority) as d:
        d.fill("anna", messages)      a Maildir of these octets, each as one file in new/
        d.fill("anna", messages, "lists/a")     into a folder of it
        d.pop3, d.pop3s, d.imap, d.imaps        ports (STLS, STARTTLS offered on the first ones)
        d.password                    every user's; any name is a user
        d.register("maria", "SSHA256", password)    but for these, whom its passwd-file has
        with d.client("anna") as c:   another IMAP client of hers: see Client

As root it runs as `nobody`: Dovecot serves no mail as root.
"""
import contextlib
import functools
import grp
import imaplib
import itertools
import os
import random
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from imap_parse import quoted, utf7
from imap_store import crlf

PASSWORD = "geheim-7Q2x"

CONFIG = """\
protocols = pop3 imap
listen = 127.0.0.1
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = yes
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
mail_location = maildir:{home}/mail/%u
mail_max_userip_connections = 0
mail_plugins = {plugins}
namespace inbox {{
  inbox = yes
  separator = /
}}
mail_fsync = never
passdb {{
  driver = passwd-file
  args = username_format=%u {home}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {home}/users
}}
passdb {{
  driver = {passdb}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
protocol imap {{
  mail_plugins = {imap_plugins}
}}
"""


def shown(octets):
    """A message as Dovecot's IMAP shows it: CRLF, and 0x80 for NUL, which no literal may hold."""
    return crlf(octets).replace(b"\0", b"\x80")


def available():
    return shutil.which("dovecot") is not None


def first_ephemeral():
    """Where the kernel's own choice begins: a port from there on may be some client's before a server has it."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            return int(f.read().split()[0])
    except OSError:
        return 32768


BLOCK = 256


@functools.cache
def own_ports():
    """→ a block of ports that no other process of tests has while this one runs, over and over; and what holds it."""
    first = list(range(10240, max(first_ephemeral(), 20000) - BLOCK, BLOCK))
    random.shuffle(first)
    for port in first:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind(f"\0postrider-test-ports-{port}")    # no file: whoever is killed holds nothing
            return itertools.cycle(range(port, port + BLOCK)), s
        except OSError:
            s.close()
    raise RuntimeError("other tests have all ports")


def free_ports(count):
    """Ports for servers that are started a moment later, and stay theirs when they are stopped and started again."""
    held, (ports, _) = [], own_ports()
    for port in itertools.islice(ports, BLOCK):
        if len(held) == count:
            break
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)         # as servers do
        held.append(s)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:         # in use
            held.pop().close()
    assert len(held) == count, "too many servers at once"
    found = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return found


@contextlib.contextmanager
def closed_port():
    """A port that refuses connections, and is nobody else's meanwhile."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


imaplib._MAXLINE = 1 << 24      # it refuses longer ones


def listening(process, port, tries=100):
    """Waits until the server that this process is does; False: it has ended, or does not."""
    for _ in range(tries):
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


class Client:
    """Another client of the user's: what it sees, and what it does between our visits.  Names as people write them."""

    def __init__(self, imap):
        self.imap = imap

    def ask(self, verb, *args):
        kind, data = self.imap.uid(verb, *args) if verb in ("FETCH", "STORE", "SEARCH") else getattr(self.imap, verb.lower())(*args)
        assert kind == "OK", (verb, args, data)
        return data

    @contextlib.contextmanager
    def folder(self, name):
        """→ its UIDVALIDITY"""
        self.ask("SELECT", quoted(utf7(name)))
        yield int(self.imap.response("UIDVALIDITY")[1][0])
        self.imap.close() if self.imap.state == "SELECTED" else None

    def flags(self, name="INBOX"):
        """UID → flags without \\Recent, in order of UIDs."""
        with self.folder(name):
            rows = [r for r in self.ask("FETCH", "1:*", "(UID FLAGS)") if r]
        found = (re.search(rb"UID (\d+) FLAGS \((.*?)\)", r) for r in rows)
        return {int(m[1]): set(m[2].decode().split()) - {"\\Recent"} for m in found}

    def octets(self, name="INBOX"):
        with self.folder(name):
            return [r[1] for r in self.ask("FETCH", "1:*", "(UID BODY.PEEK[])") if isinstance(r, tuple)]

    def store(self, uids, how, flags, name="INBOX"):
        """how: +FLAGS, -FLAGS.  Leaves nothing expunged that was not asked for."""
        self.ask("SELECT", quoted(utf7(name)))
        self.ask("STORE", ",".join(map(str, uids)), how, flags)
        self.imap.unselect()

    def expunge(self, uids, name="INBOX"):
        self.ask("SELECT", quoted(utf7(name)))
        self.ask("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", "(\\Deleted)")
        self.imap.uid("EXPUNGE", ",".join(map(str, uids)))
        self.imap.unselect()

    def validity(self, name="INBOX"):
        with self.folder(name) as validity:
            return validity

    def create(self, name):
        self.ask("CREATE", quoted(utf7(name)))

    def delete(self, name):
        self.ask("DELETE", quoted(utf7(name)))

    def folders(self):
        return sorted(re.search(r'"/" (.*)$', r.decode())[1].strip('"') for r in self.ask("LIST"))


class Dovecot:
    def __init__(self, authority, password=PASSWORD, names=("DNS:localhost", "IP:127.0.0.1"), compress=False, passwd=None, more=""):
        """passwd: the text of a passwd-file, path("passwd"); its users instead of any name.  more: settings, behind the others."""
        self.home = tempfile.mkdtemp(prefix="pr-dovecot-")
        os.chmod(self.home, 0o755)
        who = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.uid, self.gid, self.user = who.pw_uid, who.pw_gid, who.pw_name
        self.group = grp.getgrgid(self.gid).gr_name
        self.password, self.process, self.filled, self.users = password, None, 0, 0
        self.more, self.authority, self.plugins = more, authority, ("zlib", "zlib imap_zlib") if compress else ("", "")
        self.passdb = f"static\n  args = password={password}"
        if passwd is not None:
            self.passdb = "passwd-file\n  args = " + self.path("passwd")
            with open(self.path("passwd"), "w", encoding="utf-8") as f:
                f.write(passwd)
        cert, key = authority.sign("dovecot", names)
        self.cert, self.key = (shutil.copy(p, self.home) for p in (cert, key))
        for name in ("run", "state", "mail"):
            os.mkdir(self.path(name))
        with open(self.path("users"), "wb"):        # nobody is in it, until register
            pass
        self.give(self.home)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def give(self, top):
        for base, dirs, files in os.walk(top):
            for name in [base, *(os.path.join(base, n) for n in dirs + files)]:
                with contextlib.suppress(FileNotFoundError):    # Dovecot's own, of a moment
                    os.chown(name, self.uid, self.gid)

    def folder(self, user, name="INBOX"):
        """Where a folder lies: Maildir++."""
        return self.path("mail", user, *([] if name == "INBOX" else ["." + utf7(name).replace("/", ".")]))

    def fill(self, user, messages, folder="INBOX"):
        """Adds messages to the user's Maildir, in order, durable for Dovecot's eyes at once."""
        box = self.folder(user, folder)
        for name in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(box, name), exist_ok=True)
        self.give(self.path("mail", user))
        for octets in messages:
            self.filled += 1
            name = f"{1_700_000_000 + self.filled}.M{self.filled:06d}P1.test"
            path = os.path.join(box, "tmp", name)
            with open(path, "wb") as f:
                f.write(octets)
            os.chown(path, self.uid, self.gid)
            os.rename(path, os.path.join(box, "new", name))     # whole and Dovecot's: a session may watch

    def fresh(self, messages=()):
        """A user nobody had before, with these messages → the name."""
        self.users += 1
        user = f"user{self.users}"
        self.fill(user, messages)
        return user

    def register(self, user, scheme, password):
        """From now on this user is one of the passwd-file, with a Maildir of its own → (the passwd-file, the Maildir)"""
        secret = subprocess.run(["doveadm", "pw", "-s", scheme, "-p", password], check=True, capture_output=True, timeout=60).stdout.decode().strip()
        box = self.path("mail", user + "-mail")
        with open(self.path("users"), "a", encoding="utf-8") as f:
            f.write(f"{user}:{secret}:{self.uid}:{self.gid}::{self.path('mail', user)}::userdb_mail=maildir:{box}\n")
        os.makedirs(os.path.join(box, "new"))
        self.give(box)
        time.sleep(1.05)        # Dovecot looks at the file once a second
        return self.path("users"), box

    def recreate(self, user, folder="INBOX"):
        """The folder deleted and made again with the same mail: a new UIDVALIDITY.  → how many"""
        mail = self.left(user, folder)
        with self.client(user) as c:
            old = c.validity(folder)
        box = self.folder(user, folder)
        for name in os.listdir(box):
            if not name.startswith("."):
                path = os.path.join(box, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        time.sleep(max(0.0, min(5.0, old + 1.05 - time.time())))       # a new one is the time in seconds
        self.fill(user, mail, folder)
        with self.client(user) as c:
            assert c.validity(folder) != old, "the same UIDVALIDITY"
        return len(mail)

    @contextlib.contextmanager
    def client(self, user):
        imap = imaplib.IMAP4_SSL("localhost", self.imaps, ssl_context=ssl.create_default_context(cafile=self.authority.ca))
        imap.login(user, self.password)
        yield Client(imap)
        imap.logout()

    def left(self, user, folder="INBOX"):
        """What lies in the Maildir now, as a list of octets."""
        out, box = [], self.folder(user, folder)
        for sub in ("new", "cur"):
            folder = os.path.join(box, sub)
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                with open(os.path.join(folder, name), "rb") as f:
                    out.append(f.read())
        return out

    def start(self, wanted=None):
        """Wanted: ports that it had before."""
        for _ in range(5):      # a port may be taken between choosing and listening
            self.pop3, self.pop3s, self.imap, self.imaps = ports = wanted or free_ports(4)
            conf = CONFIG.format(home=self.home, user=self.user, group=self.group, uid=self.uid, gid=self.gid,
                                 cert=self.cert, key=self.key, pop3=self.pop3, pop3s=self.pop3s, imap=self.imap, imaps=self.imaps, passdb=self.passdb,
                                 plugins=self.plugins[0], imap_plugins=self.plugins[1])
            with open(self.path("dovecot.conf"), "w", encoding="ascii") as f:
                f.write(conf + self.more)
            os.chmod(self.path("dovecot.conf"), 0o644)
            drop = {} if os.getuid() else {"user": self.uid, "group": self.gid, "extra_groups": []}
            self.process = subprocess.Popen(["dovecot", "-F", "-c", self.path("dovecot.conf")], cwd=self.home,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **drop)
            if all(listening(self.process, port) for port in ports):
                return self
            self.stop()
        raise RuntimeError("dovecot does not start:\n" + self.log())

    def log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return self.process.stderr.read().decode() if self.process else ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
