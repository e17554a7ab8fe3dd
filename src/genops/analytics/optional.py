"""What analytics needs beyond the core, imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any

from genops.core.errors import ConfigurationError

__all__ = ["clickhouse_connect", "duckdb", "pyarrow"]


def _needed(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigurationError(
            f"this needs {name}, which is not installed.", fix=f"pip install 'genops-ai[{extra}]'"
        ) from None


def duckdb() -> Any:
    """The module. Raises `ConfigurationError` where it is missing."""
    return _needed("duckdb", "analytics")


def pyarrow(name: str = "pyarrow") -> Any:
    """The module, or that part of it. Raises `ConfigurationError` where it is missing."""
    return _needed(name, "analytics")


def clickhouse_connect() -> Any:
    """The module. Raises `ConfigurationError` where it is missing."""
    return _needed("clickhouse_connect", "clickhouse")
