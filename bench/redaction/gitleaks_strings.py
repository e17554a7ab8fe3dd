"""Write gitleaks' own test strings to a file: python bench/redaction/gitleaks_strings.py strings.json

They are made by gitleaks' rule generator (MIT) and are not part of this project. Needs Go and its module proxy.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODULE = "github.com/zricethezav/gitleaks/v8@v8.30.1"
_DUMP = """
func dump(id string, positives any, negatives any) {
	file, err := os.OpenFile(os.Getenv("DUMP"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	_ = json.NewEncoder(file).Encode(map[string]any{"rule": id, "positives": positives, "negatives": negatives})
}
"""


def main():
    target = Path(sys.argv[1])
    fetched = subprocess.run(
        ["go", "mod", "download", "-json", MODULE],
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=True,
    )
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "gitleaks"
        shutil.copytree(json.loads(fetched.stdout)["Dir"], tree, copy_function=shutil.copyfile)
        for path in [tree, *tree.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        source = tree / "cmd/generate/config/utils/validate.go"
        code = source.read_text().replace("import (", 'import (\n\t"encoding/json"\n\t"os"\n', 1)
        code = code.replace("\tr := &rule\n", "\tr := &rule\n\tdump(rule.RuleID, truePositives, falsePositives)\n", 1)
        source.write_text(code + _DUMP)
        lines = Path(place) / "lines"
        # The generator stops at its last step, writing a configuration, which is after every rule was checked.
        subprocess.run(
            ["go", "run", "./cmd/generate/config", os.devnull],
            cwd=tree,
            env=os.environ | {"DUMP": str(lines)},
            capture_output=True,
            check=False,
        )
        cases = [json.loads(line) for line in lines.read_text().splitlines()]
    for case in cases:
        for kind in ("positives", "negatives"):
            held = case[kind] or []
            case[kind] = list(held.values()) if isinstance(held, dict) else held
    target.write_text(json.dumps(cases))
    print(
        f"{sum(len(case['positives']) for case in cases)} positives, {sum(len(case['negatives']) for case in cases)} negatives"
    )


if __name__ == "__main__":
    main()
