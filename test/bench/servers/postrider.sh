#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# postrider.sh start|stop|refill|version [VARIANT] -- Postrider's POP3 service over its embedded store, in namespace "origin".
#
# Variants:
#   plain  (default) accounts with a recoverable secret, as the peers' passwd-files have {PLAIN}
#   hash   accounts as they are by default: argon2id alone, remembered for a minute
# The store is filled once, from the Maildirs that all peers serve; `refill` fills the boxes of $USERS/small anew.
. "$BENCH_DIR/lib.sh"
variant=${2:-plain}
POSTRIDER=${POSTRIDER:-$(readlink -f "$(dirname "$0")/../../../build/postrider")}
D=$BENCH_WORK/postrider-$variant CG=popbench-postrider
here() { "$POSTRIDER" "$@" -q -c "$D/postrider.conf"; }

conf() {
	mkdir -p "$D"
	cat > "$D/postrider.conf" <<END
state = "$D/state"
log { level = ${BENCH_LOG:-warn}  to = "$D/log" }
pop3 {
    max_sessions = 40000
    listen plain { address = "0.0.0.0"  port = $PORT_POP  tls = starttls  allow_cleartext = true }
    listen tls   { address = "0.0.0.0"  port = $PORT_POPS  tls = implicit }
    certificate = "$TLS_CERT"
    key = "$TLS_KEY"
}
END
}

fill() {	# fill USERS-FILE: accounts with their mail
	local user pass
	while IFS=: read -r user pass; do
		printf %s "$pass" | here account add "$user" $([ "$variant" = plain ] && echo --recoverable) --password-file - || die "no account $user"
		[ -d "$MAIL/$user/Maildir" ] && { here mailbox import "$user/INBOX" "maildir:$MAIL/$user/Maildir" || die "no mail for $user"; }
	done < "$1"
	touch "$D/filled"
}

case ${1:-} in
start)
	"$0" stop "$variant"
	conf
	[ -f "$D/filled" ] || { rm -rf "$D/state"; say "filling (some minutes)"; fill "${BENCH_FILL:-$USERS/all}"; }
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
*)	die "usage: $0 start|stop|refill|version [plain|hash]" ;;
esac
