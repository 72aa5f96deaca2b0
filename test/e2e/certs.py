# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by the openssl program: a CA and what it signs."""
import os
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Authority:
    """A CA with an ECDSA key in `directory`; `ca` is its PEM file."""

    def __init__(self, directory, name="Postrider test CA"):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.ca, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out", self.ca)

    def path(self, name):
        return os.path.join(self.directory, name)

    def sign(self, stem, names=("DNS:localhost", "IP:127.0.0.1", "IP:::1"), subject=None, expired=False):
        """A server certificate → (certificate file, key file)."""
        cert, key, request, extra = (self.path(stem + end) for end in (".pem", ".key", ".csr", ".ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write("subjectAltName=" + ",".join(names) + "\nbasicConstraints=critical,CA:FALSE\n"
                    "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-utf8", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", subject or "/CN=" + stem, "-keyout", key, "-out", request)
        if expired:
            self.sign_for_the_past(request, extra, cert)
            return cert, key
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                "-days", "3650", "-extfile", extra, "-out", cert)
        return cert, key

    def sign_for_the_past(self, request, extra, cert):
        """`openssl x509` knows no dates, `openssl ca` does; it wants a database and a configuration."""
        database, config = self.path("index.txt"), self.path("ca.cnf")
        open(database, "w").close()
        with open(config, "w", encoding="ascii") as f:
            f.write(f"[ca]\ndefault_ca = ours\n[ours]\ndatabase = {database}\nnew_certs_dir = {self.directory}\nrand_serial = yes\n"
                    "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n")
        openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.ca, "-keyfile", self.key, "-extfile", extra,
                "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-in", request, "-out", cert)
