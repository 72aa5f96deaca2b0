# SPDX-License-Identifier: Apache-2.0
"""Maildirs that others fill, read and change at the same time: Dovecot, Postfix, and whoever renames a file (PRODUCT section 3)."""
import hashlib
import os
import poplib
import random
import re
import ssl
import threading
import time

import pytest

import corpus
import postfix
from serving import LIMIT, Server

poplib._MAXLINE = 1 << 24       # it refuses lines of more than 2,048 octets
LATER = 2.2                     # seconds: then a folder's time stamp tells all


@pytest.fixture
def s(home, authority):
    with Server(home, authority, uidl="dovecot") as server:
        yield server


def serve(s, path, name="anna"):
    s.account(name)
    s.p.good("account", "set", name, "maildir=" + path)
    s.start()


def maildir(home):
    path = os.path.join(str(home), "Maildir")
    for sub in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(path, sub))
    return path


def put(path, name, octets):
    with open(os.path.join(path, name), "wb") as f:
        f.write(octets)


def files(path):
    return sorted(sub + "/" + n for sub in ("new", "cur") for n in os.listdir(os.path.join(path, sub)))


class Shown:
    """What poplib sees: unique-ids, sizes, octets, in order."""

    def __init__(self, host, port, context, user, password, read=True):
        pop = poplib.POP3_SSL(host, port, context=context, timeout=LIMIT)
        pop.user(user)
        pop.pass_(password)
        numbers, self.ids = zip(*(line.decode().split() for line in pop.uidl()[1])) if pop.stat()[0] else ((), ())
        assert numbers == tuple(str(n + 1) for n in range(len(numbers)))
        self.sizes = [int(line.split()[1]) for line in pop.list()[1]]
        self.total = pop.stat()
        self.octets = [b"".join(line + b"\r\n" for line in pop.retr(n + 1)[1]) for n in range(len(self.ids))] if read else []
        pop.quit()


def by_dovecot(d, user, password=None, **more):
    return Shown("localhost", d.pop3s, ssl.create_default_context(cafile=d.authority.ca), user, password or d.password, **more)


def by_postrider(s, user="anna", **more):
    return Shown("localhost", s.ports["tls"], s.context(), user, s.secrets[user], **more)


