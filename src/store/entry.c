/* SPDX-License-Identifier: Apache-2.0 */
#include "store/entry.h"

#include <assert.h>
#include <sodium.h>

#include "store/pack.h"

enum { ENTRY_FORMAT = 1, ENTRY_FORMAT_COPIED = 2, FLAG_DIGEST = 1, FLAG_REMOVAL = 2 };

static const char *const state_names[] = { "pending", "accepted", "held", "quarantined", "disposing", "gone", "skipped", "shared", "seen", "alias",
	"refused" };
static_assert(COUNT(state_names) == LEDGER_STATES, "a name for each state");

const char *ledger_state_name(enum ledger_state state)
{
	assert(state < LEDGER_STATES);
	return state_names[state];
}

/* Each field with its length in front, so that ("a", "bc") is not ("ab", "c"). */
static void hash_field(crypto_generichash_state *h, struct span field)
{
	char len[8];

	pack_u64(len, field.len);
	(void)crypto_generichash_update(h, (const unsigned char *)len, sizeof len);
	(void)crypto_generichash_update(h, (const unsigned char *)field.at, field.len);
}

void ledger_pop3_base(struct span host, struct span user, struct span uidl, uint8_t base[32])
{
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, NULL, 0, 32);
	hash_field(&h, host);
	hash_field(&h, user);
	hash_field(&h, uidl);
	(void)crypto_generichash_final(&h, base, 32);
}

void ledger_pop3_id(const uint8_t base[32], uint32_t k, uint8_t id[32])
{
	crypto_generichash_state h;
	char number[4];

	pack_u32(number, k);
	(void)crypto_generichash_init(&h, NULL, 0, 32);
	hash_field(&h, (struct span){ (const char *)base, 32 });
	hash_field(&h, (struct span){ number, sizeof number });
	(void)crypto_generichash_final(&h, id, 32);
}

void ledger_imap_id(struct span host, struct span user, struct span mailbox, uint32_t validity, uint32_t uid, uint8_t id[32])
{
	crypto_generichash_state h;
	char number[4];

	(void)crypto_generichash_init(&h, NULL, 0, 32);
	hash_field(&h, host);
	hash_field(&h, user);
	hash_field(&h, mailbox);
	pack_u32(number, validity);
	hash_field(&h, (struct span){ number, sizeof number });
	pack_u32(number, uid);
	hash_field(&h, (struct span){ number, sizeof number });
	(void)crypto_generichash_final(&h, id, 32);
}

void ledger_gmail_id(struct span host, struct span user, uint64_t gmail_id, uint8_t id[32])
{
	crypto_generichash_state h;
	char number[8];

	pack_u64(number, gmail_id);
	(void)crypto_generichash_init(&h, NULL, 0, 32);
	hash_field(&h, host);
	hash_field(&h, user);
	hash_field(&h, SPAN("X-GM-MSGID"));
	hash_field(&h, (struct span){ number, sizeof number });
	(void)crypto_generichash_final(&h, id, 32);
}

uint64_t ledger_target_tag(const char *target)
{
	return engine_part_of("target", span_of(target));
}

static char *add_text(char *at, const char *text, size_t max)
{
	size_t len = strnlen(text, max);

	at[0] = (char)(len >> 8);
	at[1] = (char)(len & 0xff);
	memcpy(at + 2, text, len);
	return at + 2 + len;
}

static char *add_u64(char *at, uint64_t n)
{
	pack_u64(at, n);
	return at + 8;
}

struct span entry_pack(char value[ENTRY_MAX], const struct ledger_entry *e)
{
	char *at = value;

