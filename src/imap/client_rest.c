/* SPDX-License-Identifier: Apache-2.0
 *
 * A session at rest: without its working memory, and back.
 *
 * Of what is outstanding only IDLE may be, and its slot is made again out of
 * idle and idle_tag. */
#include <assert.h>

#include "imap/client_internal.h"

size_t imc_rested_size(void)
{
	return offsetof(struct imc, working);
}

bool imc_may_rest(const struct imc *s)
{
	bool due = s->piece.len || s->set.len || s->ending || s->warn || s->news_due || s->enable_next || s->compress_next || s->eof || s->failed;

	return s->phase == PHASE_READY && s->turn == TURN_SERVER && !due && !s->in.len && !imc_out(s).len && s->r.at == AT_TAG &&
		tokens_between(&s->tokens) && s->count == (s->idle != IDLE_NOT);
}

/* The first time all of it is wiped: the login's secrets were in it. */
void imc_rest(struct imc *s, struct imc_rested *rested)
{
	bool wiped = s->rested;

	assert(imc_may_rest(s));
	s->rested = true;
	memcpy(rested, s, imc_rested_size());
	wipe(s, wiped ? offsetof(struct imc, challenge) : sizeof *s);
	s->phase = PHASE_OVER;
}

void imc_resume(struct imc *s, const struct imc_rested *rested)
{
	memset(s, 0, offsetof(struct imc, challenge));
	memcpy(s, rested, imc_rested_size());
	assert(s->rested && s->phase == PHASE_READY);
	client_lend(s);
	if (!s->idle)
		return;
	s->asked[0] = (struct asked){ .tag = s->idle_tag, .verb = VERB_IDLE };
	s->count = 1;
}
