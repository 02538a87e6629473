//! What the caches remember of each object.

use idp_api::{
    CertificatePolicy,
    environment::{CertificateDefaults, GatewayPolicy, HostPolicy},
    kinds,
};
use idp_core::{labels, names::host_terms};
use kube::{ResourceExt, core::DynamicObject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::certificate_request::{
    requirements::{Content, Flaw, Issuer},
    requirements_from_spec,
    types::{APPROVED, CertificateRequestSpec, CertificateRequestStatus, DENIED},
};

/// What is remembered of a Certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.creationTimestamp`.
    pub created: String,
    /// The resource that our labels name as its owner, as `namespace/name`.
    pub owner: Option<String>,
    /// That resource's UID.
    pub owner_uid: Option<String>,
    /// Who is to sign.
    pub issuer: Issuer,
    /// The Secret that it is written to.
    pub secret: String,
    /// What it asks for.
    pub content: Option<Content>,
    /// Why that cannot be judged.
    pub flaw: Option<Flaw>,
    /// Whether the Secret holds what it asks for.
    pub ready: bool,
    /// The `Issuing` condition, when it is false for a reason: the last attempt failed.
    pub failure: Option<Flaw>,
    /// Whether cert-manager has looked at it.
    pub seen: bool,
    /// How often it has been issued.
    pub revision: Option<i64>,
    /// When the certificate ends.
    pub not_after: Option<String>,
    /// When it is to be renewed.
    pub renewal_time: Option<String>,
}

impl CertificateFacts {
    /// Whether it has been issued once. cert-manager says that it is ready a moment before it counts the revision.
    pub fn is_issued(&self) -> bool {
        self.ready || self.revision.is_some()
    }
}

/// What is remembered of a CertificateRequest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestFacts {
    /// UID of the Certificate that it was made for.
    pub certificate_uid: Option<String>,
    /// Its name.
    pub certificate: Option<String>,
    /// Who is to sign.
    pub issuer: Issuer,
    /// Whether an approver allowed it.
    pub approved: bool,
    /// Whether an approver refused it.
    pub denied: bool,
    /// What it asks for.
    pub content: Option<Content>,
    /// Why that cannot be judged.
    pub flaw: Option<Flaw>,
}

/// Facts of a Certificate.
pub fn certificate(object: &DynamicObject) -> Value {
    let spec = requirements_from_spec::CertificateSpec::deserialize(&object.data["spec"]);
    let status = &object.data["status"];
    let condition = |type_: &str| {
        let conditions = status["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == type_)
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (owner, owner_uid) = owner(object).unzip();
    let mut facts = CertificateFacts {
        uid: object.uid().unwrap_or_default(),
        created: object
            .creation_timestamp()
            .map(|time| time.0.to_string())
            .unwrap_or_default(),
        owner,
        owner_uid,
        ready: condition("Ready").is_some_and(|ready| {
            ready["status"] == "True" && ready["observedGeneration"].as_i64() >= object.metadata.generation
        }),
        failure: condition("Issuing")
            .filter(|issuing| issuing["status"] == "False")
            .map(|issuing| {
                Flaw::new(
                    issuing["reason"].as_str().unwrap_or("Failed"),
                    issuing["message"].as_str().unwrap_or_default(),
                )
            }),
        seen: status["conditions"].is_array(),
        revision: status["revision"].as_i64(),
        not_after: text(&status["notAfter"]),
        renewal_time: text(&status["renewalTime"]),
        ..CertificateFacts::default()
    };
    match spec {
        Ok(spec) => {
            facts.issuer = spec.issuer();
            facts.secret = spec.secret_name().to_owned();
            (facts.content, facts.flaw) = split(spec.content());
        }
        Err(error) => facts.flaw = Some(Flaw::new("RequestMalformed", error.to_string())),
    }
    json!(facts)
}

/// The binding that a Certificate belongs to, as `namespace/name`, and its UID: by owner reference beside the binding,
/// by our labels elsewhere.
fn owner(object: &DynamicObject) -> Option<(String, String)> {
    let references = object.owner_references().iter();
    let mut controllers = references.filter(|owner| owner.controller == Some(true));
    if let Some(owner) = controllers.next() {
        let is_binding = owner.kind == kinds::CERTIFICATE_BINDING.kind
            && owner.api_version == kinds::CERTIFICATE_BINDING.api_version();
        let name = format!("{}/{}", object.namespace().unwrap_or_default(), owner.name);
        return is_binding.then(|| (name, owner.uid.clone()));
    }
    if object.labels().get(labels::MANAGED_BY).map(String::as_str) != Some(crate::controller_names::NAME) {
        return None;
    }
    let owner = object.annotations().get(labels::OWNER)?;
    Some((owner.clone(), object.labels().get(labels::OWNER_UID)?.clone()))
}

/// Facts of a CertificateBinding: what proves that a Certificate is one of its.
pub fn binding(object: &DynamicObject) -> Value {
    json!([object.uid(), object.data["spec"]["secretNamespace"]])
}

/// What a Certificate is looked up by: the Secret that it writes to.
pub fn certificate_terms(object: &DynamicObject) -> Vec<String> {
    let secret = object.data["spec"]["secretName"].as_str();
    let namespace = object.namespace().unwrap_or_default();
    secret
        .map(|secret| secret_term(&namespace, secret))
        .into_iter()
        .collect()
}

/// The term for a Secret.
pub fn secret_term(namespace: &str, secret: &str) -> String {
    format!("{namespace}/{secret}")
}

/// What a CertificateRequest is looked up by: the UID of its Certificate.
pub fn request_terms(object: &DynamicObject) -> Vec<String> {
    let owners = object.owner_references().iter();
    owners.map(|owner| owner.uid.clone()).collect()
}

/// Facts of a CertificateRequest.
pub fn request(object: &DynamicObject) -> Value {
    let status = CertificateRequestStatus::deserialize(&object.data["status"]).unwrap_or_default();
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true) && owner.kind == "Certificate");
    let mut facts = RequestFacts {
        certificate_uid: owner.map(|owner| owner.uid.clone()),
        certificate: owner.map(|owner| owner.name.clone()),
        approved: status.is(APPROVED),
        denied: status.is(DENIED),
        ..RequestFacts::default()
    };
    match CertificateRequestSpec::deserialize(&object.data["spec"]) {
        Ok(spec) => {
            facts.issuer = spec.issuer_ref.clone().completed();
            (facts.content, facts.flaw) = split(requirements_from_spec::request(&spec));
        }
        Err(error) => facts.flaw = Some(Flaw::new("RequestMalformed", error.to_string())),
    }
    json!(facts)
}

