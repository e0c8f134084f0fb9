{{- define "pullgate.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "pullgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /* The labels of the chart, then those of extraLabels. */ -}}
{{- define "pullgate.labels" -}}
{{- include "pullgate.labelsWith" (list . dict) -}}
{{- end -}}

{{- /* The labels of the chart and more, from a list of root and labels. For an equal key the chart's label wins, then the
more specific one. */ -}}
{{- define "pullgate.labelsWith" -}}
{{- $root := index . 0 -}}
{{- $own := include "pullgate.selector" $root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_") -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- /* Flux adds +COMMIT to the version, which is not allowed in a label. */ -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge $own (index . 1) $root.Values.extraLabels | toYaml -}}
{{- end -}}

{{- define "pullgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}{{ .Values.serviceAccount.name | default (include "pullgate.name" .) }}
{{- else -}}{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "pullgate.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The DNS names of the certificate: SNI is SERVICE.NAMESPACE.svc. */ -}}
{{- define "pullgate.dnsNames" -}}
- {{ include "pullgate.name" . }}.{{ .Release.Namespace }}.svc
- {{ include "pullgate.name" . }}.{{ .Release.Namespace }}.svc.cluster.local
{{- end -}}

{{- /* The Secret with the certificate. */ -}}
{{- define "pullgate.tlsSecret" -}}
{{- if eq .Values.tls.mode "provided" -}}{{ required "tls.provided.secretName is needed with tls.mode: provided" .Values.tls.provided.secretName }}
{{- else -}}{{ include "pullgate.name" . }}-tls
{{- end -}}
{{- end -}}

{{- /* The common fields of all webhooks, from a dict of root, path and values. In managed mode Pullgate itself keeps the
caBundle: if it were rendered here, each upgrade would remove it. */ -}}
{{- define "pullgate.webhook" -}}
admissionReviewVersions: [v1]
clientConfig:
  service: {namespace: {{ .root.Release.Namespace }}, name: {{ include "pullgate.name" .root }}, path: {{ .path }}, port: {{ .root.Values.service.port }}}
  {{- if eq .root.Values.tls.mode "provided" }}
  caBundle: {{ required "tls.provided.caBundle is needed with tls.mode: provided" .root.Values.tls.provided.caBundle | b64enc }}
  {{- end }}
failurePolicy: {{ .values.failurePolicy }}
timeoutSeconds: {{ .values.timeoutSeconds }}
matchPolicy: Equivalent
sideEffects: None
{{- end -}}

{{- /* Selects by the label that the API server itself sets, so that a user cannot exclude another namespace. */ -}}
{{- define "pullgate.namespaces" -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values: {{ concat (list "kube-system" .Release.Namespace) .Values.webhooks.extraExcludedNamespaces | uniq | toJson }}
{{- end -}}

{{- define "pullgate.annotations" -}}
{{- $annotations := deepCopy .Values.webhooks.annotations -}}
{{- if .Values.webhooks.disableAKSAdmissionsEnforcer }}{{ $_ := set $annotations "admissions.enforcer/disabled" "true" }}{{ end -}}
{{- if eq .Values.tls.mode "cert-manager" }}{{ $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" .Release.Namespace (include "pullgate.tlsSecret" .)) }}{{ end -}}
{{- with $annotations -}}
annotations: {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* CEL: the users of the built-in controllers, and of extraControllers, that create pods or their workloads. */ -}}
{{- define "pullgate.controllers" -}}
{{- $users := list "system:kube-controller-manager" -}}
{{- range list "deployment" "replicaset" "replication" "statefulset" "daemon-set" "job" "cronjob" -}}
{{- $users = append $users (printf "system:serviceaccount:kube-system:%s-controller" .) -}}
{{- end -}}
{{- $quoted := list -}}
{{- range concat $users .Values.extraControllers }}{{ $quoted = append $quoted (printf "'%s'" .) }}{{ end -}}
{{- join ",\n" $quoted -}}
{{- end -}}

{{- /* YAML reads a bare `off` as false. */ -}}
{{- define "pullgate.inventory" -}}
{{- if kindIs "bool" .Values.inventory }}off{{ else }}{{ .Values.inventory }}{{ end -}}
{{- end -}}
