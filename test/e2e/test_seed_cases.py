# SPDX-License-Identifier: Apache-2.0
"""What users of the old tools rely on, case by case, under its name there.

POPREP, the mail reader of BS2000 and Primeur's connections did these things; each test says which one it keeps.  What else
is kept is tested where it belongs: retries in test_retries.py, schedules in test_schedule.py, 500 connections in test_many.py."""
import os
import re
import time

import pytest

import certs
import corpus
from elsewhere import at, own_network
from imapd import Imapd, Mailstore, without
from pop3d import CAPA, Maildrop, Pop3d, Pop3Session, Script, parse_script
from postrider import section
from probing import Raw, both, says
from smtpd import Smtpd
from serving import Server, until

DAY = 86400
SECRETS = ("USER", "PASS", "AUTH", "APOP", "LOGIN", "AUTHENTICATE")


def origin_of(protocol, messages, **more):
    if protocol == "imap":
        return Imapd(Mailstore(messages), **more)
    return Pop3d(Maildrop(messages), **more)


def left(origin):
    """The octets of what is still at the server."""
    return origin.store.octets() if isinstance(origin, Imapd) else origin.drop.octets()


def add(origin, octets):
    if isinstance(origin, Imapd):
        origin.store.add("INBOX", octets)
    else:
        origin.drop.add(octets)


def fetched(origin):
    """How many message bodies were asked for."""
    imap = [re.match(r"UID FETCH (\S+) .*BODY\.PEEK\[\]", x) for x in origin.said]
    return len(origin.verbs("RETR")) + sum(len(expand(m[1])) for m in imap if m)


def expand(ids):
    return [n for part in ids.split(",") for n in range(int(part.split(":")[0]), int(part.split(":")[-1]) + 1)]


def numbers(messages):
    """The subjects' numbers of corpus.small."""
    return sorted(int(re.search(rb"^Subject: number (\d+)", m, re.M)[1]) for m in messages)


def logins(origin):
    return [s for s in origin.said if s.split()[0].upper() in SECRETS]


def visit(p, **want):
    done = p.good("collect", "box")
    got = done.summary()["box"]
    assert {k: got[k] for k in want} == want, done
    return done


# ---- when

@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", [])
        yield server


def row(s, name="box"):
    return {r["connection"]: r for r in s.p.good("status", "--json").rows()[0]["connections"]}[name]


def running(s, origin, protocol, **keys):
    s.p.clear("box", origin, **{"protocol": protocol, "deliver": ["mailbox:anna/INBOX"], "active": "always", "interval": "1s", **keys})
    s.start()


@both
@pytest.mark.parametrize("how", ["good", "busy", "refused"])
def test_interval_0_is_once(s, protocol, how):
    """BS2000's INTERVAL=0: a visit when it starts, and no other, also when that one failed."""
    said = {"busy": "[IN-USE] in use", "refused": "[AUTH] no"} if protocol == "pop3" else {"busy": "[INUSE] in use", "refused": "[AUTHENTICATIONFAILED] no"}
    command, answer = ("PASS", "-ERR") if protocol == "pop3" else ("LOGIN", "{tag} NO")
    script = Script(parse_script([f"> {command} *", f"< {answer} {said[how]}"])) if how != "good" else None
    caps = {} if protocol == "pop3" else {"caps": without("AUTH=PLAIN", "AUTH=LOGIN")}
    with origin_of(protocol, corpus.small(2), script=script, **caps) as origin:
        running(s, origin, protocol, interval=0, after="keep", delay_failed_account="1s", delay_failed_host="1s")
        until(lambda: row(s)["done"], lambda: f"the one visit:\n{s.log()}")
        met = origin.met
        add(origin, corpus.small(3)[2])
        time.sleep(2.5)
        assert origin.met == met and row(s)["next"] is None and row(s)["done"]
        s.stop()
        assert len(s.octets()) == (2 if how == "good" else 0)


