/* SPDX-License-Identifier: Apache-2.0
 *
 * The SASL server against any client: one octet of settings, then its responses, each
 * behind two octets of length.  In a response "%N" stands for the nonce that the server
 * gave, "%P" for the proof, and "%D" for the digest that are right for what stands before it.
 *
 * Whatever it says: nothing is our own fault, challenges and names keep what
 * server.h promises, and who is let in has proved it by a calculation of this file's own. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "sasl/fixture.h"

enum { BINDINGS = 8, NO_INITIAL = 16, ROUNDS = 4 };

static const enum sasl_mech mechs[8] = {
	SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_1, SASL_SCRAM_SHA_1_PLUS, SASL_CRAM_MD5, SASL_PLAIN, SASL_LOGIN, SASL_EXTERNAL,
};
static const char exporter[] = "exporter", unique[] = "unique";
static struct sasl_keys keys;		/* the same for everybody: "s3cret" */
static struct fixture_scram sha256, sha1;

struct run {
	enum sasl_mech mech;
	unsigned settings, rounds;
	struct sasl_server *s;
	struct buf challenge;
	struct buf said[ROUNDS], asked[ROUNDS];	/* from 0: the challenge that answers said[0] is asked[0] */
	struct sasl_proof proof;
};

static void find(void *user, struct span name, struct sasl_keys *out)
{
	(void)user;
	assert(name.len && !span_has_control(name));
	*out = keys;
}

static void prepare(void)
{
	struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
	struct span salt = { (const char *)fixture_salt, SASL_SALT };

	if (keys.secret_len)
		return;
	fixture_find(&anna, SPAN("anna"), &keys);
	assert(fixture_derive(EVP_sha256(), anna.password, salt, FIXTURE_ITERATIONS, &sha256));
	assert(fixture_derive(EVP_sha1(), anna.password, salt, FIXTURE_ITERATIONS, &sha1));
}

static bool is_scram(enum sasl_mech m)
{
	return m != SASL_CRAM_MD5 && m != SASL_PLAIN && m != SASL_LOGIN && m != SASL_EXTERNAL;
}

static void must(bool good)
{
	assert(good);
}

/* The last SCRAM message's round: the one before it was answered by r=. */
static unsigned first_round(const struct run *r)
{
	for (unsigned i = 0; i < r->rounds; i++)
		if (span_starts(buf_span(&r->asked[i]), SPAN("r=")))
			return i;
	return ROUNDS;
}

/* The right proof for a last message that begins so. */
static bool right_proof(const struct run *r, struct span without, char proof[64], char verifier[64])
{
	bool is_sha1 = r->mech == SASL_SCRAM_SHA_1 || r->mech == SASL_SCRAM_SHA_1_PLUS;
	unsigned round = first_round(r);
	struct span bare;
	struct buf message;
	bool good;

	if (round == ROUNDS)
		return false;
	bare = buf_span(&r->said[round]);
	bare = span_from(bare, span_find(bare, ',') + 1);
	bare = span_from(bare, span_find(bare, ',') + 1);
	buf_start(&message, 1 << 20);
	must(buf_add(&message, bare) && buf_add_byte(&message, ',') && buf_add(&message, buf_span(&r->asked[round])) &&
	     buf_add_byte(&message, ',') && buf_add(&message, without) && buf_terminate(&message));
	good = fixture_prove(is_sha1 ? EVP_sha1() : EVP_sha256(), is_sha1 ? &sha1 : &sha256, message.at, proof, verifier);
	buf_end(&message);
	return good;
}

