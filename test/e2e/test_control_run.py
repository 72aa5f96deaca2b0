# SPDX-License-Identifier: Apache-2.0
"""Every command through the control socket of a running instance: the same words, the same answers."""
import json
import os
import signal
import socket
import stat
import subprocess

import pytest

import corpus
from dovecot import PASSWORD
from test_commands import data

serving = pytest.importorskip("serving")


@pytest.fixture
def s(tmp_path, authority):
    with serving.Server(tmp_path, authority) as server:
        server.account("anna", corpus.small(3))
        yield server.start()


def asks(s, *requests, octets=b""):
    """The raw talk: requests as they are, → replies as objects."""
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(60)
        c.connect(os.path.join(s.p.state, "control"))
        c.sendall(b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in requests) + octets)
        c.shutdown(socket.SHUT_WR)
        got = b""
        while more := c.recv(65536):
            got += more
    return [json.loads(line) for line in got.splitlines()]


def test_the_socket_is_the_owners(s):
    st = os.stat(os.path.join(s.p.state, "control"))
    assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o600
    s.stop()
    assert not os.path.exists(os.path.join(s.p.state, "control"))


def test_an_account_made_now_can_log_in_now(s):
    s.secrets["bert"] = "unmistakable-word-9"
    s.p.good("account", "add", "bert", "--password-file", "-", stdin=b"unmistakable-word-9\n")
    s.login("bert").quit()
    s.secrets["bert"] = "another-word-9"
    s.p.good("account", "passwd", "bert", "--password-file", "-", stdin=b"another-word-9\n")
    s.login("bert").quit()
    assert data(s.p("account", "show", "bert", "--json"))[0]["can_login"]
    assert [r["account"] for r in data(s.p("account", "list", "--json"))] == ["anna", "bert"]
    s.p.good("account", "remove", "bert")
    assert s.p("account", "show", "bert").code == 2
    assert "account.add" in s.log() and "unmistakable-word-9" not in s.log() and "another-word-9" not in s.log()


@pytest.mark.parametrize("form", ["maildir", "mbox", "eml"])
def test_import_and_export(s, form):
    mail = list(corpus.odd().values()) + corpus.messages(80)[20:]
    where = s.put(mail)
    s.p.good("mailbox", "import", "anna/many", "eml:" + where)
    rows = data(s.p("mailbox", "show", "anna/many", "--json"))
    assert len(rows) == len(mail)
    first = s.p.in_mailbox("anna/many")
    out = f"{form}:{s.home}/out"
    s.p.good("mailbox", "export", "anna/many", out)
    s.p.good("mailbox", "import", "anna/again", out)
    again = s.p.in_mailbox("anna/again")
    assert [corpus.normal(m) for m in again] == [corpus.normal(m) for m in first] == [corpus.normal(m) for m in mail]
    assert form != "eml" or again == first
    assert s.p("mailbox", "export", "anna/none", f"eml:{s.home}/none").code == 2 and not os.path.exists(f"{s.home}/none")
    assert s.p("mailbox", "import", "nobody/INBOX", "eml:" + where).code == 2


def test_what_comes_in_is_there_for_the_next_session(s):
    with s.login() as before:
        s.fill("anna", corpus.small(2, seed=77))
        assert before.good("STAT").split()[1] == "3"
        with s.login() as c:
            assert c.good("STAT").split()[1] == "5"


def test_export_while_messages_go(s):
    """None is lost that was not removed, and the export does not fail for those that were."""
    s.fill("anna", corpus.messages(300), box="INBOX")
    where = os.path.join(s.home, "out")
    export = s.p.start("mailbox", "export", "anna/INBOX", "eml:" + where)
    with s.login() as c:
        for n in range(1, 304, 3):
            c.good(f"DELE {n}")
        c.quit()
    done = s.p.finish(export)
    assert done.code == 0, done
    assert 303 >= len(os.listdir(where)) >= 303 - 101


def test_domains_and_history(s):
    s.p.good("domain", "add", "client1.com")
    s.p.good("domain", "set", "client1.com", "quota=1GB")
    assert data(s.p("domain", "show", "client1.com", "--json"))[0]["quota"] == 1 << 30
    s.p.good("domain", "remove", "client1.com")
    assert data(s.p("history", "--json")) == [] and data(s.p("trust", "list", "--json")) == []
    assert s.p("history", "none").code == 2