@both
def test_keep(s, protocol):
    """KEEP=YES: visit after visit nothing is disposed of, nothing marked, nothing comes twice, and new mail comes."""
    mail = corpus.small(8)
    with origin_of(protocol, mail[:5]) as origin:
        running(s, origin, protocol, after="keep")
        visits = lambda: len(origin.verbs("QUIT") + origin.verbs("LOGOUT"))  # noqa: E731
        until(lambda: visits() >= 2, "two visits")
        for octets in mail[5:]:
            add(origin, octets)
        until(lambda: fetched(origin) >= 8, lambda: f"new mail: {origin.said}")
        seen = visits()
        until(lambda: visits() >= seen + 2, "two more")
        s.stop()
        s.start()                   # a restart forgets nothing
        until(lambda: visits() >= seen + 4, "two more")
        s.stop()
        assert len(left(origin)) == 8 and numbers(s.octets()) == list(range(8))
        assert not origin.verbs("DELE") and not [x for x in origin.said if x.upper().startswith(("UID STORE", "STORE", "UID MOVE", "EXPUNGE"))]
        assert protocol == "pop3" or not origin.store.seen()


# ---- which

PULLS = {               # of six, on IMAP those read already; which ones come, visit by visit
    ("pop3", "first"): [0, 1, 2], ("pop3", "first-unread"): [0, 1, 2], ("pop3", "last"): [5, 4, 3], ("pop3", "last-unread"): [5, 4, 3],
    ("imap", "first"): [0, 1, 2], ("imap", "first-unread"): [1, 3, 4], ("imap", "last"): [5, 4, 3], ("imap", "last-unread"): [4, 3, 1],
}
READ = {0, 2, 5}


@both
@pytest.mark.parametrize("pull", ["first", "first-unread", "last", "last-unread"])
@pytest.mark.parametrize("after", ["keep", "delete"])
def test_pull(p, protocol, pull, after):
    """Primeur's pull: one message a visit, the oldest or the newest of those that are new, of all or of the unread."""
    with origin_of(protocol, corpus.small(6)) as origin:
        if protocol == "imap":
            for n in READ:
                origin.store.flag("INBOX", n + 1, add={"\\Seen"})
        p.clear("box", origin, protocol=protocol, pull=pull, after=after)
        want = PULLS[protocol, pull]
        for done in range(1, len(want) + 1):
            visit(p, collected=1, failed=0)
            assert numbers(p.in_maildir()) == sorted(want[:done])
            assert fetched(origin) == done, origin.said
            assert numbers(left(origin)) == [n for n in range(6) if after == "keep" or n not in want[:done]]


class Hider(Pop3Session):
    """What RETR has shown is in no later session: the server takes it for read."""

    def __init__(self, origin, sock):
        super().__init__(origin, sock)
        if not hasattr(origin, "hidden"):
            origin.hidden = set()

    def do_retr(self, arg):
        m = self.find(arg)
        if m:
            self.origin.hidden.add(m)
            self.body(m.octets)

    def do_pass(self, arg):
        super().do_pass(arg)
        if self.messages:
            self.messages = [m for m in self.messages if m not in self.origin.hidden]


class HidingPop3d(Pop3d):
    session = Hider


@pytest.mark.parametrize("use_top", [True, False])
def test_top_against_a_server_that_hides_what_was_retrieved(p, use_top):
    """USE_TOP of POPREP: with TOP the mail that is kept stays to be seen by the others; with RETR it is gone for them."""
    mail = corpus.messages(25)
    with HidingPop3d(Maildrop(mail)) as origin:
        p.clear("box", origin, use_top=use_top, after="keep")
        visit(p, collected=25)
        assert len(origin.hidden) == (0 if use_top else 25)
        visit(p, collected=0)
        assert sorted(map(corpus.digest, p.in_maildir())) == sorted(map(corpus.digest, mail))
        assert bool(origin.verbs("RETR")) is not use_top


def test_top_where_there_is_none(p):
    """USE_TOP where the server has no TOP: an error, and never RETR instead."""
    with HidingPop3d(Maildrop(corpus.small(3)), capa=[c for c in CAPA if c != "TOP"]) as origin:
        p.clear("box", origin, use_top=True, after="keep")
        done = p("collect", "box")
        assert done.code == 1 and "TOP" in done.text, done
        assert not origin.verbs("RETR") and not origin.hidden and p.in_maildir() == []


def test_top_that_is_refused(p):
    """USE_TOP where TOP is announced and refused, or unknown: the message failed, and never RETR instead."""
    script = Script(parse_script(["> TOP *", "< -ERR command not implemented"]))
    with HidingPop3d(Maildrop(corpus.small(2)), script=script) as origin:
        p.clear("box", origin, use_top=True, after="delete")
        done = p("collect", "box")
        assert done.code == 1 and "not implemented" in done.text, done
        assert not origin.verbs("RETR") and len(left(origin)) == 2


