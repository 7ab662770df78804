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
      hullwatch config explain outputs    the types of outputs; then outputs.http, outputs.NAME, outputs.NAME.url

    "After a reload" means that SIGHUP (systemctl reload hullwatch) takes a change without a restart.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.settings import load_settings
    from hullwatch.config import leaves
    from hullwatch.config.settings import OUTPUTS, value_of
    from hullwatch.config.values import nearest
    from hullwatch.config.written import shown
    from hullwatch.errors import UsageError

    as_json = wants_json(output)
    known = leaves()
    if key.partition(".")[0] == OUTPUTS:
        return _explain_outputs(key, config_file, as_json=as_json)
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


def _explain_outputs(key: str, config_file: str | None, *, as_json: bool) -> int:
    """Tell of the types of outputs, of what can be set for one, or of one such key."""
    from hullwatch.cli.answer import write_json, write_line, write_rows
    from hullwatch.cli.config_outputs import keys_of, types
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.settings import OUTPUTS
    from hullwatch.config.written import shown, type_words

    if key == OUTPUTS:
        if as_json:
            for name, about in types():
                write_json({"name": name, "help": about})
        else:
            write_line(
                "[outputs.NAME] in the configuration file makes an output; a change counts after a reload (SIGHUP)."
            )
            write_rows([("EXPLAIN", "WHAT IT IS"), *types()])
        return 0
    for number, (leaf, value, origin) in enumerate(keys_of(key, load_settings({}, config_file))):
        if as_json:
            facts = {"name": leaf.path, "help": leaf.help, "type": type_words(leaf), "reload": True}
            write_json(facts | {"value": shown(value, leaf), "origin": origin})
            continue
        if number:
            write_line()
        write_line(f"{leaf.path}: {leaf.help}")
        write_rows([["  type", type_words(leaf)], ["  now", f"{shown(value, leaf)}   ({origin})"]])
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
