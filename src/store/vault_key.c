/* SPDX-License-Identifier: Apache-2.0
 *
 *     0  "PRvault1"     8  how it is bound     9  seven zeros     16  the key's id
 *    24  32 random octets     56  nonce     80  the key, encrypted, with 16 octets that authenticate it and 0 to 23
 *   128  16 octets of BLAKE2b over all that */
#include "store/vault_key.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"

#define MAGIC "PRvault1"
#define CREDENTIAL "postrider-vault"

enum {
	MAGIC_LEN = 8, AT_BOUND = 8, AT_ID = 16, AT_RANDOM = 24, RANDOM = 32, AT_NONCE = 56, AT_KEY = 80, AT_SUM = 128, SUM = 16,
	HEAD = AT_RANDOM, TEXT_MAX = 4096, PATH = 4096,
};

static_assert(AT_NONCE + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == AT_KEY &&
	AT_KEY + VAULT_KEY + crypto_aead_xchacha20poly1305_ietf_ABYTES == AT_SUM && AT_SUM + SUM == VAULT_KEY_FILE &&
	VAULT_KEY == (int)crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "sizes");

/* What a key is bound to, read. */
struct other {
	char text[TEXT_MAX];
	size_t len;
};

void vault_key_id(const uint8_t key[VAULT_KEY], uint8_t id[VAULT_KEY_ID])
{
	static const uint8_t what[] = "postrider vault: which key";
	uint8_t whole[16];

	(void)crypto_generichash(whole, sizeof whole, what, sizeof what, key, VAULT_KEY);
	memcpy(id, whole, VAULT_KEY_ID);
}

static bool path_in(const char *directory, const char *name, char path[PATH], struct err *e)
{
	return snprintf(path, PATH, "%s/%s", directory, name) < PATH || err_set(e, ERR_CONFIG, "%.100s…: the path is too long", directory);
}

/* Octets of a small file, without the line ends and blanks at its end; -1 and errno: it cannot be read. */
static ssize_t small_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd >= 0 ? read(fd, text, size) : -1;
	int why = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = why;
	while (n > 0 && strchr("\r\n\t ", text[n - 1]))
		n--;
	return n;
}

/* 32 hexadecimal digits, or more; machine-id(5) also has "uninitialized", and none. */
static bool machine(const struct vault_place *p, struct other *o)
{
	ssize_t n = p->machine_id ? small_file(p->machine_id, o->text, sizeof o->text) : -1;

	o->len = n > 0 ? (size_t)n : 0;
	return o->len >= 32 && strspn(o->text, "0123456789abcdefABCDEF") >= 32;
}

/* *there false and true: there is none. */
static bool credential(const struct vault_place *p, struct other *o, bool *there, struct err *e)
{
	char path[PATH];
	ssize_t n;

	*there = false;
	if (!p->credentials)
		return true;
	if (!path_in(p->credentials, CREDENTIAL, path, e))
		return false;
	n = small_file(path, o->text, sizeof o->text);
	if (n < 0)
		return errno == ENOENT || err_errno(e, ERR_CONFIG, "the vault's credential %s cannot be read", path);
	*there = true;
	o->len = (size_t)n;
	if (o->len < VAULT_CREDENTIAL_MIN || o->len == sizeof o->text)
		return err_set(e, ERR_CONFIG, "the vault's credential %s has %s: put %d to %d random octets there", path,
			o->len == sizeof o->text ? "too many octets" : "too few octets", VAULT_CREDENTIAL_MIN, TEXT_MAX - 1);
	return true;
}

static void wrapping(const uint8_t *file, enum vault_bound bound, const struct other *o, uint8_t key[VAULT_KEY])
{
	static const uint8_t what[] = "postrider vault: how the key is wrapped";
	uint8_t kind = (uint8_t)bound;
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, file + AT_RANDOM, RANDOM, VAULT_KEY);
	(void)crypto_generichash_update(&h, what, sizeof what);
	(void)crypto_generichash_update(&h, &kind, 1);
	(void)crypto_generichash_update(&h, (const uint8_t *)o->text, o->len);
	(void)crypto_generichash_final(&h, key, VAULT_KEY);
	wipe(&h, sizeof h);
}

