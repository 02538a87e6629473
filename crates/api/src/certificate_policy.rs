//! `CertificatePolicy`: which certificates each namespace may request.

use std::collections::BTreeMap;

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Certificates that the selected namespaces may request. A request is approved if a single policy allows all of it,
/// and denied otherwise.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "CertificatePolicy",
    status = "CertificatePolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Which certificates the selected namespaces may request: names, issuers, keys, usages and lifetime.",
    shortname = "cpol",
    category = "idp",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Certificates", type_ = "integer", json_path = ".status.certificates"),
    printcolumn(name = "Violations", type_ = "integer", json_path = ".status.violationCount"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CertificatePolicySpec {
    /// Namespaces whose requests it allows. A namespace is selected if it matches any of these selectors. Certificates
    /// of routes count as requests of the application's namespace, even though they are created in the gateway's.
    #[schemars(length(min = 1, max = 16))]
    pub namespaces: Vec<NamespaceSelector>,
    /// Names that a certificate may contain. Names that are not listed are denied.
    #[serde(default)]
    pub names: AllowedNames,
    /// Issuers that may sign. Requests to issuers that no policy lists are neither approved nor denied.
    #[schemars(length(min = 1, max = 16))]
    pub issuers: Vec<AllowedIssuer>,
    /// Keys that a certificate may have. Certificates of routes use the first. Default: ECDSA with at least 256 bits,
    /// RSA with at least 2048 bits, Ed25519.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub keys: Vec<AllowedKey>,
    /// Usages that a certificate may have, by cert-manager's names. Default: `digital signature`, `key encipherment`
    /// and `server auth`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24), inner(length(min = 1, max = 32)))]
    #[x_kube(validation = Rule::new("self.all(usage, usage in ['signing', 'digital signature', 'content commitment', 'key encipherment', 'key agreement', 'data encipherment', 'cert sign', 'crl sign', 'encipher only', 'decipher only', 'any', 'server auth', 'client auth', 'code signing', 'email protection', 's/mime', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'timestamping', 'ocsp signing', 'microsoft sgc', 'netscape sgc'])")
        .message("write usages as cert-manager does, such as server auth"))]
    pub usages: Vec<String>,
    /// How long a certificate may be valid. A request without a duration counts as 2160h (90 days).
    #[serde(default)]
    pub lifetime: Bounds,
    /// How long before expiry a certificate may be renewed. A Certificate without `renewBefore` counts as one third of
    /// its duration. Not checked for requests that no Certificate created.
    #[serde(default)]
    pub renew_before: Bounds,
    /// Names that the Secret of a Certificate may have; `*` matches any characters. The restriction protects existing
    /// Secrets, which cert-manager would overwrite. Default: `*-tls`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new(r"self.all(name, name.matches(r'^[-a-z0-9.*]+$'))")
        .message("write names of Secrets: small letters, digits, '-', '.', and '*' for any part"))]
    pub secret_names: Vec<String>,
    /// Whether the certificate may be a CA. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_ca: bool,
}

/// Selects namespaces by label; all conditions must match. `{}` selects every namespace. To select one namespace, use
/// its label `kubernetes.io/metadata.name`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that the namespace must have, with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 16))]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions on labels of the namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<LabelRequirement>,
}

impl NamespaceSelector {
    /// Whether it selects a namespace with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut equal = self.match_labels.iter();
        equal.all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| {
                let found = labels.get(&requirement.key);
                let listed = found.is_some_and(|value| requirement.values.contains(value));
                match requirement.operator {
                    LabelOperator::In => listed,
                    LabelOperator::NotIn => !listed,
                    LabelOperator::Exists => found.is_some(),
                    LabelOperator::DoesNotExist => found.is_none(),
                }
            })
    }
}

/// A condition on one label.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)")
    .message("In and NotIn need values, Exists and DoesNotExist have none"))]
pub struct LabelRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: LabelOperator,
    /// Values for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// Operator of a condition on a label.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum LabelOperator {
    /// The label has one of the values.
    #[default]
    In,
    /// The label has none of the values, or does not exist.
    NotIn,
    /// The label exists.
    Exists,
    /// The label does not exist.
    DoesNotExist,
}

