/* SPDX-License-Identifier: Apache-2.0 */
#include "main/privileges.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

enum { SHOWN_MAX = 80 };

static const uint32_t kept = 1u << CAP_NET_BIND_SERVICE;	/* of the first 32 */
static_assert(CAP_NET_BIND_SERVICE < 32, "it is in the first word");

/* --- who --- */

static bool copy_name(char *to, size_t size, const char *from, struct err *e)
{
	int n = snprintf(to, size, "%s", from);

	return (n > 0 && (size_t)n < size) || err_set(e, ERR_CONFIG, "run_as: \"%.*s\" is too long", SHOWN_MAX, from);
}

static bool find_groups(struct privileges *p, struct err *e)
{
	const struct group *group = getgrgid(p->gid);

	(void)snprintf(p->group, sizeof p->group, "%u", (unsigned)p->gid);
	if (group && group->gr_name[0])
		(void)snprintf(p->group, sizeof p->group, "%.*s", PRIVILEGES_NAME - 1, group->gr_name);
	p->group_count = PRIVILEGES_GROUPS;
	return getgrouplist(p->user, p->gid, p->groups, &p->group_count) >= 0
		|| err_set(e, ERR_CONFIG, "run_as: %s is in more than %d groups", p->user, PRIVILEGES_GROUPS);
}

static bool find_user(const char *run_as, struct privileges *p, struct err *e)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(run_as);
	if (!user && (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM))	/* the others mean: not there */
		return err_errno(e, ERR_LOCAL, "run_as: the system's users cannot be read");
	if (!user)
		return err_set(e, ERR_CONFIG, "run_as: there is no user %.*s on this machine; make it (systemd-sysusers, useradd -r), or write another",
			SHOWN_MAX, run_as);
	if (user->pw_uid == 0)
		return err_set(e, ERR_CONFIG, "run_as: %.*s is root; write a user that has no other rights", SHOWN_MAX, run_as);
	p->uid = user->pw_uid;
	p->gid = user->pw_gid;
	return copy_name(p->user, sizeof p->user, user->pw_name, e)
		&& copy_name(p->home, sizeof p->home, user->pw_dir && user->pw_dir[0] == '/' ? user->pw_dir : "/", e) && find_groups(p, e);
}

bool privileges_find(const char *run_as, struct privileges *p, struct err *e)
{
	*p = (struct privileges){ .how = geteuid() == 0 ? PRIVILEGES_ROOT : PRIVILEGES_USER };
	if (getuid() != geteuid() || getgid() != getegid())
		return err_set(e, ERR_CONFIG, "postrider was started set-uid or set-gid, which it is not made for; chmod ug-s it");
	if (!run_as)
		return true;
	if (!find_user(run_as, p, e))
		return false;
	if (p->how == PRIVILEGES_ROOT)
		p->how = PRIVILEGES_BECOME;
	else if (p->uid != getuid())
		return err_set(e, ERR_CONFIG, "run_as: only root can become %s; start as root or as %s", p->user, p->user);
	return true;
}

/* --- capabilities --- */

struct caps {
	struct __user_cap_data_struct at[_LINUX_CAPABILITY_U32S_3];
};

static bool caps_get(struct caps *c, struct err *e)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capget, &head, c->at) == 0 || err_errno(e, ERR_LOCAL, "capabilities cannot be read");
}

/* Permitted and effective become what is kept and was permitted; nothing is inheritable,
 * and so nothing ambient: the kernel takes from that what is not inheritable. */
static bool caps_keep(uint32_t permitted, struct err *e)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct caps c = { { { .effective = permitted & kept, .permitted = permitted & kept } } };

	return syscall(SYS_capset, &head, c.at) == 0 || err_errno(e, ERR_LOCAL, "capabilities cannot be dropped");
}

/* Not every root may do this (CAP_SETPCAP), and no_new_privs is there beside it. */
static void bound(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap != CAP_NET_BIND_SERVICE)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* --- becoming --- */

