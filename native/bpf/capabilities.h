/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sets of capabilities: one number since 6.3, two halves before. */
#pragma once

#include "event.h"

static __always_inline __u64 read_capabilities(const kernel_cap_t *set)
{
	__u64 value = 0;

	/* Both forms are the same eight bytes on little-endian processors. */
	bpf_probe_read_kernel(&value, sizeof(value), set);
	return value;
}

#define CAPABILITIES(cred, which) read_capabilities(__builtin_preserve_access_index(&(cred)->which))

/* The same by load instructions, of an object that the verifier knows: each half is a part of both forms. */
static __always_inline __u64 load_capabilities(const kernel_cap_t *set)
{
	const volatile __u32 *halves = (const volatile __u32 *)set;

	return halves[0] | (__u64)halves[1] << 32;
}

#define LOADED_CAPABILITIES(cred, which)                                                                               \
	FOR_TIER(load_capabilities, read_capabilities)(__builtin_preserve_access_index(&(cred)->which))