def cold(path):
    """Out of the page cache, where the file system lets it go."""
    for name in files(path):
        fd = os.open(os.path.join(path, name), os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


# ---- taken over from Dovecot

def grown(dovecot):
    """A mailbox as Dovecot makes it in the course of time: from files without sizes in their names, by APPEND, some gone since."""
    odd = corpus.odd()
    plain = [m for what, m in odd.items() if what != "empty"] + corpus.messages(60)[len(odd) + 2:]
    user = dovecot.fresh(plain[:30])
    with dovecot.client(user) as c:
        c.validity()
        for n, octets in enumerate(plain[30:60]):
            c.imap.append("INBOX", "(\\Flagged)" if n % 3 else "(\\Seen)", None, corpus.normal(octets))
        c.expunge([2, 9, 33])
    dovecot.fill(user, plain[60:])
    return user


@pytest.mark.parametrize("warm", [True, False])
def test_dovecots_maildir_is_taken_over_in_place(dovecot, s, warm):
    user = grown(dovecot)
    path = dovecot.folder(user)
    before = by_dovecot(dovecot, user)
    assert len(before.ids) > 50 and all(len(i) == 16 for i in before.ids)
    s.account("anna")
    s.p.good("account", "set", "anna", "maildir=" + path)
    names = files(path)
    if not warm:
        cold(path)
    s.start()
    for _ in range(2):          # the second time out of the index
        after = by_postrider(s)
        assert after.ids == before.ids
        assert after.octets == before.octets
        assert after.sizes == [len(o) for o in after.octets]
        assert after.total == (len(after.ids), sum(after.sizes))
        # Dovecot leaves out the line end that it adds itself.
        ends = {len(o) for o in corpus.odd().values() if not o.endswith(b"\n")}
        differ = [n for n in range(len(before.ids)) if after.sizes[n] != before.sizes[n]]
        assert all(after.sizes[n] == before.sizes[n] + 2 for n in differ) and len(differ) <= len(ends), differ
    s.stop()
    assert {n.partition(":")[0].partition("/")[2] for n in files(path)} == {n.partition(":")[0].partition("/")[2] for n in names}
    again = by_dovecot(dovecot, user)
    assert (again.ids, again.sizes, again.octets) == (before.ids, before.sizes, before.octets)


@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "BLF-CRYPT", "SSHA256", "PLAIN"])
def test_a_user_of_dovecots_passwd_file_notices_nothing(dovecot, s, scheme):
    """passwd-file and Maildir, both as Dovecot has them: nothing is made in Postrider."""
    user, password = "of-" + scheme.lower(), "pass word" + scheme
    users, path = dovecot.register(user, scheme, password)
    for n, octets in enumerate(corpus.messages(40)[20:]):
        put(path, f"new/{1_700_000_000 + n}.M{n}P1.host", octets)
    dovecot.give(path)
    before = by_dovecot(dovecot, user, password)
    s.keys["users"] = ["internal", "passwd-file:" + users]
    s.secrets[user] = password
    s.start()
    after = by_postrider(s, user)
    assert len(after.ids) == 20
    assert (after.ids, after.sizes, after.octets, after.total) == (before.ids, before.sizes, before.octets, before.total)
    with pytest.raises(poplib.error_proto, match="AUTH"):
        Shown("localhost", s.ports["tls"], s.context(), user, password + "x")
    with s.login(user) as c:
        c.good("DELE 3")
        c.quit()
    assert by_dovecot(dovecot, user, password, read=False).ids == before.ids[:2] + before.ids[3:]


def test_an_id_that_was_given_out_stays(dovecot, s):
    """Dovecot lists a message later than we: it keeps the id that clients know."""
    user = grown(dovecot)
    path = dovecot.folder(user)
    before = by_dovecot(dovecot, user, read=False)
    serve(s, path)
    dovecot.fill(user, corpus.small(3, seed=5))
    one = by_postrider(s)
    assert one.ids[:-3] == before.ids and len(set(one.ids)) == len(one.ids)
    with dovecot.client(user) as c:
        c.flags()               # Dovecot takes them into its list, and into cur
    two = by_postrider(s)
    assert two.ids == one.ids and two.octets == one.octets
    dovecot.fill(user, corpus.small(1, seed=6))
    theirs = by_dovecot(dovecot, user, read=False)
    three = by_postrider(s)
    assert three.ids == (*one.ids, theirs.ids[-1])
    s.stop()
    s.start()
    assert by_postrider(s, read=False).ids == three.ids


def test_native_ids_need_no_list(home, authority):
    """The ids come from the names: the same from another state, and whatever the flags are."""
    path, ids = maildir(home), []
    for n, octets in enumerate(corpus.small(20)):
        put(path, f"new/{1_700_000_000 + n}.M{n}P1.host", octets)
    for n in range(2):
        where = os.path.join(str(home), f"home{n}")
        os.mkdir(where)
        with Server(where, authority) as s:
            serve(s, path)
            ids.append(by_postrider(s, read=False).ids)
        for name in os.listdir(os.path.join(path, "new"))[::2]:
            os.rename(os.path.join(path, "new", name), os.path.join(path, "cur", name + ":2,F"))
    assert ids[0] == ids[1] and len(set(ids[0])) == 20 and all(re.fullmatch("[0-9a-f]{16}", i) for i in ids[0])


# ---- what a session leaves behind

