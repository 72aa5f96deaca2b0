# SPDX-License-Identifier: Apache-2.0
"""The IMAP servers that the other tests believe in, asked by a client that is not ours (imaplib)."""
import contextlib
import imaplib
import re
import ssl

import pytest

import corpus
from dovecot import Dovecot, shown
from imap_parse import arguments, as_set, in_set, utf7
from imap_store import ALL_MAIL, crlf
from imapd import CAPS, Imapd, Mailstore, Script, parse_script, without
from origin import Deflated

@contextlib.contextmanager
def client(origin, context=None, stls=False):
    imap = imaplib.IMAP4_SSL("localhost", origin.port, ssl_context=context) if context and not stls else imaplib.IMAP4("localhost", origin.port)
    if stls:
        imap.starttls(context)
    imap.login("anna", "geheim-7Q2x")
    yield imap
    with contextlib.suppress(imaplib.IMAP4.abort, OSError):
        imap.logout()


def bodies(imap, numbers="1:*"):
    return [r[1] for r in imap.uid("FETCH", numbers, "(UID BODY.PEEK[])")[1] if isinstance(r, tuple)]


def ask(imap, line, tag=b"x1"):
    """A line as it is → all that is answered, up to the tagged reply or the end."""
    imap.send(tag + b" " + line.encode() + b"\r\n")
    out = []
    while (not out or not out[-1].startswith(tag + b" ")) and (got := imap.readline()):
        out.append(got.rstrip(b"\r\n"))
    return [o.decode("latin-1") for o in out]


def test_dovecot_shows_our_corpus(dovecot):
    mail = corpus.messages(200)
    user = dovecot.fresh(mail)
    with dovecot.client(user) as c:
        assert c.octets() == [shown(m) for m in mail]
        assert set(c.flags()) == set(range(1, 201))


def test_dovecot_has_folders_and_flags(dovecot):
    user = dovecot.fresh(corpus.small(2))
    dovecot.fill(user, corpus.small(3), "lists/größe")
    with dovecot.client(user) as c:
        assert c.folders() == ["INBOX", "lists", utf7("lists/größe")] or c.folders() == ["INBOX", utf7("lists/größe")]
        c.store([1, 3], "+FLAGS", "(\\Seen)", "lists/größe")
        assert c.flags("lists/größe") == {1: {"\\Seen"}, 2: set(), 3: {"\\Seen"}}
        c.expunge([2], "lists/größe")
        old = c.validity("lists/größe")
    assert len(dovecot.left(user, "lists/größe")) == 2
    assert dovecot.recreate(user, "lists/größe") == 2
    with dovecot.client(user) as c:
        assert c.validity("lists/größe") != old and len(c.octets("lists/größe")) == 2


@pytest.mark.parametrize("compress", [False, True])
def test_dovecot_announces_compression_when_told_so(authority, compress):
    with Dovecot(authority, compress=compress) as d, d.client(d.fresh(corpus.small(1))) as c:
        assert ("COMPRESS=DEFLATE" in c.ask("CAPABILITY")[0].decode().split()) is compress


@pytest.mark.parametrize("tls", [None, "stls", "implicit"])
def test_imapd_is_faithful(authority, tls):
    cert, key = authority.sign(f"imapd-{tls}")
    mail = corpus.messages(40)
    with Imapd(Mailstore(mail), tls=tls, cert=cert, key=key) as origin:
        with client(origin, tls and ssl.create_default_context(cafile=authority.ca), tls == "stls") as imap:
            assert imap.select("INBOX")[1] == [b"40"]
            assert bodies(imap) == [crlf(m) for m in mail]
            sizes = [int(re.search(rb"RFC822.SIZE (\d+)", r)[1]) for r in imap.uid("FETCH", "1:*", "(RFC822.SIZE)")[1]]
            assert sizes == [len(crlf(m)) for m in mail]
            assert origin.store.seen() == [], "PEEK leaves no trace"
            imap.uid("STORE", "3,5", "+FLAGS", "(\\Deleted)")
            assert len(origin.store.octets()) == 40
            imap.uid("EXPUNGE", "5,7")
            assert origin.store.uids() == [n for n in range(1, 41) if n != 5]
            imap.expunge()
            assert len(origin.store.octets()) == 38 and imap.uid("SEARCH", None, "UID 1:6")[1] == [b"1 2 4 6"]


