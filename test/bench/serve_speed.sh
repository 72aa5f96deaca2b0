#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# serve_speed.sh [PART…] -- what Postrider's POP3 service costs, beside Dovecot and a server that does nothing, in one run.
#
# speed   sessions and messages for each CPU second of the server: login, poll, fetch (2 KB, the corpus mix), one by one and
#         pipelined, in clear and with TLS; and logins with the default password scheme
# maildir sessions and messages for each CPU second of the server, over the Maildirs that Dovecot serves: warm, and cold (drop_caches)
# idle    RssAnon of 10,000 idle logged-in sessions, each; of each further message in a box
# open    how long opening 100,000 messages takes, warm and when the disk has them, and whether others wait meanwhile
# flood   5,000 half-open sessions, 200 wrong logins a second and a client that never reads, all at once: what honest clients see
#
# Without PART all of them, in this order; tables in Markdown, for docs/MEASURED.md, on standard output.
#
# Needs root and the harness ($BENCH, by default ../shared/bench beside this tree) after its setup.sh.  The first run fills the
# store: a quarter of an hour for idle's 5,000 users.
# BENCH_RUNS (3), BENCH_SECS of a rate case (4), BENCH_IDLE sessions (10000), BENCH_FLOOD seconds (15), POSTRIDER;
# BENCH_LOG (info), BENCH_GROUP (popbench: names the control groups), BENCH_WORK.
here=$(cd "$(dirname "$0")" && pwd)
BENCH=${BENCH:-$here/../../../shared/bench}
[ -f "$BENCH/lib.sh" ] || { echo "no harness at $BENCH; set BENCH" >&2; exit 2; }
export POSTRIDER=${POSTRIDER:-$(readlink -f "$here/../../build/postrider")}
. "$BENCH/lib.sh"
[ -x "$BIN/popload" ] || die "run $BENCH/setup.sh first"
[ -x "$POSTRIDER" ] || die "$POSTRIDER is not built"
[ $# -gt 0 ] || set -- speed maildir idle open flood
export S=$BENCH_WORK/serve USERS BENCH_PASS
mkdir -p "$S"
exec 9> "$BENCH_WORK/serve.lock"
flock -n 9 || die "another serve_speed.sh is running"
echo "large:$BENCH_PASS" > "$USERS/large"
cat "$USERS"/{poll,small,corpus,large} > "$S/users"
case " $* " in *" idle "*) cat "$USERS/idle" >> "$S/users" ;; esac
export BENCH_FILL=$S/users
tear_down() { "$here/servers/postrider.sh" stop; "$here/servers/nullpop.sh" stop; "$BENCH/servers/dovecot.sh" stop; } 2> /dev/null
trap tear_down EXIT
tear_down			# what an earlier run left behind has the ports
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 16384 ] || die "the limit of open files is too low"
ulimit -Sn "$(ulimit -Hn)"
ns_make origin
nsenter --net="$BENCH_WORK/ns/origin" python3 "$here/serve_speed.py" "$@"
