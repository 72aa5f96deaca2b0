# SPDX-License-Identifier: Apache-2.0
"""XTND XMIT (PRODUCT section 3): from a scripted client through to a Maildir, a mailbox, a program; limits; the held area."""
import email
import os
import re
import signal
import stat
import time

import pytest

from serving import Server, until

MESSAGE = (b"From: Anna <anna@example.org>\r\nTo: bert@example.net, Carla <carla@example.net>\r\nBcc: secret@example.net\r\n"
           b"Subject: hello\r\n\r\nline one\r\n.a line with a dot\r\n..two\r\nend\r\n")


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        yield server


def stuffed(octets):
    return b"".join((b"." if line.startswith(b".") else b"") + line for line in octets.splitlines(True)) + b".\r\n"


def submit(c, octets=MESSAGE):
    """→ the answer to the whole of it"""
    c.good("XTND XMIT")
    c.send(stuffed(octets))
    return c.line()


def begin(s, target, *, messages=(), **keys):
    s.keys.update(submission=target, **keys)
    s.account("anna", list(messages))
    s.start()
    return s.login()


def files(path, sub="new"):
    try:
        names = os.listdir(os.path.join(path, sub))
    except FileNotFoundError:
        return []
    out = []
    for name in sorted(names):
        with open(os.path.join(path, sub, name), "rb") as f:
            out.append(f.read())
    return out


def program(s, script):
    path = os.path.join(s.home, "program")
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(path, stat.S_IRWXU)
    return path


def submitted(s):
    return [dict(re.findall(r'(\w+)=("[^"]*"|\S*)', line)) for line in re.findall(r" submitted (.*)", s.log())]


# ---- targets

def test_through_to_a_maildir_without_bcc(s):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path)
    assert submit(c).startswith("+OK")
    one, = files(path)
    assert b"secret@" not in one and b"Bcc" not in one
    m = email.message_from_bytes(one)
    assert m.keys()[:2] == ["Return-Path", "Received"], m.keys()
    assert re.fullmatch(r"<anna@[\w.-]+>", m["Return-Path"])
    assert "from [127.0.0.1]" in m["Received"] and "XTND XMIT" in m["Received"] and "with POP3" in m["Received"]
    assert email.utils.parsedate_to_datetime(m["Received"].rpartition(";")[2].strip())
    assert email.utils.parsedate_to_datetime(m["Date"]) and re.fullmatch(r"<[\w.]+@[\w.-]+>", m["Message-ID"])
    assert m["To"] == "bert@example.net, Carla <carla@example.net>" and m["Subject"] == "hello"
    assert m.get_payload() == "line one\n.a line with a dot\n..two\nend\n"
    fact, = submitted(s)
    assert fact == {"address": "127.0.0.1", "user": '"anna"', "octets": str(len(MESSAGE)), "recipients": "3",
                    "outcome": "delivered", "reason": '""'}, fact
    c.good("NOOP")      # the session goes on
    c.quit()


def test_through_to_a_mailbox_and_by_pop3_again(s):
    s.account("archive", [])
    c = begin(s, "mailbox:archive/INBOX")
    large = MESSAGE + b"x" * 70 + b"\r\n"
    large += b"0123456789abcdef\r\n" * 100000
    assert submit(c).startswith("+OK")
    assert submit(c, large).startswith("+OK")
    c.quit()
    with s.login("archive") as r:
        assert r.message("RETR 1").endswith(MESSAGE.partition(b"\r\n\r\n")[2])
        assert r.message("RETR 2").endswith(large.partition(b"\r\n\r\n")[2])
        r.quit()


