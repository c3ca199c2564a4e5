// SPDX-License-Identifier: GPL-2.0-only
#include "fail.h"

#include <stdio.h>
#include <unistd.h>

#include "errmap.h"
#include "shared.h"
#include "volume.h"

static const char *probe_name;
static struct shared *shared_state;
static struct volume *volume;

void fail_init(const char *probe, struct shared *shared, struct volume *vol)
{
	probe_name = probe;
	shared_state = shared;
	volume = vol;
}

void fail(const char *subject, const char *call, int err, const char *expected, const char *next)
{
	const char *phase = atomic_load(&shared_state->phase);
	char observed[96], buf[16];
	struct json j;

	if (err)
		snprintf(observed, sizeof(observed), "%s: %s", call, errmap_name(err, buf));
	else
		snprintf(observed, sizeof(observed), "%s", call);
	json_init(&j);
	json_open(&j, NULL, '{');
	json_string(&j, "type", "error");
	json_uint(&j, "schema", SCHEMA);
	json_string(&j, "probe", probe_name);
	json_string(&j, "phase", phase);
	json_string(&j, "subject", subject);
	json_string(&j, "observed", observed);
	json_string(&j, "expected", expected);
	json_string(&j, "next", next);
	json_string(&j, "errno", err ? errmap_name(err, buf) : NULL);
	json_close(&j, '}');
	fprintf(stderr, "enokey-probe %s: %s: %s (phase %s); expected %s; next: %s\n", probe_name,
		subject, observed, phase, expected, next);
	/* First the answer, then the tidying, which may block. */
	json_emit(&j, STDOUT_FILENO);
	volume_abandon(volume);
	_exit(1);
}
