# SPDX-License-Identifier: Apache-2.0
"""SIGHUP and SIGTERM: what changes, what goes on, what is finished first."""
import json
import os
import re
import signal
import socket
import ssl
import warnings

import pytest

import corpus
from serving import LIMIT, PASSWORD, Raw, Server, shown, until

MAIL = corpus.small(3)
BIG = corpus.small(1, 3_000_000)[0]


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", MAIL + [BIG])
        yield server.start()


def serial(s, name="tls"):
    with Raw(s.ports[name], tls=s.context()) as c:
        return c.socket.getpeercert()["serialNumber"]


def deaf(port):
    try:
        socket.create_connection(("127.0.0.1", port), LIMIT).close()
    except ConnectionRefusedError:
        return True
    return False


# ---- SIGHUP

def test_sessions_go_on_over_reloads(s):
    clear, tls, early = s.login(), s.login(name="tls"), s.raw()
    half = s.raw()
    half.send("USER an")
    for c in (clear, tls):
        c.good("DELE 1")
        c.send("RETR 4\r\n")
    for _ in range(3):
        s.reload()
    for c in (clear, tls):
        c.line()
        assert c.block() == shown(BIG)
        assert c.message("RETR 2") == shown(MAIL[1])
        c.quit()
    half.send("na\r\n")
    assert half.line().startswith("+OK")
    half.close()
    early.login()
    assert early.good("STAT").startswith("+OK 3 ")
    early.quit()


def test_a_new_certificate_is_for_new_connections(s):
    before = serial(s)
    old = s.login(name="tls")
    s.keys["certificate"], s.keys["key"] = s.authority.sign("another")
    s.reload()
    after = serial(s)
    assert after != before and old.socket.getpeercert()["serialNumber"] == before
    assert old.message("RETR 1") == shown(MAIL[0])
    old.quit()
    with s.raw("plain") as c:
        c.good("STLS")
        c.secure(s.context())
        assert c.socket.getpeercert()["serialNumber"] == after
        c.login()
        c.quit()


def test_the_same_file_with_another_certificate(s):
    """As certbot renews: no word of the configuration changes."""
    before = serial(s)
    cert, key = s.authority.sign("renewed")
    for new, old in ((key, s.key), (cert, s.cert)):
        os.replace(new, old)
    s.reload()
    assert serial(s) != before


def test_listeners_come_and_go(s):
    old = s.login(name="open")
    gone = s.ports["open"]
    s.listen["more"] = {"tls": "none", "allow_cleartext": True}
    del s.listen["open"]
    s.reload()
    assert deaf(gone)
    with s.login(name="more") as c:
        assert "STLS" not in c.multi("CAPA")
        c.quit()
    assert old.message("RETR 1") == shown(MAIL[0])      # who is in stays in
    old.quit()
    s.listen["plain"]["allow_cleartext"] = True     # the same address, other rules
    s.listen["again"] = s.listen.pop("more")        # and another name
    s.ports["again"] = s.ports["more"]
    s.reload()
    for name in ("plain", "again"):
        with s.login(name=name) as c:
            c.quit()


def test_an_address_that_stays_is_never_closed(s):
    """Clients that connect amid reloads are all served."""
    for n in range(20):
        waiting = [Raw(s.ports["open"], greeting=False) for _ in range(5)]
        s.reload()
        for c in waiting:
            assert c.line().startswith("+OK"), n
            c.close()


def test_changed_limits_and_greeting(s):
    held = [s.login(), s.login()]
    s.keys.update(max_sessions=2, greeting="new words")
    s.reload()
    c = Raw(s.ports["open"], greeting=False)
    assert c.rest().startswith(b"-ERR [SYS/TEMP]")
    s.keys["max_sessions"] = 5
    s.reload()
    with s.login() as c:
        assert c.greeting.startswith("+OK new words")
        c.quit()
    for c in held:
        c.quit()


def test_the_main_domain_changes(s):
    """A bare name that is no account by itself belongs to the domain of now."""
    s.stop()
    s.account("bea@x.example", [MAIL[0]])
    s.head["main_domain"] = "y.example"
    s.start()
    with s.raw("open") as c:
        c.good("USER bea")
        c.bad("PASS " + PASSWORD)
    s.head["main_domain"] = "x.example"
    s.reload()
    with s.raw("open") as c:
        c.good("USER bea")
        c.good("PASS " + PASSWORD)
        c.quit()


def test_a_key_that_others_may_read_now(s):
    os.chmod(s.key, 0o644)
    s.reload(good=False)
    os.chmod(s.key, 0o600)
    s.reload()


