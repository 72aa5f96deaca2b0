/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/pam_wire.h"

static bool set(char *to, size_t size, struct span from)
{
	if (from.len >= size || (from.len && memchr(from.at, '\0', from.len)))
		return false;
	if (from.len)
		memcpy(to, from.at, from.len);
	return true;
}

static struct span user_of(const char *account, const char *main_domain)
{
	const char *at = strrchr(account, '@');

	if (at && main_domain && strcasecmp(at + 1, main_domain) == 0)
		return (struct span){ account, (size_t)(at - account) };
	return span_of(account);
}

bool pam_request_fill(struct pam_request *r, uint64_t id, const struct elsewhere_ask *ask, const char *main_domain)
{
	memset(r, 0, sizeof *r);	/* what is between the members, too */
	r->id = id;
	return set(r->service, sizeof r->service, span_of(ask->service)) && set(r->user, sizeof r->user, user_of(ask->account, main_domain)) &&
	       set(r->rhost, sizeof r->rhost, span_of(ask->rhost)) && set(r->secret, sizeof r->secret, ask->secret) && pam_request_good(r);
}

static bool is_text(const char *at, size_t size)
{
	return at[0] && memchr(at, '\0', size);
}

/* A file's name, and never the way to one elsewhere. */
static bool is_service(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name[0] != '.' && !name[strspn(name, letters)];
}

bool pam_request_good(const struct pam_request *r)
{
	return r->id && is_text(r->service, sizeof r->service) && is_service(r->service) && is_text(r->user, sizeof r->user) &&
	       is_text(r->rhost, sizeof r->rhost) && memchr(r->secret, '\0', sizeof r->secret);
}
