# SPDX-License-Identifier: Apache-2.0
"""`postrider test`: each thing that can be wrong has words of its own, at its step, and nothing is touched."""
import contextlib
import os
import pty
import re
import subprocess

import pytest

import corpus
from imapd import Imapd, Mailstore, without
from pop3d import Maildrop, Pop3d
from postrider import PROGRAM
from probing import Raw, both, clear, failed, script, server, silent, steps, tls, untouched


# when all is well

@both
@pytest.mark.parametrize("mode", ["none", "implicit", "explicit"])
def test_all_is_well(p, authority, protocol, mode):
    cert, key = authority.sign("well")
    with server(protocol, tls={"none": None, "implicit": "implicit", "explicit": "stls"}[mode], cert=cert, key=key) as origin:
        tls(p, protocol, origin, authority, tls__mode=mode, allow_cleartext=True)
        rows = steps(p, code=0)
        untouched(origin)
    want = {"none": ["greeting", "TLS"], "implicit": ["TLS", "greeting"], "explicit": ["greeting", "TLS"]}[mode]
    assert [r["step"] for r in rows] == ["connect", *want, "capabilities", "login", "mailbox", "logout"]
    of = {r["step"]: r["detail"] for r in rows}
    assert of["connect"] == f"127.0.0.1:{origin.port}"
    assert "tls.mode = none" in of["TLS"] if mode == "none" else re.search(
        r'TLSv1\.3 TLS_\w+, certificate "well" for localhost, 127\.0\.0\.1, ::1, issued by "Postrider test CA", valid until 20\d\d-\d\d-\d\d$', of["TLS"])
    assert "anna" in of["login"] and "3 messages" in of["mailbox"] and "ready" in of["greeting"]
    assert re.search("octets" if protocol == "pop3" else r"INBOX: .*UIDVALIDITY \d+", of["mailbox"])
    assert re.search("UIDL.*SASL none" if protocol == "pop3" else "UIDPLUS.*SASL PLAIN, LOGIN", of["capabilities"])


@both
def test_a_real_server_is_left_as_it_was(p, authority, dovecot, protocol):
    user = dovecot.fresh(corpus.small(3))
    tls(p, protocol, dovecot, authority, port=dovecot.pop3s if protocol == "pop3" else dovecot.imaps, user=user, after="delete")
    before = sorted(os.listdir(os.path.join(dovecot.folder(user), "new")))
    rows = steps(p, code=0)
    assert re.search("3 messages", [r for r in rows if r["step"] == "mailbox"][0]["detail"])
    if protocol == "imap":
        assert "read-only" in [r for r in rows if r["step"] == "mailbox"][0]["detail"]
        assert sorted(os.listdir(os.path.join(dovecot.folder(user), "new"))) == before, "still \\Recent: EXAMINE, not SELECT"
    with dovecot.client(user) as c:
        assert set(c.flags()) == {1, 2, 3} and not any(c.flags().values())


def test_beside_a_running_collect(p):
    with Pop3d(Maildrop(corpus.small(30)), pace=0.05) as origin:
        clear(p, "pop3", origin, after="keep")
        first = p.start("collect", "box")
        while not origin.verbs("RETR"):
            pass
        done = p("test", "box")
        assert done.code == 0 and first.poll() is None, done
        assert p.finish(first).summary()["box"]["collected"] == 30


def test_what_a_collect_left_stays_as_it_is(p):
    def here():
        return {os.path.join(t, n): (os.stat(os.path.join(t, n)).st_mtime_ns, os.stat(os.path.join(t, n)).st_size)
                for t, _, names in os.walk(p.state) for n in names}
    with Pop3d(Maildrop(corpus.small(3))) as origin:
        clear(p, "pop3", origin, after="keep")
        p.good("collect", "box")
        before = here()
        p.good("test", "box")
        assert before and here() == before
        assert p.good("collect", "box").summary()["box"]["collected"] == 0


# logging in

@both
def test_wrong_password(p, protocol):
    p.secrets.add("falsch-9Xk")
    with server(protocol) as origin:
        clear(p, protocol, origin, password="falsch-9Xk")
        bad = failed(p, "login", "login by", "refused", "`user` and `password`", r'server said "', passed=["connect", "greeting", "TLS", "capabilities"])
    assert bad["error_kind"] == "auth"


@both
def test_wrong_password_at_a_real_server(p, authority, dovecot, protocol):
    p.secrets.add("falsch-9Xk")
    tls(p, protocol, dovecot, authority, port=dovecot.pop3s if protocol == "pop3" else dovecot.imaps, password="falsch-9Xk")
    assert failed(p, "login", "refused")["error_kind"] == "auth"


