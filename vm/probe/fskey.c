// SPDX-License-Identifier: GPL-2.0-only
#include "fskey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "prng.h"

void fskey_init(struct fskey *k, uint64_t seed)
{
	struct prng p;

	memset(k, 0, sizeof(*k));
	prng_init(&p, seed, 0x6d61737465726b65ULL);
	prng_fill(&p, k->raw, sizeof(k->raw));
}

int fskey_add(struct fskey *k, int fd)
{
	struct fscrypt_add_key_arg *arg;
	int err = 0;

	/* Ends in a flexible array, so it cannot live on the stack with its payload. */
	arg = calloc(1, sizeof(*arg) + sizeof(k->raw));
	if (!arg)
		return ENOMEM;
	arg->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	arg->raw_size = sizeof(k->raw);
	memcpy(arg->raw, k->raw, sizeof(k->raw));
	if (ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, arg))
		err = errno;
	else
		memcpy(k->identifier, arg->key_spec.u.identifier, sizeof(k->identifier));
	free(arg);
	return err;
}

static void specify(struct fscrypt_key_specifier *spec, const struct fskey *k)
{
	spec->type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	memcpy(spec->u.identifier, k->identifier, sizeof(k->identifier));
}

int fskey_remove(const struct fskey *k, int fd, uint32_t *status_flags)
{
	struct fscrypt_remove_key_arg arg = { 0 };

	specify(&arg.key_spec, k);
	if (ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg))
		return errno;
	*status_flags = arg.removal_status_flags;
	return 0;
}

int fskey_status(const struct fskey *k, int fd, uint32_t *status)
{
	struct fscrypt_get_key_status_arg arg = { 0 };

	specify(&arg.key_spec, k);
	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &arg))
		return errno;
	*status = arg.status;
	return 0;
}

int fskey_set_policy(const struct fskey *k, int fd)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_32,
	};

	memcpy(policy.master_key_identifier, k->identifier, sizeof(k->identifier));
	/* The ioctl number carries the size of the v1 struct; the version byte says what it is. */
	return ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy) ? errno : 0;
}
