# SPDX-License-Identifier: Apache-2.0
"""What people accept of what servers offered, take back, and import: for tests, visits, relays and a running instance."""
import os
import pty
import subprocess

import pytest

import certs
import corpus
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Pop3d, Pop3Session
from postrider import section
from serving import LIMIT, Server, until
from test_idle import Watching
from test_trust import pin

MAIL = corpus.small(3)


class Noting(Pop3Session):
    """Tells whether TLS was resumed."""

    def secure(self):
        super().secure()
        self.origin.resumed.append(self.sock.session_reused)


class Origin(Pop3d):
    session = Noting

    def __init__(self, pair, **more):
        super().__init__(Maildrop(MAIL), tls="implicit", cert=pair[0], key=pair[1], **more)
        self.resumed = []

    def show(self, pair):
        """Another certificate from now on."""
        self.context.load_cert_chain(*pair)

    @property
    def name(self):
        return f"localhost:{self.port}"


@pytest.fixture(scope="module")
def below(authority):
    """An authority that nobody knows, which a strange root signed; `chain` shows both certificates."""
    return certs.Authority(os.path.join(authority.directory, "strange"), "Strange root").intermediate("middle")


@pytest.fixture(scope="module")
def leaf(below):
    return below.chain("leaf")


@pytest.fixture(scope="module")
def other(below):
    return below.chain("other")


@pytest.fixture(scope="module")
def wrong(below):
    cert, key = below.sign("wrong", ["DNS:pop.example.org"])
    both = below.path("wrong.chain")
    with open(both, "wb") as out:
        for part in (cert, below.ca):
            with open(part, "rb") as f:
                out.write(f.read())
    return both, key


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        yield server


def box(p, origin, name="box", **keys):
    p.connection(name, host="localhost", port=origin.port, tls__mode="implicit", after="keep", **keys)


def rows(p, state=None):
    all_of = p.good("trust", "list", "--json").rows()
    return [r for r in all_of if r["state"] == state] if state else all_of


def fails(p, command="collect", name="box", why="not issued by a known authority"):
    done = p(command, name)
    assert done.code == 1 and why in done.text, done
    return done


# ---- accept

def test_test_names_it_accept_test_collect(p, authority, leaf):
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        p.good("trust", "list")         # a state is there
        done = fails(p, "test")
        assert f"see `postrider trust show {origin.name}`" in done.text
        shown = p.good("trust", "show", origin.name).out
        line = f"postrider trust accept {origin.name} --key {pin(leaf[0])}"
        assert line in shown
        done = p.good(*line.split()[1:])
        assert origin.name in done.out and pin(leaf[0]) in done.out
        p.good("test", "box")
        assert p.good("collect", "box").summary()["box"]["collected"] == 3
        assert len(origin.verbs("PASS")) == 2
        [row] = rows(p)
        assert (row["state"], row["kind"], row["host"], row["port"]) == ("accepted", "key", "localhost", origin.port)
        assert row["certificate"]["key_sha256"] == pin(leaf[0])
        assert origin.name in p.good("trust", "list").out and "accepted since" in p.good("trust", "show", origin.name).out


def test_another_port_and_host_still_fail(p, authority, below, leaf, other):
    """Accepted is the authority of both, for one of them."""
    with Origin(leaf) as first, Origin(other) as second:
        box(p, first, tls__ca_certificates=authority.ca)
        box(p, second, "two", tls__ca_certificates=authority.ca)
        p.connection("three", host="127.0.0.1", port=first.port, tls__ca_certificates=authority.ca)
        fails(p)
        p.good("trust", "accept", first.name, "--authority", "2", "--key", pin(below.ca))
        p.good("test", "box")
        p.good("collect", "box")
        for name in ("two", "three"):
            fails(p, "test", name)
            fails(p, "collect", name)
        assert not second.verbs("PASS")
        first.show(other)               # what the same authority signed, there
        p.good("collect", "box")


