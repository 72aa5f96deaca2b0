/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolve.h"

#include <ares.h>
#include <assert.h>
#include <stdlib.h>

#include "net/inside.h"

enum { TIMEOUT_MS = 3000, TRIES = 3, EITHER = 2, NAME_OCTETS_MAX = 253 };

struct socket {			/* one of c-ares's, watched for it */
	uv_poll_t uv;
	struct socket *next;
	struct resolver *resolver;
	ares_socket_t fd;
};

struct resolver {		/* a c-ares channel, there as long as somebody wants an answer */
	uv_timer_t timer;
	struct loop *loop;
	ares_channel channel;
	struct socket *sockets;
	size_t wanted;		/* lookups that are neither answered nor dropped */
	size_t asked;		/* questions not answered yet */
	unsigned busy;		/* c-ares is at work further up the stack */
};

struct resolve {
	struct resolver *resolver;	/* NULL: nobody needs to be asked */
	struct resolve **slot;	/* NULL: dropped, or answered */
	struct resolve_user user;
	uint16_t port;
	uint8_t pending;	/* answers to come, and one while resolve_start is at it */
	uint8_t failures;
	int failed[EITHER];	/* why not, in the order of arrival */
	size_t count;		/* addresses found */
	char host[];
};

/* The sockets and the timer of c-ares */

static void settle(struct resolver *r);

static void give_back(uv_handle_t *h)
{
	free(h);
}

static void process(struct resolver *r, ares_socket_t readable, ares_socket_t writable)
{
	r->busy++;
	ares_process_fd(r->channel, readable, writable);
	r->busy--;
	settle(r);
}

