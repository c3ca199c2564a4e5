// SPDX-License-Identifier: GPL-2.0-only
/* From an unmounted device to the probe's result line: what the child process does. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"

static void emit(struct json *j)
{
	if (json_emit(j, STDOUT_FILENO)) {
		fprintf(stderr, "enokey-probe: cannot write the result: %s\n", strerror(errno));
		_exit(1);
	}
}

static void print_start(const struct options *o)
{
	struct utsname u = { 0 };
	time_t now = time(NULL);
	struct tm tm;
	char date[32];
	struct json j;

	uname(&u);
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_init(&j);
	json_open(&j, NULL, '{');
	json_string(&j, "type", "start");
	json_uint(&j, "schema", SCHEMA);
	json_string(&j, "probe", o->probe->name);
	json_string(&j, "version", PROBE_VERSION);
	json_uint(&j, "seed", o->seed);
	options_json(o, &j, "params");
	json_open(&j, "uname", '{');
	json_string(&j, "sysname", u.sysname);
	json_string(&j, "release", u.release);
	json_string(&j, "version", u.version);
	json_string(&j, "machine", u.machine);
	json_close(&j, '}');
	json_int(&j, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	json_int(&j, "pid", getpid());
	json_string(&j, "time", date);
	json_close(&j, '}');
	emit(&j);
}

/* The errors that would otherwise look like results: wrong folders, a mount that is not ours. */
static void check_environment(const struct options *o)
{
	struct stat dev, mnt, parent, ack;
	char up[4096];

	if (geteuid())
		fail("user", "not root", 0, "root, to mount and to drop caches", "run it as root");
	if (stat(o->device, &dev))
		fail(o->device, "stat", errno, "a block device", "check --device");
	if (!S_ISBLK(dev.st_mode))
		fail(o->device, "not a block device", 0, "a block device",
		     "for an image file use losetup first");
	if (stat(o->mount, &mnt))
		fail(o->mount, "stat", errno, "an existing directory", "mkdir it");
	snprintf(up, sizeof(up), "%s/..", o->mount);
	if (!S_ISDIR(mnt.st_mode) || stat(up, &parent))
		fail(o->mount, "not a directory", 0, "an existing directory", "check --mount");
	if (mnt.st_dev != parent.st_dev)
		fail(o->mount, "a mount point already", 0, "a directory with nothing mounted on it",
		     "umount it");
	if (stat(o->ack_dir, &ack))
		fail(o->ack_dir, "stat", errno, "an existing directory", "mkdir it, on a tmpfs");
	if (!S_ISDIR(ack.st_mode))
		fail(o->ack_dir, "not a directory", 0, "a directory", "check --ack-dir");
	if (ack.st_dev == dev.st_rdev)
		fail(o->ack_dir, "on the file system under test", 0, "a folder elsewhere",
		     "use a tmpfs for --ack-dir");
}

