"""TLS for outputs: what can be set, and the context that comes of it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Annotated, Protocol

from hullwatch.errors import CannotError
from hullwatch.outputs.output import FilePath, FormattedOptions, OutputOptions, described

if TYPE_CHECKING:
    from hullwatch.outputs.output import Context

CaFile = Annotated[
    FilePath, described("File with the certificates of authorities that are trusted (PEM); empty: the system's.")
]
CertificateFile = Annotated[FilePath, described("File with the certificate that we show, and its chain (PEM).")]
KeyFile = Annotated[FilePath, described("File with the certificate's key (PEM), without a password.")]
ServerName = Annotated[str, described("The name that the receiver's certificate must have; empty: its host name.")]


class TlsOptions(OutputOptions, kw_only=True, frozen=True):
    """What can be set for an output that may speak TLS."""

    ca_file: CaFile = ""
    certificate_file: CertificateFile = ""
    key_file: KeyFile = ""
    server_name: ServerName = ""


class FormattedTlsOptions(FormattedOptions, kw_only=True, frozen=True):
    """The same, for an output that sends alerts in a format of one's choice."""

    ca_file: CaFile = ""
    certificate_file: CertificateFile = ""
    key_file: KeyFile = ""
    server_name: ServerName = ""


class HasTls(Protocol):
    """Options that have those of TLS."""

    @property
    def ca_file(self) -> str:
        """Trusted authorities."""
        ...

    @property
    def certificate_file(self) -> str:
        """Our certificate."""
        ...

    @property
    def key_file(self) -> str:
        """Its key."""
        ...

    @property
    def server_name(self) -> str:
        """The receiver's name."""
        ...


def tls_context(options: HasTls, context: Context) -> ssl.SSLContext:
    """Return the context of a client: TLS 1.2 or newer, and the receiver's certificate is checked.

    Raises:
        CannotError: a file cannot be used; says which.
    """
    try:
        made = ssl.create_default_context(cafile=options.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise CannotError(_sentence(context, "ca_file", options.ca_file, error)) from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.certificate_file:
        try:
            made.load_cert_chain(options.certificate_file, options.key_file or None, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            path = f"{options.certificate_file} {options.key_file}".rstrip()
            raise CannotError(_sentence(context, "certificate_file and key_file", path, error)) from error
    return made


def _no_password() -> str:
    """Be asked for a key's password: a daemon has nobody to ask."""
    raise ValueError("the key has a password")


def _sentence(context: Context, which: str, path: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    return f"outputs.{context.name}: {which}: {path} cannot be used: {reason}."
