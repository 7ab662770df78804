"""Certificates for tests of TLS: an authority, a server's and clients'."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

_PEM = serialization.Encoding.PEM


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """Issues certificates into files of a folder."""

    def __init__(self, folder: Path, name: str = "authority", *, plain: bool = False) -> None:
        """Make an authority; a plain one is as ``openssl req -x509`` makes it, which says nothing of the key's use."""
        self.folder = folder
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if not plain:
            builder = builder.add_extension(usage, critical=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM))

    def _builder(
        self, common: str, key: ec.EllipticCurvePublicKey, begins: float = -2, *, identified: bool = True
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC) + dt.timedelta(days=begins + 2)
        builder = x509.CertificateBuilder().subject_name(_name(common)).issuer_name(_name(self.name)).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=2))
        builder = builder.not_valid_after(now + dt.timedelta(days=2))
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        if not identified:
            return builder
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(issuer, critical=False)

    def issue(self, name: str, *, server: bool = False, begins: float = -2, identified: bool = True) -> tuple[str, str]:
        """Return the files of a certificate, which lasts for 4 days, and its key.

        Args:
            name: of whom it is, and of the files.
            server: whether it is for servers, and not for clients.
            begins: days from now until it is valid.
            identified: whether it says which key has signed it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(name, key.public_key(), begins, identified=identified)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
        certificate = self.folder / f"{name}.crt"
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM))
        return str(certificate), self._written(f"{name}.key", key)

    def itself(self) -> tuple[str, str]:
        """Return the files of its own certificate and key, as a client would have them that has signed for itself."""
        return str(self.path), self._written(f"{self.name}.key", self._key)

    def _written(self, name: str, key: ec.EllipticCurvePrivateKey) -> str:
        private = self.folder / name
        form = serialization.PrivateFormat.PKCS8
        private.write_bytes(key.private_bytes(_PEM, form, serialization.NoEncryption()))
        return str(private)
