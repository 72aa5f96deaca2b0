/* SPDX-License-Identifier: Apache-2.0 */
#include "store/recovery.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/disk.h"

#define HEAD "postrider vault recovery 1\n"

enum { PASSES = 3, MEMORY = 256 * 1024 * 1024, SUM = 16, OCTETS = RECOVERY_SALT + VAULT_WRAPPED + SUM, TEXT = sizeof HEAD - 1 + 2 * OCTETS + 1 };

static_assert(sizeof(struct recovery) == RECOVERY_SALT + VAULT_WRAPPED && RECOVERY_SALT == crypto_pwhash_argon2id_SALTBYTES, "as they lie in the file");

bool recovery_wrap(struct span password, const uint8_t salt[RECOVERY_SALT], uint8_t wrap[VAULT_WRAP], struct err *e)
{
	if (password.len < RECOVERY_PASSWORD_MIN)
		return err_set(e, ERR_CONFIG, "a master password has at least %d octets; take a long one, nothing else guards the file", RECOVERY_PASSWORD_MIN);
	if (sodium_init() < 0 || crypto_pwhash(wrap, VAULT_WRAP, password.at, password.len, salt, PASSES, MEMORY, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(e, ERR_LOCAL, "the master password needs %d MiB of memory to be used", MEMORY / 1024 / 1024);
	return true;
}

static void sum(const struct recovery *r, uint8_t out[SUM])
{
	(void)crypto_generichash(out, SUM, (const uint8_t *)r, sizeof *r, NULL, 0);
}

bool recovery_write(const char *path, const struct recovery *r, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint8_t octets[OCTETS];
	char text[TEXT + 1];
	bool good;

	if (fd < 0)
		return err_errno(e, ERR_CONFIG, "%s cannot be made", path);
	memcpy(octets, r, sizeof *r);
	sum(r, octets + sizeof *r);
	memcpy(text, HEAD, sizeof HEAD - 1);
	(void)sodium_bin2hex(text + sizeof HEAD - 1, 2 * OCTETS + 1, octets, OCTETS);
	text[TEXT - 1] = '\n';
	good = fchmod(fd, 0600) == 0 && disk_write(fd, (struct span){ text, TEXT }) && fsync(fd) == 0;
	if (!good)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be written", path);
	(void)close(fd);
	if (!good)
		(void)unlink(path);
	return good;
}

bool recovery_read(const char *path, struct recovery *r, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint8_t octets[OCTETS], real[SUM];
	char text[TEXT + 2];
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return err_errno(e, ERR_CONFIG, "%s cannot be opened", path);
	n = read(fd, text, sizeof text);
	(void)close(fd);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n != TEXT - 1 || memcmp(text, HEAD, sizeof HEAD - 1) != 0 ||
	    sodium_hex2bin(octets, sizeof octets, text + sizeof HEAD - 1, 2 * OCTETS, NULL, &len, NULL) != 0 || len != OCTETS)
		return err_set(e, ERR_CONFIG, "%s is no recovery file of the vault, or damaged", path);
	memcpy(r, octets, sizeof *r);
	sum(r, real);
	return memcmp(real, octets + sizeof *r, SUM) == 0 || err_set(e, ERR_CONFIG, "%s is damaged: take another copy of it", path);
}
