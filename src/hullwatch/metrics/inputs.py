"""Metrics of what events and lines come from, input by input, as the status of the audit intake has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from hullwatch.metrics.exposition import Sample
from hullwatch.metrics.keeper_families import number, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.metrics.view import View

Input = tuple[tuple[tuple[str, str], ...], dict[str, Any]]
"""The labels of an input, and what is written of it."""

Samples = Callable[["View"], list[Sample]]


def tables(value: object) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of a table by their names."""
    items = cast("dict[str, object]", value).items() if isinstance(value, dict) else ()
    return [(name, cast("dict[str, Any]", one)) for name, one in items if isinstance(one, dict)]


def inputs_of(written: Mapping[str, Any]) -> list[Input]:
    """Return the inputs of a part of the status."""
    return [((("input", name), ("type", str(one.get("kind")))), one) for name, one in tables(written.get("by_input"))]


def of_inputs(inputs: Callable[[View], list[Input]], name: str) -> Samples:
    """Return what makes the samples of a number that each input has."""
    return lambda view: [Sample(number(one.get(name)), labels) for labels, one in inputs(view)]


def left_out(inputs: Callable[[View], list[Input]]) -> Samples:
    """Return what makes the samples of what was not judged, by input and reason."""
    return lambda view: [
        Sample(count, (*labels, ("reason", reason)))
        for labels, one in inputs(view)
        for reason, count in numbers(one.get("left_out")).items()
    ]


def last_age(inputs: Callable[[View], list[Input]], before: str = "") -> Samples:
    """Return what makes the samples of how long ago the last of each input came.

    Args:
        inputs: of a view.
        before: the name of the time that counts for one that never had any; none: there is no sample of it.
    """

    def samples(view: View) -> list[Sample]:
        times = [(number(one.get("last")) or number(one.get(before)), labels) for labels, one in inputs(view)]
        return [Sample(max(0.0, view.now - time / 1e9), labels) for time, labels in times if time or before]

    return samples
