/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

#include <openssl/pem.h>

#include "net/test_pki.h"
#include "store/trust.h"

static void offers_and_their_certificates(void **state)
{
	struct world *w = world(NULL);
	struct pki p;
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	size_t len;

	(void)state;
	pki_make(&p, &(struct pki_wish){ .name = "pop.example.org" });
	assert_int_equal(PEM_write_bio_X509(b, p.cert), 1);
	len = (size_t)BIO_get_mem_data(b, &at);
	trust_note(w->store, "pop.example.org", 995, (struct span){ at, len }, "self-signed\033[2J");
	trust_note(w->store, "2001:db8::1", 993, SPAN("no certificate"), "broken");
	(void)fixture_drain(w->store);
	asks(w, "trust.list", NULL, "{\"rows\":[{\"host\":\"2001:db8::1\",\"port\":993,\"state\":\"offered\",\"first_seen\":\"*Z\",\"last_seen\":\"*Z\","
		"\"times\":1,\"reason\":\"broken\"},{\"host\":\"pop.example.org\",*\"reason\":\"self-signed?[2J\",\"subject\":\"CN=*\",\"issuer\":\"CN=*\","
		"\"key_sha256\":\"*\"}]}");
	asks(w, "trust.list", "{\"limit\":1}", "{\"rows\":[{*}],\"next\":\"[2001:db8::1]:993\"}");
	asks(w, "trust.list", "{\"after\":\"[2001:db8::1]:993\"}", "{\"rows\":[{\"host\":\"pop.example.org\",*}]}");
	asks(w, "trust.show", "{\"host\":\"pop.example.org\"}", "{\"rows\":[{*\"certificates\":[{\"subject\":\"CN=*\"not_before\":\"*Z\",*\"early\":false,*"
		"\"key_sha256\":\"*\"}]}]}");
	asks(w, "trust.show", "{\"host\":\"pop.example.org\",\"port\":995,\"pem\":true}", "*\"pem\":\"-----BEGIN CERTIFICATE-----*");
	asks(w, "trust.show", "{\"host\":\"pop.example.org\",\"port\":110}", "{\"rows\":[]}");
	asks(w, "trust.show", "{\"host\":\"2001:db8::1\"}", "{\"rows\":[{*\"certificates\":[]}]}");
	asks(w, "trust.show", "{}", "config: trust.show: host is missing");
	asks(w, "trust.show", "{\"host\":\"a\",\"port\":65536}", "config: trust.show: port is more than 65535");
	(void)BIO_free(b);
	pki_free(&p);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(offers_and_their_certificates) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
