"""Have the FinOps Foundation's focus-validator judge a FOCUS 1.2 file of ours.

    python tools/check_focus.py                  the ledger of `genops demo`, exported for the purpose
    python tools/check_focus.py costs.csv        a file

Its exit code is 0 whatever it finds, so its output is read. It runs offline in an environment of its own, made by
`make .venv-focus/.installed`, and from its own folder, where it looks for its rules and currency codes. The rules of
1.3 and 1.4 are not in the package and would be fetched; those versions have the tests in tests/analytics.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv-focus"
# What the providers we export for have. They reserve no capacity, sell no commitments here and bill in one currency.
CRITERIA = (
    *("ACCOUNT_NAMING_SUPPORTED", "MULTIPLE_PRICING_CATEGORIES_SUPPORTED", "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED"),
    *("MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED"),
    *("USAGE_MEASUREMENT_SUPPORTED", "UNIT_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED", "REGION_SUPPORTED"),
    *("RESOURCE_TYPE_ASSIGNMENT_SUPPORTED", "TAGGING_SUPPORTED", "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED"),
    *("BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED", "VIRTUAL_CURRENCY_SUPPORTED"),
)
# The rule wants an invoice id on every charge, issued or not; the specification lets it be null before an invoice is
# issued, and a ledger knows of none. FOCUS_Spec issue 2394.
EXPECTED = {"InvoiceId-C-005-C"}
_TOTAL = re.compile(r"Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)")
_FAILED = re.compile(r"^\S+ (\S+-[A-Z]-\d+-[A-Z]): FAIL\b(.*)$", re.MULTILINE)


def main() -> int:
    """Validate a file and return 1 if a rule fails that should not."""
    if not (VENV / ".installed").exists():
        print("focus-validator is not installed.\n  fix: make .venv-focus/.installed", file=sys.stderr)
        return 2
    if len(sys.argv) > 1:
        return judge(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        ledger, file = Path(folder) / "ledger", Path(folder) / "focus.csv"
        command = [sys.executable, "-c", "from genops.cli import main; main()"]
        subprocess.run([*command, "demo", "--ledger", str(ledger)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*command, "export", "focus", "--ledger", str(ledger), "--output", str(file)], check=True)
        return judge(file)


def judge(file: Path) -> int:
    """Print what the validator says of `file`; return 1 if it fails."""
    (package,) = VENV.glob("lib/python*/site-packages")
    result = subprocess.run(
        [
            *(VENV / "bin/python", "-m", "focus_validator.main", "--data-file", file, "--validate-version", "1.2"),
            *("--focus-dataset", "CostAndUsage", "--block-download", "--show-violations"),
            *("--applicability-criteria", ",".join(CRITERIA)),
        ],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    total = _TOTAL.search(result.stdout)
    if total is None:
        print(result.stdout[-2000:] + result.stderr[-2000:], file=sys.stderr)
        return 1
    failed = dict(_FAILED.findall(result.stdout))
    unexpected = {rule: why for rule, why in failed.items() if rule not in EXPECTED}
    for rule, why in unexpected.items():
        print(f"{rule}:{why}")
    checked, passed, _, skipped = (int(number) for number in total.groups())
    print(
        f"focus-validator, FOCUS 1.2: {passed} of {checked - skipped} rules pass, {skipped} have no check; "
        f"{len(unexpected)} fail that should not, {len(failed) - len(unexpected)} known false alarm"
    )
    return 1 if unexpected or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
