/* SPDX-License-Identifier: Apache-2.0 */
#include "config/path.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/read.h"

const char *path_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *me;

	if (home && home[0] == '/')
		return home;
	me = getpwuid(geteuid());
	return me && me->pw_dir && me->pw_dir[0] == '/' ? me->pw_dir : "/";
}

static const char *join(struct arena *a, struct span folder, const char *name)
{
	size_t size = folder.len + strlen(name) + 2;
	char *path = arena_take(a, size);

	(void)snprintf(path, size, "%.*s/%s", (int)folder.len, folder.at, name);
	return path;
}

/* In place: // and /./ become /, nothing but the root ends in one. */
static const char *tidied(char *path)
{
	char *to = path;

	for (const char *from = path; *from; ) {
		while (*from == '/')
			from++;
		if (from[0] == '.' && (from[1] == '/' || !from[1])) {
			from++;
			continue;
		}
		if (!*from)
			break;
		*to++ = '/';
		while (*from && *from != '/')
			*to++ = *from++;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
	return path;
}

static const char *current(struct arena *a)
{
	char folder[SETTINGS_PATH_MAX];

	return getcwd(folder, sizeof folder) ? arena_text(a, span_of(folder)) : "/";
}

const char *path_absolute(struct arena *a, const char *file, const char *path)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	const char *absolute = path;

	if (path[0] == '~' && (path[1] == '/' || !path[1]))
		absolute = join(a, span_of(path_home()), path + 1);
	else if (path[0] != '/' && slash)
		absolute = join(a, (struct span){ file, (size_t)(slash - file) }, path);
	if (absolute[0] != '/')
		absolute = join(a, span_of(current(a)), absolute);
	return tidied(arena_text(a, span_of(absolute)));
}

const char *path_state(struct arena *a)
{
	if (geteuid() == 0)
		return "/var/lib/postrider";
	return path_absolute(a, NULL, "~/.local/state/postrider");
}

const char *settings_default_path(char *out, size_t size)
{
	const char *folder = getenv("XDG_CONFIG_HOME");
	bool xdg = folder && folder[0] == '/';

	if (geteuid() == 0)
		(void)snprintf(out, size, "/etc/postrider/postrider.conf");
	else
		(void)snprintf(out, size, "%s%s/postrider/postrider.conf", xdg ? folder : path_home(), xdg ? "" : "/.config");
	return out;
}
