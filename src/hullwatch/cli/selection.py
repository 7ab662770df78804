"""The flags that turn rules on and off, in the order in which they stand on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import typer
import typer.core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.config.rule_switch import RuleSwitch
    from hullwatch.config.settings import Settings


class _Flag(NamedTuple):
    names: tuple[str, ...]
    metavar: str
    help: str
    verb: str
    kind: str
    form: str = "{}"


_FLAGS = {
    "enable_rule": _Flag(
        ("--enable-rule",), "GLOB", "Turn on the rules of this name; * stands for any characters.", "enable", "rule"
    ),
    "disable_rule": _Flag(("--disable-rule",), "GLOB", "Turn off the rules of this name.", "disable", "rule"),
    "enable_tag": _Flag(("--enable-tag",), "TAG", "Turn on the rules with this tag.", "enable", "tag"),
    "disable_tag": _Flag(("-T", "--disable-tag"), "TAG", "Turn off the rules with this tag.", "disable", "tag"),
    "disable_text": _Flag(
        ("-D",), "TEXT", "Turn off the rules with this text in their name.", "disable", "rule", "*{}*"
    ),
    "only_tag": _Flag(
        ("-t",),
        "TAG",
        "Turn off all rules but those with this tag; may be repeated. The flags that turn rules on and off count in "
        "the order in which they are given, after the setting rules.selection; the last that fits a rule decides.",
        "enable",
        "tag",
    ),
}


class SelectingCommand(typer.core.TyperCommand):
    """A verb that takes these flags; what they say is kept in ``ctx.obj`` in the order in which they were given.

    A parsed command line has lost that order, so the verb's function has no parameters for them.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        """Add the flags to those of the verb."""
        super().__init__(*args, **keywords)
        self.params += [_option(name, flag) for name, flag in _FLAGS.items()]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; the flags go to ``ctx.obj``."""
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        given: dict[str, Iterator[str]] = {name: iter(values.get(name) or ()) for name in _FLAGS}
        names = [str(parameter.name) for parameter in order if parameter.name in given]
        ctx.obj = [(name, next(given[name])) for name in names]
        return super().parse_args(ctx, args)


NO_FLAGS = typer.Context(typer.core.TyperCommand(None))
"""The context of a verb that is called without the command line: none of the flags is given."""


def _option(name: str, flag: _Flag) -> typer.core.TyperOption:
    complete = _complete_tag if flag.kind == "tag" else _complete_name
    return typer.core.TyperOption(
        param_decls=[*flag.names, name],
        metavar=flag.metavar,
        help=flag.help,
        multiple=True,
        expose_value=False,
        autocompletion=complete,
        type=str,
    )


def _complete_tag(context: typer.Context, _: list[str], incomplete: str) -> list[str]:
    from hullwatch.cli.rule_set import definitions_to_complete

    tags = {tag for rule in definitions_to_complete(context) for tag in rule.tags}
    return sorted(tag for tag in tags if tag.startswith(incomplete) and tag.isprintable())


def _complete_name(context: typer.Context, _: list[str], incomplete: str) -> list[str]:
    from hullwatch.cli.rule_set import complete_rule

    return complete_rule(context, incomplete)


def switches(context: typer.Context) -> tuple[RuleSwitch, ...]:
    """Return what the flags turn on and off, in order.

    Raises:
        UsageError: for an empty name or tag, or one that is too long.
    """
    import msgspec

    from hullwatch.config.rule_switch import LONGEST_PATTERN, switch
    from hullwatch.errors import UsageError

    given: list[tuple[str, str]] = context.obj or []
    found: list[RuleSwitch] = []
    if any(name == "only_tag" for name, _ in given):
        found.append(switch("disable", rule="*"))
    for name, text in given:
        flag = _FLAGS[name]
        try:
            found.append(switch(flag.verb, **{flag.kind: flag.form.format(text)}))
        except msgspec.ValidationError:
            sentence = f"A rule's name or tag that is turned on or off has 1 to {LONGEST_PATTERN} characters"
            raise UsageError(f"{sentence}: {text[:80]!r} has {len(text)}.") from None
    return tuple(found)


def with_switches(settings: Settings, context: typer.Context) -> Settings:
    """Return the settings with what the flags turn on and off behind what the configuration does.

    Raises:
        UsageError: as ``switches`` does.
    """
    import msgspec

    rules = settings.rules
    selection = (*rules.selection, *switches(context))
    return msgspec.structs.replace(settings, rules=msgspec.structs.replace(rules, selection=selection))


def say_remarks(remarks: tuple[str, ...]) -> None:
    """Warn of entries of the selection that no rule fits."""
    from hullwatch.outputs.standard_error import say

    for remark in remarks:
        say(f"Warning: {remark}")
