/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/tls1.h>
#include <stdio.h>

#include "net/tls_inside.h"

enum { OFFERED_TEXT = 120, OFFERED_ROOM = 60 };

/* OpenSSL's reasons in our words.  An alert is the server's word, the others are ours. */
static const struct reason {
	int code;
	bool technical;
	const char *text;
} reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, true, "the server speaks only a TLS version that tls.protocols does not allow; "
		"it needs an update (TLSv1 and TLSv1.1 need tls.legacy = true)" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, true, "the server refuses the TLS versions that tls.protocols allows: "
		"it is too old (TLSv1 and TLSv1.1 need tls.legacy = true), or wants a newer one" },
	{ SSL_R_VERSION_TOO_LOW, true, "the server's TLS version is too old for this security level; tls.legacy = true allows it" },
	{ SSL_R_NO_PROTOCOLS_AVAILABLE, true, "no TLS version is left that both this OpenSSL and tls.protocols allow" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, true, "the server says that it could do a newer TLS version: somebody may be interfering" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, true, "the server finds no cipher or key type in common with us, "
		"or wants a client certificate; see tls.ciphers, tls.ciphersuites and tls.certificate" },
	{ SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, true, "the server finds our ciphers too weak; see tls.ciphers" },
	{ SSL_R_NO_CIPHERS_AVAILABLE, true, "tls.ciphers and tls.ciphersuites leave nothing for the TLS versions that tls.protocols allows" },
	{ SSL_R_DH_KEY_TOO_SMALL, true, "the server's Diffie-Hellman key is too small; tls.ciphers = \"ECDHE+AESGCM\" avoids it, tls.legacy = true accepts it" },
	{ SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, true, "the server knows no secure renegotiation (RFC 5746); tls.legacy = true accepts it" },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, true, "the server does not know the name it was called by (SNI); check `host`" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, false, "the server wants a client certificate: set tls.certificate and tls.key" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, false, "the server does not know the authority of our tls.certificate" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, false, "the server does not accept our tls.certificate" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, false, "the server cannot use the kind of our tls.certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, false, "the server says that our tls.certificate expired" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, false, "the server says that our tls.certificate was revoked" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, false, "the server does not accept our tls.certificate (of its kind, or from that authority)" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, false, "the server accepts our tls.certificate but denies it access" },
	{ SSL_R_WRONG_VERSION_NUMBER, true, "what the server sent is not TLS" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, true, "what the server sent is not TLS" },
	{ SSL_R_ENCRYPTED_LENGTH_TOO_LONG, true, "what the server sent is not TLS" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, false, "what came in was changed on the way or is broken (bad MAC)" },
};

/* "; we offer TLSv1.2, TLSv1.3 (tls.protocols, tls.min, tls.max)" */
static void offered(const struct tls_settings *s, char *out, size_t size)
{
	static const char *const names[] = { [TLS_1_0] = "TLSv1", [TLS_1_1] = "TLSv1.1", [TLS_1_2] = "TLSv1.2", [TLS_1_3] = "TLSv1.3" };
	size_t used = 0;

	*out = '\0';
	for (size_t n = TLS_1_0; n < COUNT(names); n++)
		if (s->versions & 1u << n && used + OFFERED_ROOM < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "; we offer ", names[n]);
	if (used)
		(void)snprintf(out + used, size - used, " (tls.protocols, tls.min, tls.max)");
}

void tls_explain(const struct tls_peer *p, const SSL *ssl, bool *technical, struct err *e)
{
	unsigned long code = ERR_peek_error();
	const char *text = ERR_reason_error_string(code);
	char more[OFFERED_TEXT] = "";

	*technical = false;
	if (p->verdict->kind) {		/* our own: it says more than OpenSSL does */
		*e = *p->verdict;
	} else {
		for (size_t i = 0; i < COUNT(reasons); i++) {
			if (ERR_GET_LIB(code) != ERR_LIB_SSL || ERR_GET_REASON(code) != reasons[i].code)
				continue;
			text = reasons[i].text;
			*technical = reasons[i].technical;
			if (reasons[i].code == SSL_R_UNSUPPORTED_PROTOCOL || reasons[i].code == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION)
				offered(&p->client->settings, more, sizeof more);
			break;
		}
		*technical = *technical && !SSL_is_init_finished(ssl);
		(void)err_set(e, ERR_TLS, "TLS broke: %s%s", text ? text : "no reason is known", more);
	}
	ERR_clear_error();
}
