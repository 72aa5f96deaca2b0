# SPDX-License-Identifier: Apache-2.0
"""Mailboxes that are watched, while something changes: the configuration, the service, the server's mailboxes.

What is to happen at a certain moment of a visit happens inside the server's event for it: the visit waits meanwhile.
"""
import os
import threading

import pytest

import corpus
from imapd import Imapd, Mailstore, Script, parse_script, without
from serving import until
from test_idle import Watching

MAIL = corpus.small(6)


class Held:
    """The server's event that begins with `words`: the client waits for its answer until `go`."""

    def __init__(self, words):
        self.words, self.came, self.goes = words, threading.Event(), threading.Event()

    def __call__(self, word):
        if word.upper().startswith(self.words):
            self.came.set()
            self.goes.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.goes.set()


def box(p, origin, name="box", **more):
    p.clear(name, origin, **{"protocol": "imap", "idle": True, "interval": "1h", "active": "always", "after": "keep", **more})


def server(boxes=("INBOX",), script="", caps=None, event=None):
    store = Mailstore([MAIL[0]])
    for name in boxes:
        if name != "INBOX":
            store.create(name)
    return Imapd(store, caps=caps, script=Script(parse_script(script.splitlines())) if script else None, event=event)


@pytest.mark.parametrize("change", ["removed", "disabled", "not watched"])
def test_a_visit_that_ends_behind_a_reload_does_not_watch(p, change):
    with Held("UID SEARCH") as held, server(event=held) as origin:
        box(p, origin)
        with Watching(p, "-v", "-v") as w:
            assert held.came.wait(60), w.text()
            if change == "removed":
                del p.sections["box"]
            else:
                box(p, origin, **({"enabled": False} if change == "disabled" else {"idle": False}))
            w.reload()
            held.goes.set()
            until(lambda: origin.over, w.text)      # its session has ended
            assert not origin.verbs("IDLE")


def test_a_visit_that_ends_behind_a_reload_leaves_watching_to_the_next(p):
    """Its session belongs to other settings than those in force."""
    with Held("UID SEARCH") as held, server(event=held) as origin:
        box(p, origin)
        with Watching(p, "-v", "-v") as w:
            assert held.came.wait(60), w.text()
            box(p, origin, description="another")
            w.reload()
            held.goes.set()
            w.idles()
            assert (origin.met, len(origin.over), len(origin.verbs("LOGIN") + origin.verbs("AUTHENTICATE"))) == (2, 1, 2)


def test_a_visit_that_is_about_to_watch_when_the_service_stops(p):
    """Of two mailboxes the first is opened again, to be watched."""
    with Held("EXAMINE") as held, server(["INBOX", "f1"], event=held) as origin:
        box(p, origin, mailbox=["INBOX", "f1"], after="delete")
        with Watching(p, "-v", "-v") as w:
            assert held.came.wait(60), w.text()
            with p.start("service", "stop", "collect") as stopping:
                until(lambda: p.good("status", "--json").rows()[0]["services"][1]["state"] == "draining", w.text)
                held.goes.set()
                assert stopping.wait(60) == 0
            until(lambda: origin.over, w.text)
            assert not origin.verbs("IDLE")


NOTIFY = [*without("CONDSTORE", "QRESYNC"), "NOTIFY"]
NOTIFIES = "> NOTIFY *\n< {tag} OK I will\n"


def test_news_of_a_mailbox_before_the_last(p):
    """With NOTIFY, too, what comes into the mailbox that is selected is told as EXISTS, once."""
    searches = "> UID SEARCH *\n! faithful\n" + "> UID SEARCH *\n! faithful\n! arrive anything\n< * 2 EXISTS\n" + "> UID SEARCH *\n! faithful\n"
    with server(["INBOX", "f1"], NOTIFIES + searches, NOTIFY) as origin:
        box(p, origin, mailbox=["INBOX", "f1"])
        with Watching(p, "-v", "-v") as w:
            w.has(2)
            assert origin.met == 1


def test_a_mailbox_that_is_made_while_others_are_watched(p):
    """The server is asked to tell of it as well: in a session of its own, for Dovecot is deaf after a second NOTIFY."""
    with server(["INBOX", "lists/a"], NOTIFIES, NOTIFY) as origin:
        box(p, origin, mailbox=["INBOX", "lists/*"])
        with Watching(p, "-v", "-v") as w:
            w.idles(2)
            p.good("collect", "box")
            w.idles(3)
            assert (origin.met, len(origin.verbs("NOTIFY"))) == (1, 1)
            origin.store.create("lists/b")
            p.good("collect", "box")
            until(lambda: len(origin.verbs("NOTIFY")) == 2, w.text)
            assert "lists/b" in origin.verbs("NOTIFY")[1]
            w.idles(5)
            assert (origin.met, len(origin.over)) == (2, 1)


