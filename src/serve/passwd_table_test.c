/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/passwd_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/schemes.h"

#define SHA256_KEYS "HIOJ5YmYtNXHNZoWN1jIu2M2Y90rd0TRPpmAvz6UtZ0=,NgGzS/v/2Asyv/sTpqNWONbtSyicB1tI3BGCiGBZRUM="

static struct passwd_table *table(const char *text, const char *main_domain)
{
	struct buf b;
	struct err e = { 0 };
	struct passwd_table *t;

	buf_start(&b, 1 << 24);
	assert_true(buf_add(&b, span_of(text)));
	t = passwd_table_new(&b, "/users", main_domain, &e);
	if (!t)
		fail_msg("%s", e.text);
	assert_null(b.at);
	return t;
}

static void blank(struct account_login *l, const char *name)
{
	*l = (struct account_login){ .verifier = "made up", .sha256 = { .iterations = 4096 }, .sha1 = { .iterations = 4096 }, .sha256_salt = 16, .sha1_salt = 16 };
	(void)snprintf(l->name, sizeof l->name, "%s", name);
}

static const char users[] =
	"# comment\n"
	"\n"
	"anna:{PLAIN}geheim:1:1::/h/anna::userdb_mail=maildir:~/Maildir\n"
	"Bob@X.Example:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\r\n"
	"scram:{SCRAM-SHA-256}5000,AQID," SHA256_KEYS "\n"
	"bob@x.example:{PLAIN}second\n"
	"locked:!\n"
	"empty:\n"
	"only\n"
	"odd:{FOO}geheim\n"
	"dear:{CRYPT}$6$rounds=999999999$salt$geheim\n"
	"gone:{PLAIN}geheim::::::nologin\n"
	"near:{PLAIN}geheim::::::allow_nets=192.0.2.0/24\n"
	"broken:{PLAIN}geheim::::::allow_nets=x\n"
	"mbox:{PLAIN}geheim::::/h::userdb_mail=mbox:~/m\n"
	"proxied:{PLAIN}geheim::::::proxy host=10.0.0.1\n"
	"open:::::::nopassword\n"
	"other:{PLAIN}geheim::::/h/other::user=anna userdb_mail=maildir:~/Maildir\n"
	"lone:{PLAIN}geheim::::/h/lone::user=nobody@y.example userdb_mail=maildir:/m/%d/%n\n"
	"no/name:{PLAIN}geheim\n"
	":{PLAIN}geheim\n"
	"last:{PLAIN}geheim";

static void users_are_found(void **state)
{
	static const struct row { const char *name, *verifier, *as, *mail, *why; size_t secret; } rows[] = {
		{ "anna@main.example", "{PLAIN}geheim", "anna@main.example", "/h/anna/Maildir", NULL, 6 },
		{ "bob@x.example", "{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=", "bob@x.example", "", NULL, 0 },
		{ "scram@main.example", "{SCRAM-SHA-256}5000,AQID," SHA256_KEYS, "scram@main.example", "", NULL, 0 },
		{ "locked@main.example", NULL, "locked@main.example", "", "its password is locked", 0 },
		{ "empty@main.example", NULL, "empty@main.example", "", "its password is locked", 0 },
		{ "only@main.example", NULL, "only@main.example", "", "its password is locked", 0 },
		{ "odd@main.example", NULL, "odd@main.example", "", "its password cannot be used", 0 },
		{ "dear@main.example", NULL, "dear@main.example", "", "its password cannot be used", 0 },
		{ "gone@main.example", "{PLAIN}geheim", "gone@main.example", "", "nologin", 0 },
		{ "near@main.example", "{PLAIN}geheim", "near@main.example", "", "its allow_nets are other networks", 0 },
		{ "broken@main.example", "{PLAIN}geheim", "broken@main.example", "", "allow_nets has something that is no network", 0 },
		{ "mbox@main.example", "{PLAIN}geheim", "mbox@main.example", "", "userdb_mail is no Maildir, which is all that is served from there", 0 },
		{ "proxied@main.example", "{PLAIN}geheim", "proxied@main.example", "", "it is a user of another server (proxy, host)", 0 },
		{ "open@main.example", NULL, "open@main.example", "", "it needs no password (nopassword), and so cannot log in here", 0 },
		{ "other@main.example", "{PLAIN}geheim", "anna@main.example", "/h/anna/Maildir", NULL, 6 },
		{ "lone@main.example", "{PLAIN}geheim", "nobody@y.example", "/m/y.example/nobody", NULL, 6 },
		{ "last@main.example", "{PLAIN}geheim", "last@main.example", "", NULL, 6 },
	};
	static const char *const strangers[] = { "anna", "", "no/name@main.example", "no/name", "second", "bob", "Anna@main.example" };
	struct passwd_table *t = table(users, "main.example");
	struct account_login l;
	union address peer;

	(void)state;
	assert_true(address_parse("198.51.100.1", 1, &peer));
	assert_int_equal(passwd_table_count(t), COUNT(rows));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		blank(&l, r->name);
		if (!passwd_table_find(t, r->name, &peer, &l) || !l.known || l.there != !r->why || strcmp(l.why ? l.why : "", r->why ? r->why : "") ||
		    strcmp(l.name, r->as) || strcmp(l.mail, r->mail) || l.secret_len != r->secret)
			fail_msg("%s: %s %s %s %zu", r->name, l.why, l.name, l.mail, l.secret_len);
		if (r->verifier)
			assert_string_equal(l.verifier, r->verifier);
		else
			assert_int_equal(l.verifier[0], '{');	/* another's, for its cost */
		assert_memory_equal(l.secret, "geheim", r->secret);
	}
	blank(&l, "near");
	assert_true(address_parse("192.0.2.9", 1, &peer) && passwd_table_find(t, "near@main.example", &peer, &l) && l.there && l.secret_len == 6);
	for (size_t n = 0; n < COUNT(strangers); n++) {
		blank(&l, strangers[n]);
		assert_false(passwd_table_find(t, strangers[n], &peer, &l) || passwd_table_knows(t, strangers[n]) || l.known || l.there);
	}
	passwd_table_free(&t);
	assert_null(t);
}

