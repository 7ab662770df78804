"""What a saved state says of some processes and containers, and of nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.container import decode as decode_container
from hullwatch.enrich.names import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hullwatch.enrich.saved_state import SavedGate, SavedProcess, SavedState


def restricted(state: SavedState, is_wanted: Callable[[SavedProcess], bool], containers: Collection[str]) -> SavedState:
    """Return what a state says of them; its control groups and what was lost are left to the caller.

    Args:
        state: of the whole host.
        is_wanted: tells which processes.
        containers: 64-digit ids; empty text for the host.
    """
    kept: list[SavedProcess] = []
    programs: dict[int, int] = {}
    places: dict[int, int] = {}
    for place, process in enumerate(state.processes):
        if is_wanted(process):
            places[place] = len(kept)
            program = programs.setdefault(process.program, len(programs))
            kept.append(msgspec.structs.replace(process, parent=places.get(process.parent, -1), program=program))
    return msgspec.structs.replace(
        state,
        processes=tuple(kept),
        programs=tuple(state.programs[program] for program in programs),
        gate=_restricted_gate(state.gate, containers),
        names=tuple(one for one in state.names if one.container_id in {*containers, EVERYWHERE}),
    )


def _restricted_gate(gate: SavedGate, containers: Collection[str]) -> SavedGate:
    return msgspec.structs.replace(
        gate,
        containers=tuple(text for text in gate.containers if decode_container(text).full_id in containers),
        announced=tuple(one for one in gate.announced if one in containers),
        active=tuple(one for one in gate.active if one in containers),
        named=tuple(one for one in gate.named if one[0] in containers),
        waiting=tuple(one for one in gate.waiting if one[0] in containers),
    )
