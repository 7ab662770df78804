/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The namespaces that a thread lives in, by the numbers that the links in /proc/PID/ns show. */
#pragma once

#include "event.h"

#define PIDTYPE_TGID 1 /* enum pid_type of the kernel */

/* As the parameter `namespaces` has them, and in the same order the fixed part of `program`; 0: there is none any more. */
struct namespaces {
	__u32 pid, mnt, net, user, ipc, uts, cgroup;
};

static __always_inline struct pid *pid_of(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *pid = NULL;

	bpf_core_read(&pid, sizeof(pid), &signal->pids[PIDTYPE_TGID]);
	return pid;
}

/* That of the process itself; nsproxy has the one of its children. */
static __always_inline __u32 pid_namespace_of(struct task_struct *task)
{
	struct pid *pid = pid_of(task);
	__u32 level = BPF_CORE_READ(pid, level);
	struct pid_namespace *namespace = NULL;

	bpf_probe_read_kernel(&namespace, sizeof(namespace),
			      (char *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, ns));
	return BPF_CORE_READ(namespace, ns.inum);
}

static __always_inline struct namespaces namespaces_of(struct task_struct *task)
{
	struct nsproxy *proxy = BPF_CORE_READ(task, nsproxy);

	return (struct namespaces){
		.pid = pid_namespace_of(task),
		.mnt = BPF_CORE_READ(proxy, mnt_ns, ns.inum),
		.net = BPF_CORE_READ(proxy, net_ns, ns.inum),
		.user = BPF_CORE_READ(task, cred, user_ns, ns.inum),
		.ipc = BPF_CORE_READ(proxy, ipc_ns, ns.inum),
		.uts = BPF_CORE_READ(proxy, uts_ns, ns.inum),
		.cgroup = BPF_CORE_READ(proxy, cgroup_ns, ns.inum),
	};
}

/* Append them as the parameter `namespaces`; returns its length. */
static __always_inline __u32 append_namespaces(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct namespaces found = namespaces_of(task);

	__builtin_memcpy(&scratch->record[position & (SCRATCH_BYTES - 1)], &found, sizeof(found));
	return sizeof(found);
}

/*
 * Whether a child may live elsewhere than its parent. A process can only have children in its own pid namespace or in one
 * further down.
 */
static __always_inline int lives_elsewhere(struct task_struct *child, struct task_struct *parent)
{
	return BPF_CORE_READ(child, nsproxy) != BPF_CORE_READ(parent, nsproxy) ||
	       BPF_CORE_READ(child, cred, user_ns) != BPF_CORE_READ(parent, cred, user_ns) ||
	       BPF_CORE_READ(pid_of(child), level) != BPF_CORE_READ(pid_of(parent), level);
}
