# SPDX-License-Identifier: Apache-2.0
"""An IMAP4rev1 server for tests: faithful by itself, and as wrong as a script says.

    store = Mailstore(messages)
    with Imapd(store) as origin:                          clear, on a free port
    with Imapd(store, tls="implicit", cert=…, key=…):     or tls="stls"
    Imapd(store, caps=without("UIDPLUS", "MOVE"))         what it announces is what it can

Events (see origin.py) are each command without its tag and "sent " + that; and
"body UID" before a message goes out, "stored", "copied", "moved" (copied, not
yet expunged), "expunged" when it is done and not yet said, and "gone".

In a script, patterns match the command without its tag (literals read as quoted
strings), or a line without a blank, such as SASL's.  Its own acts:
    ! authenticated     logged in, for PREAUTH      ! readonly          the mailbox is, from now on
    ! flag UID FLAG     another client's deed       ! expunge UID       and this
    ! arrive TEXT       new mail in INBOX           ! recreate          INBOX again, with a new UIDVALIDITY
Replaced in its lines: {tag} of the command, {before} of the one before it; {uid:N} {size:N} {octets:N}
{literal:N} {half:N} {quoted:N} of the N-th message that INBOX had at the start
(half: a literal that breaks off); {validity} {uidnext} {exists} of INBOX.
"""
import base64
import binascii
import re

from imap_parse import Bad, arguments, as_set, quoted
from imap_store import Mailstore
from imap_selected import Selected
from origin import Gone, Origin, Script, parse_script

__all__ = ["CAPS", "Imapd", "Mailstore", "Script", "parse_script", "without"]

CAPS = ["IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "ESEARCH", "CONDSTORE", "QRESYNC",
        "UNSELECT", "LIST-EXTENDED", "SPECIAL-USE", "AUTH=PLAIN", "AUTH=LOGIN"]
BEFORE_LOGIN = {"CAPABILITY", "NOOP", "LOGOUT", "ID", "STARTTLS", "LOGIN", "AUTHENTICATE"}
NEEDS = {"MOVE": "MOVE", "UID MOVE": "MOVE", "UID EXPUNGE": "UIDPLUS", "UNSELECT": "UNSELECT", "ENABLE": "ENABLE", "ID": "ID", "IDLE": "IDLE",
         "NAMESPACE": "NAMESPACE", "COMPRESS": "COMPRESS=DEFLATE"}


def without(*names):
    return [c for c in CAPS if c not in names]


