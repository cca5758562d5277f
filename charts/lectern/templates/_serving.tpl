{{/* Where engines run: "true" where each is a Deployment of its own, or "" where they are processes beside the gateway. */}}
{{- define "lectern.enginesOnKubernetes" -}}
{{ if and .Values.serving.enabled (eq .Values.serving.enginesOn "kubernetes") }}true{{ end }}
{{- end }}

{{/* Whether serving stands in the gateway's pod: there engines trust whoever reaches them, so they listen on loopback alone. */}}
{{- define "lectern.servingBeside" -}}
{{ if and .Values.serving.enabled (ne .Values.serving.enginesOn "kubernetes") }}true{{ end }}
{{- end }}

{{/* The account that may make engines: one of its own, or yours where the chart makes none. */}}
{{- define "lectern.servingAccount" -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serving.enginesOn=kubernetes gives serving's account rights in Kubernetes, and without one of its own that would be the namespace's default account, which other pods have: set serviceAccount.name to an account that you made, or serviceAccount.create=true" }}
{{- end }}
{{- if .Values.serviceAccount.create }}{{ include "lectern.name" . }}-serving{{ else }}{{ include "lectern.serviceAccount" . }}{{ end }}
{{- end }}

{{/* How engines are started, for whoever starts them. */}}
{{- define "lectern.engineEnv" -}}
{{- $engine := .Values.serving.engine -}}
- {name: LECTERN_ENGINE_DEVICE, value: {{ $engine.device }}}
- {name: LECTERN_ENGINE_THREADS, value: {{ $engine.threads | int | quote }}}
- {name: LECTERN_KV_CACHE_GIB, value: {{ $engine.kvCacheGib | int | quote }}}
- {name: LECTERN_ENGINE_ARGUMENTS, value: {{ $engine.arguments | toJson | quote }}}
{{- include "lectern.settings" .Values.serving.settings }}
{{- end }}

{{/* Serving's container: in the gateway's pod, or in one of its own where engines are Deployments. */}}
{{- define "lectern.serving.container" -}}
{{- $serving := .Values.serving -}}
{{- $own := include "lectern.enginesOnKubernetes" . -}}
- name: serving
  image: {{ include "lectern.image" (dict "root" . "service" "serving") }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [services.serving]
  env:
    {{- include "lectern.env" . | nindent 4 }}
    {{- include "lectern.engineKey" . | nindent 4 }}
    - {name: LECTERN_ENGINES_ON, value: {{ $serving.enginesOn }}}
    {{- include "lectern.engineEnv" . | nindent 4 }}
  # No probe: the controller itself looks after its engines; beside the gateway, a restart of the container would stop all of them.
  resources: {{ ternary $serving.controller.resources $serving.resources (eq $own "true") | toYaml | nindent 4 }}
  {{- include "lectern.containerSecurity" . | nindent 2 }}
  volumeMounts:
    {{- if $own }}
    {{- include "lectern.mounts" (dict) | nindent 4 }}
    - {name: account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
    - {name: engine, mountPath: /etc/lectern/engine, readOnly: true}
    {{- else }}
    {{- include "lectern.mounts" $serving | nindent 4 }}
    {{- end }}
{{- end }}

{{/*
What serving makes engines of: their name, the Deployment that they go with, and the pod of each, to which serving adds what is asked of it and
its probes. Only what fetches from the store has its credentials; the engine has the key that it demands, and nothing else.
*/}}
{{- define "lectern.enginePod" -}}
{{- $serving := .Values.serving -}}
{{- $own := include "lectern.image" (dict "root" . "service" "serving") -}}
name: {{ include "lectern.name" . }}-engine
owner: {{ include "lectern.name" . }}-serving
template:
  metadata:
    labels:
      {{- include "lectern.selector" (dict "root" . "component" "engine") | nindent 6 }}
      app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
      app.kubernetes.io/managed-by: lectern
  spec:
    serviceAccountName: {{ include "lectern.serviceAccount" . }}
    {{- include "lectern.podSecurity" . | nindent 4 }}
    {{- include "lectern.placement" $serving | nindent 4 }}
    {{- with $serving.engine.runtimeClassName }}
    runtimeClassName: {{ . }}
    {{- end }}
    terminationGracePeriodSeconds: {{ $serving.terminationGraceSeconds }}
    initContainers:
      - name: weights
        image: {{ $own }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args: [services.serving.in_pod, weights]
        env: {{ include "lectern.storeEnv" . | nindent 10 }}
        resources: {{ toYaml $serving.fetcher.resources | nindent 10 }}
        {{- include "lectern.containerSecurity" . | nindent 8 }}
        terminationMessagePolicy: FallbackToLogsOnError
        volumeMounts: {{ include "lectern.mounts" (dict) | nindent 10 }}
    containers:
      - name: engine
        image: {{ $serving.engine.image | default $own }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args: [services.serving.in_pod, engine, --host, $(POD_IP), --port, "8000"]
        env:
          - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          - name: LECTERN_ENGINE_API_KEY
            valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: engine-api-key}}
          # What it compiles lies on its pod's own disk: weights and adapters it may read alone, since others trust them, too.
          - {name: LECTERN_CACHE_DIR, value: /var/lib/lectern/engine}
          {{- include "lectern.logEnv" . | nindent 10 }}
          {{- include "lectern.engineEnv" . | nindent 10 }}
          {{- with .Values.extraEnv }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
        ports:
          - {name: engine, containerPort: 8000}
        resources: {{ toYaml $serving.resources | nindent 10 }}
        {{- include "lectern.containerSecurity" . | nindent 8 }}
        volumeMounts: {{ include "lectern.mounts" (dict "sharedMemory" $serving.sharedMemory "readsCache" true) | nindent 10 }}
      - name: adapters
        image: {{ $own }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args: [services.serving.in_pod, adapters, --host, $(POD_IP), --port, "8001"]
        env:
          - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          - name: LECTERN_ENGINE_API_KEY
            valueFrom: {secretKeyRef: {name: {{ include "lectern.secretName" . }}, key: engine-api-key}}
          {{- include "lectern.storeEnv" . | nindent 10 }}
        ports:
          - {name: adapters, containerPort: 8001}
        resources: {{ toYaml $serving.fetcher.resources | nindent 10 }}
        {{- include "lectern.containerSecurity" . | nindent 8 }}
        volumeMounts: {{ include "lectern.mounts" (dict) | nindent 10 }}
    volumes: {{ include "lectern.volumes" (dict "root" . "sharedMemory" $serving.sharedMemory) | nindent 6 }}
{{- end }}
