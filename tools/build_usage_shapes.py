"""Build src/genops/data/usage_shapes.json from spec/usage/shapes.yaml; `--check` says whether it is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "spec/usage/shapes.yaml", ROOT / "src/genops/data/usage_shapes.json"


def render() -> str:
    """The compiled file: `like` is resolved, nothing else changes."""
    document: dict[str, Any] = yaml.safe_load(SOURCE.read_text())
    shapes = document["shapes"]
    for name, shape in shapes.items():
        if "like" in shape:
            shapes[name] = shapes[shape["like"]] | {key: value for key, value in shape.items() if key != "like"}
    return json.dumps(document, indent=1, sort_keys=False) + "\n"


def main() -> int:
    made = render()
    if "--check" in sys.argv:
        if TARGET.read_text() == made:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is out of date.\n  fix: make generate")
        return 1
    TARGET.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
