"""``hullwatch k8s audit-policy``: what an API server has to log for the rules, and whether it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.selection import NO_FLAGS, SelectingCommand
from hullwatch.cli.watch_options import ConfigFlag, PriorityFlag, RulesFlag

if TYPE_CHECKING:
    from hullwatch.audit_policy.needs import Needs

audit_policy = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Audit policies: which rules are blind under one; one that fits."
)


@audit_policy.command("check", cls=SelectingCommand)
def check(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="The file of the audit policy; - is standard input.")],
    rules: RulesFlag = None,
    priority: PriorityFlag = None,
    output: OutputOption = "text",
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Tell which rules see too little under an audit policy, and why.

    \b
    Examples:
      hullwatch k8s audit-policy check /etc/kubernetes/audit-policy.yaml
      hullwatch k8s audit-policy check policy.yaml -r my_rules.yaml -o json

    "blind" is a rule that gets of no call what it needs, "partly" one that does of some, "withheld" one that
    lacks only what secrets hold, which does not belong into a log. What rules exclude is
    not known here, so that a gap may be of calls that a rule leaves out. Exit code 1 if a rule is blind.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.audit_policy.blind import look
    from hullwatch.audit_policy.policy import AuditPolicy
    from hullwatch.cli.answer import wants_json, write_json, write_line

    as_json = wants_json(output)
    read = AuditPolicy(_text(policy), "Standard input" if policy == "-" else policy)
    found = look(_needs(context, rules, config, priority), read)
    for sight in sorted(found, key=lambda one: (("blind", "partly", "withheld", "sees").index(one.state), one.rule)):
        if as_json:
            gaps = [gap._asdict() | {"has": gap.has.word, "needs": gap.needs.word} for gap in sight.gaps]
            write_json({"rule": sight.rule, "state": sight.state, "gaps": gaps})
        elif sight.gaps:
            write_line(f"{sight.state}: {sight.rule}")
            for gap in sight.gaps:
                write_line(f"  {gap.sentence}")
    states = [sight.state for sight in found]
    if not as_json:
        numbers = f"{states.count('blind')} blind, {states.count('partly')} partly blind"
        if "withheld" in states:
            numbers += f", {states.count('withheld')} ask for secrets that are rightly not logged"
        write_line(f"{len(states)} rules: {states.count('sees')} see what they need, {numbers}.")
    return int("blind" in states)


@audit_policy.command("generate", cls=SelectingCommand)
def generate(
    rules: RulesFlag = None,
    priority: PriorityFlag = None,
    with_secrets: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--with-secrets", help="Log what secrets and tokens hold, too, if a rule needs it.")
    ] = False,
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Print an audit policy that gives the rules what they need, and logs no more than that.

    \b
    Examples:
      hullwatch k8s audit-policy generate > /etc/kubernetes/audit-policy.yaml
      hullwatch k8s audit-policy generate -r my_rules.yaml --priority warning
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.audit_policy.generate import generate as write
    from hullwatch.cli.answer import write_safe

    write_safe(write(_needs(context, rules, config, priority), with_secrets=with_secrets))
    return 0


def _needs(context: typer.Context, rules: list[str] | None, config: str | None, priority: str | None) -> Needs:
    """Return what the rules for audit events need.

    Raises:
        UsageError: when they cannot be loaded, or there is none.
    """
    from hullwatch.audit_policy.needs import needs_of
    from hullwatch.cli.rule_set import load_named
    from hullwatch.cli.watch_options import watch_settings
    from hullwatch.errors import UsageError

    settings = watch_settings(context, rules, config, priority=priority)
    loaded = load_named(settings, source="k8s_audit").of_api
    if not loaded:
        raise UsageError("There is no rule for audit events (source: k8s_audit) among the rules.")
    return needs_of(loaded)


def _text(name: str) -> bytes:
    import sys

    from hullwatch.audit_policy.policy import LARGEST
    from hullwatch.cli.input_file import open_input
    from hullwatch.errors import UsageError

    if name == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with open_input(name) as stream:
            data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"{name} has more than {LARGEST} bytes; a policy is a page.")
    return data
