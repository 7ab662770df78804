/* SPDX-License-Identifier: Apache-2.0 */
/* Which program of bpf/ handles which system call, and as which event. Old calls that not every processor has: #ifdef. */
#pragma once

#include <linux/types.h>
#include <sys/syscall.h>

#include "event_table.h"

/* clang-format off: a line for each call */
static const struct handler {
	int syscall;
	__u16 event;
	const char *program;
} handlers[] = {
/* ---- files: open ---- */
#ifdef SYS_open
	{SYS_open, EVENT_OPEN, "handle_open"},
	{SYS_creat, EVENT_CREAT, "handle_creat"},
#endif
	{SYS_openat, EVENT_OPENAT, "handle_openat"},
	{SYS_openat2, EVENT_OPENAT2, "handle_openat2"},

	/* ---- files: what else is done to them ---- */

	/* ---- processes and the kernel ---- */
	{SYS_execve, EVENT_EXECVE, "handle_failed_execve"},
	{SYS_execveat, EVENT_EXECVEAT, "handle_failed_execveat"},
	{SYS_setuid, EVENT_SETUID, "handle_setuid"},
	{SYS_setgid, EVENT_SETGID, "handle_setgid"},
	{SYS_setreuid, EVENT_SETREUID, "handle_setreuid"},
	{SYS_setregid, EVENT_SETREGID, "handle_setregid"},
	{SYS_setresuid, EVENT_SETRESUID, "handle_setresuid"},
	{SYS_setresgid, EVENT_SETRESGID, "handle_setresgid"},
	{SYS_setgroups, EVENT_SETGROUPS, "handle_setgroups"},
	{SYS_capset, EVENT_CAPSET, "handle_capset"},
	{SYS_setns, EVENT_SETNS, "handle_setns"},
	{SYS_unshare, EVENT_UNSHARE, "handle_unshare"},
	{SYS_chdir, EVENT_CHDIR, "handle_chdir"},
	{SYS_fchdir, EVENT_FCHDIR, "handle_fchdir"},
	{SYS_chroot, EVENT_CHROOT, "handle_chroot"},
	{SYS_pivot_root, EVENT_PIVOT_ROOT, "handle_pivot_root"},
	{SYS_ptrace, EVENT_PTRACE, "handle_ptrace"},
	{SYS_process_vm_readv, EVENT_PROCESS_VM_READV, "handle_process_vm_readv"},
	{SYS_process_vm_writev, EVENT_PROCESS_VM_WRITEV, "handle_process_vm_writev"},
	{SYS_kill, EVENT_KILL, "handle_kill"},
	{SYS_tkill, EVENT_TKILL, "handle_tkill"},
	{SYS_tgkill, EVENT_TGKILL, "handle_tgkill"},
	{SYS_prctl, EVENT_PRCTL, "handle_prctl"},
	{SYS_setsid, EVENT_SETSID, "handle_setsid"},
	{SYS_setpgid, EVENT_SETPGID, "handle_setpgid"},
	{SYS_seccomp, EVENT_SECCOMP, "handle_seccomp"},
	{SYS_memfd_create, EVENT_MEMFD_CREATE, "handle_memfd_create"},
	{SYS_mmap, EVENT_MMAP, "handle_mmap"},
	{SYS_mprotect, EVENT_MPROTECT, "handle_mprotect"},
	{SYS_init_module, EVENT_INIT_MODULE, "handle_init_module"},
	{SYS_finit_module, EVENT_FINIT_MODULE, "handle_finit_module"},
	{SYS_delete_module, EVENT_DELETE_MODULE, "handle_delete_module"},
	{SYS_bpf, EVENT_BPF, "handle_bpf"},
	{SYS_perf_event_open, EVENT_PERF_EVENT_OPEN, "handle_perf_event_open"},
	{SYS_userfaultfd, EVENT_USERFAULTFD, "handle_userfaultfd"},
	{SYS_keyctl, EVENT_KEYCTL, "handle_keyctl"},
	{SYS_add_key, EVENT_ADD_KEY, "handle_add_key"},
	{SYS_request_key, EVENT_REQUEST_KEY, "handle_request_key"},
	{SYS_io_uring_setup, EVENT_IO_URING_SETUP, "handle_io_uring_setup"},
	{SYS_io_uring_enter, EVENT_IO_URING_ENTER, "handle_io_uring_enter"},
	{SYS_io_uring_register, EVENT_IO_URING_REGISTER, "handle_io_uring_register"},

	/* ---- network ---- */
	{SYS_connect, EVENT_CONNECT, "handle_connect"},
	{SYS_accept, EVENT_ACCEPT, "handle_accept"},
	{SYS_accept4, EVENT_ACCEPT4, "handle_accept4"},
};
/* clang-format on */
