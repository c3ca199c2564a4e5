// SPDX-License-Identifier: GPL-2.0-only
/*
 * selftest PROBE: unit tests of what needs no file system under test, and of PROBE's usage errors.
 * selftest --shutdown DIR: drops what the file system at DIR has not written yet, as a power cut
 * would (the FS_IOC_SHUTDOWN of ext4, f2fs, btrfs and xfs): for check-loss.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "acklog.h"
#include "case.h"
#include "crc32c.h"
#include "fail.h"
#include "histogram.h"
#include "json.h"
#include "prng.h"
#include "race.h"
#include "record.h"
#include "selftest.h"
#include "sigbus.h"
#include "volume.h"

static unsigned int passed, failed;

void selftest_check(bool ok, const char *what, const char *file, int line)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
}

/* What the scanners need of the rest of the program. */
_Noreturn void fail(const char *subject, const char *call, int err, const char *expected,
		    const char *next)
{
	fprintf(stderr, "selftest: %s: %s: %s, %s, %s\n", subject, call, strerror(err), expected, next);
	exit(1);
}

static void test_prng(void)
{
	struct prng a, b;
	unsigned char x[13], y[13];
	uint64_t seen = 0;

	prng_init(&a, 42, 1);
	prng_init(&b, 42, 1);
	prng_fill(&a, x, sizeof(x));
	prng_fill(&b, y, sizeof(y));
	CHECK(!memcmp(x, y, sizeof(x)));
	CHECK(prng_next(&a) == prng_next(&b));
	prng_init(&b, 42, 2);
	CHECK(prng_next(&a) != prng_next(&b));
	/* splitmix64 from state 1234567: the published test vector. */
	a.state = 1234567;
	CHECK(prng_next(&a) == 6457827717110365317ULL);
	CHECK(prng_next(&a) == 3203168211198807973ULL);
	CHECK(prng_below(&a, 0) == 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = prng_below(&a, 7);

		CHECK(v < 7);
		seen |= 1u << v;
	}
	CHECK(seen == 0x7f);
}

static void test_crc32c(void)
{
	unsigned char b[32];

	/* RFC 3720, B.4. */
	memset(b, 0, sizeof(b));
	CHECK(crc32c(0, b, 32) == 0x8a9136aaU);
	memset(b, 0xff, sizeof(b));
	CHECK(crc32c(0, b, 32) == 0x62a8ab43U);
	for (unsigned int i = 0; i < 32; i++)
		b[i] = (unsigned char)i;
	CHECK(crc32c(0, b, 32) == 0x46dd794eU);
	CHECK(crc32c(crc32c(0, b, 5), b + 5, 27) == 0x46dd794eU);
}

static void test_record(void)
{
	static unsigned char b[RECORD_MAX], z[RECORD_MAX];
	uint32_t sizes[] = { 32, 33, 100, 4096, RECORD_MAX };
	uint32_t writer;
	uint64_t seq;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint32_t n = sizes[i];

		record_make(b, n, 7, 3, 1ULL << 40);
		CHECK(record_check(b, n, 7, &writer, &seq) == RECORD_INTACT);
		CHECK(writer == 3 && seq == 1ULL << 40);
		CHECK(record_check(b, n, 8, NULL, NULL) == RECORD_WRONG);
		/* Any flipped bit shows, the first and the last included. */
		for (uint32_t at = 0; at < n; at += n > 64 ? n / 16 - 1 : 1) {
			b[at] ^= 0x10;
			CHECK(record_check(b, n, 7, NULL, NULL) == RECORD_WRONG);
			b[at] ^= 0x10;
		}
		b[n - 1] ^= 1;
		CHECK(record_check(b, n, 7, NULL, NULL) == RECORD_WRONG);
		CHECK(record_check(z, n, 7, NULL, NULL) == RECORD_ZERO);
		z[n - 1] = 1;
		CHECK(record_check(z, n, 7, NULL, NULL) == RECORD_WRONG);
		z[n - 1] = 0;
	}
	CHECK(record_byte(0) == 1 && record_byte(250) == 251 && record_byte(251) == 1);
}

static bool near(uint64_t got, uint64_t want)
{
	uint64_t d = got > want ? got - want : want - got;

	return d * 50 <= want;
}

