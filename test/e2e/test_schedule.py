# SPDX-License-Identifier: Apache-2.0
"""`postrider run` visits connections by itself: when, how often, and how long it leaves alone what failed."""
import os
import time
from datetime import datetime, timezone

import pytest

import corpus
from dovecot import PASSWORD
from imapd import Imapd, Mailstore
from pop3d import Maildrop, Pop3d, Script, parse_script
from postrider import AWAY
from serving import Server, until
from test_collect_running import Gate, digests

MAIL = corpus.small(40)
WRONG = "not-that-one"
QUIET = 2.5             # seconds in which something that must not happen could have happened


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        server.account("anna", [])
        server.p.secrets.add(WRONG)
        yield server


def box(s, origin, name="box", **keys):
    s.p.clear(name, origin, **{"deliver": ["mailbox:anna/INBOX"], "after": "delete", "active": "always", "interval": "1s", **keys})


def rows(s):
    return {r["connection"]: r for r in s.p.good("status", "--json").rows()[0]["connections"]}


def row(s, name="box"):
    return rows(s)[name]


def moment(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


def ahead(text):
    """How many seconds a moment lies ahead."""
    return moment(text) - time.time()


def ended(s, name="box", **want):
    """Until a visit ended so; → the row."""
    def asked():
        r = row(s, name)
        return r["last"] and not r["running"] and all(r[k] == v for k, v in want.items()) and r
    return until(asked, lambda: f"{name} {want}: {row(s, name)}\n{s.log()}")


def emptied(s, origin):
    until(lambda: not origin.drop.octets(), lambda: "an empty maildrop:\n" + s.log())


def visits(origin):
    return len(origin.verbs("PASS"))


def test_by_itself_one_good_and_one_that_fails(s):
    with Pop3d(Maildrop(MAIL[:10])) as origin, Pop3d(Maildrop(MAIL[30:])) as other:
        box(s, origin)
        box(s, other, "wrong", password=WRONG)
        s.start()
        emptied(s, origin)
        origin.drop.add(MAIL[10])       # the next ones come by themselves
        emptied(s, origin)
        seen = visits(origin)
        until(lambda: visits(origin) > seen + 1, "more visits")
        wrong = ended(s, "wrong", error_class="fatal", error_kind="auth", failures=1)
        assert 3500 < ahead(wrong["next"]) <= 3960 and wrong["backoff_until"] == wrong["next"]
        assert wrong["last_success"] is None and "wrong" in wrong["error"]
        good = ended(s, error_class="none", error_kind="none", failures=0, error="")
        assert good["last_success"] and good["backoff_until"] is None
        assert visits(other) == 1       # and no more, however often the other one was visited
        text = s.p.good("status").out
        assert "wrong" in text and "in 59 min" in text or "in 1 h" in text, text
        s.stop()
        assert "connection=wrong visit next=20" in s.log() and "class=fatal failures=1" in s.log()
        assert digests(s.octets()) == digests(MAIL[:11])


def test_imap(s):
    with Imapd(Mailstore(MAIL[:5])) as origin:
        box(s, origin, protocol="imap")
        s.start()
        ended(s, error_kind="none")
        s.stop()
        assert digests(s.octets()) == digests(MAIL[:5])


def test_a_closed_window(s):
    with Pop3d(Maildrop(MAIL[:3])) as origin:
        box(s, origin, active=[AWAY, AWAY + " 08:00-18:00"])
        s.start()
        time.sleep(QUIET)
        r = row(s)
        assert visits(origin) == 0 and r["last"] is None
        assert 86400 < ahead(r["next"]) < 4 * 86400 and r["next"].endswith(":00Z")
        assert s.p.good("collect", "box").summary()["box"]["collected"] == 3    # by hand it is visited all the same
        assert row(s)["last_success"] and ahead(row(s)["next"]) > 86400
        origin.drop.add(MAIL[3])
        box(s, origin)
        s.reload()
        emptied(s, origin)


def test_once(s):
    with Pop3d(Maildrop(MAIL[:3])) as origin:
        box(s, origin, interval=0)
        s.start()
        emptied(s, origin)
        r = ended(s)
        assert r["done"] and r["next"] is None
        s.reload()                      # in which nothing changes
        time.sleep(QUIET)
        assert visits(origin) == 1
        assert "done" in s.p.good("status").out
        s.stop()
        s.start()
        until(lambda: visits(origin) == 2, "a visit of the next life")


def test_a_reload_keeps_what_did_not_change(s):
    with Pop3d(Maildrop(MAIL[:1])) as origin, Pop3d(Maildrop(MAIL[1:3])) as other, Pop3d(Maildrop(MAIL[3:4])) as new:
        box(s, origin, interval="1h")
        box(s, other, "wrong", password=WRONG)
        box(s, origin, "gone", interval="1s", user="nobody", delay_failed_account="1s")
        s.start()
        before = {n: ended(s, n) for n in ("box", "wrong")}
        ended(s, "gone")
        del s.p.sections["gone"]
        box(s, new, "new", interval="1h")
        s.reload()
        ended(s, "new", error_kind="none")
        after = rows(s)
        assert after.keys() == {"box", "wrong", "new"}
        assert {n: after[n] for n in before} == before
        count = visits(origin), visits(other)
        time.sleep(QUIET)
        assert (visits(origin), visits(other)) == count
        box(s, other, "wrong", password=PASSWORD)
        s.reload()
        ended(s, "wrong", error_kind="none", failures=0)
        assert visits(origin) == count[0] and visits(other) == count[1] + 1
        s.stop()
        assert digests(s.octets()) == digests(MAIL[:4])


def test_back_offs_outlive_the_process(s):
    with Pop3d(Maildrop(MAIL[:1])) as origin, Pop3d(Maildrop(MAIL[1:3])) as other:
        box(s, origin, interval="1h")
        box(s, other, "wrong", password=WRONG)
        box(s, origin, "mute", host="localhost", port=1)
        s.start()
        good, wrong, mute = ended(s), ended(s, "wrong"), ended(s, "mute", error_class="counted", error_kind="net", failures=1)
        assert 290 < ahead(mute["backoff_until"]) <= 331
        s.stop()
        for end in (s.kill, s.stop):
            s.start()
            until(lambda: visits(origin) > 1, "a visit")
            after = rows(s)
            assert visits(other) == 1
            for was in (wrong, mute):
                now = after[was["connection"]]
                assert all(now[k] == was[k] for k in ("next", "backoff_until", "last", "last_success", "failures")), (was, now)
            assert after["box"]["last_success"] >= good["last_success"]
            end()
        box(s, other, "wrong", password=PASSWORD)       # somebody put it right while nothing ran
        del s.p.sections["mute"]
        s.start()
        ended(s, "wrong", error_kind="none", failures=0)
        box(s, origin, "mute", host="localhost", port=1, active=AWAY)
        s.reload()
        assert row(s, "mute")["last"] is None           # it was forgotten with its section


def test_by_hand_in_a_back_off(s):
    with Pop3d(Maildrop(MAIL[:2])) as origin:
        box(s, origin, password="file:" + s.home + "/word", interval="1h")
        with open(s.home + "/word", "w", encoding="ascii") as f:
            f.write(WRONG)
        os.chmod(s.home + "/word", 0o600)
        s.start()
        assert ended(s, failures=1)["backoff_until"]
        with open(s.home + "/word", "w", encoding="ascii") as f:
            f.write(PASSWORD)
        assert s.p.good("collect", "box").summary()["box"]["collected"] == 2
        r = row(s)
        assert r["failures"] == 0 and r["backoff_until"] is None and 3400 < ahead(r["next"]) < 3800
        assert visits(origin) == 2


def test_the_service_stopped_and_started(s):
    with Pop3d(Maildrop(MAIL[:1])) as origin:
        box(s, origin)
        box(s, origin, "rare", interval="1h", deliver=["mailbox:anna/rare"])
        s.start()
        ended(s)
        first = ended(s, "rare")
        s.p.good("service", "stop", "collect")
        until(lambda: not row(s)["running"], "no visit")
        count = visits(origin)
        time.sleep(QUIET)
        assert visits(origin) == count
        s.p.good("service", "start", "collect")
        until(lambda: row(s, "rare")["last"] > first["last"], "a visit of rare, too")
        until(lambda: visits(origin) > count + 2, "visits")
        again = row(s, "rare")["last"]
        s.p.good("service", "start", "collect")         # it runs: nothing happens
        time.sleep(1.1)
        assert row(s, "rare")["last"] == again
        s.p.good("service", "restart", "collect")
        until(lambda: row(s, "rare")["last"] > again, "a visit of rare after the restart")


@pytest.mark.parametrize("says, least, most, kind", [
    ("[SYS/TEMP] try again in 20 minutes", 1190, 1321, "busy"),
    ("[LOGIN-DELAY] minimum time between logins is 10 minutes", 590, 661, "busy"),
    ("Exceeded the login limit for a 15 minute period. Reduce the frequency of requests to the POP3 server.", 890, 991, "auth"),
    ("[SYS/TEMP] come back later", 290, 331, "busy"),
    ("[IN-USE] another session has it", -1, 3, "busy"),
])
def test_a_server_that_wants_to_be_left_alone(s, says, least, most, kind):
    script = Script(parse_script(["> PASS *", "< -ERR " + says]))
    with Pop3d(Maildrop(MAIL[:1]), script=script) as origin:
        box(s, origin)
        s.start()
        r = ended(s, error_class="uncounted", failures=0)
        assert r["error_kind"] == kind and least <= ahead(r["next"]) <= most, r
        if least > 0:
            time.sleep(1.5)
            assert visits(origin) == 1


@pytest.mark.parametrize("says, tries, collected", [
    ("[IN-USE] another session has it", 2, 1),
    ("[SYS/TEMP] try again in 1 second", 2, 1),
    ("[SYS/TEMP] try again in 20 minutes", 1, 0),       # longer than retry_interval: not within this visit
])
def test_retries_within_a_visit(s, says, tries, collected):
    script = Script(parse_script(["> PASS *", "< -ERR " + says, "> PASS *", "! faithful"]))
    with Pop3d(Maildrop(MAIL[:1]), script=script) as origin:
        box(s, origin, interval="1h", max_retries=3, retry_interval="1s")
        s.start()
        r = ended(s)
        assert visits(origin) == tries and r["failures"] == 0 and bool(r["last_success"]) is bool(collected), r


def test_a_dead_host_is_one_failure_of_all_its_connections(s):
    with Pop3d(Maildrop(MAIL[:1])) as origin:
        for n in range(6):
            box(s, origin, f"dead{n}", host="localhost", port=1)
        box(s, origin)
        s.start()
        until(lambda: all(r["backoff_until"] for n, r in rows(s).items() if n != "box"), lambda: f"back-offs: {rows(s)}")
        waits = {r["backoff_until"] for n, r in rows(s).items() if n != "box"}
        assert len(waits) == 1 and 285 < ahead(waits.pop()) <= 331      # not doubled six times
        emptied(s, origin)
        assert row(s)["backoff_until"] is None


def test_max_per_host(s):
    gate = Gate("RETR 1")
    s.head["max_per_host"] = 1
    with Pop3d(Maildrop(MAIL[:1]), event=gate) as origin:
        for n in range(3):
            box(s, origin, f"box{n}", after="keep", interval=0, deliver=[f"mailbox:anna/box{n}"])
        s.start()
        gate.wait()
        time.sleep(1.2)
        assert visits(origin) == 1 and [r["running"] for r in rows(s).values()].count(True) == 1
        gate.open()
        for n in range(3):
            assert ended(s, f"box{n}", error_kind="none")["done"]
        assert visits(origin) == 3


def test_the_end_amid_a_visit_is_no_failure(s):
    gate = Gate("RETR 20")
    with Pop3d(Maildrop(MAIL), event=gate) as origin:
        box(s, origin)
        s.start()
        gate.wait()
        s.process.terminate()
        s.wait_log("ending")
        gate.open()
        s.gone()
        s.start()
        emptied(s, origin)
        assert ended(s)["failures"] == 0
        s.stop()
        assert digests(s.octets()) == digests(MAIL)
