"""Build one virtual environment per subject, so that no subject can change another's versions.

python bench/setup_venvs.py                  every subject
python bench/setup_venvs.py floor openlit    some of them

The environments go to $BENCH_VENVS (default: <tempdir>/bench-venvs). `genops` and `core` get the wheel built from this
tree. Versions are whatever the package index serves on the day; the set that was measured is written to
bench/results/freeze/<subject>.txt.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

BENCH = Path(__file__).resolve().parent
REQUIREMENTS = BENCH / "requirements"
VENVS = Path(os.environ.get("BENCH_VENVS", Path(tempfile.gettempdir()) / "bench-venvs"))


def run(*command: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, env=env, check=False)


def environment() -> dict[str, str]:
    env = dict(os.environ)
    if env.get("PIP_CERT"):
        env.setdefault("SSL_CERT_FILE", env["PIP_CERT"])
    return env


def uv_program(env: dict[str, str]) -> Path:
    tools = VENVS / "tools"
    if not (tools / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "venv", tools], check=True)
        command = [tools / "bin" / "pip", "install", "-q", "-r", REQUIREMENTS / "tools.txt"]
        subprocess.run(command, check=True, env=env)
    return tools / "bin" / "uv"


def build_wheel(uv: Path, env: dict[str, str]) -> Path:
    """Build the wheel of this tree and return its path; the benchmarks measure what a user installs."""
    out = Path(tempfile.mkdtemp(prefix="bench-wheel-"))
    done = run(uv, "build", "-q", "--wheel", "--out-dir", out, BENCH.parent, env=env)
    if done.returncode:
        sys.exit(f"the wheel did not build:\n{done.stderr}")
    return next(out.glob("*.whl"))


def install(name: str, uv: Path, wheel: Path | None, env: dict[str, str]) -> str | None:
    """Create the environment of one subject; return what went wrong, or None."""
    python = VENVS / name / "bin" / "python"
    command: list[object] = [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python]
    if (REQUIREMENTS / f"{name}.txt").exists():
        command += ["-r", REQUIREMENTS / f"{name}.txt"]
    if (REQUIREMENTS / f"{name}.override").exists():
        command += ["--override", REQUIREMENTS / f"{name}.override"]
    if wheel is not None:
        command.append(wheel)
    for step in ([uv, "venv", "-q", "--clear", "--python", sys.executable, VENVS / name], command):
        done = run(*step, env=env)
        if done.returncode:
            return done.stderr[-1500:]
    frozen = run(uv, "pip", "freeze", "--python", python, env=env).stdout
    kept = [line + "\n" for line in frozen.splitlines() if " @ " not in line and not line.startswith("-e")]
    (BENCH / "results" / "freeze" / f"{name}.txt").write_text("".join(kept))
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*")
    known = sorted({path.stem for path in REQUIREMENTS.glob("*.txt")} - {"tools"} | {"core"})
    from_tree = {"genops", "core", "providers-genops"}
    names = parser.parse_args().subjects or known
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"no such subject: {', '.join(unknown)}; there are {', '.join(known)}")
    (BENCH / "results" / "freeze").mkdir(parents=True, exist_ok=True)
    VENVS.mkdir(parents=True, exist_ok=True)
    env = environment()
    uv = uv_program(env)
    wheel = build_wheel(uv, env) if from_tree & set(names) else None
    failed = 0
    for name in names:
        problem = install(name, uv, wheel if name in from_tree else None, env)
        print(f"{name}: {'ok' if problem is None else 'FAILED'}", flush=True)
        if problem is not None:
            failed += 1
            print(problem, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
