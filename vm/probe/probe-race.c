// SPDX-License-Identifier: GPL-2.0-only
/* The multi-threaded half of generic/595, opening each time or through held descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "race.h"

static void make_writers(struct race *r)
{
	const struct options *o = r->o;

	r->writers = aligned_alloc(64, o->writers * sizeof(*r->writers));
	if (!r->writers)
		fail("memory", "aligned_alloc", ENOMEM, "room for the writers", "free some memory");
	memset(r->writers, 0, o->writers * sizeof(*r->writers));
	for (uint32_t i = 0; i < o->writers; i++) {
		struct writer *w = &r->writers[i];
		int err;

		w->race = r;
		w->counts = &r->p->shared->writer[i];
		w->index = i;
		w->fd = -1;
		snprintf(w->name, sizeof(w->name), "writer.%u", o->shared_file ? 0 : i);
		probe_path(r->p, w->name, w->path);
		prng_init(&w->prng, o->seed, 0x7061757365ULL + i);
		w->buf = malloc(o->record_size);
		if (!w->buf)
			fail("memory", "malloc", ENOMEM, "a record", "free some memory");
		err = acklog_open(&w->log, o->ack_dir, i, o->keep_logs);
		if (err)
			fail(o->ack_dir, "acknowledgement log", err, "a directory to write in",
			     "check --ack-dir");
		if (!i || !o->shared_file)
			probe_make_file(r->p, w->name, i, 0);
	}
}

static void check_space(struct race *r)
{
	uint64_t need = r->o->bound_value * BLOCK;
	char observed[96];
	struct statvfs v;

	if (!r->o->aligned || (r->o->bound != BOUND_ATTEMPTS && r->o->bound != BOUND_ACKS) ||
	    fstatvfs(r->p->vol.root_fd, &v))
		return;
	if (need <= (uint64_t)v.f_bavail * v.f_frsize)
		return;
	snprintf(observed, sizeof(observed), "%llu MiB free, %llu MiB needed",
		 (unsigned long long)v.f_bavail * v.f_frsize >> 20, (unsigned long long)need >> 20);
	fail(r->o->device, observed, 0, "64 KiB of disk for each attempt",
	     "fewer --attempts or a larger device");
}

/* For race-held: the descriptors of the whole race. */
static void open_held(struct race *r)
{
	for (uint32_t i = 0; i < r->o->writers; i++) {
		struct writer *w = &r->writers[i];

		w->fd = probe_open(r->p, r->c, w->name, O_WRONLY | (r->o->aligned ? 0 : O_APPEND));
		if (w->fd < 0)
			fail(w->name, "open", errno, "a file that opens while the key is there",
			     "look at dmesg");
	}
}

static void close_held(struct race *r)
{
	for (uint32_t i = 0; i < r->o->writers; i++)
		if (r->writers[i].fd >= 0 && close(r->writers[i].fd))
			errmap_add(&r->c->errs, SC_CLOSE, errno);
}

static void enter(struct race *r, uint32_t cycle, enum race_phase phase)
{
	atomic_store(&r->tag, TAG(cycle, phase));
}

static void remove_once(struct race *r, uint32_t cycle)
{
	struct probe *p = r->p;
	uint32_t flags = 0;
	uint64_t t;
	int err;

	enter(r, cycle, PHASE_PRESENT);
	clock_sleep_us(prng_below(&p->prng, (uint64_t)r->o->present_us + 1));
	enter(r, cycle, PHASE_REMOVING);
	shared_phase(p->shared, "remove-key");
	t = clock_ns();
	err = fskey_remove(&p->key, p->vol.root_fd, &flags);
	t = clock_ns() - t;
	enter(r, cycle, PHASE_ABSENT);
	shared_phase(p->shared, "race");
	probe_account_removal(p, r->c, err, flags, t);
	probe_after_removal(p, r->c);
	clock_sleep_us(prng_below(&p->prng, (uint64_t)r->o->absent_us + 1));
	if (r->o->flush) {
		/* Otherwise what was dirtied without the key waits for it to come back. */
		enter(r, cycle, PHASE_FLUSHING);
		shared_phase(p->shared, "flush");
		if (syncfs(p->vol.root_fd)) {
			errmap_add(&r->c->errs, SC_SYNCFS, errno);
			case_observe(r->c, "flush_errors", 1);
		}
	}
	enter(r, cycle, PHASE_ADDING);
	probe_add_key(p, r->c);
	shared_phase(p->shared, "race");
	r->c->cycles++;
}

