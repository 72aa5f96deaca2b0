/* SPDX-License-Identifier: Apache-2.0 */
#include "control/request.h"

#include "control/json.h"

enum { VERSION = 1, SHOWN = 60 };

/* Members of an envelope and of an error. */
static const struct arg request_members[] = {
	{ "v", ARG_NUMBER, true, INT64_MAX }, { "op", ARG_TEXT, true, REQUEST_OP_MAX }, { "octets", ARG_NUMBER, false, REQUEST_OCTETS_MAX },
	{ .name = NULL },
};
static const struct arg answer_members[] = {
	{ "v", ARG_NUMBER, true, INT64_MAX }, { "octets", ARG_NUMBER, false, REQUEST_OCTETS_MAX }, { .name = NULL },
};
static const struct arg error_members[] = {
	{ "kind", ARG_TEXT, true, 16 }, { "text", ARG_TEXT, true, 6 * sizeof(((struct err *)0)->text) }, { .name = NULL },
};

static bool text_good(const char *name, const json_t *value, uint64_t max, struct err *e)
{
	if (!json_is_string(value))
		return err_set(e, ERR_CONFIG, "%s is not a text", name);
	if (json_string_length(value) > max)
		return err_set(e, ERR_CONFIG, "%s has more than %llu octets", name, (unsigned long long)max);
	return true;
}

static bool number_good(const char *name, const json_t *value, uint64_t max, struct err *e)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return err_set(e, ERR_CONFIG, "%s is not a whole number", name);
	if ((uint64_t)json_integer_value(value) > max)
		return err_set(e, ERR_CONFIG, "%s is more than %llu", name, (unsigned long long)max);
	return true;
}

static bool array_good(const char *name, const json_t *value, bool texts, uint64_t max, struct err *e)
{
	const json_t *one;
	size_t n;

	if (!json_is_array(value))
		return err_set(e, ERR_CONFIG, "%s is not an array", name);
	if (json_array_size(value) > max)
		return err_set(e, ERR_CONFIG, "%s has more than %llu members", name, (unsigned long long)max);
	json_array_foreach(value, n, one)
		if (texts ? !text_good(name, one, ARG_TEXTS_EACH, e) : !number_good(name, one, INT64_MAX, e))
			return err_in(e, "member %zu of", n);
	return true;
}

static bool value_good(const struct arg *a, const json_t *value, struct err *e)
{
	switch (a->type) {
	case ARG_TEXT:
		return text_good(a->name, value, a->max, e);
	case ARG_NUMBER:
		return number_good(a->name, value, a->max, e);
	case ARG_NUMBER_OR_NULL:
		return json_is_null(value) || number_good(a->name, value, a->max, e);
	case ARG_FLAG:
		return json_is_boolean(value) || err_set(e, ERR_CONFIG, "%s is neither true nor false", a->name);
	case ARG_TEXTS:
	case ARG_NUMBERS:
		return array_good(a->name, value, a->type == ARG_TEXTS, a->max, e);
	case ARG_TYPES:
		break;
	}
	return err_set(e, ERR_CONFIG, "%s has no type", a->name);
}

static bool members_good(const struct arg *table, const json_t *object, struct err *e)
{
	for (const struct arg *a = table; a->name; a++) {
		const json_t *value = json_object_get(object, a->name);

		if (!value && a->must)
			return err_set(e, ERR_CONFIG, "%s is missing", a->name);
		if (value && !value_good(a, value, e))
			return false;
	}
	return true;
}

static bool is_member(const struct arg *table, const char *name)
{
	while (table->name && strcmp(table->name, name) != 0)
		table++;
	return table->name;
}

/* All members are known; `but` (NULL = none) is one more that may be there. */
static bool members_known(const struct arg *table, const char *but, const json_t *object, struct err *e)
{
	const char *name;
	json_t *value;

	/* Iterating changes nothing; Jansson's type only does not say so. */
	for (void *at = json_object_iter((json_t *)(uintptr_t)object); at; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
		name = json_object_iter_key(at);
		value = json_object_iter_value(at);
		if (!value || is_member(table, name) || (but && strcmp(name, but) == 0))
			continue;
		(void)err_set(e, ERR_CONFIG, "unknown member");
		return err_said(e, "the request", (struct span){ name, strnlen(name, SHOWN) });
	}
	return true;
}

bool args_check(const struct arg *table, const json_t *args, struct err *e)
{
	return members_known(table, NULL, args, e) && members_good(table, args, e);
}

