"""``hullwatch k8s audit-webhook``: what an API server needs to send its audit events."""

from __future__ import annotations

from typing import Annotated

import typer

audit_webhook = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="The audit webhook: what an API server needs to send its events."
)


@audit_webhook.command("kubeconfig")
def kubeconfig(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where API servers reach Hullwatch: https://HOST:PORT.")],
    ca: Annotated[
        str | None, typer.Option("--ca", metavar="FILE", help="The authority of Hullwatch's certificate (PEM).")
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option("--token-file", metavar="FILE", help="The file of the token (kubernetes.audit.token_file)."),
    ] = None,
    client_cert: Annotated[
        str | None,
        typer.Option("--client-cert", metavar="PATH", help="Where the API server has its client certificate."),
    ] = None,
    client_key: Annotated[
        str | None, typer.Option("--client-key", metavar="PATH", help="Where the API server has its key.")
    ] = None,
) -> int:
    """Print the file for --audit-webhook-config-file of an API server.

    \b
    Examples:
      hullwatch k8s audit-webhook kubeconfig https://10.0.0.5:9443 --ca ca.pem --token-file token
      hullwatch k8s audit-webhook kubeconfig https://10.0.0.5:9443 --ca ca.pem \\
        --client-cert /etc/kubernetes/pki/hullwatch.crt --client-key /etc/kubernetes/pki/hullwatch.key

    The authority and the token are put into the file: it is as secret as the token.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import base64
    from pathlib import Path

    import yaml

    from hullwatch.cli.answer import write_safe
    from hullwatch.cli.input_file import open_input
    from hullwatch.errors import UsageError
    from hullwatch.sources.k8s_audit.webhook_files import read_token

    if not url.startswith(("https://", "http://127.", "http://localhost", "http://[::1]")):
        raise UsageError(f'"{url[:80]}" is no URL to send audit events to: it is https://HOST:PORT.')
    if bool(client_cert) != bool(client_key):
        raise UsageError("--client-cert and --client-key go together.")
    if url.startswith("https://") and not (client_cert or token_file):
        raise UsageError("An API server needs a right to send: --token-file, or --client-cert and --client-key.")
    cluster: dict[str, str] = {"server": url}
    if ca:
        with open_input(ca) as stream:
            cluster["certificate-authority-data"] = base64.b64encode(stream.read(1 << 20)).decode()
    user: dict[str, str] = {}
    if client_cert and client_key:
        user |= {"client-certificate": client_cert, "client-key": client_key}
    if token_file:
        user["token"] = read_token(Path(token_file))
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hullwatch", "cluster": cluster}],
        "users": [{"name": "apiserver", "user": user}],
        "contexts": [{"name": "hullwatch", "context": {"cluster": "hullwatch", "user": "apiserver"}}],
        "current-context": "hullwatch",
    }
    write_safe(yaml.safe_dump(document, sort_keys=False))
    return 0
