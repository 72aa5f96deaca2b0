# SPDX-License-Identifier: Apache-2.0
"""Other tools' configurations: samples, what must come of each, and that `check` takes it.

A sample is test/import/data/FORMAT/NAME.rc, beside it NAME.conf: all that is printed.
"""
import glob
import os
import re
import shutil
import subprocess

import pytest

from postrider import PROGRAM

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "import", "data")
SAMPLES = sorted(os.path.relpath(p, DATA) for p in glob.glob(os.path.join(DATA, "*", "*.rc")))
FORMATS = ["bs2000", "fetchmail", "getmail", "mbsync", "mpop"]


def run(*args, cwd, **more):
    return subprocess.run([PROGRAM, *args], cwd=cwd, capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(cwd)}, **more)


def imported(fmt, name, home):
    done = run("import", fmt, os.path.basename(name), cwd=os.path.join(DATA, os.path.dirname(name)))
    assert done.returncode == 0 and not done.stderr, done
    conf = home / "imported.conf"
    conf.touch(0o600)
    conf.write_text(done.stdout)
    return done.stdout, conf


def test_there_are_samples_of_every_format():
    assert sorted({os.path.dirname(s) for s in SAMPLES}) == FORMATS


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(sample, tmp_path):
    out, conf = imported(os.path.dirname(sample), sample, tmp_path)
    with open(os.path.join(DATA, sample[:-3] + ".conf"), encoding="utf-8") as want:
        assert out == want.read()
    checked = run("-c", str(conf), "check", cwd=tmp_path)
    assert checked.returncode == 0, (checked, out)
    connections = len(re.findall(r"^connection ", out, re.M))
    assert connections and f"good: {connections} connection" in checked.stdout


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.startswith("fetchmail/")])
def test_fetchmail_reads_its_samples_as_we_do(sample, tmp_path):
    """Servers, users and passwords as fetchmail itself understands the file."""
    rc = tmp_path / "rc"
    shutil.copyfile(os.path.join(DATA, sample), rc)
    text = re.sub(r"\bfrobnicate\b", "", rc.read_text())      # a word that it does not know ends it
    rc.write_text(text)
    rc.chmod(0o600)
    dump = subprocess.run(["fetchmail", "--configdump", "-f", str(rc)], capture_output=True, text=True, timeout=60, check=True,
                          env={**os.environ, "HOME": str(tmp_path)}).stdout
    space = {}
    exec(dump, space)                                          # it is Python, and fetchmail's own
    out, _ = imported("fetchmail", sample, tmp_path)
    for server in space["fetchmailrc"]["servers"]:
        for user in server["users"]:
            if f': {server["pollname"]}: not written: ' in out:    # by KPOP, which is POP3 to fetchmail
                continue
            host = server["via"] or server["pollname"]
            found = [s for s in re.split(r"^connection ", out, flags=re.M)[1:]
                     if f'host = "{host}"' in s and f'user = "{user["remote"]}"' in s]
            assert len(found) == 1, (host, user["remote"], out)
            password = re.search(r"^\tpassword = (['\"])(.*)\1$", found[0], re.M)
            ours = password[2] if password[1] == "'" else re.sub(r"\\(.)", r"\1", password[2])
            assert ours == user["password"]
            name = re.escape(found[0].split(" {")[0])
            nobody = re.search(rf"^# .*: who gets the mail cannot be carried over.*\n(#.*\n)*connection {name} ", out, re.M)
            assert ("enabled = false" in found[0]) == (not server["active"] or nobody is not None)
            for folder in user["mailboxes"]:
                assert f'"{folder}"' in found[0]


@pytest.mark.parametrize("written", [
    "'a\"b'", "\"a'b\"", r"a\x22b", r'"a\tb"', r'"\065\x41\101\0101"', "a#b", '"a#b" # c', "12345", r"a\b", r'"a\qb"', "a'b", r'"a\\b"', "keep", '"a\\\nb"',
])
def test_passwords_as_fetchmail_reads_them(written, tmp_path):
    rc = tmp_path / "rc"
    rc.touch(0o600)
    rc.write_text(f"poll h.example proto pop3 user u is a ssl pass {written}\n")
    dump = subprocess.run(["fetchmail", "--configdump", "-f", str(rc)], capture_output=True, text=True, timeout=60, check=True).stdout
    space = {}
    exec(dump, space)
    out = run("import", "fetchmail", str(rc), cwd=tmp_path).stdout
    password = re.search(r"^\tpassword = (['\"])(.*)\1$", out, re.M)
    ours = password[2] if password[1] == "'" else re.sub(r"\\(.)", r"\1", password[2])
    assert ours == space["fetchmailrc"]["servers"][0]["users"][0]["password"]


def test_from_standard_input(tmp_path):
    done = run("import", "mpop", "-", cwd=tmp_path, input="account a\nhost h.example\nuser u\ncolour red\n")
    assert done.returncode == 0 and "# stdin:4: colour: unknown; not carried over" in done.stdout


@pytest.mark.parametrize("words, said", [
    (["import"], "takes a format and a file"), (["import", "mutt", "x"], "there is no format mutt"),
    (["import", "mpop", "nowhere"], "nowhere cannot be opened"), (["import", "mpop", "."], ". cannot be read"),
])
def test_usage(words, said, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and not done.stdout


def test_errors_name_the_line(tmp_path):
    (tmp_path / "rc").write_text("account a\n\nhost h\naccount a\n")
    done = run("import", "mpop", "rc", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr == "rc:4: account a is there already\n" and not done.stdout
