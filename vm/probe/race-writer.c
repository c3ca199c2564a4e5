// SPDX-License-Identifier: GPL-2.0-only
/* The writers' side of a race. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "race.h"
#include "record.h"

#define REFUSED_PAUSE_US 100

/* Overlap is counted in memory that all share; everything else a writer counts is its own. */
static void note_overlap(struct race *r, uint32_t cycle)
{
	uint32_t last = atomic_load(&r->overlapped_last);

	while (last < cycle) {
		if (atomic_compare_exchange_weak(&r->overlapped_last, &last, cycle)) {
			atomic_fetch_add(&r->overlapped, 1);
			return;
		}
	}
}

uint32_t race_overlap(uint32_t begin, uint32_t end)
{
	uint32_t cycle = TAG_CYCLE(end);

	if (TAG_PHASE(end) < PHASE_REMOVING) {
		if (!cycle)
			return 0;
		cycle--;
	}
	return begin <= TAG(cycle, PHASE_REMOVING) ? cycle + 1 : 0;
}

static off_t place(const struct writer *w)
{
	uint64_t at = w->issued;

	if (w->race->o->shared_file)
		at = at * w->race->o->writers + w->index;
	return (off_t)(at * BLOCK);
}

/* The write itself: 0, an errno or ERR_SHORT. */
static int issue(struct writer *w, int fd)
{
	const struct options *o = w->race->o;
	ssize_t n;

	if (o->record_size == 1)
		*w->buf = record_byte(w->issued);
	else
		record_make(w->buf, o->record_size, o->seed, w->index, w->issued);
	n = o->aligned ? pwrite(fd, w->buf, o->record_size, place(w)) :
			 write(fd, w->buf, o->record_size);
	if (n < 0)
		return errno;
	return n == (ssize_t)o->record_size ? 0 : ERR_SHORT;
}

static enum outcome failure(struct writer *w, enum syscall_name sc, int err, bool refusal)
{
	errmap_add(&w->errs, sc, err);
	return refusal ? OUTCOME_REFUSED : OUTCOME_FAILED;
}

/* @issued: whether write(2) was called, so that its number must not be used again. */
static enum outcome attempt(struct writer *w, bool *issued)
{
	struct race *r = w->race;
	enum outcome outcome = OUTCOME_ACKNOWLEDGED;
	int fd = w->fd, err;

	*issued = false;
	if (!r->held) {
		int flags = O_WRONLY | O_CLOEXEC | (r->o->aligned ? 0 : O_APPEND);

		fd = openat(r->p->vol.root_fd, w->path, flags);
		if (fd < 0)
			return failure(w, SC_OPEN, errno, probe_refusal(errno));
	}
	*issued = true;
	err = issue(w, fd);
	if (err)
		outcome = failure(w, SC_WRITE, err, err == ENOKEY);
	if (!r->held && close(fd))
		outcome = failure(w, SC_CLOSE, errno, errno == ENOKEY);
	return outcome;
}

static void log_ack(struct writer *w, uint32_t tag)
{
	int err = acklog_set(&w->log, w->issued, tag + 1);

	if (err)
		fail(w->race->o->ack_dir, "acknowledgement log", err,
		     "4 bytes for each acknowledged write", "use a larger tmpfs or fewer attempts");
}

static void step(struct writer *w)
{
	struct race *r = w->race;
	uint32_t begin = atomic_load(&r->tag), end, cycle;
	bool issued;
	enum outcome outcome = attempt(w, &issued);

	end = atomic_load(&r->tag);
	w->attempts++;
	shared_bump(w->counts->attempts);
	switch (outcome) {
	case OUTCOME_ACKNOWLEDGED:
		log_ack(w, end);
		w->acknowledged++;
		shared_bump(w->counts->acknowledged);
		cycle = race_overlap(begin, end);
		if (cycle) {
			w->overlapped++;
			note_overlap(r, cycle);
		}
		break;
	case OUTCOME_REFUSED:
		w->refused++;
		shared_bump(w->counts->refused);
		/* Only the remover can end the refusals: do not spend the attempts on them. */
		clock_sleep_us(REFUSED_PAUSE_US);
		break;
	case OUTCOME_FAILED:
		w->failed++;
		shared_bump(w->counts->failed);
		break;
	}
	/* Bare bytes carry no number: one that failed is written again, so that none is missing. */
	if (issued && (outcome == OUTCOME_ACKNOWLEDGED || r->o->record_size > 1))
		w->issued++;
}

void *race_writer(void *arg)
{
	struct writer *w = arg;
	const struct options *o = w->race->o;
	uint64_t share = o->bound_value / o->writers + (w->index < o->bound_value % o->writers);

	while (!atomic_load_explicit(&w->race->stop, memory_order_relaxed)) {
		if (o->bound == BOUND_ATTEMPTS && w->attempts >= share)
			break;
		if (o->bound == BOUND_ACKS && w->acknowledged >= share)
			break;
		step(w);
		/* A file that is always open is never evicted, and then its opens are never refused. */
		if (o->pause_every && !prng_below(&w->prng, o->pause_every))
			clock_sleep_us(prng_below(&w->prng, (uint64_t)o->pause_us + 1));
	}
	atomic_fetch_sub(&w->race->active, 1);
	return NULL;
}
