// SPDX-License-Identifier: GPL-2.0-only
#include "case.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const verdict_names[] = {
	[VERDICT_UNSUPPORTED] = "unsupported", [VERDICT_KEPT] = "kept", [VERDICT_REFUSED] = "refused", [VERDICT_ALLOWED] = "allowed",
	[VERDICT_INCONCLUSIVE] = "inconclusive", [VERDICT_LOST] = "lost", [VERDICT_ERROR] = "error",
};

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_PRESENT] = "key-present", [PHASE_REMOVING] = "removing",
	[PHASE_ABSENT] = "key-absent", [PHASE_FLUSHING] = "flushing", [PHASE_ADDING] = "adding",
};

void case_control(struct case_result *c, const char *name, bool happened, const char *fmt, ...)
{
	struct control *k;
	va_list ap;

	if (c->control_count == CONTROLS_MAX)
		return;
	k = &c->controls[c->control_count++];
	k->name = name;
	k->happened = happened;
	va_start(ap, fmt);
	vsnprintf(k->detail, sizeof(k->detail), fmt, ap);
	va_end(ap);
}

void case_observe(struct case_result *c, const char *name, uint64_t n)
{
	for (unsigned int i = 0; i < c->observation_count; i++) {
		if (!strcmp(c->observations[i].name, name)) {
			c->observations[i].value += n;
			return;
		}
	}
	if (c->observation_count < OBSERVATIONS_MAX)
		c->observations[c->observation_count++] = (struct observation){ name, n };
}

void case_lost(struct case_result *c, const struct lost_example *example)
{
	c->lost++;
	c->lost_by_phase[example->phase]++;
	if (c->example_count < EXAMPLES_MAX)
		c->examples[c->example_count++] = *example;
}

void case_unsupported(struct case_result *c, enum syscall_name sc, int err)
{
	char buf[16];

	errmap_add(&c->errs, sc, err);
	c->verdict = VERDICT_UNSUPPORTED;
	snprintf(c->reason, sizeof(c->reason), "the file system does not know it: %s",
		 errmap_name(err, buf));
}

void case_decide(struct case_result *c, bool refusable, enum verdict success)
{
	c->reason[0] = 0;
	if (c->lost || c->wrong) {
		c->verdict = VERDICT_LOST;
		snprintf(c->reason, sizeof(c->reason),
			 "%" PRIu64 " of %" PRIu64 " acknowledged are lost, %" PRIu64
			 " places read back wrong bytes",
			 c->lost, c->acknowledged, c->wrong);
		return;
	}
	for (unsigned int i = 0; i < c->control_count; i++) {
		if (c->controls[i].happened)
			continue;
		c->verdict = VERDICT_INCONCLUSIVE;
		snprintf(c->reason, sizeof(c->reason), "positive control %s did not happen: %s",
			 c->controls[i].name, c->controls[i].detail);
		return;
	}
	if (c->acknowledged && refusable && (c->refused || c->failed)) {
		/* One answer for all repetitions, or none: four refusals beside one write that was kept are not "kept". */
		c->verdict = VERDICT_INCONCLUSIVE;
		snprintf(c->reason, sizeof(c->reason),
			 "the answers differ: of %" PRIu64 " attempts %" PRIu64 " were acknowledged, %" PRIu64
			 " refused, %" PRIu64 " failed",
			 c->attempts, c->acknowledged, c->refused, c->failed);
	} else if (c->acknowledged) {
		c->verdict = success;
	} else if (refusable && c->refused && !c->failed) {
		c->verdict = VERDICT_REFUSED;
	} else {
		c->verdict = VERDICT_INCONCLUSIVE;
		snprintf(c->reason, sizeof(c->reason),
			 "nothing was acknowledged: %" PRIu64 " attempts, %" PRIu64 " refused, %" PRIu64
			 " failed",
			 c->attempts, c->refused, c->failed);
	}
}

