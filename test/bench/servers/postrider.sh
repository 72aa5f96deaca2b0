#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# postrider.sh start|stop|refill|version [VARIANT] -- Postrider's POP3 service over its embedded store, in namespace "origin".
#
# Variants:
#   plain  (default) accounts with a recoverable secret, as the peers' passwd-files have {PLAIN}
#   maildir  the peers' own Maildirs, and their passwords as a passwd-file with {PLAIN}; \Seen is not set
#   hash   accounts as they are by default: argon2id alone, remembered for a minute
# The store is filled once, from the Maildirs that all peers serve, with the users of BENCH_FILL (default $USERS/all; a user "large"
# gets 100,000 messages); `refill` fills the boxes of $USERS/small anew.  BENCH_CONF: more lines for section pop3.
. "$BENCH_DIR/lib.sh"
variant=${2:-plain}
POSTRIDER=${POSTRIDER:-$(readlink -f "$(dirname "$0")/../../../build/postrider")}
D=$BENCH_WORK/postrider-$variant CG=${BENCH_GROUP:-popbench}-postrider	# BENCH_GROUP: beside another one that runs
here() { "$POSTRIDER" "$@" -q -c "$D/postrider.conf"; }

conf() {
	mkdir -p "$D"
	cat > "$D/postrider.conf" <<END
state = "$D/state"
log { level = ${BENCH_LOG:-info}  to = "$D/log" }
pop3 {
    max_sessions = 40000
    listen plain { address = "0.0.0.0"  port = $PORT_POP  tls = starttls  allow_cleartext = true }
    listen tls   { address = "0.0.0.0"  port = $PORT_POPS  tls = implicit }
    certificate = "$TLS_CERT"
    key = "$TLS_KEY"
    $([ "$variant" = maildir ] && echo "users = {'passwd-file:$D/passwd'}  maildir = '$MAIL/%u/Maildir'  after_retr_seen = false")
    ${BENCH_CONF:-}
}
END
	[ "$variant" != maildir ] || awk -F: -v p="$BENCH_PASS" '{ print $1 ":{PLAIN}" p }' "$USERS/all" > "$D/passwd"
	[ "$variant" != maildir ] || chmod 600 "$D/passwd"
}

put() {	# put USER SOURCE: an account, with its mail if there is some; what a run that was broken off left of it goes
	here account show "$1" > /dev/null 2>&1 && here account remove "$1" --with-mailboxes
	printf %s "$BENCH_PASS" | here account add "$1" $([ "$variant" = plain ] && echo --recoverable) --password-file - || die "no account $1"
	[ -z "$2" ] || here mailbox import "$1/INBOX" "$2" || die "no mail for $1"
	echo "$1" >> "$D/filled"
}

large() {	# an mbox of 100,000 messages, for who has none in the harness
	awk 'BEGIN { for (i = 1; i <= 100000; i++)
		printf "From x@example.org Thu Jan  1 00:00:00 2026\nFrom: x@example.org\nSubject: number %d\nMessage-ID: <%d@example.org>\n\nThis is number %d.\n\n", i, i, i }'
}

fill() {	# fill USERS-FILE: whom the store has not yet
	local user
	cut -d: -f1 "$1" | grep -vxFf "$D/filled" > "$D/missing" || return 0
	say "filling: $(wc -l < "$D/missing") users (some minutes for thousands)"
	while read -r user; do
		[ "$user" = large ] && { large > "$D/mbox"; put large "mbox:$D/mbox" < /dev/null; rm "$D/mbox"; continue; }
		if [ -d "$MAIL/$user/Maildir" ]; then put "$user" "maildir:$MAIL/$user/Maildir" < /dev/null; else put "$user" "" < /dev/null; fi
	done < "$D/missing"
}

case ${1:-} in
start)
	"$0" stop "$variant"
	conf; rm -f "$D/log"
	touch "$D/filled"
	[ "$variant" = maildir ] || [ -s "$D/filled" ] || here mailbox list 2>/dev/null | sed -n 's|/INBOX .*||p' > "$D/filled"
	[ "$variant" = maildir ] || fill "${BENCH_FILL:-$USERS/all}"
	chmod 600 "$TLS_KEY"
	ns_make origin
	( cg_run "$CG" nsenter --net="$BENCH_WORK/ns/origin" "$POSTRIDER" run -c "$D/postrider.conf" > "$D/out" 2>&1 9>&- & )
	wait_port $PORT_POP || die "postrider does not listen: $(tail -3 "$D/out" "$D/log")"
	echo "cg=$CG pop=$PORT_POP pops=$PORT_POPS stls=$PORT_POP"
	;;
stop)	cg_kill "$CG" ;;
refill)	while IFS=: read -r user pass; do
		here mailbox remove "$user/INBOX" --with-messages
		here mailbox import "$user/INBOX" "maildir:$MAIL/$user/Maildir"
	done < "$USERS/small"
	;;
version) echo "Postrider $("$POSTRIDER" --version | head -1 | cut -d' ' -f2) ($variant)" ;;
*)	die "usage: $0 start|stop|refill|version [plain|hash|maildir]" ;;
esac
