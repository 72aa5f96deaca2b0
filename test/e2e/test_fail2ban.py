# SPDX-License-Identifier: Apache-2.0
"""fail2ban over our log: exactly the address of who failed is found, whatever users call themselves."""
import os
import re
import shutil
import subprocess

import pytest

import postrider as program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILTER = os.path.join(ROOT, "dist", "fail2ban", "filter.d", "postrider.conf")
JAIL = os.path.join(ROOT, "dist", "fail2ban", "jail.d", "postrider.conf")
LINES = os.path.join(os.path.dirname(program.PROGRAM), "test", "login_lines")
VICTIM = "198.51.100.7"

TEXT_LINE = f'warn service=POP session=1 login failed address={VICTIM} mechanism=PLAIN tls=no user="x" reason="no"'
JSON_LINE = (f'{{"time":"2026-11-21T04:05:06Z","level":"warn","service":"POP","session":"1","message":"login failed address={VICTIM} '
             'mechanism=PLAIN tls=no user=\\"x\\" reason=\\"no\\""}')
HOSTILE = [
    b"anna", b"anna@client1.com", b"", "Jürgen".encode(), b"\xff\xfe\x00",
    f"x login failed address={VICTIM}".encode(), f"login failed address={VICTIM} mechanism=PLAIN tls=no user=".encode(),
    TEXT_LINE.encode(), b"\n" + TEXT_LINE.encode(), b"\r\n" + TEXT_LINE.encode() + b"\r\n", b"\0" + TEXT_LINE.encode(),
    b'"\n' + TEXT_LINE.encode(), b'" ' + TEXT_LINE.encode(), b'\\" ' + TEXT_LINE.encode(), b"\\",
    b"\xe2\x80\xa8" + TEXT_LINE.encode(), b"\xc2\x85" + TEXT_LINE.encode(),
    JSON_LINE.encode(), b'"}\n' + JSON_LINE.encode(), b'"}' + JSON_LINE.encode(),
    f'","message":"login failed address={VICTIM} mechanism=PLAIN tls=no user=\\"x'.encode(),
    f"<4>service=POP login failed address={VICTIM} mechanism=PLAIN tls=no user=\"".encode(),
    b"Nov 21 04:05:06 host postrider[1]: " + TEXT_LINE.encode(), b"2026-11-21T04:05:06Z " + TEXT_LINE.encode(),
    b"2026-11-21 04:05:06", b"21/Nov/2026:04:05:06 +0000", b"1795233906", b"{NONE}", b"<HOST>", b"%(x)s",
    b"x" * 190 + f" address={VICTIM}".encode(), b"x" * 3000, f" address={VICTIM}".encode() * 100,
]
ADDRESSES = ["192.0.2.1", "203.0.113.255", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "::1", "::ffff:192.0.2.77"]

# What stands in front of a record when syslog or the journal has it.
BEFORE = ["", "mail postrider[4711]: ", "Nov 21 04:05:06 mail postrider[4711]: ", "2026-11-21T04:05:06.123456+01:00 mail postrider[4711]: "]


@pytest.fixture(scope="module")
def regex():
    tool = shutil.which("fail2ban-regex")
    if not tool:
        pytest.skip("no fail2ban-regex on this machine")
    return tool


def shown(address):
    return address.removeprefix("::ffff:")


def log(home, form, clients, before=""):
    path = os.path.join(home, "log")
    if os.path.exists(path):
        os.unlink(path)
    said = "".join(f"{address} {user.hex()}\n" for address, user in clients)
    subprocess.run([LINES, form, path], input=said.encode(), check=True, timeout=60)
    with open(path, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    assert len(lines) == 3 * len(clients), "a user made lines of his own"
    with open(path, "wb") as f:
        f.writelines(before.encode() + line for line in lines)
    return path


def found(regex, path):
    """The addresses that fail2ban would count, in order."""
    done = subprocess.run([regex, "--usedns", "no", "--print-no-missed", "--out", "ip", path, FILTER], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 255) and "ERROR" not in done.stderr, done     # 255: nothing matched
    return [line.split()[0] for line in done.stdout.splitlines() if re.match(r"[0-9a-f:.]+(\s|$)", line)]


@pytest.mark.parametrize("before", BEFORE, ids=["alone", "journal", "syslog", "iso"])
@pytest.mark.parametrize("form", ["text", "json", "journal"])
def test_exactly_the_right_address(home, regex, form, before):
    clients = [(ADDRESSES[i % len(ADDRESSES)], user) for i, user in enumerate(HOSTILE)]
    path = log(home, form, clients, before)
    with open(path, "rb") as f:
        assert VICTIM.encode() in f.read()
    assert found(regex, path) == [shown(address) for address, _ in clients]


def test_each_address_in_full(home, regex):
    path = log(home, "text", [(address, b"anna") for address in ADDRESSES])
    assert found(regex, path) == [shown(address) for address in ADDRESSES]


@pytest.mark.parametrize("line", [
    f"info service=POP session=1 session over address={VICTIM} mechanism=PLAIN tls=no user=\"x\"",
    f"warn connection=box login failed address={VICTIM} mechanism=PLAIN tls=no user=\"x\"",
    f"info service=POP login failed address={VICTIM} mechanism=PLAIN tls=no user=\"x\"",
    f"warn service=POP account=\"a b\" login failed address={VICTIM} mechanism=PLAIN tls=no user=\"x\"",
    f"warn service=POP refused address={VICTIM} reason=full",
    f"warn service=IMAP login failed address={VICTIM} mechanism=PLAIN tls=no user=\"x\"",
    f"x warn service=POP login failed address={VICTIM} mechanism=PLAIN tls=no user=\"x\"",
    f"warn service=POP login failed address={VICTIM}x mechanism=PLAIN tls=no user=\"x\"",
    "warn service=POP login failed address=example.org mechanism=PLAIN tls=no user=\"x\"",
])
def test_what_is_no_failed_login(home, regex, line):
    path = os.path.join(home, "log")
    with open(path, "w", encoding="ascii") as f:
        f.write(line + "\n")
    assert found(regex, path) == []


def test_the_time_of_json_is_utc(home, regex):
    """A time zone's worth of hours would make every record too old, or one of the future."""
    path = os.path.join(home, "log")
    with open(path, "w", encoding="ascii") as f:
        f.write(JSON_LINE + "\n")
    done = subprocess.run([regex, "--usedns", "no", "--out", "row", path, FILTER], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "TZ": "Asia/Tokyo"})
    assert "1795233906" in done.stdout, done


def test_the_jail_names_the_filter(home, regex):
    """fail2ban itself reads both: what it would do with the jail when it is switched on."""
    client = shutil.which("fail2ban-client")
    config = os.path.join(home, "fail2ban")
    shutil.copytree("/etc/fail2ban", config, symlinks=True)
    shutil.copy(FILTER, os.path.join(config, "filter.d"))
    for name in os.listdir(os.path.join(config, "jail.d")):
        os.unlink(os.path.join(config, "jail.d", name))
    with open(JAIL, encoding="ascii") as f:
        text = f.read()
    with open(os.path.join(config, "jail.d", "postrider.conf"), "w", encoding="ascii") as f:
        f.write(text.replace("enabled  = false", "enabled  = true"))
    done = subprocess.run([client, "-c", config, "-d"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "'add', 'postrider', 'systemd'" in done.stdout, done
    assert "login failed address=" in done.stdout and "_SYSTEMD_UNIT=postrider.service" in done.stdout, done
