"""Fixtures: the target, the one link most scenarios share, what a scenario needs of its target, and evidence on failure."""
import os
import re
import subprocess

import pytest

import figures
from link import Link
from operator_logs import OperatorLogs
from operators import Operators
from target import ROOT, Target


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*abilities): what the target must have, see target.Target")


@pytest.fixture(scope="session")
def target():
    found = Target()
    yield found
    found.collect("at-the-end")
    found.close()


@pytest.fixture(scope="session", autouse=True)
def operator_logs(target):
    """Of every operator there is during the run; where operators are pods."""
    if "helm" not in target.has:
        yield None
        return
    logs = OperatorLogs(target)
    yield logs
    logs.close()
    for level, message, count, line in logs.complaints():
        figures.complained(f"{count:>5} × {level}: {message}   such as {line}")


@pytest.fixture(autouse=True)
def abilities(request, target):
    for marker in request.node.iter_markers("needs"):
        missing = set(marker.args) - target.has
        if missing:
            pytest.skip(f"SKIPPED on this target ({target.kind}): it has no {', '.join(sorted(missing))}")


@pytest.fixture(autouse=True)
def volumes():
    """A volume serves one claim, and a scenario's members are not to wait for one: on a cluster that e2e/run made."""
    if region := os.environ.get("E2E_REGION"):
        subprocess.run([ROOT / "e2e/cluster", "volumes", region, "16"], check=True, timeout=60)


@pytest.fixture(scope="session")
def operators(target):
    return Operators(target)


@pytest.fixture(scope="session")
def declared(target):
    """The link of examples/, applied once; on the sandbox and wherever volumes are missing the ephemeral one."""
    link = Link(target, "shop", "examples/postgres-volumes.yaml" if "volumes" in target.has else "examples/postgres.yaml")
    link.apply()
    yield link
    link.remove()


@pytest.fixture
def link(declared):
    """The shared link, healthy. What an earlier scenario left broken is put away, so that one failure stays one."""
    if declared.hopeless:
        pytest.fail(f"not tried, since a fresh link did not become healthy before: {declared.hopeless}")
    declared.apply()
    try:
        declared.wait_healthy(60)
    except AssertionError:
        declared.start_over()
    return declared


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and "target" in item.funcargs:
        folder = item.funcargs["target"].collect(re.sub(r"[^\w-]+", "-", item.name))
        report.sections.append(("evidence", str(folder)))


def pytest_terminal_summary(terminalreporter):
    for title, rows in (("measured", figures.table()), ("what operators complained of", figures.complaints())):
        if rows:
            terminalreporter.section(title)
            for row in rows:
                terminalreporter.write_line(row)
    figures.save()
