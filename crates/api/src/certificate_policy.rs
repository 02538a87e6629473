//! `CertificatePolicy`: which namespaces may have certificates for which names, and of what kind.

use std::collections::BTreeMap;

use idp_core::{Condition, Problem, StatusView};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the namespaces that it selects may have certificates for. A request is approved when one policy allows all of
/// it, and denied otherwise.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "idp.dev",
    version = "v1alpha1",
    kind = "CertificatePolicy",
    status = "CertificatePolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Which namespaces may have certificates for which names, and of what kind.",
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
    /// Whose requests it may allow: those of namespaces that one of these matches. The certificates of an
    /// application's routes count as its own namespace's, wherever the gateway needs them.
    #[schemars(length(min = 1, max = 16))]
    pub namespaces: Vec<NamespaceSelector>,
    /// Names that a certificate may be for. What is not listed is not allowed.
    #[serde(default)]
    pub names: AllowedNames,
    /// Who may sign. Requests to issuers that no policy names are left alone.
    #[schemars(length(min = 1, max = 16))]
    pub issuers: Vec<AllowedIssuer>,
    /// Keys that a certificate may have; the first is what the platform's own certificates get. Default: ECDSA of at
    /// least 256 bits, RSA of at least 2048 bits, Ed25519.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub keys: Vec<AllowedKey>,
    /// What a certificate may be used for, in cert-manager's words. Default: `digital signature`, `key encipherment`
    /// and `server auth`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24), inner(length(min = 1, max = 32)))]
    #[x_kube(validation = Rule::new("self.all(usage, usage in ['signing', 'digital signature', 'content commitment', 'key encipherment', 'key agreement', 'data encipherment', 'cert sign', 'crl sign', 'encipher only', 'decipher only', 'any', 'server auth', 'client auth', 'code signing', 'email protection', 's/mime', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'timestamping', 'ocsp signing', 'microsoft sgc', 'netscape sgc'])")
        .message("write usages as cert-manager does, such as server auth"))]
    pub usages: Vec<String>,
    /// How long a certificate may be valid. One that says nothing is valid for 2160h, 90 days.
    #[serde(default)]
    pub lifetime: Bounds,
    /// How long before its end a certificate may be renewed. One that says nothing is renewed after two thirds of its
    /// life. Nothing is checked of requests that no Certificate made.
    #[serde(default)]
    pub renew_before: Bounds,
    /// Names that the Secret of a Certificate may have, `*` standing for any part: cert-manager writes into a Secret
    /// that exists already. Default: `*-tls`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new(r"self.all(name, name.matches(r'^[-a-z0-9.*]+$'))")
        .message("write names of Secrets: small letters, digits, '-', '.', and '*' for any part"))]
    pub secret_names: Vec<String>,
    /// Whether the certificate may sign others. Default: never.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_ca: bool,
}

/// Namespaces by their labels; all conditions must hold. `{}` matches every namespace. One namespace is selected by its
/// label `kubernetes.io/metadata.name`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that the namespace must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 16))]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions on its labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<LabelRequirement>,
}

impl NamespaceSelector {
    /// Whether it matches a namespace with these labels.
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
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// Values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum LabelOperator {
    /// It has one of the values.
    #[default]
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// Names that a certificate may be for. Names are compared as they are on the wire: in small letters, without a
/// trailing dot, international ones in Punycode.
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
    /// URIs; `*` as a whole segment of the path stands for any one segment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 512)))]
    pub uris: Vec<String>,
}

/// DNS names that a certificate may be for.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedDns {
    /// These names and no others. A wildcard certificate, such as for `*.shop.example.com`, must be listed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub exact: Vec<String>,
    /// Domains below which every name is allowed, however deep; not the domain itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new("self.all(name, !name.contains('*') && !name.startsWith('.'))")
        .message("write the domain alone, such as apps.example.com"))]
    pub suffixes: Vec<String>,
    /// Names in which `*` stands for one or more characters of one label: `*.shop.example.com`, `api-*.example.com`.
    /// It never stands for an international label or for a wildcard.
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
    /// Its kind: `ClusterIssuer`, `Issuer` or another group's.
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

/// A kind of key.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.algorithm != 'Ed25519' || !has(self.minSize)")
    .message("keys of Ed25519 have one size: take minSize out"))]
pub struct AllowedKey {
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Fewest bits. Default: 2048 for RSA, 256 for ECDSA.
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

/// Shortest and longest time.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// At least this, such as `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30m, 24h or 2160h"))]
    pub min: Option<String>,
    /// At most this, such as `2160h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^([0-9]+(s|m|h))+$')").message("write a duration such as 30m, 24h or 2160h"))]
    pub max: Option<String>,
}

/// What a policy is found to be, and what violates it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificatePolicyStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: every entry can be understood. `Compliant`: nothing that exists violates it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Entries that cannot be understood; they allow nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// How many Certificates it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<i32>,
    /// How many objects violate it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation_count: Option<i32>,
    /// The first of them by namespace and name: what exists although no policy allows it, and this one comes nearest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub violations: Vec<Violation>,
}

/// An object that exists although no policy allows it. It goes on working until it is to be renewed.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// `Certificate` or `CertificateRequest`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The rule that it breaks.
    pub reason: String,
    /// Field of this policy that it does not fit.
    pub field: String,
    /// What is wrong.
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
