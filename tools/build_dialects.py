"""Build src/genops/data/dialects.json from spec/dialects/dialects.yaml; `--check` says whether it is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "spec/dialects/dialects.yaml", ROOT / "src/genops/data/dialects.json"


def main() -> int:
    made = json.dumps(yaml.safe_load(SOURCE.read_text()), indent=1) + "\n"
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text() == made:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is out of date.\n  fix: make generate")
        return 1
    TARGET.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
