// SPDX-License-Identifier: Apache-2.0
/*
 * Which processes are Hullwatch's, in the numbers that the kernel programs see: those of the first pid namespace. In a
 * container with process ids of its own, what the supervisor calls them is of another namespace. The kernel's list of
 * processes has both, and only those of our namespace and of those below it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "programs.h"

#define FIRST_PID_NAMESPACE 0xEFFFFFFCu /* PROC_PID_INIT_INO: the same on every kernel */

/* The number of our own pid namespace. Where it can not be read, it is taken for the first: as if nobody had asked. */
static __u32 own_pid_namespace(void)
{
	char text[64] = {0};
	unsigned int number = FIRST_PID_NAMESPACE;

	if (readlink("/proc/self/ns/pid", text, sizeof(text) - 1) > 0)
		sscanf(text, "pid:[%u]", &number);
	return number;
}

struct search {
	const __u32 *wanted; /* as our namespace counts */
	__u32 *found;	     /* as the kernel programs do */
	__u32 namespace;
	int count;
};

static void compare(const struct record_header *header, void *context)
{
	const struct record_program *process = (const void *)header;
	struct search *search = context;

	for (int i = 0; i < OWN_PROCESS_LIMIT && search->count < OWN_PROCESS_LIMIT; i++) {
		if (search->wanted[i] && process->pid_ns == search->namespace && search->wanted[i] == process->vpid) {
			search->found[search->count++] = header->pid;
			return;
		}
	}
}

/* To be called when the settings are written, and nothing is attached yet. */
void own_processes_translate(struct programs *programs)
{
	__u32 wanted[OWN_PROCESS_LIMIT];
	struct search search = {
		.wanted = wanted,
		.found = programs->settings.own_processes,
		.namespace = own_pid_namespace(),
	};

	if (search.namespace == FIRST_PID_NAMESPACE)
		return;
	memcpy(wanted, programs->settings.own_processes, sizeof(wanted));
	memset(programs->settings.own_processes, 0, sizeof(wanted));
	programs_list(programs, compare, &search);
	programs_store_settings(programs);
}
