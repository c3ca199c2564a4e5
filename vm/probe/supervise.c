// SPDX-License-Identifier: GPL-2.0-only
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "probe.h"

#define LINE_MAX_BYTES (256u * 1024u)
#define NS_A_SECOND 1000000000ULL

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

struct relay {
	char line[LINE_MAX_BYTES];
	size_t len;
	bool final;	/* a result or an error line went out */
	bool broken;	/* nobody reads our stdout any more */
};

static void put(struct relay *r, const char *s, size_t n)
{
	while (n && !r->broken) {
		ssize_t w = write(STDOUT_FILENO, s, n);

		if (w < 0 && errno == EINTR && !caught)
			continue;
		if (w < 0) {
			r->broken = true;
			return;
		}
		s += w;
		n -= (size_t)w;
	}
}

static bool starts(const struct relay *r, const char *prefix)
{
	return r->len >= strlen(prefix) && !memcmp(r->line, prefix, strlen(prefix));
}

/* Passes on whole lines only: a child killed in the middle of one must not spoil the last line. */
static void feed(struct relay *r, const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (r->len < LINE_MAX_BYTES)
			r->line[r->len++] = buf[i];
		if (buf[i] != '\n')
			continue;
		if (r->line[r->len - 1] == '\n') {
			put(r, r->line, r->len);
			if (starts(r, "{\"type\":\"result\"") || starts(r, "{\"type\":\"error\""))
				r->final = true;
		}
		r->len = 0;
	}
}

static void print_progress(struct relay *r, const struct options *o, struct shared *s, uint64_t start)
{
	struct json j;

	json_init(&j);
	json_open(&j, NULL, '{');
	json_string(&j, "type", "progress");
	json_uint(&j, "schema", SCHEMA);
	json_string(&j, "probe", o->probe->name);
	json_string(&j, "phase", atomic_load(&s->phase));
	json_uint(&j, "elapsed_ms", (clock_ns() - start) / 1000000);
	json_uint(&j, "attempts", shared_sum(s, attempts));
	json_uint(&j, "acknowledged", shared_sum(s, acknowledged));
	json_uint(&j, "removals", atomic_load(&s->removals));
	json_close(&j, '}');
	if (json_emit(&j, STDOUT_FILENO))
		r->broken = true;
}

/* The result of a probe that did not get to print its own. */
static void print_dead(struct relay *r, const struct options *o, struct shared *s, uint64_t start,
		       const char *reason, const char *detail)
{
	const char *phase = atomic_load(&s->phase);
	uint64_t ms = (clock_ns() - start) / 1000000;
	struct json j;

	fprintf(stderr, "enokey-probe %s: %s (%s) in phase %s after %llu ms\n", o->probe->name, reason,
		detail, phase, (unsigned long long)ms);
	if (r->broken)
		return;
	json_init(&j);
	json_open(&j, NULL, '{');
	json_string(&j, "type", "result");
	json_uint(&j, "schema", SCHEMA);
	json_string(&j, "probe", o->probe->name);
	json_uint(&j, "seed", o->seed);
	json_string(&j, "verdict", "error");
	json_string(&j, "reason", reason);
	json_string(&j, "detail", detail);
	json_string(&j, "phase", phase);
	json_open(&j, "totals", '{');
	json_uint(&j, "attempts", shared_sum(s, attempts));
	json_uint(&j, "acknowledged", shared_sum(s, acknowledged));
	json_uint(&j, "refused", shared_sum(s, refused));
	json_uint(&j, "failed", shared_sum(s, failed));
	json_uint(&j, "lost", atomic_load(&s->lost));
	json_uint(&j, "wrong", atomic_load(&s->wrong));
	json_close(&j, '}');
	json_open(&j, "durations_ms", '{');
	json_uint(&j, "setup", 0);
	json_uint(&j, "run", 0);
	json_uint(&j, "verify", 0);
	json_uint(&j, "total", ms);
	json_close(&j, '}');
	json_open(&j, "cases", '[');
	json_close(&j, ']');
	json_close(&j, '}');
	json_emit(&j, STDOUT_FILENO);
}

