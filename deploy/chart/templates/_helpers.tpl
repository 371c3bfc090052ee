{{/* The name of all objects. */}}
{{- define "gazetteer.name" -}}
{{- if contains "gazetteer" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-gazetteer" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{/* What selects the Pods; it never changes. */}}
{{- define "gazetteer.selector" -}}
app.kubernetes.io/name: gazetteer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of objects. Claim templates must not have the version: it cannot be changed there. */}}
{{- define "gazetteer.labels" -}}
{{ include "gazetteer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* The configuration as values, as JSON. One that is no TOML ends the rendering with the parser's words. */}}
{{- define "gazetteer.config" -}}
{{- $config := fromToml .Values.config -}}
{{- if hasKey $config "Error" -}}{{ fail (printf "config: %s" $config.Error) }}{{- end -}}
{{- if not (dig "listen" "admin" "" $config) -}}
{{ fail "config: listen.admin is missing, which the probes of the kubelet ask; \"0.0.0.0:9153\", say" }}
{{- end -}}
{{- if not (regexMatch `^(0\.0\.0\.0|\[::\]):[1-9][0-9]*$` $config.listen.admin) -}}
{{ fail (printf "config: listen.admin is %q, where the kubelet cannot reach it: it has to be 0.0.0.0 or [::] with a port" $config.listen.admin) }}
{{- end -}}
{{- if not (dig "listen" "dns" list $config) -}}
{{ fail "config: listen.dns is missing: its default is port 53, which takes a capability; [\"0.0.0.0:5353\"], say" }}
{{- end -}}
{{- $config | toJson -}}
{{- end }}

{{/* The port of the first address of listen.dns. */}}
{{- define "gazetteer.dnsPort" -}}
{{- $first := index (include "gazetteer.config" . | fromJson).listen.dns 0 -}}
{{- $address := $first -}}
{{- if kindIs "map" $first -}}{{- $address = $first.address -}}{{- end -}}
{{- $port := regexFind `[0-9]+$` $address -}}
{{- if lt (int $port) 1024 -}}
{{ fail (printf "config: listen.dns is %q: a port below 1024 takes a capability, which the Pod has not; the Service has port 53 whatever port this is" $address) }}
{{- end -}}
{{- $port -}}
{{- end }}

{{- define "gazetteer.adminPort" -}}
{{- regexFind `[0-9]+$` (include "gazetteer.config" . | fromJson).listen.admin -}}
{{- end }}

{{/* What a running daemon cannot take from a changed configuration: the Pods are replaced when it changes. */}}
{{- define "gazetteer.fixed" -}}
{{- $config := include "gazetteer.config" . | fromJson -}}
{{- $fixed := pick $config "state-dir" "user" "group" -}}
{{- set $fixed "listen" (omit $config.listen "trusted" "nsid") | toJson | sha256sum -}}
{{- end }}

{{/* Seconds of `shutdown-delay`, rounded up. */}}
{{- define "gazetteer.delay" -}}
{{- $delay := dig "shutdown-delay" "5s" (include "gazetteer.config" . | fromJson) -}}
{{- $milliseconds := 0 -}}
{{- range regexFindAll `[0-9]+(ms|s|m|h)` $delay -1 -}}
{{- $unit := index (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind `[a-z]+$` .) -}}
{{- $milliseconds = add $milliseconds (mul (regexFind `^[0-9]+` . | int) $unit) -}}
{{- end -}}
{{- div (add $milliseconds 999) 1000 -}}
{{- end }}

{{/* "true" if a member is the cluster that this runs in. */}}
{{- define "gazetteer.inCluster" -}}
{{- $found := false -}}
{{- range (include "gazetteer.config" . | fromJson).member | default list -}}
{{- if dig "source" "in-cluster" false . -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- range $name, $text := .Values.members -}}
{{- $member := fromToml $text -}}
{{- if hasKey $member "Error" -}}{{ fail (printf "members.%s: %s" $name $member.Error) }}{{- end -}}
{{- if dig "source" "in-cluster" false $member -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- if $found -}}true{{- end -}}
{{- end }}

{{/* What the configuration says of other members, as JSON. */}}
{{- define "gazetteer.membership" -}}
{{- dig "membership" dict (include "gazetteer.config" . | fromJson) | toJson -}}
{{- end }}

{{/* The namespace of the host cluster whose objects are read. */}}
{{- define "gazetteer.hostNamespace" -}}
{{- dig "namespace" "gazetteer" (include "gazetteer.membership" . | fromJson) -}}
{{- end }}

{{/* "true" if the cluster that this runs in is the host cluster. */}}
{{- define "gazetteer.isHost" -}}
{{- if dig "host" "in-cluster" false (include "gazetteer.membership" . | fromJson) -}}true{{- end -}}
{{- end }}

{{/* "true" if the daemons ask the API of the cluster that they run in, by their own token. */}}
{{- define "gazetteer.hasToken" -}}
{{- if or (include "gazetteer.inCluster" .) (include "gazetteer.isHost" .) -}}true{{- end -}}
{{- end }}

{{/* The rules for the host cluster, those of deploy/rbac-host.yaml. A right that nothing would use is refused. */}}
{{- define "gazetteer.hostRules" -}}
{{- $membership := include "gazetteer.membership" . | fromJson -}}
{{- with .Values.host -}}
{{- if and (or .secrets .renewedTokens .clusterProfiles .overrides) (not (include "gazetteer.isHost" $)) -}}
{{ fail "host: the configuration has no membership.host = { in-cluster = true }, so nobody would use these rights" }}
{{- end -}}
{{- if .secrets }}
{{- if not (or (hasKey $membership "secrets") (hasKey $membership "cluster-profiles")) -}}
{{ fail "host.secrets: the configuration has neither membership.secrets nor membership.cluster-profiles" }}
{{- end }}
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["get", "list", "watch"]
{{- end }}
{{- if .renewedTokens }}
{{- if not .secrets -}}
{{ fail "host.renewedTokens: needs host.secrets, as tokens are written back into Secrets that are read" }}
{{- end }}
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["patch"]
{{- end }}
{{- if .clusterProfiles }}
{{- if not (hasKey $membership "cluster-profiles") -}}
{{ fail "host.clusterProfiles: the configuration has no membership.cluster-profiles" }}
{{- end }}
- apiGroups: ["multicluster.x-k8s.io"]
  resources: ["clusterprofiles"]
  verbs: ["get", "list", "watch"]
{{- end }}
{{- if .overrides }}
{{- if not (hasKey $membership "overrides") -}}
{{ fail "host.overrides: the configuration has no membership.overrides, which names the ConfigMap" }}
{{- end }}
- apiGroups: [""]
  resources: ["configmaps"]
  resourceNames: [{{ $membership.overrides | quote }}]
  verbs: ["get", "list", "watch"]
{{- end }}
{{- end }}
{{- end }}

{{/* The image, by digest if there is one. */}}
{{- define "gazetteer.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}
{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end }}

{{/* What every container of this chart is started with. */}}
{{- define "gazetteer.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: ["ALL"]
privileged: false
readOnlyRootFilesystem: true
{{- end }}

{{- define "gazetteer.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- with .Values.runAs }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
{{- end }}

{{/* The files of the daemon, as volumes and where they are. Folders, never subPath, which does not change. */}}
{{- define "gazetteer.files" -}}
- name: config
  configMap:
    name: {{ include "gazetteer.name" . }}
- name: facts
  configMap:
    name: {{ include "gazetteer.name" . }}-facts
- name: members
  projected:
    # Credentials, for the user of the Pod alone, as far as it is known.
    defaultMode: {{ if .Values.runAs }}288{{ else }}292{{ end }} # 0440, 0444: JSON has no octal numbers
    sources:
      - configMap:
          name: {{ include "gazetteer.name" . }}-members
      {{- range .Values.memberSecrets }}
      - secret:
          name: {{ . }}
      {{- end }}
{{- with .Values.keySecrets }}
- name: keys
  projected:
    # DNSSEC keys that everybody may read are refused.
    defaultMode: 288 # 0440: JSON has no octal numbers
    sources:
      {{- range . }}
      - secret:
          name: {{ . }}
      {{- end }}
{{- end }}
{{- end }}
{{- define "gazetteer.mounts" -}}
- name: config
  mountPath: /etc/gazetteer
  readOnly: true
- name: facts
  mountPath: /etc/gazetteer/facts
  readOnly: true
- name: members
  mountPath: /etc/gazetteer/members.d
  readOnly: true
{{- if .Values.keySecrets }}
- name: keys
  mountPath: /etc/gazetteer/keys
  readOnly: true
{{- end }}
{{- end }}

{{/* Peers of a network policy, from networks and names of namespaces. */}}
{{- define "gazetteer.peers" -}}
{{- range . }}
{{- if contains "/" . }}
- ipBlock:
    cidr: {{ . | quote }}
{{- else }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- end }}
{{- end }}
