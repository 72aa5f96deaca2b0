/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/folder_index.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "wire/header.h"

enum { VALUE_MAX = 1000, TEXT_MAX = DELIVER_FACT_MAX, MEMBER_MAX = 64 };

struct folder_index {
	json_t *all, *parts;
	bool good;
};

static const struct {
	const char *field, *member;
} fields[] = {
	{ "From", "from" }, { "To", "to" }, { "Cc", "cc" }, { "Subject", "subject" }, { "Date", "date" }, { "Message-ID", "message_id" },
};

/* Takes the value over. */
static void set(struct folder_index *x, json_t *object, const char *member, json_t *value)
{
	x->good = json_object_set_new(object, member, value) == 0 && x->good;
}

static json_t *safe(const char *given)
{
	char text[TEXT_MAX + 1];

	(void)snprintf(text, sizeof text, "%s", given);
	text_clean(text, strlen(text));
	return json_string(text);
}

static json_t *headers(struct folder_index *x, struct span header)
{
	json_t *all = json_object();
	char value[VALUE_MAX + 1];
	struct span found;

	for (size_t n = 0; n < COUNT(fields); n++) {
		if (!header_find(header, fields[n].field, &found))
			continue;
		header_value(found, value, sizeof value);
		set(x, all, fields[n].member, json_string(value));
	}
	return all;
}

static json_t *recipients(struct folder_index *x, const struct deliver_ask *ask)
{
	json_t *all = json_array();

	for (size_t n = 0; n < ask->recipient_count; n++)
		x->good = json_array_append_new(all, safe(ask->recipients[n])) == 0 && x->good;
	return all;
}

static json_t *facts(struct folder_index *x, const struct deliver_ask *ask)
{
	json_t *all = json_object();
	char member[MEMBER_MAX];

	for (size_t n = 0; n < ask->fact_count; n++) {
		(void)snprintf(member, sizeof member, "%s", ask->facts[n].name);
		for (char *p = member; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p | 0x20);
		set(x, all, member, safe(ask->facts[n].value));
	}
	return all;
}

struct folder_index *folder_index_new(const struct deliver_ask *ask, int64_t now, struct span header)
{
	struct folder_index *x = calloc(1, sizeof *x);
	char moment[MOMENT_TEXT];

	if (!x)
		abort();	/* as of any small thing */
	x->good = true;
	x->all = json_object();
	set(x, x->all, "version", json_integer(1));
	set(x, x->all, "delivered", json_string(moment_text(now, moment)));
	set(x, x->all, "target", safe(deliver_target_name(ask->target)));
	set(x, x->all, "sender", safe(ask->sender));
	set(x, x->all, "recipients", recipients(x, ask));
	set(x, x->all, "size", json_integer((json_int_t)spool_size(ask->message)));
	set(x, x->all, "headers", headers(x, header));
	set(x, x->all, "facts", facts(x, ask));
	return x;
}

void folder_index_file(struct folder_index *x, const char *member, const char *file)
{
	set(x, x->all, member, safe(file));
}

void folder_index_part(struct folder_index *x, const struct split_part *part, const char *file)
{
	json_t *one = json_object();

	if (!x->parts) {
		x->parts = json_array();
		set(x, x->all, "parts", x->parts);
	}
	set(x, one, "file", safe(file));
	set(x, one, "type", safe(part->type));
	if (part->name[0])
		set(x, one, "name", safe(part->name));
	if (part->id[0])
		set(x, one, "content_id", safe(part->id));
	if (part->charset[0])
		set(x, one, "charset", safe(part->charset));
	set(x, one, "size", json_integer((json_int_t)part->octets));
	set(x, one, "body", json_boolean(part->body));
	set(x, one, "attachment", json_boolean(part->attachment));
	x->good = json_array_append_new(x->parts, one) == 0 && x->good;
}

void folder_index_smime(struct folder_index *x, const struct smime_facts *facts)
{
	json_t *all = json_object();

	set(x, all, "encrypted", json_string(smime_encrypted_name(facts->encrypted)));
	set(x, all, "signed", json_string(smime_signed_name(facts->is_signed)));
	if (facts->signer[0])
		set(x, all, "signer", safe(facts->signer));
	if (facts->fingerprint[0])
		set(x, all, "fingerprint", safe(facts->fingerprint));
	if (facts->why[0])
		set(x, all, "why", safe(facts->why));
	set(x, x->all, "smime", all);
}

/* Jansson's memory may not be the heap's (json_set_alloc_funcs): so a copy. */
struct growing {
	char *at;
	size_t len;
};

static int grow(const char *octets, size_t n, void *user)
{
	struct growing *g = user;
	char *at = realloc(g->at, g->len + n + 2);

	if (!at)
		return -1;
	memcpy(at + g->len, octets, n);
	g->at = at;
	g->len += n;
	return 0;
}

char *folder_index_text(const struct folder_index *x)
{
	struct growing g = { NULL, 0 };

	if (x->good && json_dump_callback(x->all, grow, &g, JSON_INDENT(2)) == 0 && g.at) {
		memcpy(g.at + g.len, "\n", 2);
		return g.at;
	}
	free(g.at);
	return NULL;
}

void folder_index_free(struct folder_index **index)
{
	struct folder_index *x = *index;

	*index = NULL;
	if (!x)
		return;
	json_decref(x->all);
	free(x);
}
