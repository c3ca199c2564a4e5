/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes one JSON object into memory and gives it out as one line. Keys and structure are the
 * caller's responsibility; strings may hold any bytes (control characters are escaped, bytes that
 * are no UTF-8 become U+FFFD).
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
	char *buf;
	size_t len, size;
	bool comma;
	bool failed;	/* out of memory: json_emit() says so */
};

void json_init(struct json *j);
void json_free(struct json *j);
/* @key NULL: an element of an array, or the outermost object. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value);	/* NULL gives null */
void json_uint(struct json *j, const char *key, uint64_t value);
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
/* Three decimals; a value that is not finite gives 0. */
void json_float(struct json *j, const char *key, double value);
/* Writes the line in one piece to @fd and empties @j. 0, or -1 with errno. */
int json_emit(struct json *j, int fd);

#endif
