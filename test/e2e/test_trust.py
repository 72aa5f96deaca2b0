# SPDX-License-Identifier: Apache-2.0
"""Certificates that are not trusted: what was offered is kept, and `trust` shows it."""
import hashlib
import os
import re
import ssl
import subprocess

import pytest

import certs
import corpus
from pop3d import Maildrop, Pop3d


def pin(cert):
    pem = subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True, capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def der(pem):
    return ssl.PEM_cert_to_DER_cert(pem)


def pem(cert):
    with open(cert, encoding="ascii") as f:
        return f.read()


class Offer:
    """A server with a certificate, and one failed visit to it."""

    def __init__(self, p, cert, key, ca, mode="implicit", host="localhost", visits=1, **keys):
        self.cert = cert
        with Pop3d(Maildrop(corpus.small(1)), tls=mode, cert=cert, key=key) as origin:
            self.port, self.name = origin.port, f"{host}:{origin.port}"
            p.connection("box", host=host, port=origin.port, tls__mode="explicit" if mode == "stls" else mode,
                         tls__ca_certificates=ca, **keys)
            for _ in range(visits):
                self.done = p("collect", "box", limit=30)
                assert self.done.code == 1, self.done
            assert not origin.verbs("PASS") and not origin.verbs("AUTH")


@pytest.fixture(scope="module")
def strangers(authority):
    """case → (certificate, key, the CA that is known, why it is not trusted)."""
    other = certs.Authority(os.path.join(authority.directory, "stranger"), "Somebody else")
    return {
        "unknown CA": (*other.sign("pop.example"), authority.ca, "not issued by a known authority"),
        "wrong name": (*authority.sign("wrong", ["DNS:pop.example.org"]), authority.ca, "is not for localhost but for pop.example.org"),
        "expired": (*authority.sign("expired", expired=True), authority.ca, "expired on 2021-01-01"),
    }


@pytest.mark.parametrize("mode", ["implicit", "stls"])
@pytest.mark.parametrize("case", ["unknown CA", "wrong name", "expired"])
def test_what_was_offered_is_listed_and_shown(p, strangers, case, mode):
    cert, key, ca, why = strangers[case]
    offer = Offer(p, cert, key, ca, mode)
    assert why in offer.done.text and f"see `postrider trust show {offer.name}`" in offer.done.text, offer.done
    listed = p.good("trust", "list").out
    assert listed.count("\n") == 1 and offer.name in listed and why in listed and pin(cert) in listed, listed
    assert "1 time " in listed and "issuer \"CN=" in listed, listed
    shown = p.good("trust", "show", offer.name).out
    assert offer.name in shown and why in shown and pin(cert) in shown
    assert re.search(r"subject +CN=", shown) and re.search(r"issuer +CN=", shown), shown
    assert hashlib.sha256(der(pem(cert))).hexdigest() in shown
    assert ("EXPIRED" in shown) is (case == "expired")
    assert "tls { pin = " in shown and "ca_certificates" in shown and "BEGIN" not in shown
    assert p.good("trust", "show", "localhost").out == shown


def test_the_pin_that_is_shown_lets_the_next_visit_in(p, strangers):
    cert, key, ca, _ = strangers["expired"]
    offer = Offer(p, cert, key, ca)
    shown = re.search(r'tls \{ pin = "([0-9a-f]{64})" \}', p.good("trust", "show", offer.name).out)[1]
    with Pop3d(Maildrop(corpus.small(2)), tls="implicit", cert=cert, key=key) as origin:
        p.connection("box", host="localhost", port=origin.port, tls__pin=shown)
        p.good("collect", "box")
    assert len(p.in_maildir()) == 2
    assert p.good("trust", "list").out.count("\n") == 1, "a good visit notes nothing"


