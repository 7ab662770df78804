/* SPDX-License-Identifier: Apache-2.0 */
/* Which program of bpf/ handles which system call, and as which event. Old calls that not every processor has: #ifdef. */
#pragma once

#include <linux/types.h>
#include <sys/syscall.h>

#include "event_table.h"
#include "io_uring_operations.h"

/* Everywhere the same; newer than the headers of some systems. */
#define NUMBER_PIDFD_SEND_SIGNAL 424
#define NUMBER_OPEN_TREE 428
#define NUMBER_MOVE_MOUNT 429
#define NUMBER_CLOSE_RANGE 436
#define NUMBER_MOUNT_SETATTR 442
#define NUMBER_FCHMODAT2 452
#define NUMBER_SETXATTRAT 463

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
#ifdef SYS_unlink
	{SYS_unlink, EVENT_UNLINK, "handle_unlink"},
	{SYS_rmdir, EVENT_RMDIR, "handle_rmdir"},
	{SYS_mkdir, EVENT_MKDIR, "handle_mkdir"},
	{SYS_rename, EVENT_RENAME, "handle_rename"},
	{SYS_link, EVENT_LINK, "handle_link"},
	{SYS_symlink, EVENT_SYMLINK, "handle_symlink"},
	{SYS_chmod, EVENT_CHMOD, "handle_chmod"},
	{SYS_chown, EVENT_CHOWN, "handle_chown"},
	{SYS_lchown, EVENT_LCHOWN, "handle_lchown"},
	{SYS_mknod, EVENT_MKNOD, "handle_mknod"},
#endif
#ifdef SYS_renameat
	{SYS_renameat, EVENT_RENAMEAT, "handle_renameat"},
#endif
	{SYS_unlinkat, EVENT_UNLINKAT, "handle_unlinkat"},
	{SYS_mkdirat, EVENT_MKDIRAT, "handle_mkdirat"},
	{SYS_renameat2, EVENT_RENAMEAT2, "handle_renameat2"},
	{SYS_linkat, EVENT_LINKAT, "handle_linkat"},
	{SYS_symlinkat, EVENT_SYMLINKAT, "handle_symlinkat"},
	{SYS_fchmodat, EVENT_FCHMODAT, "handle_fchmodat"},
	{SYS_fchmod, EVENT_FCHMOD, "handle_fchmod"},
	{SYS_fchownat, EVENT_FCHOWNAT, "handle_fchownat"},
	{SYS_fchown, EVENT_FCHOWN, "handle_fchown"},
	{SYS_mount, EVENT_MOUNT, "handle_mount"},
	{SYS_umount2, EVENT_UMOUNT2, "handle_umount2"},
	{NUMBER_OPEN_TREE, EVENT_OPEN_TREE, "handle_open_tree"},
	{NUMBER_OPEN_TREE, EVENT_MOUNT, "handle_open_tree"}, /* for what is mounted later */
	{NUMBER_MOVE_MOUNT, EVENT_MOUNT, "handle_move_mount"},
	{NUMBER_MOUNT_SETATTR, EVENT_MOUNT, "handle_mount_setattr"},
	{SYS_mknodat, EVENT_MKNODAT, "handle_mknodat"},
	{SYS_open_by_handle_at, EVENT_OPEN_BY_HANDLE_AT, "handle_open_by_handle_at"},
	{SYS_ftruncate, EVENT_FTRUNCATE, "handle_ftruncate"},
	{SYS_truncate, EVENT_TRUNCATE, "handle_truncate"},
	{SYS_utimensat, EVENT_UTIMENSAT, "handle_utimensat"},
#ifdef SYS_utime
	{SYS_utime, EVENT_UTIME, "handle_utime"},
	{SYS_utimes, EVENT_UTIMES, "handle_utimes"},
	{SYS_futimesat, EVENT_FUTIMESAT, "handle_futimesat"},
