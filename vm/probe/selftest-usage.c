// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selftest.h"

/* Runs @probe with @args (ends with NULL): its exit status; bytes on stdout and lines on stderr. */
static int run(const char *probe, char *const args[], ssize_t *out, unsigned int *err_lines)
{
	char *argv[32] = { (char *)probe }, buf[65536];
	int o[2], e[2], status;
	ssize_t n;
	pid_t pid;

	for (int i = 0; i < 30 && args[i]; i++)
		argv[i + 1] = args[i];
	if (pipe(o) || pipe(e))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(o[1], 1);
		dup2(e[1], 2);
		close(o[0]);
		close(e[0]);
		execv(probe, argv);
		_exit(127);
	}
	close(o[1]);
	close(e[1]);
	for (*out = 0; (n = read(o[0], buf, sizeof(buf))) > 0;)
		*out += n;
	for (*err_lines = 0; (n = read(e[0], buf, sizeof(buf))) > 0;)
		for (ssize_t i = 0; i < n; i++)
			*err_lines += buf[i] == '\n';
	close(o[0]);
	close(e[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define COMMON "--mount", "/m", "--device", "/d", "--fstype", "ext4", "--ack-dir", "/a", "--seed", "1"

void selftest_usage(const char *probe)
{
	char *const bad[][24] = {
		{ NULL },
		{ "no-such-probe", NULL },
		{ "open-fd", NULL },
		{ "open-fd", "--mount", "/m", NULL },
		{ "open-fd", COMMON, "--cycles", "0", NULL },
		{ "open-fd", COMMON, "--cycles", "-1", NULL },
		{ "open-fd", COMMON, "--cycles", "1x", NULL },
		{ "open-fd", COMMON, "--cycles", "", NULL },
		{ "open-fd", COMMON, "--cycles", NULL },
		{ "open-fd", COMMON, "--seed", "9007199254740992", NULL },
		{ "open-fd", COMMON, "--gap", "none,never", NULL },
		{ "open-fd", COMMON, "--gap", "none,none", NULL },
		{ "open-fd", COMMON, "--gap", "", NULL },
		{ "open-fd", COMMON, "--attempts", "1", NULL },
		{ "open-fd", COMMON, "--unknown", NULL },
		{ "open-fd", COMMON, "word", NULL },
		{ "open-fd", COMMON, "--cyc", "1", NULL },
		{ "open-fd", COMMON, "--cyc=1", NULL },
		{ "parked", COMMON, "--park-ms", "50001", NULL },
		{ "race-append", COMMON, "--attempts", "1", "--seconds", "1", NULL },
		{ "race-append", COMMON, "--record", "2", NULL },
		{ "race-append", COMMON, "--record", "65537", NULL },
		{ "race-append", COMMON, "--record", "1", "--shared-file", NULL },
		{ "race-append", COMMON, "--writers", "65", NULL },
		{ "race-append", COMMON, "--gap", "none", NULL },
	};
	char *const good[][4] = {
		{ "--help", NULL }, { "--version", NULL }, { "open-fd", "--help", NULL },
		{ "race-append", "--help", NULL }, { "parked", "-h", NULL },
	};
	unsigned int lines;
	ssize_t out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int status = run(probe, bad[i], &out, &lines);

		if (status != 2 || out || lines != 1)
			fprintf(stderr, "usage error %zu: status %d, %zd bytes, %u lines\n", i, status,
				out, lines);
		CHECK(status == 2 && out == 0 && lines == 1);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK(run(probe, good[i], &out, &lines) == 0 && out > 20 && !lines);
}