def test_status(s):
    with s.login():
        row = data(s.p("status", "--json"))[0]
        assert row["pop3"]["sessions_now"] == 1 and row["pop3"]["logged_in_now"] == 1
        assert row["store"] == {"mailboxes": 1, "messages": 3, "octets": row["store"]["octets"]} and row["process"] == s.process.pid
        services = {x["service"]: x for x in row["services"]}
        assert services["pop3"]["state"] == "running"
        text = s.p.good("status").out
        assert "1 now, 1 logged in" in text and "1 mailboxes, 3 messages" in text and "certificate" in text


def test_status_watch(s):
    watch = s.p.start("status", "--watch", "--json")
    rows = [json.loads(watch.stdout.readline()) for _ in range(3)]
    assert rows[0]["now"] < rows[2]["now"]
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=60)
    assert watch.returncode == 0


def test_service_stop_and_start(s):
    assert "stopped" in s.p.good("service", "stop", "pop3").out
    with pytest.raises(OSError):
        s.raw()
    assert [x["state"] for x in data(s.p("status", "--json"))[0]["services"] if x["service"] == "pop3"] == ["stopped"]
    s.p.good("service", "start", "pop3")
    s.login().quit()
    s.p.good("service", "restart", "pop3")
    s.login().quit()
    assert s.p("service", "stop", "smtp").code == 2


def test_blocks_hold_at_once_and_after_a_restart(s):
    s.p.good("block", "add", "127.0.0.0/8", "--why", "a test")
    with s.raw(greeting=False) as c:
        assert not c.rest().startswith(b"+OK")
    assert [r["network"] for r in data(s.p("block", "list", "--json"))] == ["127.0.0.0/8"]
    s.stop()
    s.start()
    with s.raw(greeting=False) as c:
        assert not c.rest().startswith(b"+OK")
    s.p.good("block", "remove", "127.0.0.0/8")
    s.login().quit()
    assert data(s.p("block", "list", "--json")) == []


def test_reload_by_the_socket(s):
    s.keys["max_sessions"] = 1
    s.write()
    assert asks(s, {"v": 1, "op": "reload"}) == [{"v": 1, "answer": {}}]
    s.keys["max_sessions"] = "many"
    s.write()
    (reply,) = asks(s, {"v": 1, "op": "reload"})
    assert reply["error"]["kind"] == "config" and reply["error"]["text"]
    s.keys["max_sessions"] = 1
    s.write()


def test_the_raw_talk(s):
    replies = asks(s, {"v": 1, "op": "sessions.list"}, {"v": 1, "op": "mailbox.append", "args": {"mailbox": "anna/raw"}, "octets": 9},
                   octets=b"Hi: a\r\n\r\n" + b'{"v":1,"op":"mailbox.messages","args":{"mailbox":"anna/raw"}}\n')
    assert [list(r) for r in replies] == [["v", "answer"]] * 3
    assert replies[0]["answer"] == {"rows": []} and replies[2]["answer"]["rows"][0]["octets"] == 9


def test_hostile_words(s):
    for words in (b"GET / HTTP/1.0\r\n\r\n", b"\0\n", b"{" * 100000 + b"\n", b'{"v":1,"op":"' + b"a" * 500000 + b'"}\n', b"[" * 3000 + b"\n"):
        (reply,) = asks(s, words)
        assert reply["error"]["kind"] in ("peer", "config"), reply
    s.login().quit()


def test_many_at_the_socket_do_not_stop_the_service(s):
    """All places are taken by silent clients: the next one is told, and POP3 goes on."""
    guests = []
    for _ in range(40):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(60)
        c.connect(os.path.join(s.p.state, "control"))
        guests.append(c)
    assert b"busy" in guests[-1].recv(1000)
    s.login().quit()
    done = s.p("account", "list")
    assert done.code == 1 and "32 clients" in done.err, done
    for c in guests:
        c.close()
    serving.until(lambda: s.p("account", "list").code == 0, "a place")


def test_another_user_is_turned_away(s):
    if os.getuid() != 0:
        pytest.skip("needs root to be somebody else")
    code = "import socket,sys\nc=socket.socket(socket.AF_UNIX)\ntry:\n c.connect(sys.argv[1])\nexcept PermissionError:\n sys.exit(7)\n"
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-c", code,
                           os.path.join(s.p.state, "control")], timeout=60, check=False)
    assert done.returncode == 7


def test_a_second_run_and_collect_are_told(s):
    done = s.p("run")
    assert done.code == 2 and f"process {s.process.pid} (postrider run)" in done.err, done
    s.p.sections["box"] = ""
    assert PASSWORD not in s.log()