@both
def test_no_mechanism_in_common(p, protocol):
    with server(protocol, **({} if protocol == "pop3" else {"caps": without("AUTH=LOGIN")})) as origin:
        clear(p, protocol, origin, auth=["cram-md5", "scram-sha-1"])
        failed(p, "login", "none of the mechanisms allowed by auth", "it offers " + ("USER" if protocol == "pop3" else "PLAIN .*LOGIN"))


@both
def test_no_clear_text_without_leave(p, protocol):
    with server(protocol) as origin:
        clear(p, protocol, origin, allow_cleartext=False)
        failed(p, "login", "allow_cleartext = true", "TLS")
        assert not [s for s in origin.said if re.match("PASS|AUTH|LOGIN", s, re.I)]


@both
def test_the_password_cannot_be_had(p, protocol):
    with server(protocol) as origin:
        clear(p, protocol, origin, password="file:" + os.path.join(p.home, "nothing-here"))
        failed(p, "password", "nothing-here", passed=[])
        clear(p, protocol, origin, password="command:exit 7")
        failed(p, "password", "command", "7", passed=[])
        assert not origin.said


def test_settings_that_cannot_work(p):
    p.connection("box", port=1, tls__ca_certificates=p.config)
    failed(p, "settings", "tls.ca_certificates", p.config, passed=[])


# busy, and silence at each step

BUSY = {
    "pop3": [("greeting", "> greeting\n< -ERR [SYS/TEMP] too many connections\n! close"),
             ("login", "> PASS *\n< -ERR [IN-USE] maildrop is locked"),
             ("mailbox", "> STAT\n< -ERR [SYS/TEMP] not now")],
    "imap": [("greeting", "> greeting\n< * BYE [UNAVAILABLE] too many connections\n! close"),
             ("login", "> AUTHENTICATE *\n< {tag} NO [UNAVAILABLE] later\n> LOGIN *\n< {tag} NO [UNAVAILABLE] later"),
             ("mailbox", "> EXAMINE *\n< {tag} NO [INUSE] locked")],
}


@pytest.mark.parametrize("protocol, step, what", [(k, *row) for k, rows in BUSY.items() for row in rows])
def test_busy(p, protocol, step, what):
    with server(protocol, script=script(what)) as origin:
        clear(p, protocol, origin)
        bad = failed(p, step, 'server said ".*(locked|too many|later|not now)')
    assert bad["error_kind"] == "busy", bad


SILENT = {"pop3": [("capabilities", "CAPA"), ("login", "PASS *"), ("mailbox", "STAT")],
          "imap": [("login", "AUTHENTICATE *"), ("login", "LOGIN *"), ("mailbox", "EXAMINE *")]}


@pytest.mark.parametrize("end", ["hang", "close"])
@pytest.mark.parametrize("protocol, step, verb", [(k, *row) for k, rows in SILENT.items() for row in rows])
def test_silence_and_a_cut(p, protocol, step, verb, end):
    more = {"capa": ["USER", "UIDL"]} if protocol == "pop3" else {}     # no pipelining: it would be suspected first
    with server(protocol, script=script(f"> {verb}\n! {end}"), **more) as origin:
        clear(p, protocol, origin, timeout="1s", auth=["user"] if verb in ("LOGIN *", "PASS *") else ["plain"] if protocol == "imap" else "auto")
        failed(p, step, "no answer within 1 s" if end == "hang" else "closed the connection before it answered " + verb.split()[0])


@both
@pytest.mark.parametrize("end", ["hang", "close"])
@pytest.mark.parametrize("after", ["keep", "delete"])
def test_no_answer_to_the_goodbye(p, protocol, end, after):
    """Without +OK to QUIT a POP3 server deletes nothing; else it does no harm."""
    bye = "QUIT" if protocol == "pop3" else "LOGOUT"
    with server(protocol, script=script(f"> {bye}\n! {end}")) as origin:
        clear(p, protocol, origin, timeout="1s", after=after)
        if protocol == "pop3" and after == "delete":
            failed(p, "logout", r"\+OK", "after = keep")
        else:
            assert re.search("no harm", steps(p, code=0)[-1]["detail"])


def test_stat_is_refused(p):
    with server("pop3", script=script("> STAT\n< -ERR what")) as origin:
        clear(p, "pop3", origin)
        told = [r for r in steps(p, code=0) if r["step"] == "mailbox"]
    assert "does not count it" in told[0]["detail"]


