#!/bin/bash
# Real kubectl against the sandbox: what people type, with what they should see. Usage: kubectl.sh SANDBOX_PROGRAM [KUBECTL]
set -u
SANDBOX=$1
KUBECTL=${2:-kubectl}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
export KUBECONFIG=$WORK/kubeconfig HOME=$WORK
FAILED=0 CHECKS=0

"$SANDBOX" --kubeconfig-out "$KUBECONFIG" --crds "$ROOT/crds" 2>"$WORK/sandbox.log" &
SERVER=$!
trap 'kill $SERVER 2>/dev/null; wait $SERVER 2>/dev/null; rm -rf "$WORK"' EXIT
for _ in $(seq 100); do [ -s "$KUBECONFIG" ] && break; sleep 0.1; done

k() { timeout 30 "$KUBECTL" "$@" 2>&1; }
# expect WHAT PATTERN COMMAND...: the output holds the extended regular expression.
expect() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@")
  CHECKS=$((CHECKS + 1))
  if ! grep -qE -- "$pattern" <<<"$out"; then
    FAILED=$((FAILED + 1))
    printf 'FAILED: %s\n  expected: %s\n  got: %s\n' "$what" "$pattern" "$out"
  fi
}
reject() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@")
  CHECKS=$((CHECKS + 1))
  if grep -qE -- "$pattern" <<<"$out"; then
    FAILED=$((FAILED + 1))
    printf 'FAILED: %s\n  must not hold: %s\n  got: %s\n' "$what" "$pattern" "$out"
  fi
}

cat >"$WORK/namespace.yaml" <<'Y'
apiVersion: v1
kind: Namespace
metadata: {name: shop}
Y
cat >"$WORK/link.yaml" <<'Y'
apiVersion: twinspan.dev/v1alpha1
kind: ReplicationLink
metadata: {name: orders, namespace: shop}
spec:
  engine: Postgres
  source: {name: east, postgres: {managed: {storage: {size: 1Gi}}}}
  targets:
  - {name: west, postgres: {managed: {storage: {size: 1Gi}}}}
