/* SPDX-License-Identifier: Apache-2.0 */
#include "store/manifest.h"

#include <sodium.h>

#include "base/clock.h"
#include "store/digest.h"

enum { HEX = 2 * MANIFEST_DIGEST };

static const char *hex(const uint8_t digest[MANIFEST_DIGEST], char out[HEX + 1])
{
	return sodium_bin2hex(out, HEX + 1, digest, MANIFEST_DIGEST);
}

static bool digest_of(struct span octets, char out[HEX + 1], struct err *e)
{
	uint8_t sum[MANIFEST_DIGEST];
	struct digest *d = digest_new(e);

	if (!d)
		return false;
	digest_add(d, octets);
	digest_end(d, sum);
	digest_free(&d);
	(void)hex(sum, out);
	return true;
}

static bool add_file(struct buf *out, const char *name, const struct manifest_file *f)
{
	char digits[HEX + 1];

	return !f->there || buf_printf(out, "file %s %llu %s\n", name, (unsigned long long)f->size, hex(f->digest, digits));
}

bool manifest_text(const struct manifest *m, struct buf *out, struct err *e)
{
	char moment[MOMENT_TEXT], digits[HEX + 1];

	if (!buf_printf(out, "postrider-backup 1\nmade %lld %s\nby %s\n", (long long)m->made, moment_text(m->made, moment), m->version) ||
	    !add_file(out, MANIFEST_STORE, &m->store) || !add_file(out, MANIFEST_KEY, &m->key))
		return err_set(e, ERR_LOCAL, "out of memory for a manifest");
	if (!digest_of(buf_span(out), digits, e))
		return false;
	return buf_printf(out, "end %s\n", digits) ? true : err_set(e, ERR_LOCAL, "out of memory for a manifest");
}

/* The next line, which must begin with the word. */
static bool line(struct span *text, const char *word, struct span *rest)
{
	size_t end = span_find(*text, '\n');
	struct span first;

	*rest = (struct span){ text->at, end };
	if (end == text->len || !span_word(rest, &first) || !span_equal(first, span_of(word)))
		return false;
	*text = span_from(*text, end + 1);
	return true;
}

static bool read_digest(struct span digits, uint8_t digest[MANIFEST_DIGEST])
{
	size_t len;

	return digits.len == HEX && sodium_hex2bin(digest, MANIFEST_DIGEST, digits.at, HEX, NULL, &len, NULL) == 0 && len == MANIFEST_DIGEST;
}

static bool read_file(struct span rest, struct manifest *m)
{
	struct span name, size, digits;
	struct manifest_file *f;

	if (!span_word(&rest, &name) || !span_word(&rest, &size) || !span_word(&rest, &digits))
		return false;
	f = span_equal(name, SPAN(MANIFEST_STORE)) ? &m->store : span_equal(name, SPAN(MANIFEST_KEY)) ? &m->key : NULL;
	if (!f || f->there)
		return false;
	f->there = true;
	return span_number(size, INT64_MAX, &f->size) && read_digest(digits, f->digest);
}

static bool read_head(struct span *text, struct manifest *m)
{
	struct span rest, word;
	uint64_t made;

	if (!line(text, "made", &rest) || !span_word(&rest, &word) || !span_number(word, INT64_MAX, &made))
		return false;
	m->made = (int64_t)made;
	if (!line(text, "by", &rest) || !span_word(&rest, &word) || word.len > MANIFEST_VERSION_MAX || span_has_control(word))
		return false;
	memcpy(m->version, word.at, word.len);
	m->version[word.len] = '\0';
	return true;
}

bool manifest_read(struct span text, struct manifest *m, struct err *e)
{
	struct span whole = text, rest, word;
	char digits[HEX + 1];
	bool good;

	*m = (struct manifest){ 0 };
	if (!line(&text, "postrider-backup", &rest))
		return err_set(e, ERR_LOCAL, "it is no manifest of a backup");
	if (!span_equal(span_trim(rest), SPAN("1")))
		return err_set(e, ERR_CONFIG, "its format is that of another version of postrider");
	good = read_head(&text, m);
	while (good && line(&text, "file", &rest))
		good = read_file(rest, m);
	whole.len -= text.len;
	if (!good || !m->store.there || !line(&text, "end", &rest) || !span_word(&rest, &word) || text.len)
		return err_set(e, ERR_LOCAL, "it is cut off or damaged");
	if (!digest_of(whole, digits, e))
		return false;
	return span_equal(word, span_of(digits)) ? true : err_set(e, ERR_LOCAL, "it is damaged: its digest is not that of its lines");
}
