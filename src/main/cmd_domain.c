/* SPDX-License-Identifier: Apache-2.0
 * postrider domain: which domains accounts may be in, and what holds there */
#include <stdio.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/limits.h"
#include "net/address.h"
#include "store/domain.h"

static json_t *domain_json(const struct domain_info *info)
{
	char made[MOMENT_TEXT];
	json_t *row = json_pack("{s:o, s:s, s:o}", "domain", json_text(info->name), "made", moment_text(info->made, made),
		"address", *info->address ? json_text(info->address) : json_null());

	limits_json(row, &info->limits);
	return row;
}

static int list(struct cli *cli, const char *name)
{
	struct domain_info info = { .name = "" };
	char made[MOMENT_TEXT];

	(void)name;
	while (domain_each(cli->store, &info))
		if (cli->json)
			json_print(domain_json(&info));
		else
			(void)printf("%s  made %s%s%s\n", info.name, moment_text(info.made, made), *info.address ? "  at " : "", info.address);
	return EXIT_GOOD;
}

static int show(struct cli *cli, const char *name)
{
	struct domain_info info;
	char made[MOMENT_TEXT];
	struct err e;

	if (!domain_find(cli->store, name, &info, &e))
		return cli_failed(cli, &e);
	if (cli->json) {
		json_t *row = domain_json(&info);

		(void)json_object_set_new(row, "accounts", json_integer((json_int_t)info.accounts));
		json_print(row);
		return EXIT_GOOD;
	}
	(void)printf("domain        %s\nmade          %s\naccounts      %zu\naddress       %s\n", info.name, moment_text(info.made, made),
		info.accounts, *info.address ? info.address : "none");
	limits_print(&info.limits);
	return EXIT_GOOD;
}

static int add(struct cli *cli, const char *name)
{
	struct err e;

	if (!domain_add(cli->store, name, &e))
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("domain %s added; from the first one on, accounts of other domains are refused\n", name);
	return EXIT_GOOD;
}

static int remove_domain(struct cli *cli, const char *name)
{
	struct err e;

	if (!domain_remove(cli->store, name, &e))
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("domain %s removed\n", name);
	return EXIT_GOOD;
}

static bool set_address(struct domain_info *info, const char *word, const char *value, struct err *e)
{
	char text[ADDRESS_TEXT];
	union address a;

	if (!limits_key(word, "address"))
		return err_set(e, ERR_CONFIG, "%.*s is none of quota, max_sessions, address", (int)(value - word - 1), word);
	info->address[0] = '\0';
	if (strcmp(value, "none") == 0)
		return true;
	if (!address_parse(value, 0, &a) || strlen(address_text(&a, false, text)) > DOMAIN_ADDRESS_MAX)
		return err_set(e, ERR_CONFIG, "address: %.80s is not an address such as 192.0.2.1 or 2001:db8::1", value);
	memcpy(info->address, text, strlen(text) + 1);
	return true;
}

static int set(struct cli *cli, const char *name)
{
	struct domain_info info;
	struct err e;
	bool good = domain_find(cli->store, name, &info, &e);

	for (size_t n = 2; n < cli->arg_count && good; n++) {
		const char *value;

		switch (limits_word(cli->args[n], &info.limits, &value, &e)) {
		case LIMITS_SET:
			break;
		case LIMITS_OTHER:
			good = set_address(&info, cli->args[n], value, &e);
			break;
		case LIMITS_WRONG:
			good = false;
			break;
		}
	}
	good = good && domain_set(cli->store, &info, &e);
	if (good && !cli->quiet)
		(void)printf("domain %s changed\n", info.name);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

static const struct verb {
	const char *name;
	size_t least, most;		/* words behind it */
	const char *takes;
	int (*run)(struct cli *cli, const char *name);
} verbs[] = {
	{ "add", 1, 1, "one name", add }, { "list", 0, 0, "no name", list }, { "remove", 1, 1, "one name", remove_domain },
	{ "set", 2, SIZE_MAX, "a name and KEY=VALUE…", set }, { "show", 1, 1, "one name", show },
};

static int run(struct cli *cli)
{
	const struct verb *verb = NULL;
	int status;

	for (size_t n = 0; n < COUNT(verbs) && cli->arg_count; n++)
		if (strcmp(verbs[n].name, cli->args[0]) == 0)
			verb = &verbs[n];
	if (!verb)
		return cli_usage(cli, "say add NAME, list, show NAME, set NAME KEY=VALUE or remove NAME");
	if (cli->arg_count - 1 < verb->least || cli->arg_count - 1 > verb->most)
		return cli_usage(cli, "%s takes %s", verb->name, verb->takes);
	status = cli_settings(cli, false);
	if (status != EXIT_GOOD)
		return status;
	status = cli_store(cli);
	return status == EXIT_GOOD ? verb->run(cli, verb->least ? cli->args[1] : "") : status;
}

const struct command cmd_domain = {
	.name = "domain", .usage = "add NAME | list | show NAME | set NAME KEY=VALUE… | remove NAME", .run = run, .does = "domains of the POP3 side",
	.help = "While there is none, accounts may have any domain; then only those that are there, and main_domain.\n"
		"KEYs: quota=SIZE, max_sessions=N for accounts that have none of their own (each also none, default);\n"
		"address=ADDRESS: bare names that come in at this local address belong to the domain (also none).\n",
};
