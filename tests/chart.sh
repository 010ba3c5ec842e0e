#!/bin/bash
# The chart: lint, rendered manifests against tests/golden/chart, wrong values refused, schemas of Kubernetes by kubeconform.
#   tests/chart.sh            compare
#   UPDATE=1 tests/chart.sh   write the golden files anew
# helm and kubeconform are taken from PATH or from where `e2e/cluster build` puts them; the schemas from where
# `e2e/cluster up` (or `e2e/cluster schemas KUBECONFIG`) puts them.
set -euo pipefail
cd "$(dirname "$0")/.."
clusters=${CLUSTER_HOME:-$HOME/.cache/clusters}
PATH=$PATH:$clusters/bin
command -v helm >/dev/null || { echo "SKIPPED tests/chart.sh: no helm in PATH or $clusters/bin (e2e/cluster build makes it)"; exit 77; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "FAILED $*"; failed=1; }
quiet() { grep -v 'found symbolic link' || true; }

helm lint --strict charts/twinspan >"$work/lint" 2>&1 || { cat "$work/lint"; complain "helm lint"; }

render() { helm template twinspan charts/twinspan --namespace twinspan-system --kube-version 1.34.4 "$@" 2> >(quiet >&2); }
check() { # name values…
  local name=$1; shift
  render "$@" >"$work/$name.yaml" || { complain "helm template for $name"; return; }
  if [ -n "${UPDATE:-}" ]; then cp "$work/$name.yaml" "tests/golden/chart/$name.yaml"
  else diff -u "tests/golden/chart/$name.yaml" "$work/$name.yaml" || complain "$name differs from its golden file (UPDATE=1 writes it anew)"; fi
  conform "$name"
}
conform() { # name
  local name=$1
  if [ ! -f "$clusters/schemas/_definitions.json" ] || ! command -v kubeconform >/dev/null; then
    echo "SKIPPED kubeconform for $name: no kubeconform or no schemas in $clusters/schemas"; return
  fi
  # PodMonitor and PrometheusRule are another operator's; everything else must be known, and fields unknown to Kubernetes are refused.
  kubeconform -strict -summary -skip PodMonitor,PrometheusRule -schema-location "$clusters/schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$work/$name.yaml" \
    >"$work/conform" || { cat "$work/conform"; complain "kubeconform for $name"; }
}
refuse() { # what must be named, values…
  local what=$1; shift
  if render "$@" >"$work/refused" 2>&1; then complain "accepted: $*"
  else grep -q "$what" "$work/refused" || { cat "$work/refused"; complain "$* refused without naming $what"; }; fi
}

# The CRDs are those of crds/, whatever Helm makes of their layout, and stay when the release goes.
render --show-only templates/crds.yaml >"$work/crds.yaml" || complain "helm template for the CRDs"
/usr/bin/python3 - "$work/crds.yaml" crds/*.yaml <<'PY' || complain "the chart's CRDs differ from crds/"
import sys, yaml
rendered = {crd["metadata"]["name"]: crd for crd in yaml.safe_load_all(open(sys.argv[1])) if crd}
written = [yaml.safe_load(open(path)) for path in sys.argv[2:]]
assert len(rendered) == len(written), list(rendered)
for crd in written:
    copy = rendered[crd["metadata"]["name"]]
    assert copy["spec"] == crd["spec"], crd["metadata"]["name"]
    assert copy["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
PY
conform crds

check default --set crds.install=false
check one-replica --set crds.install=false --set replicas=1
check namespaced --set crds.install=false --set 'watchNamespaces={shop,streams}' --set networkPolicy.enabled=true --set podMonitor.enabled=true \
  --set 'networkPolicy.clientsFrom[0].namespaceSelector.matchLabels.team=shop' --set 'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring'
check everything --values tests/golden/chart/everything.values.yaml

refuse replicas --set replicas=-1
refuse replicaCount --set replicaCount=3
refuse level --set log.level=loud
refuse pullPolicy --set image.pullPolicy=Sometimes
refuse watchNamespaces --set 'watchNamespaces={Shop}'
refuse lagSeconds --set prometheusRule.s3.lagSeconds=0
refuse tag --set-json worker.image.tag=15
[ $failed = 0 ] && echo "chart: passed"
exit $failed
