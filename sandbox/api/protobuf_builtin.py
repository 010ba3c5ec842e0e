#!/usr/bin/python3
"""Writes protobuf_builtin.json: the field numbers of the built-in kinds' messages, so that bodies in protobuf can be read.

    protobuf_builtin.py DIR_OF_k8s.io_api DIR_OF_k8s.io_apimachinery schema_builtin.json > api_protobuf_builtin.json

One entry a message: number → "name type", where []type is a list, {}type a map from strings, and a name that begins with a dot a
message whose fields stand in the outer object. The .proto files come from Kubernetes (Apache-2.0).
"""
import json
import pathlib
import re
import sys

ROOTS = {
    "core.v1": "Namespace Pod Service Secret ConfigMap ServiceAccount PersistentVolumeClaim PersistentVolume Node Event Endpoints Binding",
    "apps.v1": "Deployment StatefulSet ReplicaSet", "coordination.v1": "Lease", "discovery.v1": "EndpointSlice",
    "policy.v1": "PodDisruptionBudget Eviction", "networking.v1": "NetworkPolicy",
    "rbac.v1": "Role RoleBinding ClusterRole ClusterRoleBinding", "scheduling.v1": "PriorityClass", "storage.v1": "StorageClass",
    "authorization.v1": "SelfSubjectAccessReview SubjectAccessReview LocalSubjectAccessReview SelfSubjectRulesReview",
    "authentication.v1": "SelfSubjectReview TokenReview TokenRequest", "meta.v1": "DeleteOptions",
}


def short(name):
    name = name.lstrip(".")
    for prefix in ("k8s.io.api.", "k8s.io.apimachinery.pkg.apis.", "k8s.io.apimachinery.pkg."):
        if name.startswith(prefix):
            return name[len(prefix):]
    return name


def messages(folders):
    found = {}
    for folder in folders:
        for file in pathlib.Path(folder).rglob("generated.proto"):
            text = re.sub(r"//.*", "", file.read_text(encoding="utf-8"))
            package = short(re.search(r"^package ([\w.]+);", text, re.M).group(1))
            for name, body in re.findall(r"^message (\w+) \{(.*?)^\}", text, re.M | re.S):
                fields = {}
                for label, kind, field, number in re.findall(r"(optional|repeated|required|)\s*(map<string, [\w.]+>|[\w.]+) (\w+) = (\d+)", body):
                    mark = "[]" if label == "repeated" else ""
                    if kind.startswith("map<"):
                        mark, kind = "{}", kind[len("map<string, "):-1]
                    if "." in kind:
                        kind = short(kind)
                    elif kind[0].isupper():
                        kind = package + "." + kind
                    fields[number] = (field, mark, kind)
                found[package + "." + name] = fields
    return found


def main():
    found = messages(sys.argv[1:3])
    with open(sys.argv[3], encoding="utf-8") as f:
        schemas = json.load(f)
    out, wanted = {}, [f"{group}.{name}" for group, names in ROOTS.items() for name in names.split()]
    while wanted:
        name = wanted.pop()
        if name in out or name not in found:
            continue
        properties = schemas.get(name, {}).get("properties")
        out[name] = {}
        for number, (field, mark, kind) in found[name].items():
            inline = "." if properties is not None and field not in properties and "." in kind and not mark else ""
            out[name][number] = f"{inline}{field} {mark}{kind}"
            wanted.append(kind)
    rows = [f"{json.dumps(n)}: {json.dumps(out[n], separators=(',', ':'))}" for n in sorted(out)]
    print("{\n" + ",\n".join(rows) + "\n}")


if __name__ == "__main__":
    main()
