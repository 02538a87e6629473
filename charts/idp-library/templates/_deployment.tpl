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
      # A new one is ready before an old one goes.
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
      # What is under way may take 25 s to end, and then says farewell.
      terminationGracePeriodSeconds: 35
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        # The key of the certificate is readable by this group only.
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
            # It approves this very certificate: it comes up without, and is started again with it.
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
          # Pods of an older version are about to go.
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
# Neither looks at gRPC or at peers: what one of them lacks must not restart us, nor keep a certificate from us.
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
  # The whole folder, with no subPath: only so does the kubelet bring renewed certificates.
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
  # Not `minAvailable: 1`, by which a single replica would keep its node from being drained for ever.
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "idp-library.selector" . | nindent 6 }}
{{- end }}
