/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Variables of a program's environment, those only that the engine has named. An environment can be as large as the
 * arguments, and most of it is nobody's business. It is the program's own memory: what stands there when it starts is
 * what its loader acts on, what stands there later may have been overwritten.
 */
#pragma once

#include "event.h"

#define ENVIRONMENT_NAMES 32	    /* that are looked for, a power of two; as in environment.c */
#define ENVIRONMENT_NAME_WORDS 8    /* of 8 bytes: 63 characters and "=" */
#define ENVIRONMENT_VARIABLES 4096  /* that are looked at; more of them and the record is marked as cut */
#define ENVIRONMENT_TEXT_BYTES 1024 /* of one variable, its name included; a power of two */

/* "NAME=", with zeros behind it, and which bits of it count. */
struct environment_name {
	__u64 words[ENVIRONMENT_NAME_WORDS];
	__u64 masks[ENVIRONMENT_NAME_WORDS];
};

struct environment_names {
	__u64 count;
	struct environment_name names[ENVIRONMENT_NAMES];
};

/* The sensor writes it when the engine says which variables rules ask for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct environment_names);
} environment_names_buffer __weak SEC(".maps");

#ifdef BASIC_TIER

/* A loop over all names in one over all variables is more than its kernels' verifiers follow: none are read. */
static __always_inline __u32 append_environment(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	return 0;
}

#else

static __always_inline const struct environment_names *get_environment_names(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&environment_names_buffer, &zero);
}

/*
 * How far it is. This stands in scratch->names, where the verifier follows no values: on the stack it would follow each
 * way of getting through one variable into the next.
 */
struct environment_state {
	unsigned long next, end; /* addresses of the program's memory, or places in scratch->path */
	__u32 position;		 /* where the next variable is written */
	__u32 is_inside;	 /* what comes next is the rest of a variable that was longer than the buffer */
	__u32 is_cut;
};

struct environment_walk {
	struct scratch *scratch;
	const struct environment_names *names;
	__u32 begin;   /* where the first variable is written */
	__u32 is_copy; /* the environment was copied to scratch->path */
};

static __always_inline struct environment_state *state_of(struct environment_walk *walk)
{
	return (struct environment_state *)walk->scratch->names[1];
}

struct name_search {
	const struct environment_names *names;
	const __u64 *text;
	__u32 is_found;
};

static int compare_name(__u32 i, struct name_search *search)
{
	const struct environment_name *name = &search->names->names[i & (ENVIRONMENT_NAMES - 1)];

	for (int word = 0; word < ENVIRONMENT_NAME_WORDS; word++) {
		if (!name->masks[word])
			break;
		if ((search->text[word] & name->masks[word]) != name->words[word])
			return 0;
	}
	search->is_found = 1;
	return 1;
}

static __always_inline int is_asked_for(const struct environment_walk *walk)
{
	struct name_search search = {.names = walk->names, .text = (const __u64 *)walk->scratch->names[0]};

	bpf_loop(walk->names->count, compare_name, &search, 0);
	return search.is_found;
}

/* Append the variable of `length` bytes (its end mark included) that stands in scratch->names. */
static __always_inline void append_variable(struct environment_walk *walk, struct environment_state *state,
					    __u32 length)
{
	__u32 position = state->position;

	if (length > ENVIRONMENT_TEXT_BYTES - 1) {
		length = ENVIRONMENT_TEXT_BYTES - 1;
		walk->scratch->names[0][length - 1] = 0;
		state->is_cut = 1;
	}
	if (position - walk->begin + length > VALUE_MAXIMUM - 1) {
		state->is_cut = 1;
		return;
	}
	barrier_var(position);
	barrier_var(length);
	length &= ENVIRONMENT_TEXT_BYTES - 1;
	if (!bpf_probe_read_kernel(&walk->scratch->record[position & (SCRATCH_BYTES - 1)], length,
				   walk->scratch->names[0]))
		state->position = position + length;
}

static int look_at_variable(__u32 step, struct environment_walk *walk)
{
	struct environment_state *state = state_of(walk);
	__u8 *text = walk->scratch->names[0];
	__u32 was_inside = state->is_inside;
	unsigned long next = state->next;
	long length;

	if (next >= state->end)
		return 1;
	if (walk->is_copy)
		length = bpf_probe_read_kernel_str(text, VALUE_MAXIMUM,
						   &walk->scratch->path[next & (2 * VALUE_MAXIMUM - 1)]);
	else
		length = bpf_probe_read_user_str(text, VALUE_MAXIMUM, (void *)next);
	if (length <= 0) {
		state->is_cut = 1;
		return 1;
	}
	state->is_inside = length == VALUE_MAXIMUM;
	state->next = next + (length == VALUE_MAXIMUM ? length - 1 : length);
	if (!was_inside && is_asked_for(walk))
		append_variable(walk, state, length);
	return 0;
}

/* Look at all variables from one place to another; returns the length of what was appended. */
static __always_inline __u32 append_named_variables(struct environment_walk *walk, unsigned long next,
						    unsigned long end)
{
	struct record_header *header = (struct record_header *)walk->scratch->record;
	struct environment_state *state = state_of(walk);

	*state = (struct environment_state){.next = next, .end = end, .position = walk->begin};
	bpf_loop(ENVIRONMENT_VARIABLES, look_at_variable, walk, 0);
	if (state->is_cut || state->next < state->end)
		header->flags |= RECORD_TRUNCATED;
	return state->position - walk->begin;
}

/* Append the variables of the running program; returns their length. */
static __always_inline __u32 append_environment(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct environment_walk walk = {.scratch = scratch, .names = get_environment_names(), .begin = position};

	if (!walk.names || !walk.names->count)
		return 0;
	return append_named_variables(&walk, BPF_CORE_READ(task, mm, env_start), BPF_CORE_READ(task, mm, env_end));
}

#endif
