// SPDX-License-Identifier: Apache-2.0
/* The socket: batches of records out, orders in. An engine that does not read stops the sensor, never loses order. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sensor.h"

#define ORDER_BYTES 65536 /* the longest order: an interest in every event is far shorter */

static struct {
	int socket;
	__u32 length, records;
	struct frame_header header; /* directly before the bytes: one write sends both */
	__u8 bytes[FRAME_BYTES + 65536];
	__u8 order[ORDER_BYTES];
	size_t order_length;
} stream;

void stream_open(int socket)
{
	stream.socket = socket;
}

static void write_all(const void *data, size_t length)
{
	const __u8 *position = data;

	while (length > 0) {
		ssize_t sent = send(stream.socket, position, length, MSG_NOSIGNAL);

		if (sent > 0) {
			position += sent;
			length -= sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd wait = {.fd = stream.socket, .events = POLLOUT};

			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			exit(0); /* the engine is gone: there is nobody to report to */
		}
	}
}

/* Send what was appended, if anything was: the clock's record is the sign of life, not an empty frame. */
void stream_flush(__u64 watermark)
{
	if (stream.records == 0)
		return;
	stream.header = (struct frame_header){
		.magic = FRAME_MAGIC,
		.length = stream.length,
		.records = stream.records,
		.version = EVENT_TABLE_VERSION,
		.watermark = watermark,
	};
	write_all(&stream.header, sizeof(stream.header) + stream.length);
	stream.length = 0;
	stream.records = 0;
}

void stream_append(const void *record, __u32 length, void *unused)
{
	(void)unused;
	memcpy(stream.bytes + stream.length, record, length);
	stream.length += length;
	stream.records++;
	if (stream.length >= FRAME_BYTES)
		stream_flush(((const struct record_header *)record)->time);
}

/* Read what the engine has sent and hand on each whole order. Returns false when the engine has gone. */
bool stream_read_orders(void (*order)(const struct record_header *, void *), void *context)
{
	ssize_t received = recv(stream.socket, stream.order + stream.order_length, ORDER_BYTES - stream.order_length,
				MSG_DONTWAIT);
	size_t position = 0;

	if (received == 0)
		return false;
	if (received < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	stream.order_length += received;
	while (stream.order_length - position >= sizeof(struct record_header)) {
		const struct record_header *header = (const void *)(stream.order + position);

		if (header->length < sizeof(*header) || header->length % 8 || header->length > ORDER_BYTES)
			fail("an order of %u bytes came from the engine: the stream is broken", header->length);
		if (header->length > stream.order_length - position)
			break;
		order(header, context);
		position += header->length;
	}
	stream.order_length -= position;
	memmove(stream.order, stream.order + position, stream.order_length);
	return true;
}
