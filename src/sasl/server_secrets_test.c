/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's secrets: looked for in all of the process's memory when they ought to be gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "sasl/fixture.h"

/* AddressSanitizer may overwrite what is given back, and so hide what we did not. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_free_fill_size=0";
}

/* How often `needle`, xored, lies in our writable memory; not counting the place we look through. */
static unsigned found(const char *needle, size_t len)
{
	static char window[1 << 16], line[512], text[64];
	FILE *maps = fopen("/proc/self/maps", "r");
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned count = 0;

	assert_non_null(maps);
	assert_true(fd >= 0 && len < sizeof text);
	while (fgets(line, sizeof line, maps)) {
		char *rest;
		unsigned long from = strtoul(line, &rest, 16), to = strtoul(rest + 1, &rest, 16);

		if (strncmp(rest, " rw", 3) != 0 || to - from > 1ul << 30)
			continue;
		for (unsigned long at = from; at < to; at += sizeof window - sizeof text) {
			ssize_t got = pread(fd, window, sizeof window, (off_t)at);
			const char *p = window, *end = window + (got > 0 ? got : 0);

			for (size_t i = 0; i < len; i++)
				text[i] = (char)(needle[i] ^ 0x55);
			while ((p = memmem(p, (size_t)(end - p), text, len))) {
				uintptr_t real = at + (uintptr_t)(p - window);

				count += !(real >= (uintptr_t)window && real < (uintptr_t)(window + sizeof window)) &&
					 !(real >= (uintptr_t)text && real < (uintptr_t)(text + sizeof text));
				p++;
			}
			memset(window, 0, sizeof window);
			if (at + sizeof window >= to)
				break;
		}
	}
	wipe(text, sizeof text);
	(void)fclose(maps);
	(void)close(fd);
	return count;
}

/* "a password in memory", xored with 0x55: the text itself is nowhere in the program.  It is
 * used twice in a row, since an allocator writes over the beginning of what it takes back. */
static const char hidden[] = "4u%4&&\042:'1u<;u808:',";

static void secret_find(void *user, struct span name, struct sasl_keys *keys)
{
	(void)user;
	(void)name;
	for (size_t i = 0; i < SASL_KEY_MAX; i++)
		keys->sha256.stored[i] = keys->sha256.server[i] = (uint8_t)(hidden[i % (sizeof hidden - 1)] ^ 0x55);
	keys->sha256.iterations = FIXTURE_ITERATIONS;
	keys->sha256.salt_len = SASL_SALT;
	keys->secret_len = 2 * (sizeof hidden - 1);
	for (size_t i = 0; i < keys->secret_len; i++)
		keys->secret[i] = hidden[i % (sizeof hidden - 1)] ^ 0x55;
}

/* Name and password in one response, put together in memory that is wiped. */
static void nothing_stays(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5 };
	struct sasl_server_with with = { .host = "mail.example.org" };

	(void)state;
	with.find = secret_find;
	for (size_t i = 0; i < COUNT(mechs); i++) {
		struct err e = { 0 };
		struct sasl_server *s = sasl_server_new(mechs[i], &with, &e);
		struct sasl_proof proof;
		struct buf challenge;
		char said[64] = "\0a";
		struct span name = SPAN("a"), r = { said, 3 + 2 * (sizeof hidden - 1) };

		buf_start(&challenge, SASL_CHALLENGE_MAX);
		for (size_t k = 0; k < 2 * (sizeof hidden - 1); k++)
			said[3 + k] = hidden[k % (sizeof hidden - 1)] ^ 0x55;
		if (mechs[i] == SASL_LOGIN) {
			r = span_from(r, 3);
			assert_int_equal(sasl_server_step(s, &name, &challenge, &proof, &e), SASL_SAYS_MORE);
		}
		if (mechs[i] == SASL_CRAM_MD5) {
			r = SPAN("a 00112233445566778899aabbccddeeff");
			assert_int_equal(sasl_server_step(s, NULL, &challenge, &proof, &e), SASL_SAYS_MORE);
		}
		assert_int_equal(sasl_server_step(s, &r, &challenge, &proof, &e), mechs[i] == SASL_CRAM_MD5 ? SASL_SAYS_REFUSED : SASL_SAYS_PASSWORD);
		wipe(said, sizeof said);
		assert_int_equal(found(hidden, sizeof hidden - 1), mechs[i] == SASL_CRAM_MD5 ? 0 : 2);	/* the search finds what is there */
		sasl_server_free(&s);
		assert_int_equal(found(hidden, sizeof hidden - 1), 0);
		buf_end(&challenge);
	}
}

