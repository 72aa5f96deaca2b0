/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit.h"

#include "store/box.h"
#include "store/intent.h"
#include "store/pack.h"

static bool body_there(struct view *v, engine_part part, const struct box_entry *entry, struct err *e)
{
	uint64_t left = entry->stored;
	struct span octets;

	for (uint32_t piece = 0; left; piece++) {
		if (!view_blob(v, part, entry->blob, piece, &octets) || !octets.len || octets.len > left)
			return err_set(e, ERR_LOCAL, "message %016llx: piece %u of its body is missing or damaged",
				(unsigned long long)entry->uid, (unsigned)piece);
		left -= octets.len;
	}
	return true;
}

/* What an intent has taken already does not count, and may have lost its body. */
static bool page_good(struct view *v, engine_part part, const struct box_intent *intent, struct span page, struct audit *box, struct err *e)
{
	for (; page.len; page = span_from(page, BOX_ENTRY)) {
		struct box_entry entry = box_entry_unpack(page.at);

		if (uids_has(&intent->going, entry.uid))
			continue;
		if (!body_there(v, part, &entry, e))
			return false;
		box->messages++;
		box->octets += box_entry_size(&entry);
	}
	return true;
}

static bool pages_good(struct view *v, engine_part part, const struct box_head *head, struct audit *found, struct err *e)
{
	struct audit box = { 0 };
	struct box_intent intent;
	struct box_walk walk;
	uint64_t number;
	struct span page;
	bool good = true;

	if (!intent_read(v, part, &intent))
		return err_set(e, ERR_LOCAL, "what is leaving it is damaged");
	box_walk_start(&walk, v, part, 0);
	while (good && box_walk_next(&walk, &number, &page))
		good = box_page_good(page, number) ? page_good(v, part, &intent, page, &box, e)
		                                   : err_set(e, ERR_LOCAL, "page %llu of its index is damaged", (unsigned long long)number);
	intent_free(&intent);
	if (good && (box.messages != head->count || box.octets != head->bytes))
		good = err_set(e, ERR_LOCAL, "%llu messages of %llu octets are there, and its head says %llu of %llu",
			(unsigned long long)box.messages, (unsigned long long)box.octets, (unsigned long long)head->count, (unsigned long long)head->bytes);
	found->messages += box.messages;
	found->octets += box.octets;
	return good;
}

static bool box_good(struct view *v, struct span name, struct audit *found, struct err *e)
{
	engine_part part = engine_part_of("mailbox", name);
	struct box_head head = { 0 };
	struct span value;

	/* Before its first message a box has no head. */
	if (view_get(v, part, SPAN("h"), &value) && !box_head_unpack(value, &head))
		(void)err_set(e, ERR_LOCAL, "its head is damaged");
	else if (pages_good(v, part, &head, found, e))
		return true;
	return err_in(e, "mailbox %.*s", (int)name.len, name.at);
}

bool audit_store(struct engine *g, struct audit *found, struct err *e)
{
	engine_part names = engine_part_of("names", SPAN(""));
	struct span key = { 0 }, value;
	struct view *v;
	char at[1 + MAILBOX_NAME_MAX];
	bool good = true;

	*found = (struct audit){ 0 };
	if (!view_begin(g, &v, e))
		return false;
	while (good && view_next(v, names, SPAN("b"), &key, &value)) {
		if (key.len > sizeof at || value.len != sizeof(uint32_t)) {
			good = err_set(e, ERR_LOCAL, "the directory of mailboxes is damaged");
			break;
		}
		/* The walk over the box goes elsewhere with the same cursor. */
		memcpy(at, key.at, key.len);
		key.at = at;
		found->boxes++;
		good = box_good(v, span_from(key, 1), found, e);
	}
	view_end(&v);
	if (good && engine_damaged(g))
		good = err_set(e, ERR_LOCAL, "the store is damaged");
	return good;
}
