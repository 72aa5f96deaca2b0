# SPDX-License-Identifier: Apache-2.0
"""Each way in, each disposition, each kind of target, each mood of it: see matrix.py."""
import os
import shutil
import tempfile

import pytest

from matrix import Matrix
from sinks import Sink

ONLY = os.environ.get("POSTRIDER_CELLS")        # a pattern: these alone


@pytest.fixture(scope="module")
def m(dovecot):
    home = tempfile.mkdtemp(prefix="pr-matrix-")
    os.chmod(home, 0o755)
    with Sink() as smtp, Sink(lmtp=True) as lmtp:
        matrix = Matrix(home, dovecot, smtp, lmtp, ONLY)
        matrix.collect()
        yield matrix
    shutil.rmtree(home, ignore_errors=True)


def test_each_cell_after_the_first_visit(m):
    faults = m.faults(m.first)
    assert not faults, "\n".join([f"{len(faults)} faults", *faults, str(m.done)])


def test_each_cell_after_recovery(m):
    m.mend()
    m.recover()
    faults = m.faults(m.last, mended=True)
    assert m.again.code == 0, m.again
    assert not faults, "\n".join([f"{len(faults)} faults", *faults])
