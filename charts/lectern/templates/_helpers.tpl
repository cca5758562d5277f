{{/* Names, labels and the parts that all pods share. */}}

{{- define "lectern.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "lectern.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "lectern.labels" -}}
{{ include "lectern.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "lectern.secretName" -}}
{{ .Values.secret.existingSecret | default (include "lectern.name" .) }}
{{- end }}

{{- define "lectern.serviceAccount" -}}
{{ if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "lectern.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "lectern.image" -}}
{{- $image := .root.Values.image -}}
{{ with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ .service }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Where the object store is, and how it is entered: all that a container needs that only fetches. */}}
{{- define "lectern.storeEnv" -}}
- name: LECTERN_STORE_URL
  value: {{ .Values.store.url | quote }}
{{- with include "lectern.endpoint" . }}
- name: LECTERN_S3_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: LECTERN_S3_REGION
  value: {{ .Values.store.region | quote }}
- name: LECTERN_S3_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: s3-access-key, optional: true}}
- name: LECTERN_S3_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: s3-secret-key, optional: true}}
- name: LECTERN_CACHE_DIR
  value: /var/cache/lectern
{{- include "lectern.logEnv" . | nindent 0 }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "lectern.logEnv" -}}
- {name: LECTERN_LOG_LEVEL, value: {{ .Values.settings.logLevel | quote }}}
- {name: LECTERN_LOG_JSON, value: {{ .Values.settings.logJson | quote }}}
{{- end }}

{{/* The environment of every service: LECTERN_<FIELD>, as on one machine. */}}
{{- define "lectern.env" -}}
{{ include "lectern.storeEnv" . }}
- name: LECTERN_CATALOG_URL
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: catalog-url}}
- name: LECTERN_QUEUE_URL
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: queue-url}}
- name: LECTERN_VISIBILITY_TIMEOUT_SECONDS
  value: {{ .Values.settings.visibilityTimeoutSeconds | int | quote }}
- name: LECTERN_LEASE_SECONDS
  value: {{ .Values.settings.leaseSeconds | int | quote }}
- name: LECTERN_MAX_ATTEMPTS
  value: {{ .Values.settings.maxAttempts | int | quote }}
- name: LECTERN_RETRY_BASE_SECONDS
  value: {{ .Values.settings.retryBaseSeconds | quote }}
- name: LECTERN_HEARTBEAT_SECONDS
  value: {{ .Values.settings.heartbeatSeconds | quote }}
{{- with .Values.settings.otlpEndpoint }}
- name: LECTERN_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* A service's further settings: camelCase becomes LECTERN_<FIELD>. */}}
{{- define "lectern.settings" -}}
{{- range $name, $value := . }}
- name: LECTERN_{{ $name | snakecase | upper }}
  value: {{ ternary (toString $value) (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}

{{- define "lectern.defaultBase" -}}
- {name: LECTERN_DEFAULT_BASE, value: {{ .Values.settings.defaultBase | quote }}}
{{- end }}

{{/* What engines demand of whoever asks them: the gateway and serving send it, and serving gives it to its engines. */}}
{{- define "lectern.engineKey" -}}
- name: LECTERN_ENGINE_API_KEY
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: engine-api-key, optional: true}}
{{- end }}

{{/* Credentials of the trackers that the training worker tells curves to; Ray's pods tell none. */}}
{{- define "lectern.trackerEnv" -}}
{{- $name := include "lectern.secretName" . -}}
- {name: LECTERN_MLFLOW_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $name }}, key: mlflow-password, optional: true}}}
- {name: LECTERN_MLFLOW_TOKEN, valueFrom: {secretKeyRef: {name: {{ $name }}, key: mlflow-token, optional: true}}}
- {name: LECTERN_WANDB_API_KEY, valueFrom: {secretKeyRef: {name: {{ $name }}, key: wandb-api-key, optional: true}}}
{{- end }}

{{/* Where backups are kept, for those that take and restore them. */}}
{{- define "lectern.backupEnv" -}}
{{- with .Values.backup.endpoint }}
- {name: LECTERN_BACKUP_S3_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .Values.backup.region }}
- {name: LECTERN_BACKUP_S3_REGION, value: {{ . | quote }}}
{{- end }}
- name: LECTERN_BACKUP_S3_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: backup-s3-access-key, optional: true}}
- name: LECTERN_BACKUP_S3_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: backup-s3-secret-key, optional: true}}
{{- end }}

{{- define "lectern.podSecurity" -}}
{{ include "lectern.podSecurityAs" (dict "root" . "user" 10001) }}
{{- end }}

{{- define "lectern.podSecurityAs" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "lectern.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* What may be written to: scratch, state, the cache of base models, and shared memory where Ray or vLLM wants it. */}}
{{- define "lectern.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: state, mountPath: /var/lib/lectern}
- {name: cache, mountPath: /var/cache/lectern{{ if .readsCache }}, readOnly: true{{ end }}}
{{- if .sharedMemory }}
- {name: shared-memory, mountPath: /dev/shm}
{{- end }}
{{- end }}

{{- define "lectern.volumes" -}}
- name: tmp
  emptyDir: {}
- name: state
  emptyDir: {}
- name: cache
  {{- if .root.Values.cache.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .root.Values.cache.existingClaim }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .root.Values.cache.sizeLimit }}}
  {{- end }}
{{- with .sharedMemory }}
- name: shared-memory
  emptyDir: {medium: Memory, sizeLimit: {{ . }}}
{{- end }}
{{- end }}

{{- define "lectern.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Pods of a kind on different nodes, where there are any: one node's end is not the end of all. */}}
{{- define "lectern.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "lectern.selector" . | nindent 8 }}
{{- end }}

{{/* A token of the pod's account, which the kubelet replaces each hour: for those that speak to the Kubernetes API. */}}
{{- define "lectern.accountVolume" -}}
- name: account
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]}
{{- end }}