	assert(e->state < LEDGER_STATES && e->target_count <= LEDGER_TARGETS_MAX);
	*at++ = e->copy ? ENTRY_FORMAT_COPIED : ENTRY_FORMAT;
	*at++ = (char)e->state;
	*at++ = (char)((e->has_digest ? FLAG_DIGEST : 0) | (e->removal ? FLAG_REMOVAL : 0));
	at = add_u64(at, (uint64_t)e->first_seen);
	at = add_u64(at, (uint64_t)e->changed);
	at = add_u64(at, (uint64_t)e->accepted);
	at = add_u64(at, e->size);
	pack_u32(at, e->attempts);
	at += 4;
	if (e->has_digest) {
		memcpy(at, e->digest, sizeof e->digest);
		at += sizeof e->digest;
	}
	at = add_text(at, e->uid, LEDGER_UID_MAX);
	at = add_text(at, e->error, LEDGER_ERROR_MAX - 1);
	*at++ = (char)e->target_count;
	for (const struct ledger_target *t = e->targets; t < e->targets + e->target_count; t++) {
		at = add_u64(at, t->target);
		*at++ = (char)t->state;
		at = add_text(at, t->place, LEDGER_PLACE_MAX - 1);
	}
	if (e->copy) {
		*at++ = (char)e->copy;
		pack_u32(at, e->copy_validity);
		pack_u32(at + 4, e->copy_uid);
		at += 8;
	}
	assert(at <= value + ENTRY_MAX);
	return (struct span){ value, (size_t)(at - value) };
}

static void take_text(struct span *s, char *out, size_t size)
{
	size_t len = (size_t)take_u8(s) << 8;
	struct span text;

	len |= take_u8(s);
	text = take_span(s, len);
	if (!text.at || len >= size) {
		*s = (struct span){ 0 };
		len = 0;
	}
	if (len)
		memcpy(out, text.at, len);
	out[len] = '\0';
}

static void take_target(struct span *s, struct ledger_target *t)
{
	uint8_t state;

	t->target = take_u64(s);
	state = take_u8(s);
	if (state >= LEDGER_TARGET_STATES)
		*s = (struct span){ 0 };
	t->state = (enum ledger_target_state)state;
	take_text(s, t->place, sizeof t->place);
}

static bool take_copy(struct span *s, struct ledger_entry *e)
{
	uint8_t copy = take_u8(s);

	e->copy = copy == LEDGER_COPY_DONE ? LEDGER_COPY_DONE : LEDGER_COPY_BEGUN;
	e->copy_validity = take_u32(s);
	e->copy_uid = take_u32(s);
	return copy == LEDGER_COPY_BEGUN || copy == LEDGER_COPY_DONE;
}

bool entry_unpack(struct span v, struct ledger_entry *e)
{
	uint8_t format = take_u8(&v), state = take_u8(&v), flags;
	struct span digest;

	*e = (struct ledger_entry){ 0 };
	if ((format != ENTRY_FORMAT && format != ENTRY_FORMAT_COPIED) || state >= LEDGER_STATES)
		return false;
	e->state = (enum ledger_state)state;
	flags = take_u8(&v);
	if (flags & ~(FLAG_DIGEST | FLAG_REMOVAL))
		return false;
	e->has_digest = flags & FLAG_DIGEST;
	e->removal = flags & FLAG_REMOVAL;
	e->first_seen = (int64_t)take_u64(&v);
	e->changed = (int64_t)take_u64(&v);
	e->accepted = (int64_t)take_u64(&v);
	e->size = take_u64(&v);
	e->attempts = take_u32(&v);
	if (e->has_digest) {
		digest = take_span(&v, sizeof e->digest);
		if (digest.at)
			memcpy(e->digest, digest.at, sizeof e->digest);
	}
	take_text(&v, e->uid, sizeof e->uid);
	take_text(&v, e->error, sizeof e->error);
	e->target_count = take_u8(&v);
	if (e->target_count > LEDGER_TARGETS_MAX)
		return false;
	for (struct ledger_target *t = e->targets; t < e->targets + e->target_count; t++)
		take_target(&v, t);
	if (format == ENTRY_FORMAT_COPIED && !take_copy(&v, e))
		return false;
	return v.at && !v.len;
}