def test_no_uidl_and_no_top(p):
    with server("pop3", capa=["USER"]) as origin:
        clear(p, "pop3", origin)
        assert "UIDL" in [r for r in steps(p, code=0) if r["step"] == "mailbox"][0]["detail"]
        clear(p, "pop3", origin, use_top=True)
        failed(p, "mailbox", "TOP", "use_top")


# IMAP's mailboxes

def boxes(*names, count=2):
    store = Mailstore(corpus.small(count))
    for name in names:
        store.create(name)
    return store


def test_a_missing_mailbox(p):
    with Imapd(boxes("Sent", "lists/a")) as origin:
        clear(p, "imap", origin, mailbox=["INBOX", "Nope", "Sent"])
        rows = steps(p)
        untouched(origin)
    told = [(r["ok"], r["detail"] or r["reason"]) for r in rows if r["step"] == "mailbox"]
    assert [ok for ok, _ in told] == [True, False, True], "the others have their turn"
    assert re.search("mailbox Nope .*does not exist.*the server has .*INBOX", told[1][1]) and "Sent" in told[1][1]
    assert rows[-1]["step"] == "logout" and rows[-1]["ok"]


def test_two_missing_mailboxes_ask_once(p):
    with Imapd(boxes("Sent")) as origin:
        clear(p, "imap", origin, mailbox=["Nope", "Größe"])
        bad = [r["reason"] for r in steps(p) if not r["ok"]]
        assert len(origin.verbs("LIST")) == 1
    assert len(bad) == 2 and "Nope" in bad[0] and "Größe" in bad[1] and all("Sent" in b for b in bad)


def test_of_many_mailboxes_a_handful_is_named(p):
    with Imapd(boxes(*(f"folder-{n:03d}-with-a-long-name" for n in range(60)))) as origin:
        clear(p, "imap", origin, mailbox=["Nope"])
        bad = failed(p, "mailbox", r"and \d\d more$")["reason"]
    named = len(re.findall("INBOX|folder-", bad))
    assert 3 <= named <= 8 and re.search(f"and {61 - named} more", bad), bad


def test_a_pattern_that_nothing_matches(p):
    with Imapd(boxes("Sent")) as origin:
        clear(p, "imap", origin, mailbox=["Work*"])
        failed(p, "mailbox", r"nothing on the server matches mailbox = Work\*", "INBOX", "Sent")
        clear(p, "imap", origin, mailbox=["S*"])
        assert [r["detail"].split(":")[0] for r in steps(p, code=0) if r["step"] == "mailbox"] == ["Sent"]


@pytest.mark.parametrize("there", [True, False])
def test_the_folder_to_move_to(p, there):
    store = boxes(*(["Done"] if there else []))
    with Imapd(store) as origin:
        clear(p, "imap", origin, after="move:Done")
        told = [r["detail"] for r in steps(p, code=0) if r["step"] == "mailbox"]
        untouched(origin)
    assert "read-only" in told[0] and re.search("Done: .* is there" if there else "Done: .* is not there; the first visit makes it", told[1])
    assert bool(store.box("Done")) is there, "a test makes no folder"


def test_no_uidvalidity(p):
    with Imapd(boxes(), script=script("> EXAMINE *\n< * 2 EXISTS\n< {tag} OK [READ-ONLY] done")) as origin:
        clear(p, "imap", origin)
        failed(p, "mailbox", "UIDVALIDITY")


def test_preauth(p):
    with Imapd(boxes(), script=script("> greeting\n< * PREAUTH welcome\n! authenticated")) as origin:
        clear(p, "imap", origin, tls__required=False)
        assert "PREAUTH" in [r for r in steps(p, code=0) if r["step"] == "login"][0]["detail"]


# the command itself

def test_lines_for_people(p):
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        clear(p, "pop3", origin)
        lines = p.good("test", "box").out.splitlines()
        passed_over = [line for line in lines if line.startswith("  ")]
        assert "  SCRAM-SHA-256: not offered" in passed_over and "  EXTERNAL: no tls.certificate" in passed_over
        assert [re.match(r"✓ (\w+) +\S.* \(\d+ ms\)$", line)[1] for line in lines if line not in passed_over] == \
            ["connect", "greeting", "TLS", "capabilities", "login", "mailbox", "logout"]
        assert p.good("test", "box", "-q").out == ""
        clear(p, "pop3", origin, allow_cleartext=False)
        done = p("test", "box", "-q")
        assert done.code == 1 and re.fullmatch(r"✗ login +\S.*allow_cleartext.*\n", done.out), done