static void without_a_main_domain_names_stay_bare(void **state)
{
	struct passwd_table *t = table(users, NULL);

	(void)state;
	assert_true(passwd_table_knows(t, "anna") && passwd_table_knows(t, "bob@x.example") && !passwd_table_knows(t, "anna@main.example"));
	passwd_table_free(&t);
	t = table("ANNA@main.example:{PLAIN}one\nanna:{PLAIN}two\nJ\xc3\xbcrgen:{PLAIN}x\nJu\xcc\x88rgen:{PLAIN}x\n", "main.example");
	assert_int_equal(passwd_table_count(t), 2);		/* each of two has two lines: composed and not is one name */
	passwd_table_free(&t);
}

static void what_can_work_is_told(void **state)
{
	static const struct row { const char *text; struct passwd_has has; size_t count; } rows[] = {
		{ "", { false, false, false, false }, 0 }, { "a:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=", { false, false, false, true }, 1 },
		{ "a:{PLAIN.HEX}41\n", { true, false, false, false }, 1 }, { "a:{SCRAM-SHA-256}5000,AQID," SHA256_KEYS, { false, false, true, true }, 1 },
		{ "a:x\nb:{SCRAM-SHA-1}4096,Y9/eZXCx0gJOF7JL/Mm2IA==,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=,sqDzyNk8uL54mo/nBPucr1tZE6A=", { false, true, false, true }, 2 },
		{ "a:!\nb:{FOO}x\n", { false, false, false, false }, 2 }, { "a:{PLAIN}x\nb:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n", { true, false, false, true }, 2 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct passwd_table *t = table(r->text, NULL);
		struct passwd_has has = passwd_table_has(t);

		assert_true(has.secret == r->has.secret && has.sha1 == r->has.sha1 && has.sha256 == r->has.sha256 && passwd_table_count(t) == r->count);
		passwd_table_free(&t);
	}
}

/* SCRAM's first message shows iterations and the salt: those of who is not there, or has other things, look like the others. */
static void made_up_keys_look_like_the_others(void **state)
{
	struct passwd_table *t = table(users, NULL);
	struct account_login l;
	char verifier[LOGIN_VERIFIER] = "";
	unsigned seen = 0;

	(void)state;
	blank(&l, "anna");
	assert_true(passwd_table_find(t, "anna", NULL, &l));
	assert_true(l.sha256.iterations == 5000 && l.sha256_salt == 3 && l.sha1.iterations == 4096 && l.sha1_salt == 16 && !l.sha1_there);
	blank(&l, "nobody");
	passwd_table_like(t, &l);
	assert_true(l.sha256.iterations == 5000 && l.sha256_salt == 3);
	for (uint64_t chance = 0; chance < 16; chance++) {
		assert_true(passwd_table_any(t, chance, verifier));
		assert_true(scheme_check(verifier, &(struct err){ 0 }) == SCHEME_GOOD);
		seen |= strncmp(verifier, "{SHA}", 5) == 0 ? 1 : strncmp(verifier, "{PLAIN}", 7) == 0 ? 2 : 4;
	}
	assert_int_equal(seen, 7);
	passwd_table_free(&t);
	t = table("a:!\nb:\n", NULL);
	assert_false(passwd_table_any(t, 1, verifier));
	passwd_table_free(&t);
}

static size_t read_log(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(text, 1, size - 1, f);
	text[len] = '\0';
	(void)fclose(f);
	return len;
}

static void the_log_says_what_is_wrong_and_no_secret(void **state)
{
	char path[] = "/tmp/postrider-log.XXXXXX", text[8192];
	int fd = mkstemp(path);
	struct passwd_table *t;
	struct err e;
	size_t lines = 0;

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0 && log_start(LOG_INFO, LOG_TEXT, path, &e));
	t = table(users, NULL);
	passwd_table_free(&t);
	(void)read_log(path, text, sizeof text);
	assert_non_null(strstr(text, "users=/users line=6 user=\"bob@x.example\": this user has a line above already, which counts"));
	assert_non_null(strstr(text, "users=/users line=10 user=\"odd\": the scheme {FOO} is not known"));
	assert_non_null(strstr(text, "line=11 user=\"dear\": one check of what is behind {CRYPT} would cost too much: 999999999 rounds, and at most 1000000 are done"));
	assert_non_null(strstr(text, "line=20 user=\"no/name\": this is no user's name"));
	assert_null(strstr(text, "geheim"));
	assert_null(strstr(text, "user=\"locked\""));	/* meant so */
	assert_int_equal(truncate(path, 0), 0);
	t = table("anna:{SHA512-CRYPT}$6$abc$\nde/geheim\n", NULL);	/* an editor broke the line */
	passwd_table_free(&t);
	(void)read_log(path, text, sizeof text);
	assert_non_null(strstr(text, "line=2 user=\"\": this is no user's name"));
	assert_null(strstr(text, "geheim"));
	assert_int_equal(truncate(path, 0), 0);
	t = table("a:{FOO}x\nb:{FOO}x\nc:{FOO}x\nd:{FOO}x\ne:{FOO}x\nf:{FOO}x\ng:{FOO}x\nh:{FOO}x\ni:{FOO}x\nj:{FOO}x\nk:{FOO}x\nl:{FOO}x\n", NULL);
	passwd_table_free(&t);
	(void)read_log(path, text, sizeof text);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, TABLE_TOLD + 1);
	assert_non_null(strstr(text, "users=/users: 2 more lines are not as they should be"));
	assert_true(log_start(LOG_ERROR, LOG_TEXT, "stderr", &e));
	assert_int_equal(unlink(path), 0);
}