def test_dovecot_sees_what_was_deleted_and_read(dovecot, s):
    user = dovecot.fresh(corpus.small(8))
    with dovecot.client(user) as c:
        uids = sorted(c.flags())
        c.store(uids[2:5], "+FLAGS", "(\\Flagged)")
        c.store(uids[4:5], "+FLAGS", "(\\Draft $Label)")
    serve(s, dovecot.folder(user))
    with s.login() as c:
        for n in (1, 4, 5, 6):
            c.message(f"RETR {n}")
        for n in (1, 3):
            c.good(f"DELE {n}")
        c.message("TOP 8 0")            # is no reading
        c.quit()
    s.stop()
    with dovecot.client(user) as c:
        flags = c.flags()
    assert {uids.index(u): f for u, f in flags.items()} == {
        1: set(), 3: {"\\Flagged", "\\Seen"}, 4: {"\\Flagged", "\\Draft", "$Label", "\\Seen"}, 5: {"\\Seen"}, 6: set(), 7: set()}


def test_a_session_that_breaks_deletes_nothing(s, home):
    path = maildir(home)
    for n, octets in enumerate(corpus.small(4)):
        put(path, f"cur/{1_700_000_000 + n}.host:2,F", octets)
    serve(s, path)
    c = s.login()
    c.message("RETR 1")
    c.good("DELE 1")
    c.good("DELE 2")
    c.reset()
    s.wait_sessions(1)
    s.stop()
    assert [n.partition(":")[2] for n in files(path)] == ["2,FS", "2,F", "2,F", "2,F"]


def test_what_cannot_be_removed_is_told(s, home):
    path = maildir(home)
    for n, octets in enumerate(corpus.small(3)):
        put(path, f"new/{n}.host", octets)
    serve(s, path)
    with s.login() as c:
        for n in (1, 2):
            c.good(f"DELE {n}")
        os.unlink(os.path.join(path, "new/1.host"))
        os.mkdir(os.path.join(path, "new/1.host"))          # not even root can unlink it
        c.bad("QUIT", "[SYS/TEMP]")
    s.wait_log("1 message not removed: ")
    assert files(path) == ["new/1.host", "new/2.host"]
    os.rmdir(os.path.join(path, "new/1.host"))


def test_a_folder_of_a_maildir_is_a_mailbox(s, home):
    path, mail = maildir(home), corpus.small(3)
    put(path, "new/1700000000.host", mail[0])
    for sub in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(path, ".lists.info", sub))
    put(path, ".lists.info/new/1700000001.host", mail[1])
    put(path, ".lists.info/cur/1700000002.host:2,", mail[2])
    serve(s, path)
    with s.raw() as c:
        c.login("lists/info#anna", s.secrets["anna"])
        assert [c.message(f"RETR {n}") for n in (1, 2)] == [corpus.normal(m) for m in mail[1:]]
        c.good("DELE 2")
        c.quit()
    assert by_postrider(s, read=False).total[0] == 1
    assert files(os.path.join(path, ".lists.info")) == ["cur/1700000001.host:2,S"]


def test_nothing_of_ours_is_in_it(s, home):
    path = maildir(home)
    put(path, "new/1700000000.host", b"Subject: a\n\nb\n")
    before = sorted(os.listdir(path))
    serve(s, path)
    by_postrider(s)
    s.stop()
    assert sorted(os.listdir(path)) == before and files(path) == ["cur/1700000000.host:2,S"] and not os.listdir(os.path.join(path, "tmp"))


# ---- what others do amid a session