def test_imapd_refuses_what_it_should():
    with Imapd(Mailstore(corpus.small(2)), caps=without("UIDPLUS", "MOVE", "ESEARCH", "SASL-IR")) as origin:
        imap = imaplib.IMAP4("localhost", origin.port)
        assert ask(imap, "SELECT INBOX")[-1].startswith("x1 BAD")
        assert ask(imap, "LOGIN anna wrong")[-1].startswith("x1 NO [AUTHENTICATIONFAILED]")
        assert ask(imap, "AUTHENTICATE PLAIN AGFubmEAZ2VoZWltLTdRMng=")[-1].startswith("x1 BAD")
        assert imap.login("anna", "geheim-7Q2x")[0] == "OK"
        assert ask(imap, "UID FETCH 1 (FLAGS)")[-1].startswith("x1 BAD")
        assert ask(imap, "SELECT nowhere")[-1].startswith("x1 NO [NONEXISTENT]")
        imap.select("INBOX")
        for line in ("UID EXPUNGE 1", "UID MOVE 1 x", "UID SEARCH RETURN (ALL) ALL", "UID FETCH 0 FLAGS", "UID FETCH 1 (X", "NONSENSE",
                     "UID FETCH 1 (X-GM-MSGID)", "UID SEARCH NONSENSE"):
            assert ask(imap, line)[-1].startswith("x1 BAD"), line
        imap.select("INBOX", readonly=True)
        assert ask(imap, "UID STORE 1 +FLAGS (\\Seen)")[-1].startswith("x1 NO")


@pytest.mark.parametrize("how", ["plain", "login", "initial", "literal", "literal+"])
def test_imapd_logs_in(how):
    with Imapd(Mailstore()) as origin:
        imap = imaplib.IMAP4("localhost", origin.port)
        if how == "plain":
            assert imap.authenticate("PLAIN", lambda _: b"\0anna\0geheim-7Q2x")[0] == "OK"
        elif how == "login":
            answers = [b"anna", b"geheim-7Q2x"]
            assert imap.authenticate("LOGIN", lambda _: answers.pop(0))[0] == "OK"
        elif how == "initial":
            assert "OK" in ask(imap, "AUTHENTICATE PLAIN AGFubmEAZ2VoZWltLTdRMng=")[-1]
        elif how == "literal":
            imap.send(b"x1 LOGIN anna {11}\r\n")
            assert imap.readline().startswith(b"+ ")
            imap.send(b"geheim-7Q2x\r\n")
            assert imap.readline().startswith(b"x1 OK")
        else:
            assert "OK" in ask(imap, "LOGIN {4+}\r\nanna geheim-7Q2x")[-1]


def test_imapd_answers_a_pipeline_in_order():
    mail = corpus.messages(30)
    with Imapd(Mailstore(mail)) as origin, client(origin) as imap:
        imap.select("INBOX")
        imap.send(b"".join(b"p%d UID FETCH %d (BODY.PEEK[])\r\n" % (n, n) for n in range(1, 31)))
        for n in range(1, 31):
            head = imap.readline()
            size = int(re.search(rb"\{(\d+)\}", head)[1])
            assert imap.read(size) == crlf(mail[n - 1])
            assert imap.readline() == b")\r\n" and imap.readline().startswith(b"p%d OK" % n)


def test_imapd_searches():
    mail = [f"From: {who}@example.org\nSubject: {what}\nDate: {when} 10:00:00 +0000\n\n{'x' * size}\n".encode()
            for who, what, when, size in (("ann", "tea", "1 Mar 2024", 10), ("bob", "tea time", "2 Mar 2024", 999), ("ann", "", "3 Apr 2024", 10))]
    with Imapd(Mailstore(mail)) as origin, client(origin) as imap:
        origin.store.flag("INBOX", 2, {"\\Seen"})
        imap.select("INBOX")
        for words, want in (("ALL", "1 2 3"), ("UNSEEN", "1 3"), ("SEEN", "2"), ("FROM ann", "1 3"), ("SUBJECT \"tea\"", "1 2"), ("NOT SEEN FROM ann", "1 3"),
                            ("OR SEEN UID 3", "2 3"), ("LARGER 500", "2"), ("SMALLER 500", "1 3"), ("SINCE 2-Mar-2024", "2 3"), ("SENTBEFORE 2-Mar-2024", "1"),
                            ("UID 2:*", "2 3"), ("UID 9:*", "3"), ("(UNSEEN) SUBJECT tea", "1"), ("HEADER From bob", "2"), ("UID 7", "")):
            assert imap.uid("SEARCH", None, words)[1] == [want.encode()], words
        assert ask(imap, "UID SEARCH RETURN (ALL) ALL")[0] == '* ESEARCH (TAG "x1") UID ALL 1:3'
        assert ask(imap, "UID SEARCH RETURN (ALL) UID 7")[0] == '* ESEARCH (TAG "x1") UID'


