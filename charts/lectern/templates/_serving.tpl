{{/*
Serving's container. It stands in the gateway's pod: engines trust whoever reaches them, so they listen on loopback alone.
*/}}
{{- define "lectern.serving.container" -}}
{{- $serving := .Values.serving -}}
- name: serving
  image: {{ include "lectern.image" (dict "root" . "service" "serving") }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [services.serving]
  env:
    {{- include "lectern.env" . | nindent 4 }}
    {{- include "lectern.engineKey" . | nindent 4 }}
    - {name: LECTERN_ENGINE_DEVICE, value: {{ $serving.engine.device }}}
    - {name: LECTERN_ENGINE_THREADS, value: {{ $serving.engine.threads | int | quote }}}
    - {name: LECTERN_KV_CACHE_GIB, value: {{ $serving.engine.kvCacheGib | int | quote }}}
    - {name: LECTERN_ENGINE_ARGUMENTS, value: {{ $serving.engine.arguments | toJson | quote }}}
    {{- include "lectern.settings" $serving.settings | nindent 4 }}
  # No probe: the controller itself probes its engines and starts them again; a restart of the container would stop all of them.
  resources: {{ toYaml $serving.resources | nindent 4 }}
  {{- include "lectern.containerSecurity" . | nindent 2 }}
  volumeMounts: {{ include "lectern.mounts" $serving | nindent 4 }}
{{- end }}
