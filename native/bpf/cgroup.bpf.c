// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Control groups that are made and removed: how a container is known before its first process runs. */
#include "event.h"

static __always_inline int report_cgroup(struct cgroup *cgroup, const char *path, __u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct settings *settings = get_settings();
	struct scratch *scratch = get_scratch();
	struct record_cgroup *record;
	__u32 hierarchy = cgroup->root->hierarchy_id;

	/* Containers are keyed by one hierarchy; version 1 makes the same directory in each of a dozen. */
	if (!scratch || !settings || hierarchy != settings->memory_hierarchy)
		return 0;
	record = (struct record_cgroup *)scratch->record;
	fill_header(&record->header, task, type);
	record->hierarchy = hierarchy;
	record->id = cgroup->kn->id;
	record->path_length = append_kernel_string(scratch, sizeof(*record), path);
	send_record(scratch, sizeof(*record) + record->path_length, index);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(handle_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	return report_cgroup(cgroup, path, EVENT_CGROUP_MKDIR, INDEX_CGROUP_MKDIR);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(handle_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	return report_cgroup(cgroup, path, EVENT_CGROUP_RMDIR, INDEX_CGROUP_RMDIR);
}
