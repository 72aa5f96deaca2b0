#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# relay_speed.sh [MESSAGES] -- how fast a relay sends (relay_bench.c): messages of 4 KiB to a server that keeps nothing, over
# loopback, and over a line with a round trip of 50 ms between two network namespaces of its own.  HOLD=hold: each is released
# as soon as it is done, as a visit does when it is durable.
#
# Needs root and tundelay.c of the harness ($BENCH, by default ../shared/bench beside this tree).  RELAY_BENCH is the program.
here=$(cd "$(dirname "$0")" && pwd)
bench=${BENCH:-$here/../../../shared/bench}
program=${RELAY_BENCH:-$(readlink -f "$here/../../build-rel/test/relay_bench")}
messages=${1:-40000} port=2500
[ -x "$program" ] || { echo "$program is not built: meson setup build-rel -Dbuildtype=release && ninja -C build-rel test/relay_bench" >&2; exit 2; }
work=$(mktemp -d) started=()
end() { [ ${#started[@]} = 0 ] || kill "${started[@]}" 2> /dev/null; rm -rf "$work"; }
trap end EXIT
cc -O2 -o "$work/tundelay" "$bench/src/tundelay.c" || exit 2
for side in near far; do
	unshare -n sleep 3600 & started+=($!)
	declare $side=$!
done
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
until [ "$(readlink /proc/$near/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
in_ns() { local pid=$1; shift; nsenter -t "$pid" -n "$@"; }
"$work/tundelay" /proc/$near/ns/net link0 /proc/$far/ns/net link0 25 > "$work/log" 2>&1 & started+=($!)
until grep -q ready "$work/log"; do sleep 0.1; done
for side in $near $far; do in_ns "$side" ip link set lo up; in_ns "$side" ip link set link0 up; done
in_ns "$near" ip addr add 10.98.0.1 peer 10.98.0.2 dev link0
in_ns "$far" ip addr add 10.98.0.2 peer 10.98.0.1 dev link0

measure() { # WHERE NAMESPACE ADDRESS OFFERS MESSAGES PARALLEL…
	local where=$1 ns=$2 address=$3 offers=$4 count=$5 kind parallel server
	shift 5
	nsenter -t "$far" -n "$program" serve "$address" $port "$offers" & server=$!
	started+=("$server")
	until in_ns "$far" bash -c "exec 3<> /dev/tcp/$address/$port" 2> /dev/null; do sleep 0.1; done
	for kind in smtp lmtp; do
		for parallel in "$@"; do
			echo "$where $kind $offers parallel=$parallel: $(in_ns "$ns" "$program" send "$address" $port $kind "$work/store" "$parallel" "$count" 4096 $HOLD)"
		done
	done
	kill "$server"; wait "$server" 2> /dev/null
}

for offers in none pipelining chunking; do
	measure "0 ms" "$far" 127.0.0.1 $offers "$messages" 1 2
done
measure "50 ms" "$near" 10.98.0.2 none 100 2 10
measure "50 ms" "$near" 10.98.0.2 pipelining 400 1 2 10
measure "50 ms" "$near" 10.98.0.2 chunking 400 1 2 10
