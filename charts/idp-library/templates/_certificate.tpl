{{/*
Who the controller is over gRPC. Its policy and its issuer: secrets/cert-manager/grpc.
*/}}
{{- define "idp-library.certificate" -}}
{{- $name := .root.Chart.Name -}}
{{- $namespace := .root.Release.Namespace -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "idp-library.metadata" . | nindent 2 }}
spec:
  dnsNames:
    - {{ $name }}
    - {{ $name }}.{{ $namespace }}.svc
  uris:
    - spiffe://idp.dev/ns/{{ $namespace }}/sa/{{ $name }}
  secretName: {{ $name }}-tls
  # A day: controllers reload it while running, and a leaked one expires soon.
  duration: 24h
  renewBefore: 8h
  # A controller is both server and client.
  usages: [digital signature, server auth, client auth]
  privateKey:
    algorithm: ECDSA
    size: 256
    rotationPolicy: Always
  issuerRef:
    {{- toYaml .root.Values.certificate.issuerRef | nindent 4 }}
{{- end }}
