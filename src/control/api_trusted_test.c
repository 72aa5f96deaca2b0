/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/certificate.h"
#include "net/test_pki.h"
#include "store/trusted.h"

static struct pki root, leaf;
static char *pem, *root_pem;		/* leaf and root; root alone */
static char leaf_sha[CERTIFICATE_DIGEST_TEXT], root_sha[CERTIFICATE_DIGEST_TEXT];
static unsigned changes;

static void trust_changed(void *user)
{
	(void)user;
	changes++;
}

static char *text_of(const struct pki *a, const struct pki *b)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *at, *text;
	long len;

	assert_int_equal(PEM_write_bio_X509(out, a->cert), 1);
	assert_true(!b || PEM_write_bio_X509(out, b->cert) == 1);
	len = BIO_get_mem_data(out, &at);
	text = strndup(at, (size_t)len);
	(void)BIO_free(out);
	return text;
}

/* Asks with arguments made by json_pack, and compares as `asks` does. */
static void asks_with(struct world *w, const char *op, json_t *args, const char *want)
{
	char *text = json_dumps(args, JSON_COMPACT);

	asks(w, op, text, want);
	free(text);
	json_decref(args);
}

static void accepts(struct world *w, const char *sha256, bool authority, bool beside, const char *want)
{
	asks_with(w, "trust.accept", json_pack("{s:s, s:i, s:s, s:b, s:b}", "host", "pop.example.org", "port", 995, "sha256", sha256, "authority", authority,
		"beside", beside), want);
}

static void offers(struct world *w)
{
	asks_with(w, "trust.offer", json_pack("{s:s, s:i, s:s, s:s}", "host", "pop.example.org", "port", 995, "chain", pem, "reason", "unknown"), "{}");
	(void)fixture_drain(w->store);
}

static void what_was_offered_is_accepted(void **state)
{
	struct world *w = world(&(struct api_hooks){ .trust_changed = trust_changed });

	(void)state;
	changes = 0;
	accepts(w, leaf_sha, false, false, "config: nothing that pop.example.org:995 offered was refused");
	offers(w);
	asks(w, "trust.list", NULL, "{\"rows\":[{\"host\":\"pop.example.org\",*\"state\":\"offered\",*");
	accepts(w, "00", false, false, "config: what pop.example.org:995 offered has no certificate with this SHA-256*");
	accepts(w, leaf_sha, true, false, "config: \"CN=leaf\" is no authority*");
	assert_int_equal(changes, 0);
	accepts(w, leaf_sha, false, false, "{\"subject\":\"CN=leaf\",\"sha256\":\"*\",\"key_sha256\":\"*\"}");
	assert_int_equal(changes, 1);
	asks(w, "trust.list", NULL, "{\"rows\":[]}");
	asks(w, "trust.trusted", NULL, "{\"rows\":[{\"state\":\"accepted\",\"kind\":\"key\",\"name\":\"pop.example.org:995\",\"since\":\"*Z\",\"sha256\":\"*\","
		"\"host\":\"pop.example.org\",\"port\":995,\"certificate\":{\"subject\":\"CN=leaf\",*}}]}");
	accepts(w, leaf_sha, false, false, "config: nothing that pop.example.org:995 offered was refused");
	offers(w);
	accepts(w, root_sha, true, true, "{\"subject\":\"CN=Root\",*}");
	asks(w, "trust.trusted", "{\"limit\":1}", "{\"rows\":[{*}],\"next\":\"*\"}");
	asks(w, "trust.trusted", "{\"pem\":true}", "{\"rows\":[{*\"pem\":\"-----BEGIN*},{*\"pem\":\"-----BEGIN*}]}");
	asks(w, "trust.revoke", "{\"host\":\"pop.example.org\",\"port\":110}", "{\"count\":0}");
	assert_int_equal(changes, 2);
	asks(w, "trust.revoke", "{\"host\":\"pop.example.org\"}", "{\"count\":2}");
	assert_int_equal(changes, 3);
	asks(w, "trust.trusted", NULL, "{\"rows\":[]}");
	world_end(w);
}

