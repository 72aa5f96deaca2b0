# SPDX-License-Identifier: Apache-2.0
"""A mail server whose logins are Cyrus SASL's (libsasl2), for mechanisms that no Dovecot of Debian 12 has: NTLM, and SCRAM
with -PLUS.  The library judges; what is around it is POP3 or IMAP of a few lines, with an empty mailbox.

    with Cyrus(authority, "pop3", "NTLM") as s:      s.port (TLS from the first octet), s.users: whom the library let in
        s.heard         what the client said, line by line
Users are {"anna": password} of `passwords`.  Over TLS 1.2 at most, since of channel bindings Python tells tls-unique alone.
"""
import base64
import contextlib
import ctypes
import ctypes.util
import os
import shutil
import socket
import ssl
import tempfile
import threading

from dovecot import PASSWORD
from test_oauth_servers import imap_rest, pop3_rest

LIST_END, GETOPT = 0, 1                                         # sasl.h
OK, CONTINUE, SET_CREATE, USERNAME, CHANNEL_BINDING = 0, 1, 1, 0, 21
SERVER_FIRST = ("DIGEST-MD5", "CRAM-MD5")
Getopt = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p), ctypes.POINTER(ctypes.c_uint))


class Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("proc", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class Binding(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("critical", ctypes.c_int), ("len", ctypes.c_ulong), ("data", ctypes.c_char_p)]


class Library:
    """Once in a process: its options are for all of it."""
    one = None

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="pr-cyrus-")
        self.options = {b"auxprop_plugin": b"sasldb", b"sasldb_path": os.path.join(self.home, "sasldb2").encode(), b"log_level": b"0"}
        self.lib = ctypes.CDLL("libsasl2.so.2")
        self.getopt = Getopt(self.option)
        self.callbacks = (Callback * 2)(Callback(GETOPT, ctypes.cast(self.getopt, ctypes.c_void_p), None), Callback(LIST_END, None, None))
        assert self.lib.sasl_server_init(self.callbacks, b"postrider-test") == OK

    def option(self, _context, _plugin, name, result, length):
        value = self.options.get(name)
        if value is None:
            return -1
        result[0] = value
        if length:
            length[0] = len(value)
        return OK

    @classmethod
    def get(cls):
        cls.one = cls.one or Library()
        return cls.one


def available():
    return ctypes.util.find_library("sasl2") and os.path.exists("/usr/lib/x86_64-linux-gnu/sasl2/libntlm.so")


class Login:
    def __init__(self, service):
        self.lib, self.connection = Library.get().lib, ctypes.c_void_p()
        assert self.lib.sasl_server_new(service, b"localhost", b"localhost", None, None, None, 0, ctypes.byref(self.connection)) == OK

    def know(self, user, password):
        secret = password.encode()
        assert self.lib.sasl_setpass(self.connection, user.encode(), secret, len(secret), None, 0, SET_CREATE) == OK, self.why()

    def bind(self, octets):
        self.binding = Binding(b"tls-unique", 0, len(octets), octets)
        assert self.lib.sasl_setprop(self.connection, CHANNEL_BINDING, ctypes.byref(self.binding)) == OK

    def step(self, call, *args):
        out, length = ctypes.c_void_p(), ctypes.c_uint()
        code = call(self.connection, *args, ctypes.byref(out), ctypes.byref(length))
        return code, ctypes.string_at(out, length.value) if out and length.value else b""

    def start(self, mechanism, response):
        return self.step(self.lib.sasl_server_start, mechanism, response, len(response or b""))

    def next(self, response):
        return self.step(self.lib.sasl_server_step, response, len(response))

    def user(self):
        name = ctypes.c_char_p()
        assert self.lib.sasl_getprop(self.connection, USERNAME, ctypes.byref(name)) == OK
        return name.value.decode().removesuffix("@localhost")

    def why(self):
        self.lib.sasl_errdetail.restype = ctypes.c_char_p
        return self.lib.sasl_errdetail(self.connection)

    def end(self):
        self.lib.sasl_dispose(ctypes.byref(self.connection))


class Cyrus:
    def __init__(self, authority, protocol, mechanism, passwords=None, spoil=False):
        """spoil: the server's channel binding is that of another line."""
        self.protocol, self.mechanism, self.spoil, self.heard, self.users, self.whys, self.connections = protocol, mechanism, spoil, [], [], [], 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*authority.sign("cyrus"))
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        login = Login(b"pop")
        for user, password in (passwords or {"anna": PASSWORD}).items():
            login.know(user, password)
        login.end()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with raw, contextlib.suppress(OSError, EOFError):
                with self.tls.wrap_socket(raw, server_side=True) as line, line.makefile("rwb", buffering=0) as self.file:
                    self.talk(line.get_channel_binding("tls-unique"))
                    line.unwrap()

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        self.heard.append(line[:-2].decode())
        return self.heard[-1]

    def say(self, *lines):
        for line in lines:
            self.file.write(line.encode() + b"\r\n")

    def talk(self, binding):
        if self.protocol == "imap":
            return self.talk_imap(binding)
        self.say("+OK ready")
        assert self.line() == "CAPA"
        self.say("+OK", "UIDL", "TOP", f"SASL {self.mechanism}", ".")
        words = self.line().split()
        assert words[:2] == ["AUTH", self.mechanism], words
        if not self.exchange(words[2:], b"pop", "+", binding):
            return self.say("-ERR authentication failed")
        self.say("+OK")
        return pop3_rest(self)

    def talk_imap(self, binding):
        self.say(f"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH={self.mechanism}] ready")
        words = self.line().split()
        assert words[1:3] == ["AUTHENTICATE", self.mechanism], words
        if not self.exchange(words[3:], b"imap", "+", binding):
            return self.say(f"{words[0]} NO [AUTHENTICATIONFAILED] authentication failed")
        self.say(f"{words[0]} OK")
        return imap_rest(self)

    def exchange(self, initial, service, more, binding):
        login = Login(service)
        try:
            if "PLUS" in self.mechanism:
                login.bind(b"another line" if self.spoil else binding)
            first = None
            if not initial and self.mechanism not in SERVER_FIRST:
                self.say(more + " ")
                initial = [self.line()]
            if initial:
                first = b"" if initial == ["="] else base64.b64decode(initial[0])
            code, out = login.start(self.mechanism.encode(), first)
            while code == CONTINUE or (code == OK and out):
                self.say(f"{more} {base64.b64encode(out).decode()}")
                answer = self.line()
                if answer == "*":
                    return False
                if code == OK:          # that was the server's own proof
                    break
                code, out = login.next(base64.b64decode(answer))
            if code != OK:
                self.whys.append(login.why())
                return False
            self.users.append(login.user())
            return True
        finally:
            login.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(20)


def forget():
    """The library's database of users."""
    if Library.one:
        shutil.rmtree(Library.one.home, ignore_errors=True)
