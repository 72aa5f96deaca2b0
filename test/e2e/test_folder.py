# SPDX-License-Identifier: Apache-2.0
"""Folder targets (PRODUCT 2.2), through XTND XMIT: files, template, parts, index; kill -9; a folder that comes back."""
import json
import os
import re
import subprocess
import threading
import time

import pytest

from postrider import section
from serving import Server, until
from test_memory import rss_anon, sanitized
from test_serve_submission import MESSAGE, program, submit

MIXED = (b"From: Anna <anna@example.org>\r\nTo: bert@example.net\r\nSubject: the \"offer\"\r\n\t'x'\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
         b"Content-Transfer-Encoding: quoted-printable\r\n\r\nJ=F6rg\r\n--b\r\nContent-Type: application/pdf\r\n"
         b"Content-Disposition: attachment; filename=\"../in voice.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b--\r\n")


@pytest.fixture
def s(home, authority):
    with Server(home, authority) as server:
        yield server


def begin(s, **keys):
    """A target section of type folder; → its path and a client."""
    path = os.path.join(s.home, "Out")
    s.p.sections["target"] = section("target out", {"type": "folder", "path": path, **keys})
    s.keys["submission"] = "out"
    s.account("anna", [])
    s.start()
    return path, s.login()


def files(path):
    out = {}
    for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
        if os.path.isfile(os.path.join(path, name)):
            with open(os.path.join(path, name), "rb") as f:
                out[name] = f.read()
    return out


def indexes(path):
    return [json.loads(octets) for name, octets in files(path).items() if name.endswith(".json")]


def has_gmime(s):
    return "without GMime" not in s.p("check").text


def test_a_message_and_its_index(s):
    path = os.path.join(s.home, "Out")
    s.keys["submission"] = "folder:" + path
    s.account("anna", [])
    s.start()
    c = s.login()
    assert submit(c).startswith("+OK")
    index, = indexes(path)
    assert set(files(path)) == {index["message"], index["message"][:-4] + ".json"}
    assert re.fullmatch(r"mail\.\d{4}-\d\d-\d\d\.\d{6}\.eml", index["message"])
    octets = files(path)[index["message"]]
    assert octets.startswith(b"Return-Path: <anna@") and octets.endswith(MESSAGE.partition(b"\r\n\r\n")[2])
    assert b"\n" not in octets.replace(b"\r\n", b"") and index["size"] == len(octets)
    assert index["version"] == 1 and index["headers"]["subject"] == "hello" and index["facts"]["peer"] == "127.0.0.1"
    assert index["recipients"] == ["bert@example.net", "carla@example.net", "secret@example.net"]
    assert index["target"] == "folder:" + path and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", index["delivered"])
    assert "parts" not in index and os.listdir(os.path.join(path, ".tmp")) == []
    c.quit()


def test_template_and_parts(s):
    template = os.path.join(s.home, "order.xml")
    with open(template, "w", encoding="ascii") as f:
        f.write('<order from="%FROM%" what="%subject%" none="%X-None%">100 %%</order>\n')
    path, c = begin(s, prefix="order", template=template, split=True)
    assert submit(c, MIXED).startswith("+OK")
    index, = indexes(path)
    got = files(path)
    assert index["message"].startswith("order.")
    assert got[index["text"]] == b'<order from="Anna <anna@example.org>" what="the _offer_ _x_" none="">100 %</order>\n'
    assert index["text"] == index["message"][:-4] + ".xml"
    if has_gmime(s):
        body, pdf = index["parts"]
        assert got[body["file"]] == "Jörg".encode() and body["body"] and body["charset"] == "utf-8" and body["file"].endswith(".body.txt")
        assert got[pdf["file"]] == bytes(range(4)) and pdf["attachment"] and pdf["type"] == "application/pdf" and pdf["size"] == 4
        assert pdf["name"] == "../in voice.pdf" and re.fullmatch(r"order\.[\d.-]+\.1\._?[\w.]+_voice\.pdf", pdf["file"])
        assert len(got) == 5
    c.quit()


