/* SPDX-License-Identifier: Apache-2.0 */
#include "main/status_view.h"

#include <stdio.h>
#include <string.h>

enum { DAY = 24 * 3600, CELL = STATUS_TEXT + 8 };

const char *status_span(int64_t s, char out[STATUS_TEXT])
{
	if (s < 0)
		s = 0;
	if (s >= DAY)
		(void)snprintf(out, STATUS_TEXT, "%lld d %lld h", (long long)(s / DAY), (long long)(s % DAY / 3600));
	else if (s >= 3600)
		(void)snprintf(out, STATUS_TEXT, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s >= 60)
		(void)snprintf(out, STATUS_TEXT, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		(void)snprintf(out, STATUS_TEXT, "%lld s", (long long)s);
	return out;
}

int64_t status_since(const json_t *status, const json_t *row, const char *member)
{
	return json_moment_read(json_member_text(status, "now")) - json_moment_read(json_member_text(row, member));
}

unsigned long long status_number(const json_t *row, const char *member)
{
	return json_member_number(row, member);
}

/* "in 5 min 3 s", "12 s ago" */
static const char *from_now(const json_t *status, const json_t *row, const char *member, char out[CELL])
{
	int64_t ago = status_since(status, row, member);
	char text[STATUS_TEXT];

	if (!*json_member_text(row, member))
		(void)snprintf(out, CELL, "never");
	else if (ago < 0)
		(void)snprintf(out, CELL, "in %s", status_span(-ago, text));
	else
		(void)snprintf(out, CELL, "%s ago", status_span(ago, text));
	return out;
}

static const char *next_of(const json_t *status, const json_t *row, char out[CELL])
{
	if (json_member_flag(row, "running"))
		return "now";
	if (!json_member_flag(row, "enabled"))
		return "disabled";
	if (json_member_flag(row, "done"))
		return "done";
	if (*json_member_text(row, "idle"))
		return "idle";
	return status_since(status, row, "next") >= 0 ? "due" : from_now(status, row, "next", out);
}

/* What of it somebody should see to, in words. */
static const char *trouble(const json_t *row, char out[CELL])
{
	char lag[STATUS_TEXT];

	if (json_member_flag(row, "enabled") && strcmp(json_member_text(row, "error_class"), "fatal") == 0)
		(void)snprintf(out, CELL, "a fatal error (%s)", json_member_text(row, "error_kind"));
	else if (status_number(row, "failed"))
		(void)snprintf(out, CELL, "%llu messages have failed", status_number(row, "failed"));
	else
		(void)snprintf(out, CELL, "late by %s", status_span((int64_t)status_number(row, "lag"), lag));
	return out;
}

static void print_connection(const json_t *status, const json_t *row)
{
	const char *why = json_member_text(row, "error"), *class = json_member_text(row, "error_class");
	char next[CELL], last[CELL], success[CELL], lag[STATUS_TEXT];
	unsigned long long late = status_number(row, "lag");

	(void)printf("%c %-16s %-16s %-16s %-16s %-12s %llu", json_member_flag(row, "attention") ? '!' : ' ', json_member_text(row, "connection"),
		next_of(status, row, next), from_now(status, row, "last", last), from_now(status, row, "last_success", success),
		late ? status_span((int64_t)late, lag) : "-", status_number(row, "failures"));
	if (*why)
		(void)printf("  %s, %s: %s", class, json_member_text(row, "error_kind"), why);
	(void)putchar('\n');
}

static void print_table(const json_t *status)
{
	const json_t *all = json_object_get(status, "connections"), *row;
	size_t n;

	if (json_array_size(all))
		(void)printf("\n  connection       next visit       last visit       last success     lag          failures\n");
	for (int pass = 0; pass < 2; pass++)
		json_array_foreach(all, n, row)
			if (json_member_flag(row, "attention") == !pass)
				print_connection(status, row);
}

static void print_idle(const json_t *status)
{
	char since[CELL], alive[CELL];
	const json_t *row;
	size_t n;

	json_array_foreach(json_object_get(status, "connections"), n, row)
		if (*json_member_text(row, "idle"))
			(void)printf("%s: new mail is waited for, it began %s; the server's last sign of life was %s\n", json_member_text(row, "connection"),
				from_now(status, row, "idle", since), from_now(status, row, "idle_alive", alive));
}

static void print_tokens(const json_t *status)
{
	char at[CELL];
	const json_t *row;
	size_t n;

	json_array_foreach(json_object_get(status, "connections"), n, row)
		if (*json_member_text(row, "token_expires"))
			(void)printf("%s: its access token ends %s\n", json_member_text(row, "connection"), from_now(status, row, "token_expires", at));
}

/* Also of connections that the configuration has no more. */
static void print_held_of_connections(const json_t *status)
{
	static const char *const counts[] = { "held", "failed", "quarantined" };
	char ago[CELL];
	const json_t *row;
	size_t n;

	json_array_foreach(json_object_get(status, "held_connections"), n, row) {
		const char *name = json_member_text(row, "connection"), *before = "";

		(void)printf("%s%-16s ", n ? "" : "\nheld messages of connections\n", name);
		for (size_t c = 0; c < COUNT(counts); c++) {
			if (!status_number(row, counts[c]))
				continue;
			(void)printf("%s%llu %s", before, status_number(row, counts[c]), counts[c]);
			before = ", ";
		}
		(void)printf("; the oldest %s: %s: postrider held list %s\n", from_now(status, row, "since", ago), json_member_text(row, "why"), name);
	}
}

void status_print_connections(const json_t *status)
{
	print_table(status);
	print_idle(status);
	print_tokens(status);
	print_held_of_connections(status);
}

/* ---- what needs somebody */

static unsigned services(const json_t *status, bool say)
{
	const json_t *row;
	unsigned count = 0;
	size_t n;

	json_array_foreach(json_object_get(status, "services"), n, row) {
		if (strcmp(json_member_text(row, "state"), "failed") != 0)
			continue;
		count++;
		if (say)
			(void)printf("service %s has failed: %s\n", json_member_text(row, "service"), json_member_text(row, "why"));
	}
	return count;
}

static unsigned certificates(const json_t *status, bool say)
{
	const json_t *row;
	unsigned count = 0;
	size_t n;

	json_array_foreach(json_object_get(status, "certificates"), n, row) {
		if (status_since(status, row, "not_after") <= 0)
			continue;
		count++;
		if (say)
			(void)printf("certificate %s has expired: %s\n", json_member_text(row, "where"), json_member_text(row, "not_after"));
	}
	return count;
}

static unsigned connections(const json_t *status, bool say)
{
	const json_t *row;
	unsigned count = 0;
	char text[CELL];
	size_t n;

	json_array_foreach(json_object_get(status, "connections"), n, row) {
		const char *why = json_member_text(row, "error");

		if (!json_member_flag(row, "attention"))
			continue;
		count++;
		if (say)
			(void)printf("connection %s: %s%s%s\n", json_member_text(row, "connection"), trouble(row, text), *why ? ": " : "", why);
	}
	return count;
}

unsigned status_attention(const json_t *status, bool say)
{
	unsigned long long failed = status_number(json_object_get(status, "held"), "failed");

	if (failed && say)
		(void)printf("%llu submitted messages have failed: postrider held list\n", failed);
	return services(status, say) + connections(status, say) + certificates(status, say) + (failed != 0);
}
