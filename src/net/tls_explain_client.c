/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's broken handshake, in the words of our log. */
#include <openssl/err.h>
#include <openssl/tls1.h>
#include <openssl/x509.h>

#include "net/tls_inside.h"

static const struct reason {
	int code;
	const char *text;
} reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, "the client speaks no TLS version that tls.min and tls.max allow; it needs an update" },
	{ SSL_R_VERSION_TOO_LOW, "the client speaks no TLS version that tls.min and tls.max allow; it needs an update" },
	{ SSL_R_WRONG_VERSION_NUMBER, "what the client sent is not TLS" },
	{ SSL_R_HTTP_REQUEST, "the client speaks HTTP" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, "what the client sent is not TLS" },
	{ SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "what the client sent is not TLS" },
	{ SSL_R_NO_SHARED_CIPHER, "no cipher is common with the client: see tls.ciphers and tls.ciphersuites, "
		"or it cannot use a key of our certificate's kind" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "the client cannot use a key of our certificate's kind" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "no group for the key exchange is common with the client" },
	{ SSL_R_NO_SUITABLE_GROUPS, "no group for the key exchange is common with the client" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "the client asks for another protocol than ours (ALPN)" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, "the client fell back to an older TLS version although both could do better: somebody may be interfering" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "what came in was changed on the way or is broken (bad MAC)" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not know the authority of our certificate: does `certificate` hold the whole chain?" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the client does not accept our certificate: is it for the name that the client calls us by?" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the client cannot use a certificate of our kind" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client says that our certificate expired" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the client says that our certificate was revoked" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the client refuses the TLS versions that tls.min and tls.max allow" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the client finds no cipher or key type in common with us" },
};

static bool is_reason(unsigned long code, int reason)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == reason;
}

void tls_explain_client(const SSL *ssl, struct err *e)
{
	unsigned long code = ERR_peek_error();
	const char *text = NULL;

	for (size_t i = 0; !text && i < COUNT(reasons); i++)
		if (is_reason(code, reasons[i].code))
			text = reasons[i].text;
	if (is_reason(code, SSL_R_CERTIFICATE_VERIFY_FAILED))
		(void)err_set(e, ERR_TLS, "the client's certificate is not accepted: %s", X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	else if (text)
		(void)err_set(e, ERR_TLS, "TLS broke: %s", text);
	else if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET)
		(void)err_set(e, ERR_TLS, "TLS broke: the client ended it with the alert \"%s\"",
			SSL_alert_desc_string_long(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET));
	else
		(void)err_set(e, ERR_TLS, "TLS broke: %s", (text = ERR_reason_error_string(code)) ? text : "no reason is known");
	ERR_clear_error();
}
