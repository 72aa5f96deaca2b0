/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/passwd_line.h"

#include "base/buf.h"
#include "net/network.h"

enum { FIELD_USER, FIELD_PASSWORD, FIELD_UID, FIELD_GID, FIELD_GECOS, FIELD_HOME, FIELD_SHELL, FIELDS };

/* The next field; the last one is all that is left. */
static char *next_field(char **left, char end)
{
	char *field = *left, *stop = field + strcspn(field, (char[]){ end, '\0' });

	*left = *stop ? stop + 1 : stop;
	*stop = '\0';
	return field;
}

static const char *value_of(const char *field, const char *key)
{
	size_t len = strlen(key);

	return strncmp(field, key, len) == 0 && field[len] == '=' ? field + len + 1 : NULL;
}

static void take_extra(struct passwd_line *l, const char *field)
{
	size_t len = strcspn(field, "=");
	struct span key = { field, len };
	const char *home = value_of(field, "userdb_home");

	if (home)
		l->home = home;
	else if (span_equal(key, SPAN("userdb_mail")))
		l->mail = value_of(field, "userdb_mail");
	else if (span_equal(key, SPAN("user")))
		l->as = value_of(field, "user");
	else if (span_equal(key, SPAN("allow_nets")))
		l->nets = field[len] ? field + len + 1 : "";
	else if (span_equal(key, SPAN("nologin")))
		l->nologin = true;
	else if (span_equal(key, SPAN("nopassword")))
		l->nopassword = true;
	else if (span_equal(key, SPAN("proxy")) || span_equal(key, SPAN("proxy_maybe")) || span_equal(key, SPAN("host")))
		l->elsewhere = true;
}

bool passwd_line_cut(char *text, struct passwd_line *l)
{
	char *fields[FIELDS], *left = text;
	bool alone = !strchr(text, ':');

	if (!*text || *text == '#' || *text == ':')
		return false;
	for (size_t n = 0; n < FIELDS; n++)
		fields[n] = next_field(&left, ':');
	*l = (struct passwd_line){ .user = fields[FIELD_USER], .password = fields[FIELD_PASSWORD], .home = fields[FIELD_HOME], .alone = alone };
	while (*left) {
		left += strspn(left, " \t");
		if (*left)
			take_extra(l, next_field(&left, left[strcspn(left, " \t")]));
	}
	return true;
}

/* libpam-pwdfile's "text[13]" */
static bool numbered(struct span text, unsigned *number)
{
	const char *end = text.at + text.len;

	if (text.len <= 4 || text.at[0] == '{' || text.at[0] == '$' || end[-1] != ']' || end[-4] != '[' || end[-3] < '0' || end[-3] > '9' ||
	    end[-2] < '0' || end[-2] > '9')
		return false;
	*number = (unsigned)(end[-3] - '0') * 10 + (unsigned)(end[-2] - '0');
	return true;
}

bool passwd_line_verifier(const struct passwd_line *l, char verifier[LOGIN_VERIFIER])
{
	struct span text = span_of(l->password);
	struct buf b;
	unsigned number;

	if (!numbered(text, &number))
		return scheme_whole(text, verifier);
	text.len -= 4;
	buf_lend(&b, verifier, LOGIN_VERIFIER);
	return buf_add(&b, number == 34 ? SPAN("{PLAIN-MD5}") : number == 56 ? SPAN("{DIGEST-MD5}") : SPAN("{CRYPT}")) && buf_add(&b, text) &&
		buf_terminate(&b);
}

/* One of %u %n %d %h %% and ~ at the beginning; false: another, or it does not fit. */
static bool add_variable(struct buf *b, char letter, const char *name, const char *home)
{
	size_t local = strcspn(name, "@");

	switch (letter) {
	case 'u':
		return buf_add(b, span_of(name));
	case 'n':
		return buf_add(b, (struct span){ name, local });
	case 'd':
		return buf_add(b, span_of(name[local] ? name + local + 1 : ""));
	case 'h':
		return home && buf_add(b, span_of(home));
	case '%':
		return buf_add_byte(b, '%');
	}
	return false;
}

