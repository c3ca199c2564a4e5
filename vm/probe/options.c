// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "probe.h"
#include "record.h"

const char *const gap_names[GAP_COUNT] = { "none", "fsync", "sync", "syncfs", "before" };
const char *const bound_names[] = { "attempts", "acks", "cycles", "seconds" };

enum { O_MOUNT = 256, O_DEVICE, O_FSTYPE, O_OPTIONS, O_ACK_DIR, O_SEED, O_DEADLINE, O_PROGRESS,
       O_KEEP_LOGS, O_CYCLES, O_ATTEMPTS, O_ACKS, O_SECONDS, O_WRITERS, O_SHARED, O_RECORD,
       O_NO_FLUSH, O_PRESENT, O_ABSENT, O_PAUSE_EVERY, O_PAUSE, O_GAP, O_PARK, O_HELP };

/* Which probes take an option; 0 means all. */
static const struct {
	struct option opt;
	unsigned int groups;
	const char *only;
} table[] = {
	{ { "mount", 1, NULL, O_MOUNT }, 0, NULL },
	{ { "device", 1, NULL, O_DEVICE }, 0, NULL },
	{ { "fstype", 1, NULL, O_FSTYPE }, 0, NULL },
	{ { "mount-options", 1, NULL, O_OPTIONS }, 0, NULL },
	{ { "ack-dir", 1, NULL, O_ACK_DIR }, 0, NULL },
	{ { "seed", 1, NULL, O_SEED }, 0, NULL },
	{ { "deadline", 1, NULL, O_DEADLINE }, 0, NULL },
	{ { "progress", 0, NULL, O_PROGRESS }, 0, NULL },
	{ { "keep-logs", 0, NULL, O_KEEP_LOGS }, GROUP_RACE, NULL },
	{ { "cycles", 1, NULL, O_CYCLES }, 0, NULL },
	{ { "attempts", 1, NULL, O_ATTEMPTS }, GROUP_RACE, NULL },
	{ { "acks", 1, NULL, O_ACKS }, GROUP_RACE, NULL },
	{ { "seconds", 1, NULL, O_SECONDS }, GROUP_RACE, NULL },
	{ { "writers", 1, NULL, O_WRITERS }, GROUP_RACE, NULL },
	{ { "shared-file", 0, NULL, O_SHARED }, GROUP_RACE, NULL },
	{ { "record", 1, NULL, O_RECORD }, GROUP_RACE, NULL },
	{ { "no-flush", 0, NULL, O_NO_FLUSH }, GROUP_RACE, NULL },
	{ { "present-us", 1, NULL, O_PRESENT }, GROUP_RACE, NULL },
	{ { "absent-us", 1, NULL, O_ABSENT }, GROUP_RACE, NULL },
	{ { "pause-every", 1, NULL, O_PAUSE_EVERY }, GROUP_RACE, NULL },
	{ { "pause-us", 1, NULL, O_PAUSE }, GROUP_RACE, NULL },
	{ { "gap", 1, NULL, O_GAP }, 0, "open-fd" },
	{ { "park-ms", 1, NULL, O_PARK }, 0, "parked" },
	{ { "help", 0, NULL, O_HELP }, 0, NULL },
};
#define TABLE_SIZE (sizeof(table) / sizeof(*table))

static int usage(const char *subject, const char *observed, const char *expected)
{
	fprintf(stderr, "enokey-probe: %s: %s; expected %s; see enokey-probe --help\n", subject,
		observed, expected);
	return 2;
}

/* Decimal digits only: no sign, no blanks, no 0x. */
static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	if (!*s || strspn(s, "0123456789") != strlen(s))
		return false;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return !errno && *out >= min && *out <= max;
}

static int parse_number(const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	char subject[48], expected[64];

	if (number(optarg, min, max, out))
		return -1;
	snprintf(subject, sizeof(subject), "--%s", name);
	snprintf(expected, sizeof(expected), "a whole number from %" PRIu64 " to %" PRIu64, min, max);
	return usage(subject, optarg, expected);
}

static int parse_gaps(struct options *o)
{
	const char *s = optarg;

	o->gap_count = 0;
	for (;;) {
		size_t len = strcspn(s, ",");
		int g;

		for (g = 0; g < GAP_COUNT; g++)
			if (strlen(gap_names[g]) == len && !strncmp(gap_names[g], s, len))
				break;
		for (unsigned int i = 0; i < o->gap_count; i++)
			if (g < GAP_COUNT && o->gaps[i] == (enum gap)g)
				return usage("--gap", optarg, "each gap once");
		if (g == GAP_COUNT)
			return usage("--gap", optarg, "a comma list of none, fsync, sync, syncfs, before");
		o->gaps[o->gap_count++] = (enum gap)g;
		if (!s[len])
			return -1;
		s += len + 1;
	}
}

static int parse_record(struct options *o)
{
	uint64_t n;

	o->aligned = !strcmp(optarg, "aligned64k");
	if (o->aligned) {
		o->record_size = BLOCK;
		return -1;
	}
	if (!number(optarg, 1, RECORD_MAX, &n) || (n > 1 && n < RECORD_MIN))
		return usage("--record", optarg, "1, 32 to 65536, or aligned64k");
	o->record_size = (uint32_t)n;
	return -1;
}

static int parse_bound(struct options *o, enum bound b, uint64_t max, bool *seen)
{
	int r = parse_number(bound_names[b], 1, max, &o->bound_value);

	if (r >= 0)
		return r;
	if (*seen)
		return usage(bound_names[b], "a second bound",
			     "one of --attempts, --acks, --cycles, --seconds");
	*seen = true;
	o->bound = b;
	return -1;
}

