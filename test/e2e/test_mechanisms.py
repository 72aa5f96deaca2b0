# SPDX-License-Identifier: Apache-2.0
"""Every mechanism of PRODUCT 2.1 against a real Dovecot, over POP3 and over IMAP: it logs in, and what is wrong is told in
words that help.  OAUTHBEARER and XOAUTH2 are in test_oauth.py.  NTLM and SCRAM with -PLUS, which Dovecot 2.3 has not, are
judged by Cyrus SASL; -PLUS also by our own server (test_serve_clients.py) and by GNU SASL's (src/sasl/client_test.c)."""
import os
import re
import select
import socket
import subprocess
import threading

import pytest

import corpus
import cyrus
import kerberos
from certs import openssl
from dovecot import Dovecot, available
from serving import until

PASSWORDS = ["scram-sha-256", "scram-sha-1", "digest-md5", "cram-md5", "plain", "login", "user"]
BY_PASSWORD = [(protocol, auth) for protocol in ("pop3", "imap") for auth in PASSWORDS + ["apop"] * (protocol == "pop3")]
MAIL = corpus.small(2)
WRONG = "falsch-9Xk"


@pytest.fixture(scope="module")
def realm():
    if not kerberos.available():
        pytest.skip("no Kerberos on this machine (tools/deps test)")
    with kerberos.Realm() as r:
        for name in ("imap", "pop"):
            r.service(name)
        yield r


@pytest.fixture(scope="module")
def dove(authority):
    """A Dovecot with all that goes by a password."""
    if not available():
        pytest.skip("no dovecot on this machine")
    more = "auth_mechanisms = plain login digest-md5 cram-md5 apop scram-sha-1 scram-sha-256\n"
    with Dovecot(authority, more=more) as d:
        yield d


@pytest.fixture(scope="module")
def hound(authority, realm):
    """One that takes Kerberos' tickets."""
    if not available() or not os.path.exists("/usr/lib/dovecot/modules/auth/libmech_gssapi.so"):
        pytest.skip("no dovecot with GSSAPI on this machine (tools/deps test)")
    more = (f"auth_mechanisms = plain gssapi\nauth_krb5_keytab = {realm.path('services.keytab')}\nauth_gssapi_hostname = localhost\n"
            f"import_environment = TZ KRB5_CONFIG={realm.path('krb5.conf')} KRB5RCACHENAME=none:\n")
    with Dovecot(authority, more=more) as d:
        yield d


@pytest.fixture(scope="module")
def sealed(authority):
    """One that takes certificates."""
    if not available():
        pytest.skip("no dovecot on this machine")
    more = (f"auth_mechanisms = plain external\nssl_ca = <{authority.ca}\nssl_verify_client_cert = yes\nssl_require_crl = no\nauth_ssl_username_from_cert = yes\n"
            "passdb {\n  driver = static\n  mechanisms = external\n  args = nopassword=yes\n}\n")
    with Dovecot(authority, more=more) as d:
        yield d


def box(p, d, authority, protocol, user, **more):
    p.connection("box", **{"protocol": protocol, "port": d.imaps if protocol == "imap" else d.pop3s, "host": "localhost", "user": user,
                           "tls__ca_certificates": authority.ca, "after": "keep", "password": d.password, **more})


def logs_in(p, mechanism):
    done = p.good("collect", "box")
    assert done.summary()["box"]["collected"] == len(MAIL), done
    done = p.good("test", "box")
    assert mechanism.upper() in done.out, done


def refused(p, *words):
    """One failure, in these words → what was said"""
    done = p("collect", "box")
    assert done.code == 1, done
    for word in words:
        assert re.search(word, done.err), (word, done)
    assert not p.in_maildir()
    return done


def failures(d, user):
    return len(re.findall(rf"Disconnected: .*auth failed, (\d+) attempts.*user=<{user}>", d.log()))


# ---- by a password

@pytest.mark.parametrize("protocol, auth", BY_PASSWORD)
def test_by_password(p, dove, authority, protocol, auth):
    box(p, dove, authority, protocol, dove.fresh(MAIL), auth=[auth])
    logs_in(p, "LOGIN" if (protocol, auth) == ("imap", "user") else auth)


@pytest.mark.parametrize("protocol, auth", BY_PASSWORD)
def test_a_wrong_password(p, dove, authority, protocol, auth):
    user = dove.fresh(MAIL)
    p.secrets.add(WRONG)
    box(p, dove, authority, protocol, user, auth=[auth], password=WRONG)
    shown = "LOGIN" if (protocol, auth) == ("imap", "user") else auth.upper()
    refused(p, f"login by {shown} was refused; check `user` and `password`", "(?i)authentication failed")
    assert failures(dove, user) <= 1