/// Names that a certificate may contain. They are compared in lower case, without a trailing dot; international names
/// in Punycode.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNames {
    /// DNS names.
    #[serde(default)]
    pub dns: AllowedDns,
    /// IP addresses, or networks such as `10.0.0.0/8`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 2, max = 49)))]
    pub ips: Vec<String>,
    /// URIs. A path segment `*` matches any one segment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 512)))]
    pub uris: Vec<String>,
}

/// DNS names that a certificate may contain.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedDns {
    /// Exact names. Wildcard names such as `*.shop.example.com` are allowed only if listed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub exact: Vec<String>,
    /// Domains whose subdomains of any depth are allowed; the domain itself is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new("self.all(name, !name.contains('*') && !name.startsWith('.'))")
        .message("write the domain alone, such as apps.example.com"))]
    pub suffixes: Vec<String>,
    /// Patterns in which `*` matches one or more characters of one label: `*.shop.example.com`, `api-*.example.com`. It
    /// matches neither international (Punycode) labels nor wildcards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub patterns: Vec<String>,
}

/// An issuer.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedIssuer {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its kind: `ClusterIssuer`, `Issuer`, or a kind of another API group.
    #[serde(default = "cluster_issuer")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its API group.
    #[serde(default = "cert_manager")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn cluster_issuer() -> String {
    "ClusterIssuer".to_owned()
}

fn cert_manager() -> String {
    "cert-manager.io".to_owned()
}

/// A key algorithm with its minimum size.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.algorithm != 'Ed25519' || !has(self.minSize)")
    .message("keys of Ed25519 have one size: take minSize out"))]
pub struct AllowedKey {
    /// The algorithm.
    pub algorithm: KeyAlgorithm,
    /// Minimum size in bits. Default: 2048 for RSA, 256 for ECDSA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256, max = 8192))]
    pub min_size: Option<i32>,
}

/// Algorithm of a key.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum KeyAlgorithm {
    /// RSA.
    #[serde(rename = "RSA")]
    Rsa,
    /// ECDSA on the curves P-256, P-384 and P-521.
    #[default]
    #[serde(rename = "ECDSA")]
    Ecdsa,
    /// Ed25519.
    Ed25519,
}

/// Minimum and maximum duration.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Minimum, such as `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30m, 24h or 2160h"))]
    pub min: Option<String>,
    /// Maximum, such as `2160h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30m, 24h or 2160h"))]
    pub max: Option<String>,
}

/// Status of a `CertificatePolicy`: whether it is valid, and what violates it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificatePolicyStatus {
    /// The `metadata.generation` that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: all entries are valid. `Compliant`: no existing object violates the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Invalid entries. An invalid entry allows nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Number of Certificates that it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<i32>,
    /// Number of objects that violate it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation_count: Option<i32>,
    /// Objects that no policy allows and to which this policy is the closest; sorted by namespace and name, and
    /// truncated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub violations: Vec<Violation>,
}

/// An existing object that no policy allows. It keeps working until its renewal, which is denied.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// `Certificate` or `CertificateRequest`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The rule that it violates.
    pub reason: String,
    /// Field of this policy that does not allow it.
    pub field: String,
    /// Why it is not allowed.
    pub message: String,
}

impl StatusView for CertificatePolicyStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_namespaces() {
        let matches = |operator, values: &[&str], labels: &[(&str, &str)]| {
            let selector = NamespaceSelector {
                match_expressions: vec![LabelRequirement {
                    key: "stage".into(),
                    operator,
                    values: values.iter().map(|value| (*value).to_owned()).collect(),
                }],
                ..NamespaceSelector::default()
            };
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            selector.selects(&labels.collect())
        };
        use LabelOperator::{DoesNotExist, Exists, In, NotIn};
        assert!(matches(In, &["a", "b"], &[("stage", "b")]));
        assert!(!matches(In, &["a"], &[]));
        assert!(!matches(NotIn, &["a"], &[("stage", "a")]));
        assert!(matches(NotIn, &["a"], &[]));
        assert!(matches(Exists, &[], &[("stage", "")]));
        assert!(!matches(DoesNotExist, &[], &[("stage", "")]));
        assert!(NamespaceSelector::default().selects(&BTreeMap::new()));
    }
}
