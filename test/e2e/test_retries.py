# SPDX-License-Identifier: Apache-2.0
"""What failed is tried again: within a visit by max_retries, and by `run` later and later, whoever is to blame."""
import socket
import time

import pytest

import corpus
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Pop3d, Script, parse_script
from serving import Server, until
from test_schedule import AWAY, WRONG, ahead, box, emptied, ended, moment, row, rows, visits

MAIL = corpus.small(6, seed=71)
HOUR, MINUTE = 3600, 60


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", [])
        server.p.secrets.add(WRONG)
        yield server


def script(*lines):
    return Script(parse_script(lines))


def refusing(command, line, times=1, then="! faithful"):
    """So many times this line, or `! act`; then the other."""
    return script(*[x for _ in range(times) for x in ("> " + command, line)], "> " + command, then)


class Closed(Pop3d):
    """Nobody listens at its port, until `open`."""

    def __init__(self, drop):
        super().__init__(drop)
        self.accepting = None
        self.server.close()
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", self.port))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        if self.accepting:
            super().__exit__(*why)
        else:
            self.server.close()

    def open(self):
        self.server.listen(64)
        super().__enter__()


# ---- within a visit

IN_USE, BUSY, NO = "< -ERR [IN-USE] another session has it", "< -ERR [SYS/TEMP] not now", "< -ERR [AUTH] no"


@pytest.mark.parametrize("line, fails, keys, tries, good", [
    ("! close", 2, {"max_retries": 2}, 3, True),            # counted: as often as is said
    ("! close", 3, {"max_retries": 2}, 3, False),
    ("! hang", 1, {"max_retries": 1}, 2, True),
    ("< what?", 1, {"max_retries": 1}, 2, True),
    ("! close", 1, {}, 1, False),                           # neither is set
    ("! close", 1, {"max_retries": 0}, 1, False),
    ("! close", 1, {"max_retries": 5, "retry_interval": 0}, 1, False),
    (IN_USE, 2, {"max_retries": 2}, 3, True),               # said of PASS: counted, since a wrong password may be behind it
    (BUSY, 2, {"max_retries": 1}, 2, False),
    (IN_USE, 99, {"max_retries": 1}, 2, False),
    (IN_USE, 1, {"max_retries": 0}, 1, False),
    (NO, 9, {"max_retries": 5}, 1, False),                  # fatal: never
])
def test_pop3(p, line, fails, keys, tries, good):
    asked = "CAPA" if line == "! close" else "PASS"     # behind more than one command it may be that pipelining is what fails
    with Pop3d(Maildrop(MAIL), script=refusing(asked + "*", line, fails)) as origin:
        # any time-out of ours is long enough, but for the server that hangs
        p.clear("box", origin, timeout="1s" if line == "! hang" else "20s", **{"retry_interval": "1s", **keys} if keys else {})
        done = p("collect", "box")
        found = len(origin.verbs(asked)) - (good and asked == "CAPA")    # which is said behind the login, too
        assert found == tries and done.code == (0 if good else 1), (done, origin.said)
        assert len(p.in_maildir()) == (len(MAIL) if good else 0)


@pytest.mark.parametrize("fails, tries, good", [(2, 3, True), (99, 11, False)])
def test_busy_before_the_password_is_not_counted(p, fails, tries, good):
    """max_retries is 1: more often, but not for ever."""
    with Pop3d(Maildrop(MAIL), capa=["USER", "UIDL", "TOP"], script=refusing("USER*", IN_USE, fails)) as origin:
        p.clear("box", origin, max_retries=1, retry_interval="1s")
        done = p("collect", "box")
        assert len(origin.verbs("USER")) == tries and done.code == (0 if good else 1), (done, origin.said)
        assert len(origin.verbs("PASS")) == (1 if good else 0)
        assert len(p.in_maildir()) == (len(MAIL) if good else 0)


