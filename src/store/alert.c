/* SPDX-License-Identifier: Apache-2.0
 * Alerts as they are made and removed; alert_show.c shows them. */
#include "store/alert.h"

#include <stdio.h>

#include "base/text.h"
#include "store/alert_rest.h"
#include "store/domain.h"
#include "store/pack.h"
#include "store/record.h"

/* One line, without blanks around it. */
static bool take_text(const char *given, char text[ALERT_TEXT_MAX + 1], struct err *e)
{
	size_t len;

	given += strspn(given, " \t\r\n");
	len = strlen(given);
	while (len && strchr(" \t\r\n", given[len - 1]))
		len--;
	if (!len)
		return err_set(e, ERR_CONFIG, "an alert has a text");
	if (len > ALERT_TEXT_MAX)
		return err_set(e, ERR_CONFIG, "the text of an alert has at most %d octets", ALERT_TEXT_MAX);
	memcpy(text, given, len);
	text[len] = '\0';
	for (char *p = text; *p; p++)
		if (strchr("\t\r\n", *p))
			*p = ' ';
	text_clean(text, len);
	return true;
}

static bool take_name(enum alert_scope scope, const char *given, char of[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	of[0] = '\0';
	switch (scope) {
	case ALERT_ACCOUNT:
		return account_name(given, NULL, of, e);
	case ALERT_DOMAIN:
		return domain_name(given, of, e);
	case ALERT_SERVER:
		return true;
	case ALERT_QUOTA:
		break;
	}
	return err_set(e, ERR_CONFIG, "the alert of the quota comes by itself");
}

/* Is there room for one more, and what was the last id? */
static bool room(struct store *s, const struct alert *alert, uint64_t *last, struct err *e)
{
	struct view *v = store_view(s);
	engine_part part = record_part();
	struct span key = { 0 }, value;
	size_t all = 0, of = 0;
	uint64_t id = 0;

	*last = view_get(v, part, SPAN("T"), &value) ? take_u64(&value) : 0;
	while (of < ALERTS_OF_MAX && alert_next_of(v, part, alert->scope, alert->of, &id))
		of++;
	while (all < ALERTS_MAX && view_next(v, part, SPAN("t"), &key, &value))
		all++;
	view_end(&v);
	if (of == ALERTS_OF_MAX)
		return err_set(e, ERR_CONFIG, "%s%.200s has %d alerts already; remove some: postrider alert list", alert->scope == ALERT_DOMAIN ? "domain " :
			alert->scope == ALERT_ACCOUNT ? "account " : "the server", alert->of, ALERTS_OF_MAX);
	return all < ALERTS_MAX || err_set(e, ERR_CONFIG, "there are %d alerts already; remove some: postrider alert list", ALERTS_MAX);
}

bool alert_add(struct store *s, enum alert_scope scope, const char *of, const char *text, int64_t now, uint64_t *id, struct err *e)
{
	struct alert alert = { .scope = scope, .made = now };
	char key[ALERT_KEY], index[ALERT_INDEX], value[ALERT_VALUE], was[8], is[8];
	struct batch *b;
	uint64_t last;

	if (!take_name(scope, of, alert.of, e) || !take_text(text, alert.text, e) || !room(s, &alert, &last, e))
		return false;
	*id = last + 1;
	pack_u64(was, last);
	pack_u64(is, *id);
	b = store_batch(record_part());
	store_must(last ? batch_equals(b, SPAN("T"), (struct span){ was, 8 }) : batch_absent(b, SPAN("T")));
	store_must(batch_put(b, SPAN("T"), (struct span){ is, 8 }) && batch_put(b, alert_key(key, *id), alert_pack(value, &alert)) &&
		batch_put(b, alert_index(index, scope, alert.of, *id), SPAN("\1")));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "alert");
}

static bool get(struct store *s, uint64_t id, struct alert *alert)
{
	char key[ALERT_KEY];
	struct view *v = store_view(s);
	struct span value;
	bool there = view_get(v, record_part(), alert_key(key, id), &value) && alert_unpack(value, alert);

	view_end(&v);
	alert->id = id;
	return there;
}

bool alert_remove(struct store *s, uint64_t id, struct err *e)
{
	char key[ALERT_KEY], index[ALERT_INDEX];
	struct alert alert;
	struct batch *b;

	if (!get(s, id, &alert))
		return err_set(e, ERR_CONFIG, "there is no alert %llu: postrider alert list", (unsigned long long)id);
	b = store_batch(record_part());
	store_must(batch_present(b, alert_key(key, id)) && batch_remove(b, alert_key(key, id)) &&
		batch_remove(b, alert_index(index, alert.scope, alert.of, id)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "alert %llu", (unsigned long long)id);
}

bool alert_each(struct store *s, struct alert *alert)
{
	char at[ALERT_KEY];
	struct span key = alert_key(at, alert->id), value;
	struct view *v = store_view(s);
	bool there = false;

	while (!there && view_next(v, record_part(), SPAN("t"), &key, &value))
		if (key.len == ALERT_KEY && alert_unpack(value, alert)) {
			alert->id = unpack_u64(key.at + 1);
			there = true;
		}
	view_end(&v);
	return there;
}

bool alert_forget(struct store *s, enum alert_scope scope, const char *of, struct batch *b)
{
	char key[ALERT_INDEX];
	struct view *v = store_view(s);
	engine_part part = record_part();
	uint64_t id = 0;
	bool fits = scope != ALERT_ACCOUNT || batch_remove(b, record_key(key, 'w', of));

	while (fits && alert_next_of(v, part, scope, of, &id))
		fits = batch_remove(b, alert_index(key, scope, of, id)) && batch_remove(b, alert_key(key, id));
	view_end(&v);
	return fits;
}