static bool become(const struct privileges *p, struct err *e)
{
	if (setenv("HOME", p->home, 1) != 0 || setenv("USER", p->user, 1) != 0 || setenv("LOGNAME", p->user, 1) != 0)
		return err_set(e, ERR_LOCAL, "out of memory");
	bound();
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return err_errno(e, ERR_LOCAL, "no capability can be kept");
	if (setgroups((size_t)p->group_count, p->groups) != 0)
		return err_errno(e, ERR_LOCAL, "the groups of %s cannot be taken on", p->user);
	if (setresgid(p->gid, p->gid, p->gid) != 0)
		return err_errno(e, ERR_LOCAL, "group %s cannot be taken on", p->group);
	if (setresuid(p->uid, p->uid, p->uid) != 0)
		return err_errno(e, ERR_LOCAL, "root cannot become %s", p->user);
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);	/* a change of user may have set it */
	return true;
}

/* --- is it so? --- */

static bool ids_are(const struct privileges *p)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0
		&& ruid == p->uid && euid == p->uid && suid == p->uid && rgid == p->gid && egid == p->gid && sgid == p->gid;
}

/* Each of these must fail. */
static bool root_comes_back(const struct privileges *p)
{
	const gid_t root = 0;

	return setuid(0) == 0 || seteuid(0) == 0 || setresuid((uid_t)-1, (uid_t)-1, 0) == 0 || setgroups(1, &root) == 0
		|| (p->gid && (setgid(0) == 0 || setegid(0) == 0));
}

static bool caps_are(uint32_t permitted, struct err *e)
{
	struct caps c;

	if (!caps_get(&c, e))
		return false;
	for (size_t i = 0; i < COUNT(c.at); i++) {
		uint32_t want = i == 0 ? permitted & kept : 0;

		if (c.at[i].permitted != want || c.at[i].effective != want || c.at[i].inheritable)
			return err_set(e, ERR_LOCAL, "capabilities were dropped, and are there");
	}
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) > 0)
			return err_set(e, ERR_LOCAL, "ambient capabilities were dropped, and are there");
	return true;
}

/* 0: /proc does not tell. */
static uint64_t threads(void)
{
	char text[4096] = "";
	FILE *f = fopen("/proc/self/status", "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	const char *at;
	uint64_t number;

	if (f)
		(void)fclose(f);
	text[n] = '\0';
	at = strstr(text, "\nThreads:\t");
	if (!at)
		return 0;
	at += strlen("\nThreads:\t");
	return span_number((struct span){ at, strcspn(at, "\n") }, UINT32_MAX, &number) ? number : 0;
}

static bool no_new_privileges(struct err *e)
{
	return (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		|| err_errno(e, ERR_LOCAL, "no_new_privs cannot be set");
}

static bool drop(const struct privileges *p, struct err *e)
{
	bool user_changes = p->how == PRIVILEGES_BECOME;
	uint32_t permitted;
	struct caps c;
	bool any;

	if (!caps_get(&c, e))
		return false;
	permitted = c.at[0].permitted;
	any = c.at[0].permitted || c.at[1].permitted || c.at[0].inheritable || c.at[1].inheritable;
	if (user_changes && !become(p, e))
		return false;
	if (!caps_keep(permitted, e) || ((any || user_changes) && !no_new_privileges(e)) || !caps_are(permitted, e))
		return false;
	if (!user_changes)
		return true;
	if (!ids_are(p) || root_comes_back(p))
		return err_set(e, ERR_LOCAL, "root was given up, and can be had back");
	log_info(NULL, "running as %s:%s, %s", p->user, p->group,
		permitted & kept ? "with the right to open ports below 1024" : "without the right to open ports below 1024");
	return true;
}

bool privileges_drop(const struct privileges *p, struct err *e)
{
	uint64_t count = threads();

	if (p->how == PRIVILEGES_ROOT) {
		log_warn(NULL, "running as root: whoever breaks in here is root; write run_as = \"postrider\", and give that user the state directory");
		return true;
	}
	if (count != 1)
		(void)err_set(e, ERR_LOCAL, count ? "threads run already" : "/proc is not there to tell that no threads run");
	if (count == 1 && drop(p, e))
		return true;
	return err_in(e, "privileges");
}
