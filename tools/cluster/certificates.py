"""Keys and certificates of a cluster that lives for minutes, by openssl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str) -> Pair:
    """Make an authority that signs certificates.

    Raises:
        CannotError: when openssl does not do it.
    """
    made = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", "-out", made.certificate, "-keyout", made.key)
    return made


def signed(authority: Pair, folder: Path, name: str, subject: str, addresses: str = "") -> Pair:
    """Make a certificate that an authority has signed.

    Args:
        authority: that signs.
        folder: for the files.
        name: of the files.
        subject: as openssl writes it: ``/O=GROUP/CN=NAME``.
        addresses: that a server has, such as ``IP:127.0.0.1,DNS:localhost``.

    Raises:
        CannotError: when openssl does not do it.
    """
    made, request = Pair(folder / f"{name}.crt", folder / f"{name}.key"), folder / f"{name}.csr"
    _openssl("req", "-new", *_KEY, "-subj", subject, "-keyout", made.key, "-out", request)
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={addresses}\n" if addresses else "extendedKeyUsage=clientAuth\n", "ascii")
    _openssl(
        "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial",
        "-days", "2", "-extfile", extensions, "-out", made.certificate,
    )  # fmt: skip
    return made


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", *map(str, arguments)]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except subprocess.CalledProcessError as error:
        raise CannotError(f"openssl {arguments[0]} failed: {error.stderr.strip()[-300:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotError(f"openssl {arguments[0]} failed: {error}") from error
