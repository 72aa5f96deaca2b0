/* SPDX-License-Identifier: Apache-2.0
 *
 * A harness's main without libFuzzer: runs it over the files named, or in the
 * folders named, and over every beginning of each.  Fails when there are none;
 * the last line is as cmocka's, so that each input counts as a test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { FILE_MAX = 1 << 20, BEGINNINGS_MAX = 4096 };

static unsigned inputs;

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + !size);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static bool replay_file(const char *path)
{
	static uint8_t data[FILE_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return false;
	}
	size = fread(data, 1, sizeof data, file);
	(void)fclose(file);
	printf("%s\n", path);
	(void)fflush(stdout);	/* the last one printed is the one that crashed */
	run(data, size);
	for (size_t n = 0; n < size && n < BEGINNINGS_MAX; n++)
		run(data, n);
	inputs++;
	return true;
}

static bool replay_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);
	bool good = count >= 0;

	if (!good)
		perror(path);
	for (int i = 0; i < count; i++) {
		char name[4096];

		(void)snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			good = replay_file(name) && good;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return good;
}

int main(int argc, char **argv)
{
	bool good = true;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		good = (folder ? replay_folder(argv[i]) : replay_file(argv[i])) && good;
	}
	if (!inputs)
		(void)fputs("replay: no inputs\n", stderr);
	if (good && inputs)
		printf("[  PASSED  ] %u test(s).\n", inputs);
	return good && inputs ? 0 : 1;
}
