// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the guest. Its one aim is an sshd that answers as early as possible, so it starts sshd
 * first and does the rest beside it. No shell, no fork, no udev: under emulation each costs tens of
 * milliseconds.
 *
 * Called as poweroff, reboot or halt it asks PID 1 for that. README.md has the contract with the host.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FW_CFG "/sys/firmware/qemu_fw_cfg/by_name/opt/enokey/"
#define GUEST_ADDRESS "10.0.2.15"
#define GUEST_NETMASK "255.255.255.0"
/* An sshd that dies this often is not going to work. */
#define SSHD_TRIES 5

/* One line on the console, with seconds since boot: what the host waits for and measures by. */
static void say(const char *format, ...)
{
	char text[512];
	struct timespec now;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clock_gettime(CLOCK_BOOTTIME, &now);
	dprintf(STDOUT_FILENO, "enokey-init: %s [%lld.%03ld]\n", text, (long long)now.tv_sec,
		now.tv_nsec / 1000000);
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data)
{
	mkdir(target, 0755);
	if (mount(type, target, type, flags, data) && errno != EBUSY)
		say("mount %s on %s: %s", type, target, strerror(errno));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Copies what the host handed over as opt/enokey/NAME to a file. Returns false when it did not. */
static bool take_from_host(const char *name, const char *target, mode_t mode)
{
	char source[PATH_MAX];
	char buffer[4096];
	ssize_t n = 0;
	int in, out;
	bool ok = false;

	snprintf(source, sizeof(source), FW_CFG "%s/raw", name);
	in = open(source, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return false;
	out = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (out >= 0) {
		ok = true;
		while ((n = read(in, buffer, sizeof(buffer))) > 0)
			if (write(out, buffer, n) != n)
				ok = false;
		close(out);
	}
	close(in);
	return ok && n == 0;
}

/* True when the kernel command line has this word. */
static bool on_command_line(const char *word)
{
	char text[4096];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	char *save = NULL;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *token = strtok_r(text, " \n", &save); token; token = strtok_r(NULL, " \n", &save))
		if (!strcmp(token, word))
			return true;
	return false;
}

static int bring_up(int fd, const char *name)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		return -1;
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int set_address(int fd, unsigned long request_number, const char *name, const char *address)
{
	struct ifreq request = { 0 };
	struct sockaddr_in *to = (struct sockaddr_in *)&request.ifr_addr;

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	to->sin_family = AF_INET;
	inet_pton(AF_INET, address, &to->sin_addr);
	return ioctl(fd, request_number, &request);
}

/* lo, and the fixed address of QEMU's user network on the one card. No route: the host is on the link. */
static void start_network(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		say("socket: %s", strerror(errno));
		return;
	}
	if (bring_up(fd, "lo"))
		say("lo: %s", strerror(errno));
	if (set_address(fd, SIOCSIFADDR, "eth0", GUEST_ADDRESS) ||
	    set_address(fd, SIOCSIFNETMASK, "eth0", GUEST_NETMASK) || bring_up(fd, "eth0"))
		say("eth0: %s", strerror(errno));
	close(fd);
}

/* The child's signal mask must be that of an ordinary process: ours blocks everything. */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static pid_t start_sshd(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		reset_signals();
		setsid();
		dup2(null, STDIN_FILENO);
		/* -e: what sshd has to say goes to the console. */
		/* It starts itself again for each connection, hence the whole path. */
		execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", "/etc/enokey/sshd_config", (char *)NULL);
		say("sshd: %s", strerror(errno));
		_exit(127);
	}
	return pid;
}

/* A login shell on the console, for use by hand. */
static pid_t start_shell(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int console;

		reset_signals();
		setsid();
		/* Opening the tty without O_NOCTTY makes it the controlling one: job control and Ctrl-C work. */
		console = open("/dev/ttyS0", O_RDWR);
		if (console >= 0) {
			for (int fd = 0; fd < 3; fd++)
				dup2(console, fd);
		}
		setenv("HOME", "/root", 1);
		setenv("TERM", "vt100", 0);
		chdir("/root");
		execl("/bin/bash", "-bash", (char *)NULL);
		say("bash: %s", strerror(errno));
		_exit(127);
	}
	return pid;
}

