// SPDX-License-Identifier: Apache-2.0
/*
 * Lets tests work with the classifier, built with the compiler's checks of memory.
 *
 * classifier_driver layout: prints the sizes and places of what Python shares with it, a name and a number each.
 * classifier_driver fuzz SEED ROUNDS: reads a plan, its words and some records (test_classifier.py writes them), makes
 * hostile batches of the records, and learns whatever comes. Ends with a sentence if a result makes no sense.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "classifier.c" /* as a whole: its own numbers are compared too */

#define LONGEST_BATCH (1 << 20)
#define RECORDS 1024

static _Noreturn void fail(const char *sentence, ...)
{
	va_list arguments;

	va_start(arguments, sentence);
	vfprintf(stderr, sentence, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* ---- layout */

#define SIZE(type) printf(#type " %zu\n", sizeof(struct type))
#define PLACE(type, member) printf(#type "." #member " %zu\n", offsetof(struct type, member))
#define NUMBER(name) printf(#name " %d\n", name)

static void layout(void)
{
	SIZE(hw_type);
	PLACE(hw_type, sign);
	PLACE(hw_type, failed);
	PLACE(hw_type, fingerprint);
	PLACE(hw_type, peer);
	SIZE(hw_peer);
	SIZE(hw_kind);
	PLACE(hw_kind, scalar_count);
	PLACE(hw_kind, scalars);
	PLACE(hw_kind, string_count);
	PLACE(hw_kind, strings);
	PLACE(hw_kind, is_told);
	SIZE(hw_starts);
	PLACE(hw_starts, program_end);
	PLACE(hw_starts, scalars);
	SIZE(hw_piece);
	SIZE(hw_string);
	SIZE(hw_survivor);
	PLACE(hw_survivor, number);
	PLACE(hw_survivor, kind);
	PLACE(hw_survivor, process);
	PLACE(hw_survivor, scalars);
	PLACE(hw_survivor, strings);
	PLACE(hw_survivor, noted);
	SIZE(hw_call);
	PLACE(hw_call, counted);
	PLACE(hw_call, offset);
	PLACE(hw_call, events);
	PLACE(hw_call, survivors);
	PLACE(hw_call, broken);
	PLACE(hw_call, list);
	NUMBER(HW_CONTEXT_SIZE);
	NUMBER(HW_STRINGS);
	NUMBER(HW_SCALARS);
	NUMBER(HW_CLASSES);
	NUMBER(HW_KINDS);
	NUMBER(HW_SURVIVORS);
	NUMBER(HW_TOLD);
	NUMBER(HW_STATE);
	NUMBER(HW_BROKEN);
	NUMBER(HW_NOTED);
	NUMBER(HW_CONTACT);
	NUMBER(CONTACTS);
	NUMBER(CGROUP_OFFSET);
	NUMBER(HW_PLAIN);
	NUMBER(HW_NOTE);
	NUMBER(HW_NOTE_END);
	NUMBER(HW_STOP);
	NUMBER(HW_STOP_UNLESS_FAILED);
	NUMBER(HW_STOP_UNLESS_KNOWN);
	NUMBER(HW_NOTED_PLAIN);
	NUMBER(HW_NOTED_KNOWN);
	NUMBER(UNUSED);
	NUMBER(NUMBERS);
	NUMBER(HEADER_SIZE);
	NUMBER(TYPE_OFFSET);
	NUMBER(CONTEXT_OFFSET);
}

/* ---- what Python gives: u32 counts, each with as many elements behind it */

static void *read_exactly(uint64_t size)
{
	void *made = malloc(size);

	if (!made || fread(made, 1, size, stdin) != size)
		fail("the input ends too early");
	return made;
}

static uint32_t read_number(void)
{
	uint32_t *read = read_exactly(sizeof(*read));
	uint32_t number = *read;

	free(read);
	return number;
}

static void read_words(struct hw_classifier *classifier)
{
	uint32_t kind = read_number(), slot = read_number();
	uint32_t columns = read_number(), states = read_number(), found = read_number();
	uint8_t *column_of = read_exactly(256);
	uint32_t *next = read_exactly(4ULL * states * columns);
	uint32_t *output_ends = read_exactly(4ULL * states);
	uint32_t *outputs = read_exactly(4ULL * found);
	int failed;

	for (int time = 0; time < 2; time++) {	   /* the second takes the place of the first */
		if (kind < classifier->kind_count) /* those behind are of arguments */
			failed = hw_set_words(classifier, kind, slot, column_of, columns, next, states, output_ends,
					      outputs);
		else
			failed = hw_set_argument_words(classifier, column_of, columns, next, states, output_ends,
						       outputs);
		if (failed)
			fail("there is no memory for words");
	}
	free(column_of);
	free(next);
	free(output_ends);
	free(outputs);
}

static struct {
	uint8_t *bytes;
	uint32_t size;
} records[RECORDS];
static uint32_t record_count;

static struct hw_classifier *read_all(void)
{
	uint32_t type_count = read_number();
	struct hw_type *types = read_exactly(type_count * sizeof(*types));
	uint32_t kind_count = read_number();
	struct hw_kind *kinds = read_exactly(kind_count * sizeof(*kinds));
	uint8_t *key = read_exactly(16);
	struct hw_starts *starts = read_exactly(sizeof(*starts));
	struct hw_classifier *made = hw_new(types, type_count, kinds, kind_count, key);

	if (!made)
		fail("there is no memory for a classifier");
	hw_set_starts(made, starts);
	free(starts);
	free(types);
	free(kinds);
	free(key);
	for (uint32_t left = read_number(); left; left--)
		read_words(made);
	record_count = read_number();
	if (!record_count || record_count > RECORDS)
		fail("%u records are none or too many", record_count);
	for (uint32_t one = 0; one < record_count; one++) {
		records[one].size = read_number();
		records[one].bytes = read_exactly(records[one].size);
	}
	return made;
}

/* ---- hostile batches */

static uint64_t state;

static uint64_t draw(void) /* xorshift64* */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t end)
{
	return end ? (draw() >> 16) % end : 0;
}

/* Begins a round of numbers: what a seed and a round are made into is alike for neighbours, until it was turned. */
static void begin_round(uint64_t seed, uint64_t round)
{
	state = (seed ^ round << 32) * 0x9e3779b97f4a7c15 + 1;
	for (int turns = 0; turns < 32; turns++)
		draw();
}

static uint8_t batch[LONGEST_BATCH];
static uint64_t size;
static uint64_t last; /* where the last record begins */

static void append(const void *bytes, uint64_t count)
{
	if (count > LONGEST_BATCH - size)
		return;
	memcpy(batch + size, bytes, count);
	size += count;
}

static uint8_t some_byte(void)
{
	return (uint8_t)(below(2) ? draw() : (uint64_t)"/\1\2\3\4a\0s\xff"[below(9)]);
}

static void make_batch(void)
{
	uint64_t count = below(24) ? below(10) : 250 + below(150);
	uint64_t same = below(2) ? record_count : below(record_count); /* many of one are ruled out, or all survive */

	size = last = 0;
	if (!below(20)) {
		for (count = below(300); size < count;)
			batch[size++] = (uint8_t)draw();
		return;
	}
	while (count--) {
		uint64_t one = same < record_count && below(4) ? same : below(record_count);

		last = size;
		append(records[one].bytes, records[one].size);
		for (uint64_t left = below(3); left && size > last; left--) /* values that were never there */
			batch[last + HEADER_SIZE + below(below(2) ? 16 : size - last - HEADER_SIZE)] = some_byte();
	}
}

/* The beginning of some record, as far as there are records. */
static uint64_t some_record(void)
{
	uint64_t at = 0, length;

	if (!below(3) && last < size) /* behind it there is nothing */
		return last;
	for (uint64_t steps = below(12); steps && (length = record_length(batch, size, at)); steps--)
		at += length;
	return at < size ? at : 0;
}

static void put(uint64_t at, uint64_t value, uint64_t bytes)
{
	if (at <= size && bytes <= size - at)
		memcpy(batch + at, &value, bytes);
}

static uint64_t some_length(uint64_t at)
{
	uint64_t left = size - at;
	const uint64_t lengths[] = {0,	  8,	    48,	      55,	    56,		57,	    64, 72,
				    left, left + 1, left + 8, left & ~7ULL, 0xffffffff, 0xfffffff8, 80, 8 * below(40)};

	return lengths[below(sizeof(lengths) / sizeof(*lengths))];
}

static void damage(void)
{
	static const uint16_t numbers[] = {0, 1, 2, 4, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x1000, 0x7fff, 0x8000, 0xffff};
	uint64_t at = some_record();

	switch (below(10)) {
	case 0:
		put(below(size), draw(), 1);
		break;
	case 1:
		put(below(size), numbers[below(14)], 2);
		break;
	case 2:
		put(at, some_length(at), 4);
		break;
	case 3:
		put(at + TYPE_OFFSET, below(4) ? below(450) : draw(), 2);
		break;
	case 4: /* in the fixed part: results, scalars, lengths of strings */
	case 5:
		put(at + HEADER_SIZE + 2 * below(40), below(3) ? numbers[below(14)] : below(80), 2);
		break;
	case 6: /* in the strings */
		put(at + HEADER_SIZE + below(120), below(2) ? '/' : below(6), 1);
		break;
	case 7:
		size = below(4) ? size - below(size < 80 ? size + 1 : 80) : below(size + 1);
		break;
	case 8: /* the last record is whole, but shorter */
		if (size > last + HEADER_SIZE)
			size = last + HEADER_SIZE + 8 * below((size - last - HEADER_SIZE) / 8);
		put(last, size - last, 4);
		break;
	default:
		for (uint64_t left = below(70); left && size < LONGEST_BATCH; left--)
			batch[size++] = (uint8_t)draw();
	}
}

/* ---- what is asked of the classifier */

static uint32_t some_class(void)
{
	return below(20) ? 1 + (uint32_t)below(5) : HW_CLASSES - 1;
}

/* Of a child, of a program, or of any other record, which teaches nothing. */
static void learn_start(struct hw_classifier *classifier, const uint8_t *bytes, uint64_t size, uint64_t offset)
{
	uint16_t classes[HW_KINDS];

	for (uint32_t each = 0; each < classifier->kind_count; each++)
		classes[each] = (uint16_t)some_class();
	hw_learn_process(classifier, bytes + offset + CONTEXT_OFFSET, 1 + (uint32_t)below(3), classes, 1, 3,
			 (uint32_t)below(3));
	hw_learn_start(classifier, bytes, (uint32_t)size, (uint32_t)offset, (uint32_t)below(2));
}

static void learn(struct hw_classifier *classifier, const uint8_t *bytes, uint64_t size, const struct hw_survivor *one)
{
	uint32_t kind = (uint32_t)one->kind;

	struct context_key key;

	memcpy(&key, bytes + one->offset + CONTEXT_OFFSET, sizeof(key));
	if (one->kind < 0) {
		if (!below(4))
			hw_forget_process(classifier, key.start, key.pid);
		if (!below(2))
			learn_start(classifier, bytes, size, one->offset);
		if (!below(200))
			hw_forget_container(classifier, 1 + (uint32_t)below(3));
		if (!below(200))
			hw_forget_cgroup(classifier, key.cgroup, key.hierarchy);
		return;
	}
	if (!one->process) {
		uint16_t classes[HW_KINDS];

		for (uint32_t each = 0; each < classifier->kind_count; each++)
			classes[each] = (uint16_t)some_class();
		hw_learn_process(classifier, bytes + one->offset + CONTEXT_OFFSET, 1 + (uint32_t)below(3), classes,
				 !below(3), (uint32_t)below(4), (uint32_t)below(4));
	}
	if (!one->scalars)
		hw_learn_scalars(classifier, kind, bytes, size, one->offset, some_class());
	for (uint32_t slot = 0; slot < HW_STRINGS; slot++)
		if (!one->strings[slot])
			hw_learn_string(classifier, kind, slot, bytes, size, one->offset, below(20) ? some_class() : 0);
	if (one->process && one->scalars && one->strings[0] && one->strings[1] && !below(9))
		hw_learn_dead(classifier, kind, one->process, one->scalars, one->strings[0], one->strings[1]);
	else if (one->process && one->scalars && !below(200))
		hw_learn_dead(classifier, kind, one->process, one->scalars, 0, 0);
	if (one->scalars && one->strings[0] && one->strings[1] && below(3))
		hw_learn_anyone(classifier, kind, one->scalars, one->strings[0], one->strings[1], below(2));
}

static void learn_nonsense(struct hw_classifier *classifier, const uint8_t *bytes)
{
	const uint64_t offsets[] = {below(size + 1), size, size + 1, size + 8, 1ULL << 32, UINT64_MAX, UINT64_MAX - 55};
	uint64_t offset = offsets[below(7)];
	uint32_t kind = (uint32_t)below(classifier->kind_count);

	static uint64_t fingerprints[HW_TOLD];

	if (!below(3) && hw_take_ruled_out(classifier, fingerprints) > HW_TOLD)
		fail("there are too many fingerprints");
	hw_learn_scalars(classifier, kind, bytes, size, offset, some_class());
	hw_learn_string(classifier, kind, (uint32_t)below(HW_STRINGS + 1), bytes, size, offset, some_class());
	if (!below(9))
		hw_forget_processes(classifier);
	else if (!below(5))
		hw_forget_contacts(classifier);
}

static void check(const struct hw_classifier *classifier, const struct hw_call *result, uint64_t from,
		  const uint8_t *bytes)
{
	uint64_t before = from, number = 0;

	if (result->survivors > HW_SURVIVORS || result->offset < from || (from <= size && result->offset > size))
		fail("%u survivors, and on from %lu", result->survivors, (unsigned long)result->offset);
	if (result->offset < size && !result->survivors && !result->broken)
		fail("it stopped at %lu for nothing", (unsigned long)result->offset);
	if (result->broken && record_length(bytes, size, result->offset))
		fail("the record at %lu is whole", (unsigned long)result->offset);
	for (uint32_t place = 0; place < result->survivors; place++) {
		const struct hw_survivor *one = &result->list[place];
		uint64_t length = record_length(bytes, size, one->offset);

		if (one->offset < before || !length || one->offset + length > result->offset)
			fail("survivor %u is at %lu", place, (unsigned long)one->offset);
		if (one->number < number || one->number > result->events ||
		    one->number > number + length * RECORDS * 64)
			fail("survivor %u has the number %lu", place, (unsigned long)one->number);
		if (one->kind < HW_CONTACT || one->kind >= (int32_t)classifier->kind_count)
			fail("survivor %u is of kind %d", place, one->kind);
		if ((one->process | one->scalars | one->strings[0] | one->strings[1]) >= HW_CLASSES)
			fail("survivor %u has an impossible class", place);
		if (one->kind < 0 && one->kind != HW_NOTED && one->kind != HW_CONTACT &&
		    (one->process | one->scalars | one->strings[0] | one->strings[1]))
			fail("survivor %u has a class, but was not read", place);
		before = one->offset + length;
		number = one->number;
	}
}

/* Returns how many events there were. */
static uint64_t classify_all(struct hw_classifier *classifier, const uint8_t *bytes)
{
	uint64_t offset = below(10) ? 0 : below(size + 16), events = 0, before;
	uint64_t counted = 0;
	static struct hw_call call;

	do {
		before = offset;
		call.size = size;
		call.counted = counted;
		call.offset = offset;
		hw_classify(classifier, bytes, &call);
		check(classifier, &call, offset, bytes);
		offset = call.offset;
		events += call.events;
		for (uint32_t one = 0; one < call.survivors; one++)
			learn(classifier, bytes, call.size, &call.list[one]);
		if (!call.broken && offset < size && offset == before)
			fail("it does not go on at %lu", (unsigned long)offset);
		if (call.survivors > 1 && !below(20)) { /* once more, from behind a survivor */
			const struct hw_survivor *one = &call.list[below(call.survivors - 1)];

			counted = offset > counted ? offset : counted;
			events -= call.events - one->number;
			offset = one->offset + record_length(bytes, size, one->offset);
			call.broken = 0;
		}
	} while (!call.broken && offset < size);
	return events;
}

static void check_counts(struct hw_classifier *classifier, uint64_t events)
{
	struct hw_count *counts = calloc(classifier->type_count, sizeof(*counts));
	uint32_t found;

	if (!counts)
		fail("there is no memory for counts");
	found = hw_take_counts(classifier, counts);
	for (uint32_t one = 0; one < found; one++) {
		if (!counts[one].count || (one && counts[one].type <= counts[one - 1].type))
			fail("a type is counted as nothing or twice");
		events -= counts[one].count;
	}
	free(counts);
	if (events)
		fail("the counts are %ld off", (long)events);
}

static void fuzz(uint64_t seed, uint64_t rounds)
{
	struct hw_classifier *classifier = read_all();

	for (; rounds; rounds--) {
		begin_round(seed, rounds);
		make_batch();
		for (uint64_t left = below(4) ? below(6) : 0; left && size; left--)
			damage();
		uint64_t shift = below(8);	      /* nobody said that batches lie at round addresses */
		uint8_t *room = malloc(size + shift); /* exactly: a byte more and the compiler's checks tell */

		if (!room)
			fail("there is no memory for a batch");
		memcpy(room + shift, batch, size);
		uint64_t events = classify_all(classifier, room + shift);

		learn_nonsense(classifier, room + shift);
		events += classify_all(classifier, room + shift);
		free(room);
		check_counts(classifier, events);
	}
	hw_free(classifier);
	for (uint32_t one = 0; one < record_count; one++)
		free(records[one].bytes);
}

int main(int count, char **arguments)
{
	if (count == 2 && !strcmp(arguments[1], "layout"))
		layout();
	else if (count == 4 && !strcmp(arguments[1], "fuzz"))
		fuzz(strtoull(arguments[2], NULL, 10), strtoull(arguments[3], NULL, 10));
	else
		fail("classifier_driver layout|fuzz SEED ROUNDS");
	return 0;
}
