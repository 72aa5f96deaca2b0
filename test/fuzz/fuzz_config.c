/* SPDX-License-Identifier: Apache-2.0
 *
 * Configurations: whatever stands in the file, reading it ends, says something
 * for every error, and gives settings that hold what their header promises. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/read.h"
#include "config/settings_pop3.h"
#include "fuzz.h"

enum { REPORT_MAX = 1 << 20, INPUT_MAX = 1 << 16 };

/* Every line is one message, safe to show. */
static void check_report(const struct buf *report)
{
	for (size_t n = 0; n < report->len; n++)
		assert(report->at[n] == '\n' || (unsigned char)report->at[n] >= ' ');
	assert(!report->len || report->at[report->len - 1] == '\n');
}

static void check_connection(const struct connection *c)
{
	assert(c->name && c->name[0] && c->host && c->user && c->port);
	assert(c->auth_count == 0 || c->auth);
	assert(c->auth_count <= MECHANISMS && c->deliver_count <= SETTINGS_DELIVER_MAX && c->deliver_count);
	assert(c->tls.versions && c->tls.verify_depth);
	assert(c->timeout_ms && c->connect_timeout_ms);
	for (size_t n = 0; n < c->deliver_count; n++) {
		const struct target *t = c->deliver[n];

		assert(t->name && t->canonical);
		assert((t->type != TARGET_SMTP && t->type != TARGET_LMTP) || t->has_envelope || c->has_envelope);
	}
}

static void check_pop3(const struct pop3_settings *p)
{
	assert(p->listener_count && p->user_count && p->route_header && p->route_header[0]);
	assert(p->idle_timeout_ms && p->login_timeout_ms && p->mechanisms < 1u << MECHANISMS);
	assert(p->certificate || (!p->key && !(p->mechanisms & 1u << MECHANISM_SCRAM_SHA_256_PLUS)));
	assert(!p->submission == !p->submission_as_written);
	for (const struct pop3_listener *l = p->listeners; l < p->listeners + p->listener_count; l++) {
		assert(l->name[0] && l->address[0] && l->port);
		assert(p->certificate || l->tls == POP3_TLS_NONE);
		assert(l->proxy == POP3_PROXY_OFF || l->trusted.count);
	}
}

/* The file lies in memory, readable by us alone; what it includes is not there. */
static int file_of(const uint8_t *data, size_t size, char path[64])
{
	int fd = memfd_create("c.conf", MFD_CLOEXEC);
	ssize_t n;

	assert(fd >= 0 && fchmod(fd, 0600) == 0);
	n = write(fd, data, size);
	assert(n == (ssize_t)size);
	(void)snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings s;
	struct buf report;
	char path[64];
	bool good;
	int fd;

	if (size > INPUT_MAX || memmem(data, size, "/proc", 5) || memmem(data, size, "/dev", 4))
		return 0;		/* no endless files */
	fd = file_of(data, size, path);
	buf_start(&report, REPORT_MAX);
	good = settings_read(path, &s, &report);
	assert(good == !report.len);
	check_report(&report);
	for (size_t n = 0; good && n < s.connection_count; n++) {
		check_connection(s.connections[n]);
		assert(settings_connection(&s, s.connections[n]->name) == s.connections[n]);
	}
	if (good && s.pop3)
		check_pop3(s.pop3);
	if (good)
		settings_end(&s);
	buf_end(&report);
	(void)close(fd);
	return 0;
}
