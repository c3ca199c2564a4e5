/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 64-byte fscrypt master key that follows from the seed, the ioctls on it
 * (Documentation/filesystems/fscrypt.rst, "User API"), and v2 policies that name it.
 */
#ifndef FSKEY_H
#define FSKEY_H

#include <linux/fscrypt.h>
#include <stdint.h>

struct fskey {
	uint8_t raw[FSCRYPT_MAX_KEY_SIZE];
	uint8_t identifier[FSCRYPT_KEY_IDENTIFIER_SIZE];	/* set by fskey_add() */
};

void fskey_init(struct fskey *k, uint64_t seed);

/* Each takes any descriptor on the file system, and gives 0 or an errno. */
int fskey_add(struct fskey *k, int fd);
/* @status_flags: FSCRYPT_KEY_REMOVAL_STATUS_FLAG_*, valid after 0. */
int fskey_remove(const struct fskey *k, int fd, uint32_t *status_flags);
/* @status: FSCRYPT_KEY_STATUS_*, valid after 0. */
int fskey_status(const struct fskey *k, int fd, uint32_t *status);
/* v2 policy, AES-256-XTS contents and AES-256-CTS names, 32-byte name padding; @fd an empty directory. */
int fskey_set_policy(const struct fskey *k, int fd);

#endif
