"""``hullwatch capture mask``: a copy of a capture without the secrets in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.reader import CaptureReader


def mask(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A capture (.hwcap).")],
    write: Annotated[str, typer.Option("-w", "--write", metavar="OUT", help="The copy; a new file.")],
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,  # noqa: FBT002 - a flag
    config: ConfigFlag = None,
) -> int:
    """Copy a capture without the secrets in it.

    \b
    Examples:
      hullwatch capture mask whole.hwcap -w shared.hwcap

    Secrets in arguments and variables of programs and in what engines say of containers become ***, by the
    patterns of the settings "mask". Of a capture that is cut off, what is whole is copied; a damaged one ends with 2.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.alerts.mask import Masker
    from hullwatch.captures.masking import RecordMask, mask_capture
    from hullwatch.captures.new_file import new_file
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.capture_run import for_each_capture
    from hullwatch.cli.settings import load_settings
    from hullwatch.errors import UsageError
    from hullwatch.events.codec import BrokenStreamError

    settings = load_settings({}, config).settings
    hider = RecordMask(Masker(settings.mask.patterns, builtin=settings.mask.builtin))
    numbers: list[int] = []

    def copy(reader: CaptureReader, tell: Callable[[int], None]) -> None:
        try:
            with new_file(write, force=force) as stream:
                numbers.append(mask_capture(reader, hider, stream.write, tell))
        except (BrokenStreamError, ValueError) as error:
            raise UsageError(f"The capture {reader.name} is damaged: {error}.") from error

    damaged = for_each_capture([file], CaptureReader, copy)
    hidden = sum(numbers)
    write_line(f"{hidden:,} value{'s' * (hidden != 1)} masked in {write}")
    return 2 if damaged else 0
