"""Functions of generated Python, made when they are first called: most rules are loaded and next to never asked."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.events.event import Event

MAXIMUM_PUT_OFF = 1 << 14  # characters of source: what takes longer than some ms is made before events wait for it

Result = TypeVar("Result")


def function_of(source: str, name: str, label: str, namespace: Mapping[str, Any]) -> Any:
    """Return the function of that name in a source, which was made here and has values only as ``repr``.

    Args:
        source: Python.
        name: of the function.
        label: for Python's own messages.
        namespace: what the source may refer to by name; the function keeps what it does refer to.
    """
    code = compile(source, label, "exec")
    own = {"__builtins__": namespace["__builtins__"]}
    own |= {used: namespace[used] for used in _names(code) if used in namespace}
    exec(code, own)  # noqa: S102 - made here, values only as repr
    return own[name]


def _names(code: CodeType) -> set[str]:
    """Return the names that some code and the functions in it refer to."""
    names: set[str] = set()
    pending = [code]
    while pending:
        one = pending.pop()
        names.update(one.co_names)
        pending += [constant for constant in one.co_consts if isinstance(constant, CodeType)]
    return names


def on_first_call(
    make: Callable[[], Callable[[Event], Result]], keep: Callable[[Callable[[Event], Result]], None]
) -> Callable[[Event], Result]:
    """Return a function that makes another one when it is first called, and from then on does what that one does.

    Args:
        make: makes it.
        keep: puts it where this one stands, so that later calls do not come here.
    """
    made: Callable[[Event], Result] | None = None

    def call(event: Event) -> Result:
        nonlocal made
        if made is None:
            made = make()
            keep(made)
        return made(event)

    return call