/// Facts of a Namespace: its labels.
pub fn namespace(object: &DynamicObject) -> Value {
    json!(object.labels())
}

/// Facts of an Environment: what concerns certificates, or why that cannot be read.
pub fn environment(object: &DynamicObject) -> Value {
    json!(EnvironmentFacts::read(&object.data["spec"]).map_err(|error| error.to_string()))
}

/// What an Environment says of certificates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentFacts {
    /// Who signs the certificates of routes.
    pub certificates: Option<CertificateDefaults>,
    /// Domain of the applications' hosts.
    pub base_domain: String,
    /// Which hosts namespaces may have.
    pub hosts: HostPolicy,
    /// Where the gateway is, and whose it is.
    pub gateway: GatewayPolicy,
}

impl EnvironmentFacts {
    /// Reads the `spec` of an Environment; what else stands in it does not matter here.
    ///
    /// # Errors
    /// When one of these fields is not as its definition says.
    pub fn read(spec: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(spec)
    }

    /// The issuer that it names.
    pub fn issuer(&self) -> Option<Issuer> {
        let certificates = self.certificates.as_ref()?;
        let issuer = Issuer {
            name: certificates.issuer.clone(),
            kind: certificates.kind.clone(),
            group: String::new(),
        };
        Some(issuer.completed())
    }
}

/// The facts of an Environment, as [`environment`] wrote them.
///
/// # Errors
/// Why the Environment cannot be read.
pub fn environment_facts(facts: &Value) -> Result<EnvironmentFacts, String> {
    Result::deserialize(facts).unwrap_or_else(|error| Err(error.to_string()))
}

/// Facts of a VirtualService: the hosts that it answers for at a gateway, and since when. One of the mesh alone answers
/// for nothing outside.
pub fn virtual_service(object: &DynamicObject) -> Value {
    let spec = &object.data["spec"];
    let gateways = spec["gateways"].as_array().into_iter().flatten();
    let at_a_gateway = gateways.into_iter().any(|gateway| gateway != "mesh");
    let hosts = spec["hosts"].as_array().into_iter().flatten();
    let hosts: Vec<&Value> = hosts.filter(|host| host.is_string() && at_a_gateway).collect();
    let since = object.creation_timestamp().map(|time| time.0.to_string());
    json!({"hosts": hosts, "since": since.unwrap_or_default()})
}

/// What a VirtualService is looked up by: what overlaps with its hosts.
pub fn virtual_service_terms(object: &DynamicObject) -> Vec<String> {
    let facts = virtual_service(object);
    host_terms(
        facts["hosts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    )
}

/// Reads facts.
pub fn parse<T: DeserializeOwned>(facts: &Value) -> Option<T> {
    T::deserialize(facts).ok()
}

/// The kind of policies, as a shorthand.
pub const POLICY: idp_core::Kind = kinds::CERTIFICATE_POLICY;

/// A policy, read.
pub fn policy(policy: &CertificatePolicy) -> crate::rules::Policy {
    crate::rules::Policy::read(&policy.name_any(), &policy.spec)
}

/// Policies, read, by name: of several that allow the same, the first one counts.
pub fn policies<'a>(policies: impl IntoIterator<Item = &'a CertificatePolicy>) -> Vec<crate::rules::Policy> {
    let mut policies: Vec<_> = policies.into_iter().map(policy).collect();
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    policies
}

fn split(content: Result<Content, Flaw>) -> (Option<Content>, Option<Flaw>) {
    match content {
        Ok(content) => (Some(content), None),
        Err(flaw) => (None, Some(flaw)),
    }
}
