# SPDX-License-Identifier: Apache-2.0
"""The servers that the other tests believe in, asked by a client that is not ours (poplib)."""
import os
import poplib
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

import corpus
from dovecot import BLOCK, free_ports
from introspection import Endpoint
from issuer import Issuer
from pop3d import Maildrop, Pop3d, Script, parse_script
from probing import Raw, silent
from serving import until
from sinks import Sink
from smtpd import Smtpd
from takers import Taker
from test_oauth_servers import Scripted, microsoft_pop3
from test_relay_visits import Greylist

poplib._MAXLINE = 1 << 24       # it refuses lines over 2048 octets


def enter(pop, password="geheim-7Q2x"):
    pop.user("anna")
    pop.pass_(password)
    return pop


def body(pop, number):
    return b"\r\n".join(pop.retr(number)[1]) + b"\r\n"


def test_dovecot_shows_our_corpus(dovecot, authority):
    """Also that it passes NULs and lone CRs on, which the tests rely on."""
    mail = corpus.messages(200)
    user = dovecot.fresh(mail)
    pop = poplib.POP3_SSL("localhost", dovecot.pop3s, context=ssl.create_default_context(cafile=authority.ca))
    pop.user(user)
    pop.pass_(dovecot.password)
    assert [body(pop, n + 1) for n in range(200)] == [corpus.normal(m) for m in mail]
    pop.quit()


@pytest.mark.parametrize("tls", [None, "stls", "implicit"])
def test_origin_is_faithful(authority, tls):
    cert, key = authority.sign(f"origin-{tls}")
    context = ssl.create_default_context(cafile=authority.ca)
    mail = corpus.messages(40)
    with Pop3d(Maildrop(mail), tls=tls, cert=cert, key=key) as origin:
        pop = poplib.POP3_SSL("localhost", origin.port, context=context) if tls == "implicit" else poplib.POP3("localhost", origin.port)
        if tls == "stls":
            pop.stls(context)
        enter(pop)
        assert pop.stat() == (40, sum(len(corpus.normal(m)) for m in mail))
        assert [body(pop, n + 1) for n in range(40)] == [corpus.normal(m) for m in mail]
        pop.dele(3)
        with pytest.raises(poplib.error_proto):
            pop.retr(3)
        pop.close()
        assert len(origin.drop.octets()) == 40, "only QUIT deletes"
        pop = poplib.POP3_SSL("localhost", origin.port, context=context) if tls == "implicit" else poplib.POP3("localhost", origin.port)
        if tls == "stls":
            pop.stls(context)
        enter(pop).dele(3)
        pop.quit()
        assert len(origin.drop.octets()) == 39


SERVERS = {"Pop3d": lambda: Pop3d(Maildrop([])), "Smtpd": Smtpd, "Raw": lambda: Raw(silent), "Sink": Sink, "Scripted": lambda: Scripted(microsoft_pop3([])),
           "Greylist": Greylist, "Taker": lambda: Taker("pop3"), "Issuer": Issuer, "Endpoint": Endpoint}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_stopped_takes_nobody(name):
    """A thread that waits in accept() for a descriptor which is closed meanwhile is woken by signals (those that Popen holds back
    from the main thread), and waits on for the same number: the next server's, whose clients it then takes."""
    before, server = set(threading.enumerate()), SERVERS[name]()
    stop = server.__exit__ if hasattr(server, "__exit__") else lambda *_: server.stop()
    if hasattr(server, "__enter__"):
        server.__enter__()
    socket.create_connection(("127.0.0.1", server.port)).close()
    time.sleep(0.1)         # it waits in accept() again
    stop(None, None, None)
    until(lambda: not set(threading.enumerate()) - before, lambda: f"the end of {set(threading.enumerate()) - before}")
    with socket.socket() as s:
        s.settimeout(5)
        assert s.connect_ex(("127.0.0.1", server.port)) != 0


def test_ports_are_of_one_process_of_tests():
    mine, code = free_ports(8), "import dovecot; print(*dovecot.free_ports(8))"
    others = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True,
                              env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
        others += map(int, done.stdout.split())
    assert len(set(mine)) == 8 and len(others) == 24
    first = {(port - 10240) // BLOCK for port in mine}
    assert first == {(port - 10240) // BLOCK for port in free_ports(8)} and len(first) == 1
    assert first.isdisjoint((port - 10240) // BLOCK for port in others)


def test_origin_follows_its_script():
    script = Script(parse_script(["> STAT", "< +OK once", "> STAT", "! faithful", "> RETR 1", "<< a\\x00b\\r\\n", "<*3 x", "! close"]))
    with Pop3d(Maildrop(corpus.small(2)), script=script) as origin:
        pop = enter(poplib.POP3("localhost", origin.port))
        assert pop._shortcmd("STAT") == b"+OK once"
        assert pop.stat()[0] == 2
        pop._putcmd("RETR 1")
        assert [pop._getline()[0] for _ in range(4)] == [b"a\0b", b"x", b"x", b"x"]
        with pytest.raises(poplib.error_proto):
            pop._getline()
