/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/bounce.h"

#include <stdio.h>

#include "base/text.h"
#include "wire/date.h"
#include "wire/header.h"

enum { FIXED = 4096, OWN_TEXTS = 8, STATUS_MAX = 11 };

/* Another's words, on one line; a character that was cut off becomes '?'. */
static const char *safe(const char *text, char out[BOUNCE_TEXT + 1])
{
	size_t n = strnlen(text ? text : "", BOUNCE_TEXT);

	if (n)
		memcpy(out, text, n);
	out[n] = '\0';
	text_clean(out, n);
	return out;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text > 126)
			return false;
	return true;
}

/* 5.X.Y, each part of one to three digits. */
static bool is_status(const char *text)
{
	size_t parts = 0, digits = 0;

	if (strnlen(text, STATUS_MAX) == STATUS_MAX || text[0] != '5' || text[1] != '.')
		return false;
	for (const char *p = text; *p; p++) {
		if (*p == '.' && digits) {
			parts++;
			digits = 0;
		} else if (*p < '0' || *p > '9' || ++digits > 3) {
			return false;
		}
	}
	return parts == 2 && digits;
}

static size_t named(const struct bounce_facts *f)
{
	return f->failed_count < BOUNCE_RECIPIENTS ? f->failed_count : BOUNCE_RECIPIENTS;
}

static bool write_head(const struct bounce_facts *f, struct buf *out)
{
	char date[DATE_TEXT];

	return buf_printf(out,
		"From: Mail Delivery System <%s>\r\nTo: <%s>\r\nSubject: Undelivered mail\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
		"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"=_%s\"\r\n\r\n"
		"This is a message of several parts, as MIME has them.\r\n",
		f->from, f->to, date_text(f->now, date), f->id, f->host, f->id);
}

static bool write_words(const struct bounce_facts *f, struct buf *out)
{
	char a[BOUNCE_TEXT + 1], b[BOUNCE_TEXT + 1], c[BOUNCE_TEXT + 1];
	bool good = buf_printf(out,
		"\r\n--=_%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		"This is Postrider at %s.\r\n\r\n"
		"A message that %s could not be delivered%s, and will not be tried again.\r\n\r\n"
		"%s%s%sTarget: %s\r\nSender: <%s>\r\n",
		f->id, f->host, f->connection ? "was collected" : "you sent", f->connection ? "" : " to these recipients",
		f->connection ? "Connection: " : "", f->connection ? safe(f->connection, a) : "", f->connection ? "\r\n" : "", safe(f->target, b),
		safe(f->sender, c));

	for (size_t n = 0; good && n < named(f); n++) {
		const struct bounce_failed *one = &f->failed[n];

		good = buf_printf(out, "\r\n<%s>:\r\n    %s\r\n", safe(one->recipient, a),
			one->diagnostic && *one->diagnostic ? safe(one->diagnostic, b) : "refused");
	}
	if (good && f->failed_count > BOUNCE_RECIPIENTS)
		good = buf_printf(out, "\r\nand %zu more\r\n", f->failed_count - BOUNCE_RECIPIENTS);
	return good;
}

static bool write_status(const struct bounce_facts *f, struct buf *out)
{
	char a[BOUNCE_TEXT + 1], date[DATE_TEXT];
	bool utf8 = false, good;

	for (size_t n = 0; n < named(f); n++)
		utf8 |= !is_ascii(safe(f->failed[n].recipient, a)) || !is_ascii(safe(f->failed[n].diagnostic, a));
	good = buf_printf(out, "\r\n--=_%s\r\nContent-Type: message/%sdelivery-status\r\n%s\r\nReporting-MTA: dns; %s\r\n", f->id,
		utf8 ? "global-" : "", utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "", f->host);
	if (good && f->arrived)
		good = buf_printf(out, "Arrival-Date: %s\r\n", date_text(f->arrived, date));
	for (size_t n = 0; good && n < named(f); n++) {
		const struct bounce_failed *one = &f->failed[n];

		good = buf_printf(out, "\r\nFinal-Recipient: %s; %s\r\nAction: failed\r\nStatus: %s\r\n",
			is_ascii(safe(one->recipient, a)) ? "rfc822" : "utf-8", a, one->status && is_status(one->status) ? one->status : "5.0.0");
		if (good && one->diagnostic && *one->diagnostic)
			good = buf_printf(out, "Diagnostic-Code: smtp; %s\r\n", safe(one->diagnostic, a));
	}
	return good;
}

/* One line without its end. */
static bool write_line(struct span line, struct buf *out)
{
	if (line.len > BOUNCE_LINE)
		line.len = BOUNCE_LINE;
	if (span_starts(line, SPAN("--")))
		return true;
	for (size_t n = 0; n < line.len; n++)
		if (!buf_add_byte(out, line.at[n] && line.at[n] != '\r' ? line.at[n] : '?'))
			return false;
	return buf_add(out, SPAN("\r\n"));
}

bool bounce_end(const struct bounce_facts *f, struct buf *out)
{
	return buf_printf(out, "\r\n--=_%s--\r\n", f->id);
}

static bool write_header(const struct bounce_facts *f, struct buf *out)
{
	struct span left = f->header, body = f->header;
	struct header_field field;

	while (header_next(&body, &field))
		continue;
	left.len -= body.len;
	if (left.len > BOUNCE_HEADER)
		left.len = BOUNCE_HEADER;
	if (!buf_printf(out, "\r\n--=_%s\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", f->id))
		return false;
	while (left.len) {
		size_t end = span_find(left, '\n');
		struct span line = { left.at, end };

		if (line.len && line.at[line.len - 1] == '\r')
			line.len--;
		if (line.len && !write_line(line, out))
			return false;
		left = span_from(left, end + 1);
	}
	return bounce_end(f, out);
}

/* Nothing in it can be our boundary: nobody can guess the id. */
static bool write_whole(const struct bounce_facts *f, struct buf *out)
{
	return buf_printf(out, "\r\n--=_%s\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", f->id);
}

size_t bounce_size(const struct bounce_facts *f)
{
	size_t texts = strlen(f->host) + strlen(f->id) + strlen(f->from) + strlen(f->to);
	size_t header = f->header.len < BOUNCE_HEADER ? f->header.len : BOUNCE_HEADER;

	/* A line of one octet gets two more; each recipient is named twice, and so is what was said of it. */
	return FIXED + OWN_TEXTS * (texts + BOUNCE_TEXT) + named(f) * (4 * BOUNCE_TEXT + 256) + 3 * header + 2;
}

bool bounce_write(const struct bounce_facts *f, struct buf *out)
{
	return write_head(f, out) && write_words(f, out) && write_status(f, out) && (f->whole ? write_whole(f, out) : write_header(f, out));
}
