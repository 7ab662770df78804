// SPDX-License-Identifier: Apache-2.0
/*
 * open_close CPU MILLISECONDS PATH
 *
 * Opens and closes a file on one CPU for a time, as fast as it can. Prints how often, and the nanoseconds
 * it took by the clock and of CPU time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_BETWEEN_LOOKS 256 /* at the clock, which so costs nothing to speak of */

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int main(int count, char **arguments)
{
	cpu_set_t cpu;
	long long begin, end, limit;
	long pairs = 0;

	if (count != 4)
		return 2;
	CPU_ZERO(&cpu);
	CPU_SET(atoi(arguments[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) != 0)
		return 3;
	limit = atoll(arguments[2]) * 1000000;
	begin = nanoseconds(CLOCK_MONOTONIC);
	do {
		for (int pair = 0; pair < PAIRS_BETWEEN_LOOKS; pair++) {
			int file = open(arguments[3], O_RDONLY | O_CLOEXEC);

			if (file < 0)
				return 4;
			close(file);
		}
		pairs += PAIRS_BETWEEN_LOOKS;
		end = nanoseconds(CLOCK_MONOTONIC);
	} while (end - begin < limit);
	printf("%ld %lld %lld\n", pairs, end - begin, nanoseconds(CLOCK_PROCESS_CPUTIME_ID));
	return 0;
}
