/* SPDX-License-Identifier: Apache-2.0
 *
 * SCRAM's server against a client that says what it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "sasl/fixture.h"

static const char exporter[32] = "0123456789abcdef0123456789abcde", unique[12] = "unique12345";

/* The RFCs' own exchanges, by the fixture's calculation that plays the client below. */
static void rfc_vectors(void **state)
{
	static const struct { bool sha1; const char *salt, *message, *proof, *verifier; } rows[] = {
		{ true, "QSXCR+Q6sek8bf92",		/* RFC 5802 section 5 */
		  "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
		  "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
		  "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
		{ false, "W22ZaJ0SNY7soEsUEjb6gQ==",	/* RFC 7677 section 3 */
		  "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		  "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const EVP_MD *hash = rows[i].sha1 ? EVP_sha1() : EVP_sha256();
		char salt[64], proof[64], verifier[64];
		struct fixture_scram k;
		struct buf b;

		buf_lend(&b, salt, sizeof salt);
		assert_true(base64_decode(span_of(rows[i].salt), &b));
		assert_true(fixture_derive(hash, SPAN("pencil"), buf_span(&b), 4096, &k));
		assert_true(fixture_prove(hash, &k, rows[i].message, proof, verifier));
		assert_string_equal(proof, rows[i].proof);
		assert_string_equal(verifier, rows[i].verifier);
	}
}

static void known(void *user, struct span name, struct sasl_keys *keys)
{
	(void)name;
	*keys = *(const struct sasl_keys *)user;
}

/* The same exchanges once more, from end to end, as the server has its part in them. */
static void rfc_exchanges(void **state)
{
	static const struct { enum sasl_mech mech; const char *salt, *nonce, *said[2], *want[2]; } rows[] = {
		{ SASL_SCRAM_SHA_1, "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j",
		  { "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
		  { "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" } },
		{ SASL_SCRAM_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		  { "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
		  { "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool sha1 = rows[i].mech == SASL_SCRAM_SHA_1;
		struct sasl_keys keys = { 0 };
		struct sasl_scram_keys *k = sha1 ? &keys.sha1 : &keys.sha256;
		struct sasl_server_with with = { .host = "h", .nonce = span_of(rows[i].nonce), .find = known, .user = &keys };
		struct err e = { 0 };
		struct sasl_server *s = sasl_server_new(rows[i].mech, &with, &e);
		struct fixture_scram made;
		struct sasl_proof proof;
		struct span none = SPAN("");
		struct buf b;

		buf_lend(&b, (char *)k->salt, sizeof k->salt);
		assert_true(base64_decode(span_of(rows[i].salt), &b));
		assert_true(fixture_derive(sha1 ? EVP_sha1() : EVP_sha256(), SPAN("pencil"), buf_span(&b), 4096, &made));
		k->salt_len = b.len;
		k->iterations = 4096;
		memcpy(k->stored, made.stored, sizeof k->stored);
		memcpy(k->server, made.server, sizeof k->server);
		buf_start(&b, SASL_CHALLENGE_MAX);
		for (size_t n = 0; n < 2; n++) {
			struct span said = span_of(rows[i].said[n]);

			b.len = 0;
			assert_int_equal(sasl_server_step(s, &said, &b, &proof, &e), SASL_SAYS_MORE);
			assert_true(span_equal(buf_span(&b), span_of(rows[i].want[n])));
		}
		assert_int_equal(sasl_server_step(s, &none, &b, &proof, &e), SASL_SAYS_PROVED);
		assert_true(span_equal(proof.name, SPAN("user")));
		buf_end(&b);
		sasl_server_free(&s);
	}
}

/* What the client does, where it is not what an honest one does (NULL, 0). */
struct deed {
	const char *note;
	enum sasl_mech mech;
	const char *header;		/* "n,," */
	struct span bare;		/* n=anna,r=abcdef */
	const char *last;		/* behind the nonce in the last message; %p for the proof; ",p=%p" */
	const char *channel;		/* what c= codes; else header and binding */
	const char *nonce;		/* instead of ours */
	int spoil;			/* which octet of the proof is changed, from 1 */
	const char *end;		/* the last response, "" */
	unsigned without;		/* bindings that the server does not have: 1 exporter, 2 unique */
	unsigned step;			/* which step refuses, from 1 */
	enum err_kind kind;
	const char *name, *authzid;
};

struct story {
	struct sasl_server *s;
	struct sasl_proof proof;
	struct buf challenge;
	struct err e;
	unsigned steps;
	enum sasl_said said;
	char verifier[64];		/* what the server has to prove */
};

/* Each response in heap memory that ends with it. */
static enum sasl_said say(struct story *t, struct span in)
{
	char *copy = malloc(in.len + !in.len);
	struct span r = { copy, in.len };

	assert_non_null(copy);
	if (in.len)
		memcpy(copy, in.at, in.len);
	t->challenge.len = 0;
	t->said = sasl_server_step(t->s, &r, &t->challenge, &t->proof, &t->e);
	t->steps++;
	free(copy);
	return t->said;
}

static struct span channel_of(const struct deed *d, char *memory, size_t size)
{
	const char *header = d->header ? d->header : "n,,";
	struct buf b;

	buf_lend(&b, memory, size);
	if (d->channel)
		return span_of(d->channel);
	assert_true(buf_add(&b, span_of(header)));
	if (span_starts(span_of(header), SPAN("p=tls-exporter")))
		assert_true(buf_add(&b, (struct span){ exporter, sizeof exporter }));
	if (span_starts(span_of(header), SPAN("p=tls-unique")))
		assert_true(buf_add(&b, (struct span){ unique, sizeof unique }));
	return buf_span(&b);
}

/* From the server's first message to the client's last one. */
static size_t answer(struct story *t, const struct deed *d, struct span bare, char out[FIXTURE_TEXT])
{
	bool sha1 = d->mech == SASL_SCRAM_SHA_1 || d->mech == SASL_SCRAM_SHA_1_PLUS;
	const EVP_MD *hash = sha1 ? EVP_sha1() : EVP_sha256();
	struct span server = buf_span(&t->challenge), nonce = { server.at + 2, span_find(span_from(server, 2), ',') };
	char memory[256], coded[512], message[3 * FIXTURE_TEXT], proof[64], plain[FIXTURE_TEXT], *mark;
	const char *last = d->last ? d->last : ",p=%p";
	struct fixture_scram k;
	struct buf b;

	buf_lend(&b, coded, sizeof coded);
	assert_true(base64_encode(channel_of(d, memory, sizeof memory), &b) && buf_terminate(&b));
	if (d->nonce)
		nonce = span_of(d->nonce);
	(void)snprintf(plain, sizeof plain, "c=%s,r=%.*s%s", coded, (int)nonce.len, nonce.at, last);
	mark = strstr(plain, ",p=");
	(void)snprintf(message, sizeof message, "%.*s,%.*s,%.*s", (int)bare.len, bare.at, (int)server.len, server.at,
		       mark ? (int)(mark - plain) : (int)strlen(plain), plain);
	assert_true(fixture_derive(hash, SPAN("s3cret"), (struct span){ (const char *)fixture_salt, SASL_SALT }, FIXTURE_ITERATIONS, &k));
	assert_true(fixture_prove(hash, &k, message, proof, t->verifier));
	if (d->spoil)
		proof[d->spoil - 1] = proof[d->spoil - 1] == 'A' ? 'B' : 'A';
	mark = strstr(plain, "%p");
	if (!mark)
		return (size_t)snprintf(out, FIXTURE_TEXT, "%s", plain);
	return (size_t)snprintf(out, FIXTURE_TEXT, "%.*s%s%s", (int)(mark - plain), plain, proof, mark + 2);
}

static void begin(struct story *t, const struct deed *d, struct fixture_account *a)
{
	struct sasl_server_with with = { .host = "h", .find = fixture_find, .user = a };

	if (!(d->without & 1))
		with.tls_exporter = (struct span){ exporter, sizeof exporter };
	if (!(d->without & 2))
		with.tls_unique = (struct span){ unique, sizeof unique };
	*t = (struct story){ .s = sasl_server_new(d->mech, &with, &t->e) };
	assert_non_null(t->s);
	buf_start(&t->challenge, SASL_CHALLENGE_MAX);
}

static void end(struct story *t)
{
	sasl_server_free(&t->s);
	buf_end(&t->challenge);
}

static void tell(struct story *t, const struct deed *d)
{
	struct span bare = d->bare.len ? d->bare : SPAN("n=anna,r=abcdef");
	char text[FIXTURE_TEXT], want[80];
	struct buf b;

	buf_lend(&b, text, sizeof text);
	assert_true(buf_add(&b, span_of(d->header ? d->header : "n,,")) && buf_add(&b, bare));
	if (say(t, buf_span(&b)) != SASL_SAYS_MORE)
		return;
	assert_true(span_starts(buf_span(&t->challenge), SPAN("r=")));
	if (say(t, (struct span){ text, answer(t, d, bare, text) }) != SASL_SAYS_MORE)
		return;
	(void)snprintf(want, sizeof want, "v=%s", t->verifier);
	assert_true(span_equal(buf_span(&t->challenge), span_of(want)));
	(void)say(t, span_of(d->end ? d->end : ""));
}

#define EXP "p=tls-exporter,,"
#define UNI "p=tls-unique,,"
#define P256 SASL_SCRAM_SHA_256_PLUS
#define N256 SASL_SCRAM_SHA_256
#define P1 SASL_SCRAM_SHA_1_PLUS
#define N1 SASL_SCRAM_SHA_1

static const struct deed deeds[] = {
	{ "honest", N256, .step = 4 },
	{ "honest", N1, .step = 4 },
	{ "honest, exporter", P256, EXP, .step = 4 },
	{ "honest, unique", P256, UNI, .step = 4 },
	{ "honest, exporter", P1, EXP, .step = 4 },
	{ "honest, unique", P1, UNI, .step = 4 },
	{ "y where there is no -PLUS", N256, "y,,", .without = 3, .step = 4 },
	{ "y where there is no -PLUS", N1, "y,,", .without = 3, .step = 4 },
	{ "an authzid", N256, "n,a=boss,", .step = 4, .authzid = "boss" },
	{ "an authzid in -PLUS", P256, "p=tls-unique,a=a=2Cb,", .step = 4, .authzid = "a,b" },
	{ "extensions", N256, .bare = SPAN("n=anna,r=abcdef,x=1,y=2"), .last = ",z=3,p=%p", .step = 4 },
	{ "an extension that looks like a proof", N256, .last = ",z=p=x,p=%p", .step = 4 },
	{ "-PLUS was stripped", N256, "y,,", .step = 1, .kind = ERR_AUTH },
	{ "-PLUS was stripped", N1, "y,,", .step = 1, .kind = ERR_AUTH },
	{ "-PLUS was stripped, unique", N1, "y,,", .without = 1, .step = 1, .kind = ERR_AUTH },
	{ "n in -PLUS", P256, "n,,", .step = 1, .kind = ERR_PEER },
	{ "y in -PLUS", P1, "y,,", .step = 1, .kind = ERR_PEER },
	{ "a binding without -PLUS", N256, EXP, .step = 1, .kind = ERR_PEER },
	{ "a binding without -PLUS", N256, UNI, .without = 3, .step = 1, .kind = ERR_PEER },
	{ "a certificate's binding", P256, "p=tls-server-end-point,,", .step = 1, .kind = ERR_PEER },
	{ "in capitals", P256, "p=TLS-EXPORTER,,", .step = 1, .kind = ERR_PEER },
	{ "a longer name", P256, "p=tls-exporterr,,", .step = 1, .kind = ERR_PEER },
	{ "an empty name", P256, "p=,,", .step = 1, .kind = ERR_PEER },
	{ "no exporter", P256, EXP, .without = 1, .step = 1, .kind = ERR_PEER },
	{ "no unique", P256, UNI, .without = 2, .step = 1, .kind = ERR_PEER },
	{ "another flag in c=", N256, .channel = "y,,", .step = 2, .kind = ERR_AUTH },
	{ "a binding in c= of n", N256, .channel = "n,,x", .step = 2, .kind = ERR_AUTH },
	{ "another type in c=", P256, EXP, .channel = "p=tls-unique,,0123456789abcdef0123456789abcde", .step = 2, .kind = ERR_AUTH },
	{ "no binding in c=", P256, EXP, .channel = EXP, .step = 2, .kind = ERR_AUTH },
	{ "a shorter binding", P256, UNI, .channel = UNI "unique12345", .step = 2, .kind = ERR_AUTH },
	{ "another binding", P256, UNI, .channel = UNI "unique12346x", .step = 2, .kind = ERR_AUTH },
	{ "an authzid in c= alone", N256, .channel = "n,a=boss,", .step = 2, .kind = ERR_AUTH },
	{ "m= in front", N256, .bare = SPAN("m=x,n=anna,r=abcdef"), .step = 1, .kind = ERR_PEER },
	{ "m= behind", N256, .bare = SPAN("n=anna,r=abcdef,m=x"), .step = 1, .kind = ERR_PEER },
	{ "m= in the last", N256, .last = ",m=x,p=%p", .step = 2, .kind = ERR_PEER },
	{ "a name with =", N256, .bare = SPAN("n=an=na,r=abcdef"), .step = 1, .kind = ERR_PEER },
	{ "a name with a control", N256, .bare = SPAN("n=an\x01na,r=abcdef"), .step = 1, .kind = ERR_PEER },
	{ "a name in Latin-1", N256, .bare = SPAN("n=\xe9,r=abcdef"), .step = 1, .kind = ERR_PEER },
	{ "a name that vanishes", N256, .bare = SPAN("n=\xc2\xad,r=abcdef"), .step = 1, .kind = ERR_PEER },
	{ "an empty name", N256, .bare = SPAN("n=,r=abcdef"), .step = 1, .kind = ERR_PEER },
	{ "an empty nonce", N256, .bare = SPAN("n=anna,r="), .step = 1, .kind = ERR_PEER },
	{ "a NUL", N256, .bare = SPAN("n=anna,r=abc\0def"), .step = 1, .kind = ERR_PEER },
	{ "an authzid with a control", N256, "n,a=\x01,", .step = 1, .kind = ERR_PEER },
	{ "another nonce", N256, .nonce = "abcdefghijklmnopqrstuvwxyz", .step = 2, .kind = ERR_PEER },
	{ "only the client's nonce", N256, .nonce = "abcdef", .step = 2, .kind = ERR_PEER },
	{ "no proof", N256, .last = "", .step = 2, .kind = ERR_PEER },
	{ "an empty proof", N256, .last = ",p=", .step = 2, .kind = ERR_PEER },
	{ "a short proof", N256, .last = ",p=AAAA", .step = 2, .kind = ERR_PEER },
	{ "SHA-1's length", N256, .last = ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", .step = 2, .kind = ERR_PEER },
	{ "SHA-1's length", N1, .last = ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", .step = 2, .kind = ERR_AUTH },
	{ "no base64", N256, .last = ",p=%p!", .step = 2, .kind = ERR_PEER },
	{ "behind the proof", N256, .last = ",p=%p,x=1", .step = 2, .kind = ERR_PEER },
	{ "two proofs", N256, .last = ",p=AAAA,p=%p", .step = 2, .kind = ERR_PEER },
	{ "a wrong proof", N256, .spoil = 1, .step = 2, .kind = ERR_AUTH },
	{ "a wrong proof", N256, .spoil = 40, .step = 2, .kind = ERR_AUTH },
	{ "a wrong proof", N1, .spoil = 20, .step = 2, .kind = ERR_AUTH },
	{ "a wrong proof", P256, EXP, .spoil = 7, .step = 2, .kind = ERR_AUTH },
	{ "emoji", N256, .bare = SPAN("n=\xf0\x9f\x98\x80,r=abcdef"), .step = 2, .kind = ERR_AUTH, .name = "\xf0\x9f\x98\x80" },
	{ "nobody", N256, .bare = SPAN("n=nobody,r=abcdef"), .step = 2, .kind = ERR_AUTH, .name = "nobody" },
	{ "something at the end", N256, .end = "x", .step = 3, .kind = ERR_PEER },
};

static void what_clients_do(void **state)
{
	(void)state;
	for (const struct deed *d = deeds; d < deeds + COUNT(deeds); d++) {
		struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
		bool good = d->step == 4;
		struct story t;

		begin(&t, d, &anna);
		tell(&t, d);
		if (t.said != (good ? SASL_SAYS_PROVED : SASL_SAYS_REFUSED) || t.e.kind != d->kind || t.steps != (good ? 3 : d->step))
			fail_msg("%s (%s): step %u said %d: %s", d->note, sasl_mech_name(d->mech), t.steps, t.said, t.e.text);
		if (good || d->kind == ERR_AUTH)
			assert_true(span_equal(t.proof.name, span_of(d->name ? d->name : "anna")));
		if (good)
			assert_true(span_equal(t.proof.authzid, span_of(d->authzid ? d->authzid : "")));
		end(&t);
	}
}

/* What nobody has looks as what somebody has, and is the same at each try. */
static void first_answers(void **state)
{
	static const char *const names[] = { "n=anna,r=abcdef", "n=nobody,r=abcdef", "n=nobody,r=abcdef" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct deed d = { .mech = N256, .bare = span_of(names[i]) };
		struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
		char text[64];
		struct story t;
		size_t tail;

		begin(&t, &d, &anna);
		(void)snprintf(text, sizeof text, "n,,%s", names[i]);
		assert_int_equal(say(&t, span_of(text)), SASL_SAYS_MORE);
		tail = span_find(buf_span(&t.challenge), ',');
		assert_true(tail >= strlen("r=abcdef") + 16);
		assert_true(span_equal(span_from(buf_span(&t.challenge), tail), SPAN(",s=MDEyMzQ1Njc4OWFiY2RlAA==,i=64")));
		assert_int_equal(anna.asked, 1);
		end(&t);
	}
}

/* A long name, and the longest nonce. */
static void long_ones(void **state)
{
	(void)state;
	for (unsigned over = 0; over < 3; over++) {
		static char text[SASL_SERVER_RESPONSE_MAX];
		struct deed d = { .mech = N256 };
		struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
		size_t name = SASL_NAME_MAX + (over == 1), nonce = SASL_NONCE_MAX + (over == 2), n;
		struct story t;

		begin(&t, &d, &anna);
		n = (size_t)snprintf(text, sizeof text, "n,,n=%0*d,r=%0*d", (int)name, 0, (int)nonce, 0);
		assert_int_equal(say(&t, (struct span){ text, n }), over ? SASL_SAYS_REFUSED : SASL_SAYS_MORE);
		assert_int_equal(t.e.kind, over ? ERR_PEER : ERR_NONE);
		assert_int_equal(t.proof.name.len, over ? 0 : name);
		end(&t);
	}
}

/* A message that breaks off, or with one octet changed, is never taken for the whole. */
static void cut_and_changed(void **state)
{
	static const struct deed honest = { .mech = P256, .header = EXP };
	static const char first[] = "p=tls-exporter,,n=anna,r=abcdef";
	size_t len = 1;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		for (unsigned change = 0; change < 2; change++) {
			struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
			char text[FIXTURE_TEXT];
			struct story t;

			begin(&t, &honest, &anna);
			assert_int_equal(say(&t, span_of(first)), SASL_SAYS_MORE);
			len = answer(&t, &honest, SPAN("n=anna,r=abcdef"), text);
			text[cut] ^= (char)change;
			assert_int_equal(say(&t, (struct span){ text, change ? len : cut }), SASL_SAYS_REFUSED);
			assert_true(t.e.kind == ERR_PEER || t.e.kind == ERR_AUTH);
			end(&t);
		}
	}
	for (size_t cut = 0; cut < sizeof first - 1; cut++) {	/* the nonce alone may be shorter */
		struct fixture_account anna = { .name = "anna" };
		struct story t;

		begin(&t, &honest, &anna);
		assert_int_equal(say(&t, (struct span){ first, cut }), cut > sizeof first - 1 - 6 ? SASL_SAYS_MORE : SASL_SAYS_REFUSED);
		end(&t);
	}
}

/* Asked for with an empty challenge when the client did not begin by itself. */
static void without_an_initial_response(void **state)
{
	static const struct deed honest = { .mech = N256 };
	struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
	struct story t;

	(void)state;
	begin(&t, &honest, &anna);
	assert_int_equal(sasl_server_step(t.s, NULL, &t.challenge, &t.proof, &t.e), SASL_SAYS_MORE);
	assert_int_equal(t.challenge.len, 0);
	tell(&t, &honest);
	assert_int_equal(t.said, SASL_SAYS_PROVED);
	end(&t);
}

static double now_us(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* For people to read: the server's part of whole exchanges.  No key is derived in it: that alone takes a millisecond. */
static void cost(void **state)
{
	static const struct deed honest = { .mech = N256 };
	struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
	struct sasl_keys keys = { 0 };
	double sum = 0, least = 1e9;

	(void)state;
	fixture_find(&anna, SPAN("anna"), &keys);
	for (unsigned i = 0; i < 50; i++) {
		struct sasl_server_with with = { .host = "h", .find = known, .user = &keys };
		struct story t = { 0 };
		char text[FIXTURE_TEXT];
		struct span r = SPAN("n,,n=anna,r=abcdef"), none = { 0 };
		double from = now_us(), spent;

		t.s = sasl_server_new(N256, &with, &t.e);
		buf_start(&t.challenge, SASL_CHALLENGE_MAX);
		assert_int_equal(sasl_server_step(t.s, &r, &t.challenge, &t.proof, &t.e), SASL_SAYS_MORE);
		spent = now_us() - from;
		r = (struct span){ text, answer(&t, &honest, SPAN("n=anna,r=abcdef"), text) };
		t.challenge.len = 0;
		from = now_us();
		assert_int_equal(sasl_server_step(t.s, &r, &t.challenge, &t.proof, &t.e), SASL_SAYS_MORE);
		assert_int_equal(sasl_server_step(t.s, &none, &t.challenge, &t.proof, &t.e), SASL_SAYS_PROVED);
		sasl_server_free(&t.s);
		spent += now_us() - from;
		buf_end(&t.challenge);
		sum += spent;
		least = spent < least ? spent : least;
	}
	print_message("a SCRAM-SHA-256 exchange: %.1f us, at least %.1f\n", sum / 50, least);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_vectors),
		cmocka_unit_test(rfc_exchanges),
		cmocka_unit_test(what_clients_do),
		cmocka_unit_test(first_answers),
		cmocka_unit_test(long_ones),
		cmocka_unit_test(cut_and_changed),
		cmocka_unit_test(without_an_initial_response),
		cmocka_unit_test(cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
