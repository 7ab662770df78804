// SPDX-License-Identifier: Apache-2.0
/*
 * One ordered stream from many CPUs. Each CPU's records come nearly in order; they are put in order within their
 * queue, and what is older than the watermark is taken from the queues, the oldest first.
 */
#include <stdlib.h>
#include <string.h>

#include "sensor.h"

static __u64 last_released;
static __u64 late_records;

static void *grow(void *memory, size_t bytes)
{
	void *grown = realloc(memory, bytes);

	if (!grown)
		fail("there is no memory for %zu bytes of waiting events", bytes);
	return grown;
}

/* Copy a record into the queue. Returns false when the queue is full after it. */
bool queue_push(struct queue *queue, const void *record, __u32 length)
{
	__u64 time = ((const struct record_header *)record)->time;
	__u32 place;

	if (queue->length + length > queue->size) {
		queue->size = queue->size ? queue->size * 2 : QUEUE_BYTES_KEPT;
		if (queue->size < queue->length + length)
			queue->size = queue->length + length;
		queue->bytes = grow(queue->bytes, queue->size);
		queue->spare = grow(queue->spare, queue->size);
	}
	if (queue->count == queue->capacity) {
		queue->capacity = queue->capacity ? queue->capacity * 2 : 1024;
		queue->records = grow(queue->records, queue->capacity * sizeof(*queue->records));
	}
	for (place = queue->count; place > 0 && queue->records[place - 1].time > time; place--)
		queue->records[place] = queue->records[place - 1];
	queue->records[place] = (struct pending_record){.time = time, .offset = queue->length, .length = length};
	memcpy(queue->bytes + queue->length, record, length);
	queue->length += length;
	queue->count++;
	return queue->length < (queue->limit ? queue->limit : QUEUE_BYTES);
}

/* Give the memory of a busy time back once it was not needed for a while; before what was released is moved away. */
static void queue_shrink(struct queue *queue)
{
	if (queue->size <= QUEUE_BYTES_KEPT || queue->length > queue->size / 4)
		queue->roomy = 0;
	else if (++queue->roomy >= QUEUE_ROOMY_LIMIT && queue->next == queue->count) {
		free(queue->records);
		free(queue->bytes);
		free(queue->spare);
		*queue = (struct queue){.limit = queue->limit};
	}
}

/* Move what was not released to the beginning. */
static void queue_compact(struct queue *queue)
{
	__u32 length = 0, left = queue->count - queue->next;
	__u8 *bytes = queue->spare;

	if (queue->next == 0)
		return;
	for (__u32 i = 0; i < left; i++) {
		struct pending_record record = queue->records[queue->next + i];

		memcpy(bytes + length, queue->bytes + record.offset, record.length);
		record.offset = length;
		length += record.length;
		queue->records[i] = record;
	}
	queue->spare = queue->bytes;
	queue->bytes = bytes;
	queue->length = length;
	queue->count = left;
	queue->next = 0;
}

/* Deliver all records up to the time `until`, in order. */
void queues_release(struct queue *queues, int count, __u64 until, void (*deliver)(const void *, __u32, void *),
		    void *context)
{
	for (;;) {
		struct queue *oldest = NULL;
		struct pending_record *record;

		for (int i = 0; i < count; i++) {
			struct queue *queue = &queues[i];

			if (queue->next == queue->count || queue->records[queue->next].time > until)
				continue;
			if (!oldest || queue->records[queue->next].time < oldest->records[oldest->next].time)
				oldest = queue;
		}
		if (!oldest)
			break;
		record = &oldest->records[oldest->next++];
		if (record->time < last_released)
			late_records++;
		else
			last_released = record->time;
		deliver(oldest->bytes + record->offset, record->length, context);
	}
	for (int i = 0; i < count; i++) {
		queue_shrink(&queues[i]);
		queue_compact(&queues[i]);
	}
}

/* How many records came too late to be put in order; they were delivered. */
__u64 queues_late(void)
{
	return late_records;
}
