"""Deriving team, project and environment where nobody gave them: names that mean something, each with its origin.

The specification wants the three on every call and forbids placeholders, so that a program that only calls
`auto_instrument()` is still accounted to somebody.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from genops.config.files import repository_root
from genops.core.attribution_values import is_placeholder

__all__ = ["DEFAULT_ENVIRONMENT", "derive"]

DEFAULT_ENVIRONMENT = "development"
# Programs that run other people's code: their name says nothing about the project.
_LAUNCHERS = frozenset(
    {
        "__main__",
        "-c",
        "-m",
        "-",
        "main",
        "app",
        "run",
        "server",
        "wsgi",
        "asgi",
        "manage",
        "python",
        "python3",
        "pytest",
    }
    | {"py.test", "gunicorn", "uvicorn", "hypercorn", "celery", "flask", "ipython", "ipykernel_launcher", "jupyter-lab"}
    | {"genops", "opentelemetry-instrument"}
)
Derived = dict[str, tuple[str, str]]  # field -> value, origin


def derive(environ: Mapping[str, str], cwd: Path, program: str | None = None) -> Derived:
    """Return a value and its origin for each required attribute.

    project: the repository's folder, else the program or module that runs, else the working directory, else the login.
    environment: "development". team: the login name, else the project. `program` defaults to what this process runs.
    """
    login = _login(environ)
    project = _project(cwd, _program() if program is None else program)
    if project is None:
        project = (login, "the login name") if login else ("python", "what runs")
    return {
        "team": (login, "the login name") if login else (project[0], "the project"),
        "project": project,
        "environment": (DEFAULT_ENVIRONMENT, "the default"),
    }


def _project(cwd: Path, program: str) -> tuple[str, str] | None:
    root = repository_root(cwd)
    stem = Path(program).name.removesuffix(".py")
    for name, origin in (
        (root.name if root is not None else "", "the repository's folder"),
        ("" if stem in _LAUNCHERS else stem, "the program"),
        (cwd.name, "the working directory"),
    ):
        if name and not is_placeholder(name):
            return name, origin
    return None


def _program() -> str:
    """The module given to `python -m`, or the script."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__").partition(".")[0]
    return sys.argv[0] if sys.argv else ""


def _login(environ: Mapping[str, str]) -> str | None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):  # the order of getpass.getuser
        name = environ.get(variable, "").strip()
        if name and not is_placeholder(name):
            return name
    try:
        import os
        import pwd

        name = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # Windows; a container with a user id of no name
        return None
    return None if is_placeholder(name) else name
