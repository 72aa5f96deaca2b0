/* SPDX-License-Identifier: Apache-2.0 */
#include "net/notify.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

enum { SHOWN_MAX = 40, PINGS = 4, TEXT_MAX = NOTIFY_STATUS_MAX + 100, US_A_MS = 1000, US_A_S = 1000000, NS_A_US = 1000 };

static const struct notify nobody = { .fd = -1 };

static bool parse_socket(const char *text, struct notify *n, struct err *e)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2)
		return err_set(e, ERR_CONFIG, "NOTIFY_SOCKET: \"%.*s\" is neither a path from / on nor an abstract name behind @", SHOWN_MAX, text);
	if (len >= sizeof n->to.sun_path)
		return err_set(e, ERR_CONFIG, "NOTIFY_SOCKET: more than %zu octets", sizeof n->to.sun_path - 1);
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, text, len);
	n->to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (text[0] == '@')
		n->to.sun_path[0] = '\0';	/* and its length tells where an abstract name ends */
	else
		n->to_size++;
	return true;
}

static bool parse_watchdog(const char *usec, const char *pid, uint32_t self, struct notify *n, struct err *e)
{
	uint64_t number;

	if (!usec)
		return true;
	if (pid && !span_number(span_of(pid), UINT32_MAX, &number))
		return err_set(e, ERR_CONFIG, "WATCHDOG_PID: \"%.*s\" is no process", SHOWN_MAX, pid);
	if (pid && number != self)
		return true;
	if (!span_number(span_of(usec), UINT64_MAX, &number) || !number)
		return err_set(e, ERR_CONFIG, "WATCHDOG_USEC: \"%.*s\" is no number of microseconds", SHOWN_MAX, usec);
	if (number < PINGS * US_A_MS)
		return err_set(e, ERR_CONFIG, "WATCHDOG_USEC: %" PRIu64 " microseconds are too few; write WatchdogSec=30s into the unit", number);
	number /= US_A_MS;
	n->watchdog_ms = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
	return true;
}

bool notify_parse(const char *socket, const char *usec, const char *pid, uint32_t self, struct notify *n, struct err *e)
{
	*n = nobody;
	if (!socket)
		return true;
	if (parse_socket(socket, n, e) && parse_watchdog(usec, pid, self, n, e))
		return true;
	*n = nobody;
	return false;
}

bool notify_start(struct notify *n, struct err *e)
{
	const struct timeval wait = { NOTIFY_WAIT_MS / 1000, NOTIFY_WAIT_MS % 1000 * US_A_MS };
	bool good = notify_parse(getenv("NOTIFY_SOCKET"), getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), (uint32_t)getpid(), n, e);

	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	if (!good || !n->to_size)
		return good;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd >= 0 && setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0)
		return true;
	(void)err_errno(e, ERR_LOCAL, "no socket to systemd");
	notify_end(n);
	return false;
}

void notify_end(struct notify *n)
{
	if (n->fd >= 0)
		(void)close(n->fd);
	*n = nobody;
}

bool notify_listens(const struct notify *n)
{
	return n->fd >= 0;
}

static void send_text(struct notify *n, const char *text, size_t len, int flags)
{
	ssize_t sent;

	do
		sent = sendto(n->fd, text, len, flags | MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->to_size);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && !atomic_exchange(&n->failed, true))
		log_warn(NULL, "systemd cannot be told \"%.*s\": %s", (int)strcspn(text, "\n"), text, strerror(errno));
	else if (sent >= 0)
		n->failed = false;
}

/* `states`: lines, each with its end. */
static void tell(struct notify *n, const char *states, const char *status)
{
	char text[TEXT_MAX];
	size_t from = strlen(states);
	int len;

	if (n->fd < 0)
		return;
	len = snprintf(text, sizeof text, "%s%s%.*s", states, status ? "STATUS=" : "", NOTIFY_STATUS_MAX, status ? status : "");
	assert(len >= 0 && (size_t)len < sizeof text);
	text_clean(text + from, (size_t)len - from);
	if (len)
		send_text(n, text, (size_t)len, 0);
}

void notify_ready(struct notify *n, const char *status)
{
	tell(n, "READY=1\n", status);
}

/* The time makes clear which of several reloads is meant: in microseconds, since one
 * that is rounded down would be from before systemd asked. */
void notify_reloading(struct notify *n)
{
	struct timespec now;
	char states[80];

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(states, sizeof states, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
		(uint64_t)now.tv_sec * US_A_S + (uint64_t)now.tv_nsec / NS_A_US);
	tell(n, states, NULL);
}

void notify_stopping(struct notify *n, const char *status)
{
	tell(n, "STOPPING=1\n", status);
}

void notify_status(struct notify *n, const char *status)
{
	tell(n, "", status);
}

void notify_ping(struct notify *n)
{
	static const char ping[] = "WATCHDOG=1\n";

	if (n->fd >= 0)
		send_text(n, ping, sizeof ping - 1, MSG_DONTWAIT);
}

uint32_t notify_watchdog_ms(const struct notify *n)
{
	return n->watchdog_ms;
}

uint32_t notify_ping_ms(const struct notify *n)
{
	return n->watchdog_ms / PINGS;
}
