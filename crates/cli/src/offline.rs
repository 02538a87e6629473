//! What capabilities answer without a cluster: the same functions that their controllers call, over what files say.

use std::collections::BTreeMap;

use anyhow::Result;
use idp_api::{ClaimClass, ClaimClassSpec, manifests};
use idp_claim_broker::section::{self, Known};
use idp_core::capability::{SectionPlan, SectionRequest};
use idp_webapp::capabilities::{CLAIMS, SECRETS};
use kube::ResourceExt;
use serde_json::Value;

/// What the local Environment offers.
const LOCAL_CLASSES: &str = include_str!("../../../platform/claim-classes/crossplane-1/local.yaml");

/// The capabilities that can answer without a cluster.
pub(crate) struct Offline {
    classes: BTreeMap<String, ClaimClassSpec>,
}

impl Offline {
    /// With the ClaimClasses among these documents.
    pub(crate) fn of(documents: &[Value]) -> Result<Self> {
        let classes: Vec<ClaimClass> = manifests::typed(documents, "ClaimClass")?;
        let named = classes
            .into_iter()
            .map(|class| (class.name_any(), class.spec))
            .collect();
        Ok(Self { classes: named })
    }

    /// With those of the local Environment.
    pub(crate) fn local() -> Result<Self> {
        Self::of(&manifests::parse(LOCAL_CLASSES)?)
    }

    /// Whether there are ClaimClasses.
    pub(crate) fn has_classes(&self) -> bool {
        !self.classes.is_empty()
    }

    /// What the capability of this name answers. Certificates depend on the policies and on the other applications of a
    /// cluster, and a platform team's own capabilities are not known here: they count as not deployed.
    pub(crate) fn ask(&self, name: &str, request: &SectionRequest) -> Option<SectionPlan> {
        match name {
            SECRETS => Some(idp_secrets_bridge::capability::plan(request)),
            CLAIMS if self.has_classes() => {
                let known = Known {
                    classes: self.classes.clone(),
                    ..Known::default()
                };
                Some(section::plan(request, &known))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_local_environment_offers_a_database() {
        let request = SectionRequest {
            namespace: "sample".into(),
            application: "shop".into(),
            environment: "local".into(),
            environment_spec: json!({"classes": {"postgres": "local-postgres"}}),
            section: json!({"databases": [{"name": "orders", "engine": "postgres"}]}),
            path: "spec".into(),
        };
        let plan = Offline::local().unwrap().ask(CLAIMS, &request).unwrap();
        assert_eq!(plan.problems, []);
        assert_eq!(plan.bindings[0].name, "shop-orders");
        assert!(plan.env.iter().any(|variable| variable.name == "ORDERS_HOST"));
        assert!(Offline::of(&[]).unwrap().ask(CLAIMS, &request).is_none());
    }
}
