"""Settings: where each comes from, which source wins, and what is derived."""

from __future__ import annotations

import logging
import pwd
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from genops.config.derive import derive
from genops.config.environment import VARIABLES, detect_otel_environment, environment_variable
from genops.config.settings import Settings, load
from genops.core.attribution import Attribution, RuleMode
from genops.core.errors import ConfigurationError
from genops.core.policy import PolicyMode, Unknown

ROOT = Path(__file__).parents[2]
LOGIN = {"USER": "ada"}


@pytest.fixture
def project(tmp_path):
    """A repository of its own, called shop."""
    folder = tmp_path / "shop"
    (folder / ".git").mkdir(parents=True)
    return folder


def resolved(settings: Settings) -> Attribution:
    return settings.attribution.resolve()


def test_without_any_source_the_defaults_hold(project):
    """Nothing configured is a working configuration."""
    settings = load(environ=LOGIN, cwd=project)
    assert settings.enabled
    assert settings.source is None
    assert (settings.ledger.enabled, settings.ledger.dir) == (True, Path.home() / ".genops")
    assert not settings.telemetry.content
    assert settings.adapters.enabled is None
    assert settings.policies.policies == ()


def test_file_over_arguments_and_environment_over_file(project):
    """Later sources go before earlier ones, key by key."""
    (project / "genops.yaml").write_text("ledger: {retention_days: 2, fsync: true}\nlog_level: info\n")
    arguments = {"ledger": {"retention_days": 1, "enabled": False}, "log_level": "debug", "telemetry": {"logs": False}}
    environ = {"GENOPS_LEDGER_RETENTION_DAYS": "3", **LOGIN}

    settings = load(arguments, environ=environ, cwd=project)

    assert (settings.ledger.retention_days, settings.ledger.fsync, settings.ledger.enabled) == (3, True, False)
    assert settings.log_level == "info"
    assert not settings.telemetry.logs


def test_attribution_keeps_its_sources_apart(project):
    """Arguments are defaults, below the file, which is below the environment."""
    (project / "genops.yaml").write_text("attribution: {team: f, project: f, tags: {site: f}}\n")
    arguments = {"team": "a", "project": "a", "feature": "a", "tags": {"site": "a", "tier": 1}}
    environ = {"GENOPS_TEAM": "e", "GENOPS_TAGS": "run=7, tier=2", **LOGIN}

    settings = load(arguments, environ=environ, cwd=project)

    assert resolved(settings) == Attribution(
        team="e", project="f", environment="development", feature="a", tags={"site": "f", "tier": "2", "run": "7"}
    )


def test_every_attribute_has_its_variable(project):
    """GENOPS_<FIELD> sets each of the six governance attributes."""
    names = ("team", "project", "environment", "customer_id", "cost_center", "feature")
    environ = {f"GENOPS_{name.upper()}": f"my-{name}" for name in names}
    assert resolved(load(environ=environ, cwd=project)) == Attribution(**{name: f"my-{name}" for name in names})


def test_every_variable_takes_its_documented_example(project):
    """What the reference page shows is accepted, and arrives where it says."""
    (project / "genops.yaml").write_text("")
    environ = {name: variable.example for name, variable in VARIABLES.items()}
    environ["GENOPS_CONFIG"] = str(project / "genops.yaml")
    settings = load(environ=environ, cwd=project)
    assert settings.adapters.enabled == ("openai", "anthropic")
    assert settings.attribution.environment["tags"] == {"tier": "gold", "channel": "web"}
    assert settings.source == project / "genops.yaml"


