/* SPDX-License-Identifier: Apache-2.0 */
#include "store/vault_key.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "store/fixture.h"

#define MACHINE "0123456789abcdef0123456789abcdef\n"
#define OTHER "1123456789abcdef0123456789abcdef\n"

struct ground {
	char state[64], machine_id[96], credentials[96], credential[128], path[96];
	struct vault_place place;
};

static void put(const char *path, const void *octets, size_t len, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
	assert_true(fd >= 0 && fchmod(fd, mode) == 0 && write(fd, octets, len) == (ssize_t)len);
	(void)close(fd);
}

static void get(const char *path, uint8_t file[VAULT_KEY_FILE])
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, file, VAULT_KEY_FILE), VAULT_KEY_FILE);
	(void)close(fd);
}

static void ground(struct ground *g, const char *machine_id, const char *credential)
{
	(void)snprintf(g->state, sizeof g->state, "%s", fixture_directory());
	(void)snprintf(g->machine_id, sizeof g->machine_id, "%s/id", g->state);
	(void)snprintf(g->credentials, sizeof g->credentials, "%s/given", g->state);
	(void)snprintf(g->credential, sizeof g->credential, "%s/postrider-vault", g->credentials);
	(void)snprintf(g->path, sizeof g->path, "%s/vault.key", g->state);
	assert_int_equal(mkdir(g->credentials, 0700), 0);
	if (machine_id)
		put(g->machine_id, machine_id, strlen(machine_id), 0444);
	if (credential)
		put(g->credential, credential, strlen(credential), 0400);
	g->place = (struct vault_place){ g->state, g->machine_id, g->credentials };
}

static void key(uint8_t out[VAULT_KEY], int seed)
{
	memset(out, seed, VAULT_KEY);
	out[3] = 1;
}

static const struct row {
	const char *machine, *credential;	/* when it is made */
	const char *machine2, *credential2;	/* when it is read; NULL: gone */
	const char *says;			/* NULL: it is opened */
} rows[] = {
	{ MACHINE, NULL, MACHINE, NULL, NULL },
	{ MACHINE, NULL, "0123456789abcdef0123456789abcdef", NULL, NULL },
	{ MACHINE, NULL, OTHER, NULL, "was made on another machine" },
	{ MACHINE, NULL, NULL, NULL, "was made for a machine" },
	{ MACHINE, NULL, "uninitialized\n", NULL, "was made for a machine" },
	{ MACHINE, NULL, MACHINE, "now there is a credential", NULL },
	{ NULL, NULL, OTHER, NULL, NULL },
	{ "", NULL, NULL, NULL, NULL },
	{ MACHINE, "sixteen octets!!", OTHER, "sixteen octets!!", NULL },
	{ MACHINE, "sixteen octets!!", OTHER, "sixteen octets!!\n", NULL },
	{ MACHINE, "sixteen octets!!", MACHINE, "sixteen octets!?", "for another credential" },
	{ MACHINE, "sixteen octets!!", MACHINE, "fifteen octets!", "too few octets" },
	{ MACHINE, "sixteen octets!!", MACHINE, NULL, "which is not given here" },
};

