/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/schemes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>

/* "geheim", as `doveadm pw` of Dovecot 2.3.19 writes it, and libxcrypt. */
static const char *const all[] = {
	"{PLAIN}geheim", "{CLEARTEXT}geheim", "{CLEAR}geheim", "{PLAIN.B64}Z2VoZWlt", "{PLAIN.HEX}67656865696d", "{plain.base64}Z2VoZWlt",
	"{CRYPT}$2y$05$q3sVvL0h8YgZqtD56zrAq.NoDJSeRDDrNsbh8TL0NNYy5FXllqcBO",
	"{DES-CRYPT}GAxAlN6XqutDo",
	"{MD5-CRYPT}$1$xWdtPHDw$mojklVYB2Usq9iAty8Hyn0",
	"{SHA256-CRYPT}$5$3rswlwm0t0eiOK8y$aUky3cBWfVGvUeh2wvnjqVNkldNmRPaWmuQJEsXQCq0",
	"{SHA512-CRYPT}$6$OtTtqcSsS6jf2xtS$1q016o8ptNMcUKZkAmoKpxN9HjKzKvupY5dxVyGaSPxItccj1AyCcIc1QJynWw4o4RlNJlgQEYPU0cWRzr6uD1",
	"{SHA512-CRYPT}$6$rounds=1000$Oa2C0Ddwp1spsRKo$EzzKmUuz7lk1BJSbmcW77jf4qpq6uHrfk1XPyxmmLNfzBgoc9Cr3rYB8ntntzOlKz3XxGm1JcTR.wy1svxLpk1",
	"{BLF-CRYPT}$2y$05$c/Aw2SyP3rT5B842vFbiXOVG08IcF1.2fceVx.x6e0VFJvxp4pysW",
	"{YESCRYPT}$y$j75$abcdefgh$BNDMLQXNfxYvp1kwneELSFVpSGYRoN6/y0Pa9exxy//",
	"{CRYPT}$y$j75$abcdefgh$BNDMLQXNfxYvp1kwneELSFVpSGYRoN6/y0Pa9exxy//",
	"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$f6peM9ReSyZBVUexSEGs5w$Q9ADByZndAGSuEc1znz91yqv81POrWICVcAjCr0/NXs",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$6dM2iB24PLAHOXn15Tk5xQ$6Belm9LZpBSyKe1by4Xblk86vCT3H/aqrN6OH6IilV4",
	"$argon2id$v=19$m=65536,t=3,p=1$6dM2iB24PLAHOXn15Tk5xQ$6Belm9LZpBSyKe1by4Xblk86vCT3H/aqrN6OH6IilV4",
	"{PLAIN-MD5}e8636ea013e682faf61f56ce1cb1ab5c", "{LDAP-MD5}6GNuoBPmgvr2H1bOHLGrXA==", "{PLAIN-MD5}6GNuoBPmgvr2H1bOHLGrXA==",
	"{LDAP-MD5}E8636EA013E682FAF61F56CE1CB1AB5C", "{plain-md5.b64}6GNuoBPmgvr2H1bOHLGrXA==",
	"{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=", "{SHA1}kGByAB793z4R5tK1eC9Hd/4Dhzk=", "{SHA.HEX}906072001efddf3e11e6d2b5782f4777fe038739",
	"{SHA}906072001efddf3e11e6d2b5782f4777fe038739",
	"{SHA256}rdsPXngmyFfXN20b2bwzwMVEeQourJYUSoryKxKYyUA=",
	"{SHA512}jYR+AdIrqpafcfo2K03iHJ4Tx4grzqE7pcaorg1x/IyXAMguAIemXIs3vSn1NnR/KMlnK+wcrndi0snza2AT8g==",
	"{SMD5}vZiI6EXhzSkXrQMd6rj/enayRjg=", "{SSHA}hLrLrtElJYykdAerPrWAdJhC3hyeKOPU",
	"{SSHA256}A6mLeUwzkTecxIoptcgs3ii/i2c1Favf7oyYPQanzaJHM2I+",
	"{SSHA256.HEX}bea4849d4b226cc14deca93afe9ad22cfa738579d6f8751cde1881097d15fed3cd22ecd2",
	"{SSHA512}NwPNO17bTClq/UHbHk5aKWNaeE8uMKZAYyW7qT+oZOn7OiTDYuW0fdQKRUvaTP+CSQZLdnXw70GZ95lkhTpwM1/TfSM=",
	"{MD5}$1$eUdAEyR2$L8XteeZ1L2DUkLChaYBnO0", "{MD5}e8636ea013e682faf61f56ce1cb1ab5c",
	"{CRAM-MD5}f16f9cd57afad6931bff9508ef68ea2db1b62513b604cf995e4f882bed6d4f1a",
	"{HMAC-MD5}f16f9cd57afad6931bff9508ef68ea2db1b62513b604cf995e4f882bed6d4f1a",
	"{PBKDF2}$1$QIKnI.Fn3Rx0FU3X$5000$7abd8d2811e9964fa7049df40ac873a0ed10ce5b",
	"{SCRAM-SHA-1}4096,Y9/eZXCx0gJOF7JL/Mm2IA==,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=,sqDzyNk8uL54mo/nBPucr1tZE6A=",
	"{SCRAM-SHA-256}4096,s9riNA703L+see2GzJxyKg==,HIOJ5YmYtNXHNZoWN1jIu2M2Y90rd0TRPpmAvz6UtZ0=,NgGzS/v/2Asyv/sTpqNWONbtSyicB1tI3BGCiGBZRUM=",
};

