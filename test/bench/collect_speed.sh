#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# collect_speed.sh [PART…] -- how fast Postrider collects, beside its peers, in one run.
#
# speed   4 KiB messages from Dovecot over TLS at 0 and 50 ms: messages/s and CPU for each, against the null collector
#         (popload: one pipelined connection that throws all away), mpop and fetchmail
# poll    nothing new among 10,000 kept messages: time over what the null collector needs for the listing, in RTTs
# memory  by how much one message of 100 MB raises RssAnon
# imap    as speed, over IMAP, beside mbsync, getmail, fetchmail and fdm
# imap-poll    as poll, over IMAP: nothing changed, then one message more; beside mbsync
# imap-memory  as memory, over IMAP, beside mbsync and getmail
# relay        from Dovecot and nullpop to an SMTP or LMTP sink on loopback, beside fetchmail (relaying.py)
# accounts     50 accounts of one host with 40 messages each, beside the peers (relaying.py)
# thousand     a thousand connections of one configuration with nothing new at 50 ms, all at once
#
# Without PART all of them, in this order.
#
# Needs root and the harness ($BENCH, by default ../shared/bench beside this tree) after its setup.sh.
# BENCH_RUNS (3), BENCH_COUNT messages (4000), BENCH_RTTS ("0 50"), BENCH_TOOLS (for speed popload always among them),
# BENCH_CONNECTIONS (1000), POSTRIDER.
here=$(cd "$(dirname "$0")" && pwd)
BENCH=${BENCH:-$here/../../../shared/bench}
[ -f "$BENCH/lib.sh" ] || { echo "no harness at $BENCH; set BENCH" >&2; exit 2; }
export BENCH_MORE=$here
export POSTRIDER=${POSTRIDER:-$(readlink -f "$here/../../build/postrider")}
. "$BENCH/lib.sh"
[ -x "$BIN/popload" ] || die "run $BENCH/setup.sh first"
[ -x "$POSTRIDER" ] || die "$POSTRIDER is not built"
export S=$BENCH_WORK/speed HOST=10.99.0.1 POOL USERS MAIL PORT_POP PORT_POPS PORT_IMAP PORT_IMAPS BENCH_PASS TLS_CERT
mkdir -p "$S"; chmod 755 "$S"
exec 9> "$BENCH_WORK/speed.lock"
flock -n 9 || die "another collect_speed.sh is running"
tear_down() { "$BENCH/link.sh" down; "$BENCH/servers/dovecot.sh" stop; }
trap tear_down EXIT
"$BENCH/servers/dovecot.sh" start max > /dev/null 9>&- || die "no server"
rm -f "$BENCH_WORK/link.log"	# an old one says "ready" before the link is
"$BENCH/link.sh" up 50 9>&- || die "no link"
python3 "$here/speed.py" "$@"
