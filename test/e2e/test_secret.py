# SPDX-License-Identifier: Apache-2.0
"""The vault: passwords set, used, listed, moved to another machine, and never shown."""
import os
import pty
import re
import shutil
import signal
import subprocess

import pytest

import corpus
from pop3d import Maildrop, Pop3d
from postrider import PROGRAM, Done, Postrider, shapes
from serving import Server, until
from test_control_run import asks

SECRET = "Unmistakable-Vault-Word-4711"
MASTER = b"correct horse battery staple"
MAIL = corpus.small(5)


@pytest.fixture
def p(tmp_path):
    p = Postrider(tmp_path)
    p.secrets |= {SECRET, MASTER.decode()}
    return p


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.p.secrets |= {SECRET, MASTER.decode()}
        server.account("anna", [])
        yield server


def store_secret(p, name="box", secret=SECRET):
    return p.good("secret", "set", name, "--password-file", "-", stdin=secret.encode() + b"\n")


def rows(p):
    return {r["secret"]: r for r in p.good("secret", "list", "--json").rows()}


def passes(origin):
    return origin.verbs("PASS")


def test_a_visit_by_a_password_of_the_vault(p):
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        p.clear("box", origin, password="vault:box", auth=["user"])
        done = p("collect", "box")
        assert done.code == 1 and "there is no secret box: postrider secret set 'box'" in done.text, done
        assert "not built" not in p.good("check").text
        assert "connection box: there is no secret box in the vault" in p.good("check").err
        store_secret(p)
        assert "no secret" not in p.good("check").text
        assert p.good("collect", "box").summary()["box"]["collected"] == len(MAIL)
        p.good("test", "box")
        assert passes(origin) == ["PASS " + SECRET] * 2
        p.good("secret", "remove", "box")
        assert p("collect", "box").code == 1 and p("secret", "remove", "box").code == 2
        assert p("test", "box").code == 1


def test_check_makes_no_store(p):
    p.connection("box", password="vault:box")
    p.good("check")
    assert not os.path.exists(p.state)


def test_the_list_says_what_uses_them(p):
    p.connection("box", password="vault:box")
    p.connection("other", password="vault:box")
    p.connection("late", password="vault:later")
    store_secret(p)
    store_secret(p, "idle one")
    got = rows(p)
    assert list(got) == ["box", "idle one", "later"]
    assert got["box"]["used_by"] == ["connection box", "connection other"] and re.fullmatch(r"[\d-]+T[\d:]+Z", got["box"]["set"])
    assert got["idle one"]["used_by"] == [] and got["later"]["set"] is None
    text = p.good("secret", "list").out
    assert re.search(r"^box  set \S+Z  used by connection box, connection other$", text, re.M), text
    assert re.search(r"^later  not set  used by connection late$", text, re.M) and re.search(r"^idle one  set \S+  not used$", text, re.M)


def test_a_command_and_a_terminal(p):
    p.good("secret", "set", "box", "--password-command", f"printf '%s' '{SECRET[:5]}'; printf '%s\\n' '{SECRET[5:]}'")
    done = p("secret", "set", "box", stdin=b"")
    assert done.code == 2 and "there is no terminal to ask" in done.err
    assert p("secret", "set", "box", "--password-file", "-", stdin=b"\n").code == 2
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(p.argv()[0], p.argv("secret", "set", "typed"), p.environment())
    said = b""
    for prompt in (b"Secret for typed: ", b"Again: "):
        while prompt not in said:
            said += os.read(terminal, 1000)
        os.write(terminal, SECRET.encode() + b"\n")
    try:
        while more := os.read(terminal, 1000):
            said += more
    except OSError:
        pass
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0 and SECRET.encode() not in said, said
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        p.clear("box", origin, password="vault:typed", auth=["user"])
        p.good("collect")
        assert passes(origin) == ["PASS " + SECRET]


def files_under(path):
    for folder, _, names in os.walk(path):
        for name in names:
            if not name.startswith("control"):
                yield os.path.join(folder, name)


def test_it_lies_nowhere_in_the_open(p):
    store_secret(p)
    found = list(files_under(p.state))
    key = os.path.join(p.state, "vault.key")
    assert key in found and os.stat(key).st_mode & 0o7777 == 0o600 and os.stat(key).st_size == 144
    for path in found:
        with open(path, "rb") as f:
            octets = f.read()
        assert not any(shape.encode() in octets for shape in shapes(SECRET)), path


