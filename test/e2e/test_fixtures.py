# SPDX-License-Identifier: Apache-2.0
"""The servers that the other tests believe in, asked by a client that is not ours (poplib)."""
import poplib
import ssl

import pytest

import corpus
from pop3d import Maildrop, Pop3d, Script, parse_script

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