static void test_histogram(void)
{
	static struct histogram h, one, wide;

	CHECK(histogram_quantile(&h, 500) == 0);
	for (uint64_t v = 1; v <= 50; v++)
		histogram_add(&h, v);
	/* Exact below 64. */
	CHECK(histogram_quantile(&h, 500) == 25);
	CHECK(histogram_quantile(&h, 990) == 50);
	CHECK(histogram_quantile(&h, 1) == 1);
	histogram_add(&one, 123456789);
	CHECK(histogram_quantile(&one, 1) == 123456789 && histogram_quantile(&one, 1000) == 123456789);
	for (uint64_t v = 1; v <= 100000; v++)
		histogram_add(&wide, v * 1000);
	CHECK(near(histogram_quantile(&wide, 500), 50000000));
	CHECK(near(histogram_quantile(&wide, 990), 99000000));
	CHECK(wide.min == 1000 && wide.max == 100000000 && wide.count == 100000);
	/* The whole range of the type has a bucket. */
	histogram_add(&wide, UINT64_MAX);
	CHECK(wide.max == UINT64_MAX && histogram_quantile(&wide, 1000) > UINT64_MAX / 64 * 63);
}

static void test_json(void)
{
	char got[512];
	struct json j;
	int p[2];
	ssize_t n;

	json_init(&j);
	json_open(&j, NULL, '{');
	json_string(&j, "s", "a\"b\\c\n\x01\x7f \xc3\xa9 \xff \xed\xa0\x80 \xf0\x9f\x98\x80");
	json_string(&j, "null", NULL);
	json_uint(&j, "u", UINT64_MAX);
	json_int(&j, "i", -1);
	json_float(&j, "f", 1.5);
	json_float(&j, "nan", 0.0 / 0.0);
	json_open(&j, "a", '[');
	json_bool(&j, NULL, true);
	json_bool(&j, NULL, false);
	json_close(&j, ']');
	json_open(&j, "e", '{');
	json_close(&j, '}');
	json_close(&j, '}');
	CHECK(!pipe(p));
	CHECK(!json_emit(&j, p[1]));
	n = read(p[0], got, sizeof(got) - 1);
	got[n < 0 ? 0 : n] = 0;
	CHECK(!strcmp(got, "{\"s\":\"a\\\"b\\\\c\\u000a\\u0001\\u007f \xc3\xa9 \\ufffd "
			   "\\ufffd\\ufffd\\ufffd \xf0\x9f\x98\x80\",\"null\":null,"
			   "\"u\":18446744073709551615,\"i\":-1,\"f\":1.500,\"nan\":0.000,"
			   "\"a\":[true,false],\"e\":{}}\n"));
	close(p[0]);
	close(p[1]);
}

static void test_errmap(void)
{
	static struct errmap a, b;
	char buf[16];

	CHECK(!strcmp(errmap_name(ENOKEY, buf), "ENOKEY"));
	CHECK(!strcmp(errmap_name(ERR_SHORT, buf), "SHORT"));
	CHECK(!strcmp(errmap_name(ERR_SIGBUS, buf), "SIGBUS"));
	errmap_add(&a, SC_WRITE, ENOKEY);
	errmap_add(&b, SC_WRITE, ENOKEY);
	errmap_add(&b, SC_OPEN, 100000);
	errmap_merge(&a, &b);
	CHECK(a.n[SC_WRITE][ENOKEY] == 2 && a.n[SC_OPEN][0] == 1);
}

static void test_overlap(void)
{
	CHECK(race_overlap(TAG(0, PHASE_PRESENT), TAG(0, PHASE_PRESENT)) == 0);
	CHECK(race_overlap(TAG(0, PHASE_PRESENT), TAG(0, PHASE_REMOVING)) == 1);
	CHECK(race_overlap(TAG(0, PHASE_REMOVING), TAG(0, PHASE_REMOVING)) == 1);
	CHECK(race_overlap(TAG(0, PHASE_REMOVING), TAG(0, PHASE_ADDING)) == 1);
	CHECK(race_overlap(TAG(0, PHASE_ABSENT), TAG(0, PHASE_ADDING)) == 0);
	CHECK(race_overlap(TAG(0, PHASE_ABSENT), TAG(1, PHASE_PRESENT)) == 0);
	CHECK(race_overlap(TAG(0, PHASE_PRESENT), TAG(5, PHASE_PRESENT)) == 5);
	CHECK(race_overlap(TAG(4, PHASE_ABSENT), TAG(5, PHASE_FLUSHING)) == 6);
}

static void test_options_of_mount(void)
{
	unsigned long flags;
	char data[64];

	volume_split_options("", &flags, data);
	CHECK(flags == 0 && !*data);
	volume_split_options("noatime,compress=zstd,ro,,rw,nodatacow", &flags, data);
	CHECK(flags == MS_NOATIME && !strcmp(data, "compress=zstd,nodatacow"));
	volume_split_options("root=1", &flags, data);
	CHECK(flags == 0 && !strcmp(data, "root=1"));
}

