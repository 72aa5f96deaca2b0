/* SPDX-License-Identifier: Apache-2.0
 *
 * To a program (PRODUCT 2.2): the message on its standard input, facts in its environment, its exit status is the answer. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "deliver/inside.h"

enum {
	ACCEPTED = 0, AGAIN = 75, REFUSED = 100,	/* exit statuses */
	OWN_FACTS = 9, VARIABLES = 9, ENVIRONMENT_MAX = (DELIVER_FACTS + OWN_FACTS + VARIABLES) * (DELIVER_FACT_MAX + 256) + DELIVER_RECIPIENTS_MAX,
};

/* What a program needs to work at all, and none of it a secret. */
static const char *const passed_on[VARIABLES] = { "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR" };

/* A variable's place in the buffer, which may move while it grows: offsets first. */
struct environment {
	struct buf *out;
	size_t at[DELIVER_FACTS + OWN_FACTS + VARIABLES], count;
	bool good;
};

/* No more than DELIVER_FACT_MAX octets, and no part of a character at the end. */
static struct span cut(const char *value)
{
	size_t len = strlen(value), max = len <= DELIVER_FACT_MAX ? len : DELIVER_FACT_MAX;

	while (max < len && max && ((unsigned char)value[max] & 0xc0) == 0x80)
		max--;
	return (struct span){ value, max };
}

static void put_whole(struct environment *v, const char *prefix, const char *name, struct span value)
{
	v->at[v->count++] = v->out->len;
	v->good = v->good && buf_add(v->out, span_of(prefix)) && buf_add(v->out, span_of(name)) && buf_add_byte(v->out, '=') &&
		  buf_add(v->out, value) && buf_add_byte(v->out, '\0');
}

static void put(struct environment *v, const char *prefix, const char *name, const char *value)
{
	put_whole(v, prefix, name, cut(value));
}

/* All of them: who is cut off gets no message, and half an address may be somebody's. */
static void put_recipients(struct environment *v, const struct deliver_ask *ask)
{
	struct buf all;

	buf_start(&all, DELIVER_RECIPIENTS_MAX);
	for (size_t n = 0; n < ask->recipient_count; n++)
		v->good = v->good && (!n || buf_add_byte(&all, '\n')) && buf_add(&all, span_of(ask->recipients[n]));
	if (v->good)
		put_whole(v, "POSTRIDER_", "RECIPIENTS", buf_span(&all));
	buf_end(&all);
}

static void put_smime(struct environment *v, const struct smime_facts *f)
{
	put(v, "POSTRIDER_", "SMIME_ENCRYPTED", smime_encrypted_name(f->encrypted));
	put(v, "POSTRIDER_", "SMIME_SIGNED", smime_signed_name(f->is_signed));
	put(v, "POSTRIDER_", "SMIME_SIGNER", f->signer);
	put(v, "POSTRIDER_", "SMIME_FINGERPRINT", f->fingerprint);
	put(v, "POSTRIDER_", "SMIME_WHY", f->why);
}

static size_t recipients_len(const struct deliver_ask *ask)
{
	size_t len = 0;

	for (size_t n = 0; n < ask->recipient_count; n++)
		len += strlen(ask->recipients[n]) + 1;
	return len;
}

static bool make_environment(struct delivery *d)
{
	struct environment v = { .out = &d->environment, .good = true };
	const struct deliver_ask *ask = &d->ask;
	char size[24];

	buf_start(&d->environment, ENVIRONMENT_MAX);
	for (size_t n = 0; n < COUNT(passed_on); n++)
		if (getenv(passed_on[n]))
			put(&v, "", passed_on[n], getenv(passed_on[n]));
	(void)snprintf(size, sizeof size, "%llu", (unsigned long long)spool_size(ask->message));
	put(&v, "POSTRIDER_", "SENDER", ask->sender);
	put(&v, "POSTRIDER_", "SIZE", size);
	put(&v, "POSTRIDER_", "TARGET", d->target->name);
	if (d->target->smime)
		put_smime(&v, &d->smime);
	for (size_t n = 0; n < ask->fact_count; n++)
		put(&v, "POSTRIDER_", ask->facts[n].name, ask->facts[n].value);
	put_recipients(&v, ask);
	d->variables = calloc(v.count + 1, sizeof *d->variables);
	if (!d->variables || !v.good)
		return false;
	for (size_t n = 0; n < v.count; n++)
		d->variables[n] = d->environment.at + v.at[n];
	return true;
}

