# SPDX-License-Identifier: Apache-2.0
"""Runs the program under test in a home of its own.

    p = Postrider(home)                  p.state, p.maildir, p.config; `run` visits by itself what is active="always"
    p.connection("box", host=…, tls__mode="none", deliver=["maildir:…"])
    done = p("collect", "box")           done.code, done.out, done.err, done.text
Keys are written with `__` for the dot of a section: tls__mode → tls { mode = … }.
No run may take longer than `limit` seconds, none may end by a signal, and
none may show a secret: all three are checked for every run.
"""
import base64
import json
import os
import re
import subprocess
import time

from dovecot import PASSWORD

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.abspath(os.environ.get("POSTRIDER", os.path.join(HERE, "..", "..", "build", "postrider")))
SUMMARY = re.compile(r"^(?P<name>\S+): (?P<collected>\d+) collected, (?P<skipped>\d+) skipped, (?P<held>\d+) held, "
                     r"(?P<failed>\d+) failed in [\d.]+ s", re.M)


# A window that is closed for days: what `run` is not to visit by itself.
AWAY = "Mon Tue Wed Thu Fri Sat Sun".split()[(time.localtime().tm_wday + 3) % 7]


def value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, (list, tuple)):
        return "{" + ", ".join(value(x) for x in v) + "}"
    if re.fullmatch(r"\d+(s|min|h|d|ms|KB|MB|GB)", v):
        return v
    return "'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'"


def section(head, keys):
    out, inner = [head + " {"], {}
    for key, v in keys.items():
        outer, _, rest = key.partition("__")
        if rest:
            inner.setdefault(outer, {})[rest] = v
        else:
            out.append(f"\t{key} = {value(v)}")
    for name, more in inner.items():
        out.append(f"\t{name} {{")
        out += [f"\t\t{k} = {value(v)}" for k, v in more.items()]
        out.append("\t}")
    return "\n".join(out + ["}", ""])


def shapes(secret):
    """How a secret could come to light."""
    raw = secret.encode()
    yield secret
    for octets in (raw, b"\0anna\0" + raw):
        yield base64.b64encode(octets).decode().rstrip("=")
    yield raw.hex()


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err, self.text = code, out, err, out + err

    def summary(self):
        """The closing lines of `collect`: name → counts."""
        return {m["name"]: {k: int(m[k]) for k in ("collected", "skipped", "held", "failed")}
                for m in SUMMARY.finditer(self.text)}

    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out[-3000:]}\n--- err\n{self.err[-3000:]}"


class Postrider:
    limit = 120

    def __init__(self, home):
        self.home = str(home)
        self.state = os.path.join(self.home, "state")
        self.maildir = os.path.join(self.home, "Maildir")
        self.config = os.path.join(self.home, "postrider.conf")
        self.secrets = {PASSWORD}
        self.sections, self.variables = {}, {}
        self.write()

    def write(self):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"state = '{self.state}'\n\n" + "\n".join(self.sections.values()))
        os.chmod(self.config, 0o600)

    def connection(self, name, **keys):
        """Adds a connection, or replaces it."""
        base = {"protocol": "pop3", "host": "127.0.0.1", "user": "anna", "password": PASSWORD,
                "connect_timeout": "5s", "timeout": "20s", "deliver": ["maildir:" + self.maildir],
                "active": AWAY}
        keys = {**base, **keys}
        self.sections[name] = section("connection " + name, {k: v for k, v in keys.items() if v is not None})
        self.write()

    def clear(self, name, origin, **keys):
        """A connection without TLS to a scripted origin."""
        self.connection(name, **{"port": origin.port, "tls__mode": "none", "allow_cleartext": True, **keys})

    def environment(self):
        keep = {k: os.environ[k] for k in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TMPDIR") if k in os.environ}
        return {**keep, "HOME": self.home, "LC_ALL": "C.UTF-8", **self.variables}

    def argv(self, *args):
        return [PROGRAM, "-c", self.config, *args]

    def start(self, *args, **more):
        return subprocess.Popen(self.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment(), cwd=self.home, **more)

    def finish(self, process, limit=None):
        try:
            out, err = process.communicate(timeout=limit or self.limit)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"no end within {limit or self.limit} s\n{out.decode()[-2000:]}\n{err.decode()[-2000:]}")
        return self.judge(Done(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")))

    def judge(self, done):
        assert 0 <= done.code <= 2, f"ended by a signal or with an odd code: {done}"
        for bad in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
            assert bad not in done.text, done
        for secret in self.secrets:
            for shape in shapes(secret):
                assert shape not in done.text, "the secret was shown"
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.text), "control octets in the output"
        return done

    def __call__(self, *args, limit=None, stdin=None):
        if stdin is None:
            return self.finish(self.start(*args), limit)
        process = subprocess.Popen(self.argv(*args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment(), cwd=self.home)
        out, err = process.communicate(stdin, timeout=limit or self.limit)
        return self.judge(Done(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")))

    def good(self, *args, **more):
        done = self(*args, **more)
        assert done.code == 0, done
        return done

    def account(self, name="anna"):
        self.good("account", "add", name, "--password-file", "-", stdin=b"")

    def in_maildir(self, path=None):
        """The octets of all messages in new/ and cur/."""
        out = []
        for sub in ("new", "cur"):
            folder = os.path.join(path or self.maildir, sub)
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                with open(os.path.join(folder, name), "rb") as f:
                    out.append(f.read())
        return out

    def in_mailbox(self, box="anna/INBOX"):
        """The octets of all messages of a box, by `mailbox export`, in order."""
        self.exports = getattr(self, "exports", 0) + 1
        where = os.path.join(self.home, f"export{self.exports}")
        done = self("mailbox", "export", box, "eml:" + where)
        if done.code:
            return []
        out = []
        for name in sorted(os.listdir(where)):
            with open(os.path.join(where, name), "rb") as f:
                out.append(f.read())
        return out