ENDS = "> IDLE\n< + idling\n< {tag} OK that is all\n"
LASTS = "> IDLE\n< + idling\n"
CLOSES = "> IDLE\n< + idling\n! close\n"
ANSWERED = "> DONE\n< {tag} OK done\n"


def test_a_server_that_ends_it_in_order_again_and_again(p):
    with server(script=ENDS) as origin:
        box(p, origin)
        with Watching(p, "-v", "-v") as w:
            w.says("polled instead, for an hour")
            p.good("collect", "box")
            assert len(origin.verbs("IDLE")) == 3


def test_sessions_that_end_now_and_then(p):
    """Between them others lasted until we ended them: that is not again and again."""
    with server(script=(LASTS + CLOSES) * 3 + LASTS + ANSWERED) as origin:
        box(p, origin)
        with Watching(p, "-v", "-v") as w:
            for n in range(3):
                w.idles(2 * n + 1)
                until(lambda: len(origin.verbs("IDLE")) == 2 * n + 1, w.text)
                p.good("collect", "box")        # and the session behind it is closed
                w.says("idle lost", n + 1)
            w.idles(7)
            assert "polled instead" not in w.text()


def test_a_session_that_answers_and_ends_says_nothing_of_its_host(p):
    """The server is there: other connections to it do not wait."""
    with server(script=LASTS + ANSWERED + "> EXAMINE *\n! faithful\n> EXAMINE *\n! faithful\n> EXAMINE *\n! close\n") as origin:
        box(p, origin)
        box(p, origin=origin, name="other", idle=False)
        with Watching(p, "-v", "-v") as w:
            w.idles()
            w.says("connection=other visit end")
            assert p("collect", "box").code == 1
            w.says("connection=box visit next")
            rows = {r["connection"]: r for r in p.good("status", "--json").rows()[0]["connections"]}
            assert rows["box"]["error_class"] == "counted"
            assert rows["other"]["backoff_until"] is None


def from_command(p, origin, **more):
    """A password that is got anew for each login; how often it was, is what the function says."""
    ran = os.path.join(p.home, "ran")
    box(p, origin, password=f"command:echo x >> {ran}; echo {origin.password}", trace="wire", **more)

    def times():
        with open(ran, encoding="ascii") as f:
            return len(f.readlines())
    return times


def test_a_server_that_says_the_password_back_long_after_the_login(p):
    """The next visit has not got it for itself; it is hidden all the same."""
    with server(script=LASTS + ANSWERED + "> EXAMINE *\n! faithful\n> EXAMINE *\n< {tag} NO not with geheim-7Q2x\n") as origin:
        times = from_command(p, origin)
        p.secrets.add(origin.password)
        with Watching(p, "-v", "-v") as w:
            w.idles()
            assert p("collect", "box").code == 1
            w.says(r"not with \*+")
            assert (times(), origin.met) == (1, 1)
            assert origin.password not in w.text()


@pytest.mark.parametrize("ends", ["> DONE\n! close\n", ANSWERED + "> EXAMINE *\n! faithful\n> EXAMINE *\n! close\n> EXAMINE *\n! faithful\n"],
                         ids=["dead", "dies"])
def test_a_password_is_not_used_again_when_the_session_is_gone(p, ends):
    with server(script=LASTS + ends) as origin:
        times = from_command(p, origin, max_retries=1, retry_interval="1s")
        with Watching(p, "-v", "-v") as w:
            w.idles()
            p.good("collect", "box")
            assert (times(), origin.met) == (2, 2)


def test_a_test_that_finds_no_room_changes_nothing(p):
    """Visits that find too many sessions end one; a test, which only looks, leaves those that watch as they are."""
    crowded = "> AUTHENTICATE *\n! faithful\n> AUTHENTICATE *\n< {tag} NO [LIMIT] too many sessions\n"
    with server(script=LASTS + LASTS + ANSWERED + crowded) as origin:
        box(p, origin)
        with Watching(p, "-v", "-v") as w:
            w.idles()
            done = p("test", "box")
            assert done.code == 1 and "too many sessions" in done.text, done
            p.good("collect", "box")
            w.idles(2)
            assert origin.met == 2
