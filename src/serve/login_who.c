/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a login is: from a name, or from what a judge elsewhere says, to an account (login_inside.h). */
#include <assert.h>

#include "base/clock.h"
#include "base/text.h"
#include "serve/login_inside.h"

static bool resolve(const struct login *x, struct span user, struct resolved *r)
{
	if (x->g->users)
		return users_resolve(x->g->users, user, x->who.main_domain, x->local_domain, r);
	return route_resolve(x->g->store, user, x->who.main_domain, x->local_domain, r);
}

bool login_look(struct login *x, struct account_login *l)
{
	struct resolved r;
	bool same;

	(void)resolve(x, x->user, &r);
	if (x->g->users)
		users_find(x->g->users, r.account, &x->peer, l);
	else
		login_find(x->g->store, r.account, l);
	same = strcmp(x->account, r.account) == 0 && strcmp(x->verifier, l->verifier) == 0;
	memcpy(x->account, r.account, sizeof r.account);
	memcpy(x->verifier, l->verifier, sizeof l->verifier);
	if (!x->acts)
		memcpy(x->answer.routed, r.routed, sizeof r.routed);
	return same;
}

static void copy(char *to, struct span from)
{
	if (from.len)
		memcpy(to, from.at, from.len);
	to[from.len] = '\0';
}

/* What has not the form of a name is nobody's, since there is a '#' in it. */
static struct span take_apart(struct login *x, struct span given)
{
	struct named n;

	if (!named_split(given, &n))
		n = (struct named){ .user = given };
	copy(x->answer.owner, n.owner);
	copy(x->answer.box, n.box);
	return n.user;
}

static struct span keep_name(struct login *x, struct span name)
{
	size_t len = name.len < sizeof x->name ? name.len : sizeof x->name, shown = name.len < sizeof x->answer.user ? name.len : sizeof x->answer.user - 1;

	x->named = true;
	if (name.len) {
		memcpy(x->name, name.at, len);
		memcpy(x->answer.user, name.at, shown);
	}
	x->answer.user[shown] = '\0';
	text_clean(x->answer.user, shown);
	return (struct span){ x->name, len };
}

static void count_by(struct login *x, const char *name)
{
	admission_login_start(x->g->admission, &x->peer, span_of(name), clock_mono_ms(), &x->attempt);
}

void login_name(struct login *x, struct span name, struct account_login *l)
{
	assert(!x->named);
	x->user = take_apart(x, keep_name(x, name));
	(void)login_look(x, l);
	count_by(x, x->account);
}

/* What counts as its user is no name of anybody, so that one who has none hinders only who comes from there. */
void login_nameless(struct login *x)
{
	char name[ADDRESS_TEXT + 1] = "/";

	assert(!x->named);
	x->user = keep_name(x, (struct span){ 0 });
	x->anybody = true;
	(void)address_text(&x->peer, false, name + 1);
	count_by(x, name);
}

void login_act_as(struct login *x, struct span authzid)
{
	struct resolved r;

	if (!authzid.len)
		return;
	x->acts = true;
	(void)resolve(x, take_apart(x, authzid), &r);	/* whoever only PAM knows is not known here */
	x->never = strcmp(r.account, x->account) != 0;
	memcpy(x->answer.routed, r.routed, sizeof r.routed);
}

/* From now on it is a login of who was named, and is counted as one. */
static void name_after(struct login *x, const char *claim)
{
	struct account_login l;

	x->anybody = false;
	x->user = keep_name(x, span_of(claim));
	(void)login_look(x, &l);
	login_wipe(&l);
	count_by(x, x->account);
}

/* A way of a whole domain ("*") makes nobody that account. */
void login_heed(struct login *x, const char *claim)
{
	struct resolved r = { 0 };

	if (claim)
		(void)resolve(x, span_of(claim), &r);
	if (x->anybody && claim)
		name_after(x, claim);
	if (!x->anybody && (!claim || (!r.routed[0] && strcmp(r.account, x->account) == 0)))
		return;
	x->never = true;
	(void)err_set(&x->answer.why, ERR_AUTH, "%s", x->by == BY_TOKEN ? "the token is not for this account" : "it was right for another account");
}
