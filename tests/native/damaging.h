// SPDX-License-Identifier: Apache-2.0
/* What programs that try damaged bytes have in common: numbers that a seed decides, and an end with a sentence. */
#ifndef HULLWATCH_DAMAGING_H
#define HULLWATCH_DAMAGING_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

static uint64_t below(uint64_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % limit;
}

/* Begins a round of numbers: what a seed and a round are made into is alike for neighbours, until it was turned. */
static void begin_round(uint64_t seed, uint64_t round)
{
	state = (seed ^ round << 32) * 0x9e3779b97f4a7c15 + 1;
	for (int turns = 0; turns < 32; turns++)
		below(2);
}

#endif