def test_through_to_a_program(s):
    s.head["main_domain"] = "example.org"
    out = os.path.join(s.home, "out")
    shell = program(s, f'OUT={out}; cat > "$OUT.message"; {{ env; echo "args=$#:$1"; }} > "$OUT"\n')
    c = begin(s, f'command:{shell} "an argument"')
    assert submit(c).startswith("+OK")
    with open(out, encoding="utf-8") as f:
        said = f.read()
    with open(out + ".message", "rb") as f:
        octets = f.read()
    assert "POSTRIDER_SENDER=anna@example.org\n" in said and "POSTRIDER_ACCOUNT=anna@example.org\n" in said
    assert "POSTRIDER_RECIPIENTS=bert@example.net\ncarla@example.net\nsecret@example.net\n" in said
    assert "POSTRIDER_PEER=127.0.0.1\n" in said and f"POSTRIDER_SIZE={len(octets)}\n" in said
    assert "args=1:an argument\n" in said
    assert octets.startswith(b"Received: ") and b"Return-Path" not in octets and b"Bcc" not in octets
    c.quit()


def test_a_refusal_is_the_clients(s):
    c = begin(s, "command:" + program(s, "echo not to them >&2; exit 100\n"))
    assert submit(c) == "-ERR [SYS/PERM] not to them"
    assert submitted(s)[0]["outcome"] == "refused"
    c.quit()


def test_without_a_target_it_is_refused(s):
    c = begin(s, None)
    c.bad("XTND XMIT")
    c.quit()


@pytest.mark.parametrize("account", ["archive", "archive@example.org"])
def test_a_mailboxs_account_belongs_to_the_main_domain(s, account):
    s.head["main_domain"] = "example.org"
    s.account("archive", [])
    c = begin(s, f"mailbox:{account}/INBOX")
    assert submit(c).startswith("+OK")
    c.quit()
    with s.login("archive") as r:
        assert r.good("STAT").startswith("+OK 1 ")
        r.quit()


# ---- what is wrong with a message

@pytest.mark.parametrize("octets, says", [
    (b"Subject: x\r\n\r\nno recipient\r\n", "recipient"),
    (b"To: a@example.org\r\n" + b"Received: from x\r\n" * 60 + b"\r\nx\r\n", "loop"),
    (b"To: a@example.org, Carla Example\r\n\r\nx\r\n", "field To "),
    (b"To: a@example.org\r\nBcc: <bert@example.org\r\n\r\nx\r\n", "field Bcc "),
    (b"To: a@example.org\r\nX: y\rBcc: b@example.org\r\n\r\nx\r\n", "line 2"),
    (b"To: a@example.org\r\nno field\r\n\r\nx\r\n", ""),
    (b"To: " + b", ".join(b"a%d@example.org" % n for n in range(101)) + b"\r\n\r\nx\r\n", "100"),
    (b"", "recipient"),
])
def test_what_cannot_be_sent(s, octets, says):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path)
    answer = submit(c, octets)
    assert answer.startswith("-ERR [SYS/PERM]") and says in answer, answer
    assert submitted(s)[0]["outcome"] == "bad"
    assert submit(c).startswith("+OK")      # the next one can
    assert len(files(path)) == 1
    c.quit()


def test_the_size_has_a_limit(s):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path, submission_size="10KB")
    answer = submit(c, MESSAGE + b"0123456789abcde\r\n" * 100000)
    assert answer.startswith("-ERR [SYS/PERM]") and "larger" in answer
    c.good("NOOP")                          # all of it was eaten
    assert submit(c, MESSAGE).startswith("+OK")
    assert len(files(path)) == 1
    assert [f["outcome"] for f in submitted(s)] == ["too-large", "delivered"]
    c.quit()


def test_a_day_has_a_limit_that_lasts(s):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path, submission_limit=2)
    assert submit(c, b"Subject: bad\r\n\r\nx\r\n").startswith("-ERR")     # counts for nothing
    assert submit(c).startswith("+OK")
    c.quit()
    s.kill()
    s.start()
    c = s.login()
    assert submit(c).startswith("+OK")
    c.bad("XTND XMIT", "[SYS/TEMP]")
    assert len(files(path)) == 2
    c.quit()


# ---- broken lines, and kill -9

