/* SPDX-License-Identifier: Apache-2.0
 *
 * Section `oauth` of a connection: what an issuer is asked for, and what the providers that everybody knows want. */
#include <stdio.h>

#include "config/build.h"

#define MICROSOFT "https://login.microsoftonline.com/"

static const char *const keys[] = {
	"oauth", "oauth.provider", "oauth.tenant", "oauth.flow", "oauth.client_id", "oauth.client_secret", "oauth.token_url", "oauth.device_url",
	"oauth.scope", "oauth.ca_certificates",
};

static bool given(const struct section *section)
{
	for (size_t n = 0; n < COUNT(keys); n++)
		if (section_given(section, keys[n]))
			return true;
	return false;
}

static const char *tenant_url(struct settings *s, const char *tenant, const char *rest)
{
	size_t size = sizeof MICROSOFT + strlen(tenant) + strlen(rest);
	char *url = arena_take(&s->arena, size);

	(void)snprintf(url, size, MICROSOFT "%s%s", tenant, rest);
	return url;
}

static const char *microsoft_scope(const struct connection *c)
{
	if (c->oauth.flow == OAUTH_CLIENT_CREDENTIALS)
		return "https://outlook.office365.com/.default";
	return c->protocol == PROTOCOL_IMAP ? "https://outlook.office.com/IMAP.AccessAsUser.All offline_access" :
		"https://outlook.office.com/POP.AccessAsUser.All offline_access";
}

/* What was written wins. */
static void fill(struct settings *s, struct connection *c, const struct section *section)
{
	struct oauth_keys *o = &c->oauth;
	const char *token = NULL, *device = NULL, *scope = NULL;

	switch (o->provider) {
	case OAUTH_GOOGLE:
		token = "https://oauth2.googleapis.com/token";
		device = "https://oauth2.googleapis.com/device/code";
		scope = "https://mail.google.com/";
		if (!section_given(section, "oauth.flow"))
			o->flow = OAUTH_REFRESH_TOKEN;
		break;
	case OAUTH_MICROSOFT:
		if (!o->tenant)
			o->tenant = "common";
		token = tenant_url(s, o->tenant, "/oauth2/v2.0/token");
		device = tenant_url(s, o->tenant, "/oauth2/v2.0/devicecode");
		scope = microsoft_scope(c);
		break;
	case OAUTH_OTHER:
		break;
	}
	o->token_url = o->token_url ? o->token_url : token;
	o->device_url = o->device_url ? o->device_url : device;
	o->scope = o->scope ? o->scope : scope;
}

static bool many_tenants(const char *tenant)
{
	return strcmp(tenant, "common") == 0 || strcmp(tenant, "organizations") == 0 || strcmp(tenant, "consumers") == 0;
}

static void check_provider(const struct oauth_keys *o, const struct section *section, struct report *r)
{
	if (o->tenant && o->provider != OAUTH_MICROSOFT)
		section_warning(section, r, "oauth.tenant", "only Microsoft has tenants; without provider = microsoft it has no effect");
	if (o->provider == OAUTH_GOOGLE && o->flow == OAUTH_DEVICE)
		section_warning(section, r, "oauth.flow", "Google gives no token for mail by its device flow; write refresh_token");
	if (o->provider == OAUTH_MICROSOFT && o->flow == OAUTH_CLIENT_CREDENTIALS && many_tenants(o->tenant))
		section_error(section, r, "oauth", "Microsoft has client_credentials in one tenant only; write tenant = \"DOMAIN or ID\"");
}

/* What was given and is wrong was told already. */
static void check_keys(const struct oauth_keys *o, const struct section *section, struct report *r)
{
	if (!o->client_id && !section_given(section, "oauth.client_id"))
		section_error(section, r, "oauth", "client_id is missing; write client_id = … as the issuer gave it to this program");
	if (!o->token_url && !section_given(section, "oauth.token_url"))
		section_error(section, r, "oauth", "token_url is missing; write token_url = \"https://HOST/PATH\", or provider = google or microsoft");
	if (o->flow == OAUTH_DEVICE && !o->device_url && !section_given(section, "oauth.device_url"))
		section_error(section, r, "oauth", "flow device needs the place where codes are given out; write device_url = \"https://HOST/PATH\", or flow = refresh_token");
	if (o->flow == OAUTH_CLIENT_CREDENTIALS && o->client_secret.kind == SECRET_NONE)
		section_error(section, r, "oauth", "client_credentials need a secret; write client_secret = 'file:PATH' or 'command:CMD'");
}

/* Section and mechanisms; without such a section a password may be a token that another program gets. */
static void check_mechanisms(const struct connection *c, const struct section *section, struct report *r)
{
	size_t tokens = 0, others = 0;

	for (size_t n = 0; n < c->auth_count; n++) {
		tokens += value_mechanism_token(c->auth[n]);
		others += !value_mechanism_token(c->auth[n]) && c->auth[n] != MECHANISM_EXTERNAL;
	}
	if (c->has_oauth && (others || !tokens) && !c->auth_auto)
		section_error(section, r, "auth", "section oauth gets tokens, not passwords; write auth = auto, or {\"oauthbearer\", \"xoauth2\"}");
	if (!c->has_oauth && tokens && others)
		section_error(section, r, "auth", "a password is no token; leave out oauthbearer and xoauth2, or the others");
	else if (!c->has_oauth && tokens && c->password.kind == SECRET_NONE && !section_given(section, "password"))
		section_warning(section, r, "auth", "tokens come from section oauth, or from a program; write oauth { … }, or password = 'command:CMD' that prints one");
}

void build_oauth(struct settings *s, struct connection *c, const struct section *section, struct report *r)
{
	c->has_oauth = given(section);
	check_mechanisms(c, section, r);
	if (!c->has_oauth)
		return;
	c->oauth.where = section_where(section, "oauth");
	fill(s, c, section);
	check_provider(&c->oauth, section, r);
	check_keys(&c->oauth, section, r);
	if (section_given(section, "password"))
		section_warning(section, r, "password", "section oauth logs in; it has no effect");
}