def test_nothing_of_a_running_instance_shows_it(s):
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        s.head = {}
        s.p.clear("box", origin, password="vault:box", auth=["user"], trace="wire", deliver=["mailbox:anna/INBOX"])
        s.p.sections["log"] = "log { level = debug }\n"
        s.start()
        pid = s.process.pid
        with open(os.path.join(s.home, "given"), "w", encoding="utf-8") as f:
            f.write(SECRET)
        s.p.good("secret", "set", "box", "--password-file", f.name)
        os.unlink(f.name)
        assert s.p.good("-v", "-v", "collect", "box").summary()["box"]["collected"] == len(MAIL)
        assert passes(origin) == ["PASS " + SECRET]
        said = [s.p.good(*words).text for words in (("status",), ("status", "--json"), ("secret", "list", "--json"), ("history", "box", "--json"), ("check",))]
        got = asks(s, {"v": 1, "op": "secret.list"}, {"v": 1, "op": "secret.get", "args": {"secret": "box"}},
                   {"v": 1, "op": "secret.set", "args": {"secret": "box", "value": 7}}, {"v": 1, "op": "secret.set", "args": {"secret": "", "value": SECRET}},
                   {"v": 1, "op": "service.status"}, {"v": 1, "op": "collect.schedule"})
        assert "no operation is called so" in str(got[1]) and "error" in got[2] and "error" in got[3]
        for name in ("cmdline", "environ", "status", "limits"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                said.append(f.read().decode("latin-1"))
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            assert re.search(r"^Max core file size +0 ", f.read(), re.M)
        said.append(s.p.good("test", "box").text)       # the instance makes it, which has the vault
        assert passes(origin) == 2 * ["PASS " + SECRET]
        assert s.p.good("secret", "remove", "box").code == 0
        assert s.p("collect", "box").code == 1
        s.stop()
        log = s.log()
        assert "secret.set" in log and "PASS" in log and "there is no secret box" in log
        for text in [*said, str(got), log]:
            assert not any(shape in text for shape in shapes(SECRET))


def in_memory(pid, word):
    """Where a process has these octets: its mappings, but for the store's."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line or last - first > 1 << 30:
                continue
            try:
                memory.seek(first)
                if word in memory.read(last - first):
                    found.append(line)
            except OSError:         # a guard of libsodium's, or gone meanwhile
                pass
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root cannot look into it")
@pytest.mark.skipif("asan" in PROGRAM, reason="the sanitizer keeps freed memory")
def test_nothing_stays_in_memory(s):
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        s.p.clear("box", origin, password="vault:box", auth=["user"], deliver=["mailbox:anna/INBOX"])
        s.start()
        store_secret(s.p)
        assert not in_memory(s.process.pid, SECRET.encode())
        with open(f"/proc/{s.process.pid}/smaps", encoding="utf-8") as f:
            assert re.search(r"^VmFlags:.* dd\b", f.read(), re.M)       # the key: in no core
        s.p.good("collect", "box")
        assert passes(origin) == ["PASS " + SECRET] and not in_memory(s.process.pid, SECRET.encode())
        assert in_memory(s.process.pid, s.p.state.encode())             # we do see its memory


# ---- keys

def elsewhere(p, machine_id, *args, stdin=b""):
    """The same on a machine with another /etc/machine-id."""
    fake = os.path.join(p.home, "machine-id")
    with open(fake, "w", encoding="ascii") as f:
        f.write(machine_id + "\n")
    argv = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/machine-id && exec "$@"', fake, *p.argv(*args)]
    process = subprocess.run(argv, input=stdin, capture_output=True, env=p.environment(), cwd=p.home, timeout=p.limit, check=False)
    return p.judge(Done(process.returncode, process.stdout.decode(), process.stderr.decode()))


@pytest.fixture
def machines():
    there = os.path.exists("/etc/machine-id") and os.geteuid() == 0
    if not there or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a mount namespace and a machine-id")


def test_to_another_machine_by_a_recovery_file(p, machines):
    recovery, other = os.path.join(p.home, "recovery"), "0123456789abcdef" * 2
    store_secret(p)
    p.good("secret", "export", recovery, "--password-file", "-", stdin=MASTER)
    assert os.stat(recovery).st_mode & 0o7777 == 0o600
    assert p("secret", "export", recovery, "--password-file", "-", stdin=MASTER).code == 2      # nothing is written over
    assert p("secret", "export", recovery + "2", "--password-file", "-", stdin=b"short").code == 2
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        p.clear("box", origin, password="vault:box", auth=["user"])
        done = elsewhere(p, other, "collect")
        assert done.code == 1 and "was made on another machine" in done.text and not passes(origin), done
        done = elsewhere(p, other, "secret", "set", "more", "--password-file", "-", stdin=b"x")
        assert done.code == 2 and "another machine" in done.err, done
        done = elsewhere(p, other, "secret", "import", recovery, "--password-file", "-", stdin=b"not the password")
        assert done.code == 2 and "master password is wrong" in done.err, done
        done = elsewhere(p, other, "secret", "import", recovery, "--password-file", "-", stdin=MASTER)
        assert done.code == 0, done
        assert elsewhere(p, other, "collect").code == 0 and passes(origin) == ["PASS " + SECRET]
        assert p("collect").code == 1 and len(passes(origin)) == 1      # it has moved
    kept = [n for n in os.listdir(p.state) if n.startswith("vault.key.before-")]
    assert len(kept) == 1


def test_a_key_by_a_credential(p):
    given = os.path.join(p.home, "given")
    os.mkdir(given)
    with open(os.path.join(given, "postrider-vault"), "w", encoding="ascii") as f:
        f.write("32 octets of a systemd credential")
    p.variables["CREDENTIALS_DIRECTORY"] = given
    store_secret(p)
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        p.clear("box", origin, password="vault:box", auth=["user"])
        p.good("collect")
        del p.variables["CREDENTIALS_DIRECTORY"]
        done = p("collect")
        assert done.code == 1 and "opens with the credential postrider-vault only" in done.text, done
        assert passes(origin) == ["PASS " + SECRET]


def test_a_key_that_is_lost_or_damaged_is_never_replaced(p):
    store_secret(p)
    key = os.path.join(p.state, "vault.key")
    with open(key, "r+b") as f:
        octets = f.read()
        f.seek(100)
        f.write(bytes([octets[100] ^ 1]))
    done = p("secret", "set", "more", "--password-file", "-", stdin=b"x")
    assert done.code == 2 and "vault.key is damaged" in done.err, done
    os.unlink(key)
    done = p("secret", "set", "more", "--password-file", "-", stdin=b"x")
    assert done.code == 2 and "vault.key is missing, and 1 secret is sealed under it" in done.err, done
    assert not os.path.exists(key) and list(rows(p)) == ["box"]
    p.good("secret", "remove", "box")
    store_secret(p, "more")
    assert os.path.exists(key)


def test_the_endpoint_of_tokens_by_a_secret_of_the_vault(s):
    s.keys |= {"mechanisms": ["oauthbearer"], "oauth__introspection_url": "http://127.0.0.1:1/", "oauth__client_id": "me",
               "oauth__client_secret": "vault:endpoint"}
    s.write()
    done = s.p("run")
    assert done.code != 0 and "oauth: client_secret: there is no secret endpoint" in done.text, done
    store_secret(s.p, "endpoint")
    assert rows(s.p)["endpoint"]["used_by"] == ["pop3 oauth.client_secret"]
    s.start()


def test_a_backup_has_the_secrets_and_not_their_key(p):
    p.connection("box", password="vault:box")
    store_secret(p)
    backup = os.path.join(p.home, "backup")
    done = p.good("backup", backup)
    assert sorted(os.listdir(backup)) == ["data.mdb", "manifest"] and "secret export" in done.text, done
    store_secret(p, "later", "something else")
    done = p.good("restore", backup, "--replace")
    got = rows(p)
    assert list(got) == ["box"] and got["box"]["set"]
    with Pop3d(Maildrop(MAIL), password=SECRET) as origin:
        p.clear("box", origin, password="vault:box", auth=["user"])
        p.good("collect")
        assert passes(origin) == ["PASS " + SECRET]


def test_a_kill_at_any_moment_leaves_a_vault_that_opens(p):
    """Until `secret set` has said so, the secret may be there or not; after it, it is; and the key always fits."""
    for n in range(12):
        state = os.path.join(p.home, f"state{n}")
        p.state = state
        p.write()
        process = subprocess.Popen(p.argv("secret", "set", "box", "--password-file", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=p.environment(), cwd=p.home)
        process.stdin.write(SECRET.encode())
        process.stdin.close()
        until(lambda: process.poll() is not None or n == 0 or os.path.exists(os.path.join(state, ("store", "vault.key.new", "vault.key")[n % 3])),
              "it came so far")
        process.send_signal(signal.SIGKILL)
        told = process.stdout.read()
        process.wait()
        if b"set" in told:
            assert list(rows(p)) == ["box"]
        store_secret(p)
        p.good("secret", "export", os.path.join(p.home, f"kept{n}"), "--password-file", "-", stdin=MASTER)
        shutil.rmtree(state)
