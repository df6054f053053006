{{- define "magento.name" -}}
{{ printf "%s-magento-exporter" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "magento.selector" -}}
app.kubernetes.io/name: magento-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "magento.labels" -}}
{{ include "magento.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "magento.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "magento.secrets" -}}
{{- if or .Values.secrets.existingSecret .Values.secrets.csi .Values.podAnnotations }}yes{{ end }}
{{- end }}

{{/* Where the secrets' files are: mounted by Kubernetes, or written by a Vault agent. */}}
{{- define "magento.secretFiles" -}}
{{- if or .Values.secrets.existingSecret .Values.secrets.csi }}/etc/magento-exporter/secrets{{ else }}/vault/secrets{{ end }}
{{- end }}

{{/* The settings of the user, and what the chart knows. */}}
{{- define "magento.settings" -}}
{{- $settings := deepCopy .Values.settings }}
{{- $files := include "magento.secretFiles" . }}
{{- if include "magento.secrets" . }}
{{- with .Values.secrets.databasePasswordKey }}
{{- $_ := set $settings "database" (merge (dict "password_file" (printf "%s/%s" $files .)) ($settings.database | default dict)) }}
{{- end }}
{{- with .Values.secrets.rabbitmqPasswordKey }}
{{- $_ := set $settings "rabbitmq" (merge (dict "password_file" (printf "%s/%s" $files .)) ($settings.rabbitmq | default dict)) }}
{{- end }}
{{- end }}
{{- $web := merge (dict "listen" "0.0.0.0:9816") ($settings.web | default dict) }}
{{- if .Values.secrets.bearerTokenKey }}
{{- $_ := set $web "bearer_token_file" (printf "%s/%s" $files .Values.secrets.bearerTokenKey) }}
{{- else }}
{{- $_ := set $web "unprotected" true }}
{{- end }}
{{- $_ := set $settings "web" $web }}
{{- $_ := set $settings "state_file" "/var/lib/magento-exporter/state" }}
{{- with .Values.links }}
{{- $_ := set $settings "links" (dict "runbooks" (.runbooks | default "") "standby_runbooks" (.standbyRunbooks | default "") "grafana" (.grafana | default "") "alertmanager" (.alertmanager | default "") "storefront" (.storefront | default "")) }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{/* A generated file with the addresses in the place of the marks. The braces of Prometheus' templates stay. */}}
{{- define "magento.addressed" -}}
{{- $links := .links }}
{{- $runbooks := trimSuffix "/" $links.runbooks }}
{{- .text
  | replace "{{ runbook_base_is_not_set }}" $runbooks
  | replace "{{ standby_runbook_base_is_not_set }}" (trimSuffix "/" ($links.standbyRunbooks | default $runbooks))
  | replace "{{ grafana_base_is_not_set }}" (trimSuffix "/" $links.grafana)
  | replace "https://runbook-base-is-not-set.invalid/" (printf "%s/" $runbooks) }}
{{- end }}

{{- define "magento.needsLinks" -}}
{{- if not (and .Values.links.runbooks .Values.links.grafana) }}
{{- fail "rules and dashboards need links.runbooks and links.grafana" }}
{{- end }}
{{- end }}