#endif
	{SYS_setxattr, EVENT_SETXATTR, "handle_setxattr"},
	{SYS_lsetxattr, EVENT_LSETXATTR, "handle_lsetxattr"},
	{SYS_fsetxattr, EVENT_FSETXATTR, "handle_fsetxattr"},
	{NUMBER_FCHMODAT2, EVENT_FCHMODAT2, "handle_fchmodat2"},
	{NUMBER_SETXATTRAT, EVENT_SETXATTR, "handle_setxattrat"},
	{NUMBER_SETXATTRAT, EVENT_LSETXATTR, "handle_setxattrat"},

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
	{SYS_rt_sigqueueinfo, EVENT_KILL, "handle_kill"}, /* the same two arguments, and a third for the receiver */
	{SYS_rt_tgsigqueueinfo, EVENT_TGKILL, "handle_tgkill"},
	{NUMBER_PIDFD_SEND_SIGNAL, EVENT_KILL, "handle_pidfd_send_signal"},
	{SYS_prctl, EVENT_PRCTL, "handle_prctl"},
	{SYS_setsid, EVENT_SETSID, "handle_setsid"},
	{SYS_setpgid, EVENT_SETPGID, "handle_setpgid"},
	{SYS_seccomp, EVENT_SECCOMP, "handle_seccomp"},
	{SYS_memfd_create, EVENT_MEMFD_CREATE, "handle_memfd_create"},
	{SYS_mmap, EVENT_MMAP, "handle_mmap"},
	{SYS_mmap, EVENT_MAPPED_LIBRARY, "handle_mmap"},
	{SYS_mprotect, EVENT_MPROTECT, "handle_mprotect"},
	{SYS_pkey_mprotect, EVENT_MPROTECT, "handle_mprotect"},
	{SYS_shmat, EVENT_SHMAT, "handle_shmat"},
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
	{SYS_socket, EVENT_SOCKET, "handle_socket"},
	{SYS_socketpair, EVENT_SOCKETPAIR, "handle_socketpair"},
	{SYS_bind, EVENT_BIND, "handle_bind"},
	{SYS_listen, EVENT_LISTEN, "handle_listen"},
	{SYS_shutdown, EVENT_SHUTDOWN, "handle_shutdown"},
	{SYS_sendto, EVENT_SENDTO, "handle_sendto"},
	{SYS_sendmsg, EVENT_SENDMSG, "handle_sendmsg"},
	{SYS_sendmmsg, EVENT_SENDMMSG, "handle_sendmmsg"},
	{SYS_recvfrom, EVENT_RECVFROM, "handle_recvfrom"},
	{SYS_recvmsg, EVENT_RECVMSG, "handle_recvmsg"},
	{SYS_recvmmsg, EVENT_RECVMMSG, "handle_recvmmsg"},
	/* A call with two lines can be two events; its program asks which of them are wanted. */
	{SYS_sendto, EVENT_DNS, "handle_sendto"},
	{SYS_sendmsg, EVENT_DNS, "handle_sendmsg"},
	{SYS_sendmmsg, EVENT_DNS, "handle_sendmmsg"},
	{SYS_recvfrom, EVENT_DNS, "handle_recvfrom"},
	{SYS_recvmsg, EVENT_DNS, "handle_recvmsg"},
	{SYS_recvmmsg, EVENT_DNS, "handle_recvmmsg"},
	{SYS_read, EVENT_DNS, "handle_read_or_write"},
	{SYS_write, EVENT_DNS, "handle_read_or_write"},
	{SYS_readv, EVENT_DNS, "handle_readv_or_writev"},
	{SYS_writev, EVENT_DNS, "handle_readv_or_writev"},
};

/* Calls that are looked at when they begin: what they work on is gone when they have ended. */
static const struct handler enter_handlers[] = {
	{SYS_close, EVENT_CLOSE, "handle_close"},
	{NUMBER_CLOSE_RANGE, EVENT_CLOSE, "handle_close_range"},
};

/* Requests of io_uring, looked at when they have completed. The first column is the operation. */
static const struct handler io_uring_handlers[] = {
	{OPERATION_OPENAT, EVENT_OPENAT, "handle_io_uring_openat"},
	{OPERATION_OPENAT2, EVENT_OPENAT2, "handle_io_uring_openat2"},
	{OPERATION_UNLINKAT, EVENT_UNLINKAT, "handle_io_uring_unlinkat"},
	{OPERATION_MKDIRAT, EVENT_MKDIRAT, "handle_io_uring_mkdirat"},
	{OPERATION_RENAMEAT, EVENT_RENAMEAT2, "handle_io_uring_renameat"},
	{OPERATION_LINKAT, EVENT_LINKAT, "handle_io_uring_linkat"},
	{OPERATION_SYMLINKAT, EVENT_SYMLINKAT, "handle_io_uring_symlinkat"},
	{OPERATION_CONNECT, EVENT_CONNECT, "handle_io_uring_connect"},
	{OPERATION_ACCEPT, EVENT_ACCEPT4, "handle_io_uring_accept"},
	{OPERATION_SOCKET, EVENT_SOCKET, "handle_io_uring_socket"},
	{OPERATION_BIND, EVENT_BIND, "handle_io_uring_bind"},
	{OPERATION_LISTEN, EVENT_LISTEN, "handle_io_uring_listen"},
	{OPERATION_SHUTDOWN, EVENT_SHUTDOWN, "handle_io_uring_shutdown"},
	{OPERATION_SEND, EVENT_SENDTO, "handle_io_uring_send"},
	{OPERATION_SEND, EVENT_DNS, "handle_io_uring_send"},
	{OPERATION_SEND_ZC, EVENT_SENDTO, "handle_io_uring_send"},
	{OPERATION_SEND_ZC, EVENT_DNS, "handle_io_uring_send"},
	{OPERATION_SENDMSG, EVENT_SENDMSG, "handle_io_uring_sendmsg"},
	{OPERATION_SENDMSG, EVENT_DNS, "handle_io_uring_sendmsg"},
	{OPERATION_SENDMSG_ZC, EVENT_SENDMSG, "handle_io_uring_sendmsg"},
	{OPERATION_SENDMSG_ZC, EVENT_DNS, "handle_io_uring_sendmsg"},
	{OPERATION_RECV, EVENT_RECVFROM, "handle_io_uring_recv"},
	{OPERATION_RECV, EVENT_DNS, "handle_io_uring_recv"},
	{OPERATION_RECVMSG, EVENT_RECVMSG, "handle_io_uring_recvmsg"},
	{OPERATION_RECVMSG, EVENT_DNS, "handle_io_uring_recvmsg"},
	{OPERATION_FTRUNCATE, EVENT_FTRUNCATE, "handle_io_uring_ftruncate"},
	{OPERATION_SETXATTR, EVENT_SETXATTR, "handle_io_uring_setxattr"},
	{OPERATION_FSETXATTR, EVENT_FSETXATTR, "handle_io_uring_fsetxattr"},
	{OPERATION_ONE_OF_MANY, EVENT_ACCEPT4, "handle_io_uring_one_of_many"},
	{OPERATION_ONE_OF_MANY, EVENT_RECVFROM, "handle_io_uring_one_of_many"},
	{OPERATION_ONE_OF_MANY, EVENT_RECVMSG, "handle_io_uring_one_of_many"},
};
/* clang-format on */
