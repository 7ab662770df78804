// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ways into the kernel itself: modules, BPF, performance events, page faults, keys, io_uring. */
#include "call.h"
#include "descriptor.h"
#include "path.h"
#include "tamper.h"

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_init_module, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(INIT_MODULE));
	struct record_load_module *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_load_module *)scratch->record;
	record->res = result;
	record->length = SYSCALL_ARGUMENT_2(regs);
	record->uargs_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_3(regs));
	send_record(scratch, position + reread(&record->uargs_length), INDEX_INIT_MODULE);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_finit_module, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(FINIT_MODULE));
	struct record_load_module_file *record;
	__u32 position = sizeof(*record);
	struct file *file;

	if (!scratch)
		return 0;
	record = (struct record_load_module_file *)scratch->record;
	record->res = result;
	record->fd = (int)SYSCALL_ARGUMENT_1(regs);
	record->flags = SYSCALL_ARGUMENT_3(regs);
	record->uargs_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	position += reread(&record->uargs_length);
	file = file_of_descriptor(task, record->fd);
	record->name_length = file ? append_path(scratch, position,
						 (struct path *)__builtin_preserve_access_index(&file->f_path), task)
				   : 0;
	send_record(scratch, position + reread(&record->name_length), INDEX_FINIT_MODULE);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_delete_module, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(DELETE_MODULE));
	__u64 flags = SYSCALL_ARGUMENT_2(regs);
	struct record_remove_module *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_remove_module *)scratch->record;
	record->res = result;
	record->flags = (flags & KERNEL_O_NONBLOCK ? DELETE_MODULE_FLAG_O_NONBLOCK : 0) |
			(flags & KERNEL_O_TRUNC ? DELETE_MODULE_FLAG_O_TRUNC : 0);
	record->name_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_1(regs));
	send_record(scratch, position + reread(&record->name_length), INDEX_DELETE_MODULE);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_bpf, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(BPF));
	struct record_bpf *record;

	if (!scratch)
		return 0;
	note_bpf_call(regs, result);
	if (!is_wanted(INDEX_BPF)) /* it is always looked at, but not always asked for */
		return 0;
	record = (struct record_bpf *)scratch->record;
	record->fd = result;
	record->cmd = SYSCALL_ARGUMENT_1(regs);
	send_record(scratch, sizeof(*record), INDEX_BPF);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_perf_event_open, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(PERF_EVENT_OPEN));
	struct record_performance_event *record;
	struct perf_event *event;

	if (!scratch)
		return 0;
	record = (struct record_performance_event *)scratch->record;
	record->fd = result;
	record->pid = (int)SYSCALL_ARGUMENT_2(regs);
	record->on_cpu = (int)SYSCALL_ARGUMENT_3(regs);
	event = BPF_CORE_READ(file_of_descriptor(task, result), private_data);
	record->event_type = event ? BPF_CORE_READ(event, attr.type) : 0;
	record->config = event ? BPF_CORE_READ(event, attr.config) : 0;
	send_record(scratch, sizeof(*record), INDEX_PERF_EVENT_OPEN);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_userfaultfd, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(USERFAULTFD));
	__u64 flags = SYSCALL_ARGUMENT_1(regs);
	struct record_user_fault *record;

	if (!scratch)
		return 0;
	record = (struct record_user_fault *)scratch->record;
	record->res = result;
	record->flags =
		(flags & KERNEL_O_CLOEXEC ? FILE_O_CLOEXEC : 0) | (flags & KERNEL_O_NONBLOCK ? FILE_O_NONBLOCK : 0);
	send_record(scratch, sizeof(*record), INDEX_USERFAULTFD);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_keyctl, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(KEYCTL));
	struct record_key_control *record;

	if (!scratch)
		return 0;
	record = (struct record_key_control *)scratch->record;
	record->res = result;
	record->operation = SYSCALL_ARGUMENT_1(regs);
	record->arg2 = SYSCALL_ARGUMENT_2(regs);
	record->arg3 = SYSCALL_ARGUMENT_3(regs);
	record->arg4 = SYSCALL_ARGUMENT_4(regs);
	record->arg5 = SYSCALL_ARGUMENT_5(regs);
	send_record(scratch, sizeof(*record), INDEX_KEYCTL);
	return 0;
}

static __always_inline int report_key(__u16 type, enum event_index index, struct pt_regs *regs, long result,
				      int keyring)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_key *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_key *)scratch->record;
	record->res = result;
	record->keyring = keyring;
	record->key_type_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_1(regs));
	position += reread(&record->key_type_length);
	record->description_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	send_record(scratch, position + reread(&record->description_length), index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_add_key, struct pt_regs *regs, long result)
{
	return report_key(NAMED(ADD_KEY), regs, result, SYSCALL_ARGUMENT_5(regs));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_request_key, struct pt_regs *regs, long result)
{
	return report_key(NAMED(REQUEST_KEY), regs, result, SYSCALL_ARGUMENT_4(regs));
}
