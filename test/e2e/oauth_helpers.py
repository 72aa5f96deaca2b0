# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests of OAuth share: commands of a connection `box`, a running instance."""
import os
import signal
import subprocess

import corpus
from serving import LIMIT, until

MAIL = corpus.small(3)


def run(p, issuer, *args, **more):
    done = p(*args, **more)
    p.secrets |= issuer.secrets
    p.judge(done)       # what was given out meanwhile is not shown either
    return done


def log_in(p, issuer, token=None):
    """A refresh token that was got elsewhere."""
    p.sections["box"] = p.sections["box"].replace("flow = 'device'", "flow = 'refresh_token'")
    p.write()
    done = p("oauth", "login", "box", "--password-file", "-", stdin=(token or issuer.refresh).encode() + b"\n")
    assert done.code == 0, done


def collected(p, issuer, count=len(MAIL)):
    done = run(p, issuer, "collect", "box")
    assert done.code == 0, done
    assert done.summary()["box"]["collected"] == count, done
    return done


class Running:
    """`postrider run`, with its log in a file."""

    def __init__(self, p, *options):
        self.p, self.log, self.options = p, os.path.join(p.home, "log"), options

    def __enter__(self):
        with open(self.log, "wb") as f:
            self.process = subprocess.Popen(
                self.p.argv("run", *self.options), stdout=f, stderr=f, stdin=subprocess.DEVNULL, env=self.p.environment(), cwd=self.p.home)
        until(lambda: "running workers" in self.text(), self.text)
        return self

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def row(self):
        return next(r for r in self.p.good("status", "--json").rows()[0]["connections"] if r["connection"] == "box")

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0 or kind
        for secret in self.p.secrets:
            assert secret not in self.text()
