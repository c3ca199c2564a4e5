// SPDX-License-Identifier: GPL-2.0-only
/* The command line as the "params" of the start line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "probe.h"

void options_json(const struct options *o, struct json *j, const char *key)
{
	char record[16];

	json_open(j, key, '{');
	json_string(j, "mount", o->mount);
	json_string(j, "device", o->device);
	json_string(j, "fstype", o->fstype);
	json_string(j, "mount_options", o->mount_options);
	json_string(j, "ack_dir", o->ack_dir);
	json_uint(j, "deadline_s", o->deadline_s);
	if (o->probe->group == GROUP_CYCLES) {
		json_uint(j, "cycles", o->cycles);
	} else {
		snprintf(record, sizeof(record), "%" PRIu32, o->record_size);
		json_string(j, "bound", bound_names[o->bound]);
		json_uint(j, "bound_value", o->bound_value);
		json_uint(j, "writers", o->writers);
		json_bool(j, "shared_file", o->shared_file);
		json_string(j, "record", o->aligned ? "aligned64k" : record);
		json_bool(j, "flush", o->flush);
		json_uint(j, "present_us", o->present_us);
		json_uint(j, "absent_us", o->absent_us);
		json_uint(j, "pause_every", o->pause_every);
		json_uint(j, "pause_us", o->pause_us);
	}
	if (!strcmp(o->probe->name, "open-fd")) {
		json_open(j, "gaps", '[');
		for (unsigned int i = 0; i < o->gap_count; i++)
			json_string(j, NULL, gap_names[o->gaps[i]]);
		json_close(j, ']');
	}
	if (!strcmp(o->probe->name, "parked"))
		json_uint(j, "park_ms", o->park_ms);
	json_close(j, '}');
}
