/* SPDX-License-Identifier: Apache-2.0 */
#include "net/https.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "net/inside.h"

enum { CONNECTIONS_KEPT = 8, PASSWORD_MAX = 4096 };

struct https {
	struct loop *loop;
	CURLM *multi;
	struct timer *timer;
	struct timer *over;		/* fires at once: answers are given from the loop, not from within libcurl */
	struct https_call *calls;
	uint32_t timeout_ms;
	bool busy;			/* inside libcurl */
};

struct https_call {
	struct https *https;
	struct https_call *next, **at;
	CURL *easy;
	char *form;
	size_t form_len;
	struct buf body;
	char host[256];
	char error[CURL_ERROR_SIZE];
	bool too_much, is_over;
	CURLcode code;
	void (*done)(void *user, const struct https_answer *answer);
	void *user;
};

struct watched {		/* a socket of libcurl's */
	uv_poll_t uv;
	struct https *https;
	curl_socket_t fd;
};

/* ---- memory that is wiped when it is given back */

static void give_back(void *at)
{
	if (at)
		wipe(at, malloc_usable_size(at));
	free(at);
}

static void *resize(void *at, size_t size)
{
	void *more = malloc(size);
	size_t had = at ? malloc_usable_size(at) : 0;

	if (!more)
		return NULL;
	if (had)
		memcpy(more, at, had < size ? had : size);
	give_back(at);
	return more;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static void start_curl(void)
{
	usable = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, give_back, resize, strdup, calloc) == CURLE_OK;
}

/* ---- URLs */

static bool is_this_machine(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)		/* nor 127.example.org, whose owner is anybody */
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

static bool parts_good(CURLU *u, const char *url, char **host, char **scheme, struct err *e)
{
	if (strlen(url) > HTTPS_URL_MAX || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, host, 0) != CURLUE_OK || curl_url_get(u, CURLUPART_SCHEME, scheme, 0) != CURLUE_OK)
		return err_set(e, ERR_CONFIG, "not a URL such as https://auth.example.org/introspect");
	if (strcmp(*scheme, "https") != 0 && strcmp(*scheme, "http") != 0)
		return err_set(e, ERR_CONFIG, "%.16s:// cannot be asked; write https://", *scheme);
	if (strcmp(*scheme, "http") == 0 && !is_this_machine(*host))
		return err_set(e, ERR_CONFIG, "http:// shows tokens to whoever is on the way to %.80s; write https://", *host);
	return true;
}

/* The host's name goes to `out` (for words to people), when that is not NULL. */
static bool look_at(const char *url, char *out, size_t size, struct err *e)
{
	char *host = NULL, *scheme = NULL;
	CURLU *u;
	bool good;

	(void)pthread_once(&once, start_curl);
	u = curl_url();
	if (!u)
		return err_set(e, ERR_LOCAL, "out of memory");
	good = parts_good(u, url, &host, &scheme, e);
	if (good && out)
		(void)snprintf(out, size, "%s", host);
	curl_free(host);
	curl_free(scheme);
	curl_url_cleanup(u);
	return good;
}

bool https_url_good(const char *url, struct err *e)
{
	return look_at(url, NULL, 0, e);
}

/* ---- between libcurl and libuv */

static void free_watched(uv_handle_t *uv)
{
	free(uv->data);
}

/* What is over is only marked here: done() may end calls, and libcurl is not to see that. */
static void collect(struct https *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct https_call *c;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		c->is_over = true;
		c->code = m->data.result;
		timer_set(h->over, 0, 0);
	}
}

static void turn(struct https *h, curl_socket_t fd, int what)
{
	int running;

	h->busy = true;
	(void)curl_multi_socket_action(h->multi, fd, what, &running);
	h->busy = false;
	collect(h);
}

static void on_socket(uv_poll_t *uv, int status, int events)
{
	struct watched *w = uv->data;
	int what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

	turn(w->https, w->fd, status < 0 ? CURL_CSELECT_ERR : what);
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *user, void *socket)
{
	struct https *h = user;
	struct watched *w = socket;
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			uv_close((uv_handle_t *)&w->uv, free_watched);
		(void)curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof *w);
		if (!w)
			return -1;
		if (uv_poll_init_socket(&h->loop->uv, &w->uv, fd) != 0) {
			free(w);
			return -1;
		}
		w->uv.data = w;
		w->https = h;
		w->fd = fd;
		(void)curl_multi_assign(h->multi, fd, w);
	}
	return uv_poll_start(&w->uv, events, on_socket) == 0 ? 0 : -1;
}