def test_a_realm_of_the_users(p, authority):
    """DIGEST-MD5: anna@two.test is anna of the realm two.test, the second that the server offers; who has none is of the first."""
    with Dovecot(authority, more="auth_mechanisms = plain digest-md5\nauth_realms = one.test two.test\n") as d:
        for protocol in ("pop3", "imap"):
            for user, known in (("anna@two.test", "anna@two.test"), ("berta", "berta@one.test")):
                box(p, d, authority, protocol, user, auth=["digest-md5"])
                p.good("test", "box")
                assert re.search(rf"{protocol}-login: .*user=<{known}>, method=DIGEST-MD5", d.log())


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.parametrize("password", ["x" * 200, "a\"b,=", "пароль-€"])
def test_digest_md5_of_any_password(p, authority, protocol, password):
    """But for those that ISO 8859-1 has all letters of, and not ASCII: Dovecot hashes their UTF-8, against RFC 2831."""
    with Dovecot(authority, more="auth_mechanisms = plain digest-md5\n", passwd=f"anna:{{PLAIN}}{password}::::::\n") as d:
        d.fill("anna", MAIL)
        p.secrets.add(password)
        box(p, d, authority, protocol, "anna", auth=["digest-md5"], password=password)
        logs_in(p, "digest-md5")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_auto_leaves_out_what_servers_disagree_on(p, authority, protocol):
    """ISO 8859-1 has all letters of this password: RFC 2831 and Dovecot hash other octets then."""
    password = "pässwörd-7Q"
    with Dovecot(authority, more="auth_mechanisms = plain digest-md5\n", passwd=f"anna:{{PLAIN}}{password}::::::\n") as d:
        d.fill("anna", MAIL)
        p.secrets.add(password)
        box(p, d, authority, protocol, "anna", password=password)
        logs_in(p, "plain")
        login = [r for r in p.good("test", "box", "--json").rows() if r["step"] == "login"][0]
        assert {m["mechanism"]: m["reason"] for m in login["mechanisms"]}["DIGEST-MD5"] == "disputed"
        box(p, d, authority, protocol, "anna", password=password, auth=["digest-md5"])
        done = p("collect", "box")
        assert done.code == 1 and "login by DIGEST-MD5 was refused" in done.err, done


# ---- against Cyrus SASL

PLUS = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]


@pytest.fixture(scope="module")
def libsasl():
    if not cyrus.available():
        pytest.skip("no Cyrus SASL on this machine (tools/deps test)")
    yield cyrus
    cyrus.forget()


