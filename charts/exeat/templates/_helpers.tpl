{{/* Names are fixed: the proxies and the command line reach the services by them. */}}

{{- define "exeat.labels" -}}
app.kubernetes.io/name: exeat
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Labels that a selector matches; argument: dict "root" $ "component" name. */}}
{{- define "exeat.selector" -}}
app.kubernetes.io/name: exeat
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* repository:tag or repository@digest; argument: dict "root" $ "image" values. */}}
{{- define "exeat.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "exeat.controllerImage" -}}
{{ include "exeat.image" (dict "root" . "image" .Values.image) }}
{{- end }}

{{- define "exeat.proxyImage" -}}
{{ include "exeat.image" (dict "root" . "image" .Values.proxy.image) }}
{{- end }}

{{/* Namespaces that are never touched, as a JSON list. */}}
{{- define "exeat.excludedNamespaces" -}}
{{ concat (list .Release.Namespace) .Values.excludedNamespaces | uniq | sortAlpha | toJson }}
{{- end }}

{{- define "exeat.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "exeat.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Environment that every controller process gets; argument: dict "root" $ "roles" text. */}}
{{- define "exeat.env" -}}
- name: EXEAT_ROLES
  value: {{ .roles }}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: EXEAT_LOG
  value: {{ .root.Values.logLevel | quote }}
- name: EXEAT_CLUSTER_DOMAIN
  value: {{ .root.Values.clusterDomain | quote }}
{{- end }}

{{/* Ports and probes; the same for every role. */}}
{{- define "exeat.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 2
  failureThreshold: 2
{{- end }}

{{/* One of the two selections of agent pods: a whole namespace, or a pod's own label. Disjoint, so
     that a pod is reviewed once. Values are left to the controller, which refuses pods under a label
     that is neither here nor there. */}}
{{- define "exeat.selectNamespaces" -}}
namespaceSelector:
  matchExpressions:
    - {key: exeat.dev/agents, operator: Exists}
    - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "exeat.excludedNamespaces" . }}}
{{- end }}
{{- define "exeat.selectLabelled" -}}
namespaceSelector:
  matchExpressions:
    - {key: exeat.dev/agents, operator: DoesNotExist}
    - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "exeat.excludedNamespaces" . }}}
objectSelector:
  matchExpressions:
    - {key: exeat.dev/agent, operator: Exists}
{{- end }}

{{/* Who to call; argument: dict "root" $ "path" path. */}}
{{- define "exeat.clientConfig" -}}
clientConfig:
  # No caBundle here: the controller owns that field, so that upgrades leave it alone.
  service:
    name: exeat-admission
    namespace: {{ .root.Release.Namespace }}
    path: {{ .path }}
    port: 443
{{- end }}
