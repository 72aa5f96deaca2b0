/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"
#include "config/secret.h"

/* What comes of it: the octets, or the error behind "!". */
static const char *read_it(struct secret s, size_t max)
{
	static char said[1024];
	struct buf out;
	struct err e;

	buf_start(&out, max);
	if (secret_read(&s, &out, &e))
		(void)snprintf(said, sizeof said, "%.*s", (int)out.len, out.at ? out.at : "");
	else
		(void)snprintf(said, sizeof said, "!%s", e.text);
	buf_wipe(&out);
	return said;
}

static void where_secrets_are(void **state)
{
	(void)state;
	scratch_write("good", SPAN("geh eim\r\n\n"), 0600);
	scratch_write("ten", SPAN("0123456789"), 0600);
	assert_string_equal(read_it((struct secret){ SECRET_NONE, NULL }, 100), "");
	assert_string_equal(read_it((struct secret){ SECRET_LITERAL, "so\n" }, 100), "so\n");
	assert_string_equal(read_it((struct secret){ SECRET_LITERAL, "0123456789" }, 9), "!the password is too long");
	assert_string_equal(read_it((struct secret){ SECRET_FILE, "good" }, 100), "geh eim");
	assert_string_equal(read_it((struct secret){ SECRET_FILE, "ten" }, 11), "0123456789");
	assert_string_equal(read_it((struct secret){ SECRET_FILE, "ten" }, 10), "!password file ten is longer than a password can be");
	assert_non_null(strstr(read_it((struct secret){ SECRET_FILE, "absent" }, 100), "!password file absent cannot be opened"));
	assert_non_null(strstr(read_it((struct secret){ SECRET_FILE, "." }, 100), "!password file . cannot be read"));
	assert_string_equal(read_it((struct secret){ SECRET_COMMAND, "echo x" }, 100), "!this kind of password cannot be read here");
	assert_string_equal(read_it((struct secret){ SECRET_VAULT, "x" }, 100), "!this kind of password cannot be read here");
}

static void credentials(void **state)
{
	(void)state;
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_non_null(strstr(read_it((struct secret){ SECRET_CREDENTIAL, "cred" }, 100), "needs systemd"));
	scratch_write("cred", SPAN("from systemd\n"), 0600);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", scratch_folder, 1), 0);
	assert_string_equal(read_it((struct secret){ SECRET_CREDENTIAL, "cred" }, 100), "from systemd");
	assert_non_null(strstr(read_it((struct secret){ SECRET_CREDENTIAL, "../cred" }, 100), "is not the name of a credential"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(where_secrets_are), cmocka_unit_test(credentials) };

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