static void it_opens_where_it_was_bound_to([[maybe_unused]] void **state)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		uint8_t made[VAULT_KEY], back[VAULT_KEY] = { 0 }, file[VAULT_KEY_FILE];
		struct err e = { .kind = ERR_NONE };
		struct ground g;
		struct stat st;
		bool there;

		ground(&g, r->machine, r->credential);
		key(made, 7);
		must(vault_key_read(&g.place, back, &there, &fixture_err));
		assert_false(there);
		must(vault_key_make(&g.place, made, &fixture_err));
		assert_int_equal(stat(g.path, &st), 0);
		assert_true((st.st_mode & 07777) == 0600 && st.st_size == VAULT_KEY_FILE);
		get(g.path, file);
		assert_null(memmem(file, sizeof file, made + 4, 8));	/* never as it is */
		(void)unlink(g.machine_id);
		(void)unlink(g.credential);
		if (r->machine2)
			put(g.machine_id, r->machine2, strlen(r->machine2), 0444);
		if (r->credential2)
			put(g.credential, r->credential2, strlen(r->credential2), 0400);
		assert_int_equal(vault_key_read(&g.place, back, &there, &e), r->says == NULL);
		assert_true(there);
		if (r->says) {
			assert_int_equal(e.kind, ERR_CONFIG);
			if (!strstr(e.text, r->says))
				fail_msg("%s has no \"%s\"", e.text, r->says);
			assert_memory_not_equal(back, made, VAULT_KEY);
		} else {
			assert_memory_equal(back, made, VAULT_KEY);
		}
		fixture_remove(g.state);
	}
}

static void a_flip_anywhere_is_damage([[maybe_unused]] void **state)
{
	uint8_t made[VAULT_KEY], back[VAULT_KEY], file[VAULT_KEY_FILE];
	struct ground g;
	struct err e;
	bool there;

	ground(&g, MACHINE, NULL);
	key(made, 9);
	must(vault_key_make(&g.place, made, &fixture_err));
	get(g.path, file);
	for (size_t n = 0; n < sizeof file; n++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			file[n] ^= (uint8_t)(1u << bit);
			put(g.path, file, sizeof file, 0600);
			assert_false(vault_key_read(&g.place, back, &there, &e));
			assert_true(there && e.kind == ERR_CONFIG && strstr(e.text, "damaged"));
			file[n] ^= (uint8_t)(1u << bit);
		}
	}
	for (size_t len = 0; len < sizeof file; len += 13) {
		put(g.path, file, len, 0600);
		assert_false(vault_key_read(&g.place, back, &there, &e));
		assert_non_null(strstr(e.text, "damaged"));
	}
	put(g.path, file, sizeof file, 0640);
	assert_false(vault_key_read(&g.place, back, &there, &e));
	assert_non_null(strstr(e.text, "chmod 600"));
	put(g.path, file, sizeof file, 0600);
	must(vault_key_read(&g.place, back, &there, &fixture_err));
	fixture_remove(g.state);
}

static void no_key_takes_the_place_of_one_by_itself([[maybe_unused]] void **state)
{
	uint8_t first[VAULT_KEY], second[VAULT_KEY], back[VAULT_KEY], file[VAULT_KEY_FILE], kept[VAULT_KEY_FILE];
	char aside[128] = "";
	size_t count = 0;
	DIR *folder;
	struct ground g;
	struct err e;
	bool there;

	ground(&g, MACHINE, NULL);
	key(first, 1);
	key(second, 2);
	must(vault_key_make(&g.place, first, &fixture_err));
	assert_false(vault_key_make(&g.place, second, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
	must(vault_key_read(&g.place, back, &there, &fixture_err));
	assert_memory_equal(back, first, VAULT_KEY);
	get(g.path, file);
	must(vault_key_replace(&g.place, second, true, &fixture_err));
	must(vault_key_read(&g.place, back, &there, &fixture_err));
	assert_memory_equal(back, second, VAULT_KEY);
	folder = opendir(g.state);
	assert_non_null(folder);
	for (const struct dirent *d; (d = readdir(folder));) {
		assert_string_not_equal(d->d_name, "vault.key.new");
		if (strncmp(d->d_name, "vault.key.before-", 17) == 0 && ++count)
			(void)snprintf(aside, sizeof aside, "%s/%.40s", g.state, d->d_name);
	}
	(void)closedir(folder);
	assert_int_equal(count, 1);
	get(aside, kept);
	assert_memory_equal(kept, file, sizeof file);
	fixture_remove(g.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_where_it_was_bound_to), cmocka_unit_test(a_flip_anywhere_is_damage),
		cmocka_unit_test(no_key_takes_the_place_of_one_by_itself),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