def test_many_in_a_second_have_numbers(s):
    path, c = begin(s)
    for n in range(20):
        assert submit(c, MESSAGE.replace(b"hello", b"number %d" % n)).startswith("+OK")
    got = indexes(path)
    assert sorted(i["headers"]["subject"] for i in got) == sorted(f"number {n}" for n in range(20))
    assert all(i["message"] in files(path) for i in got) and any("#2." in i["message"] for i in got)
    c.quit()


def test_what_was_ok_outlives_a_kill(s):
    path, c = begin(s)
    rounds = 6
    for n in range(rounds):
        assert submit(c, MESSAGE.replace(b"hello", b"number %d" % n)).startswith("+OK")
        c.send("XTND XMIT\r\n" + "To: a@example.org\r\n\r\nhalf")     # and another one is under way
        s.kill()
        c.close()
        s.start()
        c = s.login()
    assert submit(c, MESSAGE).startswith("+OK")      # which sweeps
    got = indexes(path)
    assert sorted(i["headers"]["subject"] for i in got) == sorted(["hello"] + [f"number {n}" for n in range(rounds)])
    assert len(files(path)) == 2 * len(got) and os.listdir(os.path.join(path, ".tmp")) == []
    c.quit()


def test_a_folder_that_comes_back_gets_it_once(s):
    path = os.path.join(s.home, "Out")
    open(path, "w", encoding="ascii").close()       # no folder
    _, c = begin(s)
    assert submit(c).startswith("+OK")
    os.unlink(path)
    s.p.good("held", "retry")
    s.wait_log("outcome=delivered")
    assert len(indexes(path)) == 1
    c.quit()


def test_a_template_that_is_gone_keeps_mail_held(s):
    template = os.path.join(s.home, "order.txt")
    open(template, "w", encoding="ascii").close()
    path, c = begin(s, template=template)
    os.unlink(template)
    assert submit(c).startswith("+OK")
    assert not files(path) and re.search("outcome=held .*order.txt", s.log())
    with open(template, "w", encoding="ascii") as f:
        f.write("%to%")
    s.p.good("held", "retry")
    s.wait_log("outcome=delivered")
    until(lambda: len(indexes(path)) == 1, "the index")
    index, = indexes(path)
    assert files(path)[index["text"]].startswith(b"bert@example.net")
    c.quit()


TEMPLATE = "HOME/large.txt"


@pytest.mark.parametrize("keys, says", [
    ({"prefix": "../x"}, "prefix: ../x begins with a dot or has a slash"),
    ({"template": "/nowhere/order.txt"}, "template: /nowhere/order.txt cannot be read"),
    ({"template": "/etc/hostname"}, "template: /etc/hostname has no ending"),
    ({"template": TEMPLATE}, "template: a template has at most 256 keywords"),
])
def test_wrong_keys_are_errors_at_their_line(s, keys, says):
    with open(os.path.join(s.home, "large.txt"), "w", encoding="ascii") as f:
        f.write("%From%" * 257)
    keys = {k: v.replace("HOME", s.home) for k, v in keys.items()}
    s.p.sections["target"] = section("target out", {"type": "folder", "path": "/x", **keys})
    s.write()
    done = s.p("check")
    assert done.code == 2 and re.search(r"postrider\.conf:\d+: target out: " + re.escape(says), done.text), done


# ---- S/MIME

INNER = b"Content-Type: text/plain\r\n\r\nthe secret\r\n"


def cms(home, entity, *args):
    path = os.path.join(home, "entity")
    with open(path, "wb") as f:
        f.write(entity)
    return subprocess.run(["openssl", "cms", "-in", path, "-outform", "SMIME", *args], check=True, capture_output=True).stdout


@pytest.fixture
def pair(home):
    """A certificate for mail, signed by itself, and its key."""
    cert, key = os.path.join(str(home), "mail.pem"), os.path.join(str(home), "mail.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Bert", "-keyout", key, "-out", cert,
                    "-addext", "subjectAltName=email:bert@example.net", "-addext", "extendedKeyUsage=emailProtection"],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


