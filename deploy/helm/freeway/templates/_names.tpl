{{/* Names and labels. A Service's name has to begin with a letter, and the longest suffix of ours has to fit into 63 characters. */}}
{{- define "freeway.fullname" -}}
{{- $own := default .Chart.Name .Values.nameOverride -}}
{{- $name := printf "%s-%s" .Release.Name $own -}}
{{- if contains $own .Release.Name }}{{ $name = .Release.Name }}{{ end -}}
{{- if .Values.fullnameOverride }}{{ $name = .Values.fullnameOverride }}{{ end -}}
{{- if not (regexMatch "^[a-z]" $name) }}{{ $name = printf "fw-%s" $name }}{{ end -}}
{{- $name | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes for a part: (dict "root" $ "component" "ingress"). Values are quoted: a release may be called `n` or `1e3`. */}}
{{- define "freeway.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- if .provider }}
freeway.ai/worker: {{ .provider | quote }}
{{- end }}
{{- end -}}

{{/* All pods of the installation, for policies. */}}
{{- define "freeway.everything" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "freeway.labels" -}}
{{ include "freeway.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: "freeway"
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "freeway.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end -}}

{{- define "freeway.ownImage" -}}
{{- include "freeway.image" (dict "repository" .Values.image.repository "digest" .Values.image.digest "tag" (default .Chart.AppVersion .Values.image.tag)) -}}
{{- end -}}

{{- define "freeway.secretName" -}}
{{- default (printf "%s-secrets" (include "freeway.fullname" .)) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "freeway.brokerSecretName" -}}
{{- default (printf "%s-broker" (include "freeway.fullname" .)) .Values.brokerUsers.existingSecret -}}
{{- end -}}

{{/* Holds the certificate of the chart's broker. */}}
{{- define "freeway.brokerTlsSecretName" -}}
{{- default (printf "%s-nats-tls" (include "freeway.fullname" .)) .Values.nats.tls.existingSecret -}}
{{- end -}}

{{/* The Secret whose ca.crt has signed the broker's certificate. Empty: no TLS, or an authority that everybody knows. */}}
{{- define "freeway.brokerCaSecretName" -}}
{{- if not .Values.nats.enabled }}{{ .Values.external.nats.caSecret }}
{{- else if .Values.nats.tls.enabled }}{{ include "freeway.brokerTlsSecretName" . }}
{{- end -}}
{{- end -}}

{{/* Names in the certificate as JSON: of the Service, of each server for the others, and of this machine for whoever forwards a port. */}}
{{- define "freeway.brokerNames" -}}
{{- $name := printf "%s-nats" (include "freeway.fullname" .) -}}
{{- $names := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) -}}
{{- range $i := until 5 }}{{ $names = append $names (printf "%s-%d.%s-headless" $name $i $name) }}{{ end -}}
{{- append $names "localhost" | toJson -}}
{{- end -}}

{{- define "freeway.mongodbSecretName" -}}
{{- default (printf "%s-mongodb" (include "freeway.fullname" .)) .Values.mongodb.existingSecret -}}
{{- end -}}

{{/* The Secret with a provider's keys, empty if it needs none: (dict "root" $ "name" "groq" "provider" {…}). */}}
{{- define "freeway.providerSecretName" -}}
{{- if .provider.existingSecret }}{{ .provider.existingSecret }}
{{- else if .provider.apiKeys }}{{ include "freeway.fullname" .root }}-key-{{ .name | replace "_" "-" }}{{ end -}}
{{- end -}}

{{- define "freeway.natsUrl" -}}
{{- if .Values.nats.enabled -}}
{{ ternary "tls" "nats" .Values.nats.tls.enabled }}://{{ include "freeway.fullname" . }}-nats:4222
{{- else -}}
{{ .Values.external.nats.url }}
{{- end -}}
{{- end -}}
