/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling systemd how the service is (sd_notify(3)), without its library.
 *
 *     notify_start(&n, &e) … notify_ready(&n, "…") … notify_reloading(&n) …
 *     notify_ready(&n, "…") … notify_stopping(&n, "…") … notify_end(&n)
 * The protocol is one datagram of lines KEY=VALUE; libsystemd would bring five
 * other libraries into a process that keeps passwords.
 *
 * notify_start reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them
 * out of the environment, so that no program of ours speaks in our name: for the
 * main thread before others run.  Without NOTIFY_SOCKET nobody listens, and every
 * call below does nothing.  notify_parse is that without the environment.
 * A text says what people read in `systemctl status`; it is cut at NOTIFY_STATUS_MAX
 * octets, and made safe: it cannot bring a line of its own.  NULL = no text.
 * What cannot be sent is logged once, and again after something could be sent; it
 * never waits longer than NOTIFY_WAIT_MS, a ping not at all.  Any thread, one at a time.
 *
 * The watchdog: when notify_watchdog_ms is not 0, systemd kills and restarts a
 * service that has not pinged for so long.  So a ping must be proof: the caller
 * shows first that all of its loops still turn (pulse.h), from a timer of
 * notify_ping_ms on the loop of the main thread, which thus proves itself:
 *     if (pulse_beat(pulse)) notify_ping(&n);
 * That goes on while the service drains, until the loops are joined. */
#pragma once

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

enum { NOTIFY_STATUS_MAX = 400, NOTIFY_WAIT_MS = 1000 };

struct notify {
	int fd;				/* -1: nobody listens */
	struct sockaddr_un to;
	socklen_t to_size;
	uint32_t watchdog_ms;
	atomic_bool failed;
};

/* The texts are those of the variables (NULL = not set); `self` is our process id.
 * The socket is a path or, behind an "@", an abstract name.  A watchdog for another
 * process is none.  ERR_CONFIG: they are broken; *n is then as without any. */
[[nodiscard]] bool notify_parse(const char *socket, const char *usec, const char *pid, uint32_t self, struct notify *n, struct err *e);
[[nodiscard]] bool notify_start(struct notify *n, struct err *e);
void notify_end(struct notify *n);
bool notify_listens(const struct notify *n);

void notify_ready(struct notify *n, const char *status);	/* at the start, and when a reload is over, also one that failed */
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n, const char *status);
void notify_status(struct notify *n, const char *status);
void notify_ping(struct notify *n);

uint32_t notify_watchdog_ms(const struct notify *n);	/* 0: there is no watchdog */
uint32_t notify_ping_ms(const struct notify *n);	/* how often to try: three times and more within that */