static void right_digest(const struct run *r, char hex[33])
{
	unsigned char md5[16];
	unsigned len;
	struct span stamp = r->rounds ? buf_span(&r->asked[0]) : (struct span){ "", 0 };

	must(HMAC(EVP_md5(), "s3cret", 6, (const unsigned char *)stamp.at, stamp.len, md5, &len));
	for (size_t i = 0; i < sizeof md5; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", md5[i]);
}

/* A response as the input has it, with what stands for something filled in. */
static void fill(const struct run *r, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		struct span rest = span_from(in, i);
		char text[64] = "", other[64];
		unsigned round = first_round(r);

		if (span_starts(rest, SPAN("%N")) && round < ROUNDS) {
			struct span nonce = span_from(buf_span(&r->asked[round]), 2);

			must(buf_add(out, (struct span){ nonce.at, span_find(nonce, ',') }));
		} else if (span_starts(rest, SPAN("%P")) && out->len >= 3 && right_proof(r, (struct span){ out->at, out->len - 3 }, text, other)) {
			must(buf_add(out, span_of(text)));
		} else if (span_starts(rest, SPAN("%D")) && r->rounds) {
			right_digest(r, text);
			must(buf_add(out, span_of(text)));
		} else {
			must(buf_add_byte(out, in.at[i]));
			continue;
		}
		i++;
	}
}

/* The last message must end in the proof that is right for it, and bind to what the first one said. */
static void check_scram(const struct run *r)
{
	unsigned round = first_round(r);
	struct span last, first = buf_span(&r->said[round]), header;
	char proof[64], verifier[64], want[80];
	struct buf channel, coded;
	size_t at;

	assert(r->rounds == round + 3 && !r->said[round + 2].len);
	last = buf_span(&r->said[round + 1]);
	at = last.len - strlen(r->mech == SASL_SCRAM_SHA_1 || r->mech == SASL_SCRAM_SHA_1_PLUS ? ",p=1234567890123456789012345678" :
			       ",p=12345678901234567890123456789012345678901234");
	assert(at < last.len && right_proof(r, (struct span){ last.at, at }, proof, verifier));
	assert(span_equal(span_from(last, at + 3), span_of(proof)));
	(void)snprintf(want, sizeof want, "v=%s", verifier);
	assert(span_equal(buf_span(&r->asked[round + 1]), span_of(want)));
	at = span_find(first, ',') + 1;
	header = (struct span){ first.at, at + span_find(span_from(first, at), ',') + 1 };
	assert(sasl_mech_plus(r->mech) ? first.at[0] == 'p' : first.at[0] == 'n' || (first.at[0] == 'y' && !(r->settings & BINDINGS)));
	buf_start(&channel, 1 << 16);
	buf_start(&coded, 1 << 16);
	must(buf_add(&channel, header));
	if (first.at[0] == 'p')
		must(buf_add(&channel, span_starts(first, SPAN("p=tls-exporter,")) ? SPAN("exporter") : SPAN("unique")));
	must(buf_add(&coded, SPAN("c=")) && base64_encode(buf_span(&channel), &coded) && buf_add(&coded, SPAN(",r=")));
	assert(span_starts(last, buf_span(&coded)));
	last = span_from(last, coded.len);
	header = span_from(buf_span(&r->asked[round]), 2);
	assert(span_starts(last, (struct span){ header.at, span_find(header, ',') + 1 }));
	buf_end(&channel);
	buf_end(&coded);
}

static void check_plain(const struct run *r)
{
	struct span in = buf_span(&r->said[r->rounds - 1]);
	size_t nuls = 0;

	for (size_t i = 0; i < in.len; i++)
		nuls += !in.at[i];
	assert(nuls == 2 && r->proof.authzid.len + r->proof.name.len + r->proof.password.len + 2 == in.len);
	assert(span_starts(in, r->proof.authzid) && span_equal(span_from(in, in.len - r->proof.password.len), r->proof.password));
	assert(span_starts(span_from(in, r->proof.authzid.len + 1), r->proof.name));
}