@pytest.mark.parametrize("end", [b"", b"\r\n", b".", b".\r"])
def test_a_connection_that_breaks_submits_nothing(s, end):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path)
    c.good("XTND XMIT")
    c.send(MESSAGE + end)
    c.close()
    s.wait_sessions(1)
    assert not files(path) and not files(path, "tmp") and not submitted(s)


def test_kill_before_ok_leaves_no_half(s):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path)
    c.good("XTND XMIT")
    c.send(MESSAGE + b"x\r\n" * 300000)
    s.kill()
    assert not files(path)
    s.start()
    assert submit(s.login()).startswith("+OK")
    assert len(files(path)) == 1 and not files(path, "tmp")


@pytest.mark.parametrize("target", ["mailbox", "maildir", "command"])
def test_what_was_ok_outlives_a_kill(s, target):
    path = os.path.join(s.home, "Out")
    later = program(s, f"test -e {path}.open || exit 75\ngrep '^Subject: '>> {path}.taken\n")
    s.account("archive", [])
    c = begin(s, {"mailbox": "mailbox:archive/INBOX", "maildir": "maildir:" + path, "command": "command:" + later}[target])
    rounds = 6
    for n in range(rounds):
        assert submit(c, MESSAGE.replace(b"hello", b"number %d" % n)).startswith("+OK")
        c.send("XTND XMIT\r\n" + "To: a@example.org\r\n\r\nhalf")     # and another one is under way
        s.kill()
        c.close()
        s.start()
        c = s.login()
    c.quit()
    if target == "mailbox":
        s.stop()
        got = b"".join(s.octets("archive"))
    elif target == "maildir":
        got = b"".join(files(path))
        assert not files(path, "tmp")
    else:
        open(path + ".open", "w", encoding="ascii").close()
        s.p.good("retry")
        s.wait_log("outcome=delivered", rounds)
        with open(path + ".taken", "rb") as f:
            got = f.read()
    assert sorted(re.findall(rb"Subject: number (\d)", got)) == [b"%d" % n for n in range(rounds)]
    assert b"half" not in got


@pytest.mark.parametrize("how", ["SIGTERM", "service stop"])
def test_the_end_waits_for_a_message_that_comes_in(s, how):
    path = os.path.join(s.home, "Out")
    c = begin(s, "maildir:" + path)
    c.good("XTND XMIT")
    c.send(MESSAGE)
    if how == "SIGTERM":
        s.process.send_signal(signal.SIGTERM)
    else:
        s.p.good("service", "stop", "pop3")
        assert "draining" in s.p("status").text
    if how == "SIGTERM":
        s.wait_log("ending")
    c.send(b"x\r\n.\r\n")
    assert c.line().startswith("+OK")
    c.close()
    assert len(files(path)) == 1
    if how == "SIGTERM":
        s.gone()


def test_a_program_that_hangs_keeps_no_client_for_long(s):
    """Eight clients at a program for two: all of them have their answer after half a minute, who comes later has it at once."""
    gate, taken = os.path.join(s.home, "gate"), os.path.join(s.home, "taken")
    os.mkdir(taken)
    path = program(s, f"test -e {gate} || exec sleep 1000\nexec cat > {taken}/$$\n")
    clients = [begin(s, "command:" + path)] + [s.login() for _ in range(7)]
    began = time.monotonic()
    for c in clients:
        c.good("XTND XMIT")
        c.send(stuffed(MESSAGE))
    for c in clients:
        assert c.line().startswith("+OK")
    assert 25 < time.monotonic() - began < 60      # a second round of the program would be another half minute
    began = time.monotonic()
    assert submit(clients[0]).startswith("+OK")
    assert time.monotonic() - began < 25           # who waits does so for half a minute
    for c in clients:
        c.close()
    assert re.search(r"held +9 submitted messages wait, 0 failed", s.p.good("status").text)
    open(gate, "w", encoding="ascii").close()

    def all_taken():
        s.p("held", "retry")
        time.sleep(1)
        return re.search(r"held +0 submitted messages wait, 0 failed", s.p.good("status").text)
    until(all_taken, "the held messages", 150)
    s.stop()
    assert len(os.listdir(taken)) == 9


