"""Signatures over exceptions: Ed25519, so that who reads policy files cannot write permissions for them."""

from __future__ import annotations

import base64
import binascii
import importlib
import json
from collections.abc import Iterable
from typing import Any

from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.rules.model import Exemption

__all__ = ["check_key", "is_signed", "new_key", "public_key_of", "sign"]


def _ed25519() -> Any:
    try:
        return importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        raise NotInstalled(
            "signed exceptions need the cryptography package, which is not installed.",
            fix="pip install 'genops-ai[policy]'",
        ) from None


def _signed_bytes(exemption: Exemption) -> bytes:
    return json.dumps(exemption.signed_fields(), sort_keys=True, separators=(",", ":")).encode()


def _raw(text: str, what: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != length:
        raise ConfigurationError(
            f"{what} is not {length} bytes in base64.", fix="genops policy keygen KEYFILE makes a pair of keys"
        )
    return raw


def new_key() -> tuple[str, str]:
    """Return a new private key and its public key, both in base64."""
    private = _ed25519().Ed25519PrivateKey.generate()
    text = base64.b64encode(private.private_bytes_raw()).decode()
    return text, public_key_of(text)


def public_key_of(private_key: str) -> str:
    """The public key, in base64, of a private one. Raises `ConfigurationError` for text that is no key."""
    private = _ed25519().Ed25519PrivateKey.from_private_bytes(_raw(private_key, "the private key", 32))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def check_key(public_key: str) -> None:
    """Raise `ConfigurationError` for text that is no public key."""
    _raw(public_key, "a trusted key", 32)


def sign(exemption: Exemption, private_key: str) -> str:
    """The signature over `exemption`, in base64."""
    private = _ed25519().Ed25519PrivateKey.from_private_bytes(_raw(private_key, "the private key", 32))
    return base64.b64encode(private.sign(_signed_bytes(exemption))).decode()


def is_signed(exemption: Exemption, trusted_keys: Iterable[str]) -> bool:
    """Whether one of the public keys signed `exemption` as it stands."""
    try:
        signature = base64.b64decode(exemption.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    invalid = importlib.import_module("cryptography.exceptions").InvalidSignature if trusted_keys else ()
    for key in trusted_keys:
        public = _ed25519().Ed25519PublicKey.from_public_bytes(_raw(key, "a trusted key", 32))
        try:
            public.verify(signature, _signed_bytes(exemption))
        except invalid:
            continue
        return True
    return False