@pytest.mark.parametrize("line, tries, good", [
    ("< {tag} NO [UNAVAILABLE] Temporary authentication failure.", 2, False),
    ("< {tag} NO [LIMIT] Too many sessions for this user", 2, False),
    ("< {tag} NO [INUSE] another session has it", 2, False),
    ("< {tag} NO [SERVERBUG] oops", 2, False),
    ("< * BYE [UNAVAILABLE] going down", 2, False),
    ("! close", 1, False),                                 # in place of an answer: shown once
    ("< {tag} NO [AUTHENTICATIONFAILED] no", 1, False),
    ("< {tag} NO [EXPIRED] the password is too old", 1, False),
])
def test_imap(p, line, tries, good):
    """max_retries is 1: a login that brought the password is made twice at most, whatever the server says of it."""
    lines = [line, "! close"] if "BYE" in line else [line]
    rules = [x for _ in range(2) for x in ("> LOGIN *", *lines)]
    with Imapd(Mailstore(MAIL), caps=["IMAP4rev1"], script=script(*rules, "> LOGIN *", "! faithful")) as origin:
        p.clear("box", origin, protocol="imap", max_retries=1, retry_interval="1s")
        done = p("collect", "box")
        assert len(origin.verbs("LOGIN")) == tries and done.code == (0 if good else 1), (done, origin.said)
        assert len(p.in_maildir()) == (len(MAIL) if good else 0)


@pytest.mark.parametrize("keys", [{"tls__ca_certificates": None}, {"password": WRONG}, {"password": "command:false"}])
def test_what_only_a_person_mends_is_not_tried_again(p, authority, keys):
    cert, key = authority.sign("retries")
    p.secrets.add(WRONG)
    with Pop3d(Maildrop(MAIL), tls="implicit", cert=cert, key=key) as origin:
        p.connection("box", port=origin.port, max_retries=5, retry_interval="1s", **{"tls__ca_certificates": authority.ca, **keys})
        done = p("collect", "box")
        assert done.code == 1 and "trying again" not in done.text, done
        assert len(origin.verbs("PASS")) == (1 if keys.get("password") == WRONG else 0)


def test_a_download_that_was_cut_goes_on_where_it_was(p):
    with Pop3d(Maildrop(MAIL), script=script("> RETR 4", "! close", "> RETR 4", "! faithful")) as origin:
        p.clear("box", origin, after="keep", max_retries=1, retry_interval="1s")
        done = p.good("collect", "box")
        assert "trying again in" in done.err
        assert len(origin.verbs("RETR")) <= len(MAIL) + 3       # what was delivered is not fetched again
        assert done.summary()["box"]["collected"] == len(p.in_maildir()) == len(MAIL)


# ---- once

@pytest.mark.parametrize("what", ["wrong", "dead"])
def test_once_however_it_ends(s, what):
    with Pop3d(Maildrop(MAIL)) as origin:
        keys = {"wrong": {"password": WRONG}, "dead": {"host": "localhost", "port": 1}}[what]
        box(s, origin, interval=0, delay_failed_host=0, delay_failed_account=0, **keys)
        s.start()
        r = ended(s, failures=1)
        assert r["done"] and r["next"] is None and r["error"]
        s.reload()
        time.sleep(1.5)
        assert row(s)["failures"] == 1 and visits(origin) == (what == "wrong")


def test_collect_is_once_whatever_the_interval(p):
    with Pop3d(Maildrop(MAIL)) as origin:
        for interval in (0, "1s", "2h"):
            p.clear("box", origin, after="keep", interval=interval, active=AWAY)
            p.good("collect", "box")
        assert visits(origin) == 3


# ---- windows

def clock(seconds):
    return time.strftime("%H:%M", time.localtime(time.time() + seconds))


@pytest.mark.parametrize("windows", [
    lambda: [f"{clock(-HOUR)}-{clock(HOUR)}"],                          # over midnight at night
    lambda: [AWAY, f"{clock(-HOUR)}-{clock(HOUR)}"],
    lambda: ["Mon-Sun"],
])
def test_an_open_window(s, windows):
    with Pop3d(Maildrop(MAIL)) as origin:
        box(s, origin, active=windows(), interval="1h")
        s.start()
        emptied(s, origin)
        assert ended(s, error_kind="none")["next"]