def sealed(s, cert, key):
    """A message to whoever has that certificate, signed by the same."""
    inside = cms(s.home, INNER, "-sign", "-nodetach", "-signer", cert, "-inkey", key)
    entity = cms(s.home, inside, "-encrypt", "-aes256", cert)
    return b"From: anna@example.org\r\nTo: bert@example.net\r\nSubject: x\r\n" + entity.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_smime_into_a_folder(s, pair):
    cert, key = pair
    path, c = begin(s, smime__certificate=cert, smime__key=key, smime__ca_certificates=cert)
    assert submit(c, sealed(s, cert, key)).startswith("+OK")
    assert submit(c, MESSAGE).startswith("+OK")
    first, second = sorted(indexes(path), key=lambda i: i["headers"]["subject"] != "x")
    octets = files(path)[first["message"]]
    assert octets.endswith(b"MIME-Version: 1.0\r\n" + INNER) and b"Subject: x\r\n" in octets and b"pkcs7" not in octets
    assert first["smime"]["encrypted"] == "decrypted" and first["smime"]["signed"] == "verified", first
    assert first["smime"]["signer"] == "bert@example.net"
    assert re.fullmatch("[0-9a-f]{64}", first["smime"]["fingerprint"])
    assert second["smime"] == {"encrypted": "clear", "signed": "unsigned"}
    c.quit()


def test_smime_into_a_program(s, authority):
    """The signer's certificate is a server's: that is not trusted for mail."""
    out = os.path.join(s.home, "taken")
    take = program(s, f'cat > {out}.eml; env > {out}\n')
    s.p.sections["target"] = section("target out", {"type": "command", "argv": [take], "smime__certificate": s.cert, "smime__key": s.key,
                                                    "smime__ca_certificates": authority.ca})
    s.keys["submission"] = "out"
    s.account("anna", [])
    s.start()
    c = s.login()
    assert submit(c, sealed(s, s.cert, s.key)).startswith("+OK")
    with open(out + ".eml", "rb") as f:
        octets = f.read()
    with open(out, encoding="utf-8") as f:
        said = f.read()
    assert octets.endswith(INNER) and f"POSTRIDER_SIZE={len(octets)}\n" in said
    assert "POSTRIDER_SMIME_ENCRYPTED=decrypted\n" in said and "POSTRIDER_SMIME_SIGNED=untrusted\n" in said
    c.quit()


def test_a_key_that_others_can_read_is_refused(s):
    os.chmod(s.key, 0o644)
    s.keys.update(key=None, certificate=None, submission="out")
    s.listen = {"open": {"tls": "none", "allow_cleartext": True}}
    s.p.sections["target"] = section("target out", {"type": "folder", "path": os.path.join(s.home, "Out"), "smime__certificate": s.cert,
                                                    "smime__key": s.key})
    s.account("anna", [])
    done = s.p("run")
    assert done.code in (1, 2) and "others can read it" in done.text, done


def test_memory_does_not_grow_with_an_attachment(s):
    """Split, decoded, written: from file to file."""
    path, c = begin(s, split=True)
    if sanitized() or not has_gmime(s):
        pytest.skip("a sanitizer's memory is not ours; or built without GMime")

    def peak(size):
        seen, ends = [], threading.Event()

        def watch():
            while not ends.is_set():
                seen.append(rss_anon(s.process.pid))
                time.sleep(0.002)
        watcher = threading.Thread(target=watch)
        watcher.start()
        line = b"QUFB" * 19 + b"\r\n"
        octets = MIXED.replace(b"AAECAw==\r\n", line * (size // len(line)))
        assert submit(c, octets).startswith("+OK")
        ends.set()
        watcher.join()
        return max(seen)
    peak(1 << 20)       # what is lent once
    small, large = peak(1 << 20), peak(20 << 20)
    assert large - small < 1024, (small, large)
    assert max(part["size"] for index in indexes(path) for part in index["parts"]) > 14 << 20
    c.quit()
