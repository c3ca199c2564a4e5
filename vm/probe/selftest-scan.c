// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "race.h"
#include "record.h"
#include "selftest.h"

/* A file of @n records of @size, in which @edit has spoilt something. */
static struct append_scan scan(const char *dir, uint32_t size, uint64_t n, unsigned char *present,
			       void (*edit)(int fd, uint32_t size))
{
	static uint64_t issued[1];
	static unsigned char *presents[1];
	static struct errmap errs;
	static unsigned char b[RECORD_MAX];
	struct append_scan s = { .seed = 1, .size = size, .writers = 1, .only = 0, .issued = issued,
				 .present = presents, .errs = &errs };
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	issued[0] = n;
	presents[0] = present;
	memset(present, 0, n / 8 + 1);
	for (uint64_t i = 0; i < n; i++) {
		record_make(b, size, 1, 0, i);
		CHECK(write(fd, b, size) == (ssize_t)size);
	}
	if (edit)
		edit(fd, size);
	append_scan(&s, fd);
	close(fd);
	unlink(path);
	return s;
}

static unsigned int missing(const unsigned char *present, uint64_t n)
{
	unsigned int count = 0;

	for (uint64_t i = 0; i < n; i++)
		count += !(present[i / 8] >> i % 8 & 1);
	return count;
}

static void cut_tail(int fd, uint32_t size)
{
	CHECK(!ftruncate(fd, 990 * (off_t)size));
}

static void zero_block(int fd, uint32_t size)
{
	static const char zeros[4096];

	(void)size;
	CHECK(pwrite(fd, zeros, sizeof(zeros), 8192) == sizeof(zeros));
}

static void flip(int fd, uint32_t size)
{
	CHECK(pwrite(fd, "!", 1, 5 * (off_t)size + 20) == 1);
}

/* One record is gone and what follows has moved up by part of a record. */
static void squeeze(int fd, uint32_t size)
{
	static char b[1 << 20];
	ssize_t n = pread(fd, b, sizeof(b), 10 * (off_t)size + 7);

	CHECK(n > 0 && pwrite(fd, b, (size_t)n, 9 * (off_t)size) == n);
	CHECK(!ftruncate(fd, 9 * (off_t)size + n));
}

static void repeat(int fd, uint32_t size)
{
	unsigned char b[64];

	record_make(b, size, 1, 0, 3);
	CHECK(pwrite(fd, b, size, 1000 * (off_t)size) == (ssize_t)size);
	/* And one that was never written here: of another writer. */
	record_make(b, size, 1, 1, 3);
	CHECK(pwrite(fd, b, size, 1001 * (off_t)size) == (ssize_t)size);
}

static void test_append_scan(const char *dir)
{
	unsigned char present[200];
	struct append_scan s;

	s = scan(dir, 32, 1000, present, NULL);
	CHECK(!missing(present, 1000) && !s.wrong && !s.zero_slots && s.bytes == 32000);
	s = scan(dir, 32, 1000, present, cut_tail);
	CHECK(missing(present, 1000) == 10 && !s.wrong);
	s = scan(dir, 32, 1000, present, zero_block);
	CHECK(missing(present, 1000) == 128 && !s.wrong && s.zero_slots == 128);
	s = scan(dir, 32, 1000, present, flip);
	CHECK(missing(present, 1000) == 1 && s.wrong == 1 && !(present[0] >> 5 & 1));
	s = scan(dir, 100, 1000, present, squeeze);
	/* Records 9 and 10: the first was overwritten, the second has lost its head. */
	CHECK(missing(present, 1000) == 2 && s.wrong >= 1);
	s = scan(dir, 32, 1000, present, repeat);
	CHECK(!missing(present, 1000) && s.duplicates == 1 && s.wrong == 1);
	/* Larger than the window, so that records cross its edge. */
	{
		static unsigned char many[60000 / 8 + 1];

		s = scan(dir, 100, 60000, many, NULL);
		CHECK(!missing(many, 60000) && !s.wrong && s.bytes == 6000000);
	}
}

static uint64_t lost_n[8];
static unsigned int lost_count;

static void on_lost(void *ctx, uint64_t n, const char *found)
{
	(void)ctx;
	(void)found;
	if (lost_count < 8)
		lost_n[lost_count] = n;
	lost_count++;
}

/* Bytes 0 .. @n-1 without @gone of them from @from on, and with byte @twice repeated. */
static uint64_t bytes(const char *dir, uint64_t n, uint64_t from, uint64_t gone, int64_t twice)
{
	static struct errmap errs;
	struct append_scan s = { 0 };
	char path[4200];
	uint64_t extra = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/bytes", dir);
	f = fopen(path, "w+");
	CHECK(f);
	for (uint64_t i = 0; i < n; i++) {
		if (i >= from && i < from + gone)
			continue;
		fputc(record_byte(i), f);
		if ((int64_t)i == twice)
			fputc(record_byte(i), f);
	}
	fflush(f);
	lost_count = 0;
	byte_scan(fileno(f), n, &errs, on_lost, NULL, &s, &extra);
	fclose(f);
	unlink(path);
	return extra;
}

static void test_byte_scan(const char *dir)
{
	CHECK(bytes(dir, 10000, 0, 0, -1) == 0 && lost_count == 0);
	CHECK(bytes(dir, 10000, 300, 2, -1) == 0 && lost_count == 2);
	CHECK(lost_n[0] == 300 && lost_n[1] == 301);
	CHECK(bytes(dir, 10000, 9990, 10, -1) == 0 && lost_count == 10);
	CHECK(bytes(dir, 10000, 500, 251, -1) == 0 && lost_count == 251);
	CHECK(bytes(dir, 10000, 0, 10000, -1) == 0 && lost_count == 10000);
	CHECK(bytes(dir, 10000, 0, 0, 777) == 1 && lost_count == 0);
}

void selftest_scan(const char *dir)
{
	test_append_scan(dir);
	test_byte_scan(dir);
}
