/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "classifier.h"
#include "contexts.h"
#include "siphash.h"
#include "starts.h"
#include "texts.h"
#include "words.h"

#define NUMBERS 4096	     /* of event types: larger ones are not known */
#define VALUES (1 << 16)     /* strings and small values that are remembered */
#define SIGNATURES (1 << 14) /* sets of words */
#define DEAD (1 << 15)	     /* combinations of classes */
#define UNUSED 1	     /* the class of a value that no condition asks for */

/* The header of a record: see events/table.py. */
enum { HEADER_SIZE = 56, TYPE_OFFSET = 4, CONTEXT_OFFSET = 16 };

/* What a key of the caches is of; a slot is added to STRING and SIGNATURE, and the kind to all. */
enum { SPACE_SCALARS = 0, SPACE_STRING = 1, SPACE_SIGNATURE = 3, SPACES = 8 };

struct hw_classifier {
	struct hw_type *types;
	uint32_t type_count;
	uint16_t type_of[NUMBERS]; /* position in `types` + 1; 0 = not known */
	uint64_t *counts;
	struct hw_kind *kinds;
	uint32_t kind_count;
	struct words *words; /* by kind and slot */
	struct contexts contexts;
	struct starts starts;
	struct cache values;
	struct cache signatures;
	struct cache dead;
	uint64_t key[2];
	uint64_t ruled_out[HW_TOLD]; /* to be told */
	uint32_t ruled_out_count;
	uint64_t told[HW_TOLD]; /* by the lowest bits of the fingerprint: it is long in coming back */
};

static uint32_t read_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

struct hw_classifier *hw_new(const struct hw_type *types, uint32_t type_count, const struct hw_kind *kinds,
			     uint32_t kind_count, const uint8_t *key)
{
	struct hw_classifier *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	memcpy(made->key, key, sizeof(made->key));
	made->type_count = type_count;
	made->kind_count = kind_count;
	made->types = calloc(type_count ? type_count : 1, sizeof(*types));
	made->counts = calloc(type_count ? type_count : 1, sizeof(*made->counts));
	made->kinds = calloc(kind_count ? kind_count : 1, sizeof(*kinds));
	made->words = calloc((kind_count ? kind_count : 1) * HW_STRINGS, sizeof(*made->words));
	if (contexts_make(&made->contexts, kind_count, made->key) || starts_make(&made->starts, made->key) ||
	    cache_make(&made->values, VALUES) || cache_make(&made->signatures, SIGNATURES) ||
	    cache_make(&made->dead, DEAD) || !made->types || !made->counts || !made->kinds || !made->words) {
		hw_free(made);
		return NULL;
	}
	memcpy(made->types, types, type_count * sizeof(*types));
	memcpy(made->kinds, kinds, kind_count * sizeof(*kinds));
	for (uint32_t one = 0; one < type_count; one++)
		if (types[one].number < NUMBERS)
			made->type_of[types[one].number] = (uint16_t)(one + 1);
	return made;
}

void hw_free(struct hw_classifier *classifier)
{
	if (!classifier)
		return;
	for (uint32_t one = 0; classifier->words && one < classifier->kind_count * HW_STRINGS; one++)
		words_free(&classifier->words[one]);
	contexts_free(&classifier->contexts);
	starts_free(&classifier->starts);
	free(classifier->values.entries);
	free(classifier->signatures.entries);
	free(classifier->dead.entries);
	free(classifier->types);
	free(classifier->counts);
	free(classifier->kinds);
	free(classifier->words);
	free(classifier);
}

int hw_set_words(struct hw_classifier *classifier, uint32_t kind, uint32_t slot, const uint8_t *columns,
		 uint32_t column_count, const uint32_t *next, uint32_t state_count, const uint32_t *output_ends,
		 const uint32_t *outputs)
{
	return words_make(&classifier->words[kind * HW_STRINGS + slot], columns, column_count, next, state_count,
			  output_ends, outputs);
}

/* The length of the record at an offset; 0 when there is no whole one. */
static uint64_t record_length(const uint8_t *batch, uint64_t size, uint64_t offset)
{
	uint64_t length;

	if (offset > size || size - offset < HEADER_SIZE)
		return 0;
	length = read_u32(batch + offset);
	return length < HEADER_SIZE || length % 8 || length > size - offset ? 0 : length;
}

static uint64_t read_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t space_of(uint32_t kind, uint32_t space)
{
	return (uint64_t)kind * SPACES + space;
}

