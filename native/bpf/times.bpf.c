// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Times and extended attributes of files: utimensat, setxattr and their kin. */
#include "named_path.h"
#include "open_file.h"

#define NANOSECONDS 1000000000ull
#define NANOSECONDS_OF_MICROSECOND 1000
#define UTIME_NOW 0x3fffffff /* in place of the nanoseconds of utimensat() */
#define UTIME_OMIT 0x3ffffffe
#define TIME_LEFT 0xffffffffffffffffull /* what the event table says of them */
#define TIME_NOW 0xfffffffffffffffeull

/* When a file was read and changed last, as all calls of this family have it in the end. */
struct times {
	__u64 access, change;
};

/* Two times as a caller has them: struct timespec of utimensat() and struct timeval of utimes(). */
struct user_time {
	__s64 seconds;
	__s64 fraction;
};

static __always_inline __u64 time_of(struct user_time time, __u64 unit)
{
	if (unit == 1 && time.fraction == UTIME_NOW)
		return TIME_NOW;
	if (unit == 1 && time.fraction == UTIME_OMIT)
		return TIME_LEFT;
	return time.seconds * NANOSECONDS + time.fraction * unit;
}

/* Read both times; `unit` is that of the fraction in nanoseconds. Without times the caller means now. */
static __always_inline struct times read_times(const void *source, __u64 unit)
{
	struct user_time given[2] = {};

	if (!source)
		return (struct times){TIME_NOW, TIME_NOW};
	bpf_probe_read_user(given, sizeof(given), source);
	return (struct times){time_of(given[0], unit), time_of(given[1], unit)};
}

/* What utime() takes has seconds only. */
static __always_inline struct times read_seconds(const void *source)
{
	__s64 given[2] = {};

	if (!source)
		return (struct times){TIME_NOW, TIME_NOW};
	bpf_probe_read_user(given, sizeof(given), source);
	return (struct times){given[0] * NANOSECONDS, given[1] * NANOSECONDS};
}

static __always_inline int report_times(__u16 type, enum event_index index, long result, struct given_name given,
					struct times times, __u32 flags)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_times *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_times *)scratch->record;
	record->res = result;
	record->dirfd = given.dirfd;
	record->atime = times.access;
	record->mtime = times.change;
	record->flags = portable_at_flags(flags);
	end = append_named_path(scratch, sizeof(*record), result, given, &record->path_length, &record->nameraw_length);
	send_record(scratch, end, index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_utime, struct pt_regs *regs, long result)
{
	return report_times(EVENT_UTIME, INDEX_UTIME, result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
			    read_seconds((void *)SYSCALL_ARGUMENT_2(regs)), 0);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_utimes, struct pt_regs *regs, long result)
{
	return report_times(EVENT_UTIMES, INDEX_UTIMES, result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
			    read_times((void *)SYSCALL_ARGUMENT_2(regs), NANOSECONDS_OF_MICROSECOND), 0);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_futimesat, struct pt_regs *regs, long result)
{
	return report_times(EVENT_FUTIMESAT, INDEX_FUTIMESAT, result,
			    GIVEN((int)SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs)),
			    read_times((void *)SYSCALL_ARGUMENT_3(regs), NANOSECONDS_OF_MICROSECOND), 0);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_utimensat, struct pt_regs *regs, long result)
{
	return report_times(EVENT_UTIMENSAT, INDEX_UTIMENSAT, result,
			    GIVEN((int)SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs)),
			    read_times((void *)SYSCALL_ARGUMENT_3(regs), 1), SYSCALL_ARGUMENT_4(regs));
}

static __always_inline int report_attribute(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	__u32 position = sizeof(struct record_setxattr);
	struct record_setxattr *record;

	if (!scratch)
		return 0;
	record = (struct record_setxattr *)scratch->record;
	record->res = result;
	record->size = SYSCALL_ARGUMENT_4(regs);
	record->flags = SYSCALL_ARGUMENT_5(regs);
	position = append_resolved(scratch, position, result, 0, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				   &record->path_length, &record->nameraw_length);
	record->attribute_length = append_user_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	position += reread(&record->attribute_length);
	append_kernel(scratch, position, scratch->names[0], reread(&record->nameraw_length));
	send_record(scratch, position + reread(&record->nameraw_length), index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setxattr, struct pt_regs *regs, long result)
{
	return report_attribute(EVENT_SETXATTR, INDEX_SETXATTR, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_lsetxattr, struct pt_regs *regs, long result)
{
	return report_attribute(EVENT_LSETXATTR, INDEX_LSETXATTR, regs, result);
}

/* What setxattrat() takes beside the file and the attribute: struct xattr_args of linux/xattr.h. */
struct user_attribute {
	__u64 value;
	__u32 size;
	__u32 flags;
};

/* The same as setxattr(), or lsetxattr() if it follows no links, from a directory that the caller names. */
SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setxattrat, struct pt_regs *regs, long result)
{
	int follows = !(SYSCALL_ARGUMENT_3(regs) & KERNEL_AT_SYMLINK_NOFOLLOW);
	enum event_index index = follows ? INDEX_SETXATTR : INDEX_LSETXATTR;
	struct scratch *scratch =
		is_wanted(index) ? begin_record(follows ? EVENT_SETXATTR : EVENT_LSETXATTR, index) : NULL;
	__u32 position = sizeof(struct record_setxattr);
	struct record_setxattr *record;
	struct user_attribute asked = {};

	if (!scratch)
		return 0;
	bpf_probe_read_user(&asked, sizeof(asked), (void *)SYSCALL_ARGUMENT_5(regs));
	record = (struct record_setxattr *)scratch->record;
	record->res = result;
	record->size = asked.size;
	record->flags = asked.flags;
	position = append_resolved(scratch, position, result, 0,
				   GIVEN((int)SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs)), &record->path_length,
				   &record->nameraw_length);
	record->attribute_length = append_user_string(scratch, position, (void *)SYSCALL_ARGUMENT_4(regs));
	position += reread(&record->attribute_length);
	append_kernel(scratch, position, scratch->names[0], reread(&record->nameraw_length));
	send_record(scratch, position + reread(&record->nameraw_length), index);
	return 0;
}

/* The attribute's name is the caller's, the file is the kernel's. */
SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fsetxattr, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FSETXATTR, INDEX_FSETXATTR);
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct file *file = file_of_descriptor(bpf_get_current_task_btf(), fd);
	__u32 position = sizeof(struct record_fsetxattr);
	struct record_fsetxattr *record;

	if (!scratch)
		return 0;
	record = (struct record_fsetxattr *)scratch->record;
	record->res = result;
	record->fd = fd;
	record->size = SYSCALL_ARGUMENT_4(regs);
	record->flags = SYSCALL_ARGUMENT_5(regs);
	record->attribute_length = append_user_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	position += reread(&record->attribute_length);
	position = FILL_FILE(record, scratch, position, file);
	send_record(scratch, position, INDEX_FSETXATTR);
	return 0;
}
