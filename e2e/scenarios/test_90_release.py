"""The chart's life: an upgrade under load, an uninstall that leaves the data serving, an installation that takes it up again."""
import os

import pytest

import figures
from trial import Trial
from waiting import until

pytestmark = pytest.mark.needs("helm")


def pods_of(link):
    return {name: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]) for name, pod in link.pods().items()}


def test_an_upgrade_of_the_release_disturbs_nobody(link, operators, target):
    before, old = pods_of(link), {pod["metadata"]["name"] for pod in operators.pods()}
    with Trial(link, "upgrade") as trial:
        target.helm("upgrade", target.release, "charts/twinspan", "-n", target.operator_namespace, "--reuse-values",
                    "--set", "podAnnotations.rolled=yes", "--wait", "--timeout=120s")
        operators.wait_ready()
        trial.writer.wait_for(50)
        pause = trial.writer.longest_pause(0)
        assert not trial.writer.refused(), f"writes failed: {trial.writer.refused()[:3]}"
    figures.record("helm upgrade: writes paused", 1000 * pause, "ms", "< 1000")
    assert figures.holds(pause, 1), f"writes paused for {1000 * pause:.0f} ms"
    until("the old operators are gone", lambda: not old & {pod["metadata"]["name"] for pod in operators.pods()} or f"still of {old}", 60)
    assert pods_of(link) == before, "workers were replaced by an upgrade that changes nothing about them"
    link.wait_healthy(120)


def test_helm_test_proves_an_installation(target):
    said = target.helm("test", target.release, "-n", target.operator_namespace, "--timeout=240s", seconds=300).stdout
    assert said.count("Succeeded") == 3, said  # its link, its policy and the client
    until("what it made is gone", lambda: "test" not in target.kubectl(
        "get", "replicationlinks,failoverpolicies,pods", "-n", target.operator_namespace, "-o", "name").stdout or "it is still there", 60)


def test_uninstalled_the_data_goes_on_serving_and_a_new_release_takes_it_up(link, operators, operator_logs, target):
    before = pods_of(link)
    with Trial(link, "uninstall") as trial:
        values = os.path.join(os.path.dirname(target.kubeconfig), "values.yaml")
        kept = target.helm("get", "values", target.release, "-n", target.operator_namespace, "-o", "yaml").stdout
        with open(values, "w") as file:
            file.write(kept)
        with operator_logs.denied():
            target.helm("uninstall", target.release, "-n", target.operator_namespace, "--wait", "--timeout=60s")
            until("no operator is left", lambda: not operators.pods() or "some are", 60)
        assert link.object(), "the link is gone with the release"
        trial.writer.wait_for(50)
        target.helm("install", target.release, "charts/twinspan", "-n", target.operator_namespace, "--values", values,
                    "--wait", "--timeout=120s")
        operators.wait_ready()
        trial.writer.wait_for(50)
        pause = trial.writer.longest_pause(0)
        assert not trial.writer.refused(), f"writes failed: {trial.writer.refused()[:3]}"
    assert figures.holds(pause, 1), f"writes paused for {1000 * pause:.0f} ms"
    assert pods_of(link) == before, "workers were replaced"
    link.wait_healthy(120)