# ---- TLS wanted, TLS required

START = {"pop3": ("STLS", "+OK begin", "-ERR no"), "imap": ("STARTTLS", "{tag} OK begin", "{tag} NO not now")}


def breaking(protocol, way):
    """A server whose start of TLS fails this way."""
    command, good, bad = START[protocol]
    lines = {"not offered": None, "refused": [f"< {bad}"], "alert": [f"< {good}", "! wait 0.2", "<< \\x15\\x03\\x01\\x00\\x02\\x02\\x28", "! close"], "clear text": [f"< {good}", "<< ready\\r\\n"],
             "closed": [f"< {good}", "! close"]}[way]
    script = lines and Script(parse_script([f"> {command}", *lines]))
    more = {"script": script, "tls": "stls"} if script else {}
    return more


@both
@pytest.mark.parametrize("way", ["not offered", "refused", "alert", "closed"])
@pytest.mark.parametrize("required", [True, False])
def test_wanted_goes_on_in_clear_and_required_stops(p, authority, protocol, way, required):
    """TLS WANTED and REQUIRED of POPREP, REQUIRED=NO and YES of BS2000, with STLS or STARTTLS."""
    more = breaking(protocol, way)
    if more:
        more["cert"], more["key"] = authority.sign("wanted")
    mail = corpus.small(2)
    with origin_of(protocol, mail, **more) as origin:
        p.clear("box", origin, protocol=protocol, tls__mode="explicit", tls__required=required, tls__ca_certificates=authority.ca)
        done = p("collect", "box")
        assert done.code == (1 if required else 0), done
        assert bool(logins(origin)) is not required, origin.said
        assert len(p.in_maildir()) == (0 if required else 2)
        assert not required or re.search("TLS|STLS", done.err), done
        if way in ("closed", "alert") and not required:
            assert "no TLS, going on in clear as tls.required = false allows" in done.text and origin.met == 2, done


@both
@pytest.mark.parametrize("required", [True, False])
def test_octets_in_clear_behind_the_start_of_tls_always_stop(p, authority, protocol, required):
    """They are no technical failure: somebody may have put them there."""
    cert, key = authority.sign("wanted")
    with origin_of(protocol, corpus.small(2), cert=cert, key=key, **breaking(protocol, "clear text")) as origin:
        p.clear("box", origin, protocol=protocol, tls__mode="explicit", tls__required=required, tls__ca_certificates=authority.ca)
        done = p("collect", "box")
        assert done.code == 1 and "interfering" in done.text, done
        assert not logins(origin) and origin.met == 1


CLEAR_PORT, TLS_PORT = {"pop3": 110, "imap": 143}, {"pop3": 995, "imap": 993}
BEHIND = {"clear text": None, "closes": lambda raw, sock: None, "no TLS": says(b"\x16\x03\x03 nothing of the kind\r\n", close=True)}


@both
@pytest.mark.parametrize("way", ["clear text", "closes", "no TLS", "nobody"])
@pytest.mark.parametrize("required", [True, False])
@own_network
def test_wanted_goes_to_the_clear_port(p, protocol, way, required):
    """The same with TLS from the start: on the clear port then."""
    with origin_of(protocol, corpus.small(2), port=CLEAR_PORT[protocol]) as origin:
        other = None
        if way == "clear text":
            other = origin_of(protocol, corpus.small(1), port=TLS_PORT[protocol])
        elif way != "nobody":
            other = Raw(BEHIND[way], TLS_PORT[protocol])
        if other:
            other.__enter__()
        p.connection("box", protocol=protocol, tls__mode="implicit", tls__required=required, allow_cleartext=True)
        done = p("collect", "box")
        if other:
            other.__exit__()
        assert done.code == (1 if required else 0), done
        assert bool(logins(origin)) is not required and bool(origin.met) is not required
        assert len(p.in_maildir()) == (0 if required else 2)


