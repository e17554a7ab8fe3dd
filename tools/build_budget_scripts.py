"""Build src/genops/data/budget_scripts.json from spec/budgets/*.lua; `--check` says whether it is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "spec/budgets", ROOT / "src/genops/data/budget_scripts.json"
COMMON = "common"


def render() -> str:
    """The scripts by name, each with what is common to all before it, and without comments."""
    common = _code(COMMON)
    names = sorted(path.stem for path in SOURCE.glob("*.lua") if path.stem != COMMON)
    return json.dumps({name: common + _code(name) for name in names}, indent=1) + "\n"


def _code(name: str) -> str:
    lines = (SOURCE / f"{name}.lua").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("--"))


def main() -> int:
    made = render()
    if "--check" in sys.argv:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == made:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is out of date.\n  fix: make generate")
        return 1
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
