// SPDX-License-Identifier: Apache-2.0
/*
 * Lets a test work with parts of the sensor: what it reads on standard input it hands to them, and prints what comes.
 *
 * driver merge:  lines "push QUEUE TIME ID BYTES" and "release UNTIL" and "size QUEUE"; prints the time and id of what is delivered.
 * driver orders: frames of u32 length and bytes, each sent by itself; prints the type and length of each order.
 * driver clock:  lines "told REALTIME BOOTTIME" and "look REALTIME BOOTTIME"; prints whether the clock has stepped.
 * driver stream: lines "append TYPE BYTES" and "flush WATERMARK"; prints, on standard output, the stream itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sensor.h"

#define QUEUES 4
#define RECORD_MAXIMUM 65536

void fail(const char *sentence, ...)
{
	va_list arguments;

	va_start(arguments, sentence);
	vfprintf(stderr, sentence, arguments);
	va_end(arguments);
	exit(EXIT_CANNOT);
}

static union {
	struct record_header header;
	__u8 bytes[RECORD_MAXIMUM];
} record;

/* The id stands in the header, and in each byte behind it. */
static void make_record(unsigned int id, unsigned int length)
{
	memset(&record, (int)(id & 0xff), length);
	memset(&record.header, 0, sizeof(record.header));
	record.header.length = length;
	record.header.sequence = id;
}

static void print_delivered(const void *data, __u32 length, void *context)
{
	const struct record_header *header = data;
	const __u8 *bytes = data;

	(void)context;
	for (__u32 i = sizeof(*header); i < length; i++)
		if (bytes[i] != (header->sequence & 0xff))
			fail("byte %u of record %u is damaged", i, header->sequence);
	if (header->length != length)
		fail("record %u has another length", header->sequence);
	printf("%llu %u\n", (unsigned long long)header->time, header->sequence);
}

static void free_queues(struct queue *queues)
{
	for (int i = 0; i < QUEUES; i++) {
		free(queues[i].records);
		free(queues[i].bytes);
		free(queues[i].spare);
	}
}

static void merge(void)
{
	static struct queue queues[QUEUES];
	unsigned int queue, id, length;
	unsigned long long time;
	char word[16];

	while (scanf("%15s", word) == 1) {
		if (strcmp(word, "push") == 0 && scanf("%u %llu %u %u", &queue, &time, &id, &length) == 4) {
			make_record(id, length);
			record.header.time = time;
			if (!queue_push(&queues[queue], &record, length))
				printf("full\n");
		} else if (strcmp(word, "size") == 0 && scanf("%u", &queue) == 1) {
			printf("size %u\n", queues[queue].size);
		} else if (strcmp(word, "release") == 0 && scanf("%llu", &time) == 1) {
			queues_release(queues, QUEUES, time, print_delivered, NULL);
			printf("released\n");
		}
	}
	printf("late %llu\n", (unsigned long long)queues_late());
	free_queues(queues);
}

static void print_order(const struct record_header *header, void *context)
{
	const __u8 *bytes = (const void *)header;
	unsigned int sum = 0;

	(void)context;
	for (__u32 i = 0; i < header->length; i++) /* every byte that was promised can be read */
		sum += bytes[i];
	printf("%u %u %u\n", header->type, header->length, sum);
}

static void orders(void)
{
	int ends[2];
	__u32 length;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		fail("no socket pair");
	stream_open(ends[1]);
	while (fread(&length, sizeof(length), 1, stdin) == 1) {
		if (length > RECORD_MAXIMUM || fread(&record, 1, length, stdin) != length ||
		    send(ends[0], &record, length, 0) != (ssize_t)length)
			fail("the piece can not be sent");
		while (recv(ends[1], &length, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
			if (!stream_read_orders(print_order, NULL))
				fail("the stream says that it has ended");
	}
	close(ends[0]);
	printf("%s\n", stream_read_orders(print_order, NULL) ? "goes on" : "ended");
}

/* The parent sends; the child copies what comes out to standard output, so that neither waits for the other. */
static void stream(void)
{
	unsigned int type, length;
	unsigned long long watermark;
	char word[16], buffer[65536];
	ssize_t got;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		fail("no socket pair");
	if (fork() == 0) {
		close(ends[1]);
		while ((got = read(ends[0], buffer, sizeof(buffer))) > 0)
			if (write(STDOUT_FILENO, buffer, got) != got)
				_exit(1);
		_exit(0);
	}
	close(ends[0]);
	stream_open(ends[1]);
	while (scanf("%15s", word) == 1) {
		if (strcmp(word, "append") == 0 && scanf("%u %u", &type, &length) == 2) {
			make_record(type, length);
			record.header.type = type;
			record.header.time = type;
			stream_append(&record, length, NULL);
		} else if (strcmp(word, "flush") == 0 && scanf("%llu", &watermark) == 1) {
			stream_flush(watermark);
		}
	}
}

static void wall_clock(void)
{
	unsigned long long realtime, boottime;
	char word[16];

	while (scanf("%15s %llu %llu", word, &realtime, &boottime) == 3) {
		if (strcmp(word, "told") == 0)
			clock_was_told(realtime, boottime);
		else
			printf("%s\n", clock_has_stepped(realtime, boottime) ? "stepped" : "steady");
	}
}

int main(int count, char **arguments)
{
	const char *part = count == 2 ? arguments[1] : "";

	if (strcmp(part, "merge") == 0)
		merge();
	else if (strcmp(part, "orders") == 0)
		orders();
	else if (strcmp(part, "stream") == 0)
		stream();
	else if (strcmp(part, "clock") == 0)
		wall_clock();
	else
		fail("driver merge|orders|clock|stream");
	return 0;
}
