// SPDX-License-Identifier: GPL-2.0-only
/*
 * overwrite DIR SECONDS SEED: overwrites blocks in the middle of one large extent from several threads while others
 * read, reflink and evict it, and checks every block that comes back.
 *
 * A file is written in one piece, so that it is one extent; each direct write in its midst splits what is left of
 * that extent. Whoever looks up what belongs to a piece (its encryption context) must get it from the same piece
 * that the block pointer came from, although the pieces on both sides change at the same time. Prints one line:
 * `rounds N writes N reads N clones N bad N`; exit 0 whether or not blocks were bad, 1 when it could not run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define BLOCKS 256
#define WRITERS 4
#define WRITES_PER_ROUND 48
#define SHOWN 8

static const char *dir;
static uint64_t seed, round_number;
/* Stamps of a block: the last one whose write was acknowledged, and the last one whose write was begun. */
static _Atomic uint32_t acknowledged[BLOCKS], begun[BLOCKS];
static atomic_int writing;
static atomic_long writes, reads, clones, bad;

static void die(const char *what)
{
	fprintf(stderr, "overwrite: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Words of a block: round, block and stamp first, then what follows from them. */
static void fill(uint64_t *words, uint64_t block, uint32_t stamp)
{
	uint64_t state = seed ^ round_number << 40 ^ block << 32 ^ stamp;

	words[0] = round_number;
	words[1] = block;
	words[2] = stamp;
	for (int at = 3; at < BLOCK / 8; at++)
		words[at] = next(&state);
}

static void report(const char *who, uint64_t block, uint32_t from, uint32_t to)
{
	if (atomic_fetch_add(&bad, 1) < SHOWN)
		fprintf(stderr, "overwrite: %s: round %llu block %llu is none of the stamps %u to %u\n", who,
			(unsigned long long)round_number, (unsigned long long)block, from, to);
}

/* Whole, and one of the stamps that the block may have had. */
static void check(const char *who, const uint64_t *words, uint64_t block, uint32_t from, uint32_t to)
{
	uint64_t want[BLOCK / 8];

	if (words[2] >= from && words[2] <= to) {
		fill(want, block, words[2]);
		if (!memcmp(want, words, BLOCK))
			return;
	}
	report(who, block, from, to);
}

static void *pages(size_t size)
{
	void *memory;

	if (posix_memalign(&memory, BLOCK, size))
		die("memory");
	return memory;
}

static int open_file(const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, flags, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static void *writer(void *argument)
{
	uint64_t me = (uintptr_t)argument, state = seed + round_number * 31 + me;
	int fd = open_file("file", O_WRONLY | O_DIRECT);
	uint64_t *words = pages(BLOCK);

	for (int count = 0; count < WRITES_PER_ROUND; count++) {
		/* No two threads write one block: what it may hold stays known. */
		uint64_t block = next(&state) % (BLOCKS / WRITERS) * WRITERS + me;
		uint32_t stamp = begun[block] + 1;

		fill(words, block, stamp);
		begun[block] = stamp;
		if (pwrite(fd, words, BLOCK, block * BLOCK) != BLOCK)
			die("pwrite");
		acknowledged[block] = stamp;
		writes++;
	}
	free(words);
	close(fd);
	writing--;
	return NULL;
}

/* Reads through the page cache, which it drops first, so that the extent map is looked up by it too. */
static void *reader(void *argument)
{
	uint64_t state = ~seed + round_number * 17;
	int direct = open_file("file", O_RDONLY | O_DIRECT);
	int cached = open_file("file", O_RDONLY);
	uint64_t *words = pages(BLOCK);

	while (writing) {
		uint64_t block = next(&state) % BLOCKS;
		uint32_t from = acknowledged[block];
		int fd = next(&state) % 2 ? direct : cached;

		if (fd == cached)
			posix_fadvise(cached, block * BLOCK, BLOCK, POSIX_FADV_DONTNEED);
		if (pread(fd, words, BLOCK, block * BLOCK) != BLOCK)
			report("pread failed", block, from, from);
		else if (fd == direct)
			check("direct read", words, block, from, begun[block]);
		else
			/* A page that could not be dropped may be old, but never noise. */
			check("cached read", words, block, 0, begun[block]);
		reads++;
	}
	free(words);
	close(direct);
	close(cached);
	return argument;
}

static void *cloner(void *argument)
{
	int from = open_file("file", O_RDONLY);
	int to = open_file("clone", O_RDWR | O_CREAT | O_TRUNC);
	int direct = open_file("clone", O_RDONLY | O_DIRECT);
	struct file_clone_range half = { .src_fd = from, .src_offset = BLOCKS / 2 * BLOCK,
					 .src_length = BLOCKS / 2 * BLOCK };
	uint64_t *words = pages(BLOCKS / 2 * BLOCK);
	uint32_t first[BLOCKS / 2];

	while (writing) {
		for (int block = 0; block < BLOCKS / 2; block++)
			first[block] = acknowledged[BLOCKS / 2 + block];
		if (ioctl(to, FICLONERANGE, &half))
			die("FICLONERANGE");
		if (pread(direct, words, BLOCKS / 2 * BLOCK, 0) != BLOCKS / 2 * BLOCK) {
			report("pread of the clone failed", 0, 0, 0);
			continue;
		}
		for (int block = 0; block < BLOCKS / 2; block++)
			check("clone", words + block * (BLOCK / 8), BLOCKS / 2 + block, first[block],
			      begun[BLOCKS / 2 + block]);
		clones++;
	}
	free(words);
	close(from);
	close(to);
	close(direct);
	return argument;
}

static void one_round(void)
{
	pthread_t threads[WRITERS + 2];
	uint64_t *words = pages(BLOCKS * BLOCK);
	int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC | O_DIRECT);

	for (uint64_t block = 0; block < BLOCKS; block++) {
		acknowledged[block] = begun[block] = 0;
		fill(words + block * (BLOCK / 8), block, 0);
	}
	if (pwrite(fd, words, BLOCKS * BLOCK, 0) != BLOCKS * BLOCK)
		die("pwrite of the file");
	writing = WRITERS;
	for (uintptr_t at = 0; at < WRITERS; at++)
		if (pthread_create(&threads[at], NULL, writer, (void *)at))
			die("pthread_create");
	if (pthread_create(&threads[WRITERS], NULL, reader, NULL) ||
	    pthread_create(&threads[WRITERS + 1], NULL, cloner, NULL))
		die("pthread_create");
	for (int at = 0; at < WRITERS + 2; at++)
		pthread_join(threads[at], NULL);
	/* At rest every block has exactly its last stamp; a cached extent map must not be what makes it so. */
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fsync");
	if (pread(fd, words, BLOCKS * BLOCK, 0) != BLOCKS * BLOCK)
		report("last pread failed", 0, 0, 0);
	else
		for (uint64_t block = 0; block < BLOCKS; block++)
			check("last read", words + block * (BLOCK / 8), block, begun[block], begun[block]);
	close(fd);
	free(words);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return fprintf(stderr, "usage: overwrite DIR SECONDS SEED\n"), 2;
	dir = argv[1];
	seed = strtoull(argv[3], NULL, 10);
	for (double end = now() + atof(argv[2]); now() < end; round_number++)
		one_round();
	printf("rounds %llu writes %ld reads %ld clones %ld bad %ld\n", (unsigned long long)round_number,
	       (long)writes, (long)reads, (long)clones, (long)bad);
	return 0;
}
