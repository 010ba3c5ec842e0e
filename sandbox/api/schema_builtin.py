#!/usr/bin/python3
"""Reduces a real API server's OpenAPI documents to what the sandbox needs of the built-in kinds: schema_builtin.json.

    kubectl get --raw /openapi/v3/api/v1 > DIR/api_v1.json     (and so on for each group below)
    schema_builtin.py DIR > schema_builtin.json

Descriptions go, single-element allOf wrappers are unfolded, and definitions get their short names. The documents come from
Kubernetes (Apache-2.0); run this again when the sandbox is to speak a newer version.
"""
import json
import sys

KINDS = {
    "api_v1": "core.v1: Namespace Pod Service Secret ConfigMap ServiceAccount PersistentVolumeClaim PersistentVolume Node Event Endpoints",
    "apis_apps_v1": "apps.v1: Deployment StatefulSet ReplicaSet",
    "apis_apiextensions.k8s.io_v1": "apiextensions.v1: CustomResourceDefinition",
    "apis_coordination.k8s.io_v1": "coordination.v1: Lease",
    "apis_discovery.k8s.io_v1": "discovery.v1: EndpointSlice",
    "apis_policy_v1": "policy.v1: PodDisruptionBudget",
    "apis_networking.k8s.io_v1": "networking.v1: NetworkPolicy",
    "apis_rbac.authorization.k8s.io_v1": "rbac.v1: Role RoleBinding ClusterRole ClusterRoleBinding",
    "apis_scheduling.k8s.io_v1": "scheduling.v1: PriorityClass",
    "apis_storage.k8s.io_v1": "storage.v1: StorageClass",
}
KEPT = ("type", "required", "enum", "format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
        "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-map-type",
        "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def short(name):
    for prefix in ("io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apimachinery.pkg.", "io.k8s.apiextensions-apiserver.pkg.apis."):
        if name.startswith(prefix):
            return name[len(prefix):]
    return name


def reduce(schema, wanted):
    if len(schema.get("allOf", [])) == 1:
        schema = {**{k: v for k, v in schema.items() if k != "allOf"}, **schema["allOf"][0]}
    out = {k: schema[k] for k in KEPT if k in schema}
    if schema.get("default") not in (None, {}, "", 0, False):
        out["default"] = schema["default"]
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        wanted.append(name)
        out["$ref"] = short(name)
    if "oneOf" in schema:  # IntOrString and Quantity
        out["x-kubernetes-int-or-string"] = True
        out.pop("type", None)
    if "properties" in schema:
        out["properties"] = {k: reduce(v, wanted) for k, v in sorted(schema["properties"].items())}
    for k in ("items", "additionalProperties"):
        if isinstance(schema.get(k), dict):
            out[k] = reduce(schema[k], wanted)
    return out


def main():
    definitions = {}
    for document, kinds in KINDS.items():
        with open(f"{sys.argv[1]}/{document}.json", encoding="utf-8") as f:
            schemas = json.load(f)["components"]["schemas"]
        group, names = kinds.split(":")
        prefix = "io.k8s.apiextensions-apiserver.pkg.apis." if group.startswith("apiext") else "io.k8s.api."
        wanted = [prefix + group + "." + n for n in names.split()]
        while wanted:
            name = wanted.pop()
            if short(name) not in definitions:
                definitions[short(name)] = reduce(schemas[name], wanted)
    print("{")
    rows = [f"{json.dumps(n)}: {json.dumps(definitions[n], separators=(',', ':'), sort_keys=True)}" for n in sorted(definitions)]
    print(",\n".join(rows))
    print("}")


if __name__ == "__main__":
    main()