static void each_scheme_takes_its_password_alone(void **state)
{
	static const struct span others[] = { { "", 0 }, { "Geheim", 6 }, { "gehei", 5 }, { "geheim ", 7 }, { "geheim\0", 7 }, { "geheim\0geheim", 13 } };
	struct err e = { 0 };

	(void)state;
	for (size_t n = 0; n < COUNT(all); n++) {
		if (scheme_check(all[n], &e) != SCHEME_GOOD || !scheme_holds(all[n], SPAN("geheim")))
			fail_msg("%s: %s", all[n], e.text);
		for (size_t other = 0; other < COUNT(others); other++)
			if (scheme_holds(all[n], others[other]))
				fail_msg("%s takes %zu", all[n], other);
	}
}

/* Any octet of what is kept counts. */
static void a_changed_verifier_takes_nothing(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(all); n++) {
		char text[LOGIN_VERIFIER];
		size_t len = strlen(all[n]), at = all[n][0] == '{' ? strcspn(all[n], "}") + 3 : 40;

		if (strstr(all[n], "ARGON") || strstr(all[n], "argon"))
			at = len - 20;	/* else it might ask for a terabyte */
		if (strstr(all[n], "SCRAM"))
			at = strcspn(all[n], ",") + 30;	/* StoredKey */
		if (strstr(all[n], "CRYPT"))
			at = len - 5;
		memcpy(text, all[n], len + 1);
		text[at] = text[at] == 'a' ? 'b' : 'a';
		if (scheme_holds(text, SPAN("geheim")))
			fail_msg("%s is as good as %s", text, all[n]);
	}
}

