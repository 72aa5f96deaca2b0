#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# relay_speed.sh -- how fast mail goes on to an SMTP or LMTP server, and how fast 50 accounts of one host are collected,
# beside the peers, in one run: the parts `relay` and `accounts` of collect_speed.sh, whose settings count here, too
# (relaying.py has the others).  Results also as lines of JSON in $BENCH_WORK/results/relay.jsonl.
exec "$(dirname "$0")/collect_speed.sh" relay accounts
