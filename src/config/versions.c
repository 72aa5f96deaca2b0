/* SPDX-License-Identifier: Apache-2.0 */
#include "config/versions.h"

#include <assert.h>
#include <string.h>

#include "config/value.h"


static const char *const names[] = {
	[VERSION_TLS_1_0] = "TLSv1", [VERSION_TLS_1_1] = "TLSv1.1", [VERSION_TLS_1_2] = "TLSv1.2", [VERSION_TLS_1_3] = "TLSv1.3",
};

enum {
	OLD_BITS = 1u << VERSION_TLS_1_0 | 1u << VERSION_TLS_1_1,
	SAFE_BITS = 1u << VERSION_TLS_1_2 | 1u << VERSION_TLS_1_3,
};

static bool obsolete(struct span word)
{
	return span_starts_nocase(word, SPAN("SSLv")) || span_equal_nocase(word, SPAN("SSL"));
}

static bool find(struct span word, uint32_t *version)
{
	for (uint32_t v = VERSION_TLS_1_0; v <= VERSION_TLS_1_3; v++) {
		if (!span_equal_nocase(word, span_of(names[v])))
			continue;
		*version = v;
		return true;
	}
	return false;
}

static bool parse(struct span word, uint32_t *version, struct err *e)
{
	int shown = word.len < VALUE_SHOWN ? (int)word.len : VALUE_SHOWN;

	if (find(word, version))
		return true;
	if (obsolete(word))
		return err_set(e, ERR_CONFIG, "%.*s is broken and cannot be had", shown, word.at);
	return err_set(e, ERR_CONFIG, "%.*s is no version of TLS", shown, word.at);
}

bool versions_parse(const char *word, uint32_t *version, struct err *e)
{
	return parse(span_of(word), version, e);
}

static bool one_word(struct span word, bool away, bool legacy, unsigned *bits, struct err *e)
{
	uint32_t version = VERSION_NOT_SET;
	unsigned mean;

	if (span_equal_nocase(word, SPAN("All")))
		mean = SAFE_BITS | (legacy ? OLD_BITS : 0u);
	else if (away && obsolete(word))
		return true;
	else if (parse(word, &version, e))
		mean = 1u << version;
	else
		return false;
	if (!away && !legacy && (mean & OLD_BITS))
		return err_set(e, ERR_CONFIG, "%.*s needs legacy = true beside it", (int)word.len, word.at);
	*bits = away ? *bits & ~mean : *bits | mean;
	return true;
}

/* A sign stands before its word, with or without a blank between them. */
static bool words_of(struct span text, bool legacy, bool *first, unsigned *bits, struct err *e)
{
	bool away = false;

	while (text.len) {
		size_t n = 0;

		if (strchr(" \t,+-", text.at[0])) {
			if (!strchr(" \t,", text.at[0]))
				away = text.at[0] == '-';
			text = span_from(text, 1);
			continue;
		}
		while (n < text.len && !strchr(" \t,+-", text.at[n]))
			n++;
		if (*first && away)
			*bits = SAFE_BITS | (legacy ? OLD_BITS : 0u);
		*first = false;
		if (!one_word((struct span){ text.at, n }, away, legacy, bits, e))
			return false;
		away = false;
		text = span_from(text, n);
	}
	return true;
}

bool versions_words(const struct texts *protocols, bool legacy, unsigned *bits, struct err *e)
{
	unsigned found = 0;
	bool first = true;

	for (size_t n = 0; n < protocols->count; n++)
		if (!words_of(span_of(protocols->at[n]), legacy, &first, &found, e))
			return false;
	*bits = found;
	return true;
}

unsigned versions_bounded(unsigned bits, uint32_t min, uint32_t max)
{
	assert(min <= VERSION_TLS_1_3 && max <= VERSION_TLS_1_3);
	for (uint32_t v = VERSION_TLS_1_0; v <= VERSION_TLS_1_3; v++)
		if ((min && v < min) || (max && v > max))
			bits &= ~(1u << v);
	return bits;
}
