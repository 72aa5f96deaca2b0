/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/template.h"

#include <string.h>

#include "base/buf.h"

enum { SHOWN = 100 };

static bool wrong(struct err *e, const char *text, const char *why)
{
	return err_set(e, ERR_CONFIG, "%.*s %s", SHOWN, text, why);
}

/* Parts between slashes, one after another; empty ones are none. */
static bool next_part(struct span *rest, struct span *part)
{
	while (rest->len && rest->at[0] == '/')
		*rest = span_from(*rest, 1);
	*part = (struct span){ rest->at, span_find(*rest, '/') };
	*rest = span_from(*rest, part->len);
	return part->len;
}

static bool is_dots(struct span part)
{
	return span_equal(part, SPAN(".")) || span_equal(part, SPAN(".."));
}

/* What is no place for files: /proc/self is whoever looks, and what is there goes with the machine. */
static bool is_the_kernels(struct span rest)
{
	struct span part;

	return next_part(&rest, &part) && (span_equal(part, SPAN("proc")) || span_equal(part, SPAN("sys")) || span_equal(part, SPAN("dev")));
}

static bool check_path(const char *text, struct err *e)
{
	struct span rest = span_of(text), part;
	bool any = false;

	if (span_has_control(rest))
		return err_set(e, ERR_CONFIG, "a path has no control characters");
	if (text[0] != '/')
		return wrong(e, text, "is no absolute path");
	if (is_the_kernels(rest))
		return wrong(e, text, "lies in /proc, /sys or /dev, where no mail is kept");
	for (; next_part(&rest, &part); any = true)
		if (is_dots(part))
			return wrong(e, text, "has a part that is \".\" or \"..\"");
	return any || wrong(e, text, "is the root of all; write the path of a Maildir");
}

bool template_check(const char *text, bool many, struct err *e)
{
	bool one_of_many = false;

	if (strlen(text) > TEMPLATE_MAX)
		return err_set(e, ERR_CONFIG, "a Maildir's path has at most %d octets", TEMPLATE_MAX);
	if (!check_path(text, e))
		return false;
	for (const char *p = strchr(text, '%'); p; p = strchr(p + 2, '%')) {
		if (!p[1] || !strchr("und%", p[1]))
			return wrong(e, text, "has a % that is none of %u (name), %n (local part), %d (domain), %% (a percent sign)");
		one_of_many |= p[1] == 'u' || p[1] == 'n';
	}
	return !many || one_of_many || wrong(e, text, "has neither %u (name) nor %n (local part): all would have the same Maildir");
}

/* What stands for %u, %n, %d. */
static struct span value_of(char letter, struct span name)
{
	size_t at = span_find(name, '@');

	switch (letter) {
	case 'u':
		return name;
	case 'n':
		return (struct span){ name.at, at };
	default:		/* letters, no enum of ours */
		return span_from(name, at + (at < name.len));
	}
}

static bool good_value(struct span value)
{
	return value.len && value.at[0] != '.' && span_find(value, '/') == value.len && !span_has_control(value);
}

static bool add_value(struct buf *out, char letter, const char *name, struct err *e)
{
	struct span value = value_of(letter, span_of(name));

	if (letter == 'd' && !value.len)
		return wrong(e, name, "has no domain, and the path of its Maildir wants one");
	if (!good_value(value))
		return err_set(e, ERR_CONFIG, "this name cannot be part of a path");
	return buf_add(out, value) || err_set(e, ERR_CONFIG, "the path of its Maildir is too long");
}

bool template_path(const char *given, char *path, size_t size, struct err *e)
{
	struct span rest = span_of(given), part;
	struct buf out;

	if (!check_path(given, e))
		return false;
	buf_lend(&out, path, size);
	while (next_part(&rest, &part))
		if (!buf_add_byte(&out, '/') || !buf_add(&out, part))
			return err_set(e, ERR_CONFIG, "the path of a Maildir is too long");
	return buf_add_byte(&out, '\0') || err_set(e, ERR_CONFIG, "the path of a Maildir is too long");
}

bool template_expand(const char *text, const char *name, char *path, size_t size, struct err *e)
{
	char memory[4 * TEMPLATE_MAX + 1];
	struct buf out;

	if (!template_check(text, false, e))
		return false;
	buf_lend(&out, memory, sizeof memory);
	for (const char *p = text; *p; p++) {
		if (*p == '%' && p[1] != '%') {
			if (!add_value(&out, *++p, name, e))
				return false;
			continue;
		}
		p += *p == '%';
		if (!buf_add_byte(&out, *p))
			return err_set(e, ERR_CONFIG, "the path of a Maildir is too long");
	}
	if (!buf_add_byte(&out, '\0'))
		return err_set(e, ERR_CONFIG, "the path of a Maildir is too long");
	return template_path(memory, path, size, e);
}
