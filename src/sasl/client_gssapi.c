/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/client_gssapi.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 300, LAYERS = 4, NO_LAYER = 1 };	/* RFC 4752 section 3.3: octets; the bit for none */

enum stage { STAGE_CONTEXT, STAGE_LAYER, STAGE_DONE };

struct gssapi {
	enum stage stage;
	bool began;
	gss_ctx_id_t context;
	gss_name_t server;
	char *name, *user;	/* "imap@mail.example.org" */
};

struct gssapi *gssapi_new(const char *service, const char *host, const char *user)
{
	struct gssapi *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->context = GSS_C_NO_CONTEXT;
	g->server = GSS_C_NO_NAME;
	g->user = strdup(user);
	if (asprintf(&g->name, "%s@%s", service, host) < 0)
		g->name = NULL;
	if (!g->user || !g->name)
		gssapi_free(&g);
	return g;
}

void gssapi_free(struct gssapi **g)
{
	OM_uint32 minor;

	if (!*g)
		return;
	if ((*g)->context != GSS_C_NO_CONTEXT)
		(void)gss_delete_sec_context(&minor, &(*g)->context, GSS_C_NO_BUFFER);
	if ((*g)->server != GSS_C_NO_NAME)
		(void)gss_release_name(&minor, &(*g)->server);
	free((*g)->name);
	free((*g)->user);
	free(*g);
	*g = NULL;
}

bool gssapi_done(const struct gssapi *g)
{
	return g->stage == STAGE_DONE;
}

/* The library's words: the mechanism's, which are of the matter, else the general ones. */
static void words(OM_uint32 major, OM_uint32 minor, char out[WORDS_MAX])
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 ignored, more = 0;
	bool own = minor != 0;

	(void)snprintf(out, WORDS_MAX, "error %u/%u", (unsigned)major, (unsigned)minor);
	if (gss_display_status(&ignored, own ? minor : major, own ? GSS_C_MECH_CODE : GSS_C_GSS_CODE, gss_mech_krb5, &more, &text) != GSS_S_COMPLETE)
		return;
	(void)snprintf(out, WORDS_MAX, "%.*s", (int)text.length, (const char *)text.value);
	(void)gss_release_buffer(&ignored, &text);
}

static bool no_kdc(OM_uint32 minor)
{
	return minor == (OM_uint32)KRB5_KDC_UNREACH || minor == (OM_uint32)KRB5_REALM_CANT_RESOLVE;
}

/* Before the server said anything it is about our ticket, then about the server's answer. */
static bool fail(const struct gssapi *g, OM_uint32 major, OM_uint32 minor, bool answered, struct err *e)
{
	char why[WORDS_MAX];

	words(major, minor, why);
	if (no_kdc(minor))
		return err_set(e, ERR_PEER, "GSSAPI: no Kerberos server answers: %s", why);
	if (answered)
		return err_set(e, ERR_AUTH, "GSSAPI: the server refused the ticket, or did not prove who it is: %s", why);
	if (minor == (OM_uint32)KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN)
		return err_set(e, ERR_CONFIG, "GSSAPI: no ticket for %s, is `host` the server's name in Kerberos? %s", g->name, why);
	return err_set(e, ERR_CONFIG, "GSSAPI: no Kerberos ticket: %s; get one with kinit for the user that Postrider runs as, or name a client keytab "
		"in KRB5_CLIENT_KTNAME", why);
}

static bool add(struct buf *out, gss_buffer_t token, struct err *e)
{
	OM_uint32 minor;
	bool fits = !token->length || buf_add(out, (struct span){ token->value, token->length });
	size_t len = token->length;

	(void)gss_release_buffer(&minor, token);
	return fits || err_set(e, ERR_LOCAL, "GSSAPI: a response of %zu octets", len);
}

static bool import_name(struct gssapi *g, struct err *e)
{
	gss_buffer_desc text = { strlen(g->name), g->name };
	OM_uint32 minor, major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &g->server);

	return !GSS_ERROR(major) || fail(g, major, minor, false, e);
}

static bool context_step(struct gssapi *g, struct span challenge, struct buf *response, struct err *e)
{
	enum { WANTED = GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG | GSS_C_SEQUENCE_FLAG };
	gss_buffer_desc in = { challenge.len, (void *)challenge.at }, out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major, has = 0;
	bool answered = g->began;

	if (g->server == GSS_C_NO_NAME && !import_name(g, e))
		return false;
	major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &g->context, g->server, (gss_OID)gss_mech_krb5, WANTED, 0, GSS_C_NO_CHANNEL_BINDINGS,
		answered ? &in : GSS_C_NO_BUFFER, NULL, &out, &has, NULL);
	if (GSS_ERROR(major)) {
		OM_uint32 ignored;

		(void)gss_release_buffer(&ignored, &out);
		return fail(g, major, minor, answered, e);
	}
	g->began = true;
	if (!add(response, &out, e))
		return false;
	if (major & GSS_S_CONTINUE_NEEDED)
		return true;
	g->stage = STAGE_LAYER;
	return (has & WANTED & ~(OM_uint32)GSS_C_SEQUENCE_FLAG) == (GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG) ||
	       err_set(e, ERR_AUTH, "GSSAPI: the server did not prove who it is");
}

/* The server says which layers it has; we take none (RFC 4752 section 3.1). */
static bool layer_step(struct gssapi *g, struct span challenge, struct buf *response, struct err *e)
{
	gss_buffer_desc in = { challenge.len, (void *)challenge.at }, plain = GSS_C_EMPTY_BUFFER, out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, ignored, major = gss_unwrap(&minor, g->context, &in, &plain, NULL, NULL);
	size_t len = LAYERS + strlen(g->user);
	char *answer;
	bool offered;

	if (GSS_ERROR(major))
		return fail(g, major, minor, true, e);
	offered = plain.length == LAYERS && (*(unsigned char *)plain.value & NO_LAYER);
	(void)gss_release_buffer(&ignored, &plain);
	if (!offered)
		return err_set(e, ERR_CONFIG, "GSSAPI: the server wants a security layer of its own, which TLS makes needless; leave gssapi out of auth");
	answer = calloc(1, len);
	if (!answer)
		return err_set(e, ERR_LOCAL, "out of memory");
	answer[0] = NO_LAYER;		/* and no message of any size behind it */
	memcpy(answer + LAYERS, g->user, len - LAYERS);
	in = (gss_buffer_desc){ len, answer };
	major = gss_wrap(&minor, g->context, 0, GSS_C_QOP_DEFAULT, &in, NULL, &out);
	free(answer);
	if (GSS_ERROR(major))
		return fail(g, major, minor, true, e);
	g->stage = STAGE_DONE;
	return add(response, &out, e);
}

bool gssapi_step(struct gssapi *g, struct span challenge, struct buf *response, struct err *e)
{
	switch (g->stage) {
	case STAGE_CONTEXT:
		if (g->began == (challenge.len > 0))
			return context_step(g, challenge, response, e);
		break;
	case STAGE_LAYER:
		return layer_step(g, challenge, response, e);
	case STAGE_DONE:
		break;
	}
	return err_set(e, g->began ? ERR_AUTH : ERR_PEER, "GSSAPI: the server's challenge makes no sense");
}