/* The record reaches to `fixed_end` at least. */
static uint64_t scalars_key(const struct hw_classifier *classifier, uint32_t number, const uint8_t *record)
{
	const struct hw_kind *kind = &classifier->kinds[number];
	uint8_t values[8 * HW_SCALARS];
	uint32_t size = 0;
	struct siphash hash;

	for (uint32_t one = 0; one < kind->scalar_count; one++) {
		memcpy(values + size, record + kind->scalars[one].offset, kind->scalars[one].size);
		size += kind->scalars[one].size;
	}
	siphash_begin(&hash, classifier->key, space_of(number, SPACE_SCALARS));
	siphash_add(&hash, values, size);
	return siphash_end(&hash);
}

static uint64_t string_key(const struct hw_classifier *classifier, uint32_t number, uint32_t slot,
			   const uint8_t *record, struct text text)
{
	const struct hw_string *string = &classifier->kinds[number].strings[slot];
	struct siphash hash;

	siphash_begin(&hash, classifier->key, space_of(number, SPACE_STRING + slot));
	if (string->protocol)
		return peer_key(&hash, text, record[string->protocol]);
	siphash_add(&hash, text.bytes, text.size);
	return siphash_end(&hash);
}

static uint64_t signature(const struct hw_classifier *classifier, uint32_t number, uint32_t slot, struct text text)
{
	const struct words *words = &classifier->words[number * HW_STRINGS + slot];

	return words_signature(words, text.bytes, text.size, classifier->key, space_of(number, SPACE_SIGNATURE + slot));
}

static uint32_t string_class(struct hw_classifier *classifier, uint32_t number, uint32_t slot, const uint8_t *record,
			     struct text text)
{
	uint64_t key = string_key(classifier, number, slot, record, text);
	uint64_t found = cache_get(&classifier->values, key);
	uint64_t same;

	if (found)
		return (uint32_t)found;
	same = signature(classifier, number, slot, text);
	found = same ? cache_get(&classifier->signatures, same) : 0;
	if (found)
		cache_put(&classifier->values, key, found);
	return (uint32_t)found;
}

/* Every combination has a number of its own; it is spread by a secret odd factor, which loses nothing. */
static uint64_t dead_key(const struct hw_classifier *classifier, uint32_t kind, uint32_t process, uint32_t scalars,
			 uint32_t first, uint32_t second)
{
	uint64_t combination = (uint64_t)kind << 56 | (uint64_t)process << 42 | (uint64_t)scalars << 28 |
			       (uint64_t)first << 14 | second;

	return combination * (classifier->key[0] | 1);
}

static int is_dead(const struct hw_classifier *classifier, uint32_t kind, const struct hw_survivor *one, uint32_t first,
		   uint32_t second)
{
	uint64_t key = dead_key(classifier, kind, one->process, one->scalars, first, second);

	return cache_get(&classifier->dead, key) != 0;
}

/* The caller has to look at the whole record. */
static void say_unread(struct hw_survivor *one, int32_t kind)
{
	one->kind = kind;
	one->process = one->scalars = one->strings[0] = one->strings[1] = 0;
}

/* Whether a record is ruled out; if it is not, `one` says what is known of it. */
static int is_ruled_out(struct hw_classifier *classifier, uint32_t number, const uint8_t *record, uint64_t length,
			struct hw_survivor *one)
{
	const struct hw_kind *kind = &classifier->kinds[number];
	const uint16_t *classes;

	one->kind = (int32_t)number;
	one->scalars = one->strings[0] = one->strings[1] = UNUSED;
	one->process = 0;
	if (length < kind->fixed_end) {
		say_unread(one, HW_BROKEN);
		return 0;
	}
	classes = contexts_find(&classifier->contexts, record + CONTEXT_OFFSET);
	one->process = classes ? classes[number] : 0;
	if (kind->asks_scalars)
		one->scalars = (uint32_t)cache_get(&classifier->values, scalars_key(classifier, number, record));
	if (one->process && one->scalars && is_dead(classifier, number, one, 0, 0))
		return 1;
	for (uint32_t slot = 0; slot < kind->string_count; slot++) {
		struct text text;

		if (!kind->strings[slot].decides)
			continue;
		text = find_text(kind, &kind->strings[slot], record, length);
		if (!text.bytes) {
			say_unread(one, HW_BROKEN);
			return 0;
		}
		one->strings[slot] = string_class(classifier, number, slot, record, text);
	}
	return one->process && one->scalars && one->strings[0] && one->strings[1] &&
	       is_dead(classifier, number, one, one->strings[0], one->strings[1]);
}

static int is_failed(const struct hw_type *type, const uint8_t *record, uint64_t length)
{
	return type->sign && length >= type->shortest && record[type->sign] & 0x80;
}