def test_others_rename_and_remove_amid_a_session(dovecot, s):
    mail = corpus.small(6)
    user = dovecot.fresh(mail)
    serve(s, dovecot.folder(user))
    with s.login() as c:
        assert c.good("STAT").startswith("+OK 6 ")
        with dovecot.client(user) as other:     # moves all to cur
            uids = sorted(other.flags())
            other.expunge([uids[1], uids[4]])
            other.store([uids[2]], "+FLAGS", "(\\Flagged)")
        for n in (1, 3, 4, 6):
            assert c.message(f"RETR {n}") == corpus.normal(mail[n - 1])
        c.bad("RETR 2")
        c.bad("TOP 2 0")
        assert c.good("STAT").startswith("+OK 6 ")
        c.good("DELE 3")
        c.good("DELE 5")                        # gone already is good
        c.quit()
    assert by_postrider(s).octets == [corpus.normal(mail[n - 1]) for n in (1, 4, 6)]
    end = s.wait_sessions(1)[0]
    assert end["reason"] == "quit", end


def test_a_large_message_that_is_removed_while_it_is_sent_comes_whole(s, home):
    path = maildir(home)
    large = b"Subject: large\n\n" + b"".join(b"%070d\n" % n for n in range(150_000))
    put(path, "new/1700000000.host", large)
    serve(s, path)
    c = s.login(buffer=4096)
    c.good("RETR 1")
    os.unlink(os.path.join(path, "new/1700000000.host"))
    assert c.block() == corpus.normal(large)
    c.bad("RETR 1")
    c.quit()


def test_a_large_message_that_is_cut_never_ends_as_if_it_were_whole(s, home):
    path = maildir(home)
    large = b"Subject: large\n\n" + b"".join(b"%070d\n" % n for n in range(150_000))
    put(path, "new/1700000000.host", large)
    serve(s, path)
    c = s.login(buffer=4096)
    c.good("RETR 1")
    os.truncate(os.path.join(path, "new/1700000000.host"), 8_000_000)
    assert not c.rest().endswith(b"\r\n.\r\n")
    s.wait_log("a message went away while it was sent")
    time.sleep(LATER)
    assert by_postrider(s).sizes == [len(corpus.normal(large[:8_000_000]))]


def test_sizes_that_names_claim_falsely_are_counted_anew(s, home):
    path = maildir(home)
    octets = b"Subject: a\n\nb\nc\n"
    for n, claim in enumerate((f"S={len(octets)},W={len(octets) + 4}", f"S={len(octets)},W={len(octets) + 9}", "S=1,W=2", "W=77", "S=x,W=-1", "")):
        put(path, f"new/{1_700_000_000 + n}.host{',' if claim else ''}{claim}", octets)
    serve(s, path)
    with s.login() as c:
        for n in range(1, 7):
            size = int(c.good(f"LIST {n}").split()[2])
            answer = c.ask(f"RETR {n}")
            if answer.startswith("+OK"):
                assert len(c.block()) == size == len(corpus.normal(octets)), n
            else:
                assert size != len(corpus.normal(octets)), answer
        c.quit()
    after = by_postrider(s)
    assert after.octets == [corpus.normal(octets)] * 6 and after.sizes == [len(corpus.normal(octets))] * 6


def test_where_nothing_is_is_an_empty_maildrop(s, home):
    path = os.path.join(str(home), "later")
    serve(s, path)
    assert by_postrider(s).ids == ()
    assert not os.path.exists(path)
    for sub in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(path, sub))
    put(path, "new/1700000000.host", b"Subject: a\n\nb\n")
    assert len(by_postrider(s).ids) == 1


# ---- Postfix delivers, Dovecot's clients flag, three sessions read and delete

def numbered(count):
    """Messages of 300 octets to 400 KB, each with its number."""
    rng = random.Random(11)
    stock = corpus.Stock(3)
    for n in range(count):
        size = rng.choice((300, 1500, 3000, 9000, 30_000, 70_000)) if n % 40 else 400_000
        yield b"Subject: number\r\nX-Number: %d\r\n\r\n" % n + corpus.normal(stock.text(rng, size))


