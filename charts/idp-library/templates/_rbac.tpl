{{/* The service account and what it may do: platform/operators/NAME/rbac.yaml, which is reviewed and tested there. */}}
{{- define "idp-library.rbac" -}}
{{- include "idp-library.objects" (dict "root" .root "file" "files/rbac.yaml" "labels" dict) }}
{{- end }}
