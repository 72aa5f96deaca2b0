# SPDX-License-Identifier: Apache-2.0
"""The flood of serve_speed.sh: flood.py PORT TLS_PORT (0: half-open sessions in clear, else handshakes that never end).

Says "ready" when the half-open ones are there (greeted, or answered with the server's half of the handshake), goes on until SIGTERM, and then says what it did.
"""
import collections
import select
import signal
import socket
import ssl
import sys
import time

HALF_OPEN, WRONG_A_SECOND, NEW_A_SECOND, WRONG_AT_ONCE = 5000, 200, 1000, 2000
PORT, TLS_PORT = int(sys.argv[1]), int(sys.argv[2])

told = collections.Counter()
poll = select.epoll()
halves, wrongs = {}, {}
numbers = iter(range(1 << 62))


def hello():
    """The octets of a TLS client that begins."""
    out = ssl.MemoryBIO()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


HELLO = hello()


def connect(port):
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_IP, 24, 1)       # IP_BIND_ADDRESS_NO_PORT: some thousand connections from few addresses
    sock.bind((f"127.0.1.{1 + next(numbers) % 254}", 0))
    try:
        sock.connect(("127.0.0.1", port))
    except BlockingIOError:
        pass
    return sock


def more_halves(room):
    for _ in range(min(room, HALF_OPEN - len(halves))):
        sock = connect(TLS_PORT or PORT)
        halves[sock.fileno()] = sock
        # in clear nothing is said at all; a handshake begins as soon as the connection is there
        poll.register(sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if TLS_PORT else 0))
        told["half-open begun"] += 1


def on_half(fd, events):
    sock = halves[fd]
    try:
        if events & select.EPOLLOUT:
            sock.send(HELLO)
            poll.modify(fd, select.EPOLLIN)
            return
        if sock.recv(4096):
            told["half-open answered"] += 1
            return
    except BlockingIOError:
        return
    except OSError:
        pass
    poll.unregister(fd)
    halves.pop(fd).close()
    told["half-open ended by the server"] += 1


def wrong():
    if len(wrongs) < WRONG_AT_ONCE:
        sock = connect(PORT)
        wrongs[sock.fileno()] = sock
        poll.register(sock.fileno(), select.EPOLLIN)
        told["wrong logins"] += 1
    else:
        told["wrong logins not tried, as too many wait"] += 1


def on_wrong(fd):
    """A greeting is answered with everything at once; any other answer, or an end, is the end."""
    sock = wrongs[fd]
    try:
        got = sock.recv(4096)
        if got.startswith(b"+OK") and b"-ERR" not in got and got.count(b"\n") == 1 and b"<" in got:
            number = next(numbers)
            sock.send(b"USER p%04d\r\nPASS wrong%d\r\n" % (1 + number % 200, number))
            return
        if got and b"-ERR" not in got:
            return
        told["wrong logins answered" if got else "wrong logins ended without a word"] += 1
    except BlockingIOError:
        return
    except OSError:
        told["wrong logins cut"] += 1
    poll.unregister(fd)
    wrongs.pop(fd).close()


def never_reads():
    sock = socket.create_connection(("127.0.0.1", PORT), source_address=("127.0.1.255", 0))
    sock.settimeout(2)
    sock.sendall(b"USER c0001\r\nPASS benchpw\r\n")
    try:
        for _ in range(40):
            sock.sendall(b"".join(b"RETR %d\r\n" % n for n in range(1, 501)))
    except OSError:
        pass
    return sock


def turn(wait):
    for fd, events in poll.poll(wait, 512):
        if fd in halves:
            on_half(fd, events)
        elif fd in wrongs:
            on_wrong(fd)


def main():
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    deaf = never_reads()
    while told["half-open answered"] < HALF_OPEN and not over:
        more_halves(100)
        turn(0.05)
    print("ready", flush=True)
    begin = last = time.monotonic()
    due = 0
    while not over:
        turn(0.01)
        now = time.monotonic()
        more_halves(int(NEW_A_SECOND * min(now - last, 0.1)))
        last = now
        while due < (now - begin) * WRONG_A_SECOND:
            wrong()
            due += 1
    deaf.close()
    print(f"{len(halves)} half-open at the end; " + "; ".join(f"{n} {what}" for what, n in sorted(told.items())), flush=True)


main()