static void removal_json(const struct case_result *c, struct json *j)
{
	const struct histogram *h = &c->removal.latency;

	json_open(j, "removal", '{');
	json_uint(j, "count", c->removal.count);
	json_uint(j, "failed", c->removal.failed);
	json_uint(j, "overlapped", c->removal.overlapped);
	json_uint(j, "refused_seen", c->removal.refused_seen);
	json_open(j, "status_flags", '{');
	json_uint(j, "NONE", c->removal.none);
	json_uint(j, "FILES_BUSY", c->removal.busy);
	json_uint(j, "OTHER_USERS", c->removal.other_users);
	json_close(j, '}');
	json_open(j, "latency_us", '{');
	json_uint(j, "count", h->count);
	json_uint(j, "min", h->min / 1000);
	json_uint(j, "median", histogram_quantile(h, 500) / 1000);
	json_uint(j, "p99", histogram_quantile(h, 990) / 1000);
	json_uint(j, "max", h->max / 1000);
	json_close(j, '}');
	json_close(j, '}');
}

static void examples_json(const struct case_result *c, struct json *j)
{
	json_open(j, "lost_by_phase", '{');
	for (int p = 0; p < PHASE_COUNT; p++)
		if (c->lost_by_phase[p])
			json_uint(j, phase_names[p], c->lost_by_phase[p]);
	json_close(j, '}');
	json_open(j, "lost_examples", '[');
	for (unsigned int i = 0; i < c->example_count; i++) {
		const struct lost_example *e = &c->examples[i];

		json_open(j, NULL, '{');
		json_uint(j, "writer", e->writer);
		json_uint(j, "seq", e->seq);
		json_int(j, "offset", e->offset);
		json_uint(j, "cycle", e->cycle);
		json_string(j, "phase", phase_names[e->phase]);
		json_string(j, "found", e->found);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void case_json(const struct case_result *c, struct json *j)
{
	json_open(j, NULL, '{');
	json_string(j, "name", c->name);
	json_string(j, "verdict", verdict_names[c->verdict]);
	json_string(j, "reason", c->reason[0] ? c->reason : NULL);
	json_uint(j, "cycles", c->cycles);
	json_uint(j, "attempts", c->attempts);
	json_uint(j, "acknowledged", c->acknowledged);
	json_uint(j, "refused", c->refused);
	json_uint(j, "failed", c->failed);
	json_uint(j, "lost", c->lost);
	json_uint(j, "wrong", c->wrong);
	json_uint(j, "unacknowledged_present", c->unacknowledged_present);
	json_float(j, "attempts_per_second",
		   c->run_ns ? (double)c->attempts * 1e9 / (double)c->run_ns : 0);
	errmap_json(&c->errs, j, "errno");
	errmap_json(&c->verify_errs, j, "verify_errno");
	errmap_json(&c->sentinel_errs, j, "sentinel_errno");
	removal_json(c, j);
	json_open(j, "key_status", '{');
	json_uint(j, "ABSENT", c->key_status[FSCRYPT_KEY_STATUS_ABSENT]);
	json_uint(j, "PRESENT", c->key_status[FSCRYPT_KEY_STATUS_PRESENT]);
	json_uint(j, "INCOMPLETELY_REMOVED",
		  c->key_status[FSCRYPT_KEY_STATUS_INCOMPLETELY_REMOVED]);
	json_close(j, '}');
	json_open(j, "positive_controls", '[');
	for (unsigned int i = 0; i < c->control_count; i++) {
		json_open(j, NULL, '{');
		json_string(j, "name", c->controls[i].name);
		json_bool(j, "happened", c->controls[i].happened);
		json_string(j, "detail", c->controls[i].detail);
		json_close(j, '}');
	}
	json_close(j, ']');
	examples_json(c, j);
	json_open(j, "observations", '{');
	for (unsigned int i = 0; i < c->observation_count; i++)
		json_uint(j, c->observations[i].name, c->observations[i].value);
	json_close(j, '}');
	json_close(j, '}');
}
