"""The engines beside one another: each is a function from a text to `[(start, end, entity), ...]`."""

from __future__ import annotations


__all__ = ["ENGINES"]

_PRESIDIO = {
    "EMAIL_ADDRESS": "EMAIL", "CREDIT_CARD": "CREDIT_CARD", "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP", "PHONE_NUMBER": "PHONE",
    "US_SSN": "NATIONAL_ID", "UK_NHS": "NATIONAL_ID", "UK_NINO": "NATIONAL_ID", "ES_NIF": "NATIONAL_ID", "ES_NIE": "NATIONAL_ID",
    "IT_FISCAL_CODE": "NATIONAL_ID", "PL_PESEL": "NATIONAL_ID", "US_ITIN": "NATIONAL_ID",
}  # fmt: skip
_SCRUBADUB = {
    "email": "EMAIL", "credit_card": "CREDIT_CARD", "phone": "PHONE", "social_security_number": "NATIONAL_ID",
    "national_insurance_number": "NATIONAL_ID", "tax_reference_number": "NATIONAL_ID",
}  # fmt: skip


def genops():
    from genops.core.redaction import Redactor

    redactor = Redactor()
    return lambda text: [(find.start, find.end, find.entity) for find in redactor.find(text)]


def genops_phonenumbers():
    from genops.core.redaction import PhoneNumbers, Redactor

    redactor = Redactor(detectors=[PhoneNumbers(regions=["US", "GB", "DE", "FR"])])
    return lambda text: [(find.start, find.end, find.entity) for find in redactor.find(text)]


def presidio():
    """Patterns only: a blank spaCy pipeline, so that no model is needed."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self):
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    analyzer = AnalyzerEngine(nlp_engine=Blank(), registry=registry, supported_languages=["en"])
    wanted = sorted(set(_PRESIDIO) & set(analyzer.get_supported_entities()))

    def find(text):
        results = analyzer.analyze(text, language="en", entities=wanted)
        return [(each.start, each.end, _PRESIDIO[each.entity_type]) for each in results]

    return find


def scrubadub():
    import scrubadub as library

    scrubber = library.Scrubber()
    return lambda text: [
        (filth.beg, filth.end, _SCRUBADUB[filth.type])
        for filth in scrubber.iter_filth(text)
        if filth.type in _SCRUBADUB
    ]


def detect_secrets():
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import default_settings

    def find(text):
        found = []
        with default_settings():
            for line in text.splitlines():
                for secret in scan_line(line):
                    at = text.find(secret.secret_value or "")
                    found.append((at, at + len(secret.secret_value or ""), "SECRET"))
        return found

    return find


ENGINES = {
    "genops": genops,
    "genops + phonenumbers": genops_phonenumbers,
    "presidio": presidio,
    "scrubadub": scrubadub,
    "detect-secrets": detect_secrets,
}
