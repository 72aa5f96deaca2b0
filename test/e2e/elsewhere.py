# SPDX-License-Identifier: Apache-2.0
"""Another time, and another network: for tests of what takes days, and of ports that are fixed.

    at(p, days=8)           the runs of `p` that follow think that it is 8 days later (libfaketime)
    @own_network            the test has a loopback of its own, where all ports are free (root)
"""
import ctypes
import fcntl
import functools
import glob
import os
import socket
import struct
import subprocess
import threading

import pytest

from postrider import PROGRAM

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def preload():
    """libfaketime; a sanitizer's own library goes first where the program has one."""
    out = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert out, "faketime is not installed (tools/deps test)"
    linked = subprocess.run(["ldd", PROGRAM], check=True, capture_output=True, text=True).stdout
    return ":".join([line.split()[2] for line in linked.splitlines() if "libasan" in line] + out[:1])


def at(p, days):
    """Clocks of the machine, not of loops: time-outs stay what they are."""
    p.variables = {"LD_PRELOAD": preload(), "FAKETIME": f"{days:+g}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


def loopback_up():
    with socket.socket() as s:
        asked = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(s, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


def own_network(test):
    """A thread's network is its own after unshare, and that of the threads and processes that it starts."""
    @functools.wraps(test)
    def inside(*args, **more):
        failed = []

        def run():
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
                loopback_up()
                test(*args, **more)
            except BaseException as e:      # pytest's own failures, too
                failed.append(e)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
    return pytest.mark.skipif(os.geteuid() != 0, reason="a network of one's own is root's")(inside)
