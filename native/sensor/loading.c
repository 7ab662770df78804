// SPDX-License-Identifier: Apache-2.0
/*
 * Loading kernel programs: one that this kernel's verifier refuses would keep all others from being loaded, so it is
 * left out, and the engine is told what can not be seen. Without those that carry state nothing works.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "programs.h"

#define LOG_BYTES 128 /* the least that a kernel takes: only whether it wrote something counts */
#define LOG_WITHOUT_STEPS 4

static const char *const essential[] = {
	"handle_exec",	       "handle_fork",	       "handle_exit",  "handle_cgroup_mkdir",
	"handle_cgroup_rmdir", "dispatch_system_call", "list_process",
};

static bool is_essential(const char *program)
{
	for (size_t i = 0; i < sizeof(essential) / sizeof(*essential); i++)
		if (!strcmp(essential[i], program))
			return true;
	return false;
}

bool loading_is_refused(const struct programs *programs, const char *program)
{
	for (int i = 0; i < programs->refused_count; i++)
		if (!strcmp(programs->refused[i], program))
			return true;
	return false;
}

/* What a verifier answers, as against a kernel that lacks memory or may not be asked. */
static bool is_refusal(int error)
{
	return error == -EACCES || error == -EINVAL || error == -E2BIG || error == -EFAULT || error == -ENOSPC;
}

/* The verifier writes into the buffer of the program that it refuses. */
static char *give_buffers(struct bpf_object *object)
{
	struct bpf_program *program;
	size_t count = 0;
	char *buffers;

	bpf_object__for_each_program(program, object) count++;
	buffers = calloc(count, LOG_BYTES);
	if (!buffers)
		fail("there is no memory");
	count = 0;
	bpf_object__for_each_program(program, object)
	{
		if (getenv("HULLWATCH_DEBUG")) /* whoever looks for the reason: libbpf prints it */
			bpf_program__set_log_level(program, LOG_WITHOUT_STEPS);
		else
			bpf_program__set_log_buf(program, &buffers[LOG_BYTES * count++], LOG_BYTES);
	}
	return buffers;
}

static struct bpf_program *find_refused(struct bpf_object *object, const char *buffers)
{
	struct bpf_program *program;
	size_t place = 0;

	bpf_object__for_each_program(program, object)
	{
		if (buffers[LOG_BYTES * place++])
			return program;
	}
	return NULL;
}

static void leave_out(struct programs *programs, const struct bpf_program *program, int error)
{
	const char *name = program ? bpf_program__name(program) : NULL;

	if (!name || !is_refusal(error) || is_essential(name) || programs->refused_count == REFUSED_LIMIT)
		programs_fail_to_load(error);
	programs->refused[programs->refused_count] = strdup(name);
	if (!programs->refused[programs->refused_count++])
		fail("there is no memory");
	programs_forget_warning();
}

/* Load what is chosen of the programs, as far as the kernel takes it; NULL when nothing is chosen. */
struct bpf_object *loading_load(struct programs *programs, const struct choice *choice)
{
	for (;;) {
		struct bpf_object *object = programs_open(programs);
		char *buffers = give_buffers(object);
		int error;

		if (!choice->choose(programs, object, choice->context)) {
			bpf_object__close(object);
			free(buffers);
			return NULL;
		}
		error = bpf_object__load(object);
		if (error)
			leave_out(programs, find_refused(object, buffers), error);
		bpf_object__close(error ? object : NULL);
		free(buffers);
		if (!error)
			return object;
	}
}
