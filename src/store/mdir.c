/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

const char *mdir_dir_name(enum mdir_dir dir)
{
	return dir == MDIR_NEW ? "new" : "cur";
}

int mdir_folder(const struct maildrop *drop, enum mdir_dir dir)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/%s", drop->mdir->path, mdir_dir_name(dir));
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool maildrop_is_maildir(const struct maildrop *drop)
{
	return drop->mdir;
}

const char *const *maildrop_uids(const struct maildrop *drop)
{
	return drop->mdir ? drop->mdir->texts : NULL;
}

void mdir_free(struct maildrop *drop)
{
	mdir_close(drop);
	free(drop->mdir->path);
	free(drop->mdir->names);
	free(drop->mdir->texts);
	free(drop->mdir);
	drop->mdir = NULL;
}
