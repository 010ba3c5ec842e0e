#!/bin/bash
# The chart: lint, rendered manifests against tests/golden/chart, wrong values refused, schemas of Kubernetes by kubeconform; alerts, dashboard,
# plain manifests and what GitOps reads.
#   tests/chart.sh            compare
#   UPDATE=1 tests/chart.sh   write the golden files and dist/twinspan.yaml anew
# helm, kubeconform and a kube-apiserver that tells the schemas are taken from PATH or from where `e2e/cluster build` puts them; without
# one of them this ends with 77.
set -euo pipefail
cd "$(dirname "$0")/.."
clusters=${CLUSTER_HOME:-$HOME/.cache/clusters}
PATH=$PATH:$clusters/bin
for tool in helm kubeconform kube-apiserver; do
  command -v $tool >/dev/null || {
    echo "SKIPPED: no $tool in PATH or $clusters/bin (e2e/cluster build makes it)" | tee -a "${TWINSPAN_SKIPPED:-/dev/null}"; exit 77; }
done
e2e/cluster schemas
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "FAILED $*"; failed=1; }

helm lint --strict charts/twinspan >"$work/lint" 2>&1 || { cat "$work/lint"; complain "helm lint"; }

render() { helm template twinspan charts/twinspan --namespace twinspan-system --kube-version 1.34.4 "$@"; }
check() { # name values…
  local name=$1; shift
  render "$@" >"$work/$name.yaml" || { complain "helm template for $name"; return; }
  if [ -n "${UPDATE:-}" ]; then cp "$work/$name.yaml" "tests/golden/chart/$name.yaml"
  else diff -u "tests/golden/chart/$name.yaml" "$work/$name.yaml" || complain "$name differs from its golden file (UPDATE=1 writes it anew)"; fi
  conform "$name"
}
conform() { # name
  local name=$1
  # PodMonitor, ServiceMonitor and PrometheusRule are another operator's, links and policies our own; everything else must be known, and fields unknown to Kubernetes are refused.
  kubeconform -strict -summary -skip PodMonitor,ServiceMonitor,PrometheusRule,ReplicationLink,FailoverPolicy,Certificate,Issuer -schema-location "$clusters/schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$work/$name.yaml" \
    >"$work/conform" || { cat "$work/conform"; complain "kubeconform for $name"; }
}
refuse() { # what must be named, values…
  local what=$1; shift
  if render "$@" >"$work/refused" 2>&1; then complain "accepted: $*"
  else grep -q "$what" "$work/refused" || { cat "$work/refused"; complain "$* refused without naming $what"; }; fi
}

# What is packed into a tarball or an OCI artefact, or fetched from Git by Flux, holds no link to what lies beside it.
[ -z "$(find charts/twinspan -type l)" ] || complain "the chart has a symbolic link: $(find charts/twinspan -type l)"
diff -r crds charts/twinspan/files/crds >"$work/copies" || { cat "$work/copies"; complain "the chart's CRDs are not those of crds/ (make chart-crds copies them)"; }
helm package charts/twinspan --destination "$work" >/dev/null && packed=$(echo "$work"/twinspan-*.tgz) &&
  [ "$(helm template twinspan "$packed" --kube-version 1.34.4 | grep -c '^kind: CustomResourceDefinition')" = "$(ls crds/*.yaml | wc -l)" ] ||
  complain "the packed chart lacks CRDs"

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
check namespaced --set crds.install=false --set 'watchNamespaces={shop,streams}' --set networkPolicy.enabled=true --set networkPolicy.workers=true --set podMonitor.enabled=true --set webhook.enabled=true \
  --set 'networkPolicy.clientsFrom[0].namespaceSelector.matchLabels.team=shop' --set 'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring'
check secure --set crds.install=false --set metrics.secure=true --set serviceMonitor.enabled=true
check everything --values tests/golden/chart/everything.values.yaml

