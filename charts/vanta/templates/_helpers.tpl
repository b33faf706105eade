{{/*
Names do not depend on the release: the programs, the agents and the administrators all know them,
and what is cluster-wide is there once.
*/}}

{{/* The labels of every object. Takes (list $ COMPONENT). */}}
{{- define "vanta.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: vanta
{{ include "vanta.selector" . }}
{{- end }}

{{/* The labels that select a component's pods. Takes (list $ COMPONENT). */}}
{{- define "vanta.selector" -}}
app.kubernetes.io/name: vanta
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* A program's image. Takes (list $ PROGRAM). */}}
{{- define "vanta.image" -}}
{{- $root := index . 0 -}}
{{- $program := index . 1 -}}
{{- $own := (index $root.Values $program).image -}}
{{- $common := $root.Values.image -}}
{{- $own | default (printf "%s/vanta-%s:%s" $common.repository $program ($common.tag | default $root.Chart.AppVersion)) -}}
{{- end }}

{{/*
What all pods have in common, and where a program's may run. None runs as root; services are not
told by variables, since those of a service named vanta-* would look like VANTA_* settings.
Takes (list $ PROGRAM).
*/}}
{{- define "vanta.pod" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all containers have in common: they pass the `restricted` Pod Security Standard. */}}
{{- define "vanta.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Liveness depends on nothing; readiness says what is wrong, and the kubelet tries it often. */}}
{{- define "vanta.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 3
  timeoutSeconds: 5
{{- end }}

{{/* The namespaces without injection, with commas between them. */}}
{{- define "vanta.excludedNamespaces" -}}
{{- $always := list "kube-system" "kube-public" "kube-node-lease" .Release.Namespace -}}
{{- concat $always .Values.injector.excludedNamespaces | uniq | join ", " -}}
{{- end }}

{{/* The user name of a service account of this namespace. Takes (list $ NAME). */}}
{{- define "vanta.user" -}}
{{ printf "system:serviceaccount:%s:%s" (index . 0).Release.Namespace (index . 1) }}
{{- end }}

{{/* What makes an object a hook's: gone once it has succeeded. Takes (list EVENTS WEIGHT). */}}
{{- define "vanta.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/*
A hook's Job. One that fails stays for ten minutes, so that its log can be read.
Takes (list $ NAME PROGRAM ARGUMENTS).
*/}}
{{- define "vanta.hookJob" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
backoffLimit: 3
activeDeadlineSeconds: 180
ttlSecondsAfterFinished: 600
template:
  metadata:
    labels:
      {{- include "vanta.selector" (list $root $name) | nindent 6 }}
  spec:
    serviceAccountName: vanta-{{ $name }}
    automountServiceAccountToken: true
    restartPolicy: Never
    {{- include "vanta.pod" (list $root (index . 2)) | nindent 4 }}
    containers:
      - name: {{ $name }}
        image: {{ include "vanta.image" (list $root (index . 2)) }}
        {{- include "vanta.container" $root | nindent 8 }}
        args: {{ toJson (index . 3) }}
        env:
          - {name: VANTA_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
          - {name: VANTA_LOG, value: {{ $root.Values.log | quote }}}
        resources:
          requests: {cpu: 10m, memory: 16Mi}
          limits: {memory: 64Mi}
{{- end }}

{{/* Where pods of one component go: on different nodes and in different zones where that can be
done, unless an affinity is given. */}}
{{- define "vanta.spread" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{- $others := dict "matchLabels" (include "vanta.selector" . | fromYaml) -}}
affinity:
  {{- if $values.affinity }}
  {{- toYaml $values.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            {{- toYaml $others | nindent 12 }}
  {{- end }}
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      {{- toYaml $others | nindent 6 }}
{{- end }}