static void sum(const uint8_t file[VAULT_KEY_FILE], uint8_t out[SUM])
{
	(void)crypto_generichash(out, SUM, file, AT_SUM, NULL, 0);
}

static bool bind_new(const struct vault_place *p, struct other *o, enum vault_bound *bound, struct err *e)
{
	bool there;

	if (!credential(p, o, &there, e))
		return false;
	if (there)
		*bound = BOUND_CREDENTIAL;
	else if (machine(p, o))
		*bound = BOUND_MACHINE;
	else {
		*bound = BOUND_NOTHING;
		o->len = 0;
		log_warn(NULL, "there is no machine-id and no credential: %s/vault.key opens the vault on any machine", p->state);
	}
	return true;
}

static bool pack(const struct vault_place *p, const uint8_t key[VAULT_KEY], uint8_t file[VAULT_KEY_FILE], struct err *e)
{
	uint8_t with[VAULT_KEY];
	enum vault_bound bound;
	struct other o;
	bool good = bind_new(p, &o, &bound, e);

	if (good) {
		memset(file, 0, VAULT_KEY_FILE);
		memcpy(file, MAGIC, MAGIC_LEN);
		file[AT_BOUND] = (uint8_t)bound;
		vault_key_id(key, file + AT_ID);
		random_fill(file + AT_RANDOM, AT_KEY - AT_RANDOM);
		wrapping(file, bound, &o, with);
		(void)crypto_aead_xchacha20poly1305_ietf_encrypt(file + AT_KEY, NULL, key, VAULT_KEY, file, HEAD, NULL, file + AT_NONCE, with);
		sum(file, file + AT_SUM);
	}
	wipe(with, sizeof with);
	wipe(&o, sizeof o);
	return good;
}

/* What the file is bound to, as it is here. */
static bool bound_to(const struct vault_place *p, const char *path, enum vault_bound bound, struct other *o, struct err *e)
{
	bool there;

	o->len = 0;
	switch (bound) {
	case BOUND_NOTHING:
		return true;
	case BOUND_MACHINE:
		return machine(p, o) || err_set(e, ERR_CONFIG, "%s was made for a machine, and %s has no machine-id: bring the vault's key here by a "
			"recovery file (postrider secret import)", path, p->machine_id ? p->machine_id : "this one");
	case BOUND_CREDENTIAL:
		return credential(p, o, &there, e) && (there || err_set(e, ERR_CONFIG, "%s opens with the credential " CREDENTIAL " only, which is not given here: "
			"ask the running service, or set CREDENTIALS_DIRECTORY", path));
	case BOUND_KINDS:
		break;
	}
	return err_set(e, ERR_CONFIG, "%s is of a newer version", path);
}

static bool unpack(const struct vault_place *p, const char *path, const uint8_t file[VAULT_KEY_FILE], uint8_t key[VAULT_KEY], struct err *e)
{
	uint8_t with[VAULT_KEY], id[VAULT_KEY_ID], real[SUM];
	enum vault_bound bound = file[AT_BOUND] < BOUND_KINDS ? file[AT_BOUND] : BOUND_KINDS;
	struct other o;
	bool good;

	sum(file, real);
	if (memcmp(real, file + AT_SUM, SUM) != 0 || memcmp(file, MAGIC, MAGIC_LEN) != 0)
		return err_set(e, ERR_CONFIG, "%s is damaged: put it back from a copy, or import a recovery file (postrider secret import)", path);
	good = bound_to(p, path, bound, &o, e);
	if (good) {
		wrapping(file, bound, &o, with);
		good = crypto_aead_xchacha20poly1305_ietf_decrypt(key, NULL, NULL, file + AT_KEY, AT_SUM - AT_KEY, file, HEAD, file + AT_NONCE, with) == 0;
		if (good)
			vault_key_id(key, id);
		good = good && memcmp(id, file + AT_ID, sizeof id) == 0;
		if (!good)
			(void)err_set(e, ERR_CONFIG, "%s was made %s: bring the vault's key here by a recovery file (postrider secret import), "
				"or set its secrets again", path, bound == BOUND_CREDENTIAL ? "for another credential " CREDENTIAL : "on another machine");
	}
	wipe(with, sizeof with);
	wipe(&o, sizeof o);
	return good;
}