# The webhook is there where the chart grants the operator rights over the whole cluster, or where it is asked for; and the notes say which.
# What only the webhook needs has its name, port or kind.
sed 's/^/  /; 1s/^/notes: |\n/' charts/twinspan/templates/NOTES.txt >"$work/notes.yaml"
cp -r charts/twinspan "$work/noted" && rm "$work/noted/templates/NOTES.txt" && mv "$work/notes.yaml" "$work/noted/templates/notes.yaml"
webhook() { # on|off, grants|none, what the notes say, values…
  local wanted=$1 grants=$2 says=$3 here granted; shift 3
  render --set crds.install=false "$@" >"$work/webhook.yaml" || { complain "helm template with $*"; return; }
  here=$(grep -cE -e '^kind: (Validating|Mutating)WebhookConfiguration|--webhook-|containerPort: 9443|name: twinspan-webhook' "$work/webhook.yaml" || true)
  granted=$(grep -cE '^kind: (Cluster)?Role' "$work/webhook.yaml" || true)
  case $wanted in on) [ "$here" -ge 8 ] ;; off) [ "$here" = 0 ] ;; esac || complain "with '$*' the webhook is not $wanted: $here lines of it"
  case $grants in grants) [ "$granted" -gt 0 ] ;; none) [ "$granted" = 0 ] ;; esac || complain "with '$*' $granted roles and bindings, not $grants"
  helm template twinspan "$work/noted" --namespace twinspan-system --kube-version 1.34.4 --show-only templates/notes.yaml "$@" >"$work/said" || complain "the notes with $*"
  grep -qF "$says" "$work/said" || { cat "$work/said"; complain "with '$*' the notes don't say: $says"; }
  conform webhook
}
webhook on grants 'A webhook judges what is applied: wrong'
webhook off none 'No webhook judges what is applied: rbac.create is false' --set rbac.create=false
webhook off none 'rbac.create is false' --set rbac.create=false --set 'watchNamespaces={shop}'
webhook off none 'rbac.create is false' --set rbac.create=false --set networkPolicy.enabled=true --set webhook.certManager.enabled=true
webhook off grants 'webhook.enabled=true grants it' --set 'watchNamespaces={shop}'
webhook off grants 'webhook.enabled is false' --set webhook.enabled=false
webhook on grants 'judges what is applied in these namespaces' --set webhook.enabled=true --set 'watchNamespaces={shop}'
webhook on none 'auth can-i update mutatingwebhookconfigurations/twinspan --as=system:serviceaccount:twinspan-system:twinspan' --set webhook.enabled=true --set rbac.create=false
webhook on none 'no link or policy can be created or changed' --set webhook.enabled=true --set rbac.create=false --set webhook.failurePolicy=Fail
webhook on none 'A webhook judges what is applied: wrong' --set webhook.enabled=true --set rbac.create=false --set webhook.certManager.enabled=true

# On a kube-apiserver: rights in one namespace are enough where the chart grants nothing, and a second release of one name is told so.
on_a_server() {
  local missing tenant="--set rbac.create=false --set crds.install=false" said
  for missing in etcd kube-apiserver; do
    [ -x "$clusters/bin/$missing" ] || { echo "SKIPPED: the chart on a kube-apiserver: $clusters/bin/$missing is missing" | tee -a "${TWINSPAN_SKIPPED:-/dev/null}"; return; }
  done
  trap 'e2e/apiserver down "$work/apiserver"; rm -rf "$work"' EXIT
  KUBECONFIG=$(e2e/apiserver up "$work/apiserver") && export KUBECONFIG || { complain "no kube-apiserver"; return; }
  install() { helm install twinspan charts/twinspan --create-namespace "$@" >"$work/installed" 2>&1; }
  install --namespace blue || { cat "$work/installed"; complain "helm install"; return; }
  for said in "ClusterRole twinspan-view" "ValidatingWebhookConfiguration twinspan"; do
    case $said in Cluster*) set -- true false ;; *) set -- false true ;; esac
    if install --namespace green --set crds.install=false --set "rbac.create=$1" --set "webhook.enabled=$2"; then complain "a second release of one name, with the first's $said"
    else grep -qF "$said is of the release twinspan in the namespace blue" "$work/installed" || { cat "$work/installed"; complain "a second release of one name, without naming the first's $said"; }; fi
  done
  install --namespace green --set crds.install=false --set fullnameOverride=other || { cat "$work/installed"; complain "a second release of another name"; }
  helm upgrade twinspan charts/twinspan --namespace blue >"$work/installed" 2>&1 || { cat "$work/installed"; complain "helm upgrade of what is ours"; }
  helm install rights tests/golden/chart/tenant --namespace team --create-namespace >"$work/installed" 2>&1 || { cat "$work/installed"; complain "the tenant's rights"; }
  # shellcheck disable=SC2086
  { helm --kube-as-user tenant install twinspan charts/twinspan --namespace team $tenant && helm --kube-as-user tenant upgrade twinspan charts/twinspan --namespace team $tenant; } \
    >"$work/installed" 2>&1 || { cat "$work/installed"; complain "install and upgrade with rights in one namespace"; }
  # shellcheck disable=SC2086
  if helm --kube-as-user tenant upgrade twinspan charts/twinspan --namespace team $tenant --set webhook.enabled=true >"$work/installed" 2>&1; then
    complain "a tenant changed webhook configurations"
  fi
}
on_a_server

# The alerts as Prometheus reads them: what they say, and when they are silent.
render --show-only templates/prometheusrule.yaml --set prometheusRule.enabled=true >"$work/rules.yaml" || complain "helm template for the alerts"
tests/alerts/check rules "$work/rules.yaml" >"$work/alerts" || { [ $? = 77 ] || complain "the alerts"; }
cat "$work/alerts"; grep '^SKIPPED' "$work/alerts" >>"${TWINSPAN_SKIPPED:-/dev/null}" || true

