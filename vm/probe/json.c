// SPDX-License-Identifier: GPL-2.0-only
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void json_init(struct json *j)
{
	memset(j, 0, sizeof(*j));
}

void json_free(struct json *j)
{
	free(j->buf);
	json_init(j);
}

static void put(struct json *j, const char *s, size_t n)
{
	if (j->failed)
		return;
	if (j->len + n > j->size) {
		size_t size = (j->len + n) * 2 + 256;
		char *buf = realloc(j->buf, size);

		if (!buf) {
			j->failed = true;
			return;
		}
		j->buf = buf;
		j->size = size;
	}
	memcpy(j->buf + j->len, s, n);
	j->len += n;
}

static void puts_(struct json *j, const char *s)
{
	put(j, s, strlen(s));
}

/* Length of the well-formed UTF-8 sequence at @s (RFC 3629), 0 if there is none. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n;
	uint32_t cp;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	cp = s[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff))) ||
	    (n == 4 && (cp < 0x10000 || cp > 0x10ffff)))
		return 0;
	return n;
}

static void quoted(struct json *j, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	char esc[8];

	put(j, "\"", 1);
	while (*s) {
		size_t n = 1;

		if (*s == '"' || *s == '\\') {
			esc[0] = '\\';
			esc[1] = (char)*s;
			put(j, esc, 2);
		} else if (*s < 0x20 || *s == 0x7f) {
			snprintf(esc, sizeof(esc), "\\u%04x", *s);
			puts_(j, esc);
		} else if (*s < 0x80) {
			put(j, (const char *)s, 1);
		} else {
			n = utf8_len(s);
			if (n)
				put(j, (const char *)s, n);
			else
				puts_(j, "\\ufffd");
			n = n ? n : 1;
		}
		s += n;
	}
	put(j, "\"", 1);
}

static void key_(struct json *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	if (key) {
		quoted(j, key);
		put(j, ":", 1);
	}
	j->comma = true;
}

void json_open(struct json *j, const char *key, char bracket)
{
	key_(j, key);
	put(j, &bracket, 1);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	put(j, &bracket, 1);
	j->comma = true;
}

void json_string(struct json *j, const char *key, const char *value)
{
	key_(j, key);
	if (value)
		quoted(j, value);
	else
		puts_(j, "null");
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
	char s[24];

	snprintf(s, sizeof(s), "%" PRIu64, value);
	key_(j, key);
	puts_(j, s);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	char s[24];

	snprintf(s, sizeof(s), "%" PRId64, value);
	key_(j, key);
	puts_(j, s);
}

void json_bool(struct json *j, const char *key, bool value)
{
	key_(j, key);
	puts_(j, value ? "true" : "false");
}

void json_float(struct json *j, const char *key, double value)
{
	char s[64];

	/* Also false for NaN; JSON has neither NaN nor infinity. */
	if (!(value > -1e15 && value < 1e15))
		value = 0;
	snprintf(s, sizeof(s), "%.3f", value);
	key_(j, key);
	puts_(j, s);
}

int json_emit(struct json *j, int fd)
{
	size_t done = 0;

	put(j, "\n", 1);
	if (j->failed) {
		json_free(j);
		errno = ENOMEM;
		return -1;
	}
	while (done < j->len) {
		ssize_t n = write(fd, j->buf + done, j->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = errno;

			json_free(j);
			errno = err;
			return -1;
		}
		done += (size_t)n;
	}
	json_free(j);
	return 0;
}
