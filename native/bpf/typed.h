/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Typed reads: a load instruction instead of a call of bpf_probe_read_kernel(), which takes many times as long. A read
 * of an address that is none gives 0, as with the helper.
 *
 * They need kernel 6.2, and a file that has them says `#define TYPED_READS` before it includes anything: the linker of
 * bpftool before 7.6 refuses a function of the kernel that two files use, so only the one with the busiest calls does.
 */
#pragma once

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifdef BASIC_TIER /* whose kernels have none: there all of these are reads by a helper */
static void *(*const bpf_rdonly_cast)(const void *object, __u32 btf_id) = NULL;
#undef TYPED_READS
#else
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;
#endif
#define TYPED(type, object) ((type *)bpf_rdonly_cast((object), bpf_core_type_id_kernel(type)))

#ifdef TYPED_READS

/* As BPF_CORE_READ(). Of the two ways only the one that the kernel has is part of the loaded program. */
#define KERNEL_READ(object, ...)                                                                                       \
	(bpf_rdonly_cast ? ___arrow(TYPED(typeof(*(object)), object), __VA_ARGS__) : BPF_CORE_READ(object, __VA_ARGS__))

#else

#define KERNEL_READ BPF_CORE_READ

#endif

/* The pointer that lies at an address. */
static __always_inline void *read_pointer(const void *address)
{
	void *pointer = NULL;

#ifdef TYPED_READS
	if (bpf_rdonly_cast)
		return TYPED(struct list_head, address)->next; /* begins with a pointer in every kernel */
#endif
	bpf_probe_read_kernel(&pointer, sizeof(pointer), address);
	return pointer;
}
