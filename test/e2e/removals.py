# SPDX-License-Identifier: Apache-2.0
"""Messages that are to be deleted whatever `after` says, written into a ledger that nothing has open."""
import os
import subprocess

import postrider as program

LEDGER = os.path.join(os.path.dirname(program.PROGRAM), "test", "ledger_removal")


def run(p, *args):
    done = subprocess.run([LEDGER, p.state, *map(str, args)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return int(done.stdout)


def remove(p, *uids, name="box"):
    """Entries there are, by UIDL or UID."""
    assert run(p, name, "mark", *uids) == len(uids), uids


def remove_unseen(p, validity, *uids, user="anna", mailbox="INBOX", name="box"):
    """Messages that the next visit fetches: decided in the visit that brings them."""
    assert run(p, name, "pending", "127.0.0.1", user, mailbox, validity, *uids) == len(uids)
