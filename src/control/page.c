/* SPDX-License-Identifier: Apache-2.0
 * Lists by pages, and the cursors between them. */
#include <stdlib.h>

#include "control/json.h"
#include "control/operation.h"

enum { ROW_MAX = 512 * 1024 };

json_t *token_of(struct span octets)
{
	static const char hex[] = "0123456789ABCDEF";
	char *text = malloc(3 * octets.len + 1);
	size_t n = 0;
	json_t *token;

	if (!text)
		return NULL;
	for (size_t i = 0; i < octets.len; i++) {
		unsigned char c = (unsigned char)octets.at[i];

		if (c > ' ' && c < 127 && c != '%') {
			text[n++] = (char)c;
			continue;
		}
		text[n++] = '%';
		text[n++] = hex[c >> 4];
		text[n++] = hex[c & 15];
	}
	token = json_stringn(text, n);
	free(text);
	return token;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool token_read(const char *token, char *out, size_t size)
{
	size_t n = 0;

	for (; *token; token++) {
		int c = (unsigned char)*token;

		if (c == '%') {
			int high = digit(token[1]), low = high < 0 ? -1 : digit(token[2]);

			if (low < 0)
				return false;
			c = high << 4 | low;
			token += 2;
		}
		if (!c || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

bool page_start(struct page *p, struct api_call *c, char *cursor, size_t size, struct err *e)
{
	const char *after = call_text(c, "after");
	uint64_t limit = call_number(c, "limit", API_ROWS_MAX);

	cursor[0] = '\0';
	if (after && !token_read(after, cursor, size))
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	*p = (struct page){ .call = c, .rows = json_array(), .left = limit ? (size_t)limit : 1 };
	return p->rows || err_set(e, ERR_LOCAL, "out of memory");
}

bool page_room(const struct page *p)
{
	return p->left && p->octets < API_PAGE_OCTETS;
}

/* A row that cannot be said must not be left out in silence: the list would look complete. */
void page_add(struct page *p, json_t *row)
{
	size_t len = row ? json_dumpb(row, NULL, 0, JSON_COMPACT) : 0;

	p->octets += len;
	p->left--;
	if (len && len <= ROW_MAX && json_array_append(p->rows, row) == 0) {
		json_decref(row);
		return;
	}
	json_decref(row);
	json_decref(p->rows);
	p->rows = NULL;
}

bool page_end(struct page *p, const char *cursor, struct err *e)
{
	bool more = !page_room(p);
	json_t *answer = p->rows ? json_pack("{s:o}", "rows", p->rows) : NULL;

	if (answer && more && json_object_set_new(answer, "next", token_of(span_of(cursor))) != 0) {
		json_decref(answer);
		answer = NULL;
	}
	return call_answer(p->call, answer, e);
}
