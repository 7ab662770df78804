/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "classifier.h"
#include "contacts.h"
#include "contexts.h"
#include "records.h"
#include "scalars.h"
#include "siphash.h"
#include "starts.h"
#include "texts.h"
#include "told.h"
#include "words.h"

#define NUMBERS 4096	     /* of event types: larger ones are not known */
#define VALUES (1 << 16)     /* strings and small values that are remembered */
#define SIGNATURES (1 << 14) /* sets of words */
#define DEAD (1 << 15)	     /* combinations of classes */
#define UNUSED 1	     /* the class of a value that no condition asks for */
#define ANYONE 0	     /* in a combination: whatever process it is */

/* What a key of the caches is of; a slot is added to STRING and SIGNATURE, and the kind to all. */
enum { SPACE_SCALARS = 0, SPACE_STRING = 1, SPACE_SIGNATURE = 3, SPACES = 8 };

struct hw_classifier {
	struct hw_type *types;
	uint32_t type_count;
	uint16_t type_of[NUMBERS]; /* position in `types` + 1; 0 = not known */
	uint64_t *counts;
	struct hw_kind *kinds;
	uint32_t kind_count;
	struct scalars *last; /* by kind: mostly they are the same again */
	struct words *words;  /* by kind and slot */
	struct contexts contexts;
	struct starts starts;
	struct cache values;
	struct cache signatures;
	struct cache dead;
	uint64_t key[2];
	struct told told;
	struct contacts contacts;
};

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
	made->last = calloc(kind_count ? kind_count : 1, sizeof(*made->last));
	made->words = calloc((kind_count ? kind_count : 1) * HW_STRINGS, sizeof(*made->words));
	if (contexts_make(&made->contexts, kind_count, made->key) || starts_make(&made->starts, made->key) ||
	    cache_make(&made->values, VALUES) || cache_make(&made->signatures, SIGNATURES) ||
	    cache_make(&made->dead, DEAD) || !made->types || !made->counts || !made->kinds || !made->last ||
	    !made->words) {
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
	free(classifier->last);
	free(classifier->words);
	free(classifier);
}

int hw_set_argument_words(struct hw_classifier *classifier, const uint8_t *columns, uint32_t column_count,
			  const uint32_t *next, uint32_t state_count, const uint32_t *output_ends,
			  const uint32_t *outputs)
{
	return words_make(&classifier->starts.words, columns, column_count, next, state_count, output_ends, outputs);
}

int hw_set_words(struct hw_classifier *classifier, uint32_t kind, uint32_t slot, const uint8_t *columns,
		 uint32_t column_count, const uint32_t *next, uint32_t state_count, const uint32_t *output_ends,
		 const uint32_t *outputs)
{
	return words_make(&classifier->words[kind * HW_STRINGS + slot], columns, column_count, next, state_count,
			  output_ends, outputs);
}

static uint64_t space_of(uint32_t kind, uint32_t space)
{
	return (uint64_t)kind * SPACES + space;
}

static uint64_t scalars_key(const struct hw_classifier *classifier, uint32_t number, const struct scalars *scalars)
{
	struct siphash hash;

	siphash_begin(&hash, classifier->key, space_of(number, SPACE_SCALARS));
	siphash_add(&hash, scalars->values, scalars->size);
	return siphash_end(&hash);
}

