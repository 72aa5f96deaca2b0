/* SPDX-License-Identifier: Apache-2.0
 *
 * relay_lines smtp|lmtp PORT PARALLEL SENDER RECIPIENTS FILE…: a relay to a real server on 127.0.0.1, for test_relay.py; or
 * behind the Unix socket that stands where the port would.
 *
 * Each file is a message to all recipients (parted by commas).  One line for each of them says what became of it:
 * FILE RECIPIENT OUTCOME CODE TEXT; the last line has the milliseconds that all took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/relay.h"

enum { RECIPIENTS = 16, PIECE = 64 * 1024, ARGUMENTS = 6, LIMIT_MS = 120 * 1000 };

static struct loop *loop;
static const char *recipients[RECIPIENTS];
static size_t recipient_count, waiting;

static void done(void *user, const struct relay_result *results, size_t count)
{
	static const char *const outcomes[] = { "accepted", "deferred", "refused", "doubt" };

	for (size_t i = 0; i < count; i++)
		printf("%s %s %s %u %s\n", (const char *)user, recipients[i], outcomes[results[i].outcome], results[i].code, results[i].text);
	if (!--waiting)
		loop_stop(loop);
}

static void too_late([[maybe_unused]] void *user)
{
	loop_stop(loop);
}

static struct spool *message(const char *path, struct err *e)
{
	struct spool *s = spool_new("/tmp", e);
	FILE *f = fopen(path, "rb");
	static char octets[PIECE];
	size_t n;

	if (!f || !s)
		exit(2);
	while ((n = fread(octets, 1, sizeof octets, f)))
		if (!spool_add(s, (struct span){ octets, n }, e))
			exit(2);
	(void)fclose(f);
	return s;
}

int main(int argc, char **argv)
{
	struct relay_settings with = {
		.server = { .host = "127.0.0.1", .connect_timeout_ms = LIMIT_MS, .timeout_ms = LIMIT_MS }, .login = { .name = "client.test" },
	};
	struct spool **messages = calloc((size_t)argc + 1, sizeof *messages);
	struct relay *relay;
	struct timer *limit;
	uint64_t began;
	struct err e;

	if (argc <= ARGUMENTS || !messages)
		return 2;
	with.login.lmtp = strcmp(argv[1], "lmtp") == 0;
	if (argv[2][0] == '/')
		with.server.host = argv[2];
	else
		with.server.port = (uint16_t)strtoul(argv[2], NULL, 10);
	with.parallel = (uint32_t)strtoul(argv[3], NULL, 10);
	for (char *at = argv[5]; at && recipient_count < RECIPIENTS;)
		recipients[recipient_count++] = strsep(&at, ",");
	loop = loop_new(&e);
	relay = loop ? relay_new(loop, &with, &e) : NULL;
	limit = relay ? timer_new(loop, too_late, NULL) : NULL;
	if (!limit || !with.parallel || !recipient_count)
		return 2;
	timer_set(limit, LIMIT_MS, 0);
	began = loop_now_ms(loop);
	for (int i = ARGUMENTS; i < argc; i++, waiting++) {
		messages[i] = message(argv[i], &e);
		relay_send(relay, &(struct relay_ask){ .message = messages[i], .sender = argv[4], .recipients = recipients,
				.recipient_count = recipient_count, .done = done, .user = argv[i] });
	}
	loop_run(loop);
	printf("%llu\n", (unsigned long long)(loop_now_ms(loop) - began));
	relay_free(&relay);
	timer_free(&limit);
	loop_run(loop);		/* what is closed gives its memory back */
	loop_free(&loop);
	for (int i = ARGUMENTS; i < argc; i++)
		spool_free(&messages[i]);
	free(messages);
	return waiting != 0;
}