def test_a_window_that_opens_later_today(s):
    with Pop3d(Maildrop(MAIL)) as origin:
        box(s, origin, active=[f"{clock(2 * HOUR)}-{clock(3 * HOUR)}"])
        s.start()
        until(lambda: row(s)["next"], "a plan")
        assert 2 * HOUR - MINUTE - 5 <= ahead(row(s)["next"]) <= 2 * HOUR + 10 * MINUTE and visits(origin) == 0


# ---- later and later: each visit by hand is one more failure, and waits for nothing

def backoffs(s, count, pause=0.0):
    """After each of so many failed visits, how long the back-off is from then on."""
    found, name = [], "box"
    for n in range(count):
        time.sleep(pause if n else 0)
        before = time.time()
        assert s.p("collect", name).code == 1
        r = row(s, name)
        assert r["failures"] == n + 1 or r["error_class"] == "uncounted", r
        found.append((moment(r["backoff_until"]) - before, moment(r["backoff_until"]) - time.time()))
    return found


def assert_waits(found, wanted):
    """As long as wanted, and up to a tenth more; moments are told in whole seconds."""
    assert len(found) == len(wanted)
    for (most, least), want in zip(found, wanted):
        assert most >= want - 1 and least <= want * 1.1 + 1, (found, wanted)


@pytest.mark.parametrize("keys, words, wanted", [
    # fatal: the account's, to a day
    ({"delay_failed_account": "5h"}, "-ERR [AUTH] no", [5 * HOUR, 10 * HOUR, 20 * HOUR, 24 * HOUR, 24 * HOUR]),
    ({}, "-ERR [AUTH] no", [HOUR, 2 * HOUR, 4 * HOUR]),
    # a broken protocol: from delay_failed_host to delay_failed_account
    ({"delay_failed_host": "2min", "delay_failed_account": "7min"}, "what?", [2 * MINUTE, 4 * MINUTE, 7 * MINUTE, 7 * MINUTE]),
    # busy, without a time: the same
    ({"delay_failed_host": "2min", "delay_failed_account": "7min"}, "-ERR [SYS/TEMP] not now", [2 * MINUTE, 4 * MINUTE, 7 * MINUTE, 7 * MINUTE]),
    # busy, with a time: as often as it says so
    ({"delay_failed_host": "2min"}, "-ERR [LOGIN-DELAY] minimum time between logins is 3 minutes", [3 * MINUTE, 3 * MINUTE, 3 * MINUTE]),
    ({"delay_failed_host": "2min"}, "-ERR try again in 3 days", [24 * HOUR, 24 * HOUR]),
])
def test_back_off_of_one_connection(s, keys, words, wanted):
    with Pop3d(Maildrop(MAIL), script=script("> PASS *", "< " + words)) as origin:
        box(s, origin, active=AWAY, **keys)
        s.start()
        assert_waits(backoffs(s, len(wanted)), wanted)
        r = row(s)
        assert ahead(r["next"]) >= wanted[-1] - 5
    with Pop3d(Maildrop(MAIL)) as origin:      # elsewhere, and so another section: it is over
        box(s, origin, active=AWAY)
        s.reload()
        assert row(s)["backoff_until"] is None and row(s)["failures"] == 0


@pytest.mark.parametrize("keys", [{"delay_failed_host": 0, "delay_failed_account": 0}])
def test_no_delay_is_none(s, keys):
    with Pop3d(Maildrop(MAIL), script=script("> PASS *", "< -ERR [AUTH] no")) as origin:
        box(s, origin, **keys)
        s.start()
        ended(s, error_class="fatal")
        until(lambda: visits(origin) > 2, "after the interval, again")


def test_a_good_visit_ends_the_back_off(s):
    with Pop3d(Maildrop(MAIL), script=refusing("PASS *", "< -ERR [AUTH] no", 3)) as origin:
        box(s, origin, active=AWAY)
        s.start()
        assert_waits(backoffs(s, 3), [HOUR, 2 * HOUR, 4 * HOUR])
        s.p.good("collect", "box")
        r = row(s)
        assert r["failures"] == 0 and r["backoff_until"] is None and r["error_class"] == "none" and r["last_success"]