static void what_is_wrong_is_told_without_it(void **state)
{
	static const struct row { const char *verifier; enum scheme_state state; const char *text; } rows[] = {
		{ "{FOO}secret", SCHEME_BAD, "the scheme {FOO} is not known" }, { "{SHA.FOO}secret", SCHEME_BAD, "the scheme {SHA.FOO} is not known" },
		{ "{DIGEST-MD5}01c03acf9aa354892f2f497a42a66d9d", SCHEME_BAD, "the scheme {DIGEST-MD5} is not known" },
		{ "{a secret}x", SCHEME_BAD, "its password has a scheme that is not known" }, { "{secret", SCHEME_BAD, "its password has a scheme that is not known" },
		{ "{averylongsecretwithoutanyend}x", SCHEME_BAD, "its password has a scheme that is not known" },
		{ "secret", SCHEME_BAD, "its password has a scheme that is not known" },
		{ "{SSHA}secret", SCHEME_BAD, "what is behind {SSHA} is not written as it should be" },
		{ "{SSHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=", SCHEME_BAD, "what is behind {SSHA} is not written as it should be" },	/* no salt */
		{ "{SHA}c2VjcmV0", SCHEME_BAD, "what is behind {SHA} is not written as it should be" },
		{ "{PLAIN.B64}c2Vj\x01", SCHEME_BAD, "what is behind {PLAIN} is not written as it should be" },
		{ "{PLAIN.HEX}73650063", SCHEME_BAD, "what is behind {PLAIN} is not written as it should be" },	/* a NUL */
		{ "{PLAIN.HEX}736", SCHEME_BAD, "what is behind {PLAIN} is not written as it should be" },
		{ "{CRYPT}$9$secret$secret", SCHEME_BAD, "what is behind {CRYPT} is not written as it should be" },
		{ "{ARGON2ID}$argon2id$secret", SCHEME_BAD, "what is behind {ARGON2ID} is not written as it should be" },
		{ "{PBKDF2}$1$salt$0$7abd8d2811e9964fa7049df40ac873a0ed10ce5b", SCHEME_BAD, "what is behind {PBKDF2} is not written as it should be" },
		{ "{PBKDF2}$1$salt$99999999999$7abd8d2811e9964fa7049df40ac873a0ed10ce5b", SCHEME_BAD, "what is behind {PBKDF2} is not written as it should be" },
		{ "{SCRAM-SHA-1}4096,AAAA,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=,AAAA", SCHEME_BAD, "what is behind {SCRAM-SHA-1} is not written as it should be" },
		{ "{SCRAM-SHA-1}0,AAAA,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=", SCHEME_BAD, "what is behind {SCRAM-SHA-1} is not written as it should be" },
		{ "{CRAM-MD5}f16f", SCHEME_BAD, "what is behind {CRAM-MD5} is not written as it should be" },
		{ "{CRYPT}$6$rounds=999999999$secret$secret", SCHEME_BAD, "one check of what is behind {CRYPT} would cost too much: 999999999 rounds, and at most 1000000 are done" },
		{ "{BLF-CRYPT}$2y$31$secretsecretsecretsecreOsecretsecretsecretsecretsecretx", SCHEME_BAD, "one check of what is behind {BLF-CRYPT} would cost too much: 31 as" },
		{ "{CRYPT}$y$jFT$secret$secret", SCHEME_BAD, "one check of what is behind {CRYPT} would cost too much: 1024 MiB of memory, and at most 256 are used" },
		{ "{ARGON2ID}$argon2id$v=19$m=4194304,t=100,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SCHEME_BAD, "one check of what is behind {ARGON2ID} would cost too much: 4096 MiB" },
		{ "{PBKDF2}$1$salt$4000000000$7abd8d2811e9964fa7049df40ac873a0ed10ce5b", SCHEME_BAD, "one check of what is behind {PBKDF2} would cost too much: 4000000000 iterations" },
		{ "{SCRAM-SHA-1}10000001,AAAA,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=", SCHEME_BAD, "one check of what is behind {SCRAM-SHA-1} would cost too much" },
		{ "{MD5}secret", SCHEME_BAD, "what is behind {" },
		{ "{PLAIN}", SCHEME_LOCKED, "" }, { "{CRYPT}", SCHEME_LOCKED, "" }, { "{CRYPT}!", SCHEME_LOCKED, "" }, { "{CRYPT}*", SCHEME_LOCKED, "" },
		{ "{CRYPT}!$1$xWdtPHDw$mojklVYB2Usq9iAty8Hyn0", SCHEME_LOCKED, "" }, { "{SHA}", SCHEME_LOCKED, "" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };

		if (scheme_check(r->verifier, &e) != r->state || strncmp(e.text, r->text, strlen(r->text)) != 0 || strstr(e.text, "secret"))
			fail_msg("%s: %s", r->verifier, e.text);
		assert_false(scheme_holds(r->verifier, SPAN("secret")));
		assert_false(scheme_holds(r->verifier, SPAN("")));
		assert_false(scheme_holds(r->verifier, SPAN("*0")));
	}
}

static void without_a_scheme_it_is_crypt(void **state)
{
	char verifier[LOGIN_VERIFIER], longest[LOGIN_VERIFIER];
	size_t room = sizeof longest - sizeof "{CRYPT}";

	(void)state;
	assert_true(scheme_whole(SPAN("$1$xWdtPHDw$mojklVYB2Usq9iAty8Hyn0"), verifier));
	assert_true(scheme_holds(verifier, SPAN("geheim")));
	assert_true(scheme_whole(SPAN("{PLAIN}x"), verifier));
	assert_string_equal(verifier, "{PLAIN}x");
	memset(longest, 'x', sizeof longest);
	assert_true(scheme_whole((struct span){ longest, room }, verifier));
	assert_int_equal(strlen(verifier), sizeof verifier - 1);
	assert_false(scheme_whole((struct span){ longest, room + 1 }, verifier));
}

static void secrets_and_keys_come_out(void **state)
{
	static const char shortest[] = "{SCRAM-SHA-256}5000,AQID,HIOJ5YmYtNXHNZoWN1jIu2M2Y90rd0TRPpmAvz6UtZ0=,NgGzS/v/2Asyv/sTpqNWONbtSyicB1tI3BGCiGBZRUM=";
	static const char longer[] = "{SCRAM-SHA-256}5000,AAECAwQFBgcICQoLDA0ODxA=,HIOJ5YmYtNXHNZoWN1jIu2M2Y90rd0TRPpmAvz6UtZ0=,NgGzS/v/2Asyv/sTpqNWONbtSyicB1tI3BGCiGBZRUM=";
	char secret[ACCOUNT_PASSWORD_MAX];
	struct scram_keys k;
	size_t len = 0;
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT(all); n++) {
		bool plain = n < 6;

		assert_int_equal(scheme_secret(all[n], secret, &len), plain);
		assert_true(!plain || (len == 6 && memcmp(secret, "geheim", 6) == 0));
		assert_int_equal(scheme_scram(all[n], true, &k, &len), n == COUNT(all) - 2);
		assert_int_equal(scheme_scram(all[n], false, &k, &len), n == COUNT(all) - 1);
	}
	assert_true(scheme_scram(shortest, false, &k, &len) && len == 3 && k.iterations == 5000);
	assert_memory_equal(k.salt, "\1\2\3\0", 4);
	assert_memory_equal(k.stored, "\x1c\x83\x89\xe5", 4);
	assert_memory_equal(k.server, "\x36\x01\xb3\x4b", 4);
	assert_int_equal(scheme_check(longer, &e), SCHEME_GOOD);
	assert_false(scheme_scram(longer, false, &k, &len));	/* 17 octets: a password proves it, SCRAM cannot */
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_scheme_takes_its_password_alone),
		cmocka_unit_test(a_changed_verifier_takes_nothing),
		cmocka_unit_test(what_is_wrong_is_told_without_it),
		cmocka_unit_test(without_a_scheme_it_is_crypt),
		cmocka_unit_test(secrets_and_keys_come_out),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