static bool expand(struct span text, const char *name, const char *home, struct buf *b)
{
	if (span_starts(text, SPAN("~/")) && home && *home) {
		if (!buf_add(b, span_of(home)))
			return false;
		text = span_from(text, 1);
	}
	for (size_t n = 0; n < text.len; n++) {
		bool variable = text.at[n] == '%';

		if (variable && n + 1 == text.len)
			return false;
		if (variable ? !add_variable(b, text.at[++n], name, home) : !buf_add_byte(b, text.at[n]))
			return false;
	}
	return true;
}

/* Names may be "..", and paths are of their parts. */
static bool absolute(const char *path)
{
	if (*path != '/')
		return false;
	for (const char *at = path; at; at = strstr(at + 1, "/.."))
		if (strncmp(at, "/..", 3) == 0 && (at[3] == '/' || !at[3]))
			return false;
	return true;
}

bool passwd_line_mail(const struct passwd_line *l, const char *name, char mail[PATH_MAX], const char **why)
{
	char home[PATH_MAX] = "";
	struct span text = span_of(l->mail), options;
	struct buf h, m;

	mail[0] = '\0';
	if (!l->mail || !*l->mail)
		return true;
	*why = "userdb_mail is no Maildir, which is all that is served from there";
	if (!span_starts(text, SPAN("maildir:")))
		return false;
	text = span_from(text, 8);
	options = span_from(text, span_find(text, ':'));
	text.len -= options.len;
	for (struct span left = options; left.len; left = span_from(left, 1 + span_find(span_from(left, 1), ':')))
		if (span_starts(left, SPAN(":INBOX=")))
			text = (struct span){ left.at + 7, span_find(span_from(left, 7), ':') };
	*why = "its Maildir has no absolute path that can be made of home, %u, %n, %d and %h";
	buf_lend(&h, home, sizeof home);
	buf_lend(&m, mail, PATH_MAX);
	if (expand(span_of(l->home), name, NULL, &h) && buf_terminate(&h) && expand(text, name, home, &m) && buf_terminate(&m) && absolute(mail))
		return true;
	mail[0] = '\0';
	return false;
}

/* As network_parse, but bits behind the prefix may be there: Dovecot lets them pass. */
static bool parse_net(const char *text, struct network *n)
{
	char base[NETWORK_TEXT];
	size_t len = strcspn(text, "/");
	uint64_t bits;

	if (network_parse(text, n))
		return true;
	memcpy(base, text, len);
	base[len] = '\0';
	if (!text[len] || !address_parse(base, 0, &n->base) || !span_number(span_of(text + len + 1), n->base.any.sa_family == AF_INET ? 32 : 128, &bits))
		return false;
	n->bits = (unsigned)bits;
	return true;
}

/* The next of a list with commas. */
static bool next_net(const char **left, char text[NETWORK_TEXT])
{
	size_t len = strcspn(*left, ",");

	if (!**left)
		return false;
	text[0] = '\0';	/* too long: no network */
	if (len < NETWORK_TEXT) {
		memcpy(text, *left, len);
		text[len] = '\0';
	}
	*left += len + ((*left)[len] == ',');
	return true;
}

bool passwd_line_nets_good(const struct passwd_line *l)
{
	char text[NETWORK_TEXT];
	struct network n;

	for (const char *left = l->nets ? l->nets : ""; next_net(&left, text);)
		if (strcmp(text, "local") != 0 && !parse_net(text, &n))
			return false;
	return true;
}

bool passwd_line_nets_have(const struct passwd_line *l, const union address *peer)
{
	char text[NETWORK_TEXT];
	struct network n;

	if (!l->nets)
		return true;
	for (const char *left = l->nets; peer && next_net(&left, text);)
		if (parse_net(text, &n) && network_has(&n, peer))
			return true;
	return false;
}
