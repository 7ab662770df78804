/* SPDX-License-Identifier: Apache-2.0 */
/* Fingerprints that a sensor is to be told, each once for as long as it is remembered here. */
#ifndef HULLWATCH_TOLD_H
#define HULLWATCH_TOLD_H

#include <stdint.h>
#include <string.h>

#include "classifier.h"

struct told {
	uint64_t waiting[HW_TOLD]; /* to be told */
	uint32_t count;
	uint64_t known[HW_TOLD]; /* by the lowest bits of the fingerprint: it is long in coming back */
};

static inline int told_is_full(const struct told *told)
{
	return told->count == HW_TOLD;
}

static inline void told_add(struct told *told, uint64_t fingerprint)
{
	uint64_t *known = &told->known[fingerprint & (HW_TOLD - 1)];

	if (told_is_full(told) || !fingerprint || *known == fingerprint)
		return;
	*known = fingerprint;
	told->waiting[told->count++] = fingerprint;
}

static inline uint32_t told_take(struct told *told, uint64_t *fingerprints)
{
	uint32_t count = told->count;

	memcpy(fingerprints, told->waiting, count * sizeof(*fingerprints));
	told->count = 0;
	return count;
}

#endif
