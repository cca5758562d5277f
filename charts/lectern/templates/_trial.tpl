{{/* Whether the chart brings a server itself, for a trial: "true" or "". Takes root and server (store, catalog or queue). */}}
{{- define "lectern.brings" -}}
{{- if and .root.Values.trial.enabled (index .root.Values.trial .server).enabled }}true{{ end }}
{{- end }}

{{/* Whether services start beside their store or catalog, which a migration before the release would not find: "true" or "". */}}
{{- define "lectern.preparesItself" -}}
{{- $brings := or (include "lectern.brings" (dict "root" . "server" "store")) (include "lectern.brings" (dict "root" . "server" "catalog")) }}
{{- if and $brings .Values.jobs.migrate.enabled }}true{{ end }}
{{- end }}

{{- define "lectern.endpoint" -}}
{{ if include "lectern.brings" (dict "root" . "server" "store") }}http://{{ include "lectern.name" . }}-store:9000{{ else }}{{ .Values.store.endpoint }}{{ end }}
{{- end }}

{{/*
The password of all the servers that the chart brings: yours, or one drawn at the first install and kept in the secret. What only renders
sees no secret that stands, and would draw a new one each time.
*/}}
{{- define "lectern.trialPassword" -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "lectern.name" .) | default dict }}
{{- $standing := index ($secret.data | default dict) "trial-password" | default "" | b64dec }}
{{- $given := .Values.trial.password }}
{{- if and $given $standing (ne $given $standing) }}
{{- fail "trial.password is another than at the first install, and Postgres keeps that one: leave it empty, or as it was" }}
{{- end }}
{{- if and .Release.IsUpgrade (not $given) (not $secret) }}
{{- fail (printf "The secret %s, which keeps the trial's password, is not to be seen: set trial.password (to the old one, where servers keep data)" (include "lectern.name" .)) }}
{{- end }}
{{- $given | default $standing | default (randAlphaNum 32) }}
{{- end }}

{{/* Values that say two things at once. */}}
{{- define "lectern.trialContradictions" -}}
{{- if .Values.trial.enabled }}
{{- $brings := dict }}
{{- range list "store" "catalog" "queue" }}{{ $_ := set $brings . (include "lectern.brings" (dict "root" $ "server" .)) }}{{ end }}
{{- if .Values.secret.existingSecret }}
{{- fail "trial.enabled and secret.existingSecret exclude each other: the chart makes the secret of a trial, with the passwords of its servers" }}
{{- end }}
{{- if and $brings.store (or .Values.store.endpoint .Values.secret.s3AccessKey .Values.secret.s3SecretKey) }}
{{- fail "trial.store.enabled brings a store: leave store.endpoint, secret.s3AccessKey and secret.s3SecretKey empty, or set trial.store.enabled=false" }}
{{- end }}
{{- if and $brings.catalog .Values.secret.catalogUrl }}
{{- fail "trial.catalog.enabled brings a catalog: leave secret.catalogUrl empty, or set trial.catalog.enabled=false" }}
{{- end }}
{{- if and $brings.queue .Values.secret.queueUrl }}
{{- fail "trial.queue.enabled brings a queue: leave secret.queueUrl empty, or set trial.queue.enabled=false" }}
{{- end }}
{{- if and .Values.backup.restoreFrom (or $brings.store $brings.catalog) }}
{{- fail "backup.restoreFrom fills a store and a catalog that are there before the release: trial brings them with it. Install first, then restore (docs/operate.md)" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Makes bucket and schema before the service beside it starts, once the servers answer; of several at once one does it. */}}
{{- define "lectern.prepareFirst" -}}
{{- if include "lectern.preparesItself" . }}
initContainers:
  - name: prepare
    image: {{ include "lectern.image" (dict "root" . "service" "gateway") }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [shared.prepare, --wait, {{ .Values.jobs.migrate.deadlineSeconds | int | quote }}]
    env: {{ include "lectern.env" . | nindent 6 }}
    resources: {{ toYaml .Values.jobs.migrate.resources | nindent 6 }}
    {{- include "lectern.containerSecurity" . | nindent 4 }}
    volumeMounts: [{name: tmp, mountPath: /tmp}]
{{- end }}
{{- end }}

{{- define "lectern.trial.secret" -}}
valueFrom: {secretKeyRef: {name: {{ include "lectern.name" .root }}, key: {{ .key }}}}
{{- end }}

{{/*
How each server runs: as which user of its image, where it keeps data and writes besides, on which port, and its container as in
docker-compose.yml.
*/}}
{{- define "lectern.trial.store" -}}
user: 10001
port: {name: s3, number: 9000}
data: /data
scratch: [/tmp]
container:
  args: [server, /data]
  env:
    - {name: HOME, value: /tmp}
    - name: MINIO_ROOT_USER
      {{- include "lectern.trial.secret" (dict "root" . "key" "s3-access-key") | nindent 6 }}
    - name: MINIO_ROOT_PASSWORD
      {{- include "lectern.trial.secret" (dict "root" . "key" "s3-secret-key") | nindent 6 }}
  livenessProbe: {httpGet: {path: /minio/health/live, port: s3}, initialDelaySeconds: 10, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
  readinessProbe: {httpGet: {path: /minio/health/ready, port: s3}, periodSeconds: 5, timeoutSeconds: 3}
{{- end }}

{{- define "lectern.trial.catalog" -}}
{{- /* By TCP: while the image makes its first database, a server answers on the socket that goes again. */ -}}
{{- $asked := list "pg_isready" "--host=127.0.0.1" "--username=lectern" "--dbname=lectern" | toJson -}}
user: 70
port: {name: postgres, number: 5432}
data: /var/lib/postgresql
scratch: [/tmp, /var/run/postgresql]
container:
  env:
    - {name: POSTGRES_DB, value: lectern}
    - {name: POSTGRES_USER, value: lectern}
    - name: POSTGRES_PASSWORD
      {{- include "lectern.trial.secret" (dict "root" . "key" "trial-password") | nindent 6 }}
  startupProbe: {exec: {command: {{ $asked }}}, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 90}
  livenessProbe: {exec: {command: {{ $asked }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
  readinessProbe: {exec: {command: {{ $asked }}}, periodSeconds: 5, timeoutSeconds: 3}
{{- end }}

{{- define "lectern.trial.queue" -}}
{{- $asked := list "sh" "-c" "valkey-cli ping | grep -q PONG" | toJson -}}
user: 999
port: {name: valkey, number: 6379}
data: /data
scratch: [/tmp]
container:
  command:
    - sh
    - -c
    - exec valkey-server --dir /data --appendonly yes --appendfsync everysec --maxmemory-policy noeviction --requirepass "$REDISCLI_AUTH"
  env:
    - name: REDISCLI_AUTH
      {{- include "lectern.trial.secret" (dict "root" . "key" "trial-password") | nindent 6 }}
  livenessProbe: {exec: {command: {{ $asked }}}, initialDelaySeconds: 10, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
  readinessProbe: {exec: {command: {{ $asked }}}, periodSeconds: 5, timeoutSeconds: 3}
{{- end }}