def test_more_sessions_than_at_the_start(s):
    s.stop()
    s.keys["max_sessions"] = 1
    s.start()
    held = [s.login()]
    s.keys["max_sessions"] = 3
    s.reload()
    held += [s.login(), s.login()]
    assert Raw(s.ports["open"], greeting=False).rest().startswith(b"-ERR [SYS/TEMP]")
    for c in held:
        c.quit()


def test_a_certificate_that_is_a_fifo_holds_nobody_up(s):
    os.rename(s.cert, s.cert + ".kept")
    os.mkfifo(s.cert)
    s.reload(good=False)
    assert "no regular file" in s.log()
    with s.login() as c:
        c.quit()
    os.rename(s.cert + ".kept", s.cert)
    s.reload()


def test_what_needs_a_restart_is_said(s):
    s.head["workers"] = 7
    s.reload()
    assert "workers and run_as change with a restart only" in s.log()


def test_off_and_on_again(s):
    s.keys["max_sessions"] = 0
    s.reload()
    assert all(deaf(s.ports[n]) for n in s.listen)
    s.keys["max_sessions"] = 10
    s.reload()
    with s.login() as c:
        c.quit()


def test_the_whole_section_goes_and_comes_back(s):
    kept = s.p.sections.pop("pop3")
    s.p.write()
    write, s.write = s.write, lambda: None
    s.reload()
    assert all(deaf(s.ports[n]) for n in s.listen)
    s.write = write
    s.reload()
    assert s.p.sections["pop3"] == kept
    with s.login() as c:
        c.quit()


def key_for_all(s):
    s.keys["certificate"], s.keys["key"] = s.authority.sign("open")
    os.chmod(s.keys["key"], 0o644)


def state_of_pop3(s):
    return [x["state"] for x in json.loads(s.p.good("status", "--json").out)["services"] if x["service"] == "pop3"][0]


def test_a_section_whose_start_fails_comes_with_the_next_reload(home, authority):
    """There was no section at the start, then one with an address that somebody has, then a good one."""
    with Server(home, authority) as s, socket.create_server(("127.0.0.1", 0)) as taken:
        s.account("anna", MAIL)
        s.p.sections.clear()
        s.p.write()
        write, s.write, listen, s.listen = s.write, lambda: None, s.listen, {}
        s.start()
        s.write, s.listen = write, {**listen, "used": {"port": taken.getsockname()[1]}}
        s.reload(good=False)
        assert all(deaf(s.ports[n]) for n in listen)
        assert state_of_pop3(s) == "failed"
        del s.listen["used"]
        s.reload()
        assert state_of_pop3(s) == "running"
        with s.login() as c:
            c.quit()


