# SPDX-License-Identifier: Apache-2.0
"""Wrong configurations: each error names file and line, says what is wrong and what to write instead."""
import os
import re

import pytest

GOOD = ["connection box {", "\tprotocol = pop3", "\thost = 'localhost'", "\tuser = 'anna'",
        "\tpassword = 'geheim-7Q2x'", "\tdeliver = {'maildir:/tmp/never'}", "}"]

# name, lines to put before the closing brace of `box` (or whole file), line of the error, what the message must hold
INSIDE = [
    ("an unknown key, near a known one", ["\tintervall = 5min"], r"interval\b"),
    ("a key given twice", ["\thost = 'other'"], r"twice|already|host"),
    ("a duration without a unit", ["\tinterval = 5"], r"min|s\b"),
    ("a duration in words", ["\tinterval = soon"], r"30s|15min|2h|min"),
    ("a size that is none", ["\tmax_size = large"], r"25MB|MB|KB"),
    ("a port out of range", ["\tport = 70000"], r"65535"),
    ("a port of zero", ["\tport = 0"], r"65535"),
    ("an octal port", ["\tport = 0x3e3"], r"decimal|65535|number"),
    ("a choice that is none", ["\tpull = newest"], r"first-unread"),
    ("an unknown mechanism", ["\tauth = {'plane'}"], r"plain"),
    ("no mechanism at all", ["\tauth = {}"], r"auth"),
    ("a truth value that is none", ["\tuse_top = perhaps"], r"true|false"),
    ("move on POP3", ["\tafter = 'move:Done'"], r"move|imap"),
    ("a TLS mode that is none", ["\ttls {", "\t\tmode = starttls", "\t}"], r"explicit"),
    ("SSLv3", ["\ttls {", "\t\tprotocols = 'SSLv3'", "\t}"], r"SSLv3"),
    ("TLSv1 without legacy", ["\ttls {", "\t\tmin = 'TLSv1'", "\t}"], r"legacy"),
    ("no TLS version left", ["\ttls {", "\t\tmin = 'TLSv1.3'", "\t\tmax = 'TLSv1.2'", "\t}"], r"TLSv1"),
    ("a verification depth of zero", ["\ttls {", "\t\tverify_depth = 0", "\t}"], r"1"),
    ("a pin that is none", ["\ttls {", "\t\tpin = 'abc'", "\t}"], r"SHA-256|64|hex"),
    ("a CA file that is not there", ["\ttls {", "\t\tca_certificates = '/no/such/ca.pem'", "\t}"], r"/no/such/ca.pem"),
]

WHOLE = [
    ("an unclosed section", GOOD[:-1], None, r"clos|\}"),
    ("a section too many", GOOD + ["}"], 8, r"\}|clos|unexpected"),
    ("no host", [line for line in GOOD if "host" not in line], None, r"host"),
    ("no target", [line for line in GOOD if "deliver" not in line], None, r"deliver"),
    ("a target that nobody declared", [*GOOD[:5], "\tdeliver = {'archive'}", "}"], 6, r"archive"),
    ("a form of target that nobody knows", [*GOOD[:5], "\tdeliver = {'fax:123'}", "}"], 6, r"maildir:|mailbox:"),
    ("a name with a blank", ["connection 'two words' {", *GOOD[1:]], 1, r"blank|name"),
    ("two connections of one name", GOOD + GOOD, 8, r"box"),
    ("an unknown section", GOOD + ["conection other {", "}"], 8, r"connection"),
    ("a store that is none", ["store = 'mysql'"] + GOOD, 1, r"lmdb"),
    ("an include that is not there", ["include('nothing.conf')"] + GOOD, 1, r"nothing\.conf"),
    ("a quoted text without its end", [*GOOD[:2], "\thost = 'localhost", *GOOD[3:]], None, r"quot|string|unterminated|end"),
]