static void test_acklog(const char *dir)
{
	static struct acklog l;

	CHECK(!acklog_open(&l, dir, 9, true) && !access(l.path, F_OK));
	acklog_close(&l);
	CHECK(!access(l.path, F_OK) && !unlink(l.path));
	CHECK(!acklog_open(&l, dir, 9, false) && access(l.path, F_OK) == -1);
	CHECK(acklog_get(&l, 0) == 0 && acklog_get(&l, 1ULL << 40) == 0);
	CHECK(!acklog_set(&l, 0, 5) && !acklog_set(&l, ACKLOG_CHUNK - 1, 6));
	CHECK(!acklog_set(&l, 3 * ACKLOG_CHUNK + 7, 7));
	CHECK(acklog_get(&l, 0) == 5 && acklog_get(&l, ACKLOG_CHUNK - 1) == 6);
	CHECK(acklog_get(&l, 3 * ACKLOG_CHUNK + 7) == 7 && acklog_get(&l, ACKLOG_CHUNK) == 0);
	CHECK(acklog_set(&l, (uint64_t)ACKLOG_CHUNK * ACKLOG_CHUNKS, 1) == EFBIG);
	acklog_close(&l);
}

static void test_case(void)
{
	static struct case_result c;

	c = (struct case_result){ .attempts = 2, .acknowledged = 2 };
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_KEPT && !c.reason[0]);
	c = (struct case_result){ .attempts = 2, .refused = 2 };
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_REFUSED);
	case_decide(&c, false, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_INCONCLUSIVE && c.reason[0]);
	c = (struct case_result){ .attempts = 2, .refused = 1, .failed = 1 };
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_INCONCLUSIVE);
	/* Some acknowledged and some not is no answer where each repetition asks the same; a race has both. */
	c = (struct case_result){ .attempts = 5, .acknowledged = 1, .failed = 4 };
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_INCONCLUSIVE && strstr(c.reason, "1 were acknowledged, 0 refused, 4 failed"));
	case_decide(&c, false, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_KEPT);
	c = (struct case_result){ .attempts = 2, .acknowledged = 1, .refused = 1 };
	case_decide(&c, true, VERDICT_ALLOWED);
	CHECK(c.verdict == VERDICT_INCONCLUSIVE);
	/* What a file system cannot be asked is less grave than anything that was. */
	case_unsupported(&c, SC_FICLONERANGE, EOPNOTSUPP);
	CHECK(c.verdict < VERDICT_KEPT && strstr(c.reason, "EOPNOTSUPP"));
	/* Without its positive control nothing is a pass, and nothing makes a loss less of one. */
	c = (struct case_result){ .attempts = 2, .acknowledged = 2 };
	case_control(&c, "x", false, "no");
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_INCONCLUSIVE && strstr(c.reason, "x"));
	case_lost(&c, &(struct lost_example){ .phase = PHASE_REMOVING, .found = "zero" });
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_LOST && c.lost_by_phase[PHASE_REMOVING] == 1);
	c = (struct case_result){ .acknowledged = 2, .wrong = 1 };
	case_decide(&c, true, VERDICT_KEPT);
	CHECK(c.verdict == VERDICT_LOST);
}

static void test_sigbus(const char *dir)
{
	char path[4200], b[4096];
	unsigned char *map;
	int fd;

	snprintf(path, sizeof(path), "%s/map", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(!ftruncate(fd, 4096));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sigbus_init();
	/* Behind the end of the file; twice, because a handler may be good for one time only. */
	CHECK(sigbus_copy(b, map, 4096) == 0);
	CHECK(sigbus_copy(b, map + 4096, 4096) == ERR_SIGBUS);
	CHECK(sigbus_copy(map + 4096, b, 4096) == ERR_SIGBUS);
	CHECK(sigbus_copy(map, "x", 1) == 0 && map[0] == 'x');
	munmap(map, 8192);
	close(fd);
	unlink(path);
}

/* The flag of FS_IOC_SHUTDOWN (include/uapi/linux/fs.h) for "without writing the log". */
static int shut_down(const char *dir)
{
	unsigned int flags = 2;
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	if (fd < 0 || ioctl(fd, _IOR('X', 125, unsigned int), &flags)) {
		perror(dir);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/enokey-selftest.XXXXXX";

	if (argc == 3 && !strcmp(argv[1], "--shutdown"))
		return shut_down(argv[2]);
	if (argc != 2) {
		fprintf(stderr, "usage: selftest PROBE\n");
		return 2;
	}
	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	test_prng();
	test_crc32c();
	test_record();
	test_histogram();
	test_json();
	test_errmap();
	test_overlap();
	test_options_of_mount();
	test_acklog(dir);
	selftest_scan(dir);
	selftest_paths();
	test_case();
	test_sigbus(dir);
	selftest_supervise();
	selftest_usage(argv[1]);
	rmdir(dir);
	printf("%u checks passed, %u failed\n", passed, failed);
	return failed != 0;
}
