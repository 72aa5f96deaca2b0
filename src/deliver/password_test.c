/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "deliver/password.h"
#include "store/fixture.h"
#include "store/vault.h"

enum { MAX = 100 };

static void kinds([[maybe_unused]] void **state)
{
	static const struct {
		struct secret secret;
		const char *want;	/* NULL: an error that holds… */
		const char *says;
	} rows[] = {
		{ { SECRET_NONE, NULL }, "", NULL }, { { SECRET_LITERAL, "geheim" }, "geheim", NULL },
		{ { SECRET_COMMAND, "printf 'a b\\n'" }, "a b", NULL }, { { SECRET_COMMAND, "echo geheim; echo no >&2; exit 3" }, NULL, "password command" },
		{ { SECRET_VAULT, "box" }, "sealed", NULL }, { { SECRET_VAULT, "x" }, NULL, "there is no secret x" }, { { SECRET_ASK, NULL }, NULL, "no password is set" },
		{ { SECRET_FILE, "/nowhere/at all" }, NULL, "/nowhere/at all" }, { { SECRET_COMMAND, "head -c 1000 /dev/zero" }, NULL, "password command" },
	};

	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct err why;
	struct buf none;

	must(vault_set(s, "box", SPAN("sealed"), &fixture_err));
	buf_start(&none, MAX);
	assert_false(password_read(&(struct secret){ SECRET_VAULT, "box" }, NULL, NULL, &none, &why));
	assert_non_null(strstr(why.text, "vault:box: there is no store here"));
	buf_wipe(&none);
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct err e = { .kind = ERR_NONE };
		struct buf out;

		buf_start(&out, MAX);
		assert_int_equal(password_read(&rows[n].secret, s, NULL, &out, &e), rows[n].want != NULL);
		if (rows[n].want) {
			assert_int_equal(out.len, strlen(rows[n].want));
			assert_memory_equal(out.at ? out.at : "", rows[n].want, out.len);
		} else {
			assert_non_null(strstr(e.text, rows[n].says));
			assert_null(strstr(e.text, "geheim"));
		}
		buf_wipe(&out);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void it_can_be_stopped([[maybe_unused]] void **state)
{
	const struct secret s = { SECRET_COMMAND, "sleep 1000" };
	atomic_bool stop = true;
	struct err e;
	struct buf out;

	buf_start(&out, MAX);
	assert_false(password_read(&s, NULL, &stop, &out, &e));
	buf_wipe(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(it_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
