{{- define "twinspan.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "twinspan.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "twinspan.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "twinspan.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "twinspan.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "twinspan.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "twinspan.selector" -}}
app.kubernetes.io/name: twinspan-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "twinspan.labels" -}}
{{ include "twinspan.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* REGISTRY/REPOSITORY:TAG@DIGEST. global.imageRegistry takes the place of the registry that a repository names. A digest goes before the tag. */}}
{{- define "twinspan.image" -}}
{{- $repository := .image.repository -}}
{{- with (.root.Values.global).imageRegistry -}}
{{- $parts := splitList "/" $repository -}}
{{- if and (gt (len $parts) 1) (or (regexMatch "[.:]" (first $parts)) (eq (first $parts) "localhost")) -}}{{- $repository = join "/" (rest $parts) -}}{{- end -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s%s@%s" $repository (ternary (printf ":%s" .image.tag) "" (ne (default "" .image.tag) "")) .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "twinspan.pullSecrets" -}}
{{- .Values.imagePullSecrets | default (.Values.global).imagePullSecrets | default list | toYaml -}}
{{- end -}}

{{/* Ids of the operator's pods: a user that exists in no other image, or whatever the cluster gives (OpenShift). */}}
{{- define "twinspan.podSecurityContext" -}}
runAsNonRoot: true
{{- if .Values.fixedIds }}
runAsUser: 26026
runAsGroup: 26026
fsGroup: 26026
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What the operator may do where links are. What it grants to workers (read links, hold the lease) is part of it:
     nobody may grant more than they have. */}}
{{- define "twinspan.rules" -}}
- apiGroups: [twinspan.dev]
  resources: [replicationlinks]              # patch: to drop the finalizer of earlier versions; create: what a Restore makes
  verbs: [get, list, watch, create, patch]
- apiGroups: [twinspan.dev]
  resources: [failoverpolicies, backupschedules, restores]
  verbs: [get, list, watch]
- apiGroups: [twinspan.dev]
  resources: [backups]                       # create, delete: those that a BackupSchedule makes
  verbs: [get, list, watch, create, delete]
- apiGroups: [twinspan.dev]
  resources: [replicationlinks/status, failoverpolicies/status, backupschedules/status, backups/status, restores/status]
  verbs: [get, patch]
- apiGroups: [twinspan.dev]
  resources: [replicationlinks/finalizers, failoverpolicies/finalizers]
  verbs: [update]                            # to own objects with blockOwnerDeletion
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps]          # those that policies name, and the CA for clients
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [secrets]                       # certificates and owners' passwords
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [apps]
  resources: [statefulsets]                  # workers of S3 links
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]                        # update: granted to workers
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]               # of workers; where they are off, those that were made before are taken away
  verbs: {{ ternary "[get, list, watch, create, patch, delete]" "[list, delete]" .Values.networkPolicy.workers }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* "on" where webhooks are served. Unset, only where the chart grants the operator cluster-wide rights anyway: who may change a webhook
     configuration may have every request of the cluster sent to themselves, so that neither rbac.create=false nor watchNamespaces may bring it. */}}
{{- define "twinspan.webhook.on" -}}
{{- if kindIs "invalid" .Values.webhook.enabled -}}
{{- if and .Values.rbac.create (not .Values.watchNamespaces) -}}on{{- end -}}
{{- else if .Values.webhook.enabled -}}on{{- end -}}
{{- end -}}

{{/* Ends where an object without a namespace is another release's. Only where a cluster can be asked: `helm template` finds nothing. */}}
{{- define "twinspan.alone" -}}
{{- $theirs := dig "metadata" "annotations" dict (lookup .apiVersion .kind "" .name) -}}
{{- $release := index $theirs "meta.helm.sh/release-name" -}}
{{- $namespace := index $theirs "meta.helm.sh/release-namespace" -}}
{{- if and $release (or (ne $release .root.Release.Name) (ne $namespace .root.Release.Namespace)) -}}
{{- printf "%s %s is of the release %s in the namespace %s, and the cluster has room for one of that name: give this release another name, or another fullnameOverride; if that release is gone, delete it" .kind .name $release $namespace | fail -}}
{{- end -}}
{{- end -}}

{{/* What both webhooks have in common. Namespaces that the operator does not watch it knows nothing of. */}}
{{- define "twinspan.webhook" -}}
admissionReviewVersions: [v1]
sideEffects: None
failurePolicy: {{ .root.Values.webhook.failurePolicy }}
matchPolicy: Equivalent
timeoutSeconds: {{ .root.Values.webhook.timeoutSeconds }}
clientConfig:
  service:
    name: {{ include "twinspan.fullname" .root }}-webhook
    namespace: {{ .root.Release.Namespace }}
    path: {{ .path }}
    port: 443
{{- if .root.Values.watchNamespaces }}
namespaceSelector:
  matchExpressions:
  - {key: kubernetes.io/metadata.name, operator: In, values: [{{ join ", " .root.Values.watchNamespaces }}]}
{{- else if .root.Values.webhook.namespaceSelector }}
namespaceSelector: {{- toYaml .root.Values.webhook.namespaceSelector | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How the operator's metrics are asked for. A PodMonitor can send no token that lies in a file of Prometheus'. */}}
{{- define "twinspan.scrape" -}}
{{- $metrics := .root.Values.metrics -}}
{{- $name := printf "%s-metrics" (include "twinspan.fullname" .root) -}}
{{- if $metrics.secure -}}
scheme: https
tlsConfig:
  serverName: {{ $name }}.{{ .root.Release.Namespace }}.svc
  {{- if $metrics.certManager.enabled }}
  ca: {secret: {name: {{ $name }}-tls, key: ca.crt}}
  {{- else }}
  ca: {configMap: {name: {{ $name }}-ca, key: ca.crt}}
  {{- end }}
{{- if $metrics.tokenSecret.name }}
authorization: {type: Bearer, credentials: {name: {{ $metrics.tokenSecret.name }}, key: {{ $metrics.tokenSecret.key }}}}
{{- else if .service }}
bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
{{- else }}
{{- fail "metrics.secure with podMonitor.enabled: a PodMonitor sends no token of Prometheus' own; set serviceMonitor.enabled, too, or metrics.tokenSecret.name" }}
{{- end }}
{{- else -}}
scheme: http
{{- end -}}
{{- end -}}
