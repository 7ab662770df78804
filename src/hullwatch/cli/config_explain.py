"""``hullwatch config explain``: one setting, with all there is to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption

if TYPE_CHECKING:
    from hullwatch.config.settings import Leaf


def _names() -> list[str]:
    from hullwatch.config import leaves

    return list(leaves())


def explain(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Such as output.format, or a section.", autocompletion=_names)
    ],
    output: OutputOption = "text",
    config_file: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
    ] = None,
) -> int:
    """Tell what a setting means, its type, default and value, and where it can be set.

    \b
    Examples:
      hullwatch config explain hold.timeout
      hullwatch config explain output     every setting of the section

    "After a reload" means that SIGHUP (systemctl reload hullwatch) takes a change without a restart.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.settings import load_settings
    from hullwatch.config import leaves
    from hullwatch.config.settings import value_of
    from hullwatch.config.values import nearest
    from hullwatch.config.written import shown
    from hullwatch.errors import UsageError

    as_json = wants_json(output)
    known = leaves()
    chosen = [leaf for path, leaf in known.items() if path == key or path.startswith(key + ".")]
    if not chosen:
        raise UsageError(f'There is no setting "{key[:80]}"{nearest(key, known)}; "hullwatch config show" lists them.')
    loaded = load_settings({}, config_file)
    for number, leaf in enumerate(chosen):
        section, _, name = leaf.path.rpartition(".")
        facts = _facts(leaf)
        facts["value"] = shown(value_of(loaded.settings, leaf.path), leaf)
        facts["origin"] = loaded.origins[leaf.path]
        if as_json:
            write_json(facts)
            continue
        if number:
            write_line()
        write_line(f"{leaf.path}: {leaf.help}")
        rows = [
            ["  type", facts["type"]],
            ["  default", facts["default"]],
            ["  now", f"{facts['value']}   ({facts['origin']})"],
            ["  a change counts", "after a reload (SIGHUP)" if leaf.live else "after a restart"],
            ["  in a file", f"[{section}]  {name} = {facts['example']}"],
            ["  as a variable", f"{leaf.variable}={facts['variable_example']}"],
        ]
        rows += [["  as a flag", flag] for flag in facts["flags"]]
        write_rows(rows)
    return 0


def _facts(leaf: Leaf) -> dict[str, Any]:
    from hullwatch.cli.watch_options import flags_of
    from hullwatch.config.written import example, type_words, variable_text, written

    value = example(leaf)
    return {
        "name": leaf.path,
        "help": leaf.help,
        "type": type_words(leaf),
        "default": written(leaf.default, duration=leaf.duration),
        "reload": leaf.live,
        "example": written(value, duration=leaf.duration),
        "variable": leaf.variable,
        "variable_example": variable_text(value, leaf),
        "flags": flags_of(leaf.path),
    }
