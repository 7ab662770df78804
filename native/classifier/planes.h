/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records to planes and back: captures/chunk.py says what they are, and gives the same in Python.
 *
 * Nothing here trusts what it is given: both return -1 for bytes that are no records, or no planes.
 */
#ifndef HULLWATCH_PLANES_H
#define HULLWATCH_PLANES_H

#include <stdint.h>

#define HW_PLANE 56 /* bytes of a record's header */

/* Writes `size` + 4 bytes; returns how many these are. */
int64_t hw_planes(const uint8_t *records, uint64_t size, uint8_t *planes);

/* Writes `size` - 4 bytes; returns how many these are. */
int64_t hw_whole(const uint8_t *planes, uint64_t size, uint8_t *records);

#endif
