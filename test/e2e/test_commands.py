# SPDX-License-Identifier: Apache-2.0
"""The commands beside `collect`: what they print, what they return, and that --json is data."""
import os
import re

import pytest

import corpus
from pop3d import Maildrop, Pop3d

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def origin():
    with Pop3d(Maildrop(corpus.small(4))) as o:
        yield o


def data(done):
    """Rows of --json: one object a line, snake_case, moments in RFC 3339 UTC."""
    assert done.code == 0, done
    rows = done.rows()
    for row in rows:
        for key, v in row.items():
            assert re.fullmatch("[a-z][a-z0-9_]*", key), key
            if isinstance(v, str) and re.match(r"\d{4}-\d\d-\d\d", v):
                assert MOMENT.fullmatch(v), v
    return rows


def test_alone_prints_help(p):
    done = p()
    assert "collect" in done.text and "history" in done.text


def test_every_command_has_help(p):
    for command in ("test", "collect", "check", "history", "baseline", "rescan", "mailbox", "account", "domain", "trust"):
        done = p.good(command, "--help")
        assert command in done.out and len(done.out.splitlines()) >= 2, done


def test_version_says_what_was_built(p):
    done = p.good("--version")
    assert re.match(r"postrider \d+\.\d+", done.out), done
    assert "; pam\n" in done.out
    assert re.search("lmdb", done.out, re.I) and re.search("openssl", done.out, re.I), done


def test_config_before_and_after_the_command(p, origin):
    import subprocess
    from postrider import PROGRAM
    p.clear("box", origin)
    for argv in (["-c", p.config, "check"], ["check", "-c", p.config], ["check", "--config", p.config]):
        assert subprocess.run([PROGRAM, *argv], env=p.environment(), timeout=30, capture_output=True).returncode == 0


def test_history_tells_what_was_done(p, origin):
    p.clear("box", origin, after="keep")
    p.clear("other", origin, after="keep")
    p.good("collect", "box")
    rows = data(p("history", "box", "--json"))
    assert len(rows) == 4
    assert all("accepted" in row.values() for row in rows), rows
    assert sorted(v for row in rows for v in row.values() if isinstance(v, str) and v.startswith("uid")) == \
        [m.uidl for m in origin.drop.snapshot()]
    assert data(p("history", "other", "--json")) == []
    text = p.good("history", "box").out
    assert text.count("accepted") >= 4
    assert len(data(p("history", "--json"))) == 4


def test_history_after_delete_and_gone(p, origin):
    p.clear("box", origin, after="delete")
    p.good("collect", "box")
    p.good("collect", "box")
    rows = data(p("history", "box", "--json"))
    assert len(rows) == 4 and all("gone" in row.values() for row in rows), rows


def test_baseline_skips_what_is_there(p, origin):
    p.clear("box", origin, after="delete")
    p.good("baseline", "box")
    assert not origin.verbs("RETR") and not origin.verbs("TOP") and not origin.verbs("DELE")
    done = p.good("collect", "box")
    assert done.summary()["box"]["collected"] == 0 and len(origin.drop.octets()) == 4
    fresh = corpus.small(1, seed=60)[0]
    origin.drop.add(fresh)
    assert p.good("collect", "box").summary()["box"]["collected"] == 1
    assert len(origin.drop.octets()) == 4
    assert [corpus.normal(m) for m in p.in_maildir()] == [corpus.normal(fresh)]
    assert sum("skipped" in r.values() for r in data(p("history", "box", "--json"))) == 4


def test_rescan_forgets(p, origin):
    p.clear("box", origin, after="keep")
    p.good("collect", "box")
    p.good("rescan", "box")
    assert p.good("collect", "box").summary()["box"]["collected"] == 4
    assert len(p.in_maildir()) == 8


def test_accounts_and_mailboxes(p):
    p.account("anna")
    p.account("bert@client1.com")
    assert p("account", "add", "anna", "--password-file", "-", stdin=b"").code != 0, "twice"
    names = [v for row in data(p("account", "list", "--json")) for v in row.values() if isinstance(v, str)]
    assert "anna" in names and "bert@client1.com" in names
    p.good("mailbox", "add", "anna/lists/info")
    names = [v for row in data(p("mailbox", "list", "--json")) for v in row.values() if isinstance(v, str)]
    assert "anna/lists/info" in names
    assert "anna/lists/info" in p.good("mailbox", "list").out
    assert p("mailbox", "add", "nobody/INBOX").code != 0
    done = p.good("account", "passwd", "anna", "--password-file", "-", stdin=b"neu-wort-1\n")
    assert "neu-wort-1" not in done.text
    for top, _, files in os.walk(p.state):
        for name in files:
            with open(os.path.join(top, name), "rb") as f:
                assert b"neu-wort-1" not in f.read(), "kept in clear"


