# SPDX-License-Identifier: Apache-2.0
"""A real Dovecot for one test run: no privileges, free loopback ports, own directories.

    with Dovecot(authority) as d:
        d.fill("anna", messages)      a Maildir of these octets, each as one file in new/
        d.pop3, d.pop3s               ports (STLS offered on the first)
        d.password                    every user's; any name is a user

As root it runs as `nobody`: Dovecot serves no mail as root.
"""
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

PASSWORD = "geheim-7Q2x"

CONFIG = """\
protocols = pop3
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
mail_fsync = never
passdb {{
  driver = static
  args = password={password}
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
"""


def available():
    return shutil.which("dovecot") is not None


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Dovecot:
    def __init__(self, authority, password=PASSWORD, names=("DNS:localhost", "IP:127.0.0.1")):
        self.home = tempfile.mkdtemp(prefix="pr-dovecot-")
        os.chmod(self.home, 0o755)
        who = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.uid, self.gid, self.user = who.pw_uid, who.pw_gid, who.pw_name
        self.group = grp.getgrgid(self.gid).gr_name
        self.password, self.process, self.filled, self.users = password, None, 0, 0
        cert, key = authority.sign("dovecot", names)
        self.cert, self.key = (shutil.copy(p, self.home) for p in (cert, key))
        for name in ("run", "state", "mail"):
            os.mkdir(self.path(name))
        self.give(self.home)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def give(self, top):
        for base, dirs, files in os.walk(top):
            for name in [base, *(os.path.join(base, n) for n in dirs + files)]:
                os.chown(name, self.uid, self.gid)

    def fill(self, user, messages):
        """Adds messages to the user's Maildir, in order, durable for Dovecot's eyes at once."""
        box = self.path("mail", user)
        for name in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(box, name), exist_ok=True)
        for octets in messages:
            self.filled += 1
            name = f"{1_700_000_000 + self.filled}.M{self.filled:06d}P1.test"
            path = os.path.join(box, "new", name)
            with open(path, "wb") as f:
                f.write(octets)
        self.give(box)

    def fresh(self, messages=()):
        """A user nobody had before, with these messages → the name."""
        self.users += 1
        user = f"user{self.users}"
        self.fill(user, messages)
        return user

    def left(self, user):
        """What lies in the Maildir now, as a list of octets."""
        out = []
        for sub in ("new", "cur"):
            folder = self.path("mail", user, sub)
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), "rb") as f:
                    out.append(f.read())
        return out

    def start(self):
        for _ in range(5):      # a port may be taken between choosing and listening
            self.pop3, self.pop3s = free_ports(2)
            conf = CONFIG.format(home=self.home, user=self.user, group=self.group, uid=self.uid, gid=self.gid,
                                 cert=self.cert, key=self.key, pop3=self.pop3, pop3s=self.pop3s, password=self.password)
            with open(self.path("dovecot.conf"), "w", encoding="ascii") as f:
                f.write(conf)
            os.chmod(self.path("dovecot.conf"), 0o644)
            drop = {} if os.getuid() else {"user": self.uid, "group": self.gid, "extra_groups": []}
            self.process = subprocess.Popen(["dovecot", "-F", "-c", self.path("dovecot.conf")], cwd=self.home,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **drop)
            if self.listening(self.pop3) and self.listening(self.pop3s):
                return self
            self.stop()
        raise RuntimeError("dovecot does not start:\n" + self.log())

    def listening(self, port):
        for _ in range(100):
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                time.sleep(0.1)
        return False

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
