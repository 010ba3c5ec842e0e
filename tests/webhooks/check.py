"""What kubectl sees with the webhooks in place. check.py KUBECTL, with KUBECONFIG set."""
import json
import pathlib
import subprocess
import sys
import time

import yaml

KUBECTL = sys.argv[1]
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT.parent / "e2e" / "scenarios"))
from manifests import all_bad, try_at_apply  # noqa: E402
wrong = []


def kubectl(*arguments, feed=None):
    return subprocess.run([KUBECTL, "-n", "shop", *arguments], input=feed, capture_output=True, text=True, timeout=60)


def apply(document):
    return kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", feed=json.dumps(document))


def expect(what, true, seen=""):
    if not true:
        wrong.append(f"{what}: {seen}")


def clear():
    kubectl("delete", "backupschedules,failoverpolicies,replicationlinks", "--all", "--timeout=30s")


def until(what, true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            sys.exit(f"FAILED: {what}: not within {seconds} s")
        time.sleep(0.2)


def bundles():
    out = []
    for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
        item = json.loads(kubectl("get", kind, "twinspan", "-o", "json").stdout)
        out += [one["clientConfig"].get("caBundle") for one in item["webhooks"]]
    return out


def rules(file):
    documents = yaml.load_all((ROOT.parent / file).read_text(), Loader=yaml.CSafeLoader)
    return {one["kind"]: [hook["rules"] for hook in one["webhooks"]] for one in documents if one and one["kind"].endswith("WebhookConfiguration")}


expect("these configurations ask for what the chart's ask for", rules("tests/webhooks/configurations.yaml") == rules("dist/twinspan.yaml"),
       rules("tests/webhooks/configurations.yaml"))

good = {"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink", "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"engine": "Postgres", "source": {"name": "east", "postgres": {"managed": {"storage": {"size": "10Gi"}}}},
                 "targets": [{"name": "west", "postgres": {"managed": {"storage": {"size": "1Gi"}}}}]}}

until("the operator writes its authority's bundle into both configurations", lambda: all(bundles()))
until("a right link is admitted", lambda: apply(good).returncode == 0)
clear()

answer = apply(good)
expect("a small volume is warned of", "Warning: spec.targets[0].postgres.managed.storage.size" in answer.stderr, answer.stderr)
link = json.loads(kubectl("get", "replicationlink", "orders", "-o", "json").stdout)
expect("lagThreshold.seconds is filled in", link["spec"]["lagThreshold"].get("seconds") == 1, link["spec"]["lagThreshold"])
kubectl("annotate", "replicationlink", "orders", "twinspan.dev/protected=true")
answer = kubectl("delete", "replicationlink", "orders", "--timeout=10s")
expect("a protected link is not deleted", answer.returncode != 0 and "twinspan.dev/protected" in answer.stderr, answer.stderr)
kubectl("annotate", "replicationlink", "orders", "twinspan.dev/protected-")
expect("and is, once it is protected no more", kubectl("delete", "replicationlink", "orders", "--timeout=20s").returncode == 0)

# What people do to the authority: it is made again and trusted again, by itself.
unwise = json.loads(json.dumps(good))
unwise["spec"]["source"]["postgres"]["managed"]["parameters"] = {"port": "5433"}
answer = apply(unwise)
expect("the settings that are the agent's are refused", "parameters[port]" in answer.stderr, answer.stderr)
before = bundles()
kubectl("delete", "secret", "twinspan-ca")
until("a lost authority is written again", lambda: kubectl("get", "secret", "twinspan-ca").returncode == 0)
expect("the API server trusts it all the time", bundles() == before and "parameters[port]" in apply(unwise).stderr, apply(unwise).stderr)
for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
    kubectl("patch", kind, "twinspan", "--type=json", "-p", '[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]')
until("a bundle that a hand took away is written again", lambda: bundles() == before)
until("and still refuses", lambda: "parameters[port]" in apply(unwise).stderr)
clear()

refused, warned, others = try_at_apply(all_bad(), apply, clear)
wrong += others
print(f"webhooks: {refused} of {refused + warned} wrong manifests refused by kubectl apply, {warned} admitted with a warning")
if wrong:
    sys.exit("FAILED:\n" + "\n".join(wrong))