Y
cat >"$WORK/more.yaml" <<'Y'
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: admin, port: 81}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, image: "img:1", env: [{name: A, value: "1"}]}, {name: d, image: "img:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: "1", b: "2"}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: held, namespace: shop}
spec: {holderIdentity: me, leaseDurationSeconds: 5}
Y

expect "server-side apply of a namespace" 'namespace/shop serverside-applied' k apply --server-side -f "$WORK/namespace.yaml"
expect "apply creates" 'orders created' k apply -f "$WORK/link.yaml"
expect "apply of several kinds" 'lease.*held created' k apply -f "$WORK/more.yaml"
expect "apply again changes nothing" 'service/web unchanged' k apply -f "$WORK/more.yaml"
sed -i 's/{name: d, image: "img:1"}/{name: d, image: "img:2"}/; s/, {name: admin, port: 81}//; s/, b: "2"//' "$WORK/more.yaml"
expect "apply changes one container by its name" 'pod/web-0 configured' k apply -f "$WORK/more.yaml"
expect "the other container is as it was" '^img:1 img:2$' k -n shop get pod web-0 -o 'jsonpath={.spec.containers[*].image}'
expect "apply removes a port" '^80$' k -n shop get svc web -o 'jsonpath={.spec.ports[*].port}'
expect "apply removes a key" '^\{"a":"1"\}$' k -n shop get cm settings -o 'jsonpath={.data}'
expect "server-side apply over client-side apply" 'orders serverside-applied' k apply --server-side -f "$WORK/link.yaml"
expect "another manager conflicts" 'conflicts? with "kubectl"' \
  bash -c "sed 's/size: 1Gi/size: 2Gi/' '$WORK/link.yaml' | timeout 30 $KUBECTL apply --server-side --field-manager=other -f - 2>&1"
expect "unless it forces" 'orders serverside-applied' \
  bash -c "sed 's/size: 1Gi/size: 2Gi/' '$WORK/link.yaml' | timeout 30 $KUBECTL apply --server-side --force-conflicts --field-manager=other -f - 2>&1"
expect "what it forced is there" '^2Gi$' k -n shop get rl orders -o 'jsonpath={.spec.source.postgres.managed.storage.size}'

expect "printer columns" '^NAME +ENGINE +TOPOLOGY +PRIMARY' k -n shop get replicationlinks
expect "short names" '^orders +Postgres +ActivePassive' k -n shop get rl
expect "wide" 'web-0 +0/2 +Pending +0 +[0-9]+s +<none> +<none>' k -n shop get pods -o wide
expect "cluster IPs are loopback" 'web +ClusterIP +127\.96\.[0-9]+\.[0-9]+' k -n shop get svc
expect "leases tell their holder" '^held +me' k -n shop get leases
expect "yaml with defaults filled in" 'deletionPolicy: Retain' k -n shop get rl orders -o yaml
expect "label selectors" 'web-0' k -n shop get pods -l 'app in (web,api),!missing' -o name
reject "label selectors leave out" 'web-0' k -n shop get pods -l app!=web -o name
expect "field selectors" 'web-0' k get pods -A --field-selector metadata.name=web-0,status.phase=Pending -o name
expect "describe a custom resource" 'Engine: +Postgres' k -n shop describe rl orders
expect "describe a pod" 'QoS Class: +BestEffort' k -n shop describe pod web-0
expect "describe a service" 'Selector: +app=web' k -n shop describe svc web
expect "explain a custom resource" 'engine.<string> -required-' k explain replicationlink.spec
expect "explain with enumerations" '^ENUM:' k explain replicationlink.spec.engine
expect "explain a built-in kind" 'containerPort' k explain pod.spec.containers.ports
expect "api-resources" 'replicationlinks +rl +twinspan.dev/v1alpha1 +true +ReplicationLink' k api-resources
expect "api-versions" '^twinspan.dev/v1alpha1$' k api-versions
expect "version" 'Server Version: v1\.34' k version

expect "label" 'labeled' k -n shop label rl orders tier=gold
expect "annotate" 'annotated' k -n shop annotate pod web-0 note=x
expect "merge patch" 'patched' k -n shop patch rl orders --type merge -p '{"spec":{"paused":true}}'
expect "a spec change is a generation" '^3$' k -n shop get rl orders -o 'jsonpath={.metadata.generation}'
expect "json patch" 'patched' k -n shop patch rl orders --type json -p '[{"op":"replace","path":"/spec/paused","value":false}]'
expect "strategic merge patch" 'patched' k -n shop patch pod web-0 -p '{"spec":{"containers":[{"name":"d","image":"img:3"}]}}'
expect "of one container only" '^img:1 img:3$' k -n shop get pod web-0 -o 'jsonpath={.spec.containers[*].image}'
expect "no strategic merge for custom resources" 'UnsupportedMediaType|unknown format|not supported' k -n shop patch rl orders --type strategic -p '{"spec":{"paused":true}}'
expect "status subresource" 'patched' k -n shop patch rl orders --subresource status --type merge -p \
  '{"status":{"primary":"east","conditions":[{"type":"Ready","status":"True","reason":"Replicating","message":"2 of 2","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}'
expect "is no new generation" '^4$' k -n shop get rl orders -o 'jsonpath={.metadata.generation}'
expect "conditions in columns" '^orders .* east .*True +2 of 2' k -n shop get rl
expect "nobody waits for a condition of a spec that was not looked at" 'timed out' k -n shop wait rl/orders --for=condition=Ready --timeout=1s
expect "status of the newest spec" 'patched' k -n shop patch rl orders --subresource status --type merge -p '{"status":{"observedGeneration":4}}'
expect "wait for a condition" 'condition met' k -n shop wait rl/orders --for=condition=Ready --timeout=5s
expect "wait for a field" 'condition met' k -n shop wait rl/orders --for=jsonpath='{.status.primary}'=east --timeout=5s

expect "a wrong value is named" 'spec.engine: Unsupported value: "X": supported values: "Postgres", "Kafka", "S3"' k -n shop patch rl orders --type merge -p '{"spec":{"engine":"X"}}'
expect "a wrong type is named" 'spec.paused in body must be of type boolean: "string"' k -n shop patch rl orders --type merge -p '{"spec":{"paused":"yes"}}'
expect "a rule is kept" 'spec.source.name: is immutable' k -n shop patch rl orders --type merge -p '{"spec":{"source":{"name":"north"}}}'
expect "an unknown field is refused" 'strict decoding error: unknown field "spec.bogus"' bash -c "sed 's/engine:/bogus: 1\n  engine:/' '$WORK/link.yaml' | timeout 30 $KUBECTL create -f - 2>&1"
expect "or told" 'Warning: unknown field "spec.bogus"' k -n shop patch rl orders --type merge -p '{"spec":{"bogus":1}}'
expect "an unknown field of a built-in kind" 'unknown field "spec.bogus"' bash -c "printf 'apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: shop}\nspec: {bogus: 1, ports: [{port: 1}]}\n' | timeout 30 $KUBECTL apply -f - 2>&1"
expect "a namespace must exist" 'namespaces "nowhere" not found' bash -c "sed 's/namespace: shop/namespace: nowhere/' '$WORK/link.yaml' | timeout 30 $KUBECTL apply -f - 2>&1"
expect "dry run" 'created \(server dry run\)' bash -c "sed 's/name: orders/name: dry/' '$WORK/link.yaml' | timeout 30 $KUBECTL apply --dry-run=server -f - 2>&1"
reject "leaves nothing" 'dry' k -n shop get rl -o name

timeout 20 "$KUBECTL" -n shop get rl orders -w >"$WORK/watch.txt" 2>&1 &
WATCH=$!
for _ in $(seq 50); do grep -q orders "$WORK/watch.txt" && break; sleep 0.1; done
k -n shop patch rl orders --subresource status --type merge -p '{"status":{"primary":"west"}}' >/dev/null
for _ in $(seq 50); do grep -q west "$WORK/watch.txt" && break; sleep 0.1; done
kill $WATCH 2>/dev/null
expect "get -w shows the change as a row" '^orders +Postgres +ActivePassive +west' cat "$WORK/watch.txt"

expect "delete" 'deleted' k -n shop delete pod web-0
expect "is gone" 'NotFound' k -n shop get pod web-0
expect "delete by selector" 'No resources found' k -n shop delete pods -l app=none
k -n shop patch rl orders --type merge -p '{"metadata":{"finalizers":["twinspan.dev/test"]}}' >/dev/null
k -n shop delete rl orders --wait=false >/dev/null
expect "a finalizer holds it" '^20' k -n shop get rl orders -o 'jsonpath={.metadata.deletionTimestamp}'
k -n shop patch rl orders --type merge -p '{"metadata":{"finalizers":null}}' >/dev/null
expect "until it goes" 'NotFound' k -n shop get rl orders
expect "a namespace takes its content along" 'namespace "shop" deleted' k delete namespace shop --timeout=10s
expect "nothing is left" 'No resources found' k get leases -A
expect "can-i" '^yes' k auth can-i create pods
expect "whoami" 'sandbox-admin' k auth whoami
expect "create namespace" 'created' k create namespace typed
expect "create secret" 'created' k -n typed create secret generic pw --from-literal=password=x
expect "its data is whole" '^eA==$' k -n typed get secret pw -o 'jsonpath={.data.password}'
expect "create deployment" 'created' k -n typed create deployment web --image=img --replicas=2
expect "a new kind is served once posted" 'created' k apply -f "$ROOT/tests/integration/kubectl-widget.yaml"
expect "and its objects" 'widget.*one created' bash -c "printf 'apiVersion: test.twinspan.dev/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: 3}\n' | timeout 30 $KUBECTL -n typed apply -f - 2>&1"
expect "a kind goes with its definition" 'deleted' k delete crd widgets.test.twinspan.dev --timeout=10s
expect "its objects too" 'the server doesn.t have a resource type|could not find the requested resource' k -n typed get widgets

echo "kubectl: $CHECKS checks, $FAILED failed"
[ $FAILED -eq 0 ]
