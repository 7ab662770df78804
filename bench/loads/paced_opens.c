// SPDX-License-Identifier: Apache-2.0
/*
 * paced_opens CPU MILLISECONDS PAIRS_A_SECOND FILE...
 *
 * Opens and closes the files in turn on one CPU for a time, so often a second: as many as are due, then it waits in a
 * loop for the next. Prints how often, and the nanoseconds it took by the clock and of CPU time. One that can not keep
 * the pace does fewer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_AT_ONCE 64     /* at most between looks at the clock */
#define BEHIND_AT_MOST 0.001 /* seconds: what was missed for longer than that is not made up for in a burst */

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int main(int count, char **arguments)
{
	cpu_set_t cpu;
	long long begin, now, limit;
	double rate, due = 0;
	long pairs = 0;
	char **files = arguments + 4;
	int next = 0;

	if (count < 5)
		return 2;
	CPU_ZERO(&cpu);
	CPU_SET(atoi(arguments[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) != 0)
		return 3;
	limit = atoll(arguments[2]) * 1000000;
	rate = atof(arguments[3]) / 1e9;
	begin = now = nanoseconds(CLOCK_MONOTONIC);
	do {
		long long before = now;

		now = nanoseconds(CLOCK_MONOTONIC);
		due += (now - before) * rate;
		if (due > BEHIND_AT_MOST * 1e9 * rate)
			due = BEHIND_AT_MOST * 1e9 * rate;
		for (int pair = 0; pair < PAIRS_AT_ONCE && due >= 1; pair++, due--, pairs++) {
			int file = open(files[next], O_RDONLY | O_CLOEXEC);

			if (file < 0)
				return 4;
			close(file);
			next = files[next + 1] ? next + 1 : 0;
		}
	} while (now - begin < limit);
	printf("%ld %lld %lld\n", pairs, now - begin, nanoseconds(CLOCK_PROCESS_CPUTIME_ID));
	return 0;
}
