// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory that can be executed, and files that live only in memory. Mappings are made and changed all the time: what
 * is not to be executed leaves after one comparison.
 */
#include "call.h"
#include "mapped_library.h"

#define PROT_EXEC 4
#define PORTABLE_PROT 0xf /* read, write, execute, sem: the same everywhere */
#define KERNEL_PROT_GROWSDOWN 0x01000000
#define KERNEL_PROT_GROWSUP 0x02000000
#define KERNEL_MAP_ANONYMOUS 0x20
#define KERNEL_SHM_EXEC 0100000
#define MEMFD_PREFIX_LENGTH 6 /* "memfd:", which the kernel puts in front of the name */

static __always_inline __u32 portable_protection(__u64 protection)
{
	__u32 portable = protection & PORTABLE_PROT;

	portable |= protection & KERNEL_PROT_GROWSDOWN ? PROT_FLAG_PROT_GROWSDOWN : 0;
	portable |= protection & KERNEL_PROT_GROWSUP ? PROT_FLAG_PROT_GROWSUP : 0;
	return portable;
}

/* The kernel's flags of mmap() (linux/mman.h and asm/mman.h) in Falco's portable values. */
static __always_inline __u32 portable_mapping_flags(__u64 flags)
{
	__u32 portable = flags & 3; /* MAP_SHARED, MAP_PRIVATE; both: MAP_SHARED_VALIDATE */

	portable |= flags & 0x10 ? MMAP_FLAG_MAP_FIXED : 0;
	portable |= flags & KERNEL_MAP_ANONYMOUS ? MMAP_FLAG_MAP_ANONYMOUS : 0;
	portable |= flags & 0x40 ? MMAP_FLAG_MAP_32BIT : 0;
	portable |= flags & 0x100 ? MMAP_FLAG_MAP_GROWSDOWN : 0;
	portable |= flags & 0x800 ? MMAP_FLAG_MAP_DENYWRITE : 0;
	portable |= flags & 0x1000 ? MMAP_FLAG_MAP_EXECUTABLE : 0;
	portable |= flags & 0x2000 ? MMAP_FLAG_MAP_LOCKED : 0;
	portable |= flags & 0x4000 ? MMAP_FLAG_MAP_NORESERVE : 0;
	portable |= flags & 0x8000 ? MMAP_FLAG_MAP_POPULATE : 0;
	portable |= flags & 0x10000 ? MMAP_FLAG_MAP_NONBLOCK : 0;
	return portable;
}

static __always_inline __u32 append_descriptor_path(struct scratch *scratch, __u32 position, struct task_struct *task,
						    long fd)
{
	struct file *file = file_of_descriptor(task, fd);

	if (!file)
		return 0;
	return append_path(scratch, position, (struct path *)__builtin_preserve_access_index(&file->f_path), task);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mmap, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 flags = SYSCALL_ARGUMENT_4(regs);
	struct record_map_memory *record;
	__u32 position = sizeof(*record);
	struct scratch *scratch;

	if (!(SYSCALL_ARGUMENT_3(regs) & PROT_EXEC))
		return 0;
	if (result >= 0 && !(flags & KERNEL_MAP_ANONYMOUS) && is_wanted(INDEX_MAPPED_LIBRARY))
		report_library(task, file_of_descriptor(task, (int)SYSCALL_ARGUMENT_5(regs)), result);
	scratch = is_wanted(INDEX_MMAP) ? begin_record(NAMED(MMAP)) : NULL;
	if (!scratch)
		return 0;
	record = (struct record_map_memory *)scratch->record;
	record->res = result;
	record->addr = SYSCALL_ARGUMENT_1(regs);
	record->length = SYSCALL_ARGUMENT_2(regs);
	record->prot = portable_protection(SYSCALL_ARGUMENT_3(regs));
	record->flags = portable_mapping_flags(flags);
	record->fd = flags & KERNEL_MAP_ANONYMOUS ? -1 : (int)SYSCALL_ARGUMENT_5(regs);
	record->offset = SYSCALL_ARGUMENT_6(regs);
	record->name_length = append_descriptor_path(scratch, position, task, record->fd);
	send_record(scratch, position + reread(&record->name_length), INDEX_MMAP);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mprotect, struct pt_regs *regs, long result)
{
	struct record_protect_memory *record;
	struct scratch *scratch;

	if (!(SYSCALL_ARGUMENT_3(regs) & PROT_EXEC))
		return 0;
	scratch = begin_record(NAMED(MPROTECT));
	if (!scratch)
		return 0;
	record = (struct record_protect_memory *)scratch->record;
	record->res = result;
	record->addr = SYSCALL_ARGUMENT_1(regs);
	record->length = SYSCALL_ARGUMENT_2(regs);
	record->prot = portable_protection(SYSCALL_ARGUMENT_3(regs));
	send_record(scratch, sizeof(*record), INDEX_MPROTECT);
	return 0;
}

/* The kernel's flags of shmat() (linux/shm.h) in the order of their bits. */
static __always_inline __u32 portable_attach_flags(__u64 flags)
{
	return (flags >> 12) &
	       (SHMAT_FLAG_SHM_RDONLY | SHMAT_FLAG_SHM_RND | SHMAT_FLAG_SHM_REMAP | SHMAT_FLAG_SHM_EXEC);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_shmat, struct pt_regs *regs, long result)
{
	struct record_attach_memory *record;
	struct scratch *scratch;

	if (!(SYSCALL_ARGUMENT_3(regs) & KERNEL_SHM_EXEC))
		return 0;
	scratch = begin_record(NAMED(SHMAT));
	if (!scratch)
		return 0;
	record = (struct record_attach_memory *)scratch->record;
	record->res = result;
	record->shmid = (int)SYSCALL_ARGUMENT_1(regs);
	record->addr = SYSCALL_ARGUMENT_2(regs);
	record->flags = portable_attach_flags(SYSCALL_ARGUMENT_3(regs));
	send_record(scratch, sizeof(*record), INDEX_SHMAT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_memfd_create, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(MEMFD_CREATE));
	struct record_new_memory_file *record;
	__u32 position = sizeof(*record);
	struct file *file;

	if (!scratch)
		return 0;
	record = (struct record_new_memory_file *)scratch->record;
	record->fd = result;
	record->flags = SYSCALL_ARGUMENT_2(regs);
	file = file_of_descriptor(task, result);
	if (file)
		record->name_length = append_kernel_string(
			scratch, position,
			(const char *)BPF_CORE_READ(file, f_path.dentry, d_name.name) + MEMFD_PREFIX_LENGTH);
	else
		record->name_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_1(regs));
	send_record(scratch, position + reread(&record->name_length), INDEX_MEMFD_CREATE);
	return 0;
}
