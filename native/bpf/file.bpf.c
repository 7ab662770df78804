// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Files: the open family, when the call has ended. */
#define TYPED_READS
#include "io_uring.h"
#include "open_file.h"
#include "ruled_out.h"
#include "ruled_out_reads.h"

#define FMODE_CREATED 0x100000 /* the kernel's note in an open file that this call made it */

/* What the kernel knows of the file that was opened. */
static __always_inline __u32 fill_opened_file(struct scratch *scratch, struct task_struct *task, int fd, __u32 position)
{
	struct record_open *record = (struct record_open *)scratch->record;
	struct file *file = file_of_descriptor(task, fd);
	struct file_facts facts = facts_of(file);

	if (!file) {
		count_drop(INDEX_OPENAT, DROP_UNREADABLE);
		return 0;
	}
	record->ino = facts.ino;
	record->inode_mode = facts.mode;
	record->dev = facts.dev;
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		record->flags |= FILE_O_F_CREATED;
	record->flags |= facts.layer;
	return append_file_path(scratch, position, file);
}

/* The fingerprint of the file and of how it was opened, by whomever; 0 when it cannot be remembered. Typed reads only. */
static __always_inline __u64 fingerprint_opened(struct task_struct *task, struct record_open *record, __u16 type,
						__u64 flags)
{
	struct remembering *remembering = get_remembering();
	__u64 begun, what, where; /* apart from each other, so that a processor can make them side by side */
	struct inode *inode;
	struct file *file;

	if (!remembering || !remembering->generation)
		return 0;
	begun = mix(remembering->secret, remembering->rules);
	file = TYPED(struct file, file_of_descriptor(task, record->fd));
	inode = file->f_inode;
	what = mix(begun, flags << 16 ^ record->mode);
	what = mix(what, (__u64)record->dirfd << 32 | file->f_mode);
	what = mix(what, inode->i_ino);
	what = mix(what, (__u64)inode->i_generation << 32 | inode->i_sb->s_dev);
	what = mix(what, (__u64)inode->i_mode << 8 | overlay_layer(inode));
	where = mix_path(begun, task, &file->f_path); /* last: the verifier looks at what follows for each depth */
	return where ? file_fingerprint(mix(mix(where, what), type)) : 0;
}

/* That of the call, which its process and its generation make another one. */
static __always_inline __u64 fingerprint_open(__u64 file, struct task_struct *task, struct record_header *header)
{
	struct remembering *remembering = get_remembering();

	return call_fingerprint(mix_process(mix(file, remembering ? remembering->generation : 0), task, header));
}

static __always_inline int report_open(__u16 type, enum event_index index, long result, long dirfd, const void *name,
				       __u64 flags, __u64 mode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_open *record;
	__u32 position = sizeof(*record), length;
	__u64 file = 0, entry = 0, call;

	if (!scratch)
		return 0;
	record = (struct record_open *)scratch->record;
	record->fd = result;
	record->dirfd = (int)dirfd;
	record->mode = flags & (KERNEL_O_CREAT | KERNEL_O_TMPFILE_ONLY) ? mode & 07777 : 0;
	if (result >= 0)
		file = bpf_rdonly_cast ? fingerprint_opened(task, record, type, flags)
				       : fingerprint_opened_by_reads(record, type, flags);
	if (file) {
		entry = ruled_out_entry(file);
		if (entry == file) {
			count_drop(index, DROP_RULED_OUT);
			return 0;
		}
	}
	/* What is to be known of the caller comes when it matters. */
	fill_caller(&record->header, task, type);
	record->fingerprint = file;
	if (file) {
		call = fingerprint_open(file, task, &record->header);
		if (is_ruled_out(call)) {
			count_drop(index, DROP_RULED_OUT);
			return 0;
		}
		if (entry == (file | FINGERPRINT_NOT_FOR_ALL))
			record->fingerprint = call;
	}
	/* What only a record needs comes when it is known that there will be one. Hullwatch's own calls were never told. */
	if (is_own_process(task, index))
		return 0;
	record->header.time = bpf_ktime_get_boot_ns();
	record->flags = portable_flags(flags);
	record->ino = 0;
	record->dev = 0;
	record->inode_mode = 0;
	if (result >= 0) {
		length = fill_opened_file(scratch, task, result, position);
	} else {
		record->header.flags |= RECORD_USER_MEMORY;
		length = append_user_string(scratch, position, name);
	}
	record->name_length = length;
	send_record(scratch, position + length, index);
	return 0;
}