@pytest.mark.parametrize("locale, good", [("C", "ok    "), ("POSIX", "ok    "), ("C.UTF-8", "✓"), ("no_SUCH.UTF-8", "ok    ")])
def test_marks_by_locale(p, locale, good):
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        clear(p, "pop3", origin)
        done = subprocess.run(p.argv("test", "box"), env={**p.environment(), "LC_ALL": locale}, capture_output=True, timeout=30, check=True)
    assert done.stdout.decode().startswith(good + " connect")


@pytest.mark.parametrize("args, colour", [([], True), (["--no-color"], False)])
def test_colours_on_a_terminal(p, args, colour):
    with Pop3d(Maildrop(corpus.small(1))) as origin:
        clear(p, "pop3", origin)
        main, sub = pty.openpty()
        subprocess.run(p.argv("test", "box", *args), env=p.environment(), stdin=subprocess.DEVNULL, stdout=sub, timeout=30, check=True)
        os.close(sub)
        seen = b""
        with contextlib.suppress(OSError):
            while got := os.read(main, 65536):
                seen += got
        os.close(main)
    assert (b"\x1b[32m" in seen) is colour and "✓".encode() in seen


def test_several_connections(p, authority):
    cert, key = authority.sign("several")
    with Pop3d(Maildrop(corpus.small(1))) as pop, Imapd(boxes(), tls="implicit", cert=cert, key=key) as imap:
        p.clear("one", pop)
        p.connection("two", protocol="imap", port=imap.port, tls__ca_certificates=authority.ca)
        p.clear("off", pop, enabled=False)
        p.clear("bad", pop, allow_cleartext=False)
        assert {r["connection"] for r in steps(p, "one", "two", "one", code=0)} == {"one", "two"}
        assert {r["connection"] for r in steps(p, "off", code=0)} == {"off"}, "a disabled one, by name"
        done = p("test")
        assert done.code == 1 and sorted(re.findall(r"^(\w+):$", done.out, re.M)) == ["bad", "one", "two"], done
        parts = dict(part.split(":\n", 1) for part in done.out.split("\n\n"))
        assert "✗" in parts["bad"] and "✗" not in parts["one"] + parts["two"] and parts["two"].count("✓") == 7, "each in one piece"


@both
def test_a_url(p, authority, protocol):
    cert, key = authority.sign("url")
    with open(os.path.join(p.home, "password"), "w", encoding="ascii") as f:
        f.write("geheim-7Q2x\n")
    with server(protocol, tls="implicit", cert=cert, key=key) as origin:
        url = f"{protocol}s://anna@localhost:{origin.port}"
        done = p("test", url, "--password-file", f.name, "--tls.ca_certificates", authority.ca)
        assert done.code == 0 and done.out.count("✓") == 7, done
        done = p("test", url, "--password-command", "printf falsch", "--tls.ca_certificates", authority.ca)
        assert done.code == 1 and "✗ login" in done.out, done
        assert p("test", url, "--tls.ca_certificates", authority.ca).code == 2, "no terminal to ask for the password"
    assert not os.path.exists(p.state)


@pytest.mark.parametrize("args", [["nobody"], ["pop3://a@b", "pop3://c@d"], ["box", "--max_size", "1MB"], ["ftp://anna@localhost"],
                                  ["box", "--to", "maildir:x"], ["pop3s://localhost"]])
def test_bad_usage(p, args):
    p.connection("box", port=995)
    done = p("test", *args)
    assert done.code == 2 and done.err.strip() and not done.out, done


def test_it_can_be_interrupted(p):
    with Raw(silent) as raw:
        clear(p, "pop3", raw)
        process = p.start("test", "box", "--json")
        while not raw.count:
            pass
        process.terminate()
        done = p.finish(process, 10)
    assert done.code == 1 and "stopped" in done.rows()[-1]["reason"], done


def test_no_secret_at_any_loudness(p, authority, dovecot):
    """Postrider() itself greps every output for the secret's shapes."""
    for protocol, port in (("pop3", dovecot.pop3s), ("imap", dovecot.imaps)):
        for trace in ("protocol", "wire"):
            tls(p, protocol, dovecot, authority, port=port, user=dovecot.fresh(corpus.small(1)), trace=trace, auth=["plain"])
            done = p.good("test", "box", "-v", "-v")
            assert "trace" in done.err, done


def test_help(p):
    assert "touch" in p.good("test", "--help").out or "changes nothing" in p.good("test", "--help").out
    assert subprocess.run([PROGRAM, "test", "--help"], env=p.environment(), capture_output=True, timeout=30, check=True).stdout