static bool read_file(const char *path, int fd, uint8_t file[VAULT_KEY_FILE], struct err *e)
{
	struct stat st;
	uint8_t more;

	if (fstat(fd, &st) != 0)
		return err_errno(e, ERR_LOCAL, "%s", path);
	if (st.st_mode & 077)
		return err_set(e, ERR_CONFIG, "%s can be read by others: chmod 600 %s, and think of its secrets as known", path, path);
	if (!S_ISREG(st.st_mode) || read(fd, file, VAULT_KEY_FILE) != VAULT_KEY_FILE || read(fd, &more, 1) != 0)
		return err_set(e, ERR_CONFIG, "%s is damaged: put it back from a copy, or import a recovery file (postrider secret import)", path);
	return true;
}

bool vault_key_read(const struct vault_place *p, uint8_t key[VAULT_KEY], bool *there, struct err *e)
{
	uint8_t file[VAULT_KEY_FILE];
	char path[PATH];
	bool good;
	int fd;

	*there = false;
	if (!path_in(p->state, "vault.key", path, e))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || err_errno(e, ERR_LOCAL, "%s", path);
	*there = true;
	good = read_file(path, fd, file, e);
	(void)close(fd);
	good = good && unpack(p, path, file, key, e);
	wipe(file, sizeof file);
	return good;
}

/* vault.key.new, durable but for its name. */
static bool write_new(const struct vault_place *p, const uint8_t key[VAULT_KEY], char fresh[PATH], struct err *e)
{
	uint8_t file[VAULT_KEY_FILE];
	bool good;
	int fd;

	if (!path_in(p->state, "vault.key.new", fresh, e) || !pack(p, key, file, e))
		return false;
	if (unlink(fresh) != 0 && errno != ENOENT)
		return err_errno(e, ERR_LOCAL, "%s cannot be removed", fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	good = fd >= 0 && fchmod(fd, 0600) == 0 && disk_write(fd, (struct span){ (const char *)file, sizeof file }) && fsync(fd) == 0;
	if (!good)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be written", fresh);
	if (fd >= 0)
		(void)close(fd);
	wipe(file, sizeof file);
	return good;
}

bool vault_key_make(const struct vault_place *p, const uint8_t key[VAULT_KEY], struct err *e)
{
	char fresh[PATH], path[PATH];

	if (!path_in(p->state, "vault.key", path, e) || !write_new(p, key, fresh, e))
		return false;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) != 0)
		return err_errno(e, ERR_LOCAL, "%s cannot be made", path);
	return disk_sync_directory(p->state, e);
}

/* One that is there gets another name beside its own; so there is a whole file under its own at any time. */
static bool keep_aside(const struct vault_place *p, const char *path, struct err *e)
{
	char aside[PATH], name[64], moment[MOMENT_TEXT];
	int64_t now = clock_now_s();

	for (int64_t n = 0; n < 1000; n++) {
		(void)snprintf(name, sizeof name, "vault.key.before-%s", moment_text(now + n, moment));
		if (!path_in(p->state, name, aside, e))
			return false;
		if (link(path, aside) == 0 || errno == ENOENT)
			return true;
		if (errno != EEXIST)
			return err_errno(e, ERR_LOCAL, "%s cannot be kept as %s", path, aside);
	}
	return err_set(e, ERR_LOCAL, "%s cannot be kept aside", path);
}

bool vault_key_replace(const struct vault_place *p, const uint8_t key[VAULT_KEY], bool aside, struct err *e)
{
	char fresh[PATH], path[PATH];

	if (!path_in(p->state, "vault.key", path, e) || !write_new(p, key, fresh, e) || (aside && !keep_aside(p, path, e)))
		return false;
	if (rename(fresh, path) != 0)
		return err_errno(e, ERR_LOCAL, "%s cannot be put in place", path);
	return disk_sync_directory(p->state, e);
}
