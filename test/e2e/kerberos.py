# SPDX-License-Identifier: Apache-2.0
"""A Kerberos realm for one test run: a KDC of our own on loopback, in a directory of its own.

    with Realm() as r:
        r.service("imap")             → the keytab of imap/localhost, for a server
        r.keytab("anna")              → the keytab of a new principal
        r.ticket("anna")              → the credentials cache of a new principal, with a ticket, as KRB5CCNAME has it
        r.variables                   KRB5_CONFIG and the like, for who is to be in this realm
"""
import os
import shutil
import subprocess
import tempfile

from dovecot import free_ports, listening

REALM = "POSTRIDER.TEST"

CONF = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 dns_uri_lookup = false
 qualify_shortname = ""
 rdns = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {realm}
 elsewhere.test = {realm}
"""

KDC = """\
[kdcdefaults]
 kdc_listen = ""
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {home}/principal
  key_stash_file = {home}/stash
  acl_file = {home}/acl
  max_life = 10h
 }}
[logging]
 kdc = FILE:{home}/log
"""


def available():
    return all(map(shutil.which, ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")))


class Realm:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="pr-realm-")
        os.chmod(self.home, 0o755)
        self.process, self.services = None, set()
        self.variables = {"KRB5_CONFIG": self.path("krb5.conf"), "KRB5CCNAME": "FILE:" + self.path("nobody.cc"),
                          "KRB5_CLIENT_KTNAME": "FILE:" + self.path("nobody.keytab")}

    def path(self, name):
        return os.path.join(self.home, name)

    def run(self, *argv):
        env = {**os.environ, **self.variables, "KRB5_KDC_PROFILE": self.path("kdc.conf"), "LC_ALL": "C"}
        return subprocess.run(argv, env=env, check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)

    def admin(self, *words):
        self.run("kadmin.local", "-r", REALM, *words)

    def keytab(self, principal, mode=0o600):
        path = self.path(principal.replace("/", "-") + ".keytab")
        if not os.path.exists(path):
            self.admin("addprinc", "-randkey", principal)
            self.admin("ktadd", "-k", path, principal)
        os.chmod(path, mode)
        return path

    def service(self, name, host="localhost"):
        """Into the one keytab of all services, which any server may read."""
        path, principal = self.path("services.keytab"), f"{name}/{host}"
        if principal not in self.services:
            self.services.add(principal)
            self.admin("addprinc", "-randkey", principal)
            self.admin("ktadd", "-k", path, principal)
            os.chmod(path, 0o644)
        return path

    def ticket(self, principal, *options):
        cache = "FILE:" + self.path(principal.replace("/", "-") + ".cc")
        self.run("kinit", *options, "-k", "-t", self.keytab(principal), "-c", cache, principal)
        return cache

    def write(self, port):
        for name, text in (("krb5.conf", CONF), ("kdc.conf", KDC)):
            with open(self.path(name), "w", encoding="ascii") as f:
                f.write(text.format(realm=REALM, home=self.home, port=port))

    def start(self):
        for attempt in range(5):        # a port may be taken between choosing and listening
            self.write(free_ports(1)[0])
            if not attempt:
                self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "of-the-test")
            if self.listen():
                return self
        raise RuntimeError("no KDC:\n" + self.log())

    def listen(self):
        with open(self.path("kdc.conf"), encoding="ascii") as f:
            port = int(f.read().split("127.0.0.1:")[1].split()[0])
        env = {**os.environ, **self.variables, "KRB5_KDC_PROFILE": self.path("kdc.conf")}
        self.process = subprocess.Popen(["krb5kdc", "-n", "-r", REALM, "-P", self.path("pid")], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return listening(self.process, port, 300)

    def log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