@both
@pytest.mark.parametrize("mode", ["implicit", "explicit"])
@pytest.mark.parametrize("wrong", ["authority", "self", "expired", "early", "revoked", "pin", "depth"])
@pytest.mark.parametrize("required", [True, False])
def test_a_certificate_that_is_wrong_always_stops(p, authority, home, protocol, mode, wrong, required):
    """WANTED is no leave to talk to anybody: what is proved wrong ends the visit, and there is no second try in clear."""
    keys = {"tls__ca_certificates": authority.ca}
    if wrong == "self":
        cert, key = certs.self_signed(os.path.join(home, "self"))
    elif wrong == "depth":
        cert, key = authority.intermediate("below").chain("deep")
        keys["tls__verify_depth"] = 1
    else:
        cert, key = authority.sign("wrong-" + wrong, expired=wrong == "expired", early=wrong == "early")
    if wrong == "authority":
        keys["tls__ca_certificates"] = certs.Authority(os.path.join(home, "other"), "Another CA").ca
    if wrong == "revoked":
        keys["tls__crl"] = authority.revoke(cert)
    if wrong == "pin":
        keys["tls__pin"] = "00" * 32
    with origin_of(protocol, corpus.small(2), tls="implicit" if mode == "implicit" else "stls", cert=cert, key=key) as origin:
        p.connection("box", protocol=protocol, host="localhost", port=origin.port, tls__mode=mode, tls__required=required,
                     allow_cleartext=True, **keys)
        done = p("collect", "box")
        assert done.code == 1 and "certificate" in done.text or wrong == "pin" and "pin" in done.text, done
        assert not logins(origin) and origin.met == 1, origin.said
        assert "in clear" not in done.text and len(left(origin)) == 2


@both
@pytest.mark.parametrize("required", [True, False])
def test_a_wrong_host_name_is_tolerated_where_tls_is_only_wanted(p, authority, protocol, required):
    """REQUIRED looks at the name, WANTED does not, and the line is TLS all the same."""
    cert, key = authority.sign("elsewhere", ["DNS:pop.example.org"])
    with origin_of(protocol, corpus.small(2), tls="implicit", cert=cert, key=key) as origin:
        p.connection("box", protocol=protocol, host="localhost", port=origin.port, tls__required=required, tls__ca_certificates=authority.ca)
        done = p("collect", "box")
        assert done.code == (1 if required else 0) and len(p.in_maildir()) == (0 if required else 2), done
        assert origin.met == 1 and bool(logins(origin)) is not required


@both
@pytest.mark.parametrize("depth, direct, deep", [(1, True, False), (2, True, True), (None, True, True)])
def test_verify_depth(p, authority, protocol, depth, direct, deep):
    """VERIFY_DEPTH=1: signed by a known authority itself, or not at all; 2 allows one between."""
    below = authority.intermediate("between")
    for (cert, key), good in ((authority.sign("direct"), direct), (below.chain("deep"), deep)):
        with origin_of(protocol, corpus.small(1), tls="implicit", cert=cert, key=key) as origin:
            p.connection("box", protocol=protocol, host="localhost", port=origin.port, tls__ca_certificates=authority.ca,
                         **({"tls__verify_depth": depth} if depth else {}))
            done = p("collect", "box")
            assert (done.code == 0) is good and bool(logins(origin)) is good, (cert, done)
            assert good or re.search("chain|depth", done.text), done


def test_verify_depth_0_is_refused(p):
    """It would accept nobody; OpenSSL counts from 0, this key from 1."""
    p.connection("box", tls__verify_depth=0)
    done = p("check")
    assert done.code == 2 and re.search(r"postrider\.conf:\d+.*verify_depth", done.err), done


@both
@pytest.mark.parametrize("keys, version", [
    ({"tls__protocols": ["All -TLSv1.3"]}, "TLSv1.2"), ({"tls__protocols": ["All", "-TLSv1.3"]}, "TLSv1.2"), ({}, "TLSv1.3"),
    ({"tls__protocols": ["All -TLSv1.2"]}, "TLSv1.3"), ({"tls__max": "TLSv1.2"}, "TLSv1.2"),
    ({"tls__protocols": ["TLSv1.2", "+TLSv1.3"], "tls__max": "TLSv1.2"}, "TLSv1.2"),
])
def test_protocols(p, authority, protocol, keys, version):
    """PROTOCOL='All -TLSv1.3' of BS2000, with a server that speaks both."""
    cert, key = authority.sign("versions")
    with origin_of(protocol, corpus.small(1), tls="stls", cert=cert, key=key) as origin:
        p.connection("box", protocol=protocol, port=origin.port, tls__mode="explicit", tls__ca_certificates=authority.ca, **keys)
        visit(p, collected=1)
        assert origin.versions == [version]


