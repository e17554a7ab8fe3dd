"""Reading genops.yaml: from text to plain values, remembering on which line each of them stands.

Numbers with a fraction become Decimal, exactly as written: a float is never money. Dates stay text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from genops.core.errors import ConfigurationError

__all__ = ["Document", "KeyPath", "find_file", "parse", "read_file"]

FILE_NAMES = ("genops.yaml", "genops.yml")
_DEEPEST = 20  # levels; genops.yaml needs 5, more is a file that contains itself through an anchor
_TAG = "tag:yaml.org,2002:"

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Settings from one source. `name` is the file or the function, as messages call it."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    texts: Mapping[KeyPath, str] = field(default_factory=dict)  # whole numbers as written: 0042

    def place(self, path: KeyPath) -> str:
        """Where the value at `path` stands: genops.yaml:14."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path)
        return self.name if line is None else f"{self.name}:{line}"


def find_file(cwd: Path) -> Path | None:
    """Return the genops.yaml (or genops.yml) nearest to `cwd`: there, or above it up to the repository's root."""
    root = repository_root(cwd)
    for folder in (cwd, *cwd.parents) if root is not None else (cwd,):
        found = [folder / name for name in FILE_NAMES if (folder / name).is_file()]
        if len(found) > 1:
            raise ConfigurationError(
                f"{folder} has both genops.yaml and genops.yml; only one can apply.", fix=f"rm {found[1]}"
            )
        if found:
            return found[0]
        if folder == root:
            return None
    return None


def repository_root(cwd: Path) -> Path | None:
    """Return the folder at or above `cwd` that holds `.git`; None outside a repository."""
    return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), None)


def read_file(path: Path, *, asked_for_by: str | None = None) -> Document:
    """Read a settings file. `asked_for_by` is what named it, for the message if it is not there."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{asked_for_by or 'a setting'} names {path}, which is not there.",
            fix=f"create it, or correct {asked_for_by or 'the path'}",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start}).", fix="save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", fix=f"ls -l {path}") from error
    return parse(text, name=path.name if asked_for_by is None else str(path))


def parse(text: str, *, name: str) -> Document:
    """Return what the YAML `text` says. Raises `ConfigurationError` with file and line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _bad_yaml(error, text, name) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: not YAML: {error}", fix="remove the characters that are not text") from error
    if root is None:
        return Document(name, {})
    walk = _Walk(name)
    values = walk.value(root, ())
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{name}:{root.start_mark.line + 1}: the file is a {_kind(root)}, expected keys.",
            fix="attribution: {team: ...}",
        )
    return Document(name, values, walk.lines, walk.texts)


def _bad_yaml(error: yaml.MarkedYAMLError, text: str, name: str) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return ConfigurationError(
            f"{name}:{line}: a tab in the indentation; YAML wants spaces.", fix="replace the tab by two spaces"
        )
    problem = error.problem or error.context or "it cannot be read"
    return ConfigurationError(
        f"{name}:{line}: not YAML: {problem}.", fix=f"correct line {line}, or the quote or bracket opened before it"
    )


class _Walk:
    """Turns YAML nodes into values, and notes the line of each."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._scalars = yaml.constructor.SafeConstructor()
        self.lines: dict[KeyPath, int] = {}
        self.texts: dict[KeyPath, str] = {}

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        if len(path) > _DEEPEST:
            raise self._error(node, f"more than {_DEEPEST} levels deep.", "remove the anchor that contains itself")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise self._error(key_node, f"a {_kind(key_node)} as a key, expected text.", "key: value")
            if key_node.tag == f"{_TAG}merge":
                raise self._error(key_node, "merge keys (<<) are not read.", "write the keys out")
            if key in values:
                first = self.lines[(*path, key)]
                raise self._error(
                    key_node, f"key {key!r} is there already, on line {first}.", "keep one of the two, or join them"
                )
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            values[key] = self.value(value_node, (*path, key))
        return values

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
        if kind in ("str", "timestamp"):
            return text
        if kind == "int":
            self.texts[path] = text
        if kind == "float":
            try:
                return Decimal(text.replace("_", ""))
            except InvalidOperation:
                raise self._error(node, f"{text} is no number to be used here.", f"quote it: '{text}'") from None
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            raise self._error(node, f"{text!r} cannot be read as {node.tag}.", f"quote it: '{text}'") from None

    def _error(self, node: yaml.Node, message: str, fix: str) -> ConfigurationError:
        return ConfigurationError(f"{self._name}:{node.start_mark.line + 1}: {message}", fix=fix)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "mapping"
    return "list" if isinstance(node, yaml.SequenceNode) else "single value"