static void many_users_are_fine(void **state)
{
	enum { MANY = 100000 };
	struct buf b;
	struct passwd_table *t;
	struct account_login l;
	struct err e;
	char name[40];

	(void)state;
	buf_start(&b, 1 << 24);
	for (unsigned n = 0; n < MANY; n++)
		assert_true(buf_printf(&b, "user%u@x%u.example:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=:1:1::/h/u%u::\n", n, n % 7, n));
	t = passwd_table_new(&b, "/users", NULL, &e);
	assert_true(t && passwd_table_count(t) == MANY);
	for (unsigned n = 0; n < MANY; n += 37) {
		(void)snprintf(name, sizeof name, "user%u@x%u.example", n, n % 7);
		blank(&l, name);
		assert_true(passwd_table_find(t, name, NULL, &l) && l.there);
		(void)snprintf(name, sizeof name, "user%u@x%u.example", n, (n + 1) % 7);
		assert_false(passwd_table_knows(t, name));
	}
	passwd_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_found),
		cmocka_unit_test(without_a_main_domain_names_stay_bare),
		cmocka_unit_test(what_can_work_is_told),
		cmocka_unit_test(made_up_keys_look_like_the_others),
		cmocka_unit_test(the_log_says_what_is_wrong_and_no_secret),
		cmocka_unit_test(many_users_are_fine),
	};
	struct err e;

	return log_start(LOG_ERROR, LOG_TEXT, "stderr", &e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
