// SPDX-License-Identifier: Apache-2.0
/* Hooks that not every kernel has, or not in the same form: seen by the kernel's description of its types. */
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

#include "programs.h"

#define IO_URING_MARK "btf_trace_io_uring_create" /* a hook that each kernel with io_uring has */

/* Programs for hooks that not every kernel has. */
static const struct optional {
	const char *type;      /* that stands for the hook in the kernel's type information */
	const char *arguments; /* that it begins with, as write_arguments() has them */
	const char *program;
} optional[] = {
	{"btf_trace_sched_prepare_exec", "task_struct ", "note_execveat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "note_io_uring"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "dispatch_io_uring"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_openat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_openat2"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_unlinkat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_mkdirat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_renameat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_linkat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_symlinkat"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_connect"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_accept"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_socket"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_bind"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_listen"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_shutdown"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_send"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_sendmsg"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_recv"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_recvmsg"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_ftruncate"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_setxattr"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_fsetxattr"},
	{"btf_trace_io_uring_submit_req", "io_kiocb ", "handle_io_uring_one_of_many"},
	{"btf_trace_io_uring_submit_sqe", "io_kiocb ", "count_io_uring_before_6_4"},
	{"btf_trace_io_uring_submit_sqe", "* * number ", "count_io_uring_before_6_0"},
};

static const struct btf_type *follow(const struct btf *types, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(types, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(types, type->type);
	return type;
}

/* Write what a hook hands to its programs: the names of structures that it points to, "*", "number". */
static void write_arguments(const struct btf *types, __s32 hook, char *text, size_t size)
{
	const struct btf_type *pointer = hook < 0 ? NULL : follow(types, hook);
	const struct btf_type *function = pointer ? follow(types, pointer->type) : NULL;

	text[0] = 0;
	for (int i = 1; function && i < btf_vlen(function); i++) { /* the first is for the kernel's own use */
		const struct btf_type *type = follow(types, btf_params(function)[i].type);
		const struct btf_type *target = type && btf_is_ptr(type) ? follow(types, type->type) : NULL;
		const char *name = target && btf_is_struct(target) ? btf__name_by_offset(types, target->name_off)
				   : type && btf_is_ptr(type)	   ? "*"
								   : "number";
		size_t length = strlen(text);

		snprintf(text + length, size - length, "%s ", name);
	}
}

static bool has_hook(const struct btf *types, const struct optional *one)
{
	char arguments[256];

	write_arguments(types, btf__find_by_name_kind(types, one->type, BTF_KIND_TYPEDEF), arguments,
			sizeof(arguments));
	return !strncmp(arguments, one->arguments, strlen(one->arguments));
}

/* A program for a hook that this kernel has not would keep all others from being loaded. */
void hooks_leave_out_missing(struct bpf_object *object)
{
	struct btf *types = btf__load_vmlinux_btf();

	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++)
		if (!has_hook(types, &optional[i]))
			bpf_program__set_autoload(bpf_object__find_program_by_name(object, optional[i].program), false);
	btf__free(types);
}

bool hooks_is_optional(const char *program)
{
	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++)
		if (!strcmp(optional[i].program, program))
			return true;
	return false;
}

static bool is_possible(const struct btf *types, const char *program)
{
	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++)
		if (!strcmp(optional[i].program, program) && has_hook(types, &optional[i]))
			return true;
	return false;
}

/* What this kernel keeps from being seen or done, whichever programs are loaded: bits of kernel_lacks. */
__u32 hooks_lacking(enum tiers tier)
{
	struct btf *types = btf__load_vmlinux_btf();
	__u32 lacks = 0;

	if (tier == TIER_BASIC)
		lacks |= KERNEL_LACK_ENVIRONMENT;
#ifdef __x86_64__ /* overwrites the number of the call before the hook on execs */
	if (!is_possible(types, "note_execveat"))
		lacks |= KERNEL_LACK_EXECVEAT;
#endif
	if (btf__find_by_name_kind(types, IO_URING_MARK, BTF_KIND_TYPEDEF) >= 0) {
		if (!is_possible(types, "dispatch_io_uring"))
			lacks |= KERNEL_LACK_IO_URING_EVENTS;
		if (!is_possible(types, "note_io_uring") && !is_possible(types, "count_io_uring_before_6_4") &&
		    !is_possible(types, "count_io_uring_before_6_0"))
			lacks |= KERNEL_LACK_IO_URING_COUNTS;
	}
	btf__free(types);
	return lacks;
}
