// SPDX-License-Identifier: Apache-2.0
/* The processes that run already: read from the kernel's iterator; in the basic tier their arguments from /proc. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "programs.h"

#define SNAPSHOT_READ_BYTES (128 * 1024)
#define ARGUMENT_BYTES 4095 /* as in the kernel programs */
#define RECORD_BYTES 65536  /* more than a record and its arguments have */
#define START_FIELD 22	    /* of /proc/PID/stat: when the process started, in clock ticks since boot */

static ssize_t read_file(__u32 pid, const char *name, char *bytes, size_t size)
{
	char path[64];
	ssize_t length;
	int descriptor;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return -1;
	length = read(descriptor, bytes, size);
	close(descriptor);
	return length;
}

/* Whether the number still belongs to the process that the record tells of. */
static bool is_same_process(const struct record_header *header)
{
	char text[1024];
	ssize_t length = read_file(header->pid, "stat", text, sizeof(text) - 1);
	unsigned long long ticks = 0;
	char *field;

	if (length <= 0)
		return false;
	text[length] = 0;
	field = strrchr(text, ')'); /* the second field is a name that can hold anything */
	for (int number = 2; field && number < START_FIELD; number++)
		field = strchr(field + 1, ' ');
	return field && sscanf(field, " %llu", &ticks) == 1 &&
	       ticks == header->process_start / (1000000000ull / sysconf(_SC_CLK_TCK));
}

/* Push a record with the arguments put in: they are the first value behind the fixed part. */
static bool push_with_arguments(struct queue *queue, const struct record_program *record, const char *arguments,
				size_t length)
{
	static __u8 bytes[RECORD_BYTES] __attribute__((aligned(8)));
	struct record_program *whole = (void *)bytes;
	size_t rest = record->header.length - sizeof(*record);

	memcpy(bytes, record, sizeof(*record));
	memcpy(bytes + sizeof(*record), arguments, length);
	memcpy(bytes + sizeof(*record) + length, record + 1, rest);
	whole->argv_length = length;
	whole->header.length = (record->header.length + length + 7) & ~7u;
	return queue_push(queue, whole, whole->header.length);
}

static bool push(struct programs *programs, struct queue *queue, const struct record_header *header)
{
	const struct record_program *record = (const void *)header;
	char arguments[ARGUMENT_BYTES];
	ssize_t length;

	/* A process without an executable is a thread of the kernel. */
	if (programs->tier == TIER_BASIC && record->trusted_exepath_length) {
		length = read_file(header->pid, "cmdline", arguments, sizeof(arguments));
		if (length >= 0 && is_same_process(header)) {
			return push_with_arguments(queue, record, arguments, length);
		}
		programs->unread_arguments++;
	}
	return queue_push(queue, header, header->length);
}

/* Where the first process that can be seen lives is the host, to us. It stands before all others in the list. */
static void push_host(struct queue *queue, const struct record_program *first)
{
	struct {
		struct record_host record;
		__u32 namespaces[8]; /* with room to fill up the record's last eight bytes */
	} host = {
		.record.header = {.length = sizeof(host), .type = EVENT_HOST, .time = first->header.time},
		.record.namespaces_length = 7 * sizeof(__u32),
		.namespaces = {first->pid_ns, first->mnt_ns, first->net_ns, first->user_ns, first->ipc_ns,
			       first->uts_ns, first->cgroup_ns},
	};

	queue_push(queue, &host, sizeof(host));
}

/* Hand over a record of each process that runs and can be seen from our pid namespace. */
void programs_list(struct programs *programs, void (*take)(const struct record_header *header, void *context),
		   void *context)
{
	int iterator = bpf_iter_create(bpf_link__fd(programs->snapshot));
	static __u8 buffer[SNAPSHOT_READ_BYTES];
	size_t length = 0;
	ssize_t got;

	if (iterator < 0)
		fail("the list of running processes can not be started: %s", strerror(errno));
	while ((got = read(iterator, buffer + length, sizeof(buffer) - length)) != 0) {
		size_t position = 0;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			fail("the list of running processes can not be read: %s", strerror(errno));
		length += got;
		while (length - position >= sizeof(struct record_header)) {
			const struct record_header *header = (const void *)(buffer + position);

			if (header->length > length - position)
				break;
			take(header, context);
			position += header->length;
		}
		length -= position;
		memmove(buffer, buffer + position, length);
	}
	close(iterator);
}

/* Where a list goes. */
struct listing {
	struct programs *programs;
	struct queue *queue;
	void (*make_room)(void *context);
	void *context;
	struct record_snapshot_end end;
};

static void take_process(const struct record_header *header, void *context)
{
	struct listing *listing = context;

	if (listing->end.processes == 0)
		push_host(listing->queue, (const void *)header);
	if (!push(listing->programs, listing->queue, header))
		listing->make_room(listing->context);
	listing->end.processes++;
}

/* List the running processes into the queue; when it is full, some of it has to be sent before there can be more. */
void programs_snapshot(struct programs *programs, struct queue *queue, void (*make_room)(void *), void *context)
{
	struct listing listing = {
		.programs = programs,
		.queue = queue,
		.make_room = make_room,
		.context = context,
		.end.started = boot_time(),
	};

	programs_list(programs, take_process, &listing);
	listing.end.header.length = sizeof(listing.end);
	listing.end.header.type = EVENT_SNAPSHOT_END;
	listing.end.header.time = boot_time();
	queue_push(queue, &listing.end, sizeof(listing.end));
}