def test_adapters_none_switches_none_on(project):
    """The word none is the empty list."""
    assert load(environ={"GENOPS_ADAPTERS": "none"}, cwd=project).adapters.enabled == ()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("GENOPS_LEDGER", "maybe", "expected on or off"),
        ("GENOPS_ENABLED", "2", "expected on or off"),
        ("GENOPS_LEDGER_RETENTION_DAYS", "0", "expected a whole number of 1 or more"),
        ("GENOPS_LEDGER_RETENTION_DAYS", "ten", "expected a whole number of 1 or more"),
        ("GENOPS_LOG_LEVEL", "loud", "expected debug or info or warning or error"),
        ("GENOPS_TAGS", "gold", "expected key=value,key=value"),
        ("GENOPS_TEAM", "unknown", "expected a name, not a placeholder"),
    ],
)
def test_a_bad_variable_is_named_with_what_to_type(project, name, value, expected):
    """The message has the variable, its value, what was expected and an export line that works."""
    with pytest.raises(ConfigurationError) as refused:
        load(environ={name: value}, cwd=project)
    assert str(refused.value).startswith(f"{name} is {value!r}, {expected}.")
    assert refused.value.fix == f"export {name}={VARIABLES[name].example}"


def test_a_blank_variable_is_not_set(project):
    """`GENOPS_TEAM=` in an env file is nothing."""
    assert load(environ={"GENOPS_TEAM": " ", "GENOPS_LEDGER": "", **LOGIN}, cwd=project).ledger.enabled


def test_a_misspelt_variable_is_pointed_out(project, caplog):
    """A near miss is warned of; variables that others set under the same prefix are not."""
    with caplog.at_level(logging.WARNING):
        load(environ={"GENOPS_TEAMS": "x", "GENOPS_SERVICE_HOST": "10.0.0.1", **LOGIN}, cwd=project)
    assert caplog.messages == ["GENOPS_TEAMS is no setting, and was ignored. Did you mean GENOPS_TEAM?"]


def test_the_kill_switch_works_even_with_a_broken_file(project):
    """GENOPS_ENABLED=off reads nothing else."""
    (project / "genops.yaml").write_text("nonsense: [")
    assert load(environ={"GENOPS_ENABLED": "off"}, cwd=project) == Settings(enabled=False)


# -- finding the file --------------------------------------------------------------------------------------------------


def test_the_nearest_file_up_to_the_repository_root_is_read(project):
    """A file in a folder goes before the repository's; outside the repository none is looked for."""
    (project.parent / "genops.yaml").write_text("attribution: {team: outside}")
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    assert load(environ=LOGIN, cwd=inner).source is None
    (project / "genops.yaml").write_text("attribution: {team: root}")
    assert load(environ=LOGIN, cwd=inner).source == project / "genops.yaml"
    (project / "a" / "genops.yml").write_text("attribution: {team: near}")
    assert resolved(load(environ=LOGIN, cwd=inner)).team == "near"


def test_outside_a_repository_only_the_working_directory_counts(tmp_path):
    """Nobody's file higher up applies by accident."""
    (tmp_path / "genops.yaml").write_text("log_level: debug")
    inner = tmp_path / "inner"
    inner.mkdir()
    assert load(environ=LOGIN, cwd=inner).log_level == "warning"
    assert load(environ=LOGIN, cwd=tmp_path).log_level == "debug"


def test_two_files_in_one_folder_are_refused(project):
    """Which of the two applies must not depend on us."""
    (project / "genops.yaml").touch()
    (project / "genops.yml").touch()
    with pytest.raises(ConfigurationError, match=r"has both genops.yaml and genops.yml(.|\n)*fix: rm .*genops.yml"):
        load(environ=LOGIN, cwd=project)


def test_a_named_file_goes_before_a_found_one_and_the_variable_before_both(project):
    """GENOPS_CONFIG over config_file over genops.yaml."""
    for name in ("genops", "argument", "variable"):
        (project / f"{name}.yaml").write_text(f"attribution: {{team: {name}}}")
    environ = {**LOGIN, "GENOPS_CONFIG": "variable.yaml"}
    assert resolved(load(config_file="argument.yaml", environ=LOGIN, cwd=project)).team == "argument"
    assert resolved(load(config_file="argument.yaml", environ=environ, cwd=project)).team == "variable"