/* The kind of a record; -1 when no condition can hold for it. */
static int32_t kind_of(const struct hw_type *type, const uint8_t *record, uint64_t length)
{
	return is_failed(type, record, length) ? type->failed : type->succeeded;
}

/* Keep the fingerprint of a record that was ruled out, to be told to the sensor. */
static void keep_fingerprint(struct hw_classifier *classifier, uint64_t fingerprint)
{
	uint64_t *told = &classifier->told[fingerprint & (HW_TOLD - 1)];

	if (!fingerprint || *told == fingerprint || classifier->ruled_out_count == HW_TOLD)
		return;
	*told = fingerprint;
	classifier->ruled_out[classifier->ruled_out_count++] = fingerprint;
}

/* Whether a record of a plain type, or one that is noted, is ruled out; see is_ruled_out. */
static int is_nothing(struct hw_classifier *classifier, const struct hw_type *type, const uint8_t *record,
		      uint64_t length, struct hw_survivor *one)
{
	int32_t kind = kind_of(type, record, length);

	if (kind >= 0 && !is_ruled_out(classifier, (uint32_t)kind, record, length, one))
		return 0;
	if (type->fingerprint && length >= type->shortest && (kind < 0 || classifier->kinds[kind].is_told) &&
	    !(type->flags && read_u32(record + type->flags) & type->spared))
		keep_fingerprint(classifier, read_u64(record + type->fingerprint));
	return 1;
}

/* The caller has to see the record, in its turn, though no condition can hold for it. */
static void say_noted(struct hw_survivor *one, uint32_t noted)
{
	one->kind = HW_NOTED;
	one->process = one->scalars = one->strings[0] = one->strings[1] = UNUSED;
	one->noted = noted;
}

/* Look at a record that the caller has to see in its turn. */
static void note(struct hw_classifier *classifier, const struct hw_type *type, const uint8_t *record, uint64_t length,
		 struct hw_survivor *one)
{
	struct context_key key;

	if (length < type->shortest) {
		say_unread(one, HW_BROKEN);
		return;
	}
	one->noted = HW_NOTED_PLAIN;
	if (is_nothing(classifier, type, record, length, one)) {
		say_noted(one, HW_NOTED_PLAIN);
		if (type->state == HW_NOTE && starts_child(&classifier->starts, &classifier->contexts, record, length))
			one->noted = HW_NOTED_KNOWN;
	}
	if (type->state == HW_NOTE_END) {
		memcpy(&key, record + CONTEXT_OFFSET, sizeof(key));
		contexts_forget_process(&classifier->contexts, key.start, key.pid);
	}
}

/* Whether nothing has to be done for a record; if something has, `one` says what is known of it. */
static int is_done(struct hw_classifier *classifier, const struct hw_type *type, const uint8_t *record, uint64_t length,
		   struct hw_survivor *one)
{
	uint32_t state = type ? type->state : HW_STOP;

	one->noted = HW_NOTED_NOT;
	if (state >= HW_STOP_UNLESS_FAILED && is_failed(type, record, length))
		state = HW_PLAIN;
	if (state == HW_PLAIN)
		return is_nothing(classifier, type, record, length, one);
	if (state == HW_NOTE || state == HW_NOTE_END)
		note(classifier, type, record, length, one);
	else if (state == HW_STOP_UNLESS_KNOWN &&
		 starts_program(&classifier->starts, &classifier->contexts, record, length))
		say_noted(one, HW_NOTED_KNOWN);
	else
		say_unread(one, HW_STATE);
	return 0;
}

void hw_classify(struct hw_classifier *classifier, const uint8_t *batch, struct hw_call *call)
{
	uint64_t offset = call->offset, events = 0, length;

	call->survivors = 0;
	call->broken = 0;
	for (; offset < call->size && call->survivors < HW_SURVIVORS; offset += length) {
		struct hw_survivor *one = &call->list[call->survivors];
		const uint8_t *record = batch + offset;
		const struct hw_type *type;
		uint32_t number, position;

		length = record_length(batch, call->size, offset);
		if (!length) {
			call->broken = 1;
			break;
		}
		number = read_u16(record + TYPE_OFFSET);
		position = number < NUMBERS ? classifier->type_of[number] : 0;
		type = position ? &classifier->types[position - 1] : NULL;
		if (type && type->is_event) {
			classifier->counts[position - 1] += offset >= call->counted;
			events++;
		}
		one->offset = offset;
		one->number = events;
		if (is_done(classifier, type, record, length, one))
			continue;
		call->survivors++;
		if (!one->process || !one->scalars || !one->strings[0] || !one->strings[1]) {
			offset += length;
			break;
		}
	}
	call->offset = offset;
	call->events = events;
}

