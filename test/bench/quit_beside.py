#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long QUIT takes that deletes a message, alone and while the same instance collects.

    test/bench/quit_beside.py [COUNT] [pop3|imap]      20000 messages, pop3; POSTRIDER= another binary

One client logs in, marks one message, and says QUIT, again and again: without anything else, beside a visit that
brings COUNT messages from Dovecot into the store (keep), and beside one that finds all of them known."""
import os
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("..", "../e2e", "../origin"):
    sys.path.insert(0, os.path.join(HERE, folder))

import certs  # noqa: E402
import corpus  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from serving import Server  # noqa: E402

ALONE_S = 5


class Quitter(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.took, self.ended = server, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            c = self.server.login("bea")
            c.good("DELE 1")
            began = time.perf_counter()
            c.good("QUIT")
            self.took.append((time.perf_counter() - began) * 1000)
            c.close()

    def tell(self, beside):
        self.ended.set()
        self.join()
        took = sorted(self.took)
        at = [took[min(len(took) - 1, int(len(took) * part))] for part in (0.5, 0.9, 0.99)] + [took[-1]]
        print(f"{beside}: {len(took)} QUITs, ms: median {at[0]:.1f}, 90 % {at[1]:.1f}, 99 % {at[2]:.1f}, most {at[3]:.1f}", flush=True)


def main():
    count, protocol = int(sys.argv[1]) if len(sys.argv) > 1 else 20000, sys.argv[2] if len(sys.argv) > 2 else "pop3"
    folders = [tempfile.mkdtemp(prefix="pr-quit-") for _ in range(2)]
    os.chmod(folders[0], 0o755)
    authority = certs.Authority(folders[0])
    mail = corpus.messages(count) if count <= 20000 else corpus.small(count, size=200)
    with Dovecot(authority) as origin, Server(folders[1], authority) as s:
        s.account("anna", [])
        s.account("bea", corpus.small(12000, size=200))
        s.p.connection("box", host="localhost", user=origin.fresh(mail), protocol=protocol, after="keep", tls__ca_certificates=authority.ca,
                       port=origin.imaps if protocol == "imap" else origin.pop3s, deliver=["mailbox:anna/INBOX"], timeout="2min")
        s.start()
        q = Quitter(s)
        time.sleep(ALONE_S)
        q.tell("alone")
        for what in (f"beside {count} messages over {protocol}", "beside a visit that knows them all"):
            q = Quitter(s)
            done = s.p.good("collect", "box", limit=1200)
            q.tell(what)
            print("    " + done.out.strip())
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
