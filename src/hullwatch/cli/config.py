"""``hullwatch config``: what the settings are and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.config_check import check
from hullwatch.cli.config_explain import explain
from hullwatch.cli.config_init import init

if TYPE_CHECKING:
    from hullwatch.config import Loaded

_VALUE = 12  # characters that most values have: a long one does not push the origins of all out of sight

config = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Show, check and explain the settings.")


@config.command("show")
def show(
    output: OutputOption = "text",
    config_file: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
    ] = None,
) -> int:
    """Print every setting with its value and origin.

    \b
    Example:
      hullwatch config show -o json

    Later ones win: defaults, /etc/hullwatch/config.toml, $XDG_CONFIG_HOME/hullwatch/config.toml,
    --config or HULLWATCH_CONFIG, variables (HULLWATCH_OUTPUT_FORMAT=json), flags. Passwords and tokens
    in URLs are hidden.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.settings import load_settings
    from hullwatch.config import leaves
    from hullwatch.config.settings import value_of
    from hullwatch.config.written import shown, without_secrets

    as_json = wants_json(output)
    loaded = load_settings({}, config_file)
    rows: list[list[str]] = []
    for path, leaf in leaves().items():
        value = value_of(loaded.settings, path)
        if as_json:
            write_json(
                {
                    "name": path,
                    "value": without_secrets(value),
                    "origin": loaded.origins[path],
                    "variable": leaf.variable,
                    "help": leaf.help,
                }
            )
        rows.append([path, "=", f"{shown(value, leaf):<{_VALUE}}  # {loaded.origins[path]}"])
    rows += _outputs(loaded, as_json=as_json)
    if not as_json:
        write_rows(rows)
    return 0


@config.command("schema")
def schema() -> int:
    """Print the JSON schema of the configuration file, for editors.

    \b
    Example:
      hullwatch config schema > hullwatch.schema.json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import write_json
    from hullwatch.config import schema as settings_schema
    from hullwatch.outputs.configured import schema as output_schema

    whole = settings_schema()
    own = output_schema()
    whole["$defs"] |= own.pop("$defs")
    described = whole["$defs"]["Settings"]["properties"]["outputs"]
    whole["$defs"]["Settings"]["properties"]["outputs"] = {"description": described["description"], **own}
    write_json(whole)
    return 0


def _outputs(loaded: Loaded, *, as_json: bool) -> list[list[str]]:
    """Return rows of the options of outputs that are set, or write them; secrets are hidden."""
    if not loaded.settings.outputs:
        return []
    from hullwatch.cli.answer import write_json
    from hullwatch.config.written import written
    from hullwatch.outputs.configured import configured

    rows: list[list[str]] = []
    for one in configured(loaded.settings):
        for key, value in one.shown.items():
            path = f"outputs.{one.name}.{key}"
            leaf = one.leaves.get(key)
            origin = loaded.origins[path]
            if as_json:
                text = leaf.help if leaf is not None else "The kind of output."
                write_json({"name": path, "value": value, "origin": origin, "variable": None, "help": text})
            duration = leaf is not None and leaf.duration
            rows.append([path, "=", f"{written(value, duration=duration):<{_VALUE}}  # {origin}"])
    return rows


config.command("check")(check)
config.command("explain")(explain)
config.command("init")(init)