BROKEN = {
    "syntax": lambda s: open(s.p.config, "a").write("pop3 {"),
    "unknown key": lambda s: s.keys.update(colour="red"),
    "bad value": lambda s: s.keys.update(max_sessions=-1),
    "no certificate": lambda s: s.keys.update(certificate="/nowhere/at/all.pem"),
    "key of another": lambda s: s.keys.update(key=s.authority.sign("stranger")[1]),
    "key for all": key_for_all,
    "no such address": lambda s: s.listen.update(odd={"address": "192.0.2.1", "port": 11110}),
    "address in use": lambda s: s.listen.update(used={"port": s.busy}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_configuration_changes_nothing(s, how):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    s.busy = taken.getsockname()[1]
    before, ports = serial(s), dict(s.ports)
    session = s.login()
    if how == "syntax":
        BROKEN[how](s)
        write, s.write = s.write, lambda: None
    else:
        s.keys["greeting"] = "half of a change"
        s.listen["extra"] = {"tls": "none"}
        BROKEN[how](s)
    s.reload(good=False)
    assert re.search(r"error reload: .*", s.log())
    if how in ("unknown key", "bad value", "no certificate", "no such address", "address in use"):
        assert re.search(r"postrider\.conf:\d+|listen (odd|used)|all\.pem", s.reloads()[-1]), s.reloads()[-1]
    if "extra" in s.ports:
        assert deaf(s.ports["extra"])
    assert serial(s) == before
    session.good("STAT")
    session.quit()
    for name in ("plain", "open", "tls"):
        with Raw(ports[name], tls=s.context() if name == "tls" else None) as c:
            assert "half" not in c.greeting
            c.quit()
    if how == "syntax":
        s.write = write
        s.reload()
        with s.login() as c:
            c.quit()
    taken.close()


# ---- SIGTERM

def test_sigterm_amid_a_message_finishes_it(s):
    clients = [s.login(name=name, buffer=4096) for name in ("open", "tls")]
    for c in clients:
        c.send("RETR 4\r\nSTAT\r\n")
        assert c.line().startswith("+OK")
    idle, new = s.login(), s.raw()
    idle.good("DELE 1")
    s.process.terminate()
    s.wait_log("ending")
    for c in (idle, new):
        assert b"+OK" not in c.rest()
        c.close()
    assert all(deaf(s.ports[n]) for n in s.listen)
    for c in clients:
        assert c.block() == shown(BIG)
        rest = c.rest()
        assert rest == b"" or rest.startswith(b"-ERR [SYS/TEMP]") and rest.count(b"\n") == 1, rest
        c.close()
    s.gone()
    assert len(s.octets()) == 4


def test_nothing_begins_while_it_ends(s):
    c = s.login(buffer=4096)
    c.send("RETR 4\r\n" * 50)
    c.line()
    s.process.terminate()
    s.wait_log("ending")
    for command in ("service", "start", "pop3"), ("service", "restart", "pop3"):
        said = s.p(*command)
        assert said.code == 1 and "is ending" in said.text, said
    s.process.send_signal(signal.SIGHUP)
    assert "draining" in s.p.good("service", "stop", "pop3").out
    assert all(deaf(s.ports[n]) for n in s.listen) and "reload" not in s.log()
    c.close()
    s.gone()


def test_sigterm_twice_ends_at_once(s):
    c = s.login(buffer=4096)
    c.send("RETR 4\r\n" * 50)
    c.line()
    s.process.terminate()
    s.wait_log("ending")
    assert s.process.poll() is None
    s.process.terminate()
    s.gone()
    with pytest.raises(EOFError):
        for _ in range(50):
            c.block()
            c.line()


def test_sigint_ends_it_too(s):
    s.process.send_signal(2)
    s.gone()


def test_idle_sessions_do_not_hold_up_the_end(s):
    held = [s.login() for _ in range(5)] + [s.raw() for _ in range(5)] + [s.raw("tls") for _ in range(3)]
    held[0].good("DELE 1")
    s.process.terminate()
    said = [c.rest() for c in held]
    assert not any(b"+OK" in x or b"* BYE" in x for x in said)
    for c in held:
        c.close()
    s.gone()
    assert len(s.octets()) == 4


def test_quit_that_is_on_its_way_is_answered(s):
    for n in range(10):
        c = s.login()
        c.good("DELE 1")
        before = len(re.findall(r"deleted=1", s.log()))
        c.send("QUIT\r\n")
        s.process.terminate()
        said = c.rest()
        c.close()
        s.gone()
        left = len(s.octets())
        assert said in (b"", b"+OK\r\n") or said.startswith(b"-ERR [SYS/TEMP]"), said
        assert left == 3 if said == b"+OK\r\n" else left == 4, (n, said, left)
        assert before == 0
        s.fill("anna", MAIL[:4 - left])
        s.start()


@pytest.mark.slow
def test_the_end_comes_though_a_client_never_reads(s):
    c = s.login(buffer=4096)
    c.send("RETR 4\r\n" * 50)
    c.line()
    s.process.terminate()
    s.gone()        # within INSTANCE_PATIENCE_MS
    assert until(lambda: "ending" in s.log(), "ending")


def test_a_client_without_tls_at_the_tls_port(s):
    with Raw(s.ports["tls"], greeting=False) as c:
        c.send(b"CAPA\r\nQUIT\r\n")
        assert b"+OK" not in c.rest()
    with s.login(name="tls") as c:
        c.quit()
    with pytest.raises(ssl.SSLError):
        old = s.context()
        warnings.simplefilter("ignore")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        Raw(s.ports["tls"], tls=old)


def test_sighup_amid_the_start_ends_nothing(home, authority):
    """It is at reading its configuration, from a pipe that waits for us; what came meanwhile is a reload, behind the start."""
    with Server(home, authority) as s:
        s.account("anna", [])
        s.write()
        real = s.p.config + ".real"
        os.rename(s.p.config, real)
        os.mkfifo(s.p.config, 0o600)
        s.write = lambda: None
        s.start(wait=False)
        with open(s.p.config, "wb") as pipe, open(real, "rb") as f:     # opens when it is being read
            s.process.send_signal(signal.SIGHUP)
            os.rename(real, s.p.config)
            pipe.write(f.read())
        s.wait_log("reloaded")
        assert s.alive() and s.log().index("running workers=") < s.log().index("reloaded")
