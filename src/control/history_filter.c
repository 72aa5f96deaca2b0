/* SPDX-License-Identifier: Apache-2.0 */
#include "control/history_filter.h"

#include <assert.h>
#include <stdio.h>

#include "control/json.h"

/* Words for more than one state, behind those. */
enum { DELIVERED = LEDGER_STATES, DISPOSED, FAILED, WORDS };
static_assert(WORDS <= 32, "a bit each");

static const char *word(int n)
{
	switch (n) {
	case DELIVERED:
		return "delivered";
	case DISPOSED:
		return "disposed";
	case FAILED:
		return "failed";
	}
	return ledger_state_name((enum ledger_state)n);
}

static bool read_state(struct history_filter *f, const char *text, struct err *e)
{
	char all[256] = "";
	size_t len = 0;

	for (int n = 0; n < WORDS; n++) {
		if (n == LEDGER_ALIAS)
			continue;
		if (strcmp(word(n), text) == 0) {
			f->states |= UINT32_C(1) << n;
			return true;
		}
		len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", len ? ", " : "", word(n));
		assert(len < sizeof all);
	}
	return err_set(e, ERR_CONFIG, "there is no state %.40s; there are %s", text, all);
}

static bool read_moment(const struct api_call *c, const char *name, int64_t *moment, struct err *e)
{
	const char *text = call_text(c, name);

	*moment = text ? json_moment_read(text) : 0;
	return !text || *moment || err_set(e, ERR_CONFIG, "%s is no moment such as 2026-11-21T04:05:06Z", name);
}

static bool read_target(struct history_filter *f, const char *text, struct err *e)
{
	f->has_target = text;
	f->target = 0;
	if (!text)
		return true;
	if (strlen(text) != 16 || text[strspn(text, "0123456789abcdef")])
		return err_set(e, ERR_CONFIG, "target is not 16 hexadecimal digits");
	for (; *text; text++)
		f->target = f->target << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return true;
}

bool history_filter_read(struct history_filter *f, const struct api_call *c, struct err *e)
{
	const json_t *states = json_object_get(c->args, "states"), *one;
	size_t n;

	*f = (struct history_filter){ .uid = call_text(c, "uid") };
	json_array_foreach(states, n, one)
		if (!read_state(f, json_string_value(one), e))
			return false;
	return read_moment(c, "since", &f->since, e) && read_moment(c, "until", &f->until, e) && read_target(f, call_text(c, "target"), e);
}

static bool state_fits(uint32_t wanted, const struct ledger_entry *entry)
{
	bool delivered = entry->accepted, open = entry->state == LEDGER_PENDING || entry->state == LEDGER_HELD || entry->state == LEDGER_REFUSED;
	uint32_t is = UINT32_C(1) << entry->state;

	if (delivered)
		is |= UINT32_C(1) << DELIVERED;
	if (delivered && entry->state == LEDGER_GONE)
		is |= UINT32_C(1) << DISPOSED;
	if (open && *entry->error)
		is |= UINT32_C(1) << FAILED;
	return !wanted || is & wanted;
}

static bool uid_fits(const char *wanted, const char *uid)
{
	const char *slash = strrchr(uid, '/');

	return strcmp(wanted, uid) == 0 || (slash && strcmp(wanted, slash + 1) == 0);
}

static bool waits_for(const struct ledger_entry *entry, uint64_t target)
{
	for (uint32_t n = 0; n < entry->target_count; n++)
		if (entry->targets[n].target == target)
			return entry->targets[n].state != LEDGER_TARGET_ACCEPTED;
	return false;
}

bool history_filter_takes(const struct history_filter *f, const struct ledger_entry *entry)
{
	if (entry->state == LEDGER_ALIAS || entry->first_seen < f->since || (f->until && entry->first_seen > f->until))
		return false;
	return state_fits(f->states, entry) && (!f->uid || uid_fits(f->uid, entry->uid)) && (!f->has_target || waits_for(entry, f->target));
}