/* One object, and nothing else in the line. */
static json_t *read_object(struct span line, const char *what, struct err *e)
{
	json_error_t why;
	json_t *root;

	json_wiping();
	if (line.len > REQUEST_MAX) {
		(void)err_set(e, ERR_PEER, "the %s has more than %d octets", what, REQUEST_MAX);
		return NULL;
	}
	root = json_loadb(line.len ? line.at : "", line.len, JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(root))
		return root;
	/* Jansson quotes what it does not like, which may be a part of a password: only the place is told. */
	if (root)
		(void)err_set(e, ERR_PEER, "the %s is not a JSON object", what);
	else if (json_error_code(&why) == json_error_duplicate_key)
		(void)err_set(e, ERR_PEER, "the %s has a member twice, at octet %d", what, why.position);
	else
		(void)err_set(e, ERR_PEER, "the %s is not JSON, at octet %d", what, why.position);
	json_decref(root);
	return NULL;
}

static bool version_good(const json_t *root, struct err *e)
{
	const json_t *v = json_object_get(root, "v");

	if (!json_is_integer(v))
		return err_set(e, ERR_CONFIG, "\"v\":%d is missing, the version of the API", VERSION);
	if (json_integer_value(v) != VERSION)
		return err_set(e, ERR_CONFIG, "version %lld of the API is not spoken here; version %d is", (long long)json_integer_value(v), VERSION);
	return true;
}

bool request_read(struct span line, struct request *r, struct err *e)
{
	*r = (struct request){ .root = read_object(line, "request", e) };
	if (!r->root)
		return false;
	r->args = json_object_get(r->root, "args");
	if (version_good(r->root, e) && members_known(request_members, "args", r->root, e) && members_good(request_members, r->root, e) &&
	    (!r->args || json_is_object(r->args) || err_set(e, ERR_CONFIG, "args is not an object"))) {
		r->op = json_member_text(r->root, "op");
		r->octets = json_member_number(r->root, "octets");
		return true;
	}
	request_end(r);
	return false;
}

void request_end(struct request *r)
{
	json_decref(r->root);
	*r = (struct request){ 0 };
}

/* The members' references are taken over, also when it fails. */
static bool write_line(struct buf *out, const char *one, json_t *first, const char *two, json_t *second, uint64_t octets)
{
	json_t *root = json_object();
	size_t len = out->len;
	bool good = root && json_object_set_new(root, "v", json_integer(VERSION)) == 0;

	good = good && json_object_set(root, one, first) == 0 && (!second || json_object_set(root, two, second) == 0) &&
	       (!octets || json_object_set_new(root, "octets", json_number(octets)) == 0);
	good = good && json_write(out, root) && out->len - len <= REQUEST_MAX && buf_add_byte(out, '\n');
	if (!good)
		out->len = len;
	json_decref(root);
	json_decref(first);
	json_decref(second);
	return good;
}

bool request_write(struct buf *out, const char *op, json_t *args, uint64_t octets, struct err *e)
{
	return write_line(out, "op", json_string(op), "args", json_incref(args), octets) ||
	       err_set(e, ERR_CONFIG, "the request %s takes more than %d octets", op, REQUEST_MAX);
}

bool reply_write(struct buf *out, json_t *answer, uint64_t octets, struct err *e)
{
	return write_line(out, "answer", json_incref(answer), NULL, NULL, octets) ||
	       err_set(e, ERR_LOCAL, "the answer takes more than %d octets; ask for less", REQUEST_MAX);
}

bool reply_write_error(struct buf *out, const struct err *why)
{
	return write_line(out, "error", json_pack("{s:s, s:o}", "kind", err_kind_name(why->kind), "text", json_text(why->text)), NULL, NULL, 0);
}

static enum err_kind kind_of(const char *name)
{
	for (unsigned k = ERR_NONE + 1; k < ERR_KINDS; k++)
		if (strcmp(err_kind_name((enum err_kind)k), name) == 0)
			return (enum err_kind)k;
	return ERR_LOCAL;
}

bool reply_read(struct span line, json_t **answer, uint64_t *octets, struct err *e)
{
	json_t *root = read_object(line, "reply", e), *said, *error;
	bool good = false;

	if (!root)
		return false;
	said = json_object_get(root, "answer");
	error = json_object_get(root, "error");
	if (!version_good(root, e) || !members_good(answer_members, root, e)) {
		e->kind = ERR_PEER;
	} else if (json_is_object(said) && !error) {
		*answer = json_incref(said);
		*octets = json_member_number(root, "octets");
		good = true;
	} else if (!json_is_object(error) || said || !members_good(error_members, error, e)) {
		(void)err_set(e, ERR_PEER, "the reply is neither an answer nor an error");
	} else {
		(void)err_set(e, kind_of(json_member_text(error, "kind")), "%s", json_member_text(error, "text"));
	}
	json_decref(root);
	return good;
}
