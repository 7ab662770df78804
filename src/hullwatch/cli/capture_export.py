"""``hullwatch capture export``: the events of a capture as rows, for other programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, BinaryIO, Protocol

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.capture_cut import ForceFlag
from hullwatch.cli.watch_options import EVERY, ConfigFlag, FromFlag, ToFlag

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable, Mapping

    from hullwatch.cli.replay_capture import Part
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice
    from hullwatch.rules.loader import RuleSet

FIELDS = (
    "evt.num,evt.time,evt.type,evt.category,evt.res,evt.failed,evt.args,evt.cpu,container.id,container.name,"
    "container.image,k8s.ns.name,k8s.pod.name,proc.pid,proc.ppid,proc.name,proc.exepath,proc.cmdline,proc.cwd,"
    "proc.pname,proc.pcmdline,proc.tty,thread.tid,user.uid,user.name,group.gid,fd.num,fd.name,fd.type,fd.l4proto,"
    "fd.lip,fd.lport,fd.rip,fd.rport"
)
_SEPARATOR = re.compile(r"[\s,]+(?![^\[]*\])")  # not within brackets
_LINES_TOGETHER = 500


def export(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[str, typer.Argument(metavar="FILE", help="A capture (.hwcap, .scap).")],
    condition: Annotated[
        str, typer.Argument(metavar="[CONDITION]", help="As in a rule; without one all events are exported.")
    ] = EVERY,
    write: Annotated[
        str,
        typer.Option(
            "-w", "--write", metavar="OUT", help="x.ndjson or x.parquet; - is NDJSON on standard output (default)."
        ),
    ] = "-",
    fields: Annotated[
        str, typer.Option("-p", "--fields", metavar="LIST", help="The fields of a row: evt.time,proc.name,fd.name.")
    ] = FIELDS,
    begin: FromFlag = None,
    end: ToFlag = None,
    force: ForceFlag = False,  # noqa: FBT002 - a flag
    output: OutputOption = "text",
    config: ConfigFlag = None,
) -> int:
    """Write the events of a capture as rows: an object a line (NDJSON), or a table (Parquet).

    \b
    Examples:
      hullwatch capture export today.hwcap 'evt.type = connect' -p evt.time,proc.name,fd.name | head
      hullwatch capture export today.hwcap -w today.parquet
      duckdb -c "select \\"proc.name\\", count(*) from 'today.parquet' group by 1 order by 2 desc"

    Columns have the types of the fields; times are UTC with nanoseconds, in NDJSON ns since the epoch. Secrets are
    hidden as in alerts. Parquet needs pip install 'hullwatch[parquet]'.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from pathlib import Path

    from hullwatch.captures.new_file import check_new, new_file
    from hullwatch.cli.answer import wants_json
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay import part_of
    from hullwatch.cli.settings import load_settings

    as_json = wants_json(output)
    part = part_of(begin, end, "max")
    form = " ".join(f"%{name}" for name in _names(fields))
    settings = load_settings({}, config).settings
    is_table = write != "-" and _is_table(write)
    if write != "-":
        check_new(Path(write), force=force)
    with open_input(file) as stream:
        exporting = _Exporting(settings, part, condition, form, stream, file)
        if write == "-":
            return exporting.run(_Lines(None))
        with new_file(write, force=force) as made:
            rows = _table(made, exporting.rules, exporting.about) if is_table else _Lines(made)
            code = exporting.run(rows)
    exporting.tell(write, rows, as_json=as_json)
    return code


def _names(fields: str) -> list[str]:
    """Return the names of a list of fields.

    Raises:
        UsageError: when there is none.
    """
    from hullwatch.errors import UsageError

    names = [name.removeprefix("%") for name in _SEPARATOR.split(fields.strip(" \t\n,")) if name]
    if not names:
        raise UsageError("--fields is a list of fields, such as evt.time,proc.name,fd.name.")
    return names


def _is_table(name: str) -> bool:
    """Tell whether a file is to be a table, by its ending.

    Raises:
        UsageError: when the ending tells nothing.
        CannotError: when tables cannot be written here.
    """
    from hullwatch.errors import UsageError

    if name.endswith(".parquet"):
        from hullwatch.captures.parquet import need_pyarrow

        need_pyarrow()
        return True
    if name.endswith((".ndjson", ".jsonl")):
        return False
    raise UsageError(f"{name} has to end in .ndjson or .parquet, which tells what is written.")


