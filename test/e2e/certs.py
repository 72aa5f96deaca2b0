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

    def sign(self, stem, names=("DNS:localhost", "IP:127.0.0.1", "IP:::1"), subject=None, expired=False, early=False):
        """A server certificate → (certificate file, key file)."""
        cert, key, request, extra = (self.path(stem + end) for end in (".pem", ".key", ".csr", ".ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write("subjectAltName=" + ",".join(names) + "\nbasicConstraints=critical,CA:FALSE\n"
                    "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-utf8", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", subject or "/CN=" + stem, "-keyout", key, "-out", request)
        if expired or early:
            self.sign_for(("20200101000000Z", "20210101000000Z") if expired else ("20900101000000Z", "20910101000000Z"), request, extra, cert)
            return cert, key
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                "-days", "3650", "-extfile", extra, "-out", cert)
        return cert, key

    def intermediate(self, stem):
        """→ an authority that this one signed, with what `sign` does; `chain` puts its certificate behind a server's."""
        below = object.__new__(Authority)
        below.directory = self.path(stem)
        os.makedirs(below.directory, exist_ok=True)
        below.ca, below.key, request, extra = (below.path("ca" + end) for end in (".pem", ".key", ".csr", ".ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + stem,
                "-keyout", below.key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial", "-days", "3650",
                "-extfile", extra, "-out", below.ca)
        return below

    def chain(self, stem):
        """A server certificate with ours behind it → (file, key file)."""
        cert, key = self.sign(stem)
        both = self.path(stem + ".chain")
        with open(both, "wb") as out:
            for part in (cert, self.ca):
                with open(part, "rb") as f:
                    out.write(f.read())
        return both, key

    def sign_for(self, dates, request, extra, cert):
        """`openssl x509` knows no dates, `openssl ca` does."""
        self.authority("-notext", "-extfile", extra, "-startdate", dates[0], "-enddate", dates[1], "-in", request, "-out", cert)

    def authority(self, *args):
        """`openssl ca` wants a database and a configuration."""
        database, config = self.path("index.txt"), self.path("ca.cnf")
        open(database, "w").close()
        with open(config, "w", encoding="ascii") as f:
            f.write(f"[ca]\ndefault_ca = ours\n[ours]\ndatabase = {database}\nnew_certs_dir = {self.directory}\nrand_serial = yes\n"
                    "default_md = sha256\ndefault_crl_days = 30\npolicy = any\n[any]\ncommonName = supplied\n")
        for step in args if isinstance(args[0], tuple) else (args,):
            openssl("ca", "-batch", "-config", config, "-cert", self.ca, "-keyfile", self.key, *step)

    def revoke(self, *certs):
        """→ the file of a revocation list with these certificates."""
        crl = self.path("crl.pem")
        self.authority(*(("-revoke", cert) for cert in certs), ("-gencrl", "-out", crl))
        return crl


def self_signed(directory, names=("DNS:localhost", "IP:127.0.0.1")):
    """A server certificate that nobody but itself signed → (certificate file, key file)."""
    os.makedirs(directory, exist_ok=True)
    cert, key = os.path.join(directory, "self.pem"), os.path.join(directory, "self.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=self",
            "-addext", "subjectAltName=" + ",".join(names), "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert)
    return cert, key
