# SPDX-License-Identifier: Apache-2.0
"""`postrider test`, up to the greeting: what cannot be reached, is not trusted, or is another kind of server."""
import os
import re
import ssl

import pytest

import certs
from dovecot import closed_port
from probing import Raw, answers, both, clear, failed, says, server, silent, tls

@both
def test_no_such_host(p, protocol):
    p.connection("box", protocol=protocol, host="no-such-host.invalid")
    failed(p, "connect", r"no-such-host\.invalid", passed=[])


@both
def test_closed_port(p, protocol):
    with closed_port() as port:
        p.connection("box", protocol=protocol, port=port)
        failed(p, "connect", f"127.0.0.1:{port}", "refused", "`port`", passed=[])


@both
@pytest.mark.parametrize("mode, passed", [("implicit", ["connect"]), ("none", ["connect"]), ("explicit", ["connect"])])
def test_silent_from_the_start(p, protocol, mode, passed):
    with Raw(silent) as raw:
        clear(p, protocol, raw, tls__mode=mode, timeout="1s")
        failed(p, "TLS" if mode == "implicit" else "greeting", "within 1 s", "TLS", passed=passed)


@both
def test_closing_at_once(p, protocol):
    with Raw(lambda raw, sock: None) as raw:
        clear(p, protocol, raw)
        failed(p, "greeting", "without a greeting", "busy|address", passed=["connect"])
        tls(p, protocol, raw, None)
        failed(p, "TLS", "closed the connection during the TLS handshake|reset", passed=["connect"])


# TLS where there is none, and none where there is

@both
def test_a_clear_server_on_a_tls_port(p, protocol):
    with server(protocol) as origin:
        tls(p, protocol, origin, None)
        failed(p, "TLS", "does not speak TLS", "tls.mode = explicit", r'server said ".* (OK|ready)', passed=["connect"])


@both
@pytest.mark.parametrize("mode", ["none", "explicit"])
def test_a_tls_server_on_a_clear_port(p, authority, protocol, mode):
    """It waits for our hello, and we for its greeting; a test finds out."""
    cert, key = authority.sign("waits")
    with server(protocol, tls="implicit", cert=cert, key=key) as origin:
        clear(p, protocol, origin, tls__mode=mode, timeout="1s")
        failed(p, "greeting", "speaks TLS from the start", "tls.mode = implicit", "993" if protocol == "imap" else "995", passed=["connect"])
        assert not origin.said


@both
def test_a_tls_alert_for_a_greeting(p, protocol):
    with Raw(says(b"\x15\x03\x01\x00\x02\x02\x46", close=True)) as raw:
        clear(p, protocol, raw)
        failed(p, "greeting", "speaks TLS from the start", "tls.mode = implicit", "993" if protocol == "imap" else "995", passed=["connect"])
        assert raw.count == 1, "that is certain already"


# another protocol's server

STRANGERS = {
    "pop3": (b"+OK Dovecot ready.\r\n", "POP3 server"), "imap": (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "IMAP server"),
    "smtp": (b"220 mx.example.org ESMTP\r\n", "SMTP"), "http": (b"HTTP/1.0 408 Request Time-out\r\n\r\n", "HTTP"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
}


@both
@pytest.mark.parametrize("other", sorted(STRANGERS))
@pytest.mark.parametrize("secure", [False, True])
def test_another_protocol(p, authority, protocol, other, secure):
    if other == protocol:
        pytest.skip("that is the right one")
    octets, name = STRANGERS[other]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("strange"))
    plain = says(octets)
    with Raw((lambda raw, sock: plain(raw, context.wrap_socket(sock, server_side=True))) if secure else plain) as raw:
        tls(p, protocol, raw, authority, tls__mode="implicit" if secure else "none")
        more = [f"protocol = {other}"] if other in ("pop3", "imap") else [f"no {protocol.upper()} server", "`port`"]
        failed(p, "greeting", name, *more, "server said", passed=["connect", "TLS"] if secure else ["connect"])


