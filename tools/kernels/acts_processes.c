// SPDX-License-Identifier: Apache-2.0
/* What processes do to themselves, to others and to the kernel. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acts.h"

#define MANY_ARGUMENTS 100

/* The file is no program that does anything: it ends at once. */
ACT(execve)
{
	char *arguments[] = {PROGRAM, "one", "two words", NULL}, *environment[] = {"A=b", NULL};

	return CALL(execve, PROGRAM, arguments, environment);
}

ACT(execveat)
{
	char *arguments[] = {PROGRAM, "at", NULL};

	return CALL(execveat, AT_FDCWD, PROGRAM, arguments, NULL, 0);
}

ACT(execve_missing)
{
	char name[] = "missing", argument[] = "argument"; /* written, so that they are in memory */
	char *arguments[] = {name, argument, NULL};

	return CALL(execve, "/missing", arguments, NULL);
}

ACT(execve_missing_many)
{
	char *arguments[MANY_ARGUMENTS + 1] = {}, argument[] = "argument";

	for (int i = 0; i < MANY_ARGUMENTS; i++)
		arguments[i] = argument;
	return CALL(execve, "/missing", arguments, NULL);
}

ACT(execveat_missing)
{
	char *arguments[] = {"missing", NULL};

	return CALL(execveat, AT_FDCWD, "/missing", arguments, NULL, 0);
}

static long plain_clone(long flags)
{
	long child = CALL(clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	return child;
}

ACT(clone)
{
	return plain_clone(0);
}

ACT(clone3)
{
	struct clone_args arguments = {.exit_signal = SIGCHLD};
	long child = CALL(clone3, &arguments, sizeof(arguments));

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	return child;
}

ACT(procexit)
{
	_exit(3);
}

ACT(procexit_signal)
{
	kill(getpid(), SIGKILL);
	return 0;
}

ACT(setuid)
{
	return CALL(setuid, 7);
}

ACT(setgid)
{
	return CALL(setgid, 7);
}

ACT(setreuid)
{
	return CALL(setreuid, 7, 8);
}

ACT(setregid)
{
	return CALL(setregid, 7, 8);
}

ACT(setresuid)
{
	return CALL(setresuid, 7, 8, 9);
}

ACT(setresgid)
{
	return CALL(setresgid, 7, 8, 9);
}

ACT(setgroups)
{
	gid_t groups[] = {7, 8};

	return CALL(setgroups, 2, groups);
}

ACT(capset)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = 1, .permitted = 3}};

	return CALL(capset, &header, data);
}

ACT(setns)
{
	return CALL(setns, open("/proc/self/ns/uts", O_RDONLY), 0);
}

ACT(unshare)
{
	return CALL(unshare, CLONE_NEWUTS);
}

ACT(chdir)
{
	return CALL(chdir, FOLDER "/../t");
}

ACT(fchdir)
{
	return CALL(fchdir, open(FOLDER, O_RDONLY));
}

ACT(chroot)
{
	return CALL(chroot, FOLDER);
}

ACT(pivot_root)
{
	return CALL(pivot_root, FOLDER, FOLDER);
}

ACT(ptrace)
{
	return CALL(ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static long move_memory(long (*move)(pid_t, const struct iovec *, const struct iovec *))
{
	char from[4] = "abc", to[4];
	struct iovec source = {from, 4}, target = {to, 4};

	return move(getpid(), &target, &source);
}

static long read_memory(pid_t pid, const struct iovec *local, const struct iovec *remote)
{
	return CALL(process_vm_readv, pid, local, 1, remote, 1, 0);
}

static long write_memory(pid_t pid, const struct iovec *local, const struct iovec *remote)
{
	return CALL(process_vm_writev, pid, remote, 1, local, 1, 0);
}

ACT(process_vm_readv)
{
	return move_memory(read_memory);
}

ACT(process_vm_writev)
{
	return move_memory(write_memory);
}

ACT(kill)
{
	return CALL(kill, getpid(), 0);
}

ACT(tkill)
{
	return CALL(tkill, getpid(), 0);
}

ACT(tgkill)
{
	return CALL(tgkill, getpid(), getpid(), 0);
}

ACT(prctl)
{
	return CALL(prctl, PR_SET_NAME, "new name", 0, 0, 0);
}

ACT(setsid)
{
	return CALL(setsid);
}

ACT(setpgid)
{
	return CALL(setpgid, 0, 0);
}

ACT(seccomp)
{
	return CALL(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(unsigned int){SECCOMP_RET_KILL_PROCESS});
}

ACT(memfd_create)
{
	return CALL(memfd_create, "memory", 0);
}

ACT(mmap)
{
	CALL(mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

ACT(mprotect)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return CALL(mprotect, memory, 4096, PROT_READ | PROT_EXEC);
}

ACT(shmat)
{
	int shared = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);

	CALL(shmat, shared, NULL, SHM_EXEC);
	return result_of(shmctl(shared, IPC_RMID, NULL));
}

ACT(init_module)
{
	return CALL(init_module, "no module", 9, "argument=1");
}

ACT(finit_module)
{
	return CALL(finit_module, open(PROGRAM, O_RDONLY), "argument=1", 0);
}

ACT(delete_module)
{
	return CALL(delete_module, "nonsense", O_NONBLOCK);
}

ACT(bpf)
{
	union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return CALL(bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
}

ACT(perf_event_open)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CONTEXT_SWITCHES, .size = sizeof(attributes)};

	return CALL(perf_event_open, &attributes, 0, -1, -1, 0);
}

ACT(userfaultfd)
{
	return CALL(userfaultfd, O_CLOEXEC);
}

ACT(keyctl)
{
	return CALL(keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
}

ACT(add_key)
{
	return CALL(add_key, "user", "description", "data", 4, KEY_SPEC_PROCESS_KEYRING);
}

ACT(request_key)
{
	return CALL(request_key, "user", "nothing", NULL, 0);
}

static struct io_uring_params ring;

ACT(io_uring_setup)
{
	return CALL(io_uring_setup, 4, &ring);
}

ACT(io_uring_register)
{
	long descriptor = CALL(io_uring_setup, 4, &ring);

	return CALL(io_uring_register, descriptor, IORING_UNREGISTER_FILES, NULL, 0);
}

/* An open through a ring, which passes no hook on system calls. */
ACT(io_uring_enter)
{
	long descriptor = CALL(io_uring_setup, 4, &ring);
	struct io_uring_sqe *entry = mmap(NULL, ring.sq_entries * sizeof(*entry), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_POPULATE, descriptor, IORING_OFF_SQES);
	char *queue = mmap(NULL, ring.sq_off.array + ring.sq_entries * 4, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, descriptor, IORING_OFF_SQ_RING);

	if (entry == MAP_FAILED || queue == MAP_FAILED)
		return -errno;
	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_OPENAT;
	entry->fd = AT_FDCWD;
	entry->addr = (unsigned long)FOLDER "/ring";
	entry->open_flags = O_RDWR | O_CREAT;
	entry->len = 0600;
	*(unsigned int *)(queue + ring.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(queue + ring.sq_off.tail), 1, __ATOMIC_RELEASE);
	return CALL(io_uring_enter, descriptor, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
}

/* What a container engine does before its first process. */
ACT(cgroup)
{
	mkdir("/sys/fs/cgroup/made", 0755);
	return result_of(rmdir("/sys/fs/cgroup/made"));
}
