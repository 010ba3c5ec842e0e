"""Links written in one version and read in another. check.py KUBECTL PORT CA_BUNDLE, with KUBECONFIG set."""
import copy
import json
import pathlib
import subprocess
import sys
import time

KUBECTL, PORT, BUNDLE = sys.argv[1:]
HERE = pathlib.Path(__file__).resolve().parent
wrong = []


def run(*arguments, feed=None):
    return subprocess.run([KUBECTL, "-n", "shop", *arguments], input=feed, capture_output=True, text=True, timeout=60)


def kubectl(*arguments, feed=None):
    done = run(*arguments, feed=feed)
    if done.returncode:
        sys.exit(f"FAILED: kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def path(version, name=""):
    return f"/apis/twinspan.dev/{version}/namespaces/shop/replicationlinks" + (f"/{name}" if name else "")


def read(version, name="orders"):
    return json.loads(kubectl("get", "--raw", path(version, name)))


def write(document):
    version, name = document["apiVersion"].split("/")[1], document["metadata"]["name"]
    kubectl("replace", "--raw", path(version, name), "-f", "-", feed=json.dumps(document))


def expect(what, true, seen=""):
    if not true:
        wrong.append(f"{what}: {seen}")


def store(version):
    crd = subprocess.run([sys.executable, HERE / "more_versions.py", PORT, BUNDLE, version], capture_output=True, text=True, check=True).stdout
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", feed=crd)
    end = time.monotonic() + 60
    # The API server serves by the new definition a moment after it has taken it.
    while run("get", "--raw", "/apis/twinspan.dev/v1beta1").returncode or run("get", "--raw", path("v1beta1")).returncode:
        if time.monotonic() > end:
            sys.exit(f"FAILED: v1beta1 is not served: {run('get', '--raw', path('v1beta1')).stderr}")
        time.sleep(0.2)


def as_beta(document):
    out = copy.deepcopy(document)
    out["apiVersion"] = "twinspan.dev/v1beta1"
    out["spec"]["maximumLag"] = out["spec"].pop("lagThreshold")
    return out


def without_fields(document):
    """But for what the API server itself says of a version: who set a field, and the resourceVersion."""
    out = copy.deepcopy(document)
    for field in ("managedFields", "resourceVersion", "generation"):
        out["metadata"].pop(field, None)
    return out


def same(what, left, right):
    expect(what, without_fields(left) == without_fields(right), f"{without_fields(left)}\n  is not {without_fields(right)}")


def link(name):
    return {"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
            "metadata": {"name": name, "namespace": "shop", "labels": {"team": "shop"}, "annotations": {"example.com/note": "ünïcode \"quoted\""}},
            "spec": {"engine": "Postgres", "lagThreshold": {"seconds": 7, "bytes": 123456789012},
                     "source": {"name": "east", "postgres": {"managed": {"storage": {"size": "10Gi"}, "parameters": {"work_mem": "8MB"}}}},
                     "targets": [{"name": "west", "postgres": {"managed": {"storage": {"size": "10Gi"}}}}]}}


kubectl("create", "namespace", "shop")
store("v1alpha1")
for name in ("orders", "carts", "users"):
    kubectl("create", "--raw", path("v1alpha1"), "-f", "-", feed=json.dumps(link(name)))
said = {"status": {"primary": "east", "epoch": 3, "conditions": [{"type": "Ready", "status": "True", "reason": "AllReplicasStream", "message": "all well",
                                                                "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
kubectl("patch", "replicationlinks.v1alpha1.twinspan.dev", "orders", "--subresource=status", "--type=merge", "-p", json.dumps(said))

first = read("v1alpha1")
expect("what was written is there", first["spec"]["lagThreshold"] == {"seconds": 7, "bytes": 123456789012} and first["status"]["epoch"] == 3, first)
beta = read("v1beta1")
same("read as v1beta1: the same, under the other name", beta, as_beta(first))
listed = json.loads(kubectl("get", "--raw", path("v1beta1")))["items"]
expect("a list has all of them", [one["metadata"]["name"] for one in listed] == ["carts", "orders", "users"] and all("maximumLag" in one["spec"] for one in listed), listed)

beta["spec"]["maximumLag"]["seconds"] = 9
write(beta)
second = read("v1alpha1")
wanted = copy.deepcopy(first)
wanted["spec"]["lagThreshold"]["seconds"] = 9
same("written as v1beta1, read as v1alpha1: what was changed, and nothing else", second, wanted)
expect("it is one object", second["metadata"]["uid"] == first["metadata"]["uid"] and second["metadata"]["generation"] == first["metadata"]["generation"] + 1, second["metadata"])

# The other version is stored from now on: what lies there is converted when it is read, and as it is written.
store("v1beta1")
same("stored as v1alpha1, with v1beta1 the stored one", read("v1alpha1"), second)
write(read("v1alpha1"))
same("stored as v1beta1", read("v1alpha1"), second)
same("read as it is stored", read("v1beta1"), as_beta(second))
second["spec"]["lagThreshold"]["seconds"] = 11
latest = read("v1alpha1")
latest["spec"]["lagThreshold"]["seconds"] = 11
write(latest)
same("and written as v1alpha1", read("v1beta1"), as_beta(second))

refused = run("get", "--raw", path("v2", "orders"))
expect("a version that nobody knows is named", refused.returncode != 0 and "can't be made twinspan.dev/v2" in refused.stderr and "knows v1alpha1, v1beta1" in refused.stderr, refused.stderr)
if wrong:
    sys.exit("FAILED:\n" + "\n".join(wrong))
print("conversion: passed")
