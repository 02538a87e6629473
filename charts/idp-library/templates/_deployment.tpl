{{- define "idp-library.deployment" -}}
{{- $values := .root.Values -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "idp-library.metadata" . | nindent 2 }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      {{- include "idp-library.selector" . | nindent 6 }}
  strategy:
    rollingUpdate:
      # A new pod is ready before an old one is deleted.
      maxSurge: 1
      maxUnavailable: 0
  template:
    metadata:
      labels:
        {{- $ours := fromYaml (include "idp-library.podlabels" .) }}
        {{- merge (dict) $ours $values.podLabels | toYaml | nindent 8 }}
      {{- with $values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .root.Chart.Name }}
      # Active reconciles may take 25 s to end; then the Lease is released.
      terminationGracePeriodSeconds: 35
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        # Only this group may read the key of the certificate.
        fsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: controller
          {{- include "idp-library.container" . | nindent 10 }}
      volumes:
        - name: tls
          secret:
            secretName: {{ .root.Chart.Name }}-tls
            defaultMode: 0440
            {{- if .startsWithoutCertificate }}
            # It approves this certificate itself: it starts without it, and restarts with it.
            optional: true
            {{- end }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- include "idp-library.selector" $ | nindent 14 }}
          # Pods of an older version do not count.
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- with $values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- range $name := list "hostAliases" "nodeSelector" "tolerations" "affinity" }}
      {{- with index $values $name }}
      {{ $name }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
{{- end }}

{{- define "idp-library.container" -}}
{{- $values := .root.Values -}}
image: {{ include "idp-library.image" . }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args:
  - --leader-elect=true
  - --lease-namespace={{ .root.Release.Namespace }}
  - --health-address=0.0.0.0:8080
  {{- if .capability }}
  - --grpc-address=0.0.0.0:9443
  {{- end }}
  - --tls-dir=/etc/idp/tls
  {{- range $values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
{{- with $values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: health
    containerPort: 8080
  {{- if .capability }}
  - name: grpc
    containerPort: 9443
  {{- end }}
# Neither probe checks gRPC or peers: their failures must not restart this pod or block its certificate.
livenessProbe:
  httpGet:
    path: /livez
    port: health
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 5
  timeoutSeconds: 5
resources:
  {{- toYaml $values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  # The whole folder, without subPath, so that the kubelet updates renewed certificates.
  - name: tls
    mountPath: /etc/idp/tls
    readOnly: true
{{- end }}

{{- define "idp-library.disruption" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "idp-library.metadata" . | nindent 2 }}
spec:
  # Not `minAvailable: 1`, with which a single replica would block draining its node.
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "idp-library.selector" . | nindent 6 }}
{{- end }}
