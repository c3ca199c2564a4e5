// SPDX-License-Identifier: GPL-2.0-only
/* However the working process ends, whoever reads stdout gets whole lines and a result. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "probe.h"
#include "selftest.h"
#include "supervise.h"

#define RESULT "{\"type\":\"result\",\"verdict\":\"kept\"}\n"

static void say(const char *s)
{
	if (write(STDOUT_FILENO, s, strlen(s)) < 0)
		_exit(3);
}

static int good(const struct options *o, struct shared *s)
{
	(void)o;
	(void)s;
	say("{\"type\":\"start\"}\n" RESULT);
	return 0;
}

static int cannot(const struct options *o, struct shared *s)
{
	(void)o;
	(void)s;
	say("{\"type\":\"error\"}\n");
	return 1;
}

static int hangs(const struct options *o, struct shared *s)
{
	(void)o;
	shared_phase(s, "remove-key");
	shared_bump(s->writer[0].attempts);
	shared_bump(s->writer[3].attempts);
	say("{\"type\":\"start\"}\n{\"type\":\"res");
	pause();
	return 9;
}

static int hangs_after_result(const struct options *o, struct shared *s)
{
	(void)o;
	(void)s;
	say(RESULT);
	pause();
	return 9;
}

static int crashes(const struct options *o, struct shared *s)
{
	(void)o;
	shared_phase(s, "verify");
	say("{\"type\":\"start\"}\n{\"type\":\"result\",\"verd");
	raise(SIGKILL);
	return 0;
}

static int leaves(const struct options *o, struct shared *s)
{
	(void)o;
	(void)s;
	return 7;
}

struct answer {
	char text[4096];
	int status;
	uint64_t ms;
};

/* @sig: sent to the supervisor after its first line, if not 0. */
static struct answer supervised(int (*work)(const struct options *, struct shared *), uint32_t deadline,
				int sig)
{
	static const struct probe_def def = { .name = "test" };
	struct options o = { .probe = &def, .mount = "/nonexistent/enokey-selftest",
			     .deadline_s = deadline };
	struct answer a = { .status = -1 };
	uint64_t begin = clock_ns();
	size_t len = 0;
	int p[2];
	ssize_t n;
	pid_t pid;

	fflush(NULL);
	if (pipe(p))
		return a;
	pid = fork();
	if (!pid) {
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		if (!freopen("/dev/null", "w", stderr))
			_exit(4);
		_exit(supervise(&o, work));
	}
	close(p[1]);
	while (len < sizeof(a.text) - 1 && (n = read(p[0], a.text + len, sizeof(a.text) - 1 - len)) > 0) {
		len += (size_t)n;
		if (sig)
			kill(pid, sig);
		sig = 0;
	}
	close(p[0]);
	waitpid(pid, &a.status, 0);
	a.status = WIFEXITED(a.status) ? WEXITSTATUS(a.status) : -1;
	a.ms = (clock_ns() - begin) / 1000000;
	return a;
}

static bool ends_in_error(const struct answer *a, const char *reason, const char *phase)
{
	char want[2][64];

	snprintf(want[0], sizeof(want[0]), "\"reason\":\"%s\"", reason);
	snprintf(want[1], sizeof(want[1]), "\"phase\":\"%s\"", phase);
	return a->status == 1 && strstr(a->text, "\"verdict\":\"error\"") && strstr(a->text, want[0]) &&
	       strstr(a->text, want[1]) && a->text[strlen(a->text) - 1] == '\n';
}

void selftest_supervise(void)
{
	struct answer a;

	a = supervised(good, 60, 0);
	CHECK(a.status == 0 && !strcmp(a.text, "{\"type\":\"start\"}\n" RESULT));
	a = supervised(cannot, 60, 0);
	CHECK(a.status == 1 && !strcmp(a.text, "{\"type\":\"error\"}\n"));
	a = supervised(hangs, 1, 0);
	CHECK(ends_in_error(&a, "deadline", "remove-key") && a.ms >= 1000);
	CHECK(strstr(a.text, "\"attempts\":2,"));
	/* What the child had begun to print when it was killed must not be there. */
	CHECK(!strstr(a.text, "{\"type\":\"res{") && !strstr(a.text, "{\"type\":\"res\n"));
	a = supervised(hangs_after_result, 1, 0);
	CHECK(a.status == 1 && !strcmp(a.text, RESULT));
	a = supervised(crashes, 60, 0);
	CHECK(ends_in_error(&a, "signal", "verify") && !strstr(a.text, "\"verd{"));
	a = supervised(leaves, 60, 0);
	CHECK(ends_in_error(&a, "exit", "start") && strstr(a.text, "exited with 7"));
	a = supervised(hangs, 60, SIGTERM);
	CHECK(ends_in_error(&a, "signal", "remove-key") && a.ms < 30000);
}
