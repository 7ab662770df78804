/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two tiers. The same source is compiled twice, and the sensor loads the one whose helpers the kernel has
 * (sensor/tier.c): the full tier as it is, the basic one (BASIC_TIER) for kernels from 5.10 on. There the running
 * thread is no typed pointer, so each field is read by a helper, and a loop has a bound that the verifier can follow:
 * what lies behind it is cut, and the record says so.
 */
#pragma once

#include "kernel_types.h"
#include "architecture.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#ifdef BASIC_TIER

#define FOR_TIER(full, basic) (basic)

/* A field of the running thread, or what it points to: READ(task, fs, root.dentry). */
#define READ(...) BPF_CORE_READ(__VA_ARGS__)

#define bpf_get_current_task_btf() ((struct task_struct *)bpf_get_current_task())

#define STEP static __always_inline /* a function for LOOP */

/* Take steps until one of them ends it: `times`, or `limit` if that is less. */
#define LOOP(times, limit, step, context)                                                                              \
	_Pragma("clang loop unroll(disable)") for (__u32 number = 0; number < (limit); number++)                       \
	{                                                                                                              \
		if (number >= (times) || step(number, context))                                                        \
			break;                                                                                         \
	}

/* Lose what the verifier knows of a number: it would follow each value that it can have through every step of a loop. */
#define FORGET(number, place)                                                                                          \
	({                                                                                                             \
		*(volatile __u32 *)(place) = (number);                                                                 \
		(number) = *(volatile __u32 *)(place);                                                                 \
	})

/* The registers that a thread entered the kernel with lie at the end of its stack. */
static __always_inline long system_call_of(struct task_struct *task)
{
	void *stack = BPF_CORE_READ(task, stack);
	struct pt_regs *regs = stack + KERNEL_STACK_BYTES - bpf_core_type_size(struct pt_regs);

	return BPF_CORE_READ(regs, SYSCALL_NUMBER_FIELD);
}

#else

#define FOR_TIER(full, basic) (full)
#define READ(...) (___arrow(__VA_ARGS__))
#define STEP static
#define FORGET(number, place)
#define LOOP(times, limit, step, context) bpf_loop(times, step, context, 0)

static __always_inline long system_call_of(struct task_struct *task)
{
	return SYSCALL_NUMBER((struct pt_regs *)bpf_task_pt_regs(task));
}

#endif
