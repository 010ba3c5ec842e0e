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

{{- define "twinspan.image" -}}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) -}}
{{- end -}}

{{/* What the operator may do where links are. What it grants to workers (read links, hold the lease) is part of it:
     nobody may grant more than they have. */}}
{{- define "twinspan.rules" -}}
- apiGroups: [twinspan.dev]
  resources: [replicationlinks]
  verbs: [get, list, watch, patch]           # patch: its finalizer
- apiGroups: [twinspan.dev]
  resources: [failoverpolicies]
  verbs: [get, list, watch]
- apiGroups: [twinspan.dev]
  resources: [replicationlinks/status, failoverpolicies/status]
  verbs: [get, patch]
- apiGroups: [twinspan.dev]
  resources: [replicationlinks/finalizers, failoverpolicies/finalizers]
  verbs: [update]                            # to own objects with blockOwnerDeletion
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps]          # those that policies name
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
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