def cyrus_box(p, s, authority, **more):
    p.connection("box", **{"protocol": s.protocol, "port": s.port, "host": "localhost", "tls__ca_certificates": authority.ca, "after": "keep", **more})


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.parametrize("mechanism", ["NTLM", "DIGEST-MD5", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1", *PLUS])
def test_cyrus_lets_us_in(p, libsasl, authority, protocol, mechanism):
    with cyrus.Cyrus(authority, protocol, mechanism) as s:
        cyrus_box(p, s, authority)
        done = p("collect", "box")
        assert done.code == 0, (done, s.whys, s.heard)
        assert mechanism in p.good("test", "box").out
        assert s.users == ["anna"] * 2


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.parametrize("mechanism", ["NTLM", "DIGEST-MD5", *PLUS])
def test_cyrus_keeps_a_wrong_password_out(p, libsasl, authority, protocol, mechanism):
    p.secrets.add(WRONG)
    with cyrus.Cyrus(authority, protocol, mechanism) as s:
        cyrus_box(p, s, authority, password=WRONG)
        refused(p, f"login by {mechanism} was refused; check `user` and `password`")
        assert s.users == [] and s.connections == 1, "one failure"


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.parametrize("mechanism", PLUS)
def test_cyrus_sees_another_line(p, libsasl, authority, protocol, mechanism):
    """Somebody in between has one line with us and another with the server."""
    with cyrus.Cyrus(authority, protocol, mechanism, spoil=True) as s:
        cyrus_box(p, s, authority)
        refused(p, f"login by {mechanism} was refused")
        assert s.users == [] and s.connections == 1


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
@pytest.mark.parametrize("password, mechanism", [("pässwörd-ÿ", "DIGEST-MD5"), ("пароль-€", "DIGEST-MD5"), ("x" * 100, "DIGEST-MD5"), ("x" * 100, "NTLM")])
def test_cyrus_and_passwords_of_any_kind(p, libsasl, authority, protocol, mechanism, password):
    """With NTLM only ASCII: Cyrus takes octets for characters there.  `auto` leaves DIGEST-MD5 out where servers disagree."""
    p.secrets.add(password)
    with cyrus.Cyrus(authority, protocol, mechanism, {"berta": password}) as s:
        cyrus_box(p, s, authority, user="berta", password=password, auth=[mechanism.lower()])
        p.good("collect", "box")
        assert s.users == ["berta"]


# ---- by a ticket

@pytest.fixture
def ticketed(p, realm):
    """Into the realm, without a ticket yet."""
    p.variables.update(realm.variables)
    return p


@pytest.mark.parametrize("auth", [["gssapi"], ["auto"], ["gssapi", "plain"]])
@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_by_ticket(ticketed, hound, realm, authority, protocol, auth):
    user = hound.fresh(MAIL)
    ticketed.variables["KRB5CCNAME"] = realm.ticket(user)
    box(ticketed, hound, authority, protocol, user, auth=auth, password=None)
    logs_in(ticketed, "gssapi")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_by_client_keytab(ticketed, hound, realm, authority, home, protocol):
    """No kinit at all: the library gets the ticket, and keeps it."""
    user = hound.fresh(MAIL)
    cache = os.path.join(home, "cc")
    ticketed.variables.update(KRB5CCNAME="FILE:" + cache, KRB5_CLIENT_KTNAME="FILE:" + realm.keytab(user))
    box(ticketed, hound, authority, protocol, user, auth=["gssapi"], password=None)
    logs_in(ticketed, "gssapi")
    assert os.path.exists(cache)


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_with_a_password_auto_wants_no_ticket(ticketed, hound, realm, authority, protocol):
    user = hound.fresh(MAIL)
    ticketed.variables["KRB5CCNAME"] = realm.ticket(user)
    box(ticketed, hound, authority, protocol, user)
    logs_in(ticketed, "plain")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_no_ticket(ticketed, hound, authority, protocol):
    box(ticketed, hound, authority, protocol, hound.fresh(MAIL), auth=["gssapi"], password=None)
    refused(ticketed, "no Kerberos ticket", "kinit", "KRB5_CLIENT_KTNAME")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_no_ticket_but_a_password(ticketed, hound, authority, protocol):
    """Nobody refused anything: the next of the list is tried."""
    box(ticketed, hound, authority, protocol, hound.fresh(MAIL), auth=["gssapi", "plain"])
    logs_in(ticketed, "plain")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_somebody_elses_ticket(ticketed, hound, realm, authority, protocol):
    user = hound.fresh(MAIL)
    ticketed.variables["KRB5CCNAME"] = realm.ticket(hound.fresh())
    box(ticketed, hound, authority, protocol, user, auth=["gssapi"], password=None)
    refused(ticketed, "login by GSSAPI was refused; check `user` and the Kerberos ticket")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_an_expired_ticket(ticketed, hound, realm, authority, protocol):
    user = hound.fresh(MAIL)
    ticketed.variables["KRB5CCNAME"] = realm.ticket(user, "-l", "1s")
    subprocess.run(["sleep", "2"], check=True)
    box(ticketed, hound, authority, protocol, user, auth=["gssapi"], password=None)
    refused(ticketed, "no Kerberos ticket: .*(?i:expired)")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_a_server_that_the_kdc_does_not_know(ticketed, hound, realm, authority, protocol):
    user = hound.fresh(MAIL)
    ticketed.variables["KRB5CCNAME"] = realm.ticket(user)
    box(ticketed, hound, authority, protocol, user, auth=["gssapi"], password=None, host="127.0.0.1")
    refused(ticketed, "is `host` the server's name in Kerberos")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_a_server_of_another_key(ticketed, hound, realm, authority, protocol):
    """The KDC gave the service a new key, which Dovecot has not: it cannot read the ticket."""
    user = hound.fresh(MAIL)
    with kerberos.Realm() as other:
        for name in ("imap", "pop"):
            other.service(name)
        ticketed.variables.update(other.variables, KRB5CCNAME=other.ticket(user))
        box(ticketed, hound, authority, protocol, user, auth=["gssapi"], password=None)
        refused(ticketed, "GSSAPI")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_no_kdc(ticketed, hound, authority, protocol):
    """Nobody listens there: that is what is said, once, and no other mechanism is missed for it."""
    user = hound.fresh(MAIL)
    with kerberos.Realm() as gone:
        ticketed.variables.update(gone.variables, KRB5CCNAME=gone.ticket(user))
        gone.stop()
        box(ticketed, hound, authority, protocol, user, auth=["gssapi"], password=None)
        assert "none of the mechanisms" not in refused(ticketed, "error .*no Kerberos server answers: Cannot contact any KDC").err


class Mute:
    """A KDC that takes connections and says nothing: how many there were at once."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.now, self.most, (self.ends, end) = [], 0, socket.socketpair()
        self.thread = threading.Thread(target=self.listen, args=(end,))
        self.thread.start()
        return self

    def listen(self, end):
        with end:
            while end not in select.select([self.listener, end, *self.now], [], [])[0]:
                for one in select.select(self.now, [], [], 0)[0]:       # who went before another came
                    if not one.recv(65536):
                        self.now.remove(one)
                        one.close()
                if select.select([self.listener], [], [], 0)[0]:
                    self.now.append(self.listener.accept()[0])
                    self.most = max(self.most, len(self.now))
            for one in (self.listener, *self.now):
                one.close()

    def stop(self):
        self.ends.close()
        self.thread.join()

    def __exit__(self, *_):
        self.stop()


def test_a_silent_kdc_holds_nobody_else_up(ticketed, hound, realm, authority, home):
    """More connections ask it than there are threads; mail of another one is delivered while all of them wait."""
    user, go = hound.fresh(MAIL), os.path.join(home, "go")
    with Mute() as mute:
        with open(realm.path("krb5.conf"), encoding="ascii") as f:
            text = re.sub(r"kdc = \S+", f"kdc = 127.0.0.1:{mute.listener.getsockname()[1]}", f.read())
        with open(os.path.join(home, "krb5.conf"), "w", encoding="ascii") as f:
            f.write(text)
        ticketed.variables.update(KRB5CCNAME=realm.ticket(user), KRB5_CONFIG=os.path.join(home, "krb5.conf"))
        for n in range(12):
            ticketed.connection(f"ticket{n}", protocol="imap", port=hound.imaps, host="localhost", user=user, tls__ca_certificates=authority.ca,
                                auth=["gssapi"], password=None, timeout="100s")
        ticketed.connection("plain", protocol="imap", port=hound.imaps, host="127.0.0.1", user=user, tls__ca_certificates=authority.ca, tls__verify_host=False,
                            after="keep", password=f"command:until test -e {go}; do sleep 0.1; done; echo {hound.password}")
        process = ticketed.start("collect")
        try:
            until(lambda: mute.most >= 4, "questions to the KDC")
            with open(go, "w", encoding="ascii"):
                pass
            until(lambda: len(ticketed.in_maildir()) == len(MAIL), "mail of who needs no ticket")
        finally:
            mute.stop()         # now it is told soon
            done = ticketed.finish(process)
    assert mute.most == 4, done
    assert done.code == 1 and done.err.count("no Kerberos server answers") == 12, done


# ---- by a certificate

@pytest.fixture(scope="module")
def certificate(authority):
    """→ a client's certificate and key for a name"""
    def sign(name):
        cert, key, request, extra = (authority.path("client-" + name + end) for end in (".pem", ".key", ".csr", ".ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", authority.ca, "-CAkey", authority.key, "-CAcreateserial", "-days", "3650", "-extfile", extra, "-out", cert)
        os.chmod(key, 0o600)
        return {"tls__certificate": cert, "tls__key": key}
    return sign


@pytest.mark.parametrize("mode", ["implicit", "explicit"])
@pytest.mark.parametrize("auth", [["external"], ["auto"]])
@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_by_certificate(p, sealed, authority, certificate, protocol, auth, mode):
    user = sealed.fresh(MAIL)
    port = {"pop3": (sealed.pop3s, sealed.pop3), "imap": (sealed.imaps, sealed.imap)}[protocol][mode == "explicit"]
    box(p, sealed, authority, protocol, user, auth=auth, password=None, port=port, tls__mode=mode, **certificate(user))
    logs_in(p, "external")


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_somebody_elses_certificate(p, sealed, authority, certificate, protocol):
    user, other = sealed.fresh(MAIL), sealed.fresh()
    box(p, sealed, authority, protocol, user, auth=["external"], password=None, **certificate(other))
    refused(p, "login by EXTERNAL was refused; check `user` and `tls.certificate`")
