/* SPDX-License-Identifier: Apache-2.0 */
#include "main/ledgers.h"

#include <stdlib.h>

#include "control/json.h"

static bool add(void *user, json_t *row)
{
	struct ledgers *l = user;
	const char *token = json_member_text(row, "ledger"), *mailbox = json_string_value(json_object_get(row, "mailbox"));
	struct ledger_named *named;

	if (l->count == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct ledger_named *more = reallocarray(l->all, cap, sizeof *more);

		l->full = !more;
		if (!more)
			return false;
		l->all = more;
		l->cap = cap;
	}
	named = &l->all[l->count];
	*named = (struct ledger_named){ strdup(token), mailbox ? strdup(mailbox) : NULL };
	if (!named->token || (mailbox && !named->mailbox)) {
		free(named->token);
		free(named->mailbox);
		l->full = true;
		return false;
	}
	return ++l->count;
}

static bool count_row(void *user, json_t *row)
{
	(void)row;
	++*(size_t *)user;
	return false;		/* one tells enough */
}

static json_t *arguments(const char *connection, struct err *e)
{
	json_t *args = connection ? json_pack("{s:s, s:b}", "connection", connection, "uncounted", true) : json_pack("{s:b}", "uncounted", true);

	if (!args)
		(void)err_set(e, ERR_CONFIG, "the name of a connection is UTF-8");
	return args;
}

bool ledgers_read(struct cli *cli, const char *connection, struct ledgers *l, struct err *e)
{
	json_t *args = arguments(connection, e);
	bool good;

	*l = (struct ledgers){ 0 };
	good = args && ask_rows(cli->ask, "history.ledgers", args, add, l, e);

	if (good && l->full)
		good = err_set(e, ERR_LOCAL, "out of memory for %zu ledgers", l->count);
	if (!good)
		ledgers_end(l);
	return good;
}

void ledgers_end(struct ledgers *l)
{
	for (size_t n = 0; n < l->count; n++) {
		free(l->all[n].token);
		free(l->all[n].mailbox);
	}
	free(l->all);
	*l = (struct ledgers){ 0 };
}

int ledgers_known(struct cli *cli, const char *connection)
{
	size_t count = 0;
	struct err e;
	json_t *args;

	if (settings_connection(&cli->settings, connection))
		return EXIT_GOOD;
	args = arguments(connection, &e);
	if (!args || !ask_rows(cli->ask, "history.ledgers", args, count_row, &count, &e))
		return cli_failed(cli, &e);
	return count ? EXIT_GOOD : cli_usage(cli, "there is no connection %s, and nothing was ever collected by that name", connection);
}
