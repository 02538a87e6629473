{{/* Labels that never change: a Deployment's selector is immutable. */}}
{{- define "idp-library.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Those of pods: no version of the chart, or each new one would restart them. */}}
{{- define "idp-library.podlabels" -}}
{{ include "idp-library.selector" . }}
app.kubernetes.io/part-of: idp
{{- end }}

{{- define "idp-library.labels" -}}
{{ include "idp-library.podlabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "idp-library.metadata" -}}
name: {{ .root.Chart.Name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "idp-library.labels" . | nindent 2 }}
{{- end }}

{{- define "idp-library.image" -}}
{{- $image := .root.Values.image -}}
{{- $repository := $image.repository | default .root.Chart.Name -}}
{{- with $image.registry }}{{ printf "%s/" . }}{{ end -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/*
The objects of a file of platform/operators (`file`), as they are there but for the namespace, and with our labels and
those of `labels`.
*/}}
{{- define "idp-library.objects" -}}
{{- $common := fromYaml (include "idp-library.labels" .) }}
{{- range splitList "\n---\n" (.root.Files.Get .file) }}
{{- $object := fromYaml (replace "idp-system" $.root.Release.Namespace .) }}
{{- /* The namespace is Helm's to make, and who makes it says what pods it takes. */}}
{{- if ne (required (printf "%s: not an object" $.file) $object.kind) "Namespace" }}
{{- $labels := merge (dict) $.labels $common ($object.metadata.labels | default dict) }}
---
{{ toYaml (mergeOverwrite $object (dict "metadata" (dict "labels" $labels))) }}
{{- end }}
{{- end }}
{{- end }}