@pytest.mark.parametrize("keys", [
    {"tls__protocols": ["All -TLSv1.2 -TLSv1.3"]}, {"tls__protocols": ["TLSv1.2"], "tls__min": "TLSv1.3"},
    {"tls__min": "TLSv1.3", "tls__max": "TLSv1.2"}, {"tls__protocols": ["All -TLSv1.3"], "tls__min": "TLSv1.3", "tls__max": "TLSv1.3"},
])
def test_protocols_that_leave_nothing(p, keys):
    """An error of the configuration, at its line, and nobody is visited."""
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        p.connection("box", port=origin.port, tls__mode="explicit", **keys)
        for command in (["check"], ["collect", "box"]):
            done = p(*command)
            assert done.code == 2 and re.search(r"postrider\.conf:\d+.*version of TLS", done.err), done
        assert not origin.met


# ---- and afterwards

@both
def test_removed_after_it_was_delivered(p, protocol):
    """KEEP=NO: each deletion is asked for when the message is in its file, not before."""
    mail, early = corpus.small(40), []

    def event(word):
        asked = re.match(r"DELE (\d+)|UID STORE (\S+) \+FLAGS", word)
        if asked:
            there = numbers(p.in_maildir())         # files are written side by side: not always the first ones first
            early.extend((word, n, there) for n in ([int(asked[1])] if asked[1] else expand(asked[2])) if n - 1 not in there)

    with origin_of(protocol, mail, event=event) as origin:
        p.clear("box", origin, protocol=protocol, after="delete")
        visit(p, collected=40)
        assert not early and left(origin) == [] and numbers(p.in_maildir()) == list(range(40))
        assert origin.verbs("DELE") or origin.verbs("UID STORE")


@both
def test_removed_after_n_days(p, protocol):
    """REMOVE_AFTER of POPREP: kept, and deleted by the visit that finds it delivered seven days ago, each by its own day."""
    mail = corpus.small(5)
    with origin_of(protocol, mail[:3]) as origin:
        p.clear("box", origin, protocol=protocol, after="keep", delete_after="7d")
        visit(p, collected=3)
        add(origin, mail[3])
        at(p, 5)
        visit(p, collected=1)
        at(p, 6.9)
        visit(p, collected=0)
        assert len(left(origin)) == 4, "too early"
        at(p, 7.1)
        add(origin, mail[4])
        visit(p, collected=1)
        assert numbers(left(origin)) == [3, 4]
        at(p, 11.9)
        visit(p, collected=0)
        assert numbers(left(origin)) == [3, 4]
        at(p, 12.1)
        visit(p, collected=0)
        assert numbers(left(origin)) == [4]
        at(p, 40)
        visit(p, collected=0)
        assert left(origin) == [] and numbers(p.in_maildir()) == list(range(5))


# ---- for whom it is

LOST = [b"From: a@example.org\r\nDelivered-To: anna@old.example\r\nSubject: number 0, x\r\n\r\nfor anna\r\n",
        b"From: a@example.org\r\nSubject: number 1, x\r\n\r\nfor nobody\r\n"]


@both
@pytest.mark.parametrize("outcome", ["hold", "delete", "quarantine", "first@corp.example, second@corp.example"])
def test_no_recipient_is_found(p, protocol, outcome):
    """POPREP's catch-all mailbox, and what becomes of mail whose header names nobody: each outcome that there is."""
    with origin_of(protocol, LOST) as origin, Smtpd() as sink:
        p.sections["target"] = section("target relay", {"type": "smtp", "host": "127.0.0.1", "port": sink.port, "tls__mode": "none"})
        p.clear("box", origin, protocol=protocol, after="delete", deliver=["relay"],
                envelope__source_domain="old.example", envelope__target_domain="corp.example", envelope__no_recipient=outcome)
        p("collect", "box")
        p("collect", "box")
        got = {tuple(recipients): octets for _, recipients, octets in sink.mails}
        assert b"for anna" in got.pop(("anna@corp.example",)) and len(sink.mails) == (2 if "," in outcome else 1)
        if "," in outcome:
            assert b"for nobody" in got.pop(("first@corp.example", "second@corp.example"))
        listed = p.good("held", "list", "--json").rows()
        kept = [h["state"] for h in listed]
        assert not got and kept == {"quarantine": ["quarantined"]}.get(outcome, kept if outcome == "hold" else [])
        assert numbers(left(origin)) == ([1] if outcome == "hold" else []), (left(origin), listed)
        if outcome in ("hold", "quarantine"):
            assert "nobody" in p.good("history", "box").out or "recipient" in p.good("history", "box").out
