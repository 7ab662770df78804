/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What differs between processors: registers of a system call, flags of open(), 32-bit programs. */
#pragma once

#include "kernel_types.h"

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long di, si, dx, r10, r8, r9;
	unsigned long orig_ax;
} __attribute__((preserve_access_index));

#define SYSCALL_NUMBER_FIELD orig_ax
#define SYSCALL_NUMBER(regs) ((regs)->SYSCALL_NUMBER_FIELD)
#define SYSCALL_ARGUMENT_1(regs) ((regs)->di)
#define SYSCALL_ARGUMENT_2(regs) ((regs)->si)
#define SYSCALL_ARGUMENT_3(regs) ((regs)->dx)
#define SYSCALL_ARGUMENT_4(regs) ((regs)->r10)
#define SYSCALL_ARGUMENT_5(regs) ((regs)->r8)
#define SYSCALL_ARGUMENT_6(regs) ((regs)->r9)
#define NUMBER_OPENAT 257
#define KERNEL_O_DIRECT 040000
#define KERNEL_O_DIRECTORY 0200000
#define KERNEL_O_LARGEFILE 0100000

/* TS_COMPAT: the call came from a 32-bit program; or its number has the mark of the x32 interface. -1: an exec ended. */
#define IS_COMPAT_SYSCALL(task, number)                                                                                \
	((READ(task, thread_info.status) & 0x2) || ((number) >= 0 && ((number) & 0x40000000)))

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	unsigned long regs[31];
	unsigned long orig_x0;
	int syscallno;
} __attribute__((preserve_access_index));

#define SYSCALL_NUMBER_FIELD syscallno
#define SYSCALL_NUMBER(registers) ((registers)->SYSCALL_NUMBER_FIELD)
#define SYSCALL_ARGUMENT_1(registers) ((registers)->orig_x0)
#define SYSCALL_ARGUMENT_2(registers) ((registers)->regs[1])
#define SYSCALL_ARGUMENT_3(registers) ((registers)->regs[2])
#define SYSCALL_ARGUMENT_4(registers) ((registers)->regs[3])
#define SYSCALL_ARGUMENT_5(registers) ((registers)->regs[4])
#define SYSCALL_ARGUMENT_6(registers) ((registers)->regs[5])
#define NUMBER_OPENAT 56
#define KERNEL_O_DIRECT 0200000
#define KERNEL_O_DIRECTORY 040000
#define KERNEL_O_LARGEFILE 0400000

/* TIF_32BIT */
#define IS_COMPAT_SYSCALL(task, number) (READ(task, thread_info.flags) & (1UL << 22))

#else
#error "this processor is not supported: x86_64 and arm64 are"
#endif

/* The same on both. */
#define KERNEL_STACK_BYTES 16384 /* THREAD_SIZE with pages of 4 KiB, without KASAN */
#define KERNEL_O_ACCMODE 03
#define KERNEL_O_CREAT 0100
#define KERNEL_O_EXCL 0200
#define KERNEL_O_TRUNC 01000
#define KERNEL_O_APPEND 02000
#define KERNEL_O_NONBLOCK 04000
#define KERNEL_O_DSYNC 010000
#define KERNEL_O_CLOEXEC 02000000
#define KERNEL_O_SYNC_ONLY 04000000
#define KERNEL_O_TMPFILE_ONLY 020000000