def test_as_data(p, strangers):
    cert, key, ca, why = strangers["wrong name"]
    offer = Offer(p, cert, key, ca, visits=2)
    [row] = p.good("trust", "list", "--json").rows()
    assert (row["host"], row["port"], row["times"], row["state"]) == ("localhost", offer.port, 2, "offered")
    assert row["subject"] == "CN=wrong" and row["issuer"] == "CN=Postrider test CA" and row["key_sha256"] == pin(cert)
    assert why in row["reason"] and "trust show" not in row["reason"]
    [row] = p.good("trust", "show", offer.name, "--json", "--pem").rows()
    [first] = row["certificates"]
    assert first["names"] == ["DNS:pop.example.org"] and first["expired"] is False and first["key_bits"] == 256
    assert first["key_type"] == "EC" and first["key_group"] == "prime256v1" and first["signature"] == "ecdsa-with-SHA256"
    assert der(first["pem"]) == der(pem(cert)) and first["sha256"] == hashlib.sha256(der(pem(cert))).hexdigest()
    for moment in (row["first_seen"], row["last_seen"], first["not_before"], first["not_after"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    [row] = p.good("trust", "show", offer.name, "--json").rows()
    assert "pem" not in row["certificates"][0]


def test_a_second_failure_counts_and_another_chain_begins_anew(p, strangers, authority):
    cert, key, ca, _ = strangers["unknown CA"]
    with Pop3d(Maildrop(corpus.small(1)), tls="implicit", cert=cert, key=key) as origin:
        port = origin.port
        p.connection("box", host="localhost", port=port, tls__ca_certificates=ca)
        for times in (1, 2, 3):
            assert p("collect", "box").code == 1
            [row] = p.good("trust", "list", "--json").rows()
            assert row["times"] == times and row["first_seen"] <= row["last_seen"]
        p.connection("box", host="localhost", port=port, tls__pin="00" * 32)
        assert p("collect", "box").code == 1
        [row] = p.good("trust", "list", "--json").rows()
        assert row["times"] == 4 and "pinned" in row["reason"], "the newest reason"
    assert row["key_sha256"] == pin(cert)


def test_visits_at_once_all_count(p, strangers):
    cert, key, ca, _ = strangers["unknown CA"]
    with Pop3d(Maildrop(corpus.small(1)), tls="implicit", cert=cert, key=key) as origin:
        for n in range(12):
            p.connection(f"box{n}", host="localhost", port=origin.port, tls__ca_certificates=ca)
        assert p("collect").code == 1
    [row] = p.good("trust", "list", "--json").rows()
    assert row["times"] == 12


def test_the_whole_chain_is_shown(p, authority, home):
    """The server sends its authority along."""
    other = certs.Authority(os.path.join(home, "other"), "Somebody else")
    cert, key = other.sign("leaf")
    both = other.path("both.pem")
    with open(both, "w", encoding="ascii") as f:
        f.write(pem(cert) + pem(other.ca))
    offer = Offer(p, both, key, authority.ca)
    shown = p.good("trust", "show", offer.name, "--pem").out
    assert "certificate 1 of 2: the server's" in shown and "certificate 2 of 2" in shown and "(itself)" in shown
    assert [der(x) for x in re.findall(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", shown, re.S)] == \
        [der(pem(cert)), der(pem(other.ca))]
    [row] = p.good("trust", "list", "--json").rows()
    assert row["subject"] == "CN=leaf"


def test_hostile_names_do_not_reach_the_terminal(p, authority):
    """Every run is searched for control octets besides (postrider.py)."""
    cert, key = authority.sign("hostile", ["DNS:pop.example.org"],
                               subject="/CN=evil\x1b[2J\x1b]0;owned\x07\r\n9999  good.example:995/O=\u202egnp\u2028x")
    offer = Offer(p, cert, key, authority.ca)
    listed, shown = p.good("trust", "list").out, p.good("trust", "show", offer.name).out
    assert listed.count("\n") == 1 and "evil" in listed and "\\1B" in listed
    assert len([x for x in shown.splitlines() if "good.example" in x]) == 1
    for text in (listed, shown, offer.done.text):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f\u2028-\u202e\u2066-\u2069]", text)
    rows = p.good("trust", "list", "--json").rows() + p.good("trust", "show", offer.name, "--json").rows()
    assert len(rows) == 2 and "\x1b" not in str([r for r in rows])


def test_an_unknown_host_says_what_is_known(p, strangers):
    done = p("trust", "show", "nobody.example")
    assert done.code == 1 and "nobody.example" in done.err and "nothing is known" in done.err, done
    assert p.good("trust", "list").out == ""
    cert, key, ca, _ = strangers["wrong name"]
    offer = Offer(p, cert, key, ca)
    for asked in ("nobody.example:995", "localhost:1"):
        done = p("trust", "show", asked)
        assert done.code == 1 and asked in done.err and offer.name in done.err and done.out == "", done


def test_technical_failures_and_good_visits_keep_nothing(p, authority):
    with Pop3d(Maildrop(corpus.small(1))) as clear:
        p.connection("box", host="localhost", port=clear.port, tls__ca_certificates=authority.ca)
        done = p("collect", "box")
        assert done.code == 1 and "does not speak TLS" in done.text and "trust show" not in done.text, done
    cert, key = authority.sign("right")
    with Pop3d(Maildrop(corpus.small(1)), tls="implicit", cert=cert, key=key) as origin:
        p.connection("box", host="localhost", port=origin.port, tls__ca_certificates=authority.ca)
        p.good("collect", "box")
    assert p.good("trust", "list").out == ""


def test_by_address(p, authority):
    cert, key = authority.sign("named", ["DNS:localhost"])
    offer = Offer(p, cert, key, authority.ca, host="127.0.0.1")
    assert offer.name in p.good("trust", "show", "127.0.0.1").out


@pytest.mark.parametrize("words", [(), ("lost",), ("list", "x"), ("show",), ("show", "a", "b"), ("show", "a b"), ("show", "a:99999"), ("accept",), ("accept", "a", "b"),
                                   ("revoke",), ("import",), ("accept", "a b")])
def test_wrong_words(p, words):
    done = p("trust", *words)
    assert done.code == 2 and done.out == "" and done.err, done