static __always_inline int report_io_uring_open(__u16 type, enum event_index index, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_open *open = PART_OF_REQUEST(io_open, request);
	int result = BPF_CORE_READ(request, cqe.res), length;
	__u64 flags = BPF_CORE_READ(open, how.flags);
	struct scratch *scratch = begin_io_uring_record(type, index);
	struct record_open *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_open *)scratch->record;
	record->fd = result;
	record->dirfd = BPF_CORE_READ(open, dfd);
	record->flags = portable_flags(flags);
	record->mode = flags & (KERNEL_O_CREAT | KERNEL_O_TMPFILE_ONLY) ? BPF_CORE_READ(open, how.mode) & 07777 : 0;
	record->ino = 0;
	record->dev = 0;
	record->inode_mode = 0;
	record->fingerprint = 0;
	/* A file that goes into the ring's own table has no descriptor to look it up by. */
	if (result >= 0 && BPF_CORE_READ(open, file_slot) == 0) {
		record->name_length = fill_opened_file(scratch, task, result, position);
		forget_noted_name(request, 0);
	} else {
		length = take_noted_name(scratch, 0, request);
		record->name_length = length < 0 ? 0 : length;
		append_kernel(scratch, position, scratch->names[0], reread(&record->name_length));
	}
	send_record(scratch, position + reread(&record->name_length), index);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_openat, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	return report_io_uring_open(EVENT_OPENAT, INDEX_OPENAT, request);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_openat2, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	return report_io_uring_open(EVENT_OPENAT2, INDEX_OPENAT2, request);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_open, struct pt_regs *regs, long result)
{
	return report_open(EVENT_OPEN, INDEX_OPEN, result, -100, (void *)SYSCALL_ARGUMENT_1(regs),
			   SYSCALL_ARGUMENT_2(regs), SYSCALL_ARGUMENT_3(regs));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_creat, struct pt_regs *regs, long result)
{
	return report_open(EVENT_CREAT, INDEX_CREAT, result, -100, (void *)SYSCALL_ARGUMENT_1(regs),
			   KERNEL_O_CREAT | KERNEL_O_TRUNC | 1, SYSCALL_ARGUMENT_2(regs));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_openat, struct pt_regs *regs, long result)
{
	return report_open(EVENT_OPENAT, INDEX_OPENAT, result, SYSCALL_ARGUMENT_1(regs),
			   (void *)SYSCALL_ARGUMENT_2(regs), SYSCALL_ARGUMENT_3(regs), SYSCALL_ARGUMENT_4(regs));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_openat2, struct pt_regs *regs, long result)
{
	struct open_how how = {};

	bpf_probe_read_user(&how, sizeof(how), (void *)SYSCALL_ARGUMENT_3(regs));
	return report_open(EVENT_OPENAT2, INDEX_OPENAT2, result, SYSCALL_ARGUMENT_1(regs),
			   (void *)SYSCALL_ARGUMENT_2(regs), how.flags, how.mode);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_open_by_handle_at, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_OPEN_BY_HANDLE_AT, INDEX_OPEN_BY_HANDLE_AT);
	struct task_struct *task = bpf_get_current_task_btf();
	struct record_open_by_handle *record;
	struct file *file = file_of_descriptor(task, result);
	struct file_facts facts = facts_of(file);

	if (!scratch)
		return 0;
	record = (struct record_open_by_handle *)scratch->record;
	record->fd = result;
	record->mountfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->flags = portable_flags(SYSCALL_ARGUMENT_3(regs)) | facts.layer;
	record->dev = facts.dev;
	record->ino = facts.ino;
	record->inode_mode = facts.mode;
	record->path_length = 0;
	if (file)
		record->path_length = append_file_path(scratch, sizeof(*record), file);
	send_record(scratch, sizeof(*record) + reread(&record->path_length), INDEX_OPEN_BY_HANDLE_AT);
	return 0;
}