def test_an_accepted_authority_wants_the_right_name(p, authority, below, leaf, wrong):
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        fails(p)
        p.good("trust", "accept", origin.name, "--authority", "2", "--key", pin(below.ca))
        p.good("collect", "box")
        origin.show(wrong)
        fails(p, why="is not for localhost but for pop.example.org")
        p.good("trust", "accept", origin.name, "--leaf", "--beside", "--yes")
        p.good("collect", "box")
        origin.show(leaf)
        p.good("collect", "box")
        assert sorted(r["kind"] for r in rows(p)) == ["authority", "key"]


def test_another_leaf_is_an_offer_and_changes_nothing(p, authority, leaf, other):
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        fails(p)
        p.good("trust", "accept", origin.name, "--key", pin(leaf[0]))
        origin.show(other)
        done = fails(p, why="this is another certificate than the one that was accepted")
        assert f"see `postrider trust show {origin.name}`" in done.text
        [accepted], [offered] = rows(p, "accepted"), rows(p, "offered")
        assert accepted["certificate"]["key_sha256"] == pin(leaf[0]) and offered["key_sha256"] == pin(other[0])
        assert "another certificate" in offered["reason"]
        shown = p.good("trust", "show", origin.name).out
        assert pin(leaf[0]) in shown and pin(other[0]) in shown
        done = p("trust", "accept", origin.name, "--key", pin(leaf[0]))     # what was seen is not what is offered
        assert done.code == 1 and pin(other[0]) in done.err and "nothing is accepted" in done.err
        origin.show(leaf)
        p.good("collect", "box")
        p.good("trust", "accept", origin.name, "--key", pin(other[0]).upper())
        fails(p)                        # the one before was replaced
        origin.show(other)
        p.good("collect", "box")


def test_expired_and_for_another_name(p, authority, below):
    pair = authority.sign("old", ["DNS:pop.example.org"], expired=True)
    with Origin(pair) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        fails(p, why="expired on")
        p.good("trust", "accept", "localhost", "--yes")
        p.good("collect", "box")
        box(p, origin, tls__pin="00" * 32)
        fails(p, why="not the pinned one")


def test_nothing_is_accepted_unseen(p, authority, below, leaf):
    with Origin(leaf) as origin, Origin(leaf) as second:
        box(p, origin, tls__ca_certificates=authority.ca)
        box(p, second, "two", tls__ca_certificates=authority.ca)
        fails(p)
        done = p("trust", "accept", origin.name)
        assert done.code == 2 and f"trust accept {origin.name} --key {pin(leaf[0])}" in done.err, done
        done = p("trust", "accept", origin.name, "--authority", "2")
        assert done.code == 2 and f"--authority 2 --key {pin(below.ca)}" in done.err, done
        for words, code in ((("--key", "00" * 32), 1), (("--authority", "1", "--yes"), 2), (("--authority", "3", "--yes"), 2),
                            (("--authority", "0", "--yes"), 2), (("--leaf", "--authority", "2", "--yes"), 2)):
            done = p("trust", "accept", origin.name, *words)
            assert done.code == code and done.err and not done.out, done
        fails(p, name="two")
        done = p("trust", "accept", "localhost", "--yes")
        assert done.code == 2 and origin.name in done.err and second.name in done.err, done
        done = p("trust", "accept", "localhost:1", "--yes")
        assert done.code == 1 and "localhost:1" in done.err, done
        assert not rows(p, "accepted")


@pytest.mark.parametrize("answer,code", [(b"yes\n", 0), (b"no\n", 1), (b"\n", 1)])
def test_the_terminal_is_asked(p, authority, leaf, answer, code):
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        fails(p)
        ours, theirs = pty.openpty()
        process = subprocess.Popen(p.argv("trust", "accept", origin.name), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=p.environment(), cwd=p.home)
        os.write(ours, answer)
        out, err = process.communicate(timeout=LIMIT)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code and pin(leaf[0]).encode() in out and b"Accept it?" in err, (out, err)
        assert len(rows(p, "accepted")) == (0 if code else 1)