def test_of_a_target_that_is_gone_it_is_said_what_to_do(s):
    c = begin(s, "command:" + program(s, "exit 75\n"))
    assert submit(c).startswith("+OK")
    c.quit()
    s.keys["submission"] = "maildir:" + os.path.join(s.home, "Out")
    s.reload()
    s.p.good("held", "retry")
    s.wait_log("outcome=deferred")
    assert "until submission, or some deliver, names it again" in s.p.good("held", "list").text


# ---- held

def test_deferred_is_held_and_delivered_later(s):
    gate, out = os.path.join(s.home, "gate"), os.path.join(s.home, "taken")
    path = program(s, f'test -e {gate} || {{ echo not yet >&2; exit 75; }}\necho "$POSTRIDER_RECIPIENTS" > {out}.to; cat >> {out}\n')
    c = begin(s, "command:" + path)
    assert submit(c).startswith("+OK")
    assert submitted(s)[0]["outcome"] == "held" and "not yet" in s.log()
    c.quit()
    listed = s.p.good("held", "list").text
    assert re.search(r"^[0-9a-f]{16}  waiting .*anna.*not yet", listed, re.M), listed
    s.kill()                                # it outlives that
    s.start()
    s.p.good("held", "retry")
    s.wait_log("outcome=deferred")
    open(gate, "w", encoding="ascii").close()
    s.p.good("retry")
    s.wait_log("outcome=delivered")
    until(lambda: os.path.exists(out), "the message")
    with open(out, "rb") as f:
        octets = f.read()
    assert octets.endswith(MESSAGE.partition(b"\r\n\r\n")[2]) and octets.count(b"Subject: hello") == 1 and b"Bcc" not in octets
    with open(out + ".to", encoding="ascii") as f:
        assert f.read().split() == ["bert@example.net", "carla@example.net", "secret@example.net"]
    assert not re.search(r"^[0-9a-f]{16}", s.p.good("held", "list").text, re.M)


def test_what_fails_for_good_stays_until_somebody_looks(s):
    gate = os.path.join(s.home, "gate")
    c = begin(s, "command:" + program(s, f"test -e {gate} && exit 100; exit 75\n"))
    assert submit(c).startswith("+OK")
    c.quit()
    open(gate, "w", encoding="ascii").close()
    s.p.good("held", "retry")
    s.wait_log("outcome=failed")
    number, = re.findall(r"^([0-9a-f]{16})  failed", s.p.good("held", "list").text, re.M)
    assert re.search(r"held +0 submitted messages wait, 1 failed", s.p.good("status").text)
    s.p.good("held", "remove", number)
    assert number not in s.p.good("held", "list").text
    assert s.p("held", "remove", number).code == 2
    assert re.search(r"error service=POP held message id=\w+ outcome=failed", s.log())


def test_a_maildir_that_comes_back_gets_it_once(s):
    path = os.path.join(s.home, "Out")
    open(path, "w", encoding="ascii").close()       # no folder
    c = begin(s, "maildir:" + path)
    assert submit(c).startswith("+OK")
    os.unlink(path)
    s.p.good("held", "retry")
    s.wait_log("outcome=delivered")
    assert len(files(path)) == 1
    c.quit()


def test_the_end_waits_for_what_is_on_its_way(s):
    out = os.path.join(s.home, "taken")
    c = begin(s, "command:" + program(s, f": > {out}.begun; sleep 1; cat > {out}\n"))
    c.good("XTND XMIT")
    c.send(stuffed(MESSAGE))
    until(lambda: os.path.exists(out + ".begun"), "the program")
    s.process.send_signal(signal.SIGTERM)
    assert c.line().startswith("+OK")
    c.close()
    s.gone()
    assert os.path.exists(out)
