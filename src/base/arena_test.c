/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"

/* Sizes around a block's, each piece zeroed, aligned, apart from all others. */
static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	enum { PIECES = 2000 };
	static unsigned char *at[PIECES];
	static size_t sizes[PIECES];
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		sizes[i] = i % 100 == 99 ? 4000 + i : i % 67;
		at[i] = arena_take(&a, sizes[i]);
		assert_non_null(at[i]);
		assert_int_equal((uintptr_t)at[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(at[i][k], 0);
		memset(at[i], (int)(i % 255) + 1, sizes[i]);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(at[i][k], i % 255 + 1);
	arena_end(&a);
	assert_null(a.blocks);
	arena_end(&a);
	assert_non_null(arena_take(&a, 1));	/* it may be used again */
	arena_end(&a);
}

static void text_is_copied_and_terminated(void **state)
{
	struct arena a = { 0 };
	char source[] = "anna\0x";
	char *text = arena_text(&a, (struct span){ source, 6 });

	(void)state;
	memset(source, 'y', sizeof source);
	assert_memory_equal(text, "anna\0x", 7);
	assert_string_equal(arena_text(&a, SPAN("")), "");
	assert_string_equal(arena_text(&a, (struct span){ 0 }), "");
	arena_end(&a);
}

/* More than there can be: a message and the end, not a small piece. */
static void what_cannot_be_had_ends_the_program(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 16, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char said[64] = "";
		int status, ends[2];
		ssize_t n;
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct arena a = { 0 };

			(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
			(void)dup2(ends[1], STDERR_FILENO);
			_exit(arena_take(&a, sizes[i]) != NULL);
		}
		(void)close(ends[1]);
		n = read(ends[0], said, sizeof said - 1);
		(void)close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(n > 0);
		assert_string_equal(said, "postrider: out of memory\n");
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(text_is_copied_and_terminated),
		cmocka_unit_test(what_cannot_be_had_ends_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
