"""``hullwatch k8s rbac``: who may do what in a cluster, what of it is dangerous, what is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import FailFlag, FromFlag, NamespaceFlag
from hullwatch.cli.k8s_rbac_log import changes, suggest, unused
from hullwatch.cli.k8s_rbac_paths import paths
from hullwatch.cli.store_options import StateFlag

if TYPE_CHECKING:
    from hullwatch.posture.resources import Request
    from hullwatch.posture.rights import Rights

AllFlag = Annotated[bool, typer.Option("--all", help="Also what comes with Kubernetes.")]

rbac = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Who may do what in a cluster, what of it is dangerous, what is not used, what was changed.",
)


@rbac.command("who-can")
def who_can(
    verb: Annotated[str, typer.Argument(metavar="VERB", help="get, list, create, ..., or * for all of them.")],
    resource: Annotated[str, typer.Argument(metavar="RESOURCE[/SUBRESOURCE]", help="secrets, deploy.apps, pods/exec.")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of the object.")] = None,
    namespace: NamespaceFlag = None,
    source: FromFlag = None,
    state: StateFlag = None,
    output: OutputOption = "text",
) -> int:
    """Say who may do something, where, and through which binding and role.

    \b
    Examples:
      hullwatch k8s rbac who-can list secrets --from audit.jsonl
      kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json > rights.json
      hullwatch k8s rbac who-can create pods/exec -n shop --from rights.json
      hullwatch k8s rbac who-can get /metrics --from rights.json

    Without NAME, those are listed too who may do it to some names only. Without -n, all namespaces are looked at.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_input import read_inventory
    from hullwatch.formats.rights import answer_document, answer_rows
    from hullwatch.outputs.standard_error import say
    from hullwatch.posture.resources import Request, Resources
    from hullwatch.posture.rights import Rights

    as_json = wants_json(output)
    inventory = read_inventory(source, state)
    rights = Rights(inventory)
    namespaced = False
    if resource.startswith("/"):
        request = Request(verb, path=resource)
    else:
        asked = Resources(inventory).asked(resource)
        namespaced = asked.resource.namespaced
        if not asked.known:
            say(f'Warning: "{resource}" is no resource that is known here; it is taken for one of the core group.')
        request = _request(verb, asked.resource.group, asked.resource.name, asked.subresource, namespace, name)
    answers = list(rights.who_can(request, namespaced=namespaced))
    for one in answers if as_json else ():
        write_json(answer_document(one))
    if not as_json:
        write_rows(answer_rows(answers))
    _tell_problems(rights)
    return 0


def _request(
    verb: str, group: str, resource: str, subresource: str, namespace: str | None, name: str | None
) -> Request:
    from hullwatch.posture.resources import Request

    return Request(verb.lower(), group, resource, subresource, namespace or "", name or "")


@rbac.command("of")
def of(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="user:NAME, group:NAME or sa:NAMESPACE/NAME.")],
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME", help="A group that it is in as well; repeatable.")
    ] = None,
    source: FromFlag = None,
    state: StateFlag = None,
    output: OutputOption = "text",
) -> int:
    """List what a subject may do, itself and as a member of the groups that it is in.

    \b
    Examples:
      hullwatch k8s rbac of sa:shop/web --from manifests/
      hullwatch k8s rbac of user:alice --group dev --from audit.jsonl

    The API server's own groups count always; others of a user those that --group names and the audit log shows.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.k8s_input import read_all
    from hullwatch.formats.rights import grant_rows, grants_document
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.subject import MASTERS, parse_subject

    as_json = wants_json(output)
    whom = parse_subject(subject)
    inventory, usage = read_all(source, state=state)
    rights = Rights(inventory)
    member = tuple(dict.fromkeys((*(groups or ()), *usage.groups_of(whom.user))))
    grants = rights.of(whom, member)
    for one in grants_document(grants, whom) if as_json else ():
        write_json(one)
    if not as_json:
        if MASTERS in member or whom.name == MASTERS:
            write_line(f"{whom.words} is in {MASTERS}: the API server allows everything, whatever the roles say.")
        write_rows(grant_rows(grants, whom))
    _tell_problems(rights)
    return 0


@rbac.command("risks")
def risks(
    namespace: NamespaceFlag = None,
    every: AllFlag = False,  # noqa: FBT002 - a flag
    source: FromFlag = None,
    state: StateFlag = None,
    fail_on: FailFlag = None,
    output: OutputOption = "text",
) -> int:
    """List dangerous rights: of whom, where, why, through what; also what several rights give together.

    \b
    Examples:
      hullwatch k8s rbac risks --from manifests/ --fail-on high
      hullwatch k8s rbac risks --from audit.jsonl -o json

    What comes with Kubernetes, unchanged, is left out unless --all is given. -n leaves rights of other namespaces out.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_input import ends_with, read_inventory
    from hullwatch.formats.rights import risk_document, risk_rows
    from hullwatch.outputs.standard_error import say
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.risks import find_risks

    as_json = wants_json(output)
    ends_with((), fail_on)  # a wrong one is told before anything is read
    inventory = read_inventory(source, state)
    rights = Rights(inventory)
    found = find_risks(rights, inventory)
    shown = [one for one in found if (every or not one.shipped) and namespace in {None, one.namespace or namespace}]
    for one in shown if as_json else ():
        write_json(risk_document(one))
    if not as_json:
        write_rows(risk_rows(shown))
        hidden = sum(1 for one in found if one.shipped)
        if hidden and not every:
            say(f"{hidden} more come with Kubernetes; --all lists them.")
    _tell_problems(rights)
    return ends_with((one.severity for one in shown), fail_on)


def _tell_problems(rights: Rights) -> None:
    from hullwatch.outputs.standard_error import say

    for sentence in rights.problems[:20]:
        say(f"Warning: {sentence}")
    if len(rights.problems) > 20:
        say(f"Warning: {len(rights.problems) - 20} more such bindings and roles.")


for name, verb in (("paths", paths), ("unused", unused), ("suggest", suggest), ("changes", changes)):
    rbac.command(name)(verb)
