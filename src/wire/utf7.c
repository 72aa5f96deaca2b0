/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/utf7.h"

#include <assert.h>

#include "base/text.h"
#include "wire/utf8.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

enum { SURROGATE_HIGH = 0xd800, SURROGATE_LOW = 0xdc00, SURROGATE_END = 0xe000, PLANE_1 = 0x10000 };

static bool printable(uint32_t c)
{
	return c >= ' ' && c <= '~';
}

/* ---- encoding */

struct shift {
	uint32_t bits;		/* not yet written, the lowest `count` */
	unsigned count;
	bool on;
};

static bool add_unit(struct buf *out, struct shift *s, uint32_t unit)
{
	s->bits = s->bits << 16 | unit;
	for (s->count += 16; s->count >= 6; s->count -= 6)
		if (!buf_add_byte(out, alphabet[s->bits >> (s->count - 6) & 63]))
			return false;
	s->bits &= (1u << s->count) - 1;
	return true;
}

static bool shift_in(struct buf *out, struct shift *s)
{
	bool was_on = s->on;

	s->on = true;
	return was_on || buf_add_byte(out, '&');
}

static bool shift_out(struct buf *out, struct shift *s)
{
	struct shift was = *s;

	*s = (struct shift){ 0 };
	if (was.count && !buf_add_byte(out, alphabet[was.bits << (6 - was.count) & 63]))
		return false;
	return !was.on || buf_add_byte(out, '-');
}

static bool encode_char(struct buf *out, struct shift *s, uint32_t c)
{
	if (printable(c))
		return shift_out(out, s) && buf_add(out, c == '&' ? SPAN("&-") : (struct span){ &(char){ (char)c }, 1 });
	if (!shift_in(out, s))
		return false;
	if (c < PLANE_1)
		return add_unit(out, s, c);
	c -= PLANE_1;
	return add_unit(out, s, SURROGATE_HIGH | c >> 10) && add_unit(out, s, SURROGATE_LOW | (c & 0x3ff));
}

bool utf7_encode(struct span utf8, struct buf *out)
{
	struct shift s = { 0 };
	size_t before = out->len;
	bool good = true;
	uint32_t c;

	while (good && utf8.len)
		good = utf8_take(&utf8, &c) && encode_char(out, &s, c);
	if (good && shift_out(out, &s))
		return true;
	out->len = before;
	return false;
}

/* ---- decoding */

/* 0 to 63, or 64 for what is not of the alphabet. */
static uint32_t digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (uint32_t)(at - alphabet) : 64;
}

/* One unit of UTF-16; *high is a first half that waits for its second. */
static bool decode_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	uint32_t pair = *high;

	*high = 0;
	if (pair && (unit < SURROGATE_LOW || unit >= SURROGATE_END))
		return false;
	if (pair)
		return utf8_add(out, PLANE_1 + ((pair & 0x3ff) << 10 | (unit & 0x3ff)));
	if (unit >= SURROGATE_HIGH && unit < SURROGATE_LOW) {
		*high = unit;
		return true;
	}
	if (unit >= SURROGATE_LOW && unit < SURROGATE_END)
		return false;
	return unit && !printable(unit) && utf8_add(out, unit);
}

/* What stands between "&" and "-": at least one unit, and fewer than six bits
 * behind the last, all zero. */
static bool decode_shifted(struct span text, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned count = 0;

	if (text.len < 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint32_t d = digit(text.at[i]);

		if (d > 63)
			return false;
		bits = bits << 6 | d;
		count += 6;
		if (count < 16)
			continue;
		count -= 16;
		if (!decode_unit(out, bits >> count & 0xffff, &high))
			return false;
		bits &= (1u << count) - 1;
	}
	return count < 6 && !bits && !high;
}

/* One character as it stands, "&-", or a shifted stretch.  Two such stretches
 * in a row are one shift too many. */
static bool decode_next(struct span *in, bool *shifted, struct buf *out)
{
	bool was = *shifted;
	char c = in->at[0];
	size_t end;

	*shifted = false;
	if (!printable((unsigned char)c))
		return false;
	if (c != '&') {
		*in = span_from(*in, 1);
		return buf_add_byte(out, c);
	}
	end = span_find(*in, '-');
	if (end == in->len)
		return false;
	*shifted = end > 1;
	if (end == 1 ? !buf_add_byte(out, '&') : was || !decode_shifted((struct span){ in->at + 1, end - 1 }, out))
		return false;
	*in = span_from(*in, end + 1);
	return true;
}

bool utf7_decode(struct span utf7, struct buf *out)
{
	size_t before = out->len;
	bool shifted = false;

	while (utf7.len) {
		if (decode_next(&utf7, &shifted, out))
			continue;
		out->len = before;
		return false;
	}
	return true;
}

void utf7_show(struct span utf7, char *out, size_t size)
{
	struct buf name;
	size_t len = utf7.len < size - 1 ? utf7.len : size - 1;

	assert(size);
	buf_lend(&name, out, size - 1);
	if (utf7_decode(utf7, &name)) {
		len = name.len;
	} else if (len) {
		memcpy(out, utf7.at, len);
	}
	text_clean(out, len);
	out[len] = '\0';
}
