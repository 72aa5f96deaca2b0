/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "pop3/server_internal.h"

/* ---- CAPA: a tag is a row; it says whether it is true now, and its line */

enum tag { TAG_ALWAYS, TAG_USER, TAG_SASL, TAG_STLS, TAG_UTF8, TAG_LOGIN_DELAY, TAG_EXPIRE, TAG_IMPLEMENTATION };

static const struct {
	enum tag tag;
	const char *line;
} tags[] = {
	{ TAG_ALWAYS, "TOP" },
	{ TAG_ALWAYS, "UIDL" },
	{ TAG_ALWAYS, "RESP-CODES" },
	{ TAG_ALWAYS, "AUTH-RESP-CODE" },
	{ TAG_ALWAYS, "PIPELINING" },
	{ TAG_USER, "USER" },
	{ TAG_SASL, "SASL" },
	{ TAG_STLS, "STLS" },
	{ TAG_UTF8, "UTF8" },
	{ TAG_ALWAYS, "LANG" },
	{ TAG_LOGIN_DELAY, "LOGIN-DELAY" },
	{ TAG_EXPIRE, "EXPIRE" },
	{ TAG_IMPLEMENTATION, "IMPLEMENTATION" },
};

static const struct {
	struct span tag;
	const char *line;
} languages[] = {	/* of the texts in this room; the first is what "*" means */
	{ SPAN("en"), "en English" },
	{ SPAN("i-default"), "i-default English" },	/* RFC 2277 section 4.5 */
};

/* All that AUTH would take. */
static uint32_t sasl_mechs(const struct p3d *s)
{
	return s->settings->mechs & ~(1U << SASL_USER | 1U << SASL_APOP) & ((1U << SASL_MECHS) - 1);
}

static void say_sasl(struct p3d *s)
{
	uint32_t offered = sasl_mechs(s);
	char line[P3D_REPLY_MAX];
	int n = snprintf(line, sizeof line, "SASL");

	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		if (offered >> m & 1)
			n += snprintf(line + n, sizeof line - (size_t)n, " %s", sasl_mech_name(m));
	if (offered)
		server_say(s, line);
}

static void say_tag(struct p3d *s, enum tag tag, const char *line)
{
	const struct p3d_settings *set = s->settings;

	switch (tag) {
	case TAG_ALWAYS:
		server_say(s, line);
		break;
	case TAG_USER:
		if (server_offers(s, SASL_USER))
			server_say(s, line);
		break;
	case TAG_SASL:
		say_sasl(s);
		break;
	case TAG_STLS:
		if (set->stls && !set->secure && s->phase == PHASE_AUTH)
			server_say(s, line);
		break;
	case TAG_UTF8:
		server_say(s, set->utf8_user ? "UTF8 USER" : line);
		break;
	case TAG_LOGIN_DELAY:
		if (set->login_delay_s)
			server_sayf(s, "%s %" PRIu32, line, set->login_delay_s);
		break;
	case TAG_EXPIRE:
		if (set->expire_days == P3D_EXPIRE_NEVER)
			server_sayf(s, "%s NEVER", line);
		else if (set->expire_days)
			server_sayf(s, "%s %" PRIu32, line, set->expire_days);
		break;
	case TAG_IMPLEMENTATION:
		if (set->implementation)
			server_say_words(s, SPAN("IMPLEMENTATION "), span_of(set->implementation));
		break;
	}
}

bool server_capa(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a, (void)ev;
	server_say(s, "+OK");
	server_list_begin(s, LISTING_CAPA);
	return true;
}

bool server_lang(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	bool any = a->count && span_equal(a->word[0], SPAN("*"));

	(void)ev;
	if (!a->count) {
		server_say(s, "+OK");
		server_list_begin(s, LISTING_LANGS);
		return true;
	}
	for (size_t i = 0; i < COUNT(languages); i++) {
		if (!any && !span_equal_nocase(a->word[0], languages[i].tag))
			continue;
		s->lang = true;
		server_sayf(s, "+OK %s", languages[i].line);
		return true;
	}
	server_say(s, "-ERR no such language");
	return true;
}

/* ---- lists */

void server_list_begin(struct p3d *s, enum listing listing)
{
	assert(s->listing == LISTING_NONE && listing != LISTING_NONE);
	s->listing = listing;
	s->cursor = 0;
}

/* A text that may stand in a UIDL line as it is? */
static bool is_uid(const char *text)
{
	size_t len = text ? strnlen(text, P3D_UID_MAX + 1) : 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return len && len <= P3D_UID_MAX;
}

/* All 16 digits, and an end. */
static void hex(uint64_t n, char out[17])
{
	for (unsigned i = 16; i--; n >>= 4)
		out[i] = "0123456789abcdef"[n & 15];
	out[16] = '\0';
}

void server_uid(const struct p3d *s, uint32_t number, char out[P3D_UID_MAX + 1])
{
	const char *text = s->drop->uids ? s->drop->uids[number - 1] : NULL;

	if (is_uid(text))
		(void)snprintf(out, P3D_UID_MAX + 1, "%s", text);
	else
		hex(s->drop->messages[number - 1].uid, out);
}

/* Before `end`, in decimal; where it begins. */
static char *digits(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

/* Says nothing of a message that is marked.  Most of what a poll costs is said here: printf would double it. */
static void say_message(struct p3d *s, uint32_t number)
{
	enum { DIGITS = 20, LINE = P3D_UID_MAX + 1 + DIGITS };
	const struct drop_message *m = &s->drop->messages[number - 1];
	char line[LINE + 1], *at, *end = line + LINE;

	if (drop_flags(m) & DROP_DELETED)
		return;
	if (s->listing == LISTING_SIZES) {
		at = digits(end, drop_octets(m));
	} else {
		at = line + DIGITS + 1;
		server_uid(s, number, at);
		end = at + strlen(at);
	}
	*--at = ' ';
	at = digits(at, number);
	server_say_line(s, (struct span){ at, (size_t)(end - at) });
}

static uint32_t list_count(const struct p3d *s)
{
	switch (s->listing) {
	case LISTING_NONE:
		break;
	case LISTING_CAPA:
		return COUNT(tags);
	case LISTING_MECHS:
		return SASL_MECHS;
	case LISTING_LANGS:
		return COUNT(languages);
	case LISTING_SIZES:
	case LISTING_UIDS:
		return s->drop->count;
	}
	return 0;
}

void server_list_line(struct p3d *s)
{
	uint32_t at = s->cursor++;

	if (at >= list_count(s)) {
		s->listing = LISTING_NONE;
		server_say(s, ".");
		return;
	}
	switch (s->listing) {
	case LISTING_NONE:
		break;
	case LISTING_CAPA:
		say_tag(s, tags[at].tag, tags[at].line);
		break;
	case LISTING_MECHS:
		if (sasl_mechs(s) >> at & 1)
			server_say(s, sasl_mech_name((enum sasl_mech)at));
		break;
	case LISTING_LANGS:
		server_say(s, languages[at].line);
		break;
	case LISTING_SIZES:
	case LISTING_UIDS:
		say_message(s, at + 1);
		break;
	}
}
