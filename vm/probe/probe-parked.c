// SPDX-License-Identifier: GPL-2.0-only
/*
 * A writer parked inside write(2), past every check at its entry, while the key is removed. Whether
 * the removal waits for it, and whether its bytes survive, tells the semantics apart without timing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"
#include "record.h"
#include "userfault.h"

#define FAULT_TIMEOUT_MS 10000

/* One helper thread: what it does, and what came of it. */
struct actor {
	pthread_t thread;
	sem_t done;
	atomic_bool returned;
	struct probe *p;
	int fd;
	const void *buf;	/* what it writes, if it writes */
	int err;
	uint32_t flags, status;
	uint64_t ns;
};

static int write_buf(int fd, const void *buf)
{
	ssize_t n = pwrite(fd, buf, BLOCK, 0);

	return n < 0 ? errno : n != BLOCK ? ERR_SHORT : 0;
}

static void finished(struct actor *a)
{
	atomic_store(&a->returned, true);
	sem_post(&a->done);
}

static void *park(void *arg)
{
	struct actor *a = arg;

	a->err = write_buf(a->fd, a->buf);
	finished(a);
	return NULL;
}

static void *removal(void *arg)
{
	struct actor *a = arg;
	uint64_t t = clock_ns();

	a->err = fskey_remove(&a->p->key, a->p->vol.root_fd, &a->flags);
	a->ns = clock_ns() - t;
	finished(a);
	return NULL;
}

/* May block (a frozen file system): so it is a thread, too. */
static void *bystander(void *arg)
{
	struct actor *a = arg;

	a->status = 0;
	if (fskey_status(&a->p->key, a->p->vol.root_fd, &a->status))
		a->status = 0;
	a->err = write_buf(a->fd, a->buf);
	finished(a);
	return NULL;
}

static void start(struct actor *a, struct probe *p, void *(*fn)(void *), int fd, const void *buf)
{
	memset(a, 0, sizeof(*a));
	a->p = p;
	a->fd = fd;
	a->buf = buf;
	sem_init(&a->done, 0, 0);
	if (pthread_create(&a->thread, NULL, fn, a))
		fail("thread", "pthread_create", EAGAIN, "a thread", "free some memory");
}

/* True if the actor is done within @ms. */
static bool done_within(struct actor *a, uint32_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	while (sem_clockwait(&a->done, CLOCK_MONOTONIC, &t))
		if (errno != EINTR)
			return atomic_load(&a->returned);
	return true;
}

static int create(struct probe *p, struct case_result *c, const char *name)
{
	int fd;

	probe_make_file(p, name, 0, 0);
	fd = probe_open(p, c, name, O_WRONLY);
	if (fd < 0)
		fail(name, "open", errno, "a file that opens while the key is there", "look at dmesg");
	return fd;
}

struct scene {
	struct userfault area;
	struct actor writer, remover, other;
	unsigned char content[BLOCK], other_content[BLOCK];
	bool parked;
};

/* From the park to the release. */
static void act(struct probe *p, struct case_result *c, struct scene *s, int fd, int other_fd)
{
	bool returned;
	int err;

	shared_phase(p->shared, "park");
	start(&s->writer, p, park, fd, s->area.area);
	s->parked = !userfault_wait(&s->area, FAULT_TIMEOUT_MS) &&
		    !atomic_load(&s->writer.returned);
	shared_phase(p->shared, "remove-key");
	start(&s->remover, p, removal, -1, NULL);
	returned = done_within(&s->remover, p->o->park_ms);
	case_observe(c, returned ? "removal_returned_while_parked" : "removal_waited", 1);
	s->parked = s->parked && !atomic_load(&s->writer.returned);

	shared_phase(p->shared, "other-write");
	start(&s->other, p, bystander, other_fd, s->other_content);
	if (!done_within(&s->other, p->o->park_ms))
		case_observe(c, "other_file_write_blocked", 1);
	/* A kernel that waits has had two periods by now; one that does not must have been done. */
	shared_phase(p->shared, "release");
	err = userfault_release(&s->area, s->content);
	if (err)
		fail("userfaultfd", "UFFDIO_COPY", err, "the parked page can be supplied",
		     "look at dmesg");
	pthread_join(s->writer.thread, NULL);
	shared_phase(p->shared, "join-removal");
	pthread_join(s->remover.thread, NULL);
	shared_phase(p->shared, "join-other");
	pthread_join(s->other.thread, NULL);
}

