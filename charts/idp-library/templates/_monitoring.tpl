{{/* For the Prometheus operator, with a Service of its own: that of a capability has the port of gRPC only. */}}
{{- define "idp-library.monitor" -}}
{{- $name := printf "%s-metrics" .root.Chart.Name -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "idp-library.labels" . | nindent 4 }}
    app.kubernetes.io/component: metrics
spec:
  clusterIP: None
  selector:
    {{- include "idp-library.selector" . | nindent 4 }}
  ports:
    - name: metrics
      port: 8080
      targetPort: health
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .root.Chart.Name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- $ours := fromYaml (include "idp-library.labels" .) }}
    {{- merge (dict) .root.Values.serviceMonitor.labels $ours | toYaml | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "idp-library.selector" . | nindent 6 }}
      app.kubernetes.io/component: metrics
  endpoints:
    - port: metrics
      interval: {{ .root.Values.serviceMonitor.interval }}
{{- end }}

{{/* Those of platform/operators/NAME/alerts.yaml, if the controller has some. */}}
{{- define "idp-library.alerts" -}}
{{- if .root.Files.Get "files/alerts.yaml" }}
{{- include "idp-library.objects" (dict "root" .root "file" "files/alerts.yaml" "labels" .root.Values.alerts.labels) }}
{{- end }}
{{- end }}
