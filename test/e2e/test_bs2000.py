# SPDX-License-Identifier: Apache-2.0
"""The mail reader of BS2000: its parameter file, imported, checked and at work."""
import os

import corpus
import pytest
from dovecot import PASSWORD
from probing import both
from test_seed_cases import left, origin_of

CIPHERS_12 = "ECDHE-ECDSA-AES128-GCM-SHA256"
SERVER = """\
SERVER={kind}(
  HOSTNAME=localhost,
  PORT={port},
  USER='anna',
  PASS='{password}',
{mailbox}  KEEP={keep},
  INTERVAL=0,
  TLS=YES(REQUIRED=YES, MODE=EXPLICIT, PROTOCOL='All -TLSv1.3', TLSMINPROTOCOLVERSION=TLSv1.2, TLSMAXPROTOCOLVERSION=TLSv1.2,
    CIPHER_SUITE='{ciphers}', CERTIFICATE='{cert}', KEY='{key}', CA_CERTIFICATES='{ca}', CRL='{crl}', VERIFY_SERVER=YES, VERIFY_DEPTH=1)))
"""
HANDLING = """\
MAILHANDLING=PARAMETERS(PREFIX=IN, DELETE=YES, PAMFILE=NO,
  BODY=PARAMETERS(PROCEDURE=PARAMETERS(SUFFIX='P', TEXT=('/BEGIN-PROC', '/END-PROC'))),
  ATTACHMENT=PARAMETERS(PROCEDURE=('/X')))
"""


@both
@pytest.mark.parametrize("handling", ["folder", "command"])
def test_a_parameter_file_of_bs2000(p, authority, protocol, handling):
    """Every operand of SERVER, and the parenthesis that the manual's example has too many: imported, checked, and at work."""
    cert, key = authority.sign("bs2000")
    crl = authority.revoke()
    os.chmod(key, 0o600)
    mail = corpus.small(4)
    with origin_of(protocol, mail, tls="stls", cert=cert, key=key) as origin:
        text = SERVER.format(kind=protocol.upper(), port=origin.port, password=PASSWORD, cert=cert, key=key, ca=authority.ca, crl=crl,
                             mailbox="  MAILBOX='INBOX',\n" if protocol == "imap" else "", keep="YES" if handling == "folder" else "NO",
                             ciphers=CIPHERS_12) + HANDLING
        with open(os.path.join(p.home, "rc"), "w", encoding="ascii") as f:
            f.write(text)
        p.secrets.clear()               # what is printed has the password, as it must
        done = p.good("import", "bs2000", "rc")
        assert "a closing parenthesis too many; passed over" in done.out and "not carried over" not in done.out, done
        out = done.out
        if handling == "command":       # the person has written the program, as the comments say
            program = os.path.join(p.home, "procedure")
            with open(program, "w", encoding="ascii") as f:
                f.write(f"#!/bin/sh\nexec cat >$(mktemp {p.home}/got.XXXXXX)\n")
            os.chmod(program, 0o755)
            out = out.replace("/usr/local/bin/mail-procedure", program).replace('deliver = {"mail"}', 'deliver = {"procedure"}')
        p.sections = {"imported": out}
        p.write()
        assert "good: 1 connection" in p.good("check").out
        done = p.good("collect")
        assert done.summary()["localhost"]["collected"] == 4, done
        assert origin.versions == ["TLSv1.2"] and len(left(origin)) == (4 if handling == "folder" else 0)
        names = [os.path.join(p.home, n) for n in os.listdir(p.home) if n.startswith("got.")] if handling == "command" else \
            [os.path.join(p.home, "mail", n) for n in os.listdir(os.path.join(p.home, "mail")) if n.endswith(".eml")]
        arrived = []
        for name in names:
            with open(name, "rb") as f:
                arrived.append(f.read())
        assert sorted(map(corpus.digest, arrived)) == sorted(map(corpus.digest, mail))
        assert handling == "command" or all(os.path.basename(n).startswith("IN.") for n in names)
        assert p.good("collect").summary()["localhost"]["collected"] == 0
