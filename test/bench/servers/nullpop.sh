#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nullpop.sh start|stop|version [OCTETS] -- the harness's server that does nothing, 500 messages of OCTETS (2048) for anybody, in namespace "origin".
. "$BENCH_DIR/lib.sh"
CG=${BENCH_GROUP:-popbench}-null POP=11110 POPS=11995

one() { ( cg_run "$CG" nsenter --net="$BENCH_WORK/ns/origin" "$BIN/nullpop" "$1" "$(nproc)" 500 "${@:2}" > /dev/null 2>&1 9>&- & ); }

case ${1:-} in
start)	"$0" stop
	ns_make origin
	one $POP "${2:-2048}"
	one $POPS "${2:-2048}" "$TLS_CERT" "$TLS_KEY"
	wait_port $POP && wait_port $POPS || die "nullpop does not listen"
	echo "cg=$CG pop=$POP pops=$POPS"
	;;
stop)	cg_kill "$CG" ;;
version) echo "nullpop" ;;
*)	die "usage: $0 start|stop|version [OCTETS]" ;;
esac
