"""`genops kill-switch`: stop calls in every running process of this machine, at once, and let them go on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from genops.cli._policy_input import parse_pairs
from genops.config import settings
from genops.config.watching import FileKillSwitch
from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError
from genops.core.matching import MATCH_KEYS

__all__ = ["register"]

_CONFIG = typer.Option(envvar="GENOPS_CONFIG", help="The genops.yaml; the one found from here otherwise.")
Config = Annotated[Path | None, _CONFIG]
_MATCH = typer.Option(help="key=pattern: stop only these calls; may be repeated.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    switch = typer.Typer(name="kill-switch", help="Stop calls in running processes.", no_args_is_help=True)
    switch.command("on", epilog="Example: genops kill-switch on --match provider=openai --reason 'incident 7'")(on)
    switch.command("off", epilog="Example: genops kill-switch off")(off)
    switch.command("status", epilog="Exit codes: 0 off, 1 on.")(status)
    app.add_typer(switch)


def on(
    reason: Annotated[str | None, typer.Option(help="What callers are told.")] = None,
    match: Annotated[list[str] | None, _MATCH] = None,
    config: Config = None,
) -> None:
    """Stop all calls, or those that match, within a second."""
    patterns = parse_pairs(match or (), "--match")
    for name in patterns:
        if name not in MATCH_KEYS:
            raise ConfigurationError(
                f"--match {name}: no key of a match.{did_you_mean(name, MATCH_KEYS)}",
                fix=f"use {', '.join(MATCH_KEYS)}",
            )
    file = _file(config)
    said = {key: value for key, value in (("reason", reason), ("match", patterns)) if value}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.new")
        draft.write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True) if said else "", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}.", fix=f"touch {file}, as its owner"
        ) from error
    what = ", ".join(f"{key}={value}" for key, value in patterns.items()) or "all calls"
    print(f"on for {what}: {file}\n  off again: genops kill-switch off")


def off(config: Config = None) -> None:
    """Let calls go on."""
    file = _file(config)
    try:
        file.unlink()
    except FileNotFoundError:
        print(f"was off: {file} is not there")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be removed: {error.strerror}.", fix=f"rm {file}, as its owner"
        ) from error
    else:
        print("off")


def status(config: Config = None) -> None:
    """Say whether calls are stopped, and which."""
    loaded = settings.load(config_file=config).policy
    stop = FileKillSwitch(loaded.kill_switch, loaded.stop).stop(0)
    if stop is None:
        print(f"off ({loaded.kill_switch} is not there)")
        return
    print(stop.violation().message)
    raise typer.Exit(1)


def _file(config: Path | None) -> Path:
    return settings.load(config_file=config).policy.kill_switch
