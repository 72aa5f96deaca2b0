# SPDX-License-Identifier: Apache-2.0
"""A real Postfix for one test: its own configuration and queue, one free port of 127.0.0.1, nothing leaves the machine.

    with Postfix(uid, gid, {"anna": "/path/to/Maildir"}) as p:
        p.port                          SMTP; mail to anna@postfix.test lands in that Maildir, owned by uid and gid
        p.send("anna", [octets, …])     by SMTP, in one connection
        p.settings(key="value", …)     more of main.cf, also while it runs
        p.delivered(count)              waits until so many deliveries are done
Postfix starts as root only.
"""
import os
import re
import shutil
import smtplib
import subprocess
import tempfile
import time

from dovecot import free_ports

DOMAIN = "postfix.test"
LIMIT = 60
DAEMONS = "/usr/lib/postfix/sbin"

MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
maillog_file = {home}/log/mail
maillog_file_prefixes = {home}/log
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
virtual_mailbox_domains = {domain}
virtual_mailbox_base = /
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def available():
    return os.geteuid() == 0 and shutil.which("postfix", path="/usr/sbin:/usr/bin") is not None


class Postfix:
    def __init__(self, uid, gid, boxes):
        self.uid, self.gid, self.boxes, self.process, self.more = uid, gid, boxes, None, {}
        self.home = tempfile.mkdtemp(prefix="pr-postfix-")
        os.chmod(self.home, 0o755)
        for name in ("conf", "queue", "data", "log"):
            os.mkdir(self.path(name), 0o755)
        shutil.chown(self.path("data"), "postfix")

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def write(self):
        boxes = ", ".join(f"{{ {user}@{DOMAIN} = {path.lstrip('/')}/ }}" for user, path in self.boxes.items())
        with open(self.path("conf", "main.cf"), "w", encoding="ascii") as f:
            f.write(MAIN.format(home=self.home, domain=DOMAIN, boxes=boxes, uid=self.uid, gid=self.gid, daemons=DAEMONS))
            f.writelines(f"{key} = {text}\n" for key, text in self.more.items())
        with open(self.path("conf", "master.cf"), "w", encoding="ascii") as f:
            f.write(MASTER.format(port=self.port))

    def settings(self, **more):
        self.more.update(more)
        if self.process:
            self.write()
            subprocess.run(["/usr/sbin/postfix", "-c", self.path("conf"), "reload"], check=True, stdin=subprocess.DEVNULL, timeout=LIMIT,
                           stderr=subprocess.DEVNULL)

    def start(self):
        for _ in range(5):      # the port may be taken between choosing and listening
            self.port, = free_ports(1)
            self.write()
            subprocess.run(["/usr/sbin/postfix", "-c", self.path("conf"), "check"], check=True, stdin=subprocess.DEVNULL, timeout=LIMIT)
            if self.launch():
                return self
            self.stop()
        raise RuntimeError("postfix does not start:\n" + self.log())

    def launch(self):
        """Also again, after stop, at the same port."""
        # Not `postfix start-fg`, which has the master as its child: the master ends its own, and we end the master.
        self.process = subprocess.Popen([DAEMONS + "/master", "-c", self.path("conf"), "-d"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.home, start_new_session=True)
        return self.listening()

    def listening(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=LIMIT):
                    return True
            except OSError:
                time.sleep(0.1)
        return False

    def log(self):
        try:
            with open(self.path("log", "mail"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def send(self, user, messages):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=LIMIT) as smtp:
            for octets in messages:
                smtp.sendmail("sender@" + DOMAIN, [f"{user}@{DOMAIN}"], octets)

    def delivered(self, count):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            done = len(re.findall(r"status=sent \(delivered to maildir\)", self.log()))
            if done >= count:
                assert done == count
                return
            time.sleep(0.05)
        raise AssertionError(f"not {count} deliveries within {LIMIT} s:\n{self.log()[-3000:]}")

    def stop(self):
        """SIGTERM to the master that we started; it ends its own."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(LIMIT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