class Reader(threading.Thread):
    """Sessions, until the mailbox is empty and nothing more comes: reads all, deletes some of what it has read."""

    def __init__(self, s, number, want, quiet, gone):
        super().__init__()
        self.s, self.want, self.quiet, self.gone = s, want, quiet, gone
        self.rng, self.got, self.ids, self.wrong = random.Random(number), set(), {}, None

    def run(self):
        try:
            end = time.monotonic() + 2 * LIMIT
            while self.session() or not self.quiet.is_set():
                assert time.monotonic() < end, "the mailbox does not get empty"
        except BaseException as e:      # told by the test
            self.wrong = e

    def session(self):
        """→ how many messages there were"""
        last, gone = self.quiet.is_set(), set(self.gone)
        with self.s.login() as c:
            sizes = [int(line.split()[1]) for line in c.multi("LIST")]
            ids = [line.split()[1] for line in c.multi("UIDL")]
            assert len(sizes) == len(ids) == len(set(ids))
            assert not gone & set(ids), "it was said to be gone"
            for n, (size, uid) in enumerate(zip(sizes, ids), 1):
                answer = c.ask(f"RETR {n}")
                if answer.startswith("-ERR"):
                    self.gone.append(uid)
                    continue
                octets = c.block()
                assert len(octets) == size, (uid, len(octets), size)
                self.judge(uid, octets)
                if last or self.rng.random() < 0.5:
                    c.good(f"DELE {n}")
            c.quit()
        return len(sizes)

    def judge(self, uid, octets):
        number = int(re.search(rb"\r\nX-Number: (\d+)\r\n", octets)[1])
        body = octets.partition(b"\r\n\r\n")[2]
        assert hashlib.sha256(body).digest() == self.want[number], number
        assert self.ids.setdefault(uid, number) == number, "an id of two messages"
        self.got.add(number)


def flag(dovecot, user, quiet, wrong):
    """Another client, whose flags rename the files all the time."""
    try:
        with dovecot.client(user) as c:
            turn = 0
            while not quiet.is_set():
                c.ask("SELECT", "INBOX")
                if c.imap.untagged_responses.get("EXISTS", [b"0"])[-1] != b"0":
                    c.imap.uid("STORE", "1:*", ("+FLAGS", "-FLAGS")[turn % 2], "(\\Flagged)")
                c.imap.unselect()
                turn += 1
    except BaseException as e:
        wrong.append(e)


@pytest.mark.skipif(not postfix.available(), reason="Postfix needs root")
@pytest.mark.parametrize("flags", [False, True])
def test_postfix_delivers_while_three_sessions_read_and_delete(dovecot, s, flags):
    user = dovecot.fresh()
    path = dovecot.folder(user)
    dovecot.fill(user, [])
    mail, quiet, gone, wrong = list(numbered(240)), threading.Event(), [], []
    want = {n: hashlib.sha256(m.partition(b"\r\n\r\n")[2]).digest() for n, m in enumerate(mail)}
    serve(s, path)
    with postfix.Postfix(dovecot.uid, dovecot.gid, {"anna": path}) as p:
        readers = [Reader(s, n, want, quiet, gone) for n in range(3)]
        senders = [threading.Thread(target=p.send, args=("anna", mail[n::2])) for n in range(2)]
        others = [threading.Thread(target=flag, args=(dovecot, user, quiet, wrong))] if flags else []
        for t in readers + senders + others:
            t.start()
        for t in senders:
            t.join(LIMIT)
        try:
            p.delivered(len(mail))
        finally:
            quiet.set()
            for t in readers + others:
                t.join(3 * LIMIT)
    for r in readers:
        assert r.wrong is None, (r.wrong, [line for line in s.log().splitlines() if " session over " not in line][-20:])
    assert not wrong, wrong
    assert set().union(*(r.got for r in readers)) == set(want), "mail is lost"
    assert all(r.got for r in readers)
    ids = [(uid, number) for r in readers for uid, number in r.ids.items()]
    assert len(set(ids)) == len(dict(ids)) == len(mail), "an id changed"
    assert files(path) == []
    s.stop()
    assert " error " not in s.log(), s.log()
