// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Files: the open family, when the call has ended. */
#include "descriptor.h"
#include "io_uring.h"
#include "path.h"

#define FMODE_CREATED 0x100000 /* the kernel's note in an open file that this call made it */

/* The kernel's flags of open() in Falco's portable values. */
static __always_inline __u32 portable_flags(__u64 flags)
{
	__u32 portable = 0;
	__u32 access = flags & KERNEL_O_ACCMODE;

	portable |= access == 0 ? FILE_O_RDONLY : access == 1 ? FILE_O_WRONLY : FILE_O_RDWR;
	portable |= flags & KERNEL_O_CREAT ? FILE_O_CREAT : 0;
	portable |= flags & KERNEL_O_EXCL ? FILE_O_EXCL : 0;
	portable |= flags & KERNEL_O_TRUNC ? FILE_O_TRUNC : 0;
	portable |= flags & KERNEL_O_APPEND ? FILE_O_APPEND : 0;
	portable |= flags & KERNEL_O_NONBLOCK ? FILE_O_NONBLOCK : 0;
	portable |= flags & KERNEL_O_DSYNC ? FILE_O_DSYNC : 0;
	portable |= flags & KERNEL_O_SYNC_ONLY ? FILE_O_SYNC : 0;
	portable |= flags & KERNEL_O_DIRECT ? FILE_O_DIRECT : 0;
	portable |= flags & KERNEL_O_DIRECTORY ? FILE_O_DIRECTORY : 0;
	portable |= flags & KERNEL_O_LARGEFILE ? FILE_O_LARGEFILE : 0;
	portable |= flags & KERNEL_O_CLOEXEC ? FILE_O_CLOEXEC : 0;
	portable |= flags & KERNEL_O_TMPFILE_ONLY ? FILE_O_TMPFILE : 0;
	return portable;
}

/* What the kernel knows of the file that was opened. */
static __always_inline __u32 fill_opened_file(struct scratch *scratch, struct task_struct *task, int fd, __u32 position)
{
	struct record_open *record = (struct record_open *)scratch->record;
	struct file *file = file_of_descriptor(task, fd);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 device = BPF_CORE_READ(inode, i_sb, s_dev);
	int layer = overlay_layer(inode);

	if (!file) {
		count_drop(INDEX_OPENAT, DROP_UNREADABLE);
		return 0;
	}
	record->ino = BPF_CORE_READ(inode, i_ino);
	record->inode_mode = BPF_CORE_READ(inode, i_mode);
	record->dev = encode_device(device >> 20, device & 0xfffff);
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		record->flags |= FILE_O_F_CREATED;
	record->flags |= layer == 1 ? FILE_FD_UPPER_LAYER : layer == 2 ? FILE_FD_LOWER_LAYER : 0;
	return append_path(scratch, position, (struct path *)__builtin_preserve_access_index(&file->f_path), task);
}

static __always_inline int report_open(__u16 type, enum event_index index, long result, long dirfd, const void *name,
				       __u64 flags, __u64 mode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_open *record;
	__u32 position = sizeof(*record), length;

	if (!scratch || is_own_process(task, index))
		return 0;
	record = (struct record_open *)scratch->record;
	fill_header(&record->header, task, type);
	record->fd = result;
	record->dirfd = (int)dirfd;
	record->flags = portable_flags(flags);
	record->mode = flags & (KERNEL_O_CREAT | KERNEL_O_TMPFILE_ONLY) ? mode & 07777 : 0;
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

/* Append the name that was noted when the request was submitted; says so in the header, and when it was cut. */
static __always_inline __u32 append_noted_name(struct scratch *scratch, __u32 position, __u64 request)
{
	struct record_header *header = (struct record_header *)scratch->record;
	struct io_uring_name *noted = bpf_map_lookup_elem(&io_uring_names, &request);
	__u32 length = noted ? append_kernel_string(scratch, position, noted->name) : 0;

	header->flags |= RECORD_USER_MEMORY;
	if (length == NAME_KEPT_BYTES - 1)
		header->flags |= RECORD_TRUNCATED;
	return length;
}

static __always_inline int report_io_uring_open(__u16 type, enum event_index index, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_open *open = open_of_request(request);
	int result = BPF_CORE_READ(request, cqe.res);
	__u64 flags = BPF_CORE_READ(open, how.flags), key = (__u64)request;
	struct scratch *scratch = get_scratch();
	struct record_open *record;
	__u32 position = sizeof(*record), length;

	if (!scratch || is_own_process(task, index))
		return 0;
	record = (struct record_open *)scratch->record;
	fill_header(&record->header, task, type);
	record->header.flags |= RECORD_IO_URING;
	record->fd = result;
	record->dirfd = BPF_CORE_READ(open, dfd);
	record->flags = portable_flags(flags);
	record->mode = flags & (KERNEL_O_CREAT | KERNEL_O_TMPFILE_ONLY) ? BPF_CORE_READ(open, how.mode) & 07777 : 0;
	record->ino = 0;
	record->dev = 0;
	record->inode_mode = 0;
	/* A file that goes into the ring's own table has no descriptor to look it up by. */
	if (result >= 0 && BPF_CORE_READ(open, file_slot) == 0)
		length = fill_opened_file(scratch, task, result, position);
	else
		length = append_noted_name(scratch, position, key);
	record->name_length = length;
	send_record(scratch, position + reread(&record->name_length), index);
	bpf_map_delete_elem(&io_uring_names, &key);
	return 0;
}

/* Attached while rules ask for opens: completions of other operations leave after one comparison. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_open, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	__u8 operation = BPF_CORE_READ(request, opcode);

	if (!is_open_wanted(operation))
		return 0;
	if (operation == OPERATION_OPENAT)
		return report_io_uring_open(EVENT_OPENAT, INDEX_OPENAT, request);
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