static void on_socket(uv_poll_t *uv, int status, int events)
{
	const struct socket *s = uv->data;
	struct resolver *r = s->resolver;
	ares_socket_t fd = s->fd;

	if (status < 0)		/* an error waits there: reading and writing find it */
		events = UV_READABLE | UV_WRITABLE;
	process(r, events & UV_READABLE ? fd : ARES_SOCKET_BAD, events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static void on_timer(uv_timer_t *uv)
{
	struct resolver *r = uv->data;

	process(r, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct socket *watch(struct resolver *r, ares_socket_t fd)
{
	struct socket *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	if (uv_poll_init(&r->loop->uv, &s->uv, fd)) {
		free(s);
		return NULL;
	}
	s->uv.data = s;
	s->resolver = r;
	s->fd = fd;
	s->next = r->sockets;
	r->sockets = s;
	return s;
}

/* c-ares says what it waits for; after neither it closes the socket. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct socket **at = &r->sockets, *s;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	s = *at;
	if (!readable && !writable) {
		if (s) {
			*at = s->next;
			uv_close((uv_handle_t *)&s->uv, give_back);
		}
		return;
	}
	if (!s)
		s = watch(r, fd);
	if (s)			/* without memory the question times out */
		(void)uv_poll_start(&s->uv, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_socket);
}

static struct resolver *resolver_get(struct loop *l)
{
	struct ares_options o = { .timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = on_socket_state };
	struct resolver *r = l->resolver;

	if (r)
		return r;
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	o.sock_state_cb_data = r;
	r->loop = l;
	if (ares_init_options(&r->channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
		free(r);
		return NULL;
	}
	if (l->dns)
		(void)ares_set_servers_ports_csv(r->channel, l->dns);
	(void)uv_timer_init(&l->uv, &r->timer);
	r->timer.data = r;
	l->resolver = r;
	return r;
}

/* Questions not answered yet are answered as destroyed, from within. */
void resolver_free(struct loop *l)
{
	struct resolver *r = l->resolver;

	if (!r)
		return;
	r->busy++;
	ares_destroy(r->channel);
	assert(!r->asked && !r->sockets);
	l->resolver = NULL;
	uv_close((uv_handle_t *)&r->timer, give_back);
}

/* After each call into c-ares: the timer as it wants it, or the channel's end;
 * a server that keeps silent holds up nobody who does not wait for it. */
static void settle(struct resolver *r)
{
	struct timeval tv;

	if (r->busy)
		return;			/* whoever is at it will settle */
	if (!r->wanted) {
		resolver_free(r->loop);
		return;
	}
	if (ares_timeout(r->channel, NULL, &tv))
		loop_timer(r->loop, &r->timer, on_timer, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1);
}

/* The lookups */

/* Both questions failed: what does that mean for the user? */
static void explain(const struct resolve *q, struct err *why)
{
	int other = ARES_SUCCESS;

	for (uint8_t i = 0; i < q->failures; i++) {
		if (q->failed[i] == ARES_ENOTFOUND || q->failed[i] == ARES_EBADNAME) {
			(void)err_set(why, ERR_NET, "no such host: DNS does not know %s; check `host`", q->host);
			return;
		}
		if (q->failed[i] != ARES_ENODATA)
			other = q->failed[i];
	}
	if (other == ARES_SUCCESS)
		(void)err_set(why, ERR_NET, "%s has no address: DNS knows the name, but no A or AAAA record of it", q->host);
	else
		(void)err_set(why, ERR_NET, "the name %s cannot be looked up: %s; check the name servers in resolv.conf", q->host,
			ares_strerror(other));
}

/* One answer less to come; the last frees the lookup. */
static void answer(struct resolve *q, const union address *at, size_t count)
{
	struct resolve_user user = q->user;
	bool last = --q->pending == 0, wanted = q->slot != NULL;
	struct err why = { 0 };

	q->count += count;
	if (last && wanted) {
		q->resolver->wanted--;
		*q->slot = NULL;
		if (!q->count)
			explain(q, &why);
	}
	if (last)
		free(q);
	if (wanted && (last || count))
		user.found(user.user, at, count, last, last && why.kind ? &why : NULL);
}

static void on_addresses(void *arg, int status, [[maybe_unused]] int timeouts, struct ares_addrinfo *info)
{
	union address at[RESOLVE_MAX];
	struct resolve *q = arg;
	size_t count = 0;

	q->resolver->asked--;
	for (struct ares_addrinfo_node *n = info ? info->nodes : NULL; n && count < RESOLVE_MAX; n = n->ai_next) {
		if ((n->ai_family != AF_INET && n->ai_family != AF_INET6) || n->ai_addrlen > sizeof at[0])
			continue;
		memcpy(&at[count], n->ai_addr, n->ai_addrlen);
		if (n->ai_family == AF_INET)
			at[count++].v4.sin_port = htons(q->port);
		else
			at[count++].v6.sin6_port = htons(q->port);
	}
	if (info)
		ares_freeaddrinfo(info);
	if (!count) {
		assert(q->failures < EITHER);
		q->failed[q->failures++] = status == ARES_SUCCESS ? ARES_ENODATA : status;
	}
	answer(q, at, count);
}

static void ask(struct resolve *q, int family)
{
	struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT, .ai_family = family, .ai_socktype = SOCK_STREAM };

	q->pending++;
	q->resolver->asked++;
	ares_getaddrinfo(q->resolver->channel, q->host, NULL, &hints, on_addresses, q);
}

/* RFC 6761: "localhost" and what is below it never leave this machine. */
static bool is_localhost(const char *host)
{
	struct span s = span_of(host);

	if (s.len && s.at[s.len - 1] == '.')
		s.len--;
	if (s.len > 9 && s.at[s.len - 10] == '.')
		s = span_from(s, s.len - 9);
	return span_equal_nocase(s, SPAN("localhost"));
}

static size_t without_asking(const char *host, uint16_t port, union address at[EITHER])
{
	if (is_localhost(host))
		return address_parse("::1", port, &at[0]) && address_parse("127.0.0.1", port, &at[1]) ? 2 : 0;
	return address_parse(host, port, &at[0]) ? 1 : 0;
}

void resolve_start(struct loop *l, const char *host, uint16_t port, const struct resolve_user *u, struct resolve **slot)
{
	size_t len = strlen(host);
	union address at[EITHER];
	size_t count = without_asking(host, port, at);
	struct resolver *r;
	struct resolve *q;
	struct err e;

	*slot = NULL;
	if (count) {
		u->found(u->user, at, count, true, NULL);
		return;
	}
	q = len <= NAME_OCTETS_MAX + 1 ? calloc(1, sizeof *q + len + 1) : NULL;
	if (!q || !(q->resolver = resolver_get(l))) {
		free(q);
		(void)err_set(&e, ERR_LOCAL, "%s", len > NAME_OCTETS_MAX ? "the name is too long"
			: "the resolver cannot be started: out of memory or descriptors");
		u->found(u->user, NULL, 0, true, &e);
		return;
	}
	memcpy(q->host, host, len + 1);
	q->user = *u;
	q->port = port;
	q->slot = slot;
	q->pending = 1;		/* until both questions are asked: answers may come from within */
	*slot = q;
	r = q->resolver;
	r->wanted++;
	r->busy++;
	ask(q, AF_INET6);
	ask(q, AF_INET);
	answer(q, NULL, 0);
	r->busy--;
	settle(r);
}

void resolve_drop(struct resolve **slot)
{
	struct resolve *q = *slot;

	if (!q)
		return;
	*slot = NULL;
	q->slot = NULL;
	q->resolver->wanted--;
	settle(q->resolver);
}