static void on_timer(void *user)
{
	turn(user, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *user)
{
	struct https *h = user;

	(void)multi;
	if (ms < 0)
		timer_stop(h->timer);
	else
		timer_set(h->timer, (uint64_t)ms, 0);
	return 0;
}

/* ---- answers */

static void tell(struct https_call *c)
{
	struct https_answer a = { .good = c->code == CURLE_OK, .body = buf_span(&c->body), .form = { c->form, c->form_len } };
	curl_off_t after = 0;
	long status = 0;

	if (a.good) {
		(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &after);
		a.status = (unsigned)status;
		a.retry_after_s = after <= 0 ? 0 : after < HTTPS_RETRY_MAX_S ? (uint32_t)after : HTTPS_RETRY_MAX_S;
	} else if (c->too_much) {
		(void)err_set(&a.why, ERR_NET, "%s: the answer has more than %d octets", c->host, HTTPS_ANSWER_MAX);
	} else {
		text_clean(c->error, strlen(c->error));
		(void)err_set(&a.why, c->code == CURLE_OUT_OF_MEMORY ? ERR_LOCAL : ERR_NET, "%s: %.160s", c->host,
			c->error[0] ? c->error : curl_easy_strerror(c->code));
	}
	c->done(c->user, &a);		/* may end it, and others */
}

static void on_over(void *user)
{
	struct https *h = user;

	for (;;) {
		struct https_call *c = h->calls;

		while (c && !c->is_over)
			c = c->next;
		if (!c)
			return;
		c->is_over = false;
		tell(c);
	}
}

static size_t take(char *at, size_t size, size_t count, void *user)
{
	struct https_call *c = user;

	if (buf_add(&c->body, (struct span){ at, size * count }))
		return size * count;
	c->too_much = true;
	return 0;
}

/* ---- asking */

static bool set_all(struct https_call *c, const struct https_ask *ask)
{
	const struct https *h = c->https;
	CURL *e = c->easy;
	char password[PASSWORD_MAX + 1];
	bool good;

	good = curl_easy_setopt(e, CURLOPT_URL, ask->url) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)h->timeout_ms / 2) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEDATA, c) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PRIVATE, c) == CURLE_OK;
	if (good && ask->ca_certificates)	/* these authorities, and no others */
		good = curl_easy_setopt(e, CURLOPT_CAINFO, ask->ca_certificates) == CURLE_OK && curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK;
	if (good && c->form)
		good = curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)c->form_len) == CURLE_OK && curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->form) == CURLE_OK;
	if (good && ask->name) {
		(void)snprintf(password, sizeof password, "%.*s", (int)ask->password.len, ask->password.at ? ask->password.at : "");
		good = ask->password.len <= PASSWORD_MAX && curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
		       curl_easy_setopt(e, CURLOPT_USERNAME, ask->name) == CURLE_OK && curl_easy_setopt(e, CURLOPT_PASSWORD, password) == CURLE_OK;
		wipe(password, sizeof password);
	}
	return good;
}

static bool begin(struct https_call *c, const struct https_ask *ask, struct err *e)
{
	if (!look_at(ask->url, c->host, sizeof c->host, e))
		return false;
	c->easy = curl_easy_init();
	c->form_len = ask->form.len;
	c->form = ask->form.len ? malloc(ask->form.len) : NULL;
	if (c->form)
		memcpy(c->form, ask->form.at, ask->form.len);
	if (!c->easy || (ask->form.len && !c->form) || !set_all(c, ask) || curl_multi_add_handle(c->https->multi, c->easy) != CURLM_OK)
		return err_set(e, ERR_LOCAL, "%s cannot be asked: out of memory", c->host);
	return true;
}

struct https_call *https_ask(struct https *h, const struct https_ask *ask, struct err *e)
{
	struct https_call *c = calloc(1, sizeof *c);

	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	assert(!h->busy);
	c->https = h;
	c->done = ask->done;
	c->user = ask->user;
	buf_start(&c->body, HTTPS_ANSWER_MAX);
	c->next = h->calls;
	c->at = &h->calls;
	if (c->next)
		c->next->at = &c->next;
	h->calls = c;
	if (!begin(c, ask, e))
		https_end(&c);
	return c;
}

void https_end(struct https_call **out)
{
	struct https_call *c = *out;

	if (!c)
		return;
	assert(!c->https->busy);
	if (c->easy) {
		(void)curl_multi_remove_handle(c->https->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	if (c->form)
		wipe(c->form, c->form_len);
	free(c->form);
	buf_wipe(&c->body);
	free(c);
	*out = NULL;
}

/* ---- the client */

static bool set_multi(struct https *h)
{
	return curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) == CURLM_OK &&
	       curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT) == CURLM_OK;
}

struct https *https_new(const struct https_with *with, struct err *e)
{
	struct https *h = calloc(1, sizeof *h);

	(void)pthread_once(&once, start_curl);
	if (h) {
		h->loop = with->loop;
		h->timeout_ms = with->timeout_ms;
		h->multi = usable ? curl_multi_init() : NULL;
		h->timer = timer_new(with->loop, on_timer, h);
		h->over = timer_new(with->loop, on_over, h);
		if (h->multi && h->timer && h->over && set_multi(h))
			return h;
	}
	https_free(&h);
	(void)err_set(e, ERR_LOCAL, "out of memory");
	return NULL;
}

void https_free(struct https **out)
{
	struct https *h = *out;

	if (!h)
		return;
	assert(!h->calls);
	if (h->multi)
		(void)curl_multi_cleanup(h->multi);	/* closes what was kept: watch() is told of each */
	timer_free(&h->timer);
	timer_free(&h->over);
	free(h);
	*out = NULL;
}
