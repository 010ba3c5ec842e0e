#!/usr/bin/python3
"""Writes the plain manifests, dist/twinspan.yaml, from what Helm renders on standard input: for those who apply without Helm.

The namespace goes first, then the CustomResourceDefinitions. What only Helm reads is left out, its labels with it.
"""
import sys

import yaml

HEAD = """# Twinspan, without Helm: kubectl apply --server-side -f twinspan.yaml
# Written by `make dist` from charts/twinspan. The images are named as the chart names them: set those that your cluster can pull
# (docs/install.md).
"""
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace",
             "metadata": {"name": "twinspan", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


def plain(node):
    if isinstance(node, dict):
        for key in ("helm.sh/chart", "helm.sh/resource-policy"):
            node.pop(key, None)
        if node.get("app.kubernetes.io/managed-by") == "Helm":
            del node["app.kubernetes.io/managed-by"]
        for key, value in list(node.items()):
            plain(value)
            if key == "annotations" and value == {}:
                del node[key]
    elif isinstance(node, list):
        for one in node:
            plain(one)


objects = [one for one in yaml.load_all(sys.stdin, yaml.CSafeLoader) if one]
for one in objects:
    plain(one)
objects.sort(key=lambda one: one["kind"] != "CustomResourceDefinition")  # stable: Helm's order within
sys.stdout.write(HEAD + "".join("---\n" + yaml.dump(one, Dumper=yaml.CSafeDumper, sort_keys=False, width=140) for one in [NAMESPACE, *objects]))
