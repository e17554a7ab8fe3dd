"""Find personal data and secrets in text and replace them: here, in linear time, with counts and never values."""

from __future__ import annotations

from genops.core.redaction.detectors import Detector, PhoneNumbers, Presidio
from genops.core.redaction.model import Action, Find, Kind, Redacted, Rule
from genops.core.redaction.redactor import Redactor
from genops.core.redaction.rules import Rules
from genops.core.redaction.streams import RedactionStream
from genops.core.redaction.vault import RestoringStream, Vault

__all__ = [
    "Action",
    "Detector",
    "Find",
    "Kind",
    "PhoneNumbers",
    "Presidio",
    "Redacted",
    "RedactionStream",
    "Redactor",
    "RestoringStream",
    "Rule",
    "Rules",
    "Vault",
]