@pytest.mark.parametrize(
    ("arguments", "who"),
    [({"environ": {"GENOPS_CONFIG": "no.yaml"}}, "GENOPS_CONFIG"), ({"config_file": "no.yaml"}, "config_file")],
)
def test_a_named_file_that_is_not_there_is_an_error(project, arguments, who):
    """What is asked for by name and missing raises, and says who named it."""
    with pytest.raises(ConfigurationError, match=rf"{who} names .*no.yaml, which is not there.\n  fix: create it"):
        load(**{"environ": LOGIN, **arguments}, cwd=project)


def test_the_example_file_is_read_and_says_what_it_seems_to(project):
    """genops.example.yaml in the root is a working file."""
    settings = load(config_file=ROOT / "genops.example.yaml", environ={}, cwd=project)
    small, one, eu = settings.policies.policies
    assert small.match == {"environment": ("development", "staging")}
    assert small.source.endswith("genops.example.yaml:21")
    assert one.max_cost_per_request == Decimal("0.50")
    assert (eu.mode, eu.on_unknown_region) == (PolicyMode.WARN, Unknown.BLOCK)
    assert settings.rules.rules["team"].mode is RuleMode.BLOCK
    assert settings.baggage == ("team", "customer_id")
    assert set(settings.prices) == {"model_aliases", "custom_rates", "discounts"}
    assert resolved(settings).tags == {"tier": "gold"}


# -- arguments ---------------------------------------------------------------------------------------------------------


def test_an_unknown_argument_is_refused_with_the_nearest(project):
    """configure(teem=...) says what it does not know and what it does."""
    with pytest.raises(ConfigurationError) as refused:
        load({"teem": "x"}, environ=LOGIN, cwd=project)
    assert str(refused.value).startswith("genops.configure(): unknown key 'teem'. Did you mean 'team'?\n  fix: use ")


def test_an_argument_of_none_is_not_given(project):
    """Passing through an optional value needs no condition."""
    assert resolved(load({"team": None, "log_level": None}, environ=LOGIN, cwd=project)).team == "ada"


def test_an_attribute_given_twice_is_refused(project):
    """team= and attribution={"team": ...} cannot both be meant."""
    with pytest.raises(ConfigurationError, match="team is given twice"):
        load({"team": "a", "attribution": {"team": "b"}}, environ=LOGIN, cwd=project)


def test_a_float_is_no_money(project):
    """An amount from code is exact or refused."""
    policy = {"name": "cap", "max_cost_per_request": 0.1}
    with pytest.raises(ConfigurationError, match=r"policies\[0\].max_cost_per_request is '0.1', expected an exact"):
        load({"policies": [policy]}, environ=LOGIN, cwd=project)


def test_policies_of_code_and_file_all_apply(project):
    """A list of policies in the file does not silently switch off one from code."""
    (project / "genops.yaml").write_text("policies: [{name: f, deny_models: [x]}]")
    settings = load({"policies": [{"name": "a", "deny_models": ["y"]}]}, environ=LOGIN, cwd=project)
    assert [(policy.name, policy.source) for policy in settings.policies.policies] == [
        ("a", "genops.configure()"),
        ("f", "genops.yaml:1"),
    ]


# -- OpenTelemetry -----------------------------------------------------------------------------------------------------


def test_the_resource_names_project_team_and_environment(project):
    """service.name, service.namespace and deployment.environment.name are governance, too."""
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=sea%20rch,deployment.environment.name=prod,service.name=x",
        "OTEL_SERVICE_NAME": "checkout",
    }
    assert resolved(load(environ=environ, cwd=project)) == Attribution(
        team="sea rch", project="checkout", environment="prod"
    )


def test_genops_variables_go_before_the_resource_and_the_resource_before_otel_variables(project):
    """The application's own resource is what it exports; GENOPS_* is said to us alone."""
    environ = {"OTEL_SERVICE_NAME": "variable", "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=v", "GENOPS_TEAM": "g"}
    settings = load(environ=environ, cwd=project, resource={"service.name": "own", "service.namespace": "own"})
    assert (resolved(settings).project, resolved(settings).team) == ("own", "g")


