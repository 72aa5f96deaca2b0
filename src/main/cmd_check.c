/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/log.h"
#include "config/settings_pop3.h"
#include "main/commands.h"
#include "main/pam_begin.h"
#include "main/permitted.h"
#include "main/secrets.h"
#include "serve/certificates.h"
#include "serve/oauth.h"
#include "serve/users.h"

/* What `run` will open; and what its user could not, as far as we can ask.  This may be
 * another machine than the service's, so a user who is not there is no error. */
static bool check_files(const struct settings *s, struct err *e)
{
	struct privileges p;
	struct err who;

	if (s->pop3 && (!certificates_check(s->pop3, e) || !users_check(s, e) || !oauth_check(s->pop3, e)))
		return false;
	pam_begin_check(s);
	if (!privileges_find(s->run_as, &p, &who))
		log_warn(NULL, "%s", who.text);
	else
		(void)permitted_files(&p, s);
	return true;
}

static int run(struct cli *cli)
{
	struct err e;
	int status;

	if (cli->arg_count)
		return cli_usage(cli, "takes no arguments; the configuration to check is named by -c FILE");
	status = cli_settings(cli, true);
	if (status != EXIT_GOOD)
		return status;
	if (!check_files(&cli->settings, &e)) {
		(void)fprintf(stderr, "%s\n", e.text);
		return EXIT_USAGE;
	}
	secrets_check(cli);
	if (!cli->quiet)
		(void)printf("%s: good: %zu connection%s, %zu target%s, %zu warning%s\n", cli->settings.file,
			cli->settings.connection_count, cli->settings.connection_count == 1 ? "" : "s",
			cli->settings.target_count, cli->settings.target_count == 1 ? "" : "s",
			cli->settings.warning_count, cli->settings.warning_count == 1 ? "" : "s");
	return EXIT_GOOD;
}

const struct command cmd_check = {
	.name = "check", .warns = true, .usage = "[-c FILE]", .does = "validate the configuration", .run = run,
	.help = "Reports every error of meaning in one run, each with file, line and what to write instead.\n"
		"The certificate, key, ca_certificates, passwd-files and client_secret of section pop3 are opened, too.\n"
		"Secrets that are not in the vault are warned of, where there is one to look into.\n"
		"Warnings name keys whose feature is not built yet.  Exit status 2 when there is an error.\n",
};
