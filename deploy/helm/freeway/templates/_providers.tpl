{{/* Names of the enabled providers in the pool, and of the demo, as JSON. */}}
{{- define "freeway.pooled" -}}
{{- $names := list -}}
{{- range $name, $provider := .Values.providers -}}
{{- if and (ne (toString $provider.enabled) "false") (eq (toString $provider.dedicated) "false") }}{{ $names = append $names $name }}{{ end -}}
{{- end -}}
{{- if .Values.demo.enabled }}{{ $names = append $names "demo" }}{{ end -}}
{{- toJson $names -}}
{{- end -}}

{{/* The worker Deployments as JSON: name of the part, whom it serves, its values. Defaults, then what is said for this one. */}}
{{- define "freeway.workers" -}}
{{- $root := . -}}
{{- $workers := list -}}
{{- range $name, $provider := .Values.providers -}}
{{- if and (ne (toString $provider.enabled) "false") (ne (toString $provider.dedicated) "false") -}}
{{- $values := mergeOverwrite (deepCopy $root.Values.worker) (default dict $provider.worker) -}}
{{- $workers = append $workers (dict "name" ($name | replace "_" "-") "providers" (list $name) "values" $values) -}}
{{- end -}}
{{- end -}}
{{- $pooled := include "freeway.pooled" . | fromJsonArray -}}
{{- if $pooled -}}
{{- $values := mergeOverwrite (deepCopy .Values.worker) (default dict .Values.pool) -}}
{{- $workers = append $workers (dict "name" "pool" "providers" $pooled "values" $values) -}}
{{- end -}}
{{- toJson $workers -}}
{{- end -}}

{{/* How many keys the workers hold, for routers, which hold none: groq=2,gemini=1. */}}
{{- define "freeway.workerKeys" -}}
{{- $counts := list -}}
{{- range $name, $provider := .Values.providers -}}
{{- $keys := 1 -}}
{{- if hasKey $provider "keys" -}}
{{- $keys = int $provider.keys -}}
{{- else if $provider.apiKeys -}}
{{- $keys = 0 -}}
{{- range $variable, $text := $provider.apiKeys -}}
{{- if not (regexMatch "_(HOST|URL|ACCOUNT_ID)(_[0-9]+)?$" $variable) }}{{ $keys = add $keys (len (regexFindAll "[^\\s,]+" $text -1)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and (ne (toString $provider.enabled) "false") (gt (int $keys) 0) }}{{ $counts = append $counts (printf "%s=%d" $name (int $keys)) }}{{ end -}}
{{- end -}}
{{- join "," $counts -}}
{{- end -}}

{{/* The broker's user of a worker, as `freeway nats-config --worker a,b` calls it. */}}
{{- define "freeway.workerUser" -}}
{{- if .root.Values.brokerUsers.perProvider }}worker-{{ join "-" .providers }}{{ else }}worker{{ end -}}
{{- end -}}

{{/* Faults that a schema cannot see. A message says what to write instead. */}}
{{- define "freeway.check" -}}
{{- if and (not .Values.nats.enabled) (not .Values.external.nats.url) }}{{ fail "nats.enabled is false: name the broker in external.nats.url, e.g. nats://nats.messaging:4222" }}{{ end -}}
{{- if and (not .Values.nats.enabled) .Values.brokerUsers.enabled (not .Values.brokerUsers.existingSecret) }}{{ fail "external.nats with brokerUsers needs brokerUsers.existingSecret: make the users with `freeway nats-config` and put the seeds into a Secret (deploy/README.md)" }}{{ end -}}
{{- range $name, $provider := dig "providers" dict .Values.config -}}
{{- range (concat (list (default "" $provider.api_key)) (default list $provider.api_keys)) -}}
{{- if and . (not (hasPrefix "env:" .)) }}{{ fail (printf "config.providers.%s: a ConfigMap holds no secrets: write \"env:NAME\" here and the key into a Secret (providers.%s.existingSecret)" $name $name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $provider := .Values.providers -}}
{{- if and $provider.existingSecret $provider.apiKeys }}{{ fail (printf "providers.%s: has both existingSecret and apiKeys: choose one" $name) }}{{ end -}}
{{- if and (ne (toString $provider.enabled) "false") (not $provider.existingSecret) (not $provider.apiKeys) (ne (toString $provider.keys) "0") }}{{ fail (printf "providers.%s: has no key: set existingSecret, or keys: 0 if it needs none" $name) }}{{ end -}}
{{- if eq $name "demo" }}{{ fail "providers.demo: the demo is switched on by demo.enabled" }}{{ end -}}
{{- if eq $name "pool" }}{{ fail "providers.pool: the name is that of the shared worker" }}{{ end -}}
{{- end -}}
{{- if and (not .Values.providers) (not .Values.demo.enabled) }}{{ fail "there is no provider: set providers.NAME, or demo.enabled for a first look" }}{{ end -}}
{{- end -}}