def test_imapd_copies_and_moves():
    mail = corpus.small(6)
    with Imapd(Mailstore(mail)) as origin, client(origin) as imap:
        imap.select("INBOX")
        assert "[TRYCREATE]" in ask(imap, 'UID COPY 1 "Archive"')[-1]
        imap.create("Archive")
        validity = origin.store.box("Archive").validity
        assert f"[COPYUID {validity} 1,2 1,2]" in ask(imap, "UID COPY 1:2 Archive")[-1]
        answers = ask(imap, "UID MOVE 3,5:6 Archive")
        assert f"* OK [COPYUID {validity} 3,5,6 3,4,5] moved" in answers and answers[-4:-1] == ["* 3 EXPUNGE", "* 4 EXPUNGE", "* 4 EXPUNGE"]
        assert origin.store.uids() == [1, 2, 4] and len(origin.store.octets("Archive")) == 5
        assert len(set(origin.store.everything())) == 6


def test_imapd_lists():
    store = Mailstore()
    for name in ("lists/a", "lists/b/c", "Sent", utf7("Gesendet/Größe")):
        store.create(name)
    with Imapd(store) as origin, client(origin) as imap:
        def names(pattern):
            return [re.search(rb'"([^"]*)"$', r)[1].decode() for r in imap.list('""', pattern)[1] if r]
        assert names("*") == ["Gesendet", "Gesendet/Gr&APYA3w-e", "INBOX", "Sent", "lists", "lists/a", "lists/b", "lists/b/c"]
        assert names("lists/%") == ["lists/a", "lists/b"] and names("inbox") == ["INBOX"] and names("%") == ["Gesendet", "INBOX", "Sent", "lists"]
        assert b'(\\Noselect \\HasChildren) "/" "lists"' in imap.list('""', "lists")[1]


def test_imapd_tells_what_others_did():
    with Imapd(Mailstore(corpus.small(4))) as origin, client(origin) as imap:
        imap.select("INBOX")
        origin.store.flag("INBOX", 4, {"\\Seen"})
        origin.store.expunge("INBOX", {2})
        origin.store.add("INBOX", b"Subject: new\n\n")
        assert ask(imap, "NOOP")[:-1] == ["* 2 EXPUNGE", "* 4 EXISTS", "* 0 RECENT", "* 3 FETCH (UID 4 FLAGS (\\Seen))"]
        assert ask(imap, "NOOP")[:-1] == []
        old = origin.store.box("INBOX").validity
        origin.store.recreate("INBOX")
        assert ask(imap, "NOOP") == ["* BYE the mailbox is not there any more"]
        assert origin.store.box("INBOX").validity != old and origin.store.uids() == [1, 2, 3, 4]


