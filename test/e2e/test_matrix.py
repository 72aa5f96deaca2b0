# SPDX-License-Identifier: Apache-2.0
"""Each way in, each disposition, each kind of target, each mood of it: see matrix.py."""
import os
import shutil
import tempfile
from collections import Counter

import pytest

import corpus
import dovecot
from imap_store import Mailstore
from imapd import Imapd
from matrix import Matrix
from pop3d import Maildrop, Pop3d
from sinks import Sink

ONLY = os.environ.get("POSTRIDER_CELLS")        # a pattern: these alone


# Two thirds of the time that this takes are Dovecot's processes: they are to serve many.
FEW = "".join(f"service {name} {{\n  service_count = {count}\n}}\n" for name, count in (("imap-login", 0), ("pop3-login", 0), ("imap", 100), ("pop3", 100)))


@pytest.fixture(scope="module")
def m(authority):
    if not dovecot.available():
        pytest.skip("no dovecot on this machine")
    home = tempfile.mkdtemp(prefix="pr-matrix-")
    os.chmod(home, 0o755)
    with dovecot.Dovecot(authority, more=FEW) as source, Sink() as smtp, Sink(lmtp=True) as lmtp:
        matrix = Matrix(home, source, smtp, lmtp, ONLY)
        matrix.collect()
        yield matrix
    shutil.rmtree(home, ignore_errors=True)


def letters(folder):
    out = []
    for name in os.listdir(folder):
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as f:
                out.append(f.read())
    return out


@pytest.mark.slow
def test_each_cell_after_the_first_visit(m):
    faults = m.faults(m.first)
    assert not faults, "\n".join([f"{len(faults)} faults", *faults, str(m.done)])


def test_nothing_strange_was_said_to_servers(m):
    """Octets that are no command, for instance: then what was counted as sent was not what was sent."""
    assert not m.smtp.odd and not m.lmtp.odd


@pytest.mark.slow
def test_each_cell_after_recovery(m):
    m.mend()
    m.recover()
    faults = m.faults(m.last, mended=True)
    assert not faults, "\n".join([f"{len(faults)} faults", *faults, str(m.again), str(m.rest)])
    assert not m.asked, "asked before it was told to:\n" + "\n".join(m.asked)
    assert m.again.code == 0 and m.rest.code == 0, (m.again, m.rest)


@pytest.mark.parametrize("target", ["mailbox", "maildir", "folder"])
@pytest.mark.parametrize("protocol, steps", [("pop3", ("sent RETR 3", "sent RETR 30", "deleted")), ("imap", ("body 3", "body 30", "expunged"))])
def test_what_we_write_ourselves_when_we_die_amid(p, protocol, steps, target):
    """Killed early, late, and when the server has removed what it was told to; then one copy of each."""
    mail, process, until = corpus.small(40), None, None

    def event(word):
        if word == until:
            process.kill()

    p.account()
    where = os.path.join(p.home, "out")
    origin = Pop3d(Maildrop(mail), event=event) if protocol == "pop3" else Imapd(Mailstore(mail), event=event)
    with origin:
        p.clear("box", origin, protocol=protocol, after="delete", deliver=[{"mailbox": "mailbox:anna/INBOX"}.get(target, f"{target}:{where}")])
        for until in steps:
            process = p.start("collect", "box")
            process.communicate(timeout=60)
            assert process.returncode == -9, until
        until = None
        p.good("collect", "box")
        assert p.good("collect", "box").summary()["box"]["collected"] == 0
        assert not (origin.drop.octets() if protocol == "pop3" else origin.store.octets("INBOX"))
    have = {"mailbox": p.in_mailbox, "maildir": lambda: p.in_maildir(where), "folder": lambda: letters(where)}[target]()
    assert Counter(map(corpus.digest, have)) == Counter(map(corpus.digest, mail))
