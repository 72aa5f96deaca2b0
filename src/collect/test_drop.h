/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a maildrop behind a POP3 server in a thread, with faults to switch on.
 *
 * The drop is the test's own; between visits the test may change it freely,
 * during one only the server touches it.  DELE takes effect at QUIT. */
#pragma once

#include "net/test_server.h"

enum { DROP_MAX = 32 };

#define DROP_LINE "a line that is sixty-four octets long with its end, of no meaning.\r\n"

struct drop_mail {
	char uid[80];		/* "" = a blank one */
	char text[400];		/* as on the wire, without the final dot; lines end with CRLF */
	bool marked;
};

struct drop {
	struct server server;
	struct drop_mail messages[DROP_MAX];
	size_t count;
	bool no_uidl, no_top, no_pipelining, wrong_password, mute_quit, refuse_quit;
	bool refuse_stat, refuse_list, ignore_dele;
	size_t stat_more, list_first;	/* STAT counts so many more; UIDL shows only so many (0 = all) */
	bool same_number;		/* UIDL numbers all messages 1 */
	size_t lines;			/* of DROP_LINE follow each message's text */
	size_t refuse_retr, cut_retr, refuse_dele;	/* message number; 0 = none */
	unsigned retrs, tops;		/* asked in the last session */
};

void drop_start(struct drop *d);
void drop_stop(struct drop *d);
void drop_add(struct drop *d, const char *uid, const char *text);
