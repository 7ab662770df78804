// SPDX-License-Identifier: Apache-2.0
/* What is done with sockets, all within the machine. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "acts.h"

#define NAME_SERVER_PORT 53

/* A question for the address of "example.test". */
static const char question[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
			       "\x07"
			       "example"
			       "\x04"
			       "test"
			       "\x00\x00\x01\x00\x01";

static struct sockaddr_in local(int port)
{
	static int is_up;
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (!is_up) {
		ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request);
		is_up = 1;
	}
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listener(int port)
{
	struct sockaddr_in address = local(port);
	int socket_fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	bind(socket_fd, (struct sockaddr *)&address, sizeof(address));
	listen(socket_fd, 5);
	return socket_fd;
}

static int connected(int type, int port)
{
	struct sockaddr_in address = local(port);
	int socket_fd = socket(AF_INET, type, 0);

	connect(socket_fd, (struct sockaddr *)&address, sizeof(address));
	return socket_fd;
}

ACT(socket)
{
	return CALL(socket, AF_INET6, SOCK_STREAM, 0);
}

ACT(socketpair)
{
	int ends[2];

	return CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, ends);
}

ACT(bind)
{
	struct sockaddr_in address = local(7001);

	return CALL(bind, socket(AF_INET, SOCK_STREAM, 0), &address, sizeof(address));
}

ACT(bind_unix)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};

	chdir(FOLDER);
	return CALL(bind, socket(AF_UNIX, SOCK_STREAM, 0), &address, sizeof(address));
}

ACT(listen)
{
	struct sockaddr_in address = local(7002);
	int socket_fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(socket_fd, (struct sockaddr *)&address, sizeof(address));
	return CALL(listen, socket_fd, 5);
}

ACT(connect)
{
	struct sockaddr_in address = local(7003);

	listener(7003);
	return CALL(connect, socket(AF_INET, SOCK_STREAM, 0), &address, sizeof(address));
}

ACT(connect_refused)
{
	struct sockaddr_in address = local(7004);

	return CALL(connect, socket(AF_INET, SOCK_STREAM, 0), &address, sizeof(address));
}

ACT(accept)
{
	int socket_fd = listener(7005);

	connected(SOCK_STREAM, 7005);
	return CALL(accept, socket_fd, NULL, NULL);
}

ACT(accept4)
{
	int socket_fd = listener(7006);

	connected(SOCK_STREAM, 7006);
	return CALL(accept4, socket_fd, NULL, NULL, SOCK_CLOEXEC);
}

ACT(shutdown)
{
	listener(7007);
	return CALL(shutdown, connected(SOCK_STREAM, 7007), SHUT_WR);
}

ACT(sendto)
{
	struct sockaddr_in address = local(7008);

	return CALL(sendto, socket(AF_INET, SOCK_DGRAM, 0), "data", 4, 0, &address, sizeof(address));
}

ACT(recvfrom)
{
	int ends[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	write(ends[0], "data", 4);
	char bytes[4];
	return CALL(recvfrom, ends[1], bytes, sizeof(bytes), 0, NULL, NULL);
}

static char bytes[64];
static struct iovec vector = {.iov_base = bytes, .iov_len = sizeof(bytes)};

ACT(sendmsg)
{
	struct sockaddr_in address = local(7009);
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &vector, .msg_iovlen = 1};

	return CALL(sendmsg, socket(AF_INET, SOCK_DGRAM, 0), &message, 0);
}

ACT(recvmsg)
{
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int ends[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	write(ends[0], "data", 4);
	return CALL(recvmsg, ends[1], &message, 0);
}

static long send_many(unsigned int count)
{
	struct mmsghdr messages[8] = {};
	struct sockaddr_in address = local(7010);

	bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&address,
	     sizeof(address)); /* somebody who takes them */
	for (unsigned int i = 0; i < count; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
	return CALL(sendmmsg, connected(SOCK_DGRAM, 7010), messages, count, 0);
}

ACT(sendmmsg)
{
	return send_many(2);
}

/* More than the basic tier looks at: the first ones are told of, and that there were more. */
ACT(sendmmsg_many)
{
	return send_many(8);
}

ACT(recvmmsg)
{
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
	int ends[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	write(ends[0], "data", 4);
	return CALL(recvmmsg, ends[1], &message, 1, 0, NULL);
}

ACT(dns_sendto)
{
	struct sockaddr_in address = local(NAME_SERVER_PORT);

	return CALL(sendto, socket(AF_INET, SOCK_DGRAM, 0), question, sizeof(question) - 1, 0, &address,
		    sizeof(address));
}

ACT(dns_write)
{
	return CALL(write, connected(SOCK_DGRAM, NAME_SERVER_PORT), question, sizeof(question) - 1);
}

ACT(dns_writev)
{
	struct iovec halves[] = {{(void *)question, 12}, {(void *)(question + 12), sizeof(question) - 13}};

	return CALL(writev, connected(SOCK_DGRAM, NAME_SERVER_PORT), halves, 2);
}
