"""``hullwatch decisions``: what people have decided."""

from __future__ import annotations

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import NumberFlag, StateFlag
from hullwatch.cli.watch_options import ConfigFlag


def decisions(
    number: NumberFlag = 100, output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None
) -> int:
    """Print what people have decided of issues and incidents, the last one first.

    \b
    Examples:
      sudo hullwatch decisions
      sudo hullwatch decisions -o json | jq 'select(.verb == "mute")'
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.asking import limit_of
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.decision_verbs import words
    from hullwatch.cli.desk import open_desk
    from hullwatch.cli.store_options import date

    as_json = wants_json(output)
    found = open_desk(state, config).decisions(limit_of(number))
    if as_json:
        for one in found:
            write_json(one)
    elif not found:
        write_line("Nobody has decided anything yet.")
    else:
        write_rows([[str(one.id), date(one.at), one.target or "-", words(one)] for one in found])
    return 0
