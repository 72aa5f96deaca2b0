/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/scheme_cost.h"

#include "base/span.h"

enum { KIB = 1024, SCRYPT_BLOCK = 128, FACTOR_MAX = 65536 };

static bool at_most(uint64_t rounds, uint64_t most, const char *what, struct err *e)
{
	if (rounds <= most)
		return true;
	return err_set(e, ERR_CONFIG, "%llu %s, and at most %llu are done", (unsigned long long)rounds, what, (unsigned long long)most);
}

/* Memory that is gone over so often.  kib and passes are below 2^54 and 2^33. */
static bool memory_fits(uint64_t kib, uint64_t passes, uint64_t passes_max, struct err *e)
{
	if (kib > COST_MEMORY_KIB)
		return err_set(e, ERR_CONFIG, "%llu MiB of memory, and at most %d are used", (unsigned long long)(kib / KIB), COST_MEMORY_KIB / KIB);
	if (kib * passes > passes_max * COST_MEMORY_KIB)
		return err_set(e, ERR_CONFIG, "%llu passes over %llu KiB of memory, and at most %llu are done", (unsigned long long)passes,
			(unsigned long long)kib, (unsigned long long)(passes_max * COST_MEMORY_KIB / kib));
	return true;
}

/* A number at `text`, as strtoul has it: too large is the largest. */
static uint64_t number_at(const char *text)
{
	uint64_t n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = n < UINT32_MAX ? n * 10 + (uint64_t)(*text - '0') : n;
	return n;
}

/* ---- yescrypt's and scrypt's parameters, as libxcrypt writes them */

static uint32_t value_of(char c)
{
	return c == '.' ? 0 : c == '/' ? 1 : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 2 : c >= 'A' && c <= 'Z' ? (uint32_t)(c - 'A') + 12 :
		c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') + 38 : 64;
}

/* Of one to six letters: the first says how many, and where its range of numbers begins. */
static bool variable(const char **at, uint32_t least, uint64_t *out)
{
	uint32_t start = 0, end = 47, bits = 0, c = value_of(**at);

	if (c > 63)
		return false;
	++*at;
	*out = least;
	while (c > end) {
		*out += (uint64_t)(end + 1 - start) << bits;
		start = end + 1;
		end = start + (62 - end) / 2;
		bits += 6;
	}
	*out += (uint64_t)(c - start) << bits;
	while (bits) {
		c = value_of(**at);
		if (c > 63)
			return false;
		++*at;
		bits -= 6;
		*out += (uint64_t)c << bits;
	}
	return *out <= UINT32_MAX;
}

/* Five letters, the least first. */
static bool fixed(const char **at, uint64_t *out)
{
	*out = 0;
	for (unsigned bits = 0; bits < 30; bits += 6) {
		uint32_t c = value_of(**at);

		if (c > 63)
			return false;
		++*at;
		*out |= (uint64_t)c << bits;
	}
	return true;
}

struct scrypt {
	uint64_t log2, r, p, t;
};

static bool read_yescrypt(const char *at, struct scrypt *s)
{
	uint64_t flavour, more = 0;

	*s = (struct scrypt){ .p = 1 };
	if (!variable(&at, 0, &flavour) || !variable(&at, 1, &s->log2) || !variable(&at, 1, &s->r))
		return false;
	if (*at != '$' && !variable(&at, 1, &more))
		return false;
	return more <= 3 && (!(more & 1) || variable(&at, 2, &s->p)) && (!(more & 2) || variable(&at, 1, &s->t));	/* else it upgrades, or wants a ROM */
}

static bool read_scrypt(const char *at, struct scrypt *s)
{
	*s = (struct scrypt){ .log2 = value_of(*at) };
	if (s->log2 > 63)
		return false;
	at++;
	return fixed(&at, &s->r) && fixed(&at, &s->p);
}

static bool scrypt_fits(bool good, const struct scrypt *s, struct err *e)
{
	uint64_t n;

	if (!good)
		return err_set(e, ERR_CONFIG, "parameters that are not known here");
	if (!at_most(s->log2, 31, "as the binary logarithm of its memory", e) || !at_most(s->p, FACTOR_MAX, "lanes", e) ||
	    !at_most(s->t, FACTOR_MAX, "passes", e))
		return false;
	n = UINT64_C(1) << s->log2;
	n = n > s->p ? n : s->p;
	if (s->r > UINT64_MAX / SCRYPT_BLOCK / n)
		return err_set(e, ERR_CONFIG, "more memory than there is anywhere");
	return memory_fits((SCRYPT_BLOCK * s->r * n + KIB - 1) / KIB, s->p * (1 + s->t), COST_SCRYPT_PASSES, e);
}

/* ---- all of crypt(3) */

bool scheme_cost_crypt(const char *setting, struct err *e)
{
	struct span text = span_of(setting);
	struct scrypt s;

	if (span_starts(text, SPAN("$5$rounds=")) || span_starts(text, SPAN("$6$rounds=")))
		return at_most(number_at(setting + 10), COST_SHA_CRYPT_ROUNDS, "rounds", e);
	if (span_starts(text, SPAN("$sha1$")))
		return at_most(number_at(setting + 6), COST_SHA1_CRYPT_ROUNDS, "rounds", e);
	if (span_starts(text, SPAN("$md5")))
		return at_most(number_at(setting + strcspn(setting, "=") + (strchr(setting, '=') != NULL)), COST_SUN_MD5_ROUNDS, "rounds", e);
	if (text.len > 5 && span_starts(text, SPAN("$2")) && setting[3] == '$')
		return at_most(number_at(setting + 4), COST_BCRYPT_LOG2, "as the binary logarithm of its rounds", e);
	if (span_starts(text, SPAN("$y$")))
		return scrypt_fits(read_yescrypt(setting + 3, &s), &s, e);
	if (span_starts(text, SPAN("$gy$")))
		return scrypt_fits(read_yescrypt(setting + 4, &s), &s, e);
	if (span_starts(text, SPAN("$7$")))
		return scrypt_fits(read_scrypt(setting + 3, &s), &s, e);
	if (*setting != '$' || span_starts(text, SPAN("$1$")) || span_starts(text, SPAN("$3$")) || span_starts(text, SPAN("$5$")) ||
	    span_starts(text, SPAN("$6$")))
		return true;	/* always the same; and the most of BSDi's, which has 24 bits, is 2 s */
	return err_set(e, ERR_CONFIG, "a method that is not known here");
}

bool scheme_cost_argon(const char *text, struct err *e)
{
	const char *m = strstr(text, "$m="), *t = m ? strstr(m, ",t=") : NULL, *p = t ? strstr(t, ",p=") : NULL;
	uint64_t kib, least;

	if (!p)
		return err_set(e, ERR_CONFIG, "parameters that are not known here");
	kib = number_at(m + 3);
	least = 8 * number_at(p + 3);	/* argon2 takes so much if it is told to take less */
	return memory_fits(kib > least ? kib : least, number_at(t + 3), COST_ARGON_PASSES, e);
}

bool scheme_cost_iterations(uint64_t iterations, struct err *e)
{
	return at_most(iterations, COST_ITERATIONS, "iterations", e);
}
