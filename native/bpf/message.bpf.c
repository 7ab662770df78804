// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Data that sockets send and receive, when the call has ended: the peer, and messages of the domain name system. */
#include "report_message.h"

#define MESSAGES_MAXIMUM 1024 /* of one call: the kernel's own limit (UIO_MAXIOV) */
#define MESSAGES_BASIC 4      /* in the basic tier; that there were more is counted */

struct batch {
	struct user_messages *messages;
	long fd;
	__u16 type;
	enum event_index index;
};

/* sendto and recvfrom */
static __always_inline int report_buffer(struct pt_regs *regs, long result, __u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct message message = {.fd = (int)SYSCALL_ARGUMENT_1(regs), .result = result};
	struct sock *sock;

	if (!is_worth_a_look(index, result))
		return 0;
	sock = sock_of_descriptor(task, message.fd);
	if (!sock || is_own_process(task, index))
		return 0;
	message.size = SYSCALL_ARGUMENT_3(regs);
	message.single.base = (void *)SYSCALL_ARGUMENT_2(regs);
	message.single.length = SYSCALL_ARGUMENT_3(regs);
	message.peer.address = (void *)SYSCALL_ARGUMENT_5(regs);
	message.peer.length = SYSCALL_ARGUMENT_6(regs);
	if (index ==
	    INDEX_RECVFROM) /* the length is behind a pointer here, and the name of a unix socket ends by itself */
		message.peer.length = message.peer.address ? UNIX_NAME_OFFSET + UNIX_NAME_MAXIMUM : 0;
	report_message(task, sock, &message, type, index);
	return 0;
}

/* sendmsg and recvmsg */
static __always_inline int report_header(struct pt_regs *regs, long result, __u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct message message = {.fd = (int)SYSCALL_ARGUMENT_1(regs), .result = result};
	struct user_message user = {};
	struct sock *sock;

	if (!is_worth_a_look(index, result))
		return 0;
	sock = sock_of_descriptor(task, message.fd);
	if (!sock || is_own_process(task, index))
		return 0;
	bpf_probe_read_user(&user, sizeof(user), (void *)SYSCALL_ARGUMENT_2(regs));
	take_header(&message, &user);
	message.size = result > 0 ? result : 0;
	report_message(task, sock, &message, type, index);
	return 0;
}

STEP int report_one_of_batch(__u32 number, struct batch *batch)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sock = sock_of_descriptor(task, batch->fd);
	struct message message = {.fd = batch->fd};
	struct user_messages user = {};

	if (!sock)
		return 1;
	bpf_probe_read_user(&user, sizeof(user), &batch->messages[number]);
	take_header(&message, &user.message);
	message.result = message.size = user.length;
	report_message(task, sock, &message, batch->type, batch->index);
	return 0;
}

/* In the full tier with a stack of its own: the messages of a batch need nearly all that a program has. */
#ifdef BASIC_TIER
#define APART static __always_inline
#else
#define APART static __noinline
#endif

APART int report_failed_batch(const struct batch *batch, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct message message = {.fd = batch->fd, .result = result};
	struct sock *sock = sock_of_descriptor(task, batch->fd);

	if (sock)
		report_message(task, sock, &message, batch->type, batch->index);
	return 0;
}

/* sendmmsg and recvmmsg: an event for each message, or one for a call that failed */
static __always_inline int report_batch(struct pt_regs *regs, long result, __u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct batch batch = {
		.messages = (void *)SYSCALL_ARGUMENT_2(regs),
		.fd = (int)SYSCALL_ARGUMENT_1(regs),
		.type = type,
		.index = index,
	};

	if (result == -EAGAIN || is_own_process(task, index))
		return 0;
	if (result > 0) {
		LOOP(result < MESSAGES_MAXIMUM ? result : MESSAGES_MAXIMUM, MESSAGES_BASIC, report_one_of_batch,
		     &batch);
		if (FOR_TIER(0, result > MESSAGES_BASIC))
			count_drop(index, DROP_BASIC_TIER);
		return 0;
	}
	return report_failed_batch(&batch, result);
}

/* Some programs read and write their sockets like files: only questions and answers are looked for in those. */
static __always_inline int look_for_dns(struct message *message)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sock = sock_of_descriptor(task, message->fd);

	if (sock && is_dns(sock, message) && !is_own_process(task, INDEX_DNS))
		report_dns(task, sock, message);
	return 0;
}

/* read and write */
static __always_inline int report_file_buffer(struct pt_regs *regs, long result)
{
	struct message message = {.fd = (int)SYSCALL_ARGUMENT_1(regs), .result = result};

	if (!has_dns_size(result))
		return 0;
	message.single.base = (void *)SYSCALL_ARGUMENT_2(regs);
	message.single.length = SYSCALL_ARGUMENT_3(regs);
	return look_for_dns(&message);
}

/* readv and writev */
static __always_inline int report_file_vectors(struct pt_regs *regs, long result)
{
	struct message message = {.fd = (int)SYSCALL_ARGUMENT_1(regs), .result = result};

	if (!has_dns_size(result))
		return 0;
	message.vectors = (void *)SYSCALL_ARGUMENT_2(regs);
	message.vector_count = SYSCALL_ARGUMENT_3(regs);
	return look_for_dns(&message);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_sendto, struct pt_regs *regs, long result)
{
	return report_buffer(regs, result, EVENT_SENDTO, INDEX_SENDTO);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_recvfrom, struct pt_regs *regs, long result)
{
	return report_buffer(regs, result, EVENT_RECVFROM, INDEX_RECVFROM);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_sendmsg, struct pt_regs *regs, long result)
{
	return report_header(regs, result, EVENT_SENDMSG, INDEX_SENDMSG);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_recvmsg, struct pt_regs *regs, long result)
{
	return report_header(regs, result, EVENT_RECVMSG, INDEX_RECVMSG);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_sendmmsg, struct pt_regs *regs, long result)
{
	return report_batch(regs, result, EVENT_SENDMMSG, INDEX_SENDMMSG);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_recvmmsg, struct pt_regs *regs, long result)
{
	return report_batch(regs, result, EVENT_RECVMMSG, INDEX_RECVMMSG);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_read_or_write, struct pt_regs *regs, long result)
{
	return report_file_buffer(regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_readv_or_writev, struct pt_regs *regs, long result)
{
	return report_file_vectors(regs, result);
}
