// SPDX-License-Identifier: GPL-2.0-only
/* After the remount: which acknowledged writes of a race are still there? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "race.h"

static void lose(struct race *r, const struct writer *w, uint64_t n, const char *found)
{
	uint32_t tag = acklog_get(&w->log, n) - 1;

	case_lost(r->c, &(struct lost_example){ w->index, TAG_CYCLE(tag), n, -1, TAG_PHASE(tag),
						found });
	shared_bump(r->p->shared->lost);
}

/* -1 if it cannot be opened, which is counted. */
static int open_back(struct race *r, const struct writer *w)
{
	int fd = openat(r->p->vol.root_fd, w->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		errmap_add(&r->c->verify_errs, SC_OPEN, errno);
	return fd;
}

static void verify_blocks(struct race *r, struct append_scan *s)
{
	const struct options *o = r->o;

	for (uint32_t i = 0; i < o->writers; i++) {
		const struct writer *w = &r->writers[i];

		for (uint64_t n = 0; n < w->issued; n++) {
			uint32_t tag = acklog_get(&w->log, n);
			struct expectation e = {
				.at = o->shared_file ? n * o->writers + i : n, .seq = n, .writer = i,
				.cycle = TAG_CYCLE(tag - 1), .phase = TAG_PHASE(tag - 1),
				.acknowledged = tag != 0,
			};

			if (!tag)
				e.cycle = 0, e.phase = PHASE_PRESENT;
			memcpy(e.name, w->name, sizeof(e.name));
			if (probe_verify(r->p, r->c, &e) == FOUND_INTACT)
				s->bytes += BLOCK;
		}
	}
}

static void verify_records(struct race *r, struct append_scan *s)
{
	uint32_t writers = r->o->writers;

	for (uint32_t i = 0; i < writers; i++) {
		int fd;

		if (i && r->o->shared_file)
			break;
		s->only = r->o->shared_file ? -1 : (int64_t)i;
		fd = open_back(r, &r->writers[i]);
		if (fd < 0)
			continue;
		append_scan(s, fd);
		close(fd);
	}
	for (uint32_t i = 0; i < writers; i++) {
		const struct writer *w = &r->writers[i];

		for (uint64_t n = 0; n < w->issued; n++) {
			bool present = s->present[i][n / 8] >> n % 8 & 1;
			bool acknowledged = acklog_get(&w->log, n) != 0;

			if (acknowledged && !present)
				lose(r, w, n, "absent");
			else if (!acknowledged && present)
				r->c->unacknowledged_present++;
		}
	}
}

struct lost_byte {
	struct race *r;
	struct writer *w;
};

static void lost_byte(void *ctx, uint64_t n, const char *found)
{
	struct lost_byte *l = ctx;

	lose(l->r, l->w, n, found);
}

static void verify_bytes(struct race *r, struct append_scan *s)
{
	for (uint32_t i = 0; i < r->o->writers; i++) {
		struct lost_byte ctx = { r, &r->writers[i] };
		int fd = open_back(r, ctx.w);

		if (fd < 0) {
			for (uint64_t n = 0; n < ctx.w->acknowledged; n++)
				lost_byte(&ctx, n, "unreadable");
			continue;
		}
		byte_scan(fd, ctx.w->acknowledged, &r->c->verify_errs, lost_byte, &ctx, s,
			  &r->c->unacknowledged_present);
		close(fd);
	}
}

void race_verify(struct race *r)
{
	uint32_t writers = r->o->writers;
	uint64_t *issued = calloc(writers, sizeof(*issued));
	unsigned char **present = calloc(writers, sizeof(*present));
	struct append_scan s = { .seed = r->o->seed, .size = r->o->record_size, .writers = writers,
				 .only = -1, .issued = issued, .present = present,
				 .errs = &r->c->verify_errs };
	bool ok = issued && present;

	for (uint32_t i = 0; ok && i < writers; i++) {
		issued[i] = r->writers[i].issued;
		present[i] = calloc(issued[i] / 8 + 1, 1);
		ok = present[i];
	}
	if (!ok)
		fail("memory", "calloc", ENOMEM, "a bit for each write", "free some memory");
	shared_phase(r->p->shared, "verify");
	if (r->o->aligned)
		verify_blocks(r, &s);
	else if (r->o->record_size == 1)
		verify_bytes(r, &s);
	else
		verify_records(r, &s);
	r->c->wrong += s.wrong;
	atomic_fetch_add(&r->p->shared->wrong, s.wrong);
	case_observe(r->c, "bytes_found", s.bytes);
	case_observe(r->c, "zero_slots", s.zero_slots);
	case_observe(r->c, "duplicates", s.duplicates);
	for (uint32_t i = 0; i < writers; i++)
		free(present[i]);
	free(present);
	free(issued);
}