static uint32_t scalars_class(struct hw_classifier *classifier, uint32_t number, const uint8_t *record)
{
	struct scalars *last = &classifier->last[number], now;

	take_scalars(&now, &classifier->kinds[number], record);
	if (!are_same_scalars(last, &now)) {
		now.judged = (uint32_t)cache_get(&classifier->values, scalars_key(classifier, number, &now));
		*last = now;
	}
	return last->judged;
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

static uint32_t string_class(struct hw_classifier *classifier, uint32_t number, uint32_t slot, uint64_t key,
			     struct text text)
{
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

/* What is known of these values with any process at all. */
enum anyone { ANYONE_UNKNOWN, ANYONE_RULED_OUT, ANYONE_NOT };

static enum anyone with_anyone(const struct hw_classifier *classifier, uint32_t kind, const struct hw_survivor *one)
{
	uint64_t key = dead_key(classifier, kind, ANYONE, one->scalars, one->strings[0], one->strings[1]);

	return (enum anyone)cache_get(&classifier->dead, key);
}

/* A record's strings, and the keys by which their classes are known. */
struct strings {
	struct text texts[HW_STRINGS];
	uint64_t keys[HW_STRINGS];
};

/* Take a record's strings; what is known of them is far away: it comes while the rest is looked at. */
static void take_strings(struct strings *strings, const struct hw_classifier *classifier, uint32_t number,
			 const uint8_t *record, uint64_t length)
{
	const struct hw_kind *kind = &classifier->kinds[number];

	for (uint32_t slot = 0; slot < kind->string_count; slot++) {
		struct text *text = &strings->texts[slot];

		if (!kind->strings[slot].decides)
			continue;
		*text = find_text(kind, &kind->strings[slot], record, length);
		if (!text->bytes)
			continue;
		strings->keys[slot] = string_key(classifier, number, slot, record, *text);
		cache_fetch(&classifier->values, strings->keys[slot]);
	}
}

/* Find the classes of a record's strings; 0 when it contradicts itself. */
static int find_strings(struct hw_classifier *classifier, uint32_t number, const struct strings *strings,
			struct hw_survivor *one)
{
	const struct hw_kind *kind = &classifier->kinds[number];

	for (uint32_t slot = 0; slot < kind->string_count; slot++) {
		if (!kind->strings[slot].decides)
			continue;
		if (!strings->texts[slot].bytes) {
			say_unread(one, HW_BROKEN);
			return 0;
		}
		one->strings[slot] = string_class(classifier, number, slot, strings->keys[slot], strings->texts[slot]);
	}
	return 1;
}

static int is_known(const struct hw_survivor *one)
{
	return one->process && one->scalars && one->strings[0] && one->strings[1];
}

/* Whether a record is ruled out; if it is not, `one` says what is known of it. */
static int is_ruled_out(struct hw_classifier *classifier, uint32_t number, const uint8_t *record, uint64_t length,
			struct hw_survivor *one)
{
	const struct hw_kind *kind = &classifier->kinds[number];
	struct strings strings;
	const uint16_t *classes;

	one->kind = (int32_t)number;
	one->scalars = one->strings[0] = one->strings[1] = UNUSED;
	one->process = 0;
	if (length < kind->fixed_end) {
		say_unread(one, HW_BROKEN);
		return 0;
	}
	take_strings(&strings, classifier, number, record, length);
	classes = contexts_find(&classifier->contexts, record + CONTEXT_OFFSET);
	one->process = classes ? classes[number] : 0;
	if (kind->asks_scalars)
		one->scalars = scalars_class(classifier, number, record);
	if (one->process && one->scalars && is_dead(classifier, number, one, 0, 0))
		return 1;
	return find_strings(classifier, number, &strings, one) && is_known(one) &&
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

/* What the sensor can remember a call by; 0 when it is not to. */
static uint64_t fingerprint_of(const struct hw_classifier *classifier, const struct hw_type *type, int32_t kind,
			       const uint8_t *record, uint64_t length)
{
	/* Nobody takes any while a capture is judged: what was told is far away, and is not even looked at then. */
	if (!type->fingerprint || told_is_full(&classifier->told) || length < type->shortest ||
	    (kind >= 0 && !classifier->kinds[kind].is_told) ||
	    (type->flags && read_u32(record + type->flags) & type->spared))
		return 0;
	return read_u64(record + type->fingerprint);
}

/* Whether a record of a plain type, or one that is noted, is ruled out; see is_ruled_out. */
static int is_nothing(struct hw_classifier *classifier, const struct hw_type *type, const uint8_t *record,
		      uint64_t length, struct hw_survivor *one)
{
	int32_t kind = kind_of(type, record, length);
	int ruled_out = kind < 0 || is_ruled_out(classifier, (uint32_t)kind, record, length, one);
	uint64_t fingerprint = fingerprint_of(classifier, type, kind, record, length);
	struct strings strings;
	enum anyone anyone;

	if (!ruled_out) {
		if (fingerprint & HW_OF_FILE && one->kind >= 0 && is_known(one))
			told_add(&classifier->told, fingerprint | HW_NOT_FOR_ALL);
		return 0;
	}
	if (kind >= 0 && fingerprint & HW_OF_FILE) {
		take_strings(&strings, classifier, (uint32_t)kind, record, length);
		if (!find_strings(classifier, (uint32_t)kind, &strings, one))
			return 0;
		anyone = with_anyone(classifier, (uint32_t)kind, one);
		if (!is_known(one) || anyone == ANYONE_UNKNOWN)
			return 0; /* the caller says so */
		if (anyone == ANYONE_NOT)
			fingerprint |= HW_NOT_FOR_ALL;
	}
	told_add(&classifier->told, fingerprint);
	return 1;
}

/* The caller has to see the record, in its turn, though no condition can hold for it. */
static void say_noted(struct hw_survivor *one, uint32_t noted)
{
	one->kind = HW_NOTED;
	one->process = one->scalars = one->strings[0] = one->strings[1] = UNUSED;
	one->noted = noted;
}

/* Whether a record that was ruled out is a container's first call to its peer; `one` says so then. */
static int is_contact(struct hw_classifier *classifier, const struct hw_type *type, const uint8_t *record,
		      uint64_t length, struct hw_survivor *one)
{
	uint64_t key = type->peer.lengths ? contact_key(classifier->key, type, record, length) : 0;

	if (!key || !contacts_add(&classifier->contacts, key))
		return 0;
	one->kind = HW_CONTACT;
	one->process = one->scalars = one->strings[0] = one->strings[1] = UNUSED;
	return 1;
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
		return is_nothing(classifier, type, record, length, one) &&
		       !is_contact(classifier, type, record, length, one);
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
		if (!is_known(one)) {
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

void hw_learn_start(struct hw_classifier *classifier, const uint8_t *batch, uint32_t size, uint32_t offset,
		    uint32_t marks)
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
		starts_learn_program(&classifier->starts, &classifier->contexts, record, length, marks);
}

void hw_forget_starts(struct hw_classifier *classifier)
{
	starts_forget(&classifier->starts);
}

void hw_learn_scalars(struct hw_classifier *classifier, uint32_t kind, const uint8_t *batch, uint64_t size,
		      uint64_t offset, uint32_t judged)
{
	struct scalars scalars;

	if (record_length(batch, size, offset) < classifier->kinds[kind].fixed_end)
		return;
	take_scalars(&scalars, &classifier->kinds[kind], batch + offset);
	cache_put(&classifier->values, scalars_key(classifier, kind, &scalars), judged);
	classifier->last[kind].judged = 0;
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

void hw_learn_anyone(struct hw_classifier *classifier, uint32_t kind, uint32_t scalars, uint32_t first, uint32_t second,
		     uint32_t dead)
{
	cache_put(&classifier->dead, dead_key(classifier, kind, ANYONE, scalars, first, second),
		  dead ? ANYONE_RULED_OUT : ANYONE_NOT);
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

void hw_forget_contacts(struct hw_classifier *classifier)
{
	memset(&classifier->contacts, 0, sizeof(classifier->contacts));
}

uint32_t hw_take_ruled_out(struct hw_classifier *classifier, uint64_t *fingerprints)
{
	return told_take(&classifier->told, fingerprints);
}

uint32_t hw_take_counts(struct hw_classifier *classifier, struct hw_count *counts)
{
	uint32_t found = 0;

	for (uint32_t type = 0; type < classifier->type_count; type++) {
		if (!classifier->counts[type])
			continue;
		counts[found++] = (struct hw_count){.type = type, .count = classifier->counts[type]};
		classifier->counts[type] = 0;
	}
	return found;
}
