{{/* Whether each run is a RayJob of KubeRay: "true" or "". */}}
{{- define "lectern.onKuberay" -}}
{{- $training := .Values.workers.training }}
{{- if and $training.enabled (eq (toString $training.settings.rayAddress) "kuberay") }}true{{ end }}
{{- end }}

{{/* The account that may make RayJobs: one of its own, or yours where the chart makes none. */}}
{{- define "lectern.trainingAccount" -}}
{{ if .Values.serviceAccount.create }}{{ include "lectern.name" . }}-training{{ else }}{{ include "lectern.serviceAccount" . }}{{ end }}
{{- end }}

{{/*
A pod that Ray runs in: the head, or one that trains. KubeRay gives it its command. It has no rights in Kubernetes, and finds
the store by the same settings as the worker that made it, which alone tells trackers.
*/}}
{{- define "lectern.rayPod" -}}
{{- $root := .root -}}
{{- $parts := dict "root" $root "component" "ray" "service" "training" -}}
metadata:
  labels: {{ include "lectern.labels" $parts | nindent 4 }}
spec:
  serviceAccountName: {{ include "lectern.serviceAccount" $root }}
  {{- include "lectern.podSecurity" $root | nindent 2 }}
  {{- include "lectern.placement" .pod | nindent 2 }}
  containers:
    - name: ray
      image: {{ include "lectern.image" $parts }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      env:
        {{- include "lectern.env" $root | nindent 8 }}
        {{- include "lectern.settings" (omit $root.Values.workers.training.settings "rayAddress" "cpuThreads" "mlflowTrackingUri" "mlflowExperiment" "mlflowUsername" "wandbProject" "wandbEntity" "wandbUrl") | nindent 8 }}
        - {name: LECTERN_RAY_ADDRESS, value: auto}
        - {name: LECTERN_CPU_THREADS, value: {{ .pod.threads | default $root.Values.kuberay.worker.threads | int | quote }}}
        - {name: RAY_USAGE_STATS_ENABLED, value: "0"}
      # Ray's agent tells of the raylet beside it. With probes of their own, pods need no wget, which older operators call.
      livenessProbe:
        httpGet: {path: /api/local_raylet_healthz, port: 52365}
        initialDelaySeconds: 30
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 12
      readinessProbe:
        httpGet: {path: /api/local_raylet_healthz, port: 52365}
        initialDelaySeconds: 5
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 10
      resources: {{ toYaml .pod.resources | nindent 8 }}
      {{- include "lectern.containerSecurity" $root | nindent 6 }}
      volumeMounts: {{ include "lectern.mounts" .pod | nindent 8 }}
  volumes: {{ include "lectern.volumes" (dict "root" $root "sharedMemory" .pod.sharedMemory) | nindent 4 }}
{{- end }}

{{/* What the training worker needs to make RayJobs: a token that the kubelet replaces each hour, and the templates. */}}
{{- define "lectern.rayjobMounts" -}}
- {name: account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
- {name: rayjob, mountPath: /etc/lectern/rayjob, readOnly: true}
{{- end }}

{{- define "lectern.rayjobVolumes" -}}
{{ include "lectern.accountVolume" . }}
- name: rayjob
  configMap: {name: {{ include "lectern.name" . }}-rayjob}
{{- end }}
