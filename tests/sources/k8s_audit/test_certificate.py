"""The end of a certificate is read as OpenSSL reads it, and of what is none nothing is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.sources.k8s_audit.certificate import are_proper, end_of
from tests.sources.k8s_audit.certificates import Authority

KEY = ec.generate_private_key(ec.SECP256R1())


def until(end: dt.datetime) -> bytes:
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 7, dt.datetime(1970, 1, 1, tzinfo=dt.UTC), end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("year", [1999, 2026, 2049, 2050, 2399])
def test_the_end_is_read_in_both_forms_of_a_time(year: int) -> None:
    end = dt.datetime(year, 2, 28, 23, 59, 58, tzinfo=dt.UTC)
    assert end_of(b"# a remark\n" + until(end) + until(end + dt.timedelta(days=1))) == end.timestamp()


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return Path(Authority(tmp_path_factory.mktemp("c")).issue("localhost", server=True)[0]).read_bytes()


def test_a_certificate_with_all_that_belongs_to_it_is_read(issued: bytes) -> None:
    end = end_of(issued)
    assert end is not None
    assert abs(end - (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).timestamp()) < 3600


def test_authorities_are_proper_when_each_says_what_its_key_is_for(tmp_path: Path) -> None:
    proper, plain = Authority(tmp_path), Authority(tmp_path, "plain", plain=True)
    client = Path(proper.issue("client")[0]).read_bytes()
    assert are_proper(proper.path.read_bytes())
    assert are_proper(b"# a remark\n" + proper.path.read_bytes() * 2)
    for pem in (b"", plain.path.read_bytes(), proper.path.read_bytes() + plain.path.read_bytes(), client):
        assert not are_proper(pem)


@given(st.binary(max_size=300))
def test_of_what_is_no_certificate_nothing_is_read(data: bytes) -> None:
    import base64

    end_of(data)
    wrapped = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(data) + b"\n-----END CERTIFICATE-----\n"
    end_of(wrapped)
    assert not are_proper(wrapped)
    assert not are_proper(data)
    assert end_of(b"-----END CERTIFICATE----------BEGIN CERTIFICATE-----") is None