class _Rows(Protocol):
    """Takes rows, and says how many values did not fit."""

    unfit: int

    def add(self, row: dict[str, object]) -> None: ...

    def close(self) -> None: ...


def _table(stream: BinaryIO, rules: RuleSet, about: Mapping[str, str]) -> _Rows:
    """Return what takes rows for a Parquet file."""
    from hullwatch.captures.parquet import ParquetRows

    return ParquetRows(stream, [token.term for token in rules.rules[0].output.fields], about)


class _Lines:
    """Rows as NDJSON, in a file or on standard output."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self.unfit = 0
        self._stream = stream
        self._lines: list[str] = []

    def add(self, row: dict[str, object]) -> None:
        import msgspec

        from hullwatch.formats.escape import escape_json

        self._lines.append(escape_json(msgspec.json.encode(row).decode()))
        if len(self._lines) >= _LINES_TOGETHER:
            self.flush()

    def flush(self) -> None:
        from hullwatch.cli.answer import write_safe

        text = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        if self._stream is None:
            write_safe(text)
            return
        view = memoryview(text.encode())
        while view:
            view = view[self._stream.write(view) :]

    def close(self) -> None:
        self.flush()


class _Exporting:
    """One export of a capture of either kind; takes the matches of a replay, see ``Taker``.

    Attributes:
        rules: the one rule that has the condition and the fields.
        about: what the capture says of itself.
    """

    def __init__(
        self, settings: Settings, part: Part, condition: str, form: str, stream: io.BufferedReader, name: str
    ) -> None:
        from hullwatch.alerts.mask import Masker
        from hullwatch.captures.passing import Passes
        from hullwatch.captures.reader import CaptureReader
        from hullwatch.captures.scap.blocks import is_scap
        from hullwatch.captures.scap.lookup import from_scap
        from hullwatch.cli.replay_capture import CaptureReplay
        from hullwatch.cli.replay_scap import ScapReplay
        from hullwatch.counters import Counters
        from hullwatch.rules.condition import condition_rules

        self.gone = False
        if is_scap(stream.peek(1)):
            self.rules = condition_rules(condition, form, from_scap)
            self.about: dict[str, str] = {"format": "scap"}
            scap_replay = ScapReplay(settings, self.rules, part, self, Counters())
            self._replay: Callable[[], None] = lambda: scap_replay.run(stream, name)
        else:
            self.rules = condition_rules(condition, form)
            reader = CaptureReader(stream, name)
            about = reader.description
            self.about = {"host": about.host, "kernel": about.kernel, "hullwatch": about.hullwatch}
            replay = CaptureReplay(settings, self.rules, part, self, Counters(), Passes(self.rules))
            self._replay = lambda: replay.run(reader)
        self._masker = Masker(settings.mask.patterns, builtin=settings.mask.builtin)
        self._rows: _Rows
        self._number = 0
        self._problem = ""

    def run(self, rows: _Rows) -> int:
        """Export the capture, as far as it can be read; return the exit code."""
        from hullwatch.errors import UsageError
        from hullwatch.outputs.stdout import say

        self._rows = rows
        try:
            self._replay()
        except UsageError as error:
            self._problem = str(error)
            say(str(error))
        rows.close()
        return 2 if self._problem else 0

    def matches(self, matches: Iterable[Match]) -> None:
        """Take the events of a chunk."""
        for match in matches:
            program = match.event.program
            message, fields = match.rule.output.render(match.event)
            _, row = self._masker.alert(message, fields, program.comm if program is not None else "")
            self._rows.add(row)
            self._number += 1

    def notice(self, notice: Notice) -> None:
        """Leave it out: it is no event."""

    def tick(self) -> None:
        """Do nothing."""

    def tell(self, name: str, rows: _Rows, *, as_json: bool) -> None:
        """Tell what was made."""
        from pathlib import Path

        from hullwatch.cli.answer import write_json, write_line

        size = Path(name).stat().st_size
        if as_json:
            write_json(
                {"file": name, "events": self._number, "size": size, "unfit": rows.unfit, "problem": self._problem}
            )
            return
        unfit = f"; {rows.unfit:,} values are absent, for they do not fit their column" if rows.unfit else ""
        write_line(f"{name}: {self._number:,} events, {size:,} bytes{unfit}")
