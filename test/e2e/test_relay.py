# SPDX-License-Identifier: Apache-2.0
"""A relay (src/deliver/relay.h) to real servers: what arrives is what was sent, but for trace headers."""
import os
import pwd
import re
import shutil
import smtplib
import subprocess
import tempfile
import time

import pytest

import corpus
from dovecot import free_ports
import postfix
import postrider as program

LINES = os.path.join(os.path.dirname(program.PROGRAM), "test", "relay_lines")
LIMIT = 180
MESSAGES = 200
DOVECOT = """\
protocols = lmtp
listen = 127.0.0.1
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
first_valid_uid = 1
ssl = no
auth_mechanisms = plain scram-sha-256
auth_username_format = %n
mail_location = maildir:{home}/mail/%n
mail_fsync = never
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid={user.pw_uid} gid={user.pw_gid} home={home}/mail/%n
}}
service lmtp {{
  chroot =
  inet_listener lmtp {{
    port = {port}
  }}
  unix_listener {home}/lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener {home}/auth {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@pytest.fixture
def home():
    path = tempfile.mkdtemp(prefix="pr-relay-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def files(home, messages):
    paths = []
    for number, octets in enumerate(messages):
        paths.append(os.path.join(home, f"{number}"))
        with open(paths[-1], "wb") as f:
            f.write(corpus.normal(octets))
    return paths


def relay(kind, port, parallel, sender, recipients, paths):
    run = subprocess.run([LINES, kind, str(port), str(parallel), sender, ",".join(recipients), *paths], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, timeout=LIMIT, check=True)
    *lines, took = run.stdout.decode("utf-8", "replace").splitlines()
    print(f"{len(paths)} messages in {took} ms")
    return [line.split(" ", 4) for line in lines]


def bare(octets):
    """Without what a server puts in front."""
    lines = octets.replace(b"\r\n", b"\n").split(b"\n")
    while re.match(rb"(Return-Path|X-Original-To|Delivered-To|Received):|[ \t]", lines[0]):
        lines.pop(0)
    return b"\n".join(lines)


def arrived(box):
    found = []
    for name in os.listdir(os.path.join(box, "new")):
        with open(os.path.join(box, "new", name), "rb") as f:
            found.append(bare(f.read()))
    return sorted(found)


def ordinary():
    """No line is longer than what Postfix cuts, and a header of the message's own stands first."""
    return [b"X-Number: %d\n" % number + octets for number, octets in enumerate(corpus.messages(MESSAGES + 60)[60:])]


@pytest.mark.skipif(not postfix.available(), reason="Postfix starts as root only")
@pytest.mark.parametrize("parallel", [1, 4])
def test_postfix(home, parallel):
    user = pwd.getpwnam("nobody")
    box = os.path.join(home, "anna")
    messages = ordinary()
    paths = files(home, messages)
    os.mkdir(box)
    os.chown(box, user.pw_uid, user.pw_gid)
    with postfix.Postfix(user.pw_uid, user.pw_gid, {"anna": box}) as p:
        told = relay("smtp", p.port, parallel, "sender@" + postfix.DOMAIN, [f"anna@{postfix.DOMAIN}", "bert@example.org"], paths)
        p.delivered(MESSAGES)
        log = p.log()
    assert len(told) == 2 * MESSAGES
    for _, recipient, outcome, code, text in told:
        if recipient.startswith("anna@"):
            assert (outcome, code) == ("accepted", "250"), text
        else:
            assert (outcome, code) == ("refused", "554") and "Relay access denied" in text
    assert arrived(box) == sorted(bare(corpus.normal(m)) for m in messages)
    connections = len(re.findall(r"smtpd\[\d+\]: connect from", log)) - 1     # the harness has looked once
    assert connections <= parallel
    assert "improper command" not in log and "lost connection" not in log, log[-2000:]


class Dovecot:
    """Its LMTP server alone, for anna and carla."""
    def __init__(self, home, more=""):
        """more: settings, behind the others; `reload` after a change."""
        self.home, self.user, self.process, self.more = home, pwd.getpwnam("nobody"), None, more
        for name in ("run", "state", "mail"):
            os.mkdir(os.path.join(home, name))
        os.chown(os.path.join(home, "mail"), self.user.pw_uid, self.user.pw_gid)
        with open(os.path.join(home, "users"), "w", encoding="ascii") as f:
            f.write("anna:{plain}x\ncarla:{plain}x\n")

    def write(self):
        path = os.path.join(self.home, "dovecot.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(DOVECOT.format(home=self.home, user=self.user, port=self.port) + self.more)
        return path

    def reload(self):
        """For connections that begin from now on."""
        subprocess.run(["doveadm", "-c", self.write(), "reload"], check=True, stdin=subprocess.DEVNULL, timeout=LIMIT)

    def __enter__(self):
        self.port, = free_ports(1)
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.write()], cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(200):
            assert self.process.poll() is None, "dovecot does not start"
            try:
                smtplib.LMTP("127.0.0.1", self.port).quit()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError("dovecot does not listen")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/usr/lib/dovecot/lmtp"), reason="Dovecot's LMTP server starts as root only")
@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("local", [False, True])
def test_dovecot(home, parallel, local):
    messages = ordinary()
    paths = files(home, messages)
    with Dovecot(home) as d:
        told = relay("lmtp", os.path.join(home, "lmtp") if local else d.port, parallel, "sender@example.org", ["anna@example.org", "bert@example.org", "carla@example.org"], paths)
    assert len(told) == 3 * MESSAGES
    for _, recipient, outcome, code, text in told:
        if recipient.startswith("bert@"):
            assert (outcome, code) == ("refused", "550") and "exist" in text
        else:
            assert (outcome, code) == ("accepted", "250"), text
    for box in ("anna", "carla"):
        assert arrived(os.path.join(home, "mail", box)) == sorted(bare(corpus.normal(m)) for m in messages)
