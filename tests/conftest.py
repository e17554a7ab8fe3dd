"""What every test may use, and a clean slate around each."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from genops.core import attribution
from genops.core.policy import unregister_policies

ROOT = Path(__file__).resolve().parent.parent

# A shell that starts a job in the background has it ignore Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_slate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings, variables or attribution of this machine, or of another test."""
    import os

    for name in list(os.environ):
        if name.startswith(("GENOPS_", "OTEL_")) and name != "GENOPS_RECORDINGS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("GENOPS_LEDGER_DIR", str(tmp_path / "ledger"))
    attribution.reset()
    unregister_policies()
    yield
    attribution.reset()
    unregister_policies()
    logging.getLogger("genops").setLevel(logging.NOTSET)  # configure() sets it
