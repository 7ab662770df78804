"""The outputs of a configuration: what can be set for each, whether it is right, and how one is made."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.alerts.condition import AlertCondition
from hullwatch.config.output_tables import FROM_FILE, TYPE
from hullwatch.config.settings import OUTPUTS as SECTION
from hullwatch.config.settings import Leaf, leaves_of, with_text_durations
from hullwatch.errors import Mistakes, UsageError
from hullwatch.formats.registry import FORMATS
from hullwatch.outputs.output import OUTPUTS, FilePath, FormattedOptions, Output, OutputOptions
from hullwatch.outputs.secrets import Hidden, Secrets, read_secrets, shown, with_secrets
from hullwatch.registry import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.config.settings import Settings
    from hullwatch.outputs.output import Context


def options_of(name: str, kind: str) -> dict[str, Leaf]:
    """Return what can be set for an output, by its name in the configuration and its type.

    Raises:
        UsageError: when there is no such type; names the nearest.
    """
    try:
        options = OUTPUTS.get(kind).options
    except UnknownNameError as error:
        raise UsageError(str(error)) from error
    found = leaves_of(options, f"{SECTION}.{name}")
    for leaf in list(found.values()):
        if leaf.marks.get("secret") in {"whole", "url"}:
            key = leaf.path.rpartition(".")[2]
            found[key + FROM_FILE] = Leaf(
                path=leaf.path + FROM_FILE,
                type=FilePath,
                default="",
                help=f"File with the value of {key}.",
                marks={"path": True, "of_secret": True},
            )
    return found


class Configured(msgspec.Struct, frozen=True):
    """One output as it is configured.

    Attributes:
        name: in the configuration.
        type: the name of its kind.
        table: its options as they are written, secrets too.
    """

    name: str
    type: str
    table: dict[str, Any]

    @property
    def leaves(self) -> dict[str, Leaf]:
        """What can be set for it."""
        return options_of(self.name, self.type)

    @property
    def shown(self) -> dict[str, object]:
        """Its options as people may see them."""
        return shown(self.table, self.leaves)

    @property
    def options(self) -> OutputOptions:
        """Its options without the secrets: what is not written yet is empty."""
        files = {key.removesuffix(FROM_FILE): "" for key, leaf in self.leaves.items() if "of_secret" in leaf.marks}
        written = {key: value for key, value in self.table.items() if key.removesuffix(FROM_FILE) not in files}
        needed = {key: "" for key in files if key in self.table or key + FROM_FILE in self.table}
        return msgspec.convert({**written, **needed}, OUTPUTS.get(self.type).options)

    def read_secrets(self) -> Secrets:
        """Read the secrets that its options name.

        Raises:
            UsageError: there is no such variable.
            CannotError: a file cannot be read.
        """
        return read_secrets(f"{SECTION}.{self.name}", self.table, self.leaves)

    def hidden(self, secrets: Secrets) -> Hidden:
        """Return what hides its secrets in a text."""
        return Hidden(with_secrets(self.table, self.leaves, secrets), self.leaves, secrets)

    def make(self, secrets: Secrets, context: Context) -> Output:
        """Make the output.

        Raises:
            UsageError: what is wrong with its options.
            CannotError: what this machine lacks.
        """
        kind = OUTPUTS.get(self.type)
        return kind.make(msgspec.convert(with_secrets(self.table, self.leaves, secrets), kind.options), context)


def configured(settings: Settings) -> list[Configured]:
    """Return the outputs of the settings, in the order in which they are written."""
    return _of(settings.outputs)


def _of(tables: Mapping[str, dict[str, Any]]) -> list[Configured]:
    return [Configured(name, str(table[TYPE]), table) for name, table in tables.items()]


def check(tables: Mapping[str, dict[str, Any]], origins: Mapping[str, str]) -> None:
    """Check what the types of options do not tell: conditions and names of formats.

    Args:
        tables: of outputs by their names, each of the right form.
        origins: where their values stand, by dotted path.

    Raises:
        UsageError: says what is wrong, and where, a line for each.
    """
    mistakes = Mistakes()
    for one in _of(tables):
        options = one.options
        if options.condition:
            with mistakes.gathered():
                _said(one, "condition", origins, AlertCondition)
        if isinstance(options, FormattedOptions) and "format" in one.table:
            with mistakes.gathered():
                _said(one, "format", origins, FORMATS.get)
    mistakes.tell()


def _said(one: Configured, key: str, origins: Mapping[str, str], look: Any) -> None:
    path = f"{SECTION}.{one.name}.{key}"
    try:
        look(one.table[key])
    except (UsageError, UnknownNameError) as error:
        raise UsageError(f"{origins.get(path, SECTION)}: {path}: {error}") from error


def schema() -> dict[str, Any]:
    """Return the JSON schema of the section, with its definitions under ``$defs``."""
    kinds: list[Any] = [OUTPUTS.get(name).options for name in OUTPUTS.names()]
    made = with_text_durations(msgspec.json.schema(dict[str, reduce(lambda one, other: one | other, kinds)]))
    for kind in kinds:
        definition = made["$defs"][kind.__name__]
        for key, leaf in options_of("NAME", str(kind.__struct_config__.tag)).items():
            if "of_secret" in leaf.marks:
                definition["properties"][key] = {"type": "string", "description": leaf.help}
                name = key.removesuffix(FROM_FILE)
                if name in definition.get("required", ()):
                    definition["required"].remove(name)
    return made
