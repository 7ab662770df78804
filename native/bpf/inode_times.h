/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When an inode and its content were changed, on kernels of all ages. */
#pragma once

#include "event.h"

#define NANOSECONDS 1000000000ull
#define CTIME_QUERIED 0x80000000u /* a note of the kernel in the highest bit of i_ctime_nsec */

/* Both in ns since the epoch. */
struct inode_times {
	__u64 mtime;
	__u64 ctime;
};

static __always_inline struct inode_times times_of(struct inode *inode)
{
	struct inode_times times;

	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		times.mtime = BPF_CORE_READ(inode, i_mtime_sec) * NANOSECONDS + BPF_CORE_READ(inode, i_mtime_nsec);
		times.ctime = BPF_CORE_READ(inode, i_ctime_sec) * NANOSECONDS +
			      (BPF_CORE_READ(inode, i_ctime_nsec) & ~CTIME_QUERIED);
	} else if (bpf_core_field_exists(struct inode___v67, __i_mtime)) {
		struct inode___v67 *old = (void *)inode;

		times.mtime =
			BPF_CORE_READ(old, __i_mtime.tv_sec) * NANOSECONDS + BPF_CORE_READ(old, __i_mtime.tv_nsec);
		times.ctime =
			BPF_CORE_READ(old, __i_ctime.tv_sec) * NANOSECONDS + BPF_CORE_READ(old, __i_ctime.tv_nsec);
	} else if (bpf_core_field_exists(struct inode___v66, __i_ctime)) {
		struct inode___v66 *old = (void *)inode;

		times.mtime = BPF_CORE_READ(old, i_mtime.tv_sec) * NANOSECONDS + BPF_CORE_READ(old, i_mtime.tv_nsec);
		times.ctime =
			BPF_CORE_READ(old, __i_ctime.tv_sec) * NANOSECONDS + BPF_CORE_READ(old, __i_ctime.tv_nsec);
	} else {
		struct inode___v65 *old = (void *)inode;

		times.mtime = BPF_CORE_READ(old, i_mtime.tv_sec) * NANOSECONDS + BPF_CORE_READ(old, i_mtime.tv_nsec);
		times.ctime = BPF_CORE_READ(old, i_ctime.tv_sec) * NANOSECONDS + BPF_CORE_READ(old, i_ctime.tv_nsec);
	}
	return times;
}
