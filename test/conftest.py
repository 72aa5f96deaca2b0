# SPDX-License-Identifier: Apache-2.0
"""What all end-to-end tests share.  The program: $POSTRIDER, else build/postrider."""
import os
import shutil
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(HERE, "e2e"), os.path.join(HERE, "origin")):
    sys.path.insert(0, folder)

import certs  # noqa: E402
import dovecot as dovecot_room  # noqa: E402
import postrider as program  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


@pytest.fixture(scope="session", autouse=True)
def the_program():
    if not os.access(program.PROGRAM, os.X_OK):
        pytest.exit(f"{program.PROGRAM} is not built (ninja -C build, or set POSTRIDER)", returncode=2)


@pytest.fixture(scope="session")
def authority():
    home = tempfile.mkdtemp(prefix="pr-ca-")
    os.chmod(home, 0o755)
    yield certs.Authority(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def dovecot(authority):
    """One Dovecot for all tests; each test fills its own users."""
    if not dovecot_room.available():
        pytest.skip("no dovecot on this machine")
    with dovecot_room.Dovecot(authority) as d:
        yield d


@pytest.fixture
def home():
    path = tempfile.mkdtemp(prefix="pr-home-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def p(home):
    return program.Postrider(home)
