// SPDX-License-Identifier: Apache-2.0
/*
 * fork_exec CPU MILLISECONDS
 *
 * Forks, executes itself as a program that does nothing, and waits for its end, on one CPU for a time. Prints how
 * often, and the nanoseconds it took by the clock and of CPU time, the children's too.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static long long of_children(void)
{
	struct rusage used;

	getrusage(RUSAGE_CHILDREN, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000ll +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000ll;
}

int main(int count, char **arguments)
{
	static char *const nothing[] = {"nothing", NULL};
	static char *const environment[] = {NULL};
	cpu_set_t cpu;
	long long begin, end, limit;
	long pairs = 0;

	if (count == 1)
		return 0; /* the program that does nothing */
	if (count != 3)
		return 2;
	CPU_ZERO(&cpu);
	CPU_SET(atoi(arguments[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) != 0)
		return 3;
	limit = atoll(arguments[2]) * 1000000;
	begin = nanoseconds(CLOCK_MONOTONIC);
	do {
		pid_t child = fork();
		int status;

		if (child == 0) {
			execve("/proc/self/exe", nothing, environment);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
			return 4;
		pairs++;
		end = nanoseconds(CLOCK_MONOTONIC);
	} while (end - begin < limit);
	printf("%ld %lld %lld\n", pairs, end - begin, nanoseconds(CLOCK_PROCESS_CPUTIME_ID) + of_children());
	return 0;
}