@both
def test_a_web_server(p, protocol):
    """It says nothing by itself; what it makes of a TLS start tells."""
    with Raw(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as raw:
        clear(p, protocol, raw, timeout="1s")
        failed(p, "greeting", protocol.upper(), "`port`", r'server said "HTTP/1.1 400 Bad Request', passed=["connect"])
        tls(p, protocol, raw, None)
        failed(p, "TLS", "does not speak TLS", r'server said "HTTP/1.1 400 Bad Request', passed=["connect"])


@both
def test_a_web_server_with_tls(p, authority, protocol):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("web"))
    with Raw(lambda raw, sock: silent(raw, context.wrap_socket(sock, server_side=True))) as raw:
        tls(p, protocol, raw, authority, timeout="1s")
        failed(p, "greeting", "no greeting within 1 s", "TLS is up", "HTTP", passed=["connect", "TLS"])


# certificates and versions

@both
@pytest.mark.parametrize("mode", ["implicit", "explicit"])
@pytest.mark.parametrize("wrong, words", [
    ("expired", ["expired on 2021-01-01", "renew"]), ("early", ["not valid before 2090-01-01", "clock"]),
    ("name", ["not for localhost but for mail.example.org, 192.0.2.7", "`host`"]),
    ("authority", ["not issued by a known authority", "Postrider test CA", "tls.ca_certificates", "tls.pin"]),
    ("self", ["self-signed", "tls.ca_certificates", "tls.pin"]), ("revoked", ["was revoked by .Postrider test CA.", "tls.crl"]),
    ("pin", ["not the pinned one", "[0-9a-f]{64}"]), ("crl", ["no revocation list of .Postrider test CA."]),
])
def test_certificates(p, authority, home, protocol, mode, wrong, words):
    more, cert = {}, None
    if wrong == "self":
        cert, key = certs.self_signed(os.path.join(home, "self"))
    elif wrong == "name":
        cert, key = authority.sign("name", ["DNS:mail.example.org", "IP:192.0.2.7"])
    else:
        cert, key = authority.sign("cert-" + wrong, expired=wrong == "expired", early=wrong == "early")
    if wrong == "revoked":
        more["tls__crl"] = authority.revoke(cert)
    if wrong == "crl":
        more["tls__crl"] = certs.Authority(os.path.join(home, "other"), "Another CA").revoke()
    if wrong == "pin":
        more["tls__pin"] = "00" * 32
    if wrong == "authority":
        more["tls__ca_certificates"] = None
    with server(protocol, tls="implicit" if mode == "implicit" else "stls", cert=cert, key=key) as origin:
        tls(p, protocol, origin, authority, **{"host": "localhost", "tls__mode": mode, **more})
        failed(p, "TLS", f"localhost:{origin.port} \\(127.0.0.1\\)", *words, passed=["connect"] if mode == "implicit" else ["connect", "greeting"])
        assert not [s for s in origin.said if re.match("PASS|AUTH|LOGIN", s, re.I)]


@both
@pytest.mark.parametrize("version, keys, words", [
    (ssl.TLSVersion.TLSv1_1, {}, ["TLS version", "tls.legacy = true"]),
    (ssl.TLSVersion.TLSv1_2, {"tls__min": "TLSv1.3"}, ["TLS version", "tls.min"]),
])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_versions(p, authority, protocol, version, keys, words):
    cert, key = authority.sign("old")
    with server(protocol, tls="implicit", cert=cert, key=key) as origin:
        origin.context.set_ciphers("ALL:@SECLEVEL=0")
        origin.context.minimum_version, origin.context.maximum_version = version, version
        tls(p, protocol, origin, authority, **keys)
        failed(p, "TLS", *words, passed=["connect"])


@both
def test_starttls_is_not_offered(p, protocol):
    with server(protocol) as origin:
        tls(p, protocol, origin, None, tls__mode="explicit", allow_cleartext=True)
        failed(p, "TLS", "offers no (STLS|STARTTLS)", "tls.required", passed=["connect", "greeting"])
        assert not [s for s in origin.said if re.match("USER|PASS|AUTH|LOGIN", s, re.I)]


@both
def test_no_tls_where_none_is_required(p, protocol):
    """Collect would go on in clear: so does the test, and says so."""
    with server(protocol) as origin:
        for mode in ("explicit", "implicit"):
            tls(p, protocol, origin, None, tls__mode=mode, tls__required=False, allow_cleartext=True)
            done = p("test", "box", "--json")
            assert done.code == 0, done
            told = [r for r in done.rows() if r["step"] == "TLS"]
            assert len(told) == 1 and told[0]["ok"] and re.search("none.*tls.required = false", told[0]["detail"]), done
            assert [r["step"] for r in done.rows()].count("connect") == 1
