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

    def sign(self, stem, names=("DNS:localhost", "IP:127.0.0.1", "IP:::1")):
        """A server certificate → (certificate file, key file)."""
        cert, key, request, extra = (self.path(stem + end) for end in (".pem", ".key", ".csr", ".ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write("subjectAltName=" + ",".join(names) + "\nbasicConstraints=critical,CA:FALSE\n"
                    "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=" + stem, "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                "-days", "3650", "-extfile", extra, "-out", cert)
        return cert, key
