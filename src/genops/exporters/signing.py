"""Credentials that change with each request or each hour: signed by the vendor's own library, where it is installed."""

from __future__ import annotations

import importlib
from typing import Any

from genops.core.errors import ConfigurationError, NotInstalled
from genops.exporters.destinations import Destination, Signal

__all__ = ["PACKAGES", "signed_session"]

PACKAGES = {"aws": "botocore", "azure": "azure-identity", "google": "google-auth"}
_AWS_SERVICES = {Signal.TRACES: "xray", Signal.METRICS: "monitoring", Signal.LOGS: "logs"}
_AZURE_SCOPE = "https://monitor.azure.com/.default"
_GOOGLE_SCOPES = (
    "https://www.googleapis.com/auth/trace.append",
    "https://www.googleapis.com/auth/monitoring.write",
)


def signed_session(destination: Destination, signal: Signal) -> Any:
    """Return a `requests.Session` whose requests carry the backend's credentials; None if headers are enough.

    Raises `NotInstalled` without the vendor's library and `ConfigurationError` without credentials.
    """
    kind = destination.backend.credentials
    if kind is None:
        return None
    if kind == "google":
        return _google()
    session = _module("requests", "requests").Session()
    session.auth = _AwsSignature(destination.region or "", _AWS_SERVICES[signal]) if kind == "aws" else _AzureToken()
    return session


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotInstalled(
            f"{package} is not installed, and signs what is sent.", fix=f"pip install {package}"
        ) from None


class _AwsSignature:
    """Signature version 4, made by botocore from the credentials that every AWS tool uses."""

    def __init__(self, region: str, service: str) -> None:
        session = _module("botocore.session", "botocore").get_session()
        self._credentials = session.get_credentials()
        if self._credentials is None:
            raise ConfigurationError(
                "no AWS credentials were found, which sign what is sent.",
                fix="export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...   (or AWS_PROFILE, or a role)",
            )
        self._region, self._service = region, service
        self._request = importlib.import_module("botocore.awsrequest").AWSRequest
        self._signer = importlib.import_module("botocore.auth").SigV4Auth

    def __call__(self, request: Any) -> Any:
        signed = {name: request.headers[name] for name in ("content-type", "x-aws-log-group", "x-aws-log-stream")
                  if name in request.headers}  # fmt: skip
        to_sign = self._request(method=request.method, url=request.url, data=request.body, headers=signed)
        self._signer(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(to_sign)
        request.headers.update(dict(to_sign.headers.items()))
        return request


class _AzureToken:
    """A token of Microsoft Entra, which azure-identity renews."""

    def __init__(self) -> None:
        self._credential = _module("azure.identity", "azure-identity").DefaultAzureCredential()

    def __call__(self, request: Any) -> Any:
        request.headers["authorization"] = f"Bearer {self._credential.get_token(_AZURE_SCOPE).token}"
        return request


def _google() -> Any:
    """A session with application default credentials, which google-auth renews."""
    auth = _module("google.auth", "google-auth")
    try:
        credentials, _ = auth.default(scopes=_GOOGLE_SCOPES)
    except auth.exceptions.DefaultCredentialsError:
        raise ConfigurationError(
            "no Google credentials were found, which authorise what is sent.",
            fix="gcloud auth application-default login   (or export GOOGLE_APPLICATION_CREDENTIALS=key.json)",
        ) from None
    return importlib.import_module("google.auth.transport.requests").AuthorizedSession(credentials)
