# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests over IMAP share."""
from collections import Counter

from dovecot import shown
from imap_store import crlf


def keys(dovecot, authority, user, mode="implicit", **more):
    """Of a connection to `user` at Dovecot."""
    return {"protocol": "imap", "port": dovecot.imaps if mode == "implicit" else dovecot.imap, "user": user, "tls__mode": mode,
            "tls__ca_certificates": authority.ca, **more}


def same(arrived, sent):
    """The same messages, octet for octet but for line ends, as often."""
    return Counter(crlf(m) for m in arrived) == Counter(shown(m) for m in sent)


def visit(p, name="box", **want):
    done = p.good("collect", name)
    got = done.summary()[name]
    assert {k: got[k] for k in want} == want, done
    return done
