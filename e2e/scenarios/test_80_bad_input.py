"""Wrong manifests: refused by the API server, or by the operator with the field named."""
import json

from link import GROUP, condition
from manifests import all_bad
from waiting import until

PLURAL = {"ReplicationLink": "replicationlinks", "FailoverPolicy": "failoverpolicies"}


def apply(target, namespace, document):
    document["metadata"]["namespace"] = namespace
    return target.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", feed=json.dumps(document), check=False)


def namespaces(target, names):
    target.kubectl("apply", "--server-side", "-f", "-", feed="\n---\n".join(
        json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) for name in names))


def test_the_api_server_refuses_with_the_field_named(target):
    wrong, refused = [], 0
    namespace = "bad-manifests"
    namespaces(target, [namespace])
    try:
        for bad in (one for one in all_bad() if one.refused_by in ("schema", "cel")):
            for document in bad.before:
                made = apply(target, namespace, document)
                assert made.returncode == 0, f"{bad.name}: a document before the last was refused: {made.stderr}"
            answer = apply(target, namespace, bad.wrong)
            if answer.returncode == 0:
                wrong.append(f"{bad.name}: accepted")
            elif bad.leaf not in answer.stderr:
                wrong.append(f"{bad.name}: refused without naming {bad.field}: {answer.stderr}")
            else:
                refused += 1
            if bad.before or answer.returncode == 0:
                target.kubectl("-n", namespace, "delete", "replicationlinks,failoverpolicies", "--all", "--timeout=30s", check=False)
    finally:
        target.kubectl("delete", "namespace", namespace, "--wait=false")
    assert not wrong, "\n".join(wrong)
    assert refused >= 30, f"only {refused} manifests were tried"


def test_the_operator_refuses_the_rest_with_the_field_named(target, operators):
    """Each in a namespace of its own, all at once; refused means Stalled=True, and not one pod comes of it."""
    table = [one for one in all_bad() if one.refused_by == "reconciler"]
    names = {bad.name: f"bad-{bad.name}"[:60] for bad in table}
    restarts = operators.restarts()
    namespaces(target, names.values())
    try:
        for bad in table:
            for document in [*bad.before, bad.wrong]:
                answer = apply(target, names[bad.name], document)
                assert answer.returncode == 0, f"{bad.name}: the API server refused it: {answer.stderr}"

        def judged():
            left = []
            for bad in table:
                item = target.api.get(f"{GROUP}/namespaces/{names[bad.name]}/{PLURAL[bad.wrong['kind']]}/{bad.wrong['metadata']['name']}")
                stalled = condition(item, "Stalled")
                if stalled.get("status") != "True" or bad.field not in stalled.get("message", ""):
                    left.append(f"{bad.name}: Stalled is {stalled}, {bad.field} must be named")
            return not left or "\n".join(left)

        until(f"{len(table)} manifests refused by the operator", judged, 30, every=0.5)
        pods = [f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for bad in table if not bad.before
                for pod in target.api.items(f"/api/v1/namespaces/{names[bad.name]}/pods")]
        assert not any(bad.wrong["kind"] == "ReplicationLink" and pod.startswith(names[bad.name] + "/") for bad in table for pod in pods), pods
        assert operators.restarts() == restarts, "an operator died of a wrong manifest"
    finally:
        for bad in table:
            target.kubectl("-n", names[bad.name], "delete", "replicationlinks,failoverpolicies", "--all", "--wait=false", check=False)
            target.kubectl("delete", "namespace", names[bad.name], "--wait=false", check=False)
