/* SPDX-License-Identifier: Apache-2.0
 *
 * Which sink a target has.  A mailbox may lie in a Maildir (store/place.h): then it is delivered to as
 * a Maildir is.  What the ledger says of the target, that it has a message, stays true when the account
 * moves; what it says of a file on its way is of that one Maildir: an intent has the path in its tag. */
#include "collect/routing.h"
#include "collect/visit.h"

#include <stdio.h>
#include <stdlib.h>

/* Ops of each kind of target. */
static const struct sink_ops *ops_of(enum target_type type)
{
	switch (type) {
	case TARGET_MAILBOX:
		return &sink_mailbox;
	case TARGET_MAILDIR:
		return &sink_maildir;
	case TARGET_FOLDER:
		return &sink_folder;
	case TARGET_SMTP:
	case TARGET_LMTP:
	case TARGET_COMMAND:
		return &sink_handed;
	}
	return NULL;
}

static void tag_intents(struct sink *k)
{
	size_t size = strlen(k->target->canonical) + strlen(k->place->path) + 5;
	char *text = malloc(size);

	if (!text)
		abort();
	(void)snprintf(text, size, "%s in %s", k->target->canonical, k->place->path);
	k->intent = ledger_target_tag(text);
	free(text);
}

static bool settle_place(struct sink *k, struct err *e)
{
	struct place place;

	if (!place_find(collector_store(k->visit->collector), k->target->mailbox, NULL, &place, e))
		return false;
	switch (place.kind) {
	case PLACE_STORE:
		return true;
	case PLACE_MAILDIR:
		break;
	}
	k->place = malloc(sizeof *k->place);
	if (!k->place)
		return err_set(e, ERR_LOCAL, "out of memory");
	*k->place = place;
	k->ops = &sink_maildir;
	tag_intents(k);
	return true;
}

const char *sink_path(const struct sink *k)
{
	return k->place ? k->place->path : k->target->path;
}

/* Two would sweep each other's files, and each message would come twice. */
static bool must_be_alone(const struct sink *k, struct err *e)
{
	const char *what = k->ops == &sink_maildir ? "Maildir" : "folder";

	if (k->ops != &sink_maildir && k->ops != &sink_folder)
		return true;
	for (const struct sink *other = k->visit->sinks; other < k; other++)
		if (other->ops == k->ops && strcmp(sink_path(other), sink_path(k)) == 0)
			return err_set(e, ERR_CONFIG, "%.200s is the %s of target %.150s, too; leave one of them out", sink_path(k), what, other->target->name);
	return true;
}

/* A place is one target, whatever it is called; of a server or a program there may be several, each for somebody else. */
uint64_t sink_tag(const struct target *t)
{
	bool place = t->type == TARGET_MAILBOX || t->type == TARGET_MAILDIR || t->type == TARGET_FOLDER;
	size_t size = strlen(t->canonical) + strlen(t->name) + 2;
	char *text = place || strcmp(t->canonical, t->name) == 0 ? NULL : malloc(size);
	uint64_t tag;

	if (text)
		(void)snprintf(text, size, "%s %s", t->canonical, t->name);
	tag = ledger_target_tag(text ? text : t->canonical);
	free(text);
	return tag;
}

bool sink_open(struct sink *k, struct visit *v, uint8_t index, struct err *e)
{
	*k = (struct sink){ .visit = v, .target = v->with->deliver[index], .index = index };
	k->ops = ops_of(k->target->type);
	if (!k->ops)
		abort();	/* no type is without */
	k->tag = k->intent = sink_tag(k->target);
	if ((k->target->type != TARGET_MAILBOX || settle_place(k, e)) && must_be_alone(k, e) && k->ops->open(k, e)) {
		k->streams = k->ops->streams && !routing_wanted(k);
		return true;
	}
	free(k->place);
	k->place = NULL;
	return err_in(e, "target %s", k->target->name);
}

bool routing_wanted(const struct sink *k)
{
	return routing_rules(k->visit->with, k->target);
}

bool routing_of(const struct sink *k, const struct spool *message, struct routing *r, struct err *e)
{
	return routing_between(k->visit->with, k->target, message, r, e);
}

void sink_close(struct sink *k)
{
	k->ops->close(k);
	free(k->place);
	k->place = NULL;
}

void entry_set_sink(struct ledger_entry *entry, const struct sink *k, enum ledger_target_state state, const char place[MAILDIR_NAME_MAX])
{
	bool placing = state == LEDGER_TARGET_PLACING;
	uint64_t tag = placing ? k->intent : k->tag, other = placing ? k->tag : k->intent;

	if (k->shut)
		return;
	for (uint32_t n = 0; n < entry->target_count; n++)
		if (entry->targets[n].target == other)
			entry->targets[n].target = tag;
	entry_set_target(entry, tag, state, place);
}
