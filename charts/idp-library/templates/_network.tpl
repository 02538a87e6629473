{{/* Where a capability answers. The label is how the WebApplication controller finds it. */}}
{{- define "idp-library.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "idp-library.metadata" . | nindent 2 }}
    idp.dev/capability: {{ .capability }}
spec:
  selector:
    {{- include "idp-library.selector" . | nindent 4 }}
  # Only this port: clients use the first port of a capability's Service for gRPC.
  ports:
    - name: grpc
      port: 9443
      targetPort: grpc
      appProtocol: grpc
{{- end }}

{{/* Ingress only: what a controller calls are API servers and peers, whose addresses no chart knows. */}}
{{- define "idp-library.networkpolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "idp-library.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "idp-library.selector" . | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    {{- if .capability }}
    # Without a namespace selector: this namespace.
    - from:
        - podSelector:
            matchLabels:
              app.kubernetes.io/part-of: idp
      ports:
        - port: grpc
    {{- end }}
    # Probes come from the node, metrics scrapes from metricsFrom.
    - ports:
        - port: health
      {{- with .root.Values.networkPolicy.metricsFrom }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