def test_imapd_resynchronises():
    with Imapd(Mailstore(corpus.small(4))) as origin, client(origin) as imap:
        validity, modseq = origin.store.box("INBOX").validity, origin.store.modseq
        origin.store.flag("INBOX", 4, {"\\Seen"})
        origin.store.expunge("INBOX", {2})
        assert ask(imap, "ENABLE QRESYNC")[0] == "* ENABLED QRESYNC"
        answers = ask(imap, f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
        assert "* VANISHED (EARLIER) 2" in answers and [a for a in answers if re.match(r"\* 3 FETCH \(UID 4 FLAGS \(\\Seen\) MODSEQ", a)]
        answers = ask(imap, f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
        assert answers[0] == "* VANISHED (EARLIER) 2" and len(answers) == 3
        origin.store.expunge("INBOX", {3})
        assert "* VANISHED 3" in ask(imap, "NOOP")


def test_imapd_as_gmail():
    store = Mailstore(corpus.small(2), gmail=True)
    with Imapd(store, caps=CAPS + ["X-GM-EXT-1"]) as origin, client(origin) as imap:
        imap.create("work")
        imap.select("INBOX")
        imap.uid("COPY", "1", "work")
        assert store.octets("work") == store.octets()[:1] and len(store.octets(ALL_MAIL)) == 2
        ids = imap.uid("FETCH", "1", "(X-GM-MSGID)")[1]
        imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        assert len(store.octets()) == 1 and len(store.octets("work")) == 1 and len(store.octets(ALL_MAIL)) == 2
        imap.select("work")
        assert imap.uid("FETCH", "1", "(X-GM-MSGID)")[1] == ids
        imap.uid("MOVE", "1", '"[Gmail]/Trash"')
        assert len(store.octets(ALL_MAIL)) == len(store.octets("[Gmail]/Trash")) == 1


def test_imapd_tells_the_test_each_step():
    words = []
    with Imapd(Mailstore(corpus.small(2)), event=words.append) as origin, client(origin) as imap:
        imap.select("INBOX")
        bodies(imap)
        imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    fetch, store = "UID FETCH 1:* (UID BODY.PEEK[])", "UID STORE 1 +FLAGS (\\Deleted)"
    start = words.index(fetch)
    assert words[start:start + 10] == [fetch, "body 1", "body 2", "sent " + fetch, store, "stored", "sent " + store, "EXPUNGE", "expunged",
                                       "sent EXPUNGE"]


def test_imapd_compresses():
    mail = corpus.messages(30)
    with Imapd(Mailstore(mail), caps=CAPS + ["COMPRESS=DEFLATE"]) as origin, client(origin) as imap:
        assert ask(imap, "COMPRESS DEFLATE")[-1].startswith("x1 OK")
        imap.sock = Deflated(imap.sock)
        imap.sock.sendall(b"c1 SELECT INBOX\r\nc2 UID FETCH 1:* (BODY.PEEK[])\r\n")
        got = b""
        while b"c2 OK" not in got[-100:]:
            got += imap.sock.recv(65536)
        assert all(b"{%d}\r\n%s)\r\n" % (len(crlf(m)), crlf(m)) in got for m in mail)


def test_imapd_follows_its_script():
    script = Script(parse_script([
        "> NOOP", "< {tag} OK once", "> NOOP", "! faithful", "> UID FETCH *", "< * 1 FETCH (UID {uid:2} BODY[] {literal:2} FLAGS ())", "! silently",
        "< {tag} OK done", "> UID SEARCH *", "! edit /1 2/7 8/", "> CHECK", "! flag 2 \\Seen", "! expunge 1", "! arrive x", "<< {half:1}", "! close"]))
    mail = corpus.small(2)
    with Imapd(Mailstore(mail), script=script) as origin:
        with client(origin) as imap:
            imap.select("INBOX")
            assert ask(imap, "NOOP", b"t7") == ["t7 OK once"] and ask(imap, "NOOP") == ["x1 OK done"]
            assert bodies(imap) == [crlf(mail[1])]
            assert imap.uid("SEARCH", None, "ALL")[1] == [b"7 8"]
            imap.send(b"z CHECK\r\n")
            size = len(crlf(mail[0]))
            assert imap.readline() == b"{%d}\r\n" % size and imap.read(size // 2) == crlf(mail[0])[:size // 2]
            assert imap.read(1) == b""
        assert origin.store.uids() == [2, 3] and origin.store.seen() == [crlf(mail[1])]


def test_pieces():
    assert utf7("Entwürfe & mehr") == "Entw&APw-rfe &- mehr" and utf7("台北") == "&U,BTFw-"
    assert as_set([3, 1, 2, 7, 9, 8]) == "1:3,7:9"
    assert [n for n in range(1, 12) if in_set("2,4:5,9:*", 10)(n)] == [2, 4, 5, 9, 10] and in_set("20:*", 10)(10)
    assert arguments('a "b c" (d (e)) BODY.PEEK[HEADER.FIELDS (X Y)]<0.9>') == ["a", "b c", ["d", ["e"]], "BODY.PEEK[HEADER.FIELDS (X Y)]<0.9>"]