/* As a client's key: its hash is StoredKey. */
static void client_key(uint8_t key[SASL_KEY_MAX])
{
	for (size_t i = 0; i < SASL_KEY_MAX; i++)
		key[i] = (uint8_t)(hidden[i % (sizeof hidden - 1)] ^ 0x55);
}

static void hashed_find(void *user, struct span name, struct sasl_keys *keys)
{
	uint8_t key[SASL_KEY_MAX];

	secret_find(user, name, keys);	/* ServerKey is what is looked for too */
	client_key(key);
	assert_int_equal(EVP_Digest(key, sizeof key, keys->sha256.stored, NULL, EVP_sha256(), NULL), 1);
	wipe(key, sizeof key);
}

/* The last message of a client that has nothing but its key; nothing of that is left in `out`. */
static size_t last_message(struct span challenge, char out[FIXTURE_TEXT])
{
	char message[FIXTURE_TEXT], text[64];
	struct sasl_keys keys = { 0 };
	uint8_t proof[SASL_KEY_MAX], key[SASL_KEY_MAX];
	size_t nonce = span_find(challenge, ',') - 2;
	int n = snprintf(out, FIXTURE_TEXT, "c=biws,r=%.*s", (int)nonce, challenge.at + 2);
	struct buf b;
	unsigned len;

	hashed_find(NULL, SPAN("a"), &keys);
	assert_in_range(snprintf(message, sizeof message, "n=a,r=abcdef,%.*s,%s", (int)challenge.len, challenge.at, out), 1, sizeof message - 1);
	assert_non_null(HMAC(EVP_sha256(), keys.sha256.stored, SASL_KEY_MAX, (const unsigned char *)message, strlen(message), proof, &len));
	client_key(key);
	for (size_t i = 0; i < SASL_KEY_MAX; i++)
		proof[i] ^= key[i];
	buf_lend(&b, text, sizeof text);
	assert_true(base64_encode((struct span){ (char *)proof, sizeof proof }, &b) && buf_terminate(&b));
	wipe(&keys, sizeof keys);
	wipe(key, sizeof key);
	return (size_t)n + (size_t)snprintf(out + n, (size_t)(FIXTURE_TEXT - n), ",p=%s", text);
}

/* SCRAM: the keys that were found, StoredKey too, and what the proof makes of it, the client's own. */
static void no_key_stays(void **state)
{
	struct sasl_server_with with = { .host = "mail.example.org" };

	(void)state;
	for (unsigned hashed = 0; hashed < 2; hashed++) {
		struct err e = { 0 };
		struct sasl_server *s;
		struct sasl_proof proof;
		struct buf challenge;
		char text[FIXTURE_TEXT];
		struct span r = SPAN("n,,n=a,r=abcdef");

		with.find = hashed ? hashed_find : secret_find;
		s = sasl_server_new(SASL_SCRAM_SHA_256, &with, &e);
		buf_start(&challenge, SASL_CHALLENGE_MAX);
		assert_int_equal(sasl_server_step(s, &r, &challenge, &proof, &e), SASL_SAYS_MORE);
		assert_int_equal(found(hidden, sizeof hidden - 1), hashed ? 1 : 2);	/* the search finds what is there */
		r = (struct span){ text, last_message(buf_span(&challenge), text) };
		assert_int_equal(sasl_server_step(s, &r, &challenge, &proof, &e), hashed ? SASL_SAYS_MORE : SASL_SAYS_REFUSED);
		assert_int_equal(found(hidden, sizeof hidden - 1), 0);
		sasl_server_free(&s);
		assert_int_equal(found(hidden, sizeof hidden - 1), 0);
		buf_end(&challenge);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_stays),
		cmocka_unit_test(no_key_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