def write(p, lines, mode=0o600):
    with open(p.config, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    os.chmod(p.config, mode)


def errors(done):
    return [line for line in done.err.splitlines() if re.search(r"postrider\.conf:\d+: ", line)]


def test_the_good_one_is_good(p):
    write(p, [f"state = '{p.state}'"] + GOOD)
    p.good("check")


@pytest.mark.parametrize("name, lines, say", INSIDE, ids=[row[0] for row in INSIDE])
def test_wrong_inside_a_connection(p, name, lines, say):
    write(p, GOOD[:-1] + lines + ["}"])
    done = p("check")
    assert done.code == 2, done
    shown = errors(done)
    at = len(GOOD) + (1 if len(lines) > 1 else 0)
    assert shown and re.search(rf"postrider\.conf:({at}|{at + 1}|1): ", shown[0]), done
    assert re.search(say, "\n".join(shown)), done


@pytest.mark.parametrize("name, lines, at, say", WHOLE, ids=[row[0] for row in WHOLE])
def test_wrong_as_a_whole(p, name, lines, at, say):
    write(p, lines)
    done = p("check")
    assert done.code == 2, done
    shown = errors(done)
    assert shown, done
    if at:
        assert re.search(rf"postrider\.conf:{at}: ", shown[0]), done
    assert re.search(say, "\n".join(shown)), done


def test_all_errors_of_meaning_in_one_run(p):
    write(p, GOOD[:-1] + ["\tpull = newest", "\tinterval = soon", "\tport = 70000", "}"])
    done = p("check")
    lines = {int(re.search(r":(\d+): ", line)[1]) for line in errors(done)}
    assert done.code == 2 and {7, 8, 9} <= lines, done


def test_features_to_come_are_warnings(p):
    write(p, [f"state = '{p.state}'", *GOOD[:-1], "\tproxy = 'socks5://localhost:1080'", "}",
              "console { listen = '127.0.0.1:8110' }", "pop3 { listen a { tls = none } submission_limit = 5 }"])
    done = p.good("check")
    for key in "proxy", "console":
        assert re.search(rf"postrider\.conf:\d+: .*{key}: not built yet", done.text), (key, done)
    assert "2 warnings" in done.text, done


@pytest.mark.parametrize("keys, warning", [
    (["on_refused = return"], "on_refused: .*smtp or lmtp"),
    (["on_refused = return", "deliver = {'smtp://localhost:2525'}", "envelope { recipients = {'a@b.example'} }"], "on_refused: .*main_domain"),
    (["on_refused = return", "deliver = {'smtp://localhost:2525'}", "envelope { recipients = {'a@b.example'} target_domain = 'b.example' }"], None),
    (["on_refused = delete"], None),
    (["max_retries = 3"], "max_retries: .*retry_interval"),
    (["retry_interval = 3s"], "retry_interval: .*max_retries"),
    (["max_retries = 3", "retry_interval = 3s"], None),
    (["envelope { recipients = {'a@b.example'} no_recipient = hold }"], "envelope.no_recipient: .*no effect"),
])
def test_what_makes_no_sense_together_is_a_warning(p, keys, warning):
    lines = [line for line in GOOD[:-1] if "deliver" not in line or not any("deliver" in k for k in keys)]
    write(p, [f"state = '{p.state}'", *lines, *("\t" + k for k in keys), "}"])
    done = p.good("check")
    if warning:
        assert re.search(rf"postrider\.conf:\d+: .*{warning}", done.text) and "1 warning" in done.text, done
    else:
        assert "0 warnings" in done.text, done


def test_all_errors_of_the_pop3_service_in_one_run(p):
    write(p, [*GOOD, "pop3 {", "\tlisten a { tls = implicit }", "\tlisten b {", "\t\tport = 995", "\t\tproxy_protocol = v2", "\t}",
              "\tmechanisms = {'plane'}", "\tkey = '/k.pem'", "\tsubmission = 'nowhere'", "\tlogin_timeout = soon", "}"])
    done = p("check")
    lines = [int(re.search(r":(\d+): ", line)[1]) for line in errors(done)]
    assert done.code == 2 and lines == [9, 11, 12, 14, 15, 16, 17], done


def test_a_pop3_service_without_certificate(p):
    write(p, [f"state = '{p.state}'", *GOOD, "pop3 {", "\tlisten a {", "\t\taddress = '127.0.0.1'", "\t}", "}"])
    done = p.good("check")
    assert re.search(r"postrider\.conf:10: .*STLS is not offered", done.text) and "1 warning" in done.text, done


def service(p, **files):
    write(p, [f"state = '{p.state}'", *GOOD, "pop3 {", *(f"\t{key} = '{path}'" for key, path in files.items()), "}"])


@pytest.mark.parametrize("key", ["certificate", "key", "ca_certificates"])
def test_files_of_the_pop3_service_are_opened(p, authority, key):
    cert, private = authority.sign("served")
    files = {"certificate": cert, "key": private, "ca_certificates": authority.ca}
    service(p, **files)
    p.good("check")
    for wrong in "/no/such.pem", p.config:
        service(p, **{**files, key: wrong})
        done = p("check")
        assert done.code == 2 and re.search(rf"postrider\.conf:9: {key}: .*{re.escape(wrong)}", done.err), done
    open_key = os.path.join(p.home, "open.key")
    with open(private, "rb") as source, open(open_key, "wb") as f:
        f.write(source.read())
    os.chmod(open_key, 0o644)
    service(p, **{**files, "key": open_key})
    done = p("check")
    assert done.code == 2 and re.search(r"postrider\.conf:9: key: .*others may read it \(mode 644\)", done.err), done


def test_the_user_of_run(p, authority):
    write(p, ["run_as = 'no-such-user-7Q2x'", *GOOD])
    assert "warn run_as: there is no user no-such-user-7Q2x on this machine" in p.good("check").err
    write(p, ["run_as = 'post rider'", *GOOD])
    assert re.search(r"postrider\.conf:1: run_as: post rider is no name of a user", p("check").err)
    if os.geteuid() != 0:
        pytest.skip("only root can ask what another user may read")
    cert, key = authority.sign("served")
    write(p, ["run_as = 'daemon'", *GOOD, "pop3 {", f"\tcertificate = '{cert}'", f"\tkey = '{key}'", "}"])
    done = p.good("check")
    assert f"warn {p.config}:9: key: {key} cannot be read by daemon, and a reload will fail; chgrp daemon it" in done.err, done


def test_an_error_in_an_included_file_names_that_file(p):
    with open(os.path.join(p.home, "more.conf"), "w", encoding="ascii") as f:
        f.write("\n".join(GOOD[:-1] + ["\tpull = newest", "}", ""]))
    os.chmod(os.path.join(p.home, "more.conf"), 0o600)
    write(p, [f"state = '{p.state}'", "include('more.conf')"])
    done = p("check")
    assert done.code == 2 and re.search(r"more\.conf:7: ", done.err), done


def test_variables_expand_in_double_quotes_only(p):
    write(p, [f"state = '{p.state}'", *GOOD[:2], '\thost = "${NO_SUCH_HOST_HERE}"', *GOOD[3:]])
    done = p("check")
    assert done.code == 2, "an unset variable gives an empty host"
