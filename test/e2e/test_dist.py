# SPDX-License-Identifier: Apache-2.0
"""What is installed beside the program: units, the user, the sample configuration."""
import json
import os
import re
import shutil
import subprocess

import pytest

import certs
import postrider as program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIST = os.path.join(ROOT, "dist")
BUILD = os.path.dirname(program.PROGRAM)
UNITS = ["postrider.service", "postrider.socket", "postrider-tls.socket"]


def need(tool):
    path = shutil.which(tool)
    if not path:
        pytest.skip(f"no {tool} on this machine")
    return path


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, **more)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.fixture
def installed(home):
    """Where `meson install` put things below a DESTDIR, and the prefix within it."""
    prefix = next(o["value"] for o in json.loads(run("meson", "introspect", "--buildoptions", BUILD).stdout) if o["name"] == "prefix")
    done = run("meson", "install", "--quiet", "--no-rebuild", "-C", BUILD, env={**os.environ, "DESTDIR": home + "/dest"})
    assert done.returncode == 0, done
    return home + "/dest", prefix


@pytest.fixture
def units(installed, home):
    """The units as installed, but with the program where it is now."""
    dest, prefix = installed
    for name in UNITS:
        text = read(f"{dest}{prefix}/lib/systemd/system/{name}")
        with open(os.path.join(home, name), "w", encoding="utf-8") as f:
            f.write(text.replace(f"{prefix}/bin/postrider", program.PROGRAM))
    return [os.path.join(home, name) for name in UNITS]


def test_everything_is_installed(installed):
    dest, prefix = installed
    service = read(f"{dest}{prefix}/lib/systemd/system/postrider.service")
    path = re.search(r"^ExecStart=(\S+) ", service, re.M)[1]
    assert os.access(dest + path, os.X_OK)
    assert "@" not in re.sub("^#.*|^SystemCallFilter=.*", "", service, flags=re.M)
    assert os.path.exists(dest + re.search(r"^Documentation=file:(\S+)", service, re.M)[1])
    for name in UNITS[1:]:
        assert read(f"{dest}{prefix}/lib/systemd/system/{name}") == read(os.path.join(DIST, name))
    assert read(f"{dest}{prefix}/lib/sysusers.d/postrider.conf") == read(os.path.join(DIST, "sysusers.conf"))
    for name in "postrider.conf", "postrider.conf.example", "LOG.md", "fail2ban/jail.d/postrider.conf":
        assert os.path.exists(f"{dest}{prefix}/share/doc/postrider/{name}"), name
    assert not os.path.exists(dest + "/etc/postrider"), "somebody's configuration would be overwritten"


def test_a_package_has_the_filter_in_place(home):
    """A packager's prefix: what goes where, without building it."""
    done = run("meson", "setup", home + "/usr", ROOT, "--prefix=/usr", "-Dtests=disabled")
    assert done.returncode == 0, done
    plan = json.loads(run("meson", "introspect", "--install-plan", home + "/usr").stdout)
    places = {where["destination"].replace("{prefix}", "/usr") for kind in plan.values() for where in kind.values()}
    assert "/etc/fail2ban/filter.d/postrider.conf" in places
    assert {"/usr/lib/systemd/system/" + name for name in UNITS} <= places
    assert {"/usr/lib/sysusers.d/postrider.conf", "{bindir}/postrider"} <= places, places


def test_systemd_understands_the_units(units):
    done = run(need("systemd-analyze"), "verify", "--man=no", *units)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "postrider" in line]
    assert not ours, done


def test_systemd_finds_the_service_well_fenced(units):
    """Out of 100, 0 is best; without the fences it would be 96."""
    done = run(need("systemd-analyze"), "security", "--no-pager", "--offline=true", "--threshold=20", units[0])
    assert done.returncode == 0, done.stdout


def test_the_user(installed, home):
    tool = need("systemd-sysusers")
    dest, prefix = installed
    os.makedirs(home + "/tree/etc")
    done = run(tool, "--root=" + home + "/tree", f"{dest}{prefix}/lib/sysusers.d/postrider.conf")
    if os.geteuid() != 0 and done.returncode != 0:
        pytest.skip("only root makes users")
    assert done.returncode == 0, done
    assert re.search(r"^postrider:x:\d+:\d+:Postrider mail service:/var/lib/postrider:", read(home + "/tree/etc/passwd"), re.M)
    assert re.search(r"^postrider:x:\d+:$", read(home + "/tree/etc/group"), re.M)


def check_sample(p, text):
    with open(p.config, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(p.config, 0o600)
    return p.good("check")


def test_the_sample_as_it_is(p):
    done = check_sample(p, read(os.path.join(DIST, "postrider.conf")))
    assert "1 warning\n" in done.out and "STLS is not offered" in done.text, done


def test_the_sample_with_everything_in_it(p, home):
    """Each key that stands behind a # is right, too; and the sockets of systemd have listeners of their names."""
    cert, key = certs.Authority(os.path.join(home, "ca")).sign("tls")
    text = re.sub(r"^( *)#( *(?:\w+ +=|\w+(?: \w+)? \{|\}))", r"\1\2", read(os.path.join(DIST, "postrider.conf")), flags=re.M)
    text = text.replace("/etc/postrider/tls.pem", cert).replace("/etc/postrider/tls.key", key)
    assert "\nrun_as = " in text and "listen tls {" in text and "connection anna {" in text
    done = check_sample(p, text.replace('run_as = "postrider"', 'run_as = "daemon"'))
    assert "1 connection, 2 targets, 0 warnings" in done.out, done
    names = [re.search("^FileDescriptorName=(.*)", read(os.path.join(DIST, name)), re.M)[1] for name in UNITS[1:]]
    ports = [re.search("^ListenStream=(.*)", read(os.path.join(DIST, name)), re.M)[1] for name in UNITS[1:]]
    for name, port in zip(names, ports):
        assert re.search(rf"listen {name} \{{\s+port = {port}\s", text), (name, port)