/* The remover's side; returns when the race's bound is reached and the key is there. */
static void run_remover(struct race *r)
{
	const struct options *o = r->o;
	uint64_t end = clock_ns() + o->bound_value * 1000000000ULL;

	for (uint32_t cycle = 0; cycle < RACE_CYCLES_MAX; cycle++) {
		if (o->bound == BOUND_CYCLES && cycle >= o->bound_value)
			break;
		if (o->bound == BOUND_SECONDS && clock_ns() >= end)
			break;
		if (!atomic_load(&r->active))
			break;
		remove_once(r, cycle);
	}
	atomic_store(&r->stop, true);
}

static void gather(struct race *r)
{
	struct case_result *c = r->c;
	uint64_t overlapped = 0;

	for (uint32_t i = 0; i < r->o->writers; i++) {
		const struct writer *w = &r->writers[i];

		c->attempts += w->attempts;
		c->acknowledged += w->acknowledged;
		c->refused += w->refused;
		c->failed += w->failed;
		overlapped += w->overlapped;
		errmap_merge(&c->errs, &w->errs);
	}
	c->removal.overlapped = atomic_load(&r->overlapped);
	case_observe(c, "files", r->o->shared_file ? 1 : r->o->writers);
	case_observe(c, "overlapped_attempts", overlapped);
	case_observe(c, "bytes_expected", c->acknowledged * r->o->record_size);
	case_observe(c, "flush_errors", 0);
}

static void race(struct probe *p, bool held)
{
	struct case_result *c = probe_case(p, "race");
	struct race r = { .p = p, .c = c, .o = p->o, .held = held };
	uint32_t writers = p->o->writers;
	uint64_t t;

	shared_phase(p->shared, "setup");
	check_space(&r);
	make_writers(&r);
	if (held)
		open_held(&r);
	atomic_store(&r.active, writers);
	shared_phase(p->shared, "race");
	t = clock_ns();
	for (uint32_t i = 0; i < writers; i++)
		if (pthread_create(&r.writers[i].thread, NULL, race_writer, &r.writers[i]))
			fail("thread", "pthread_create", EAGAIN, "a thread a writer",
			     "fewer --writers");
	run_remover(&r);
	for (uint32_t i = 0; i < writers; i++)
		pthread_join(r.writers[i].thread, NULL);
	c->run_ns = clock_ns() - t;
	close_held(&r);
	gather(&r);

	t = clock_ns();
	probe_remount(p);
	race_verify(&r);
	p->verify_ns += clock_ns() - t;
	case_control(c, "writer-overlapped", c->removal.overlapped > 0,
		     "%llu of %llu removals overlapped an acknowledged attempt",
		     (unsigned long long)c->removal.overlapped, (unsigned long long)c->removal.count);
	case_control(c, "refusal-seen", c->removal.refused_seen > 0,
		     "opening a file that nobody holds was refused after %llu of %llu removals",
		     (unsigned long long)c->removal.refused_seen, (unsigned long long)c->cycles);
	if (!held)
		case_control(c, "writer-refused", c->refused > 0,
			     "%llu of %llu attempts of the writers were refused",
			     (unsigned long long)c->refused, (unsigned long long)c->attempts);
	case_decide(c, false, VERDICT_KEPT);
	for (uint32_t i = 0; i < writers; i++) {
		acklog_close(&r.writers[i].log);
		free(r.writers[i].buf);
	}
	free(r.writers);
}

void probe_race_append(struct probe *p)
{
	race(p, false);
}

void probe_race_held(struct probe *p)
{
	race(p, true);
}