static void account_other(struct probe *p, struct case_result *c, const struct actor *a)
{
	static const char *const keys[] = { NULL, "key_status_while_parked_ABSENT",
					    "key_status_while_parked_PRESENT",
					    "key_status_while_parked_INCOMPLETELY_REMOVED" };

	(void)p;
	if (a->err)
		errmap_add(&c->errs, SC_WRITE, a->err);
	case_observe(c, a->err ? "other_file_write_refused" : "other_file_write_ok", 1);
	if (a->status >= 1 && a->status <= 3)
		case_observe(c, keys[a->status], 1);
}

/* @e: the parked write's expectation, then the other file's. Returns whether the writer parked. */
static bool cycle(struct probe *p, struct case_result *c, struct scene *s, uint32_t i,
		  struct expectation *e)
{
	int fd, other_fd, err;

	for (unsigned int w = 0; w < 2; w++) {
		e[w] = (struct expectation){ .writer = w, .seq = i, .cycle = i };
		e[w].phase = PHASE_REMOVING;
		snprintf(e[w].name, sizeof(e[w].name), "%s.%u", w ? "other" : "parked", i);
	}
	fd = create(p, c, e[0].name);
	other_fd = create(p, c, e[1].name);
	record_make(s->content, BLOCK, p->o->seed, 0, i);
	record_make(s->other_content, BLOCK, p->o->seed, 1, i);
	err = userfault_open(&s->area, BLOCK);
	if (err)
		fail("userfaultfd", "userfaultfd", err,
		     "a kernel with CONFIG_USERFAULTFD that lets this user catch kernel faults",
		     "enable CONFIG_USERFAULTFD; run as root");
	act(p, c, s, fd, other_fd);

	probe_account_removal(p, c, s->remover.err, s->remover.flags, s->remover.ns);
	c->removal.overlapped += s->parked && !s->remover.err;
	account_other(p, c, &s->other);
	err = s->writer.err;
	if (err) {
		errmap_add(&c->errs, SC_WRITE, err);
		case_observe(c, "write_errors", 1);
	}
	probe_outcome(p, c, probe_write_outcome(err));
	probe_after_removal(p, c);
	probe_flush(p, c);
	if (close(fd))
		errmap_add(&c->errs, SC_CLOSE, errno);
	if (close(other_fd))
		errmap_add(&c->errs, SC_CLOSE, errno);
	userfault_close(&s->area);
	e[0].acknowledged = !err;
	e[1].acknowledged = !s->other.err;
	probe_add_key(p, c);
	return s->parked;
}

/* The bystander's write is an observation: it does not decide what became of the parked one. */
static void verify_other(struct probe *p, struct case_result *c, const struct expectation *e)
{
	int fd = probe_open(p, NULL, e->name, O_RDONLY);
	struct errmap *errs = &c->verify_errs;
	bool intact = false;

	if (fd >= 0) {
		intact = probe_read_block(p, errs, fd, e->at, e->writer, e->seq, NULL) ==
			 FOUND_INTACT;
		close(fd);
	}
	case_observe(c, "other_file_lost", e->acknowledged && !intact);
}

void probe_parked(struct probe *p)
{
	static const char *const counters[] = { "removal_returned_while_parked", "removal_waited",
						"other_file_write_ok", "other_file_write_refused",
						"other_file_write_blocked", "other_file_lost",
						"key_status_while_parked_PRESENT",
						"key_status_while_parked_INCOMPLETELY_REMOVED",
						"key_status_while_parked_ABSENT", "write_errors" };
	struct case_result *c = probe_case(p, "write");
	struct expectation *e = calloc(2 * (size_t)p->o->cycles, sizeof(*e));
	struct scene *s = calloc(1, sizeof(*s));
	uint64_t t = clock_ns();
	uint32_t parked = 0;

	if (!e || !s)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		case_observe(c, counters[i], 0);
	for (uint32_t i = 0; i < p->o->cycles; i++) {
		parked += cycle(p, c, s, i, &e[2 * i]);
		c->cycles++;
	}
	c->run_ns = clock_ns() - t;

	t = clock_ns();
	probe_remount(p);
	for (uint32_t i = 0; i < p->o->cycles; i++) {
		probe_verify(p, c, &e[2 * i]);
		verify_other(p, c, &e[2 * i + 1]);
	}
	p->verify_ns += clock_ns() - t;
	probe_common_controls(p, c);
	case_control(c, "writer-parked", parked == p->o->cycles,
		     "the write was stopped in the kernel across the removal in %u of %u cycles", parked,
		     p->o->cycles);
	case_decide(c, true, VERDICT_KEPT);
	free(s);
	free(e);
}
