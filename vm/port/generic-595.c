// SPDX-License-Identifier: GPL-2.0-only
/*
 * enokey's port of the scenario of fstests' generic/595, for where there is no fstests: written from what the
 * test does, see README.md. One JSON line on stdout. Exit status: 0 passed, 1 failed, 2 usage, 3 could not run,
 * 4 not run (the kernel or the file system has no encryption), 5 inconclusive (the race met no removal, or only that).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_ERROR, EXIT_NOTRUN, EXIT_INCONCLUSIVE };

#define KEY_SIZE 64
#define CONTENTS "contents\n"
#define ERRNOS 134
#define KEY_PAUSE_MS 2

/* Shared by the processes of the multi-threaded phase. */
struct shared {
	volatile bool done;
	uint64_t adds, removals, remove_failed;
	uint64_t appended, refused, failed;
	uint64_t open_errno[ERRNOS], write_errno[ERRNOS];
};

struct phase {
	const char *verdict;	/* kept, lost, wrong, refused, unexpected, not-reached, or an errno name */
	char detail[256];
};

static const char *mnt;
static char dir[4096], file[4096 + 8];
static uint8_t identifier[FSCRYPT_KEY_IDENTIFIER_SIZE];
static bool mounted;
static struct phase single = { "not-reached", "" }, multi = { "not-reached", "" };
static struct shared *shared;
static long long found = -1, wrong_bytes;

static void json_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_errnos(const char *name, const uint64_t *counts)
{
	const char *comma = "";

	printf("\"%s\":{", name);
	for (int e = 1; e < ERRNOS; e++) {
		if (!counts[e])
			continue;
		printf("%s\"%s\":%llu", comma, strerrorname_np(e) ?: "?", (unsigned long long)counts[e]);
		comma = ",";
	}
	printf("}");
}

static void json_phase(const char *name, const struct phase *p)
{
	printf("\"%s\":{\"verdict\":", name);
	json_text(p->verdict);
	printf(",\"detail\":");
	json_text(p->detail);
	printf("}");
}

static _Noreturn void finish(const char *type, int status, const char *reason)
{
	if (mounted && umount(mnt) && status < EXIT_ERROR) {
		fprintf(stderr, "umount %s: %s\n", mnt, strerror(errno));
		type = "error";
		status = EXIT_ERROR;
		reason = "the file system could not be unmounted";
	}
	printf("{\"type\":\"%s\",\"schema\":1,\"reason\":", type);
	json_text(reason);
	printf(",\"phases\":{");
	json_phase("single-threaded", &single);
	printf(",");
	json_phase("multi-threaded", &multi);
	printf("},\"appended\":%llu,\"refused\":%llu,\"failed\":%llu,\"adds\":%llu,\"removals\":%llu,"
	       "\"remove_failed\":%llu,\"found\":%lld,\"wrong_bytes\":%lld,\"errno\":{",
	       (unsigned long long)shared->appended, (unsigned long long)shared->refused,
	       (unsigned long long)shared->failed, (unsigned long long)shared->adds,
	       (unsigned long long)shared->removals, (unsigned long long)shared->remove_failed, found, wrong_bytes);
	json_errnos("open", shared->open_errno);
	printf(",");
	json_errnos("write", shared->write_errno);
	printf("}}\n");
	exit(fflush(stdout) ? EXIT_ERROR : status);
}

static _Noreturn __attribute__((format(printf, 1, 2))) void error_out(const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "generic-595: %s\n", text);
	finish("error", EXIT_ERROR, text);
}

static int add_key(int fd)
{
	union {
		struct fscrypt_add_key_arg arg;
		uint8_t space[sizeof(struct fscrypt_add_key_arg) + KEY_SIZE];
	} u = { 0 };

	u.arg.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	u.arg.raw_size = KEY_SIZE;
	/* The key of the original: bytes 1 to 64. */
	for (int i = 0; i < KEY_SIZE; i++)
		u.arg.raw[i] = i + 1;
	if (ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, &u.arg))
		return errno;
	memcpy(identifier, u.arg.key_spec.u.identifier, sizeof(identifier));
	return 0;
}

static int remove_key(int fd, uint32_t *flags)
{
	struct fscrypt_remove_key_arg arg = { .key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER };

	memcpy(arg.key_spec.u.identifier, identifier, sizeof(identifier));
	if (ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg))
		return errno;
	*flags = arg.removal_status_flags;
	return 0;
}

static int set_policy(int fd)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_16,
	};

	memcpy(policy.master_key_identifier, identifier, sizeof(identifier));
	return ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy) ? errno : 0;
}

static __attribute__((format(printf, 3, 4))) void verdict(struct phase *p, const char *name, const char *format, ...)
{
	va_list ap;

	p->verdict = name;
	va_start(ap, format);
	vsnprintf(p->detail, sizeof(p->detail), format, ap);
	va_end(ap);
}

