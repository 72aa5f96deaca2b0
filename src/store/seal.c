/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/room.h"

enum {
	KEY = 32, BLOCK = 64, LENGTH = 2, DERIVED_MAX = 64,
	STACK = 1024,		/* libsodium leaves the first 32 octets of what it opened in a frame below ours */
};

static_assert(KEY == (int)crypto_secretbox_KEYBYTES && SEAL_MAX % BLOCK == crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES, "sizes");

struct seal {
	char *state, *path, *fresh;
	pthread_mutex_t mutex;
	bool there;			/* `key` is the file's */
	bool failed;			/* `instead` is filled, since that could not be read */
	uint8_t key[KEY], instead[KEY];
};

struct seal *seal_new(const char *state)
{
	struct seal *seal = store_memory(sizeof *seal);

	store_must((seal->state = strdup(state)) && asprintf(&seal->path, "%s/secret.key", state) > 0 &&
		asprintf(&seal->fresh, "%s/secret.key.new", state) > 0);
	(void)pthread_mutex_init(&seal->mutex, NULL);
	return seal;
}

void seal_free(struct seal **s)
{
	struct seal *seal = *s;

	if (!seal)
		return;
	(void)pthread_mutex_destroy(&seal->mutex);
	free(seal->state);
	free(seal->path);
	free(seal->fresh);
	wipe(seal, sizeof *seal);
	free(seal);
	*s = NULL;
}

static bool make_key(struct seal *seal, struct err *e)
{
	int fd = open(seal->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd >= 0;

	random_fill(seal->key, KEY);
	if (good)
		good = fchmod(fd, 0600) == 0 && write(fd, seal->key, KEY) == KEY && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	if (!good || rename(seal->fresh, seal->path) != 0)
		return err_errno(e, ERR_LOCAL, "%s: cannot be made", seal->path);
	return disk_sync_directory(seal->state, e);
}

static bool read_key(struct seal *seal, int fd, struct err *e)
{
	struct stat st;
	char more;

	if (fstat(fd, &st) != 0)
		return err_errno(e, ERR_LOCAL, "%s", seal->path);
	if (st.st_mode & 077)
		return err_set(e, ERR_CONFIG, "%s can be read by others: chmod 600 %s, and set the passwords of recoverable accounts again", seal->path, seal->path);
	if (!S_ISREG(st.st_mode) || read(fd, seal->key, KEY) != KEY || read(fd, &more, 1) != 0)
		return err_set(e, ERR_CONFIG, "%s is no key of ours: restore it from a backup; or remove it, and set the passwords of recoverable accounts again", seal->path);
	return true;
}

static bool load(struct seal *seal, struct err *e)
{
	int fd = open(seal->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool good;

	if (fd < 0 && errno == ENOENT)
		return make_key(seal, e);
	if (fd < 0)
		return err_errno(e, ERR_LOCAL, "%s", seal->path);
	good = read_key(seal, fd, e);
	(void)close(fd);
	return good;
}

static bool have_key(struct seal *seal, struct err *e)
{
	bool good;

	(void)pthread_mutex_lock(&seal->mutex);
	if (!seal->there)
		seal->there = load(seal, e);
	if (!seal->there && !seal->failed)
		random_fill(seal->instead, sizeof seal->instead);
	seal->failed |= !seal->there;
	good = seal->there;
	(void)pthread_mutex_unlock(&seal->mutex);
	return good;
}

static void derive(const uint8_t key[KEY], const char *what, const char *name, uint8_t *out, size_t len)
{
	crypto_generichash_state h;
	uint8_t whole[DERIVED_MAX];

	assert(len <= sizeof whole);
	(void)crypto_generichash_init(&h, key, KEY, sizeof whole);
	(void)crypto_generichash_update(&h, (const uint8_t *)what, strlen(what) + 1);
	(void)crypto_generichash_update(&h, (const uint8_t *)name, strlen(name));
	(void)crypto_generichash_final(&h, whole, sizeof whole);
	memcpy(out, whole, len);
	wipe(whole, sizeof whole);
}

bool seal_close(struct seal *seal, const char *name, struct span secret, char out[SEAL_MAX], size_t *len, struct err *e)
{
	uint8_t key[KEY], plain[SEAL_MAX] = { 0 }, *at = (uint8_t *)out;
	size_t padded = (LENGTH + secret.len + BLOCK - 1) / BLOCK * BLOCK;

	assert(secret.len && secret.len <= SEAL_SECRET_MAX);
	if (!have_key(seal, e))
		return false;
	derive(seal->key, "seal", name, key, sizeof key);
	plain[0] = (uint8_t)(secret.len >> 8);
	plain[1] = (uint8_t)secret.len;
	memcpy(plain + LENGTH, secret.at, secret.len);
	random_fill(at, crypto_secretbox_NONCEBYTES);
	(void)crypto_secretbox_easy(at + crypto_secretbox_NONCEBYTES, plain, padded, at, key);
	sodium_stackzero(STACK);
	*len = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + padded;
	wipe(plain, sizeof plain);
	wipe(key, sizeof key);
	return true;
}

static bool open_with(const uint8_t key[KEY], struct span sealed, char secret[SEAL_SECRET_MAX], size_t *len)
{
	const uint8_t *at = (const uint8_t *)sealed.at;
	size_t around = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	uint8_t plain[SEAL_MAX];
	bool good;

	*len = 0;
	if (sealed.len <= around || sealed.len > SEAL_MAX)
		return false;
	good = crypto_secretbox_open_easy(plain, at + crypto_secretbox_NONCEBYTES, sealed.len - crypto_secretbox_NONCEBYTES, at, key) == 0;
	sodium_stackzero(STACK);
	if (good) {
		size_t n = (size_t)plain[0] << 8 | plain[1];

		good = n && n <= SEAL_SECRET_MAX && n + LENGTH <= sealed.len - around;
		if (good)
			memcpy(secret, plain + LENGTH, *len = n);
	}
	wipe(plain, sizeof plain);
	return good;
}

bool seal_open(struct seal *seal, const char *name, struct span sealed, char secret[SEAL_SECRET_MAX], size_t *len)
{
	uint8_t key[KEY];
	struct err e;
	bool good, mine = have_key(seal, &e);

	derive(mine ? seal->key : seal->instead, "seal", name, key, sizeof key);
	good = open_with(key, sealed, secret, len);
	wipe(key, sizeof key);
	return good;
}

void seal_derive(struct seal *seal, const char *what, const char *name, uint8_t *out, size_t len)
{
	struct err e;
	bool mine = have_key(seal, &e);

	if (!mine)
		log_error(NULL, "%s", e.text);
	derive(mine ? seal->key : seal->instead, what, name, out, len);
}