def test_starttls_and_imap_go_by_it_too(p, authority, leaf):
    with Pop3d(Maildrop(MAIL), tls="stls", cert=leaf[0], key=leaf[1]) as origin:
        p.connection("box", host="localhost", port=origin.port, tls__mode="explicit", tls__ca_certificates=authority.ca)
        fails(p)
        p.good("trust", "accept", f"localhost:{origin.port}", "--key", pin(leaf[0]))
        p.good("collect", "box")


# ---- revoke

def test_revoked_means_the_very_next(p, authority, leaf):
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        fails(p)
        p.good("trust", "accept", origin.name, "--yes")
        p.good("collect", "box")
        assert "no more trusted" in p.good("trust", "revoke", "localhost").out
        fails(p)
        fails(p, "test")
        done = p("trust", "revoke", origin.name)
        assert done.code == 1 and "nothing of" in done.err, done


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_running_instance_learns_both_at_once(s, authority, leaf, version):
    with Origin(leaf) as origin:
        box(s.p, origin, tls__ca_certificates=authority.ca, tls__protocols=[version])
        s.start()
        fails(s.p)
        s.p.good("trust", "accept", origin.name, "--key", pin(leaf[0]))
        for _ in range(3):
            s.p.good("collect", "box")
        assert origin.resumed[-2:] == [True, True], origin.resumed      # else the rest would prove less
        s.p.good("test", "box")
        s.p.good("trust", "revoke", origin.name)
        before = len(origin.verbs("PASS"))
        fails(s.p)
        fails(s.p, "test")
        assert len(origin.verbs("PASS")) == before
        s.p.good("trust", "accept", origin.name, "--key", pin(leaf[0]))
        s.p.good("collect", "box")
        assert not origin.resumed[-1]


def test_a_visit_under_way_ends(s, authority, leaf):
    class Held:
        def __init__(self):
            self.origin, self.said = None, []

        def __call__(self, word):
            if word == "UIDL" and not self.said:
                self.said.append(s.p.good("trust", "revoke", self.origin.name))

    held = Held()
    with Origin(leaf, event=held) as origin:
        held.origin = origin
        box(s.p, origin, tls__ca_certificates=authority.ca)
        s.start()
        fails(s.p)
        s.p.good("trust", "accept", origin.name, "--yes")
        fails(s.p, why="was accepted, and that was taken back meanwhile")
        until(lambda: held.said, "the end of revoke")     # the visit may hear of it before
        assert not s.p.in_maildir()
        fails(s.p)


def test_a_mailbox_that_is_watched(p, authority, leaf):
    """IDLE ends with the trust, and a visit says why."""
    with Imapd(Mailstore(MAIL), tls="implicit", cert=leaf[0], key=leaf[1]) as origin:
        p.connection("box", protocol="imap", host="localhost", port=origin.port, tls__mode="implicit", tls__ca_certificates=authority.ca,
                     after="keep", idle=True, interval="1h", active="always")
        with Watching(p, "-v", "-v") as w:
            until(lambda: rows(p, "offered"), w.text)
            p.good("trust", "accept", f"localhost:{origin.port}", "--yes")
            w.idles()
            failed = w.text().count("not issued by a known authority")
            p.good("trust", "revoke", "localhost")
            until(lambda: w.text().count("not issued by a known authority") > failed, w.text)
            assert rows(p, "offered") and len(p.in_maildir()) == 3


def test_a_visit_of_the_schedule(s, authority, leaf):
    with Origin(leaf) as origin:
        box(s.p, origin, tls__ca_certificates=authority.ca, active="always", interval="1h")
        s.start()
        until(lambda: rows(s.p, "offered"), "the first visit's offer")
        s.p.good("trust", "accept", origin.name, "--key", pin(leaf[0]))
        until(lambda: len(s.p.in_maildir()) == 3, s.log)    # at once, not after the back-off of an hour


