/* SPDX-License-Identifier: Apache-2.0 */
/* The small values of a record: mostly they are those of the record of its kind before. */
#ifndef HULLWATCH_SCALARS_H
#define HULLWATCH_SCALARS_H

#include <stdint.h>
#include <string.h>

#include "classifier.h"

struct scalars {
	uint8_t values[8 * HW_SCALARS];
	uint32_t size;
	uint32_t judged; /* their class; 0 = not known */
};

/* The record reaches to `fixed_end` at least. */
static inline void take_scalars(struct scalars *scalars, const struct hw_kind *kind, const uint8_t *record)
{
	scalars->size = 0;
	for (uint32_t one = 0; one < kind->scalar_count; one++) {
		memcpy(scalars->values + scalars->size, record + kind->scalars[one].offset, kind->scalars[one].size);
		scalars->size += kind->scalars[one].size;
	}
}

/* Whether they are those of which the class is known. */
static inline int are_same_scalars(const struct scalars *known, const struct scalars *now)
{
	return known->judged && !memcmp(known->values, now->values, now->size);
}

#endif
