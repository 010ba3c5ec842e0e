"""The CRD of ReplicationLinks with versions that the product has not, as JSON. more_versions.py PORT CA_BUNDLE STORED

v1beta1 is v1alpha1 with spec.lagThreshold under the name of spec.maximumLag; v2 is v1alpha1 again, and nobody converts it. STORED: the version that is kept.
"""
import copy
import json
import pathlib
import sys

import yaml

port, bundle, stored = sys.argv[1:]
crd = yaml.safe_load((pathlib.Path(__file__).resolve().parents[2] / "crds/replicationlinks.yaml").read_text())
first, = crd["spec"]["versions"]
beta, other = copy.deepcopy(first), copy.deepcopy(first)
beta["name"], other["name"] = "v1beta1", "v2"
spec = beta["schema"]["openAPIV3Schema"]["properties"]["spec"]
assert "lagThreshold" not in json.dumps(spec.get("x-kubernetes-validations", [])), "a rule asks for the field that is renamed: take another"
spec["properties"]["maximumLag"] = spec["properties"].pop("lagThreshold")
crd["spec"]["versions"] = [first, beta, other]
for version in crd["spec"]["versions"]:
    version["storage"] = version["name"] == stored
crd["spec"]["conversion"] = {
    "strategy": "Webhook",
    "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": f"https://localhost:{port}/convert", "caBundle": bundle}},
}
print(json.dumps(crd))
