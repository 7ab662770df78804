// SPDX-License-Identifier: Apache-2.0
/* The relation of the two clocks: constant but for slow corrections, until somebody sets the wall clock. */
#include "sensor.h"

#define STEP_NS 5000000ll /* slow corrections move it less in a second */

static __s64 told; /* wall clock minus time since boot, as it was reported last */

void clock_was_told(__u64 realtime, __u64 boottime)
{
	told = realtime - boottime;
}

bool clock_has_stepped(__u64 realtime, __u64 boottime)
{
	__s64 moved = (__s64)(realtime - boottime) - told;

	return moved >= STEP_NS || moved <= -STEP_NS;
}