/* True if the child is gone within 2 s; a thread stuck in the kernel outlives SIGKILL. */
static bool kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	for (int i = 0; i < 200; i++) {
		pid_t r = waitpid(pid, NULL, WNOHANG);

		if (r == pid || (r < 0 && errno == ECHILD))
			return true;
		clock_sleep_us(10000);
	}
	return false;
}

/* Reads what is there from @fd. False at its end. */
static bool drain(int fd, struct relay *r)
{
	char buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0) {
		if (r)
			feed(r, buf, (size_t)n);
		else if (write(STDERR_FILENO, buf, (size_t)n) < 0)
			return true; /* stderr is for people: if nobody listens, go on */
	}
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static int finish(struct relay *r, const struct options *o, struct shared *s, uint64_t start,
		  pid_t pid)
{
	char detail[64];
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r->final)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	/* Crashed, or killed for lack of memory. */
	if (WIFSIGNALED(status)) {
		snprintf(detail, sizeof(detail), "the probe was ended by signal %d", WTERMSIG(status));
		print_dead(r, o, s, start, "signal", detail);
	} else {
		snprintf(detail, sizeof(detail), "the probe exited with %d without a result",
			 WEXITSTATUS(status));
		print_dead(r, o, s, start, "exit", detail);
	}
	umount2(o->mount, UMOUNT_NOFOLLOW);
	return 1;
}

static int watch(struct relay *r, const struct options *o, struct shared *s, pid_t pid, int out,
		 int err)
{
	uint64_t start = clock_ns();
	uint64_t end = start + o->deadline_s * NS_A_SECOND, next = start + NS_A_SECOND;
	struct pollfd fds[2] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };
	char detail[64];

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		uint64_t now = clock_ns();

		if (r->final && (caught || r->broken || now >= end)) {
			/* The answer is out; only the tidying did not end. */
			kill_child(pid);
			return 1;
		}
		if (caught || r->broken) {
			snprintf(detail, sizeof(detail),
				 caught ? "signal %d to the supervisor" : "stdout was closed",
				 (int)caught);
			if (kill_child(pid))
				umount2(o->mount, UMOUNT_NOFOLLOW);
			print_dead(r, o, s, start, "signal", detail);
			return 1;
		}
		if (now >= end) {
			snprintf(detail, sizeof(detail), "not finished after %u s", o->deadline_s);
			/* The answer first: whatever is stuck may not let us do anything else. */
			print_dead(r, o, s, start, "deadline", detail);
			kill_child(pid);
			return 1;
		}
		if (o->progress && !r->final && now >= next) {
			print_progress(r, o, s, start);
			next = now + NS_A_SECOND;
		}
		if (poll(fds, 2, 100) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (fds[i].fd >= 0 && fds[i].revents && !drain(fds[i].fd, i ? NULL : r))
				fds[i].fd = -1;
	}
	return finish(r, o, s, start, pid);
}

int supervise(const struct options *o, int (*work)(const struct options *, struct shared *))
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct shared *s;
	struct relay *r;
	int out[2], err[2];
	pid_t parent = getpid(), pid;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r = calloc(1, sizeof(*r));
	if (s == MAP_FAILED || !r || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		fprintf(stderr, "enokey-probe: cannot start: %s\n", strerror(errno));
		return 1;
	}
	atomic_store(&s->phase, "start");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		fprintf(stderr, "enokey-probe: fork: %s\n", strerror(errno));
		return 1;
	}
	if (!pid) {
		/* The pipes only: a stuck child must not keep the caller's stdout open. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		_exit(work(o, s));
	}
	close(out[1]);
	close(err[1]);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	return watch(r, o, s, pid, out[0], err[0]);
}