def test_a_host_that_is_down(s):
    """All its connections wait, one of them is asked when the time has come, and any answer frees the others."""
    closed = Closed(Maildrop(MAIL))
    with closed, Pop3d(Maildrop(MAIL[:1])) as other:
        for n in range(4):
            box(s, closed, f"box{n}", host="localhost", after="keep", delay_failed_host="4s", deliver=[f"mailbox:anna/box{n}"])
        box(s, other, "other")
        s.start()
        emptied(s, other)
        until(lambda: all(row(s, f"box{n}")["failures"] for n in range(4)), "four failures")
        until(lambda: sum(row(s, f"box{n}")["failures"] for n in range(4)) > 4, "a second try")
        now = rows(s)
        waits = {now[f"box{n}"]["backoff_until"] for n in range(4)}
        assert len(waits) == 1 and ahead(waits.pop()) <= 8 * 1.1 + 1, now
        assert "failures=2" in s.log() and s.log().count("failures=2") < 4, "not all of them were tried again"
        assert now["other"]["backoff_until"] is None
        closed.open()
        s.p.good("collect", "box0")
        until(lambda: all(row(s, f"box{n}")["last_success"] for n in range(4)), lambda: f"all: {rows(s)}")
        assert all(row(s, f"box{n}")["backoff_until"] is None for n in range(4))


def test_a_host_doubles_to_an_hour(s):
    with Closed(Maildrop(MAIL)) as origin:
        box(s, origin, active=AWAY, delay_failed_host="10min")
        s.start()           # visits that began in the second in which the host was found out count as one
        assert_waits(backoffs(s, 5, pause=2.1), [10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR, HOUR])


# ---- what servers say over IMAP

@pytest.mark.parametrize("says, least, most, kind", [
    ("NO [UNAVAILABLE] Temporary authentication failure.", 290, 331, "busy"),
    ("NO [UNAVAILABLE] try again in 20 minutes", 1190, 1321, "busy"),
    ("NO [LIMIT] Too many sessions for this user", 290, 331, "busy"),
    ("NO [INUSE] another session has the mailbox", -1, 3, "busy"),
    ("NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", 290, 331, "auth"),
    ("BYE [UNAVAILABLE] going down, try again in 10 minutes", 590, 661, "busy"),
    ("BYE Too many connections, try again in 10 minutes", 590, 661, "net"),
])
def test_an_imap_server_that_wants_to_be_left_alone(s, says, least, most, kind):
    lines = ["< * " + says, "! close"] if says.startswith("BYE") else ["< {tag} " + says]
    with Imapd(Mailstore(MAIL), caps=["IMAP4rev1"], script=script("> LOGIN *", *lines)) as origin:
        box(s, origin, protocol="imap")
        s.start()
        r = ended(s, error_class="uncounted", failures=0)
        assert r["error_kind"] == kind and least <= ahead(r["next"]) <= most, r


@pytest.mark.parametrize("command, says", [
    ("SELECT *", "{tag} NO [UNAVAILABLE] backend is down, try again in 10 minutes"),
    ("UID SEARCH *", "{tag} NO [LIMIT] too many searches, wait 10 minutes"),
    ("UID SEARCH *", "* BYE [UNAVAILABLE] try again in 10 minutes"),
])
def test_in_the_middle_of_a_visit(s, command, says):
    with Imapd(Mailstore(MAIL), script=script("> " + command, "< " + says, *["! close"] * ("BYE" in says))) as origin:
        box(s, origin, protocol="imap")
        s.start()
        r = ended(s, error_class="uncounted", failures=0)
        assert 590 <= ahead(r["next"]) <= 661, r


# ---- chance

def test_a_twentieth_more_or_less(s):
    """They were all begun together; they do not come back together."""
    names = [f"box{n}" for n in range(30)]
    with Pop3d(Maildrop(MAIL[:1])) as origin:
        for name in names:
            box(s, origin, name, after="keep", interval="2h", deliver=["mailbox:anna/INBOX"])
        s.start()
        found = [ended(s, name, error_kind="none") for name in names]
    waits = [moment(r["next"]) - moment(r["last"]) for r in found]
    assert all(2 * HOUR * 0.95 - 2 <= w <= 2 * HOUR * 1.05 + 2 for w in waits), waits
    assert max(waits) - min(waits) > 60 and len(set(waits)) > 20, waits