class ImapSession(Selected):
    """Login and mailboxes; what is done in a selected one stands in imap_selected.py."""

    def __init__(self, origin, sock):
        super().__init__(origin, sock)
        self.tag, self.before, self.authenticated, self.enabled = "*", "*", False, set()

    # reading

    def heard(self, line):
        while m := re.search(r"\{(\d+)(\+?)\}$", line):
            if not m[2]:
                self.say("+ go on")
            octets = self.take(int(m[1])).decode("latin-1")
            line = line[:m.start()] + quoted(octets) + self.line().decode("latin-1")
        tag, blank, said = line.partition(" ")
        if blank:
            self.before, self.tag = self.tag, tag
        else:
            said = line
        self.origin.saw(said)
        self.answer(said, lambda: self.command(said))

    def take(self, count):
        while len(self.inbuf) < count:
            self.receive()
        octets, self.inbuf = self.inbuf[:count], self.inbuf[count:]
        return octets

    def command(self, said):
        verb, _, rest = said.partition(" ")
        verb = verb.upper()
        if verb == "UID":
            more, _, rest = rest.partition(" ")
            verb += " " + more.upper()
        try:
            done = self.allowed(verb)
            done(*arguments(rest))
        except Bad as e:
            self.say(f"{self.tag} BAD {e}")
        except (TypeError, ValueError, IndexError) as e:
            self.say(f"{self.tag} BAD arguments ({type(e).__name__})")

    def allowed(self, verb):
        done = getattr(self, "do_" + verb.lower().replace(" ", "_"), None)
        if not done or not self.can(NEEDS.get(verb, "IMAP4rev1")):
            raise Bad("unknown command")
        if verb not in BEFORE_LOGIN and not self.authenticated:
            raise Bad("log in first")
        if verb in ("LOGIN", "AUTHENTICATE", "STARTTLS") and self.authenticated:
            raise Bad("logged in already")
        if hasattr(Selected, done.__name__) and not self.box:
            raise Bad("select a mailbox first")
        return done

    # what is said, and replaced in scripts

    def can(self, name):
        return name in self.origin.caps or name == "IMAP4rev1"

    def capabilities(self):
        caps = list(self.origin.caps)
        if self.origin.tls == "stls" and not self.tls:
            caps.append("STARTTLS")
        return "CAPABILITY " + " ".join(caps)

    def code(self):
        return f"[{self.capabilities()}] " if self.origin.tells else ""

    def tagged(self, text, **how):
        self.sync(**how)
        self.say(f"{self.tag} {text}")

    def filled(self, octets):
        inbox = self.origin.store.box("INBOX")
        words = {"tag": self.tag, "before": self.before}
        if inbox:
            words.update(validity=inbox.validity, uidnext=inbox.uidnext, exists=len(inbox.entries))

        def of_message(m):
            entry = self.origin.originals[int(m[2]) - 1]
            octets = entry.message.octets
            literal = b"{%d}\r\n" % len(octets)
            return {b"uid": b"%d" % entry.uid, b"size": b"%d" % len(octets), b"octets": octets, b"literal": literal + octets,
                    b"half": literal + octets[:len(octets) // 2], b"quoted": quoted(octets.decode("latin-1")).encode("latin-1")}[m[1]]
        for word, value in words.items():
            octets = octets.replace(b"{%s}" % word.encode(), str(value).encode())
        return re.sub(rb"\{(uid|size|octets|literal|half|quoted):(\d+)\}", of_message, octets)

    def act_authenticated(self):
        self.authenticated = True

    def act_recreate(self):
        self.origin.store.recreate("INBOX")

    def act_arrive(self, *words):
        self.origin.store.add("INBOX", b"Subject: " + " ".join(words).encode() + b"\r\n\r\nnew\r\n")

    def act_readonly(self):
        (self.box or self.origin.store.box("INBOX")).read_only = True

    def act_flag(self, uid, flag):
        self.origin.store.flag("INBOX", int(uid), {flag})

    def act_expunge(self, uid):
        self.origin.store.expunge("INBOX", {int(uid)})

    def remove_deleted(self):
        self.origin.store.expunge(self.box.name if self.box else "INBOX")

    # before and around login

    def greet(self):
        self.say(f"* OK {self.code()}ready")

    def do_capability(self):
        self.say("* " + self.capabilities())
        self.tagged("OK done")

    def do_noop(self):
        self.tagged("OK done")

    def do_id(self, _):
        self.say('* ID ("name" "imapd")')
        self.tagged("OK done")

    def do_starttls(self):
        if self.origin.tls != "stls" or self.tls:
            raise Bad("no TLS here")
        self.tagged("OK begin TLS")
        self.flush()
        self.secure()

    def entered(self, user, password):
        if (user, password) != (self.origin.user, self.origin.password):
            return self.say(f"{self.tag} NO [AUTHENTICATIONFAILED] wrong")
        self.authenticated = True
        return self.say(f"{self.tag} OK {self.code()}welcome")

    def do_login(self, user, password):
        if self.can("LOGINDISABLED"):
            return self.say(f"{self.tag} NO [PRIVACYREQUIRED] not in clear")
        return self.entered(user.encode("latin-1").decode(), password.encode("latin-1").decode())

    def challenge(self, text):
        self.say("+ " + base64.b64encode(text.encode()).decode())
        line = self.line().decode("latin-1")
        self.origin.saw(line)
        return self.decoded(line)

    def decoded(self, line):
        try:
            return b"" if line == "=" else base64.b64decode(line, validate=True)
        except binascii.Error:
            raise Bad("cancelled" if line == "*" else "not base64") from None

    def do_authenticate(self, name, initial=None):
        name = name.upper()
        if not self.can("AUTH=" + name) or name not in ("PLAIN", "LOGIN"):
            return self.say(f"{self.tag} NO unknown mechanism")
        if initial is not None and not self.can("SASL-IR"):
            raise Bad("no initial response here")
        first = self.decoded(initial) if initial is not None else self.challenge("" if name == "PLAIN" else "User Name\0")
        if name == "PLAIN":
            _, user, password = first.split(b"\0")
        else:
            user, password = first, self.challenge("Password\0")
        return self.entered(user.decode(), password.decode())

    def do_enable(self, *names):
        names = [n.upper() for n in names if n.upper() in ("CONDSTORE", "QRESYNC") and self.can(n.upper())]
        self.enabled |= set(names) | ({"CONDSTORE"} if "QRESYNC" in names else set())
        self.say(" ".join(["* ENABLED", *names]))
        self.tagged("OK done")

    def do_compress(self, how):
        if how.upper() != "DEFLATE":
            raise Bad("unknown compression")
        self.tagged("OK deflating")
        self.compress()

    def do_logout(self):
        self.say("* BYE until then", f"{self.tag} OK done")
        self.flush()
        raise Gone

    def do_idle(self):
        self.say("+ idling")
        self.line()
        self.tagged("OK done")

    # mailboxes

    def do_namespace(self):
        self.say(f'* NAMESPACE (("" {self.delimiter()})) NIL NIL')
        self.tagged("OK done")

    def delimiter(self):
        return quoted(self.origin.store.delimiter) if self.origin.store.delimiter else "NIL"

    def do_list(self, *args):
        args = [a for a in args if not (isinstance(a, str) and a.upper() == "RETURN")]
        if not self.can("LIST-EXTENDED") and (len(args) != 2 or isinstance(args[1], list)):
            raise Bad("LIST of two arguments")
        args = [a for n, a in enumerate(args) if not (isinstance(a, list) and (n == 0 or n == 3 or (n == 2 and len(args) == 3)))]
        reference, patterns = args
        if patterns == "":
            self.say(f'* LIST (\\Noselect) {self.delimiter()} ""')
        for name, attributes in self.origin.store.matching(reference, [patterns] if isinstance(patterns, str) else patterns):
            special = [] if self.can("SPECIAL-USE") else ["\\All", "\\Trash"]
            self.say(f"* LIST ({' '.join(a for a in attributes if a not in special)}) {self.delimiter()} {quoted(name)}")
        self.tagged("OK done")

    def do_lsub(self, reference, pattern):
        for name, _ in self.origin.store.matching(reference, [pattern]):
            self.say(f"* LSUB () {self.delimiter()} {quoted(name)}")
        self.tagged("OK done")

    def do_subscribe(self, _):
        self.tagged("OK done")

    def do_create(self, name):
        made = self.origin.store.create(name)
        if made:
            self.origin.event("created")
        self.tagged("OK done" if made else "NO [ALREADYEXISTS] it is there")

    def do_delete(self, name):
        if not self.origin.store.box(name) or name.upper() == "INBOX":
            return self.tagged("NO [NONEXISTENT] no such mailbox")
        self.origin.store.delete(name)
        return self.tagged("OK done")

    def do_status(self, name, items):
        box = self.origin.store.box(name)
        if not box:
            return self.tagged("NO [NONEXISTENT] no such mailbox")
        known = {"MESSAGES": len(box.entries), "RECENT": 0, "UIDNEXT": box.uidnext, "UIDVALIDITY": box.validity,
                 "UNSEEN": len([e for e in box.entries if "\\Seen" not in e.flags]), "HIGHESTMODSEQ": self.origin.store.modseq}
        self.say(f"* STATUS {quoted(box.name)} ({' '.join(f'{i.upper()} {known[i.upper()]}' for i in items)})")
        return self.tagged("OK done")

    def do_select(self, name, more=()):
        self.open(name, more, False)

    def do_examine(self, name, more=()):
        self.open(name, more, True)

    def open(self, name, more, read_only):
        self.leave()
        box = self.origin.store.box(name)
        if not box:
            return self.say(f"{self.tag} NO [NONEXISTENT] no such mailbox")
        words = [w.upper() if isinstance(w, str) else w for w in more]
        if words and not self.can("CONDSTORE") or ("QRESYNC" in words and "QRESYNC" not in self.enabled):
            raise Bad("unknown parameter")
        self.enabled |= {"CONDSTORE"} if "CONDSTORE" in words else set()
        self.enter(box, read_only)
        flags = "" if self.read_only else "\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*"
        self.say("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)", f"* {len(self.view)} EXISTS", "* 0 RECENT",
                 f"* OK [UIDVALIDITY {box.validity}] valid", f"* OK [UIDNEXT {box.uidnext}] next", f"* OK [PERMANENTFLAGS ({flags})] flags")
        if self.can("CONDSTORE"):
            self.say(f"* OK [HIGHESTMODSEQ {self.origin.store.modseq}] highest")
        if "QRESYNC" in words:
            self.resync(*words[words.index("QRESYNC") + 1])
        return self.say(f"{self.tag} OK [{'READ-ONLY' if self.read_only else 'READ-WRITE'}] {box.name[:20]}")

    def resync(self, validity, modseq, known=None, *_):
        """RFC 7162 section 3.2.5: what changed since, first what is gone."""
        if int(validity) != self.box.validity:
            return
        gone = [uid for at, uid in self.box.vanished if at > int(modseq)]
        if gone:
            self.say("* VANISHED (EARLIER) " + as_set(gone))
        for number, e in enumerate(self.view, 1):
            if e.modseq > int(modseq):
                self.say(f"* {number} FETCH (UID {e.uid} FLAGS ({' '.join(sorted(e.flags))}) MODSEQ ({e.modseq}))")


class Imapd(Origin):
    session = ImapSession

    def __init__(self, store, caps=None, tells=True, **more):
        super().__init__(**more)
        self.store, self.caps, self.tells = store, CAPS if caps is None else caps, tells
        self.originals = list(store.box("INBOX").entries) if store.box("INBOX") else []
