/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls by which a process changes what it is judged by, as its directory. Its own next call comes behind the record of
 * the change. A call of another of its threads may come before that record, though it has the fingerprint of
 * afterwards: the engine would judge the new process by the old one's facts. So a change that others can meet in that
 * way begins a generation, behind the record's time.
 */
#pragma once

#include "ruled_out.h"

/* To be called when the record was made. `of_another`: the call may have changed another process than its own. */
static __always_inline void note_change(long result, int of_another)
{
	if (result >= 0 && (of_another || READ(bpf_get_current_task_btf(), signal, nr_threads) > 1))
		begin_generation();
}

/* Namespaces are in no fingerprint: they change so seldom that it would cost each call more than it costs to begin anew. */
static __always_inline void note_move(long result)
{
	if (result >= 0)
		begin_generation();
}
