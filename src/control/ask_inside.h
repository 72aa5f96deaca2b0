/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of ask.h share: the two ways to ask, and the single steps of the
 * one through the socket, for requests and answers with octets behind them. */
#pragma once

#include "control/api.h"
#include "control/ask.h"
#include "net/local_client.h"

struct ask {
	struct store *store;		/* and its API; or */
	struct api *api;
	struct local_client *socket;	/* that of a running instance */
	char *path, *state;
};

[[nodiscard]] bool ask_send(struct ask *a, const char *op, json_t *args, uint64_t octets, int fd, struct err *e);	/* args taken over */
[[nodiscard]] bool ask_receive(struct ask *a, json_t **reply, uint64_t *octets, struct err *e);
/* The operation in this process, done; ended by the caller. */
struct api_call *ask_here(struct ask *a, const char *op, json_t *args, int fd);	/* args taken over */
