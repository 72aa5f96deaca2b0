/* SPDX-License-Identifier: Apache-2.0 */
#include "main/testing.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "main/say.h"

enum { STEP_COLUMN = 12, SAID_MAX = 1 << 24 };

/* What the environment says of the terminal, without a change for the whole process. */
static bool utf8_here(void)
{
	locale_t here = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool good = here && strcmp(nl_langinfo_l(CODESET, here), "UTF-8") == 0;

	if (here)
		freelocale(here);
	return good;
}

static void settle_marks(struct testing *t)
{
	static const char *const marks[2][2][2] = {	/* of UTF-8, of colour, of good and bad */
		{ { "ok    ", "FAILED" }, { "\033[32mok    \033[0m", "\033[31mFAILED\033[0m" } },
		{ { "✓", "✗" }, { "\033[32m✓\033[0m", "\033[31m✗\033[0m" } },
	};
	const char *const *mark = marks[utf8_here()][!t->cli->no_color && isatty(STDOUT_FILENO)];

	t->good = mark[0];
	t->bad = mark[1];
}

void testing_start(struct testing *t, struct cli *cli, size_t room)
{
	*t = (struct testing){ .cli = cli, .all = arena_take(&cli->settings.arena, (room + 1) * sizeof *t->all) };
	settle_marks(t);
}

void testing_add(struct testing *t, const char *name)
{
	struct tested *one = &t->all[t->count++];

	one->name = name;
	buf_start(&one->said, SAID_MAX);
}

static struct buf *said_of(struct testing *t, const char *name)
{
	size_t n = 0;

	while (n + 1 < t->count && strcmp(t->all[n].name, name) != 0)
		n++;
	return &t->all[n].said;
}

static void flush(struct testing *t, const char *name)
{
	struct buf *said = said_of(t, name);

	if (said->len && t->count > 1)
		(void)printf("%s%s:\n", t->spoke++ ? "\n" : "", name);
	if (said->len)
		(void)fwrite(said->at, 1, said->len, stdout);
	said->len = 0;
	t->failed = fflush(stdout) != 0 || t->failed;
}

/* The one that it logged in by is in the step's own line. */
static void say_mechanisms(struct buf *said, const json_t *mechanisms)
{
	const json_t *one;
	size_t n;

	json_array_foreach(mechanisms, n, one)
		if (strcmp(json_member_text(one, "reason"), "worked") != 0)
			(void)!buf_printf(said, "  %s: %s\n", json_member_text(one, "mechanism"), json_member_text(one, "detail"));
}

static void say_line(struct testing *t, const json_t *row, bool good)
{
	const char *name = json_member_text(row, "connection");
	struct buf *said = said_of(t, name);
	char ms[32] = "";

	if (good)
		(void)snprintf(ms, sizeof ms, " (%llu ms)", (unsigned long long)json_member_number(row, "ms"));
	if (!t->cli->quiet)
		say_mechanisms(said, json_object_get(row, "mechanisms"));
	(void)!buf_printf(said, "%s %-*s %s%s\n", good ? t->good : t->bad, STEP_COLUMN, json_member_text(row, "step"),
		json_member_text(row, good ? "detail" : "reason"), ms);
	if (t->count == 1)
		flush(t, name);
}

void testing_step(struct testing *t, json_t *row)
{
	bool good = json_member_flag(row, "ok");

	t->failed = t->failed || !good;
	if (!t->cli->json && (!good || !t->cli->quiet))
		say_line(t, row, good);
	if (!t->cli->json) {
		json_decref(row);
		return;
	}
	json_print(row);
	(void)fflush(stdout);
}

void testing_ended(struct testing *t, const char *name, bool good)
{
	flush(t, name);
	t->failed = t->failed || !good;
}

void testing_end(struct testing *t)
{
	for (size_t n = 0; n < t->count; n++)
		buf_end(&t->all[n].said);
}