static int parse_one(struct options *o, int opt, bool *bounded)
{
	uint64_t n;
	int r = -1;

	switch (opt) {
	case O_MOUNT: o->mount = optarg; break;
	case O_DEVICE: o->device = optarg; break;
	case O_FSTYPE: o->fstype = optarg; break;
	case O_OPTIONS: o->mount_options = optarg; break;
	case O_ACK_DIR: o->ack_dir = optarg; break;
	case O_PROGRESS: o->progress = true; break;
	case O_KEEP_LOGS: o->keep_logs = true; break;
	case O_SHARED: o->shared_file = true; break;
	case O_NO_FLUSH: o->flush = false; break;
	case O_SEED: r = parse_number("seed", 0, SEED_MAX, &o->seed); break;
	case O_DEADLINE:
		r = parse_number("deadline", 1, 86400, &n);
		o->deadline_s = (uint32_t)n;
		break;
	case O_CYCLES:
		if (o->probe->group == GROUP_RACE)
			return parse_bound(o, BOUND_CYCLES, 100000000, bounded);
		r = parse_number("cycles", 1, CYCLES_MAX, &n);
		o->cycles = (uint32_t)n;
		break;
	case O_ATTEMPTS: return parse_bound(o, BOUND_ATTEMPTS, 1000000000, bounded);
	case O_ACKS: return parse_bound(o, BOUND_ACKS, 1000000000, bounded);
	case O_SECONDS: return parse_bound(o, BOUND_SECONDS, 86400, bounded);
	case O_WRITERS:
		r = parse_number("writers", 1, WRITERS_MAX, &n);
		o->writers = (uint32_t)n;
		break;
	case O_RECORD: return parse_record(o);
	case O_PRESENT:
		r = parse_number("present-us", 0, 10000000, &n);
		o->present_us = (uint32_t)n;
		break;
	case O_ABSENT:
		r = parse_number("absent-us", 0, 10000000, &n);
		o->absent_us = (uint32_t)n;
		break;
	case O_PAUSE_EVERY:
		r = parse_number("pause-every", 0, 1000000, &n);
		o->pause_every = (uint32_t)n;
		break;
	case O_PAUSE:
		r = parse_number("pause-us", 0, 10000000, &n);
		o->pause_us = (uint32_t)n;
		break;
	case O_GAP: return parse_gaps(o);
	case O_PARK:
		r = parse_number("park-ms", 1, 50000, &n);
		o->park_ms = (uint32_t)n;
		break;
	}
	return r;
}

static int check(const struct options *o)
{
	const struct {
		const char *name, *value;
	} needed[] = {
		{ "--mount", o->mount }, { "--device", o->device }, { "--fstype", o->fstype },
		{ "--ack-dir", o->ack_dir },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!needed[i].value || !*needed[i].value)
			return usage(needed[i].name, "missing", "a value");
	if (o->seed > SEED_MAX)
		return usage("--seed", "missing", "a whole number");
	if (o->shared_file && o->record_size == 1)
		return usage("--shared-file", "with --record 1",
			     "records that say who wrote them: --record 32 or more");
	return -1;
}

static const struct probe_def *find(const char *name)
{
	for (const struct probe_def *d = probes; d->name; d++)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[TABLE_SIZE + 1] = { 0 };
	bool bounded = false;
	size_t n = 0;
	int opt, r, at, index = 0;

	*o = (struct options){ .mount_options = "", .seed = SEED_MAX + 1, .deadline_s = 300,
			       .cycles = 5, .gaps = { GAP_NONE, GAP_FSYNC, GAP_SYNC },
			       .gap_count = 3, .park_ms = 2000, .bound = BOUND_ATTEMPTS,
			       .writers = 2, .flush = true, .record_size = 32,
			       .present_us = 5000, .absent_us = 1000,
			       .pause_every = UINT32_MAX, .pause_us = UINT32_MAX };
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		printf("enokey-probe %s (schema %d)\n", PROBE_VERSION, SCHEMA);
		return 0;
	}
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		help_overall();
		return 0;
	}
	if (argc < 2)
		return usage("probe", "none named", "the name of a probe first");
	o->probe = find(argv[1]);
	if (!o->probe)
		return usage(argv[1], "no such probe", "one of those in --help");
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (table[i].groups && !(table[i].groups & o->probe->group))
			continue;
		if (table[i].only && strcmp(table[i].only, o->probe->name))
			continue;
		longs[n++] = table[i].opt;
	}
	opterr = 0;
	optind = 2;
	/* "+": the first word that is no option ends the options, and is then an error. */
	while (at = optind, (opt = getopt_long(argc, argv, "+:h", longs, &index)) != -1) {
		/* No abbreviations: the next option added could make one of them ambiguous. */
		if (opt >= O_MOUNT && strcspn(argv[at] + 2, "=") != strlen(longs[index].name))
			return usage(argv[at], "an abbreviation", "the whole name of an option");
		if (opt == '?')
			return usage(argv[optind - 1], "no such option", "an option of this probe");
		if (opt == ':')
			return usage(argv[optind - 1], "no value", "a value after it");
		if (opt == O_HELP || opt == 'h') {
			help_probe(o->probe);
			return 0;
		}
		r = parse_one(o, opt, &bounded);
		if (r >= 0)
			return r;
	}
	if (optind < argc)
		return usage(argv[optind], "left over", "options only after the name of the probe");
	if (!bounded)
		o->bound_value = o->aligned ? 2000 : 100000;
	/* 64 KiB records without pauses: the removals would mostly wait for the disk. */
	if (o->pause_every == UINT32_MAX)
		o->pause_every = o->aligned ? 1 : 64;
	if (o->pause_us == UINT32_MAX)
		o->pause_us = o->aligned ? 10000 : 2000;
	return check(o);
}
