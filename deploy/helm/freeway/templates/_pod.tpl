{{/*
Pod of a service. (dict "root" $ "component" "worker" "args" (list "worker" "groq") "values" {…} "user" "worker-groq"
  "provider" "groq" (or "") "env" "YAML" "envFrom" "YAML" "keys" "HASH" "ports" "YAML" "graceSeconds" 330)
*/}}
{{- define "freeway.pod" -}}
{{- $root := .root -}}
{{- $part := dict "root" $root "component" .component "provider" (default "" .provider) -}}
metadata:
  # Only what never changes: a version here would restart pods that a release does not touch.
  labels:
    {{- include "freeway.selector" $part | nindent 4 }}
  annotations:
    # A change of what a service reads at its start rolls it.
    checksum/config: {{ include (print $root.Template.BasePath "/config.yaml") $root | sha256sum | quote }}
    {{- with .keys }}
    checksum/keys: {{ . | quote }}
    {{- end }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  serviceAccountName: {{ include "freeway.fullname" $root | quote }}
  {{- include "freeway.pullSecrets" $root | nindent 2 }}
  {{- include "freeway.podSecurity" 65532 | nindent 2 }}
  # Longest stream, the pause before SIGTERM (10 s) and what it takes to flush events afterwards.
  terminationGracePeriodSeconds: {{ .graceSeconds }}
  topologySpreadConstraints:
    {{- range $key, $skew := dict "kubernetes.io/hostname" 1 "topology.kubernetes.io/zone" 1 }}
    - maxSkew: {{ $skew }}
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "freeway.selector" $part | nindent 10 }}
      # Pods of the last version do not count, else a roll leaves them crowded.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  containers:
    - name: freeway
      image: {{ include "freeway.ownImage" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson .args }}
      {{- include "freeway.containerSecurity" $root | nindent 6 }}
      env:
        - { name: HOST, value: "0.0.0.0" }
        - { name: METRICS_PORT, value: "9464" }
        - { name: METRICS_HOST, value: "0.0.0.0" }
        - { name: FREEWAY_DATA, value: /data }
        - { name: FREEWAY_CONFIG, value: /etc/freeway/freeway.json }
        - { name: FREEWAY_LOCAL, value: "off" }
        - { name: FREEWAY_DRAIN_MS, value: {{ mul $root.Values.longestStreamSeconds 1000 | toString | quote }} }
        - { name: FREEWAY_REQUEST_TIMEOUT_MS, value: {{ mul $root.Values.longestStreamSeconds 1000 | toString | quote }} }
        {{- include "freeway.brokerEnv" $root | nindent 8 }}
        {{- if $root.Values.otel.endpoint }}
        - { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $root.Values.otel.endpoint | quote }} }
        - name: POD_NAME
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        - name: POD_NAMESPACE
          valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
        - { name: OTEL_RESOURCE_ATTRIBUTES, value: "k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME)" }
        {{- end }}
        {{- with .env }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- range $name, $value := $root.Values.extraEnv }}
        - { name: {{ $name }}, value: {{ $value | toString | quote }} }
        {{- end }}
      {{- with .envFrom }}
      envFrom:
        {{- . | nindent 8 }}
      {{- end }}
      ports:
        {{- with .ports }}
        {{- . | nindent 8 }}
        {{- end }}
        - { name: metrics, containerPort: 9464, protocol: TCP }
      # Endpoints change while the pod still serves, so that no connection is opened to one that has stopped. Needs no shell.
      lifecycle:
        preStop:
          sleep: { seconds: 10 }
      # Only readiness looks at others (broker, routers, database): a restart would not bring those back.
      startupProbe:
        httpGet: { path: /health, port: metrics }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /health, port: metrics }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /ready, port: metrics }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - { name: config, mountPath: /etc/freeway, readOnly: true }
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
        {{- include "freeway.brokerMounts" $root | nindent 8 }}
  volumes:
    - name: config
      configMap: { name: {{ include "freeway.fullname" $root }}-config }
    # Events that wait for the broker: they outlive a restart of the container, not the pod.
    - name: data
      emptyDir: { sizeLimit: 1Gi }
    - name: tmp
      emptyDir: { sizeLimit: 256Mi }
    {{- include "freeway.brokerVolumes" (dict "root" $root "user" .user) | nindent 4 }}
{{- end -}}

{{/* Rolled one by one: the new pod is there before an old one goes. */}}
{{- define "freeway.strategy" -}}
strategy:
  type: RollingUpdate
  rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
revisionHistoryLimit: 3
{{- end -}}

{{- define "freeway.grace" -}}
{{ add .Values.longestStreamSeconds 30 }}
{{- end -}}

{{- define "freeway.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Argument: the user's number, also of the group that owns the volumes. */}}
{{- define "freeway.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "freeway.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{- define "freeway.brokerEnv" -}}
- { name: NATS_URL, value: {{ include "freeway.natsUrl" . | quote }} }
{{- if .Values.brokerUsers.enabled }}
- { name: NATS_NKEY_FILE, value: /etc/freeway-broker/seed.nk }
{{- end }}
{{- if include "freeway.brokerCaSecretName" . }}
- { name: NATS_CA_FILE, value: /etc/freeway-broker-ca/ca.crt }
{{- end }}
{{- end -}}

{{- define "freeway.brokerMounts" -}}
{{- if .Values.brokerUsers.enabled -}}
- { name: broker, mountPath: /etc/freeway-broker, readOnly: true }
{{- end }}
{{- if include "freeway.brokerCaSecretName" . }}
- { name: broker-ca, mountPath: /etc/freeway-broker-ca, readOnly: true }
{{- end }}
{{- end -}}

{{/* A pod sees the seed of its own user alone. */}}
{{- define "freeway.brokerVolumes" -}}
{{- if .root.Values.brokerUsers.enabled -}}
- name: broker
  secret:
    secretName: {{ include "freeway.brokerSecretName" .root | quote }}
    defaultMode: 0440
    items: [{ key: {{ .user }}.nk, path: seed.nk }]
{{- end }}
{{- with include "freeway.brokerCaSecretName" .root }}
- name: broker-ca
  secret: { secretName: {{ . | quote }}, defaultMode: 0440, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end -}}
