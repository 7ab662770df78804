"""Prometheus' text format: families of samples as lines, with every label value escaped and bounded.

Source: Prometheus documentation, "Exposition formats", text format 0.0.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LONGEST_VALUE = 200  # characters of a label's value
MOST_SAMPLES = 2000  # of one family; what is more is one sample, with the label values "(others)"
OTHERS = "(others)"

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One number. ``suffix`` stands behind the family's name (``_bucket``)."""

    value: float
    labels: Labels = ()
    suffix: str = ""


def family_text(name: str, kind: Kind, meaning: str, samples: Iterable[Sample]) -> str:
    """Return a family's lines, each with a newline; nothing where it has no sample."""
    bounded_samples = bounded(list(samples), kind)
    if not bounded_samples:
        return ""
    lines = [f"# HELP {name} {_help(meaning)}\n# TYPE {name} {kind}\n"]
    lines += [f"{name}{one.suffix}{_labels(one.labels)} {_number(one.value)}\n" for one in bounded_samples]
    return "".join(lines)


def bounded(samples: list[Sample], kind: Kind) -> list[Sample]:
    """Return at most so many samples as a family may have, and each set of labels once.

    Those with the largest numbers stay; the others are added up, unless a sum says nothing.
    """
    merged: dict[tuple[Labels, str], float] = {}
    for value, labels, suffix in samples:
        key = tuple((name, _bounded_text(text)) for name, text in labels), suffix
        merged[key] = merged.get(key, 0) + value
    found = [Sample(value, labels, suffix) for (labels, suffix), value in merged.items()]
    if len(found) <= MOST_SAMPLES or kind == "histogram":
        return found
    found.sort(key=lambda one: -one.value)
    rest = found[MOST_SAMPLES - 1 :]
    labels = tuple((name, OTHERS) for name, _ in rest[0].labels)
    return [*found[: MOST_SAMPLES - 1], Sample(sum(one.value for one in rest), labels)]


def histogram(bounds: Iterable[float], counts: Iterable[int], total: float) -> list[Sample]:
    """Return the samples of a histogram.

    Args:
        bounds: the upper ends of the buckets, ascending; the last bucket has none.
        counts: of each bucket alone, one more than there are bounds.
        total: the sum of all that was observed.
    """
    samples: list[Sample] = []
    reached = 0
    for bound, count in zip((*map(_number, bounds), "+Inf"), counts, strict=True):
        reached += count
        samples.append(Sample(reached, (("le", bound),), "_bucket"))
    return [*samples, Sample(total, (), "_sum"), Sample(reached, (), "_count")]


def by_label(label: str, numbers: Mapping[str, float]) -> list[Sample]:
    """Return a sample for each entry of a table of numbers."""
    return [Sample(number, ((label, text),)) for text, number in numbers.items()]


def _bounded_text(text: str) -> str:
    shown = escape(text)
    return shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 1] + "…"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels)
    return "{" + pairs + "}"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