# The dashboard comes out of the ConfigMap as it went in.
render --show-only templates/dashboard.yaml --set grafanaDashboard.enabled=true >"$work/dashboard.yaml" || complain "helm template for the dashboard"
conform dashboard
/usr/bin/python3 - "$work/dashboard.yaml" charts/twinspan/files/dashboards/twinspan.json <<'PY' || complain "the dashboard in the chart's ConfigMap"
import json, sys, yaml
config = yaml.safe_load(open(sys.argv[1]))
assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
assert json.loads(config["data"]["twinspan.json"]) == json.load(open(sys.argv[2]))
PY

# Two releases side by side, each in its namespace: no object of one is the other's, but for the CRDs, which one of them brings.
for name in blue green; do
  helm template $name charts/twinspan --namespace $name --kube-version 1.34.4 --set crds.install=false --values tests/golden/chart/everything.values.yaml --set fullnameOverride= \
    --set "watchNamespaces={shop-$name}" >"$work/$name.yaml" || complain "helm template for $name"
done
/usr/bin/python3 - "$work/blue.yaml" "$work/green.yaml" <<'PY' || complain "two releases have an object in common"
import sys, yaml
blue, green = ({(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in yaml.safe_load_all(open(path)) if o} for path in sys.argv[1:])
assert len(blue) > 10 and not blue & green, blue & green
PY

# Whose ids a cluster gives (OpenShift's restricted-v2) no pod of the chart may ask for any; everything else of "restricted" stays.
render --set fixedIds=false --set crds.install=false >"$work/openshift.yaml" || complain "helm template for OpenShift"
! grep -E 'runAsUser|runAsGroup|fsGroup' "$work/openshift.yaml" || complain "fixedIds=false leaves an id"
[ "$(grep -c 'runAsNonRoot: true' "$work/openshift.yaml")" = 2 ] || complain "pods that may run as root"

# Images: a digest goes before the tag, a registry for all takes the place of the one that a repository names.
digest=sha256:$(printf '0123456789abcdef%.0s' 1 2 3 4)
render --show-only templates/deployment.yaml --set global.imageRegistry=registry.internal:5000/mirror --set image.repository=quay.example/team/twinspan-operator \
  --set image.digest="$digest" --set-string worker.image.tag=9 --set 'global.imagePullSecrets[0].name=mirror' >"$work/images" || complain "helm template for images"
for line in "image: \"registry.internal:5000/mirror/team/twinspan-operator@$digest\"" "- --worker-image=registry.internal:5000/mirror/twinspan-worker:9" \
  "- --s3-worker-image=registry.internal:5000/mirror/team/twinspan-operator@$digest" "- --worker-image-pull-secret=mirror" "- name: mirror"; do
  grep -qF -e "$line" "$work/images" || complain "images: no line $line"
done

# The plain manifests are those of the chart.
helm template twinspan charts/twinspan --namespace twinspan --kube-version 1.34.4 --skip-tests | charts/manifests.py >"$work/twinspan.yaml" || complain "the plain manifests"
if [ -n "${UPDATE:-}" ]; then cp "$work/twinspan.yaml" dist/twinspan.yaml; fi
diff -u dist/twinspan.yaml "$work/twinspan.yaml" >"$work/dist" || { head -20 "$work/dist"; complain "dist/twinspan.yaml is not the chart's (make dist writes it anew)"; }
conform twinspan

# Argo CD's health checks and actions.
gitops/argocd/check >"$work/argocd" || { [ $? = 77 ] || complain "Argo CD's health checks and actions"; }
cat "$work/argocd"; grep '^SKIPPED' "$work/argocd" >>"${TWINSPAN_SKIPPED:-/dev/null}" || true

refuse replicas --set replicas=-1
refuse metrics.tokenSecret --set metrics.secure=true --set podMonitor.enabled=true
refuse secure --set-string metrics.secure=yes
refuse replicaCount --set replicaCount=3
refuse level --set log.level=loud
refuse pullPolicy --set image.pullPolicy=Sometimes
refuse watchNamespaces --set 'watchNamespaces={Shop}'
refuse lagSeconds --set prometheusRule.s3.lagSeconds=0
refuse lagRecords --set prometheusRule.kafka.lagRecords=0
refuse digest --set image.digest=latest
refuse fixedIds --set-string fixedIds=no
refuse runbookUrl --set prometheusRule.runbookUrl=docs
refuse disabled --set 'prometheusRule.disabled={Lag}'
refuse enabled --set-string webhook.enabled=yes
refuse failurePolicy --set webhook.failurePolicy=Never
refuse worker --set-json 'worker.imagePullSecrets=["registry"]'
refuse tag --set-json worker.image.tag=15
[ $failed = 0 ] && echo "chart: passed"
exit $failed