/* /dev/enokey/NAME for every virtio disk with serial NAME. Serials come from the host: no slash passes. */
static void link_disks(void)
{
	DIR *blocks = opendir("/sys/block");
	struct dirent *entry;

	mkdir("/dev/enokey", 0755);
	while (blocks && (entry = readdir(blocks))) {
		char path[PATH_MAX], serial[64] = "", link[128], target[300];
		int fd;
		ssize_t n;

		if (strncmp(entry->d_name, "vd", 2))
			continue;
		snprintf(path, sizeof(path), "/sys/block/%s/serial", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, serial, sizeof(serial) - 1);
		close(fd);
		if (n <= 0)
			continue;
		serial[strcspn(serial, "\n")] = '\0';
		if (!*serial || strchr(serial, '/') || serial[0] == '.')
			continue;
		snprintf(link, sizeof(link), "/dev/enokey/%s", serial);
		snprintf(target, sizeof(target), "../%s", entry->d_name);
		if (symlink(target, link) && errno != EEXIST)
			say("%s: %s", link, strerror(errno));
	}
	if (blocks)
		closedir(blocks);
}

static void set_up_rest(void)
{
	char name[64] = "enokey";
	FILE *file;

	mount_at("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("mqueue", "/dev/mqueue", 0, NULL);
	mount_at("debugfs", "/sys/kernel/debug", 0, NULL);
	mount_at("tracefs", "/sys/kernel/tracing", 0, NULL);
	mount_at("cgroup2", "/sys/fs/cgroup", 0, NULL);
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory +io");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	if (take_from_host("hostname", "/run/enokey/hostname", 0644)) {
		file = fopen("/run/enokey/hostname", "re");
		if (file && fgets(name, sizeof(name), file))
			name[strcspn(name, "\n")] = '\0';
		if (file)
			fclose(file);
	}
	sethostname(name, strlen(name));
}

/* True when something listens on port 22. A look at the table; a connection would cost an sshd-session. */
static bool sshd_listens(void)
{
	char text[8192];
	int fd = open("/proc/net/tcp", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* local address 0.0.0.0:22, any remote, state 0A = TCP_LISTEN */
	return strstr(text, " 00000000:0016 00000000:0000 0A") != NULL;
}

/* Ends everything, writes everything back, and leaves the machine in the way asked for. */
static void leave(int how)
{
	struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };

	kill(-1, SIGTERM);
	for (int i = 0; i < 100; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (kill(-1, 0) && errno == ESRCH)
			break;
		nanosleep(&tick, NULL);
	}
	kill(-1, SIGKILL);
	sync();
	say("%s", how == RB_AUTOBOOT ? "reboot" : how == (int)RB_HALT_SYSTEM ? "halt" : "power off");
	reboot(how);
	/* Only a kernel that cannot do it comes back. */
	reboot(RB_HALT_SYSTEM);
	for (;;)
		pause();
}

static int ask_pid1(const char *name)
{
	int signal_number = !strcmp(name, "reboot") ? SIGTERM : !strcmp(name, "halt") ? SIGUSR1 : SIGUSR2;

	if (!kill(1, signal_number))
		return 0;
	fprintf(stderr, "%s: %s\n", name, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	struct timespec poll_interval = { .tv_nsec = 5 * 1000 * 1000 };
	pid_t sshd = -1, shell = -1;
	int sshd_tries = 0;
	bool ready = false, keys;
	sigset_t all;

	if (getpid() != 1)
		return ask_pid1(name);

	say("start");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Ctrl-Alt-Del is a signal to us, not an instant reset. */
	reboot(RB_DISABLE_CAD);
	umask(022);
	chdir("/");
	setenv("PATH", "/opt/enokey/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);

	mount_at("proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	mount_at("sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	mount_at("devtmpfs", "/dev", MS_NOSUID, NULL);
	mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
	mount_at("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	mkdir("/run/sshd", 0755);
	mkdir("/run/lock", 01777);
	mkdir("/run/enokey", 0755);

	start_network();
	keys = take_from_host("host_key", "/run/enokey/host_key", 0600);
	keys = take_from_host("authorized_keys", "/run/enokey/authorized_keys", 0600) && keys;
	if (keys)
		sshd = start_sshd();
	else
		say("no opt/enokey/host_key and authorized_keys from the host: no sshd");

	link_disks();
	set_up_rest();
	if (!keys || on_command_line("enokey.shell"))
		shell = start_shell();

	for (;;) {
		struct timespec *limit = sshd > 0 && !ready ? &poll_interval : NULL;
		int signal_number = limit ? sigtimedwait(&all, NULL, limit) : sigwaitinfo(&all, NULL);
		pid_t pid;

		if (!ready && sshd > 0 && sshd_listens()) {
			ready = true;
			say("ready");
		}
		if (signal_number == SIGUSR2)
			leave(RB_POWER_OFF);
		if (signal_number == SIGTERM || signal_number == SIGINT)
			leave(RB_AUTOBOOT);
		if (signal_number == SIGUSR1)
			leave(RB_HALT_SYSTEM);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
			if (pid == sshd) {
				say("sshd died");
				ready = false;
				sshd = ++sshd_tries < SSHD_TRIES ? start_sshd() : -1;
			} else if (pid == shell) {
				shell = start_shell();
			}
		}
	}
}
