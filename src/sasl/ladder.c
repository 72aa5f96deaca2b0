/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/ladder.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

static const struct fate {
	const char *name, *text;
} fates[] = {
	[LADDER_UNASKED] = { "unasked", "its turn did not come" },
	[LADDER_NOT_BUILT] = { "not_built", "not built yet" },
	[LADDER_NOT_OFFERED] = { "not_offered", "not offered" },
	[LADDER_NO_BINDING] = { "no_binding", "the line has no channel to bind to" },
	[LADDER_CLEAR_LINE] = { "clear_line", "the line is in clear and allow_cleartext = false" },
	[LADDER_CLEAR_AFTER] = { "clear_after_stronger", "the line is in clear, and a stronger one was refused" },
	[LADDER_WEAKER] = { "weaker", "weaker than one by which the server could not prove who it is" },
	[LADDER_BELOW] = { "downgrade", "weaker than what worked before, and this line may be somebody else's" },
	[LADDER_TRIED_ENOUGH] = { "tried_enough", "three others were tried" },
	[LADDER_UNABLE] = { "unable", "cannot be done here" },
	[LADDER_REFUSED] = { "refused", "refused by the server" },
	[LADDER_WRONG] = { "credentials", "refused by the server, which ends the visit" },
	[LADDER_FALSE_PROOF] = { "false_proof", "the server did not prove who it is" },
	[LADDER_UNANSWERED] = { "unanswered", "the connection ended in place of an answer" },
	[LADDER_WORKED] = { "worked", "logged in" },
};
static_assert(COUNT(fates) == LADDER_FATES, "words for each fate");

const char *ladder_fate_name(enum ladder_fate fate)
{
	return fates[fate].name;
}

const char *ladder_fate_text(enum ladder_fate fate)
{
	return fates[fate].text;
}

static unsigned bit(enum sasl_mech mech)
{
	return 1u << mech;
}

unsigned ladder_weaker_than(enum sasl_mech mech)
{
	assert(mech < SASL_MECHS);
	return (bit(SASL_MECHS) - 1) & ~((bit(mech) << 1) - 1);
}

bool ladder_shown(enum sasl_mech mech, unsigned rounds, bool spoke)
{
	return rounds || (spoke && (mech == SASL_EXTERNAL || (sasl_mech_clear(mech) && sasl_mech_first(mech))));
}

bool ladder_proof_out(enum sasl_mech mech, unsigned responses)
{
	switch (mech) {
	case SASL_SCRAM_SHA_256_PLUS:
	case SASL_SCRAM_SHA_256:
	case SASL_SCRAM_SHA_1_PLUS:
	case SASL_SCRAM_SHA_1:
	case SASL_NTLM:
	case SASL_LOGIN:
		return responses > 1;	/* the first one is a name, or less */
	case SASL_EXTERNAL:
	case SASL_OAUTHBEARER:
	case SASL_XOAUTH2:
	case SASL_GSSAPI:
	case SASL_DIGEST_MD5:
	case SASL_CRAM_MD5:
	case SASL_APOP:
	case SASL_PLAIN:
	case SASL_USER:
	case SASL_MECHS:
		break;
	}
	return responses > 0;
}

void ladder_start(struct ladder *l, const enum sasl_mech *mechs, size_t count, const struct ladder_before *before, char (*words)[LADDER_WORDS])
{
	*l = (struct ladder){ .mechs = mechs, .count = count, .before = *before, .tries = before->tries, .refused = before->refused, .words = words };
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		if (before->refused & bit(m))
			l->fates[m] = LADDER_REFUSED;
}

static bool strong_refused(const struct ladder *l)
{
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		if ((l->refused & bit(m)) && !sasl_mech_clear(m))
			return true;
	return false;
}

/* LADDER_UNASKED: it may be tried. */
static enum ladder_fate judge(const struct ladder *l, const struct ladder_offer *o, enum sasl_mech m)
{
	bool clear = sasl_mech_clear(m) && !o->secure;

	if (!sasl_mech_built(m))
		return LADDER_NOT_BUILT;
	if (l->refused & bit(m))
		return l->fates[m];
	if (clear && !o->clear_allowed && ((o->offered | o->behind_tls) & bit(m)))
		return LADDER_CLEAR_LINE;
	if (!(o->offered & bit(m)))
		return LADDER_NOT_OFFERED;
	if (l->before.weaker & bit(m))
		return LADDER_WEAKER;
	if (l->before.below & bit(m))
		return LADDER_BELOW;
	if (sasl_mech_plus(m) && !o->channel_binding)
		return LADDER_NO_BINDING;
	if (clear && strong_refused(l))
		return LADDER_CLEAR_AFTER;
	return l->tries < LADDER_TRIES ? LADDER_UNASKED : LADDER_TRIED_ENOUGH;
}

bool ladder_next(struct ladder *l, const struct ladder_offer *offer)
{
	while (l->at < l->count) {
		enum sasl_mech m = l->mechs[l->at++];
		enum ladder_fate fate = judge(l, offer, m);

		l->fates[m] = (uint8_t)fate;
		l->clear_skipped |= fate == LADDER_CLEAR_LINE;
		l->weaker_skipped |= fate == LADDER_WEAKER || fate == LADDER_BELOW;
		if (fate != LADDER_UNASKED)
			continue;
		l->now = m;
		l->under_way = true;
		l->shown = false;
		l->tries++;
		return true;
	}
	return false;
}

static void keep_words(struct ladder *l, struct span words)
{
	size_t n = 0, len = words.len < LADDER_WORDS ? words.len : LADDER_WORDS - 1;

	while (n <= LADDER_TRIES && l->words_of[n] && l->words_of[n] != l->now + 1)
		n++;
	if (n > LADDER_TRIES || !len)
		return;
	l->words_of[n] = (uint8_t)(l->now + 1);
	memcpy(l->words[n], words.at, len);
	l->words[n][len] = '\0';
	text_clean(l->words[n], len);
}

void ladder_over(struct ladder *l, enum ladder_fate fate, struct span words)
{
	l->fates[l->now] = (uint8_t)fate;
	l->under_way = l->shown = false;
	keep_words(l, words);
	if (fate != LADDER_REFUSED && fate != LADDER_UNABLE)
		return;
	l->refused |= bit(l->now);
	l->tries -= fate == LADDER_UNABLE;
}

const char *ladder_words(const struct ladder *l, enum sasl_mech mech)
{
	for (size_t n = 0; n <= LADDER_TRIES; n++)
		if (l->words_of[n] == mech + 1)
			return l->words[n];
	return "";
}

const char *ladder_nothing(const struct ladder *l)
{
	if (l->weaker_skipped)
		return "what the server offers now is weaker than what it had before, so that somebody may be in between; if it was "
			"changed, write what it has in `auth`";
	if (l->refused)
		return "the server refused what it offers, or we cannot do it, and has no other mechanism that auth allows";
	return "the server offers none of the mechanisms allowed by auth";
}