static void check_end(const struct run *r, enum sasl_said said)
{
	char hex[33];

	switch (said) {
	case SASL_SAYS_PASSWORD:
		assert((r->mech == SASL_PLAIN || r->mech == SASL_LOGIN) && r->proof.name.len);
		assert(span_find(r->proof.password, '\0') == r->proof.password.len);
		if (r->mech == SASL_PLAIN)
			check_plain(r);
		break;
	case SASL_SAYS_NAMED:
		assert(r->mech == SASL_EXTERNAL && span_equal(r->proof.authzid, buf_span(&r->said[r->rounds - 1])));
		break;
	case SASL_SAYS_PROVED:
		assert(r->proof.name.len && !r->proof.password.len);
		if (is_scram(r->mech)) {
			check_scram(r);
			break;
		}
		right_digest(r, hex);
		assert(r->mech == SASL_CRAM_MD5 && r->rounds == 2);
		assert(span_equal_nocase(span_from(buf_span(&r->said[1]), r->proof.name.len + 1), span_of(hex)));
		break;
	case SASL_SAYS_TOKEN:
		assert((r->mech == SASL_OAUTHBEARER || r->mech == SASL_XOAUTH2) && r->proof.password.len && !r->proof.authzid.len);
		assert(r->mech == SASL_OAUTHBEARER || r->proof.name.len);
		break;
	case SASL_SAYS_MORE: case SASL_SAYS_REFUSED:
		break;
	}
}

/* One round; the response in heap memory that ends with it. */
static enum sasl_said round_of(struct run *r, bool given, struct span in)
{
	struct err e = { 0 };
	enum sasl_said said;
	struct buf *full = &r->said[r->rounds];
	struct span response;
	char *copy;

	fill(r, in, full);
	copy = malloc(full->len + !full->len);
	assert(copy);
	if (full->len)
		memcpy(copy, full->at, full->len);
	response = (struct span){ copy, full->len };
	said = sasl_server_step(r->s, given ? &response : NULL, &r->asked[r->rounds], &r->proof, &e);
	free(copy);
	r->rounds++;
	assert((said == SASL_SAYS_REFUSED) == (e.kind != ERR_NONE));
	assert(e.kind == ERR_NONE || e.kind == ERR_PEER || e.kind == ERR_AUTH);
	assert(r->asked[r->rounds - 1].len <= SASL_CHALLENGE_MAX && (said == SASL_SAYS_MORE || !r->asked[r->rounds - 1].len));
	assert(r->proof.name.len <= SASL_NAME_MAX && r->proof.authzid.len <= SASL_NAME_MAX);
	assert(!span_has_control(r->proof.name) && !span_has_control(r->proof.authzid));
	check_end(r, said);
	return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct sasl_server_with with = { .host = "h", .find = find };
	enum sasl_said said = SASL_SAYS_MORE;
	struct run r = { 0 };
	struct err e;

	if (!size || size > 40000)
		return 0;
	prepare();
	r.settings = data[0];
	r.mech = mechs[r.settings % COUNT(mechs)];
	if (sasl_mech_plus(r.mech) || r.settings & BINDINGS) {
		with.tls_exporter = span_of(exporter);
		with.tls_unique = span_of(unique);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		buf_start(&r.said[i], 1 << 20);
		buf_start(&r.asked[i], 1 << 16);
	}
	r.s = sasl_server_new(r.mech, &with, &e);
	assert(r.s);
	in = span_from(in, 1);
	if (r.settings & NO_INITIAL)
		said = round_of(&r, false, (struct span){ 0 });
	while (said == SASL_SAYS_MORE && r.rounds < ROUNDS && in.len >= 2) {
		size_t len = (size_t)(uint8_t)in.at[0] << 8 | (uint8_t)in.at[1];

		in = span_from(in, 2);
		len = len < in.len ? len : in.len;
		said = round_of(&r, true, (struct span){ in.at, len });
		in = span_from(in, len);
	}
	sasl_server_free(&r.s);
	for (unsigned i = 0; i < ROUNDS; i++) {
		buf_end(&r.said[i]);
		buf_end(&r.asked[i]);
	}
	return 0;
}
