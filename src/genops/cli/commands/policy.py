"""`genops policy`: whether policy files are right, what they say to a call, and what a change of them would change."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from genops.cli._policy_input import parse_input
from genops.config import settings
from genops.config.policies import PolicyFile, find_policy_files, read_policy_file, rule_set
from genops.config.settings import PolicySettings
from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.ledger import LedgerEntry
from genops.core.rules.inputs import HAS, INPUTS
from genops.core.rules.lint import lint
from genops.core.rules.ruleset import RuleSet
from genops.core.rules.trials import Trial, changed_rules, disagreements, try_rules
from genops.stores import LedgerReader

__all__ = ["chosen", "register"]

_FILES = typer.Argument(help="Policy files; those that genops.yaml names if left out.")
_CONFIG = typer.Option(envvar="GENOPS_CONFIG", help="The genops.yaml; the one found from here otherwise.")
Files = Annotated[list[Path] | None, _FILES]
Config = Annotated[Path | None, _CONFIG]
_SHOWN = 20  # calls of the ledger that a comparison lists


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    policy = typer.Typer(
        name="policy", help="Policy files: rules in CEL about which calls may be made.", no_args_is_help=True
    )
    policy.command("check", epilog="Exit codes: 0 all can be used, 2 some cannot.")(check)
    policy.command("test", epilog="Exit codes: 0 all pass, 1 some fail, 2 a file cannot be used.")(run_tests)
    policy.command("lint", epilog="Exit codes: 0 nothing found, 1 something to look at.")(lint_files)
    policy.command(
        "explain", epilog="Example: genops policy explain -i model=gpt-4o -i team=search -i estimated_cost=0.2"
    )(explain)
    policy.command(
        "diff",
        epilog="Example: git stash; cp -r policies /tmp/old; git stash pop; genops policy diff /tmp/old policies",
    )(diff)
    policy.command("fmt", epilog="Exit codes of --check: 0 nothing to do, 1 a file would change.")(fmt)
    policy.command("inputs", epilog="Example: genops policy inputs")(inputs)
    from genops.cli.commands import permissions

    permissions.register(policy)
    app.add_typer(policy)


def chosen(files: Sequence[Path] | None, config: Path | None) -> tuple[list[PolicyFile], PolicySettings]:
    """The policy files named, or else those of genops.yaml, with the settings for them."""
    loaded = settings.load(config_file=config).policy
    paths = [each for file in files or () for each in _inside(file)] or find_policy_files(loaded.files, loaded.base)
    if not paths:
        raise ConfigurationError(
            "no policy file is named, and genops.yaml names none.",
            fix="policy_files: [policies/*.yaml], or give the files",
        )
    return [read_policy_file(path) for path in paths], loaded


def _inside(file: Path) -> list[Path]:
    if not file.is_dir():
        return [file]
    return sorted(each for each in file.iterdir() if each.suffix in (".yaml", ".yml"))


def check(files: Files = None, config: Config = None) -> None:
    """Read the files: syntax, inputs and their types, names, signatures of exceptions."""
    found, loaded = chosen(files, config)
    rules = rule_set(found, trusted_keys=loaded.trusted_keys)
    for policy in found:
        counts = f"{len(policy.rules)} rules, {len(policy.exemptions)} exceptions, {len(policy.tests)} tests"
        print(f"{policy.source}: {counts}")
    print(f"version {rules.version}; nothing is wrong")


def run_tests(files: Files = None, config: Config = None) -> None:
    """Run the tests inside the files, each against the rules of its own file."""
    found, _ = chosen(files, config)
    failed = count = 0
    for policy in found:
        rules = RuleSet(policy.rules, flags=policy.flags)
        reached: set[str] = set()
        for each in policy.tests:
            trial = try_rules(rules, each.given)
            reached |= set(trial.rules)
            count += 1
            for problem in disagreements(each, trial):
                failed += 1
                print(f"{each.source}: {each.name}: {problem}")
        idle = [rule.name for rule in policy.rules if rule.name not in reached]
        if idle:
            print(f"{policy.source}: no test makes these true: {', '.join(idle)}")
    print(f"{count} tests, {failed} failed" if failed else f"{count} tests passed")
    if failed:
        raise typer.Exit(1)


def lint_files(files: Files = None, config: Config = None) -> None:
    """Look for rules that are never true, always true, shadowed or out of reach, and for facts that may be unknown."""
    found, _ = chosen(files, config)
    rules = [rule for policy in found for rule in policy.rules]
    remarks = lint(rules, [each for policy in found for each in policy.exemptions])
    for remark in remarks:
        print(f"{remark.source}: {remark.kind}: rule {remark.rule!r}: {remark.message}")
    print(f"{len(rules)} rules, {len(remarks)} to look at" if remarks else f"{len(rules)} rules, nothing to look at")
    if remarks:
        raise typer.Exit(1)


def explain(
    files: Files = None,
    given: Annotated[list[str] | None, typer.Option("--input", "-i", help="name=value; may be repeated.")] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="The inputs as YAML or JSON; - reads standard input.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    config: Config = None,
) -> None:
    """Say what the rules decide about a call, and why."""
    found, loaded = chosen(files, config)
    call = parse_input(given or (), _text(file))
    rules = rule_set(found, trusted_keys=loaded.trusted_keys)
    trial = try_rules(rules, call)
    if as_json:
        print(json.dumps(_as_json(trial, rules.version), indent=2))
    else:
        _print_trial(rules, trial, call)


def _as_json(trial: Trial, version: str) -> dict[str, Any]:
    decision = trial.decision
    actions = decision.notes.actions
    return {
        "decision": decision.result.value,
        "reason_code": decision.reason_code,
        "reason": decision.reason,
        "rules": list(trial.rules),
        "actions": list(actions.described()) if actions is not None else [],
        "errors": list(decision.notes.errors),
        "shadow": list(decision.notes.shadow),
        "exceptions": list(decision.notes.exceptions),
        "version": version,
    }


def _print_trial(rules: RuleSet, trial: Trial, call: dict[str, Any]) -> None:
    table = Table(show_edge=False, pad_edge=False)
    for column in ("rule", "is", "because", "written in"):
        table.add_column(column, overflow="fold")
    troubles = {finding.rule.name: finding.trouble for finding in trial.findings}
    about = {rule.name for rule in rules.scoped(call)}
    for rule in rules.rules:
        verdict, why = "false", rule.condition
        if rule.name not in about:
            verdict, why = "out of scope", ", ".join(f"{key}={'|'.join(each)}" for key, each in rule.match.items())
        elif rule.name in troubles:
            trouble = troubles[rule.name]
            verdict, why = ("true", rule.condition) if trouble is None else ("undecided", trouble)
        table.add_row(rule.name, verdict, why, rule.source)
    console, decision = Console(), trial.decision
    console.print(table)
    console.print(f"decision: {decision.result}", highlight=False)
    for violation in decision.violations:
        text = f"  {violation.reason_code}: {violation.message}\n    fix: {violation.fix}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    notes = decision.notes
    for name, entries in (("shadow", notes.shadow), ("exception", notes.exceptions), ("error", notes.errors)):
        for entry in entries:
            console.print(f"  {name}: {entry}", highlight=False, markup=False, soft_wrap=True)
    if notes.actions is not None:
        console.print(f"  actions: {', '.join(notes.actions.described())}", highlight=False)


def diff(
    before: Annotated[Path, typer.Argument(help="A policy file or a folder of them, as it was.")],
    after: Annotated[Path, typer.Argument(help="The same, as it will be.")],
    ledger: Annotated[
        Path | None, typer.Option(help="A ledger directory whose calls are decided again by both.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest calls of the ledger to look at.")] = 10_000,
) -> None:
    """Compare two states of the rules: what changed, and which decisions change on the tests and on real calls."""
    old, new = ([read_policy_file(path) for path in _inside(each)] for each in (before, after))
    first, second = (
        RuleSet([rule for policy in each for rule in policy.rules], flags=_flags(each)) for each in (old, new)
    )
    for name, what in changed_rules(first, second):
        print(f"{name}: {what}")
    changes = 0
    for label, call in (*_test_calls(old, new), *_ledger_calls(ledger, limit)):
        one, other = (try_rules(rules, call).decision for rules in (first, second))
        if (one.result, one.reason_code) != (other.result, other.reason_code):
            changes += 1
            if changes <= _SHOWN:
                print(f"{label}: {one.result} -> {other.result} ({other.reason or one.reason})")
    print(f"{changes} decisions change" if changes else "no decision changes on the tests and calls looked at")


def _flags(files: Sequence[PolicyFile]) -> dict[str, bool]:
    return {name: on for policy in files for name, on in policy.flags.items()}


def _test_calls(old: Sequence[PolicyFile], new: Sequence[PolicyFile]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for policy in (*new, *old):
        for each in policy.tests:
            if each.name not in seen:
                seen.add(each.name)
                yield f"test {each.name!r}", each.given


def _ledger_calls(ledger: Path | None, limit: int) -> Iterator[tuple[str, Any]]:
    entries = list(LedgerReader(ledger).entries()) if ledger is not None else []
    for entry in entries[-limit:]:
        yield f"call {entry.call_id}", _inputs_of(entry)


def _inputs_of(entry: LedgerEntry) -> dict[str, Any]:
    """What the ledger knows of a call. Tools, entities and budgets are not in it."""
    fields = ("team", "project", "environment", "customer_id", "cost_center", "feature", "session_id", "provider")
    known: dict[str, Any] = {name: getattr(entry, name) for name in (*fields, "operation", "operation_type", "region")}
    return known | {
        "tags": dict(entry.tags),
        "data_classification": entry.tags.get("data_classification"),
        "model": entry.request_model,
        "host": entry.server_address,
        "streamed": entry.streamed,
        "estimated_cost": float(entry.reserved)
        if entry.reserved is not None and entry.accounting_unit == "USD"
        else None,
        "input_tokens": entry.input_tokens or 0,
        "max_output_tokens": entry.output_tokens or 0,
        "tools": [],
        "entities": [],
        "now": entry.started_at,
    }


def fmt(
    files: Files = None,
    only_check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file would change.")] = False,
    config: Config = None,
) -> None:
    """Write the files in one layout: two spaces, lists indented, 120 columns. Comments stay."""
    found, _ = chosen(files, config)
    changed = 0
    for policy in found:
        path = Path(policy.source)
        text = path.read_text(encoding="utf-8")
        formatted = formatted_yaml(text)
        if formatted == text:
            continue
        if yaml.safe_load(formatted) != yaml.safe_load(text):
            raise ConfigurationError(
                f"{path}: formatting would change its meaning.", fix="format it by hand, and report this"
            )
        changed += 1
        print(f"{'would change' if only_check else 'wrote'}: {path}")
        if not only_check:
            path.write_text(formatted, encoding="utf-8")
    if not changed:
        print(f"{len(found)} files, nothing to do")
    if changed and only_check:
        raise typer.Exit(1)


def formatted_yaml(text: str) -> str:
    """`text` in the layout of policy files. Raises `NotInstalled` without ruamel.yaml."""
    try:
        from ruamel.yaml import YAML
    except ImportError:
        raise NotInstalled("formatting needs the package ruamel.yaml.", fix="pip install 'genops-ai[cli]'") from None
    layout = YAML()
    layout.indent(mapping=2, sequence=4, offset=2)
    layout.width = 120
    layout.preserve_quotes = True
    out = io.StringIO()
    layout.dump(layout.load(text), out)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines()) + "\n"


def inputs() -> None:
    """List what a condition may read, with types."""
    table = Table(show_edge=False, pad_edge=False)
    for column in ("input", "type", "is"):
        table.add_column(column, overflow="fold")
    for name, given in INPUTS.items():
        table.add_row(name, given.kind.value, given.brief)
    console = Console()
    console.print(table)
    console.print(
        f"Whether an optional one is known: {', '.join(HAS + n for n, i in INPUTS.items() if i.optional)}",
        highlight=False,
    )


def _text(file: Path | None) -> str:
    if file is None:
        return ""
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
