{{/*
Everything that a controller needs. Its chart says what is not a matter of taste, and so is no value:

    {{ include "idp-library.controller" (dict "root" $ "capability" "secrets") }}

capability                 the name under which applications' sections find it; without one it serves no gRPC
startsWithoutCertificate   whether it can work before it has a certificate

The chart's name is the controller's: that of its image, its service account, its Lease and its identity over gRPC.
*/}}
{{- define "idp-library.controller" -}}
{{- include "idp-library.rbac" . }}
---
{{ include "idp-library.deployment" . }}
---
{{ include "idp-library.disruption" . }}
{{- if .capability }}
---
{{ include "idp-library.service" . }}
{{- end }}
{{- if .root.Values.certificate.enabled }}
---
{{ include "idp-library.certificate" . }}
{{- end }}
{{- if .root.Values.networkPolicy.enabled }}
---
{{ include "idp-library.networkpolicy" . }}
{{- end }}
{{- if .root.Values.serviceMonitor.enabled }}
---
{{ include "idp-library.monitor" . }}
{{- end }}
{{- if .root.Values.alerts.enabled }}
{{- include "idp-library.alerts" . }}
{{- end }}
{{- end }}
