"""Redis behind TLS and a password, as managed services are."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.stores.budgets.conftest import free_port

from genops.core.errors import BudgetStoreError
from genops.stores.budgets import open_budget_store


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def test_tls_with_a_password(start_redis, tmp_path):
    """rediss://:password@host; a wrong password and an unknown certificate are store errors, and show no password."""
    cert, key = certificate(tmp_path)
    port = free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key))
    start_redis(*tls, "--tls-ca-cert-file", str(cert), "--tls-auth-clients", "no", "--requirepass", "s3cret-word")

    def store(password: str, query: str = f"?ssl_ca_certs={cert}"):
        return open_budget_store(f"rediss://:{password}@127.0.0.1:{port}/0{query}", timeout_s=5)

    good = store("s3cret-word")
    assert () == good.counters()
    good.close()
    for bad in (store("wrong-word"), store("s3cret-word", "")):
        with pytest.raises(BudgetStoreError) as caught:
            bad.counters()
        assert "-word" not in str(caught.value)
        bad.close()