def test_a_service_without_a_name_is_passed_over(project):
    """The SDK's unknown_service is a placeholder."""
    settings = load(environ=LOGIN, cwd=project, resource={"service.name": "unknown_service:python"})
    assert resolved(settings).project == "shop"


def test_otel_endpoints_are_detected():
    """One endpoint for all signals, or one for each; a disabled SDK sends nowhere."""
    assert not detect_otel_environment({}).has_endpoint
    common = detect_otel_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"})
    assert (common.traces_endpoint, common.logs_endpoint) == ("http://c:4318", "http://c:4318")
    one = detect_otel_environment({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m", "OTEL_TRACES_EXPORTER": "none"})
    assert (one.has_endpoint, one.traces_endpoint, one.traces_exporter) == (True, None, "none")
    assert not detect_otel_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "TRUE"}).has_endpoint


def test_environment_variable_of_a_vendor(monkeypatch):
    """Blank is not set."""
    monkeypatch.setenv("SOME_KEY", " secret ")
    monkeypatch.setenv("BLANK_KEY", " ")
    assert environment_variable("SOME_KEY") == "secret"
    assert environment_variable("BLANK_KEY") is None
    assert environment_variable("NO_SUCH_KEY_AT_ALL") is None


# -- derived values ----------------------------------------------------------------------------------------------------


def test_what_nobody_gives_is_derived_with_its_origin(project):
    """A program that sets nothing is accounted to its repository and its user."""
    assert derive(LOGIN, project / "x", "train.py") == {
        "team": ("ada", "the login name"),
        "project": ("shop", "the repository's folder"),
        "environment": ("development", "the default"),
    }


@pytest.mark.parametrize(
    ("program", "project"),
    [
        ("/srv/train.py", ("train", "the program")),
        ("-c", ("work", "the working directory")),
        ("/bin/uvicorn", ("work", "the working directory")),
        ("", ("work", "the working directory")),
    ],
)
def test_outside_a_repository_the_program_names_the_project(tmp_path, program, project):
    """A launcher's name says nothing; then it is the folder's."""
    assert derive(LOGIN, tmp_path / "work", program)["project"] == project


def test_placeholders_are_never_derived():
    """A root user in / with a placeholder login still gets names that mean something."""
    derived = derive({"USER": "unknown", "LOGNAME": "default"}, Path("/"), "-c")
    assert {value for value, _ in derived.values()}.isdisjoint({"unknown", "default", ""})


def test_the_origins_reach_the_settings(project):
    """The warning about a derived value can say where it comes from."""
    assert load(environ=LOGIN, cwd=project).attribution.origins["team"] == "the login name"


def test_without_a_repository_a_program_or_a_folder_the_login_names_the_project():
    """A console in the root folder is the user's."""
    assert derive(LOGIN, Path("/"), "-c")["project"] == ("ada", "the login name")


def test_a_user_without_a_name_is_accounted_to_the_project(tmp_path, monkeypatch):
    """A container's user id often has no name; then the team is the project."""

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert derive({}, tmp_path / "work", "")["team"] == ("work", "the project")
    assert derive({}, Path("/"), "")["project"] == ("python", "what runs")


def test_without_a_login_variable_the_user_database_is_asked(tmp_path, monkeypatch):
    """Services often run without USER."""
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name="ada"))
    assert derive({}, tmp_path, "")["team"] == ("ada", "the login name")


@pytest.mark.parametrize(
    ("spec", "argv", "project"),
    [(SimpleNamespace(name="shop.__main__"), ["x"], "shop"), (None, ["/srv/train.py"], "train"), (None, [], "work")],
)
def test_what_runs_names_a_program(tmp_path, monkeypatch, spec, argv, project):
    """`python -m shop` is shop, `python train.py` is train, a console is its folder."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    monkeypatch.setattr(sys, "argv", argv)
    assert derive(LOGIN, tmp_path / "work")["project"][0] == project


def test_a_folder_may_be_a_path(project, tmp_path):
    """From code, a Path is as good as text."""
    assert load({"ledger": {"dir": tmp_path}}, environ=LOGIN, cwd=project).ledger.dir == tmp_path