static void make_directory(struct probe *p)
{
	int fd, err;

	snprintf(p->dir, sizeof(p->dir), "enokey.%d", (int)getpid());
	if (mkdirat(p->vol.root_fd, p->dir, 0700))
		fail(p->dir, "mkdir", errno, "a directory of the probe's own",
		     "use a fresh file system");
	fd = openat(p->vol.root_fd, p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(p->dir, "open", errno, "a directory that opens", "look at dmesg");
	err = fskey_set_policy(&p->key, fd);
	close(fd);
	if (err)
		fail(p->dir, "FS_IOC_SET_ENCRYPTION_POLICY", err,
		     "a file system that takes v2 policies (AES-256-XTS, AES-256-CTS)",
		     "make it with the encrypt feature; look at dmesg");
}

static void setup(struct probe *p)
{
	int err;

	shared_phase(p->shared, "mount");
	err = volume_mount(&p->vol);
	if (err) {
		char expected[96], next[128];

		snprintf(expected, sizeof(expected), "a fresh %s with the encrypt feature",
			 p->o->fstype);
		snprintf(next, sizeof(next), "%scheck --fstype and --mount-options; look at dmesg",
			 !strcmp(p->o->fstype, "btrfs") ? "mkfs.btrfs; " :
			 !strcmp(p->o->fstype, "f2fs")  ? "mkfs.f2fs -O encrypt; " :
			 !strcmp(p->o->fstype, "ext4")  ? "mkfs.ext4 -O encrypt; " : "");
		fail(p->o->device, "mount", err, expected, next);
	}
	shared_phase(p->shared, "setup");
	probe_add_key(p, NULL);
	shared_phase(p->shared, "setup");
	make_directory(p);
	probe_make_file(p, "sentinel", 0, 1);
	probe_path(p, "sentinel", p->sentinel);
	/* Nothing of the setup may be cached: the sentinel must be read from disk. */
	probe_remount(p);
}

static void print_result(const struct probe *p, uint64_t total_ns)
{
	uint64_t attempts = 0, acknowledged = 0, refused = 0, failed = 0, lost = 0, wrong = 0;
	const struct case_result *gravest = p->cases[0];
	uint64_t run_ns = 0;
	char hex[2 * FSCRYPT_KEY_IDENTIFIER_SIZE + 1];
	struct json j;

	for (unsigned int i = 0; i < p->case_count; i++) {
		const struct case_result *c = p->cases[i];

		if (c->verdict > gravest->verdict)
			gravest = c;
		attempts += c->attempts;
		acknowledged += c->acknowledged;
		refused += c->refused;
		failed += c->failed;
		lost += c->lost;
		wrong += c->wrong;
		run_ns += c->run_ns;
	}
	for (unsigned int i = 0; i < FSCRYPT_KEY_IDENTIFIER_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", p->key.identifier[i]);
	json_init(&j);
	json_open(&j, NULL, '{');
	json_string(&j, "type", "result");
	json_uint(&j, "schema", SCHEMA);
	json_string(&j, "probe", p->o->probe->name);
	json_uint(&j, "seed", p->o->seed);
	json_string(&j, "verdict", verdict_names[gravest->verdict]);
	json_string(&j, "reason", gravest->reason[0] ? gravest->reason : NULL);
	json_string(&j, "phase", NULL);
	json_string(&j, "key_identifier", hex);
	json_open(&j, "totals", '{');
	json_uint(&j, "attempts", attempts);
	json_uint(&j, "acknowledged", acknowledged);
	json_uint(&j, "refused", refused);
	json_uint(&j, "failed", failed);
	json_uint(&j, "lost", lost);
	json_uint(&j, "wrong", wrong);
	json_close(&j, '}');
	json_open(&j, "durations_ms", '{');
	json_uint(&j, "setup", p->setup_ns / 1000000);
	json_uint(&j, "run", run_ns / 1000000);
	json_uint(&j, "verify", p->verify_ns / 1000000);
	json_uint(&j, "total", total_ns / 1000000);
	json_close(&j, '}');
	json_open(&j, "cases", '[');
	for (unsigned int i = 0; i < p->case_count; i++)
		case_json(p->cases[i], &j);
	json_close(&j, ']');
	json_close(&j, '}');
	emit(&j);
}

int probe_main(const struct options *o, struct shared *shared)
{
	uint64_t start = clock_ns();
	struct probe p = {
		.o = o,
		.shared = shared,
		.vol = { .device = o->device, .mount = o->mount, .fstype = o->fstype,
			 .options = o->mount_options, .root_fd = -1 },
	};
	int err;

	shared_phase(shared, "check");
	fail_init(o->probe->name, shared, &p.vol);
	print_start(o);
	check_environment(o);
	if (posix_memalign(&p.block, BLOCK, BLOCK))
		fail("memory", "posix_memalign", ENOMEM, "64 KiB", "free some memory");
	fskey_init(&p.key, o->seed);
	prng_init(&p.prng, o->seed, 0x70617573657321ULL);
	setup(&p);
	p.setup_ns = clock_ns() - start;

	o->probe->run(&p);

	shared_phase(shared, "umount");
	err = volume_unmount(&p.vol);
	if (err)
		fail(o->mount, "umount", err, "a file system that nobody else uses",
		     "look with fuser -vm who does");
	print_result(&p, clock_ns() - start);
	return 0;
}