static void authorities_are_imported(void **state)
{
	struct world *w = world(NULL);	/* no instance: nobody is told */

	(void)state;
	asks_with(w, "trust.import", json_pack("{s:s, s:s}", "name", "ours", "pem", root_pem), "{\"subject\":\"CN=Root\",\"sha256\":\"*\"}");
	asks_with(w, "trust.import", json_pack("{s:s, s:s}", "name", "ours", "pem", pem), "config: one certificate at a time");
	asks_with(w, "trust.import", json_pack("{s:s, s:s}", "name", "a b", "pem", root_pem), "config: a name has*");
	asks(w, "trust.import", "{\"name\":\"ours\",\"pem\":\"none\"}", "peer: *");
	asks(w, "trust.trusted", NULL, "{\"rows\":[{\"state\":\"imported\",\"kind\":\"imported\",\"name\":\"ours\",*}]}");
	asks(w, "trust.forget", "{\"name\":\"our\"}", "{\"count\":0}");
	asks(w, "trust.forget", "{\"name\":\"ours\"}", "{\"count\":1}");
	asks_with(w, "trust.import", json_pack("{s:s, s:s}", "name", "ours", "pem", root_pem), "*");
	asks_with(w, "trust.forget", json_pack("{s:s}", "sha256", root_sha), "{\"count\":1}");
	asks(w, "trust.forget", "{}", "config: trust.forget takes either name or sha256");
	asks(w, "trust.forget", "{\"name\":\"a\",\"sha256\":\"b\"}", "config: trust.forget takes either name or sha256");
	world_end(w);
}

static void a_leaf_is_not_imported(void **state)
{
	struct world *w = world(NULL);
	char *text = text_of(&leaf, NULL);

	(void)state;
	asks_with(w, "trust.import", json_pack("{s:s, s:s}", "name", "ours", "pem", text), "config: \"CN=leaf\" is no authority*");
	free(text);
	world_end(w);
}

static void wrong_shapes(void **state)
{
	static const struct row rows[] = {
		{ "trust.accept", "{\"host\":\"a\",\"port\":1}", "config: trust.accept: sha256 is missing" },
		{ "trust.accept", "{\"host\":\"a\",\"sha256\":\"00\"}", "config: trust.accept: port is missing" },
		{ "trust.accept", "{\"host\":\"a\",\"port\":70000,\"sha256\":\"00\"}", "config: trust.accept: port is more than 65535" },
		{ "trust.revoke", "{}", "config: trust.revoke: host is missing" },
		{ "trust.import", "{\"name\":\"a\"}", "config: trust.import: pem is missing" },
		{ "trust.import", "{\"pem\":\"a\"}", "config: trust.import: name is missing" },
		{ "trust.offer", "{\"host\":\"a\",\"port\":1,\"chain\":\"x\"}", "config: trust.offer: reason is missing" },
		{ "trust.trusted", "{\"pem\":1}", "config: trust.trusted: pem *" },
	};
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static int set_up(void **state)
{
	struct certificates all;
	struct arena a = { 0 };
	struct err e;

	(void)state;
	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&leaf, &(struct pki_wish){ .name = "leaf", .issuer = &root });
	pem = text_of(&leaf, &root);
	root_pem = text_of(&root, NULL);
	assert_true(certificates_read(&a, span_of(pem), &all, &e) && all.count == 2);
	(void)snprintf(leaf_sha, sizeof leaf_sha, "%s", all.list[0].sha256);
	(void)snprintf(root_sha, sizeof root_sha, "%s", all.list[1].sha256);
	arena_end(&a);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(pem);
	free(root_pem);
	pki_free(&root);
	pki_free(&leaf);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_offered_is_accepted),
		cmocka_unit_test(authorities_are_imported),
		cmocka_unit_test(a_leaf_is_not_imported),
		cmocka_unit_test(wrong_shapes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