/* Holds a descriptor over the removal and writes through it. Nothing flushes before the key is back. */
static void single_threaded(int root)
{
	char got[64];
	uint32_t flags = 0;
	int fd, drop, err, write_err = 0;
	ssize_t n;

	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0) {
		verdict(&single, strerrorname_np(errno), "creating the file failed");
		return;
	}
	err = remove_key(root, &flags);
	n = write(fd, CONTENTS, strlen(CONTENTS));
	if (n != (ssize_t)strlen(CONTENTS))
		write_err = n < 0 ? errno : EIO;
	close(fd);	/* the original does not look at what close says */
	drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (drop < 0 || write(drop, "2\n", 2) != 2)
		error_out("/proc/sys/vm/drop_caches: %s", strerror(errno));
	close(drop);
	if (err) {
		verdict(&single, "unexpected", "removing the key failed: %s", strerrorname_np(err));
		return;
	}
	if (write_err) {
		verdict(&single, "refused", "write through the held descriptor: %s", strerrorname_np(write_err));
		add_key(root);
		return;
	}
	err = add_key(root);
	if (err) {
		verdict(&single, "unexpected", "adding the key back failed: %s", strerrorname_np(err));
		return;
	}
	fd = open(file, O_RDONLY);
	if (fd < 0) {
		verdict(&single, strerrorname_np(errno), "opening the file after the key was added back failed");
		return;
	}
	n = read(fd, got, sizeof(got));
	err = errno;
	close(fd);
	if (n < 0)
		verdict(&single, strerrorname_np(err), "reading the file back failed");
	else if ((size_t)n < strlen(CONTENTS))
		verdict(&single, "lost", "the file has %zd of %zu bytes", n, strlen(CONTENTS));
	else if ((size_t)n != strlen(CONTENTS) || memcmp(got, CONTENTS, n))
		verdict(&single, "wrong", "the file has other contents");
	else if (flags != FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY)
		/* The data is right, but the original compares what the removal said as well. */
		verdict(&single, "unexpected", "removal status flags %u, expected \"files still busy\"", flags);
	else
		verdict(&single, "kept", "%s", "");
	unlink(file);
}

/*
 * In the original a new process stands between any two key operations. Without a pause the key would be there for
 * microseconds only, and a file system that refuses opens without it might let no append through at all.
 */
static void pause_ms(long ms)
{
	struct timespec left = { .tv_nsec = ms * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static _Noreturn void remover(int root)
{
	uint32_t flags;

	while (!shared->done) {
		if (!add_key(root))
			shared->adds++;
		pause_ms(KEY_PAUSE_MS);
		if (!remove_key(root, &flags))
			shared->removals++;
		else
			shared->remove_failed++;
		pause_ms(KEY_PAUSE_MS);
	}
	_exit(0);
}

static void count(uint64_t *errnos, int err)
{
	errnos[err > 0 && err < ERRNOS ? err : EIO]++;
}

/* Opens the file for each byte. What fails because the key is gone is no loss: only what succeeded counts. */
static _Noreturn void appender(void)
{
	while (!shared->done) {
		int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
		ssize_t n;

		if (fd < 0) {
			count(shared->open_errno, errno);
			shared->refused++;
			continue;
		}
		n = write(fd, "X", 1);
		if (n == 1) {
			shared->appended++;
		} else {
			count(shared->write_errno, n < 0 ? errno : EIO);
			shared->failed++;
		}
		close(fd);
	}
	_exit(0);
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		error_out("fork: %s", strerror(errno));
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void end_well(pid_t pid, const char *who)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		error_out("the %s did not end by itself", who);
}

/* The file must be exactly as many bytes of 'X' as appends succeeded. */
static void compare(void)
{
	static char buf[65536];
	long long wrong = 0;
	unsigned char there = 0;
	ssize_t n;
	int fd, err;

	fd = open(file, O_RDONLY);
	if (fd < 0) {
		verdict(&multi, strerrorname_np(errno), "opening the file at the end failed");
		return;
	}
	found = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n && found + i < (long long)shared->appended; i++) {
			if (buf[i] == 'X')
				continue;
			if (!wrong_bytes++) {
				wrong = found + i;
				there = (unsigned char)buf[i];
			}
		}
		found += n;
	}
	err = errno;
	close(fd);
	if (n < 0)
		verdict(&multi, strerrorname_np(err), "reading the file at the end failed");
	else if (wrong_bytes)
		verdict(&multi, "wrong", "byte %lld is 0x%02x, appended was 'X'; %lld such", wrong, there, wrong_bytes);
	else if (found < (long long)shared->appended)
		verdict(&multi, "lost", "the file has %lld bytes, %llu appends succeeded", found,
			(unsigned long long)shared->appended);
	else if (found > (long long)shared->appended)
		verdict(&multi, "wrong", "the file has %lld bytes, only %llu appends succeeded", found,
			(unsigned long long)shared->appended);
	else
		verdict(&multi, "kept", "%s", "");
}