static bool input(void *user, uint64_t at, char *out, size_t room, size_t *n, struct err *e)
{
	const struct delivery *d = user;

	return spool_at(d->ask.message, at, out, room, n, e);
}

static int input_file(void *user, struct err *e)
{
	const struct delivery *d = user;

	return spool_file(d->ask.message, e);
}

static void exited(struct delivery *d, const struct child_end *end)
{
	char why[DELIVER_WHY_MAX];

	(void)snprintf(why, sizeof why, "exit status %d%s%s%s", end->status, *end->said ? ": it said \"" : "", end->said, *end->said ? "\"" : "");
	if (end->status == REFUSED)	/* what it says then is for the sender */
		(void)snprintf(d->told, sizeof d->told, "%s", end->said);
	switch (end->status) {
	case ACCEPTED:
		delivery_end(d, DELIVER_ACCEPTED, NULL);
		return;
	case REFUSED:
		delivery_end(d, DELIVER_REFUSED, why);
		return;
	case AGAIN:
	default:
		delivery_end(d, DELIVER_DEFERRED, why);
		return;
	}
}

static void done(void *user, const struct child_end *end)
{
	struct delivery *d = user;

	d->child = NULL;
	d->hung = end->how == CHILD_TIMED_OUT;
	d->answered = !d->hung && end->how != CHILD_STOPPED;
	switch (end->how) {
	case CHILD_EXITED:
		exited(d, end);
		return;
	case CHILD_FAILED:
	case CHILD_STOPPED:
		delivery_down(d, end->why.text);
		return;
	case CHILD_KILLED:
	case CHILD_TIMED_OUT:
		delivery_end(d, DELIVER_DEFERRED, end->why.text);
		return;
	}
}

static void start(struct delivery *d)
{
	struct err e;

	if (recipients_len(&d->ask) > DELIVER_RECIPIENTS_MAX) {
		delivery_end(d, DELIVER_REFUSED, "it has more recipients than fit into a program's environment");
		return;
	}
	if (!make_environment(d)) {
		delivery_end(d, DELIVER_DEFERRED, "out of memory");
		return;
	}
	d->task = (struct child_task){ .argv = d->target->argv, .environment = d->variables, .input = input, .input_file = input_file,
		.input_user = d, .timeout_ms = d->target->timeout_ms };
	d->child = child_start(d->all->with.loop, &d->task, done, d, &e);
	if (!d->child)
		delivery_down(d, e.text);
}

static void open_message(void *user)
{
	struct delivery *d = user;

	d->good = deliver_open(d, &d->e);
}

static void opened(void *user)
{
	struct delivery *d = user;

	if (d->hurried)
		delivery_down(d, "it was not tried: the service ends");
	else if (d->good)
		start(d);
	else
		delivery_failed(d, &d->e);
}

static void begin(struct delivery *d)
{
	struct err e;

	if (!d->target->smime)
		start(d);
	else if (!task_start(d->all->tasks, open_message, opened, d, &e))
		delivery_failed(d, &e);
}

static void hurry(struct delivery *d)
{
	d->hurried = true;
	if (d->child)
		child_stop(d->child);
}

static void abandon(struct delivery *d)
{
	child_forget(&d->child);
	free(d->variables);
	buf_end(&d->environment);
}

const struct deliver_ops deliver_to_command = {
	.type = TARGET_COMMAND, .at_once = true, .begin = begin, .hurry = hurry, .abandon = abandon,
};
