/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC-32C (Castagnoli, RFC 3720 B.4): start with 0, feed pieces in order. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *buf, size_t len);

#endif