@pytest.mark.parametrize("name", ["a#b", "a/b", "~anna", "a%b", "", "a b", "x" * 330])
def test_bad_account_names(p, name):
    assert p("account", "add", name, "--password-file", "-", stdin=b"").code != 0


def test_collect_needs_an_account_for_a_mailbox(p, origin):
    p.clear("box", origin, deliver=["mailbox:nobody/INBOX"])
    done = p("collect", "box")
    assert done.code in (1, 2) and "nobody" in done.text, done
    assert len(origin.drop.octets()) == 4


def test_mailbox_show(p, origin):
    p.account()
    p.clear("box", origin, deliver=["mailbox:anna/INBOX"])
    p.good("collect", "box")
    rows = data(p("mailbox", "show", "anna/INBOX", "--json"))
    assert "4" in p.good("mailbox", "show", "anna/INBOX").out
    assert rows


@pytest.mark.parametrize("form", ["maildir", "mbox", "eml"])
def test_export_and_import_are_inverse(p, form):
    p.account()
    mail = list(corpus.odd().values()) + corpus.messages(80)[20:]
    with Pop3d(Maildrop(mail)) as origin:
        p.clear("box", origin, deliver=["mailbox:anna/INBOX"])
        p.good("collect", "box")
    first = p.in_mailbox()
    assert first == [corpus.normal(m) for m in mail]
    where = f"{form}:{p.home}/out"
    p.good("mailbox", "export", "anna/INBOX", where)
    p.good("mailbox", "import", "anna/copy", where)
    # where lines end with LF a lone LF cannot be told from a line end; these messages have none
    assert p.in_mailbox("anna/copy") == first


def test_export_never_overwrites(p, origin):
    p.account()
    p.clear("box", origin, deliver=["mailbox:anna/INBOX"])
    p.good("collect", "box")
    for target in (f"mbox:{p.home}/m", f"eml:{p.home}/e"):
        p.good("mailbox", "export", "anna/INBOX", target)
        assert p("mailbox", "export", "anna/INBOX", target).code != 0
    assert p("mailbox", "export", "anna/none", f"eml:{p.home}/x").code != 0
    assert p("mailbox", "export", "anna/INBOX", "zip:x").code == 2


def test_box_names_ignore_the_case_of_inbox(p, origin):
    p.account()
    p.clear("box", origin, deliver=["mailbox:anna/inbox"])
    p.good("collect", "box")
    assert len(p.in_mailbox("anna/INBOX")) == 4


def test_check_is_quiet_when_all_is_well(p, origin):
    p.clear("box", origin)
    done = p.good("check")
    assert "error" not in done.text.lower()


def test_quiet_says_nothing_but_errors(p, origin):
    p.clear("box", origin)
    done = p.good("collect", "box", "-q")
    assert done.err.strip() == ""


def test_progress_bar_on_a_terminal_only(p):
    import pty
    import subprocess
    with Pop3d(Maildrop(corpus.small(40)), pace=0.05) as origin:
        p.clear("box", origin, after="keep")
        plain = p.good("collect", "box")
        assert "\x1b" not in plain.text and "\r" not in plain.text
        p.good("rescan", "box")
        master, slave = pty.openpty()
        process = subprocess.Popen(p.argv("collect", "box"), stdin=slave, stdout=slave, stderr=slave,
                                   env={**p.environment(), "TERM": "xterm"}, cwd=p.home)
        os.close(slave)
        shown = b""
        while True:
            try:
                got = os.read(master, 4096)
            except OSError:
                break
            if not got:
                break
            shown += got
        os.close(master)
        assert process.wait(60) == 0
    assert b"\r" in shown.replace(b"\r\n", b""), "no bar that redraws itself"
    assert re.search(rb"\d+ ?(msg|messages)?/s", shown) and re.search(rb"of 40|/ ?40|100 ?%", shown), shown[-500:]


def test_the_summary_line(p, origin):
    p.clear("box", origin)
    done = p.good("collect", "box")
    lines = [line for line in done.text.splitlines() if line.startswith("box: ")]
    assert len(lines) == 1
    assert re.fullmatch(r"box: 4 collected, 0 skipped, 0 held, 0 failed in [\d.]+ s \([\d.]+ msg/s, [\d.]+ MB/s\)", lines[0]), lines
