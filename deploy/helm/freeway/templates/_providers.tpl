{{/* The worker Deployments as JSON: name, arguments, broker user, whose keys they get, values. Defaults, then what is said for this one.
The pool serves everything that it has a key for, also keys that come later from the dashboard. */}}
{{- define "freeway.workers" -}}
{{- $root := . -}}
{{- $workers := list -}}
{{- $pooled := list -}}
{{- range $name, $provider := .Values.providers -}}
{{- if ne (toString $provider.enabled) "false" -}}
{{- if eq (toString $provider.dedicated) "false" -}}
{{- $pooled = append $pooled $name -}}
{{- else -}}
{{- $values := mergeOverwrite (deepCopy $root.Values.worker) (default dict $provider.worker) -}}
{{- $user := ternary (printf "worker-%s" $name) "worker" $root.Values.brokerUsers.perProvider -}}
{{- $workers = append $workers (dict "name" ($name | replace "_" "-") "args" (list "worker" $name) "user" $user "providers" (list $name) "values" $values) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.pool.enabled -}}
{{- $values := mergeOverwrite (deepCopy .Values.worker) (omit .Values.pool "enabled") -}}
{{- $workers = append $workers (dict "name" "pool" "args" (list "worker") "user" "worker" "providers" $pooled "values" $values) -}}
{{- end -}}
{{- toJson $workers -}}
{{- end -}}

{{/* What `freeway nats-config` is asked for: a user for each worker of one provider, and one for all others (`*`, or nothing said). */}}
{{- define "freeway.workerUsers" -}}
{{- $arguments := list -}}
{{- if .Values.brokerUsers.perProvider -}}
{{- range include "freeway.workers" . | fromJsonArray -}}
{{- $arguments = concat $arguments (list "--worker" (ternary "*" (first .providers) (eq .name "pool"))) -}}
{{- end -}}
{{- end -}}
{{- toJson $arguments -}}
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

{{/* Faults that a schema cannot see. A message says what to write instead. */}}
{{- define "freeway.check" -}}
{{- if and (not .Values.nats.enabled) (not .Values.external.nats.url) }}{{ fail "nats.enabled is false: name the broker in external.nats.url, e.g. nats://nats.messaging:4222" }}{{ end -}}
{{- if and (not .Values.nats.enabled) .Values.brokerUsers.enabled (not .Values.brokerUsers.existingSecret) }}{{ fail "external.nats with brokerUsers needs brokerUsers.existingSecret: make the users with `freeway nats-config` and put the seeds into a Secret (deploy/README.md)" }}{{ end -}}
{{- if and .Values.nats.tls.existingSecret .Values.nats.tls.issuer.name }}{{ fail "nats.tls: has both existingSecret and issuer: choose one" }}{{ end -}}
{{- if and (not .Values.mongodb.enabled) (not .Values.external.mongodb.existingSecret) }}{{ fail "mongodb.enabled is false: name a Secret with the database's address in external.mongodb.existingSecret" }}{{ end -}}
{{- with .Values.discord -}}
{{- $ids := compact (list .applicationId .publicKey .guildId) -}}
{{- if and $ids (lt (len $ids) 3) }}{{ fail "discord: applicationId, publicKey and guildId belong together: set all three, or none" }}{{ end -}}
{{- if and $ids (not .existingSecret) (not $.Values.secrets.existingSecret) }}{{ fail "discord: name the Secret with DISCORD_BOT_TOKEN in discord.existingSecret" }}{{ end -}}
{{- end -}}
{{- if and .Values.exposure.ingress.enabled (not .Values.exposure.ingress.host) }}{{ fail "exposure.ingress is enabled: set exposure.ingress.host" }}{{ end -}}
{{- if and .Values.exposure.httpRoute.enabled (not .Values.exposure.httpRoute.parentRefs) }}{{ fail "exposure.httpRoute is enabled: name the gateway in exposure.httpRoute.parentRefs" }}{{ end -}}
{{- range $name, $provider := dig "providers" dict .Values.config -}}
{{- range (concat (list (default "" $provider.api_key)) (default list $provider.api_keys)) -}}
{{- if and . (not (hasPrefix "env:" .)) }}{{ fail (printf "config.providers.%s: a ConfigMap holds no secrets: write \"env:NAME\" here and the key into a Secret (providers.%s.existingSecret)" $name $name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $provider := .Values.providers -}}
{{- if and $provider.existingSecret $provider.apiKeys }}{{ fail (printf "providers.%s: has both existingSecret and apiKeys: choose one" $name) }}{{ end -}}
{{- if and (ne (toString $provider.enabled) "false") (not $provider.existingSecret) (not $provider.apiKeys) (ne (toString $provider.keys) "0") }}{{ fail (printf "providers.%s: has no key: set existingSecret, or keys: 0 if it needs none" $name) }}{{ end -}}
{{- if eq $name "demo" }}{{ fail "providers.demo: the demo is switched on by demo.enabled" }}{{ end -}}
{{- if and (not $.Values.pool.enabled) (eq (toString $provider.dedicated) "false") }}{{ fail (printf "providers.%s: dedicated is false, and pool.enabled too: nobody would serve it" $name) }}{{ end -}}
{{- if eq $name "pool" }}{{ fail "providers.pool: the name is that of the shared worker" }}{{ end -}}
{{- end -}}
{{- if and (not .Values.pool.enabled) .Values.demo.enabled }}{{ fail "demo.enabled: the pool serves it: leave pool.enabled on" }}{{ end -}}
{{- end -}}
