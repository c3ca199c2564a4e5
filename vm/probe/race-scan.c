// SPDX-License-Identifier: GPL-2.0-only
/* Reading back what the appends of a race left in a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "race.h"
#include "record.h"

#define WINDOW (1u << 20)
#define PAGE 4096u

/* The file from its start to its end; places that cannot be read give zeros and are counted. */
struct stream {
	int fd;
	struct errmap *errs;
	unsigned char *buf;
	size_t pos, len;
	off_t next;	/* offset of what follows buf + len */
	bool end;
};

static void stream_open(struct stream *s, int fd, struct errmap *errs)
{
	*s = (struct stream){ .fd = fd, .errs = errs, .buf = malloc(WINDOW) };
	if (!s->buf)
		fail("memory", "malloc", ENOMEM, "1 MiB", "free some memory");
}

static void fill(struct stream *s)
{
	memmove(s->buf, s->buf + s->pos, s->len - s->pos);
	s->len -= s->pos;
	s->pos = 0;
	while (s->len < WINDOW && !s->end) {
		ssize_t n = pread(s->fd, s->buf + s->len, WINDOW - s->len, s->next);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* To the end of this page there is nothing to be had; what follows may be. */
			size_t hole = PAGE - (size_t)s->next % PAGE;
			off_t size = lseek(s->fd, 0, SEEK_END);

			errmap_add(s->errs, SC_READ, errno);
			if (hole > WINDOW - s->len)
				hole = WINDOW - s->len;
			if (size - s->next < (off_t)hole)
				hole = size > s->next ? (size_t)(size - s->next) : 0;
			memset(s->buf + s->len, 0, hole);
			n = (ssize_t)hole;
		}
		s->end = n == 0;
		s->len += (size_t)n;
		s->next += n;
	}
}

/* Bytes at hand, at least @want unless the file ends. */
static size_t stream_peek(struct stream *s, size_t want)
{
	if (s->len - s->pos < want && !s->end)
		fill(s);
	return s->len - s->pos;
}

static void found_record(struct append_scan *s, uint32_t writer, uint64_t seq)
{
	unsigned char *byte, bit = (unsigned char)(1u << seq % 8);

	/* An intact record that nobody wrote here is as wrong as a torn one. */
	if (writer >= s->writers || (s->only >= 0 && writer != s->only) || seq >= s->issued[writer]) {
		s->wrong++;
		return;
	}
	byte = &s->present[writer][seq / 8];
	s->duplicates += !!(*byte & bit);
	*byte |= bit;
}

/* Distance to the next intact record within one record's length; the length if there is none. */
static size_t resync(const struct append_scan *s, const unsigned char *b, size_t avail)
{
	for (size_t i = 1; i < s->size && i + s->size <= avail; i++)
		if (record_check(b + i, s->size, s->seed, NULL, NULL) == RECORD_INTACT)
			return i;
	return s->size;
}

void append_scan(struct append_scan *s, int fd)
{
	struct stream in;
	size_t avail;

	stream_open(&in, fd, s->errs);
	while ((avail = stream_peek(&in, 2 * s->size))) {
		const unsigned char *b = in.buf + in.pos;
		size_t n = s->size;
		uint32_t writer;
		uint64_t seq;

		if (avail < s->size) {
			/* A torn record at the end, unless it is a hole. */
			for (n = 0; n < avail && !b[n]; n++)
				;
			s->wrong += n < avail;
			s->zero_slots += n == avail;
			s->bytes += avail;
			break;
		}
		switch (record_check(b, s->size, s->seed, &writer, &seq)) {
		case RECORD_INTACT:
			found_record(s, writer, seq);
			break;
		case RECORD_ZERO:
			s->zero_slots++;
			break;
		case RECORD_WRONG:
			s->wrong++;
			n = resync(s, b, avail);
			break;
		}
		in.pos += n;
		s->bytes += n;
	}
	free(in.buf);
}

void byte_scan(int fd, uint64_t acknowledged, struct errmap *errs,
	       void (*lost)(void *ctx, uint64_t n, const char *found), void *ctx,
	       struct append_scan *s, uint64_t *extra)
{
	struct stream in;
	uint64_t n = 0;

	stream_open(&in, fd, errs);
	while (stream_peek(&in, 1)) {
		unsigned char b = in.buf[in.pos++];
		uint64_t skip;

		s->bytes++;
		if (!b) {
			/* A hole: the byte that belongs here shows as missing below. */
			s->zero_slots++;
			continue;
		}
		if (b > 251) {
			s->wrong++;
			continue;
		}
		/* The bytes count modulo 251: how many were left out before this one? */
		skip = (b - 1u + 251u - n % 251) % 251;
		if (n + skip >= acknowledged || skip == 250) {
			/* Behind the last one, or the one before again: a failed write that landed. */
			++*extra;
			continue;
		}
		for (; skip; skip--)
			lost(ctx, n++, "absent");
		n++;
	}
	while (n < acknowledged)
		lost(ctx, n++, "missing");
	free(in.buf);
}