void hw_set_starts(struct hw_classifier *classifier, const struct hw_starts *where)
{
	classifier->starts.where = *where;
}

void hw_learn_process(struct hw_classifier *classifier, const uint8_t *context, uint32_t container,
		      const uint16_t *classes, uint32_t alone, uint32_t ancestry, uint32_t above)
{
	struct context known = {.container = container, .ancestry = ancestry, .above = above};

	memcpy(&known.key, context, sizeof(known.key));
	if (alone)
		contexts_forget_process(&classifier->contexts, known.key.start, known.key.pid);
	known.row = contexts_row(&classifier->contexts, classes);
	if (!known.row) {
		contexts_begin_anew(&classifier->contexts);
		starts_forget(&classifier->starts);
		known.row = contexts_row(&classifier->contexts, classes);
	}
	contexts_learn(&classifier->contexts, &known);
}

void hw_learn_start(struct hw_classifier *classifier, const uint8_t *batch, uint32_t size, uint32_t offset)
{
	uint64_t length = record_length(batch, size, offset);
	const uint8_t *record = batch + offset;
	uint32_t number, position;

	if (!length)
		return;
	number = read_u16(record + TYPE_OFFSET);
	position = number < NUMBERS ? classifier->type_of[number] : 0;
	if (!position)
		return;
	if (classifier->types[position - 1].state == HW_NOTE)
		starts_learn_child(&classifier->starts, &classifier->contexts, record, length);
	else if (classifier->types[position - 1].state == HW_STOP_UNLESS_KNOWN)
		starts_learn_program(&classifier->starts, &classifier->contexts, record, length);
}

void hw_forget_starts(struct hw_classifier *classifier)
{
	starts_forget(&classifier->starts);
}

void hw_learn_scalars(struct hw_classifier *classifier, uint32_t kind, const uint8_t *batch, uint64_t size,
		      uint64_t offset, uint32_t judged)
{
	if (record_length(batch, size, offset) >= classifier->kinds[kind].fixed_end)
		cache_put(&classifier->values, scalars_key(classifier, kind, batch + offset), judged);
}

void hw_learn_string(struct hw_classifier *classifier, uint32_t kind, uint32_t slot, const uint8_t *batch,
		     uint64_t size, uint64_t offset, uint32_t judged)
{
	const struct hw_kind *recipe = &classifier->kinds[kind];
	uint64_t length = record_length(batch, size, offset), same;
	const uint8_t *record;
	struct text text;

	if (length < recipe->fixed_end || slot >= recipe->string_count)
		return;
	record = batch + offset;
	text = find_text(recipe, &recipe->strings[slot], record, length);
	if (!text.bytes)
		return;
	cache_put(&classifier->values, string_key(classifier, kind, slot, record, text), judged);
	same = signature(classifier, kind, slot, text);
	if (same)
		cache_put(&classifier->signatures, same, judged);
}

void hw_learn_dead(struct hw_classifier *classifier, uint32_t kind, uint32_t process, uint32_t scalars, uint32_t first,
		   uint32_t second)
{
	cache_put(&classifier->dead, dead_key(classifier, kind, process, scalars, first, second), 1);
}

void hw_forget_process(struct hw_classifier *classifier, uint64_t start, uint32_t pid)
{
	contexts_forget_process(&classifier->contexts, start, pid);
}

void hw_forget_container(struct hw_classifier *classifier, uint32_t container)
{
	contexts_forget_container(&classifier->contexts, container);
	starts_forget(&classifier->starts);
}

void hw_forget_cgroup(struct hw_classifier *classifier, uint64_t id, uint32_t hierarchy)
{
	contexts_forget_cgroup(&classifier->contexts, id, hierarchy);
	starts_forget(&classifier->starts);
}

void hw_forget_processes(struct hw_classifier *classifier)
{
	contexts_forget_all(&classifier->contexts);
	starts_forget(&classifier->starts);
}

uint32_t hw_take_ruled_out(struct hw_classifier *classifier, uint64_t *fingerprints)
{
	uint32_t count = classifier->ruled_out_count;

	memcpy(fingerprints, classifier->ruled_out, count * sizeof(*fingerprints));
	classifier->ruled_out_count = 0;
	return count;
}

void hw_take_counts(struct hw_classifier *classifier, uint64_t *counts)
{
	memcpy(counts, classifier->counts, classifier->type_count * sizeof(*counts));
	memset(classifier->counts, 0, classifier->type_count * sizeof(*counts));
}