def test_kill_9_between(s, authority, below, leaf):
    with Origin(leaf) as origin:
        box(s.p, origin, tls__ca_certificates=authority.ca)
        s.start()
        fails(s.p)
        s.p.good("trust", "accept", origin.name, "--authority", "2", "--key", pin(below.ca))
        s.kill()
        s.p.good("collect", "box")
        s.start()
        s.p.good("collect", "box")
        s.p.good("trust", "revoke", origin.name)
        s.kill()
        fails(s.p)
        s.start()
        fails(s.p)


def test_a_reload_keeps_it(s, authority, leaf):
    with Origin(leaf) as origin:
        box(s.p, origin, tls__ca_certificates=authority.ca)
        s.start()
        fails(s.p)
        s.p.good("trust", "accept", origin.name, "--yes")
        s.reload()
        s.p.good("collect", "box")
        s.p.good("trust", "revoke", origin.name)
        fails(s.p)


# ---- import

@pytest.mark.parametrize("running", [False, True])
def test_an_import_is_for_all(s, authority, below, leaf, other, running):
    p = s.p
    with Origin(leaf) as first, Origin(other) as second:
        box(p, first)
        box(p, second, "two")
        box(p, second, "own", tls__ca_certificates=authority.ca)
        if running:
            s.start()
        fails(p)
        assert "1 authority imported" in p.good("trust", "import", below.ca, "--name", "ours").out
        for name in ("box", "two"):
            p.good("test", name)
            p.good("collect", name)
        fails(p, name="own")
        [row] = rows(p, "imported")
        assert row["name"] == "ours" and row["certificate"]["subject"] == "CN=middle"
        assert "ours" in p.good("trust", "list").out and "CN=middle" in p.good("trust", "show", "ours").out
        p.good("trust", "revoke", "ours")
        fails(p)
        p.good("trust", "import", below.ca)
        assert [r["name"] for r in rows(p, "imported")] == ["ca"]
        p.good("collect", "box")
        p.good("trust", "revoke", row["sha256"].upper())
        fails(p)
        assert not rows(p, "imported")


def test_what_is_imported_is_authorities(p, authority, below, leaf):
    bundle = os.path.join(p.home, "bundle.pem")
    with open(bundle, "wb") as out:
        for part in (authority.ca, below.ca):
            with open(part, "rb") as f:
                out.write(b"between\n" + f.read())
    p.good("trust", "import", bundle)
    assert [r["name"] for r in rows(p)] == ["bundle"] * 2
    with open(bundle, "ab") as out, open(below.path("leaf.pem"), "rb") as f:
        out.write(f.read())
    done = p("trust", "import", bundle, "--name", "more")
    assert done.code == 2 and "certificate 3 (CN=leaf) is no authority" in done.err, done
    assert len(rows(p)) == 2, "all or nothing"
    broken = os.path.join(p.home, "broken.pem")
    for octets in (b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"-----BEGIN CERTIFICATE-----\n"):
        with open(broken, "wb") as out:
            out.write(octets)
        done = p("trust", "import", broken)
        assert done.code and "broken.pem" in done.err and not done.out, done
    done = p("trust", "import", os.path.join(p.home, "missing"))
    assert done.code == 2 and "cannot be opened" in done.err, done
    done = p("trust", "import", bundle, "--name", "a b")
    assert done.code and done.err, done
    assert "2 certificates are" in p.good("trust", "revoke", "bundle").out and not rows(p)


# ---- tests

def test_a_test_makes_no_state(p, authority, leaf):
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        done = fails(p, "test")
        assert "tls.pin" in done.out and "postrider trust" not in done.text and not os.path.exists(p.state), done


def test_a_test_beside_another_command(p, authority, leaf):
    """Who has the state is not waited for; what was accepted is not known then, and that is said."""
    with Origin(leaf) as origin:
        box(p, origin, tls__ca_certificates=authority.ca)
        fails(p)
        p.good("trust", "accept", origin.name, "--yes")

        class Held:
            done = None

            def __call__(self, word):
                if word == "UIDL" and not self.done:
                    self.done = p("test", "box")

        origin.event = held = Held()
        p.good("collect", "box")
        assert held.done and held.done.code == 1 and "what was accepted could not be read" in held.done.err, held.done
        p.good("test", "box")
