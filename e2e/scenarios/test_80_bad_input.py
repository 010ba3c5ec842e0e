"""Wrong manifests: refused by the API server, or by the operator with the field named."""
import json
import subprocess

import pytest

import figures
from link import GROUP, condition
from manifests import all_bad, try_at_apply
from waiting import until

WITHOUT_WEBHOOK = {"twinspan.dev/webhook": "off"}  # as e2e/run tells the chart
PLURAL = {"ReplicationLink": "replicationlinks", "FailoverPolicy": "failoverpolicies", "BackupSchedule": "backupschedules", "Backup": "backups", "Restore": "restores"}


def apply(target, namespace, document, query=""):
    """As kubectl does it (tests/webhooks/run has kubectl itself apply all of them)."""
    document["metadata"]["namespace"] = namespace
    error, warnings = target.api.apply(f"{GROUP}/namespaces/{namespace}/{PLURAL[document['kind']]}", document, query)
    return subprocess.CompletedProcess([], 1 if error else 0, "", "".join(f"Warning: {one}\n" for one in warnings) + error)


def namespaces(target, names, labels=None):
    target.kubectl("apply", "--server-side", "-f", "-", feed="\n---\n".join(
        json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}) for name in names))


def refused_at_apply(target, manifests, namespace):
    namespaces(target, [namespace])
    try:
        refused, warned, wrong = try_at_apply(
            manifests, lambda document: apply(target, namespace, document),
            lambda: target.kubectl("-n", namespace, "delete", ",".join(PLURAL.values()), "--all", "--timeout=30s", check=False))
    finally:
        target.kubectl("delete", "namespace", namespace, "--wait=false")
    assert not wrong, "\n".join(wrong)
    return refused, warned


def test_the_api_server_refuses_with_the_field_named(target):
    refused, _ = refused_at_apply(target, [one for one in all_bad() if one.refused_by in ("schema", "cel")], "bad-schemas")
    assert refused >= 30, f"only {refused} manifests were tried"


@pytest.mark.needs("helm")
def test_kubectl_apply_refuses_all_of_them(target, operators):
    """By the webhook of the chart as it is installed by default: its Service, its authority, its rights."""
    operators.wait_ready()
    sample = next(bad.wrong for bad in all_bad() if bad.refused_by == "reconciler" and not bad.before and not bad.warned_of)
    until("the API server trusts the webhook", lambda: apply(target, "default", sample, "&dryRun=All").returncode != 0, 60)
    refused, warned = refused_at_apply(target, all_bad(), "bad-manifests")
    figures.record("wrong manifests refused at apply", refused, "")
    figures.record("wrong manifests admitted with a warning", warned, "")
    assert refused >= 170, f"only {refused} manifests were tried"


def test_the_operator_refuses_the_rest_with_the_field_named(target, operators):
    """As while no webhook answers. Each in a namespace of its own, all at once; refused means Stalled=True, of a BackupSchedule Ready=False, and not one pod comes of it."""
    table = [one for one in all_bad() if one.refused_by == "reconciler"]
    names = {bad.name: f"bad-{bad.name}"[:60] for bad in table}
    restarts = operators.restarts()
    namespaces(target, names.values(), WITHOUT_WEBHOOK)
    try:
        def applied(bad, documents):
            for document in documents:
                answer = apply(target, names[bad.name], document)
                assert answer.returncode == 0, f"{bad.name}: the API server refused it: {answer.stderr}"

        for bad in table:
            applied(bad, bad.before)
        # Nobody says which of two links is looked at first: a name is taken once its object is there.
        taken = {f"{names[bad.name]}/{pod}" for bad in table for pod in bad.taken}
        until(f"pods {taken}", lambda: all(target.api.get(f"/api/v1/namespaces/{pod.replace('/', '/pods/')}") for pod in taken), 60)
        for bad in table:
            applied(bad, [bad.wrong])

        def judged():
            left = []
            for bad in table:
                item = target.api.get(f"{GROUP}/namespaces/{names[bad.name]}/{PLURAL[bad.wrong['kind']]}/{bad.wrong['metadata']['name']}")
                kind, wanted = ("Ready", "False") if bad.wrong["kind"] == "BackupSchedule" else ("Stalled", "True")
                said = condition(item, kind)
                if said.get("status") != wanted or bad.field not in said.get("message", ""):
                    left.append(f"{bad.name}: {kind} is {said}, {bad.field} must be named")
            return not left or "\n".join(left)

        until(f"{len(table)} manifests refused by the operator", judged, 180, every=0.5)
        pods = [f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for bad in table if not bad.before
                for pod in target.api.items(f"/api/v1/namespaces/{names[bad.name]}/pods")]
        assert not any(bad.wrong["kind"] == "ReplicationLink" and pod.startswith(names[bad.name] + "/") for bad in table for pod in pods), pods
        assert operators.restarts() == restarts, "an operator died of a wrong manifest"
    finally:
        for bad in table:
            target.api.delete(f"{GROUP}/namespaces/{names[bad.name]}/{PLURAL[bad.wrong['kind']]}")
        target.kubectl("delete", "namespace", *names.values(), "--wait=false", check=False)
