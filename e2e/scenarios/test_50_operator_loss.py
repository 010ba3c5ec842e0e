"""The leading operator dies in the middle of a failover: another carries it through."""
import time

import pytest

import figures
import processes
from api import Watch
from trial import Trial


class KillAtStep:
    """Kills one process the moment the policy's status shows a step."""

    def __init__(self, link, step, pid):
        self.steps, self.killed_at = [], None
        self._step, self._pid = step, pid
        path = f"/apis/twinspan.dev/v1alpha1/namespaces/{link.namespace}/failoverpolicies"
        self._watch = Watch(link.target.api, path, f"fieldSelector=metadata.name%3D{link.policy_name}", self._changed)

    def _changed(self, arrived, _kind, policy):
        step = policy.get("status", {}).get("current", {}).get("step")
        if step and (not self.steps or self.steps[-1] != step):
            self.steps.append(step)
        if step == self._step and self.killed_at is None:
            processes.kill(self._pid)
            self.killed_at = arrived

    def stop(self):
        self._watch.stop()


def fail_over(link, operators, step, fault):
    leader = operators.wait_ready()
    process = operators.process(leader)
    with Trial(link, f"operator-lost-{step.lower()}") as trial:
        watch = KillAtStep(link, step, process)
        old = link.primary()
        began = time.monotonic()
        with fault(trial, old):
            gap = trial.writer.resumed(began, seconds=90)
        watch.stop()
        new = link.wait_primary([name for name in link.endpoint_names() if name != old])
        took_over = trial.timeline(began, new)
        operators.forget(leader)
        link.wait_healthy(90)
        whole = time.monotonic() - began
        record = link.wait_history(old, new)
        print(f"  leader killed at {step}: {'yes' if watch.killed_at else 'step never seen'}, steps {watch.steps}, {old} -> "
              f"{link.primary()}, gap {gap:.1f} s, whole again after {whole:.1f} s, {took_over}", flush=True)
        figures.record(f"leader killed at {step}: no writes", 1000 * gap, "ms")
        figures.record(f"leader killed at {step}: whole again", whole, "s")
        assert watch.killed_at, f"{step} was never shown, nothing was tested; steps were {watch.steps}"
        assert link.primary() != old, f"{old} is still primary"
        assert record["outcome"] == "Completed", f"history says {record}"
    assert operators.wait_ready() != leader


class Killed:
    def __init__(self, trial, _endpoint):
        self._trial = trial

    def __enter__(self):
        self._trial.kill_postmaster()

    def __exit__(self, *_):
        pass


def frozen_agent(trial, endpoint):
    return processes.Frozen(trial.link.agent(endpoint))


@pytest.mark.needs("node", "operators")
@pytest.mark.parametrize("step, fault", [("Fencing", frozen_agent), ("Electing", Killed), ("Promoting", Killed), ("Rerouting", Killed)])
def test_a_failover_whose_operator_dies_completes(link, operators, step, fault):
    fail_over(link, operators, step, fault)