static void multi_threaded(int root, unsigned int seconds)
{
	struct timespec left = { .tv_sec = seconds };
	pid_t removes, appends;
	int fd, err;

	fd = open(file, O_WRONLY | O_CREAT, 0644);
	if (fd < 0) {
		verdict(&multi, strerrorname_np(errno), "creating the file failed");
		return;
	}
	close(fd);
	removes = start();
	if (!removes)
		remover(root);
	appends = start();
	if (!appends)
		appender();
	while (nanosleep(&left, &left) && errno == EINTR)
		;
	shared->done = true;
	end_well(removes, "remover");
	end_well(appends, "appender");
	err = add_key(root);
	if (err)
		verdict(&multi, "unexpected", "adding the key at the end failed: %s", strerrorname_np(err));
	else
		compare();
}

static void set_up(const char *device, const char *type, const char *options, int *root)
{
	int fd, err;

	if (mount(device, mnt, type, 0, options)) {
		snprintf(dir, sizeof(dir), "mount of %s as %s: %s", device, type, strerror(errno));
		/* As the original: a kernel that cannot mount it is not aware of the feature. */
		finish("notrun", EXIT_NOTRUN, dir);
	}
	mounted = true;
	*root = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*root < 0)
		error_out("%s: %s", mnt, strerror(errno));
	if (snprintf(dir, sizeof(dir), "%s/dir", mnt) >= (int)sizeof(dir))
		error_out("%s: too long", mnt);
	snprintf(file, sizeof(file), "%s/file", dir);
	if (mkdir(dir, 0755))
		error_out("%s: %s", dir, strerror(errno));
	err = add_key(*root);
	if (err == ENOTTY || err == EOPNOTSUPP || err == ENOSYS) {
		close(*root);
		finish("notrun", EXIT_NOTRUN, "the kernel does not support encryption on this file system");
	}
	if (err)
		error_out("adding the key: %s", strerror(err));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		error_out("%s: %s", dir, strerror(errno));
	err = set_policy(fd);
	close(fd);
	if (err == ENOTTY || err == EOPNOTSUPP || err == EINVAL) {
		close(*root);
		finish("notrun", EXIT_NOTRUN, "the kernel does not support v2 encryption policies on this file system");
	}
	if (err)
		error_out("setting the policy: %s", strerror(err));
}

static _Noreturn void usage(const char *why)
{
	fprintf(stderr,
		"generic-595: %s\n"
		"usage: generic-595 --device DEV --mount DIR --fstype TYPE [--mount-options OPTS] [--seconds N]\n"
		"  DEV has a fresh file system with encryption enabled; N is how long the race lasts (default 4)\n",
		why);
	exit(EXIT_USAGE);
}

int main(int argc, char **argv)
{
	const char *device = NULL, *type = NULL, *options = "";
	unsigned long seconds = 4;
	int root;

	for (int i = 1; i < argc; i += 2) {
		char *end = "";

		if (i + 1 >= argc)
			usage("an option lacks its value");
		if (!strcmp(argv[i], "--device"))
			device = argv[i + 1];
		else if (!strcmp(argv[i], "--mount"))
			mnt = argv[i + 1];
		else if (!strcmp(argv[i], "--fstype"))
			type = argv[i + 1];
		else if (!strcmp(argv[i], "--mount-options"))
			options = argv[i + 1];
		else if (!strcmp(argv[i], "--seconds"))
			seconds = strtoul(argv[i + 1], &end, 10);
		else
			usage("unknown option");
		if (*end || seconds < 1 || seconds > 86400)
			usage("--seconds takes 1 to 86400");
	}
	if (!device || !mnt || !type)
		usage("--device, --mount and --fstype are needed");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		fprintf(stderr, "generic-595: mmap: %s\n", strerror(errno));
		return EXIT_ERROR;
	}
	set_up(device, type, options, &root);
	single_threaded(root);
	multi_threaded(root, seconds);
	close(root);
	if (!strcmp(single.verdict, "kept") && !strcmp(multi.verdict, "kept")) {
		if (!shared->appended || !shared->refused)
			finish("result", EXIT_INCONCLUSIVE, shared->appended ? "no append met a removed key" : "no append went through");
		finish("result", EXIT_PASS, "");
	}
	finish("result", EXIT_FAIL, strcmp(single.verdict, "kept") ? single.detail : multi.detail);
}
