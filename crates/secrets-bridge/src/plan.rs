//! `Validated` -> `Plan<Prepared>`: an `ExternalSecret` for each secret. Pure.

use idp_api::secret_binding::BoundSecret;
use idp_core::{Child, Plan, Prepared, Problem, duration};
use serde_json::{Value, json};

use crate::{
    kinds::{EXTERNAL_SECRET, PASSWORD},
    validate::Validated,
};

pub(crate) fn plan(binding: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
    let children = binding
        .secrets
        .iter()
        .flat_map(|secret| children(binding, secret));
    Ok(Plan {
        children: children.collect(),
        ..Plan::default()
    })
}

fn children(binding: &Validated, secret: &BoundSecret) -> Vec<Child> {
    let name = binding.external_secret(secret);
    let mut children = Vec::new();
    let mut spec = json!({"target": target(secret)});
    match (&secret.generate, &secret.remote_key) {
        (Some(generate), _) => {
            let symbols = generate.length / 4;
            let generator = json!({
                "length": generate.length,
                "digits": generate.length / 4,
                "symbols": if generate.symbols { symbols } else { 0 },
                "noUpper": false,
                "allowRepeat": true,
            });
            children.push(Child::with_spec(
                PASSWORD,
                &binding.child_meta(name.clone()),
                generator,
            ));
            // Created once: a new value would lock the application out of what the old one protects.
            spec["refreshPolicy"] = json!("CreatedOnce");
            spec["dataFrom"] = json!([{"sourceRef": {"generatorRef": {
                "apiVersion": PASSWORD.api_version(), "kind": PASSWORD.kind, "name": name,
            }}}]);
        }
        (None, key) => {
            spec["secretStoreRef"] = json!({"name": binding.store.name, "kind": binding.store.kind});
            spec["refreshPolicy"] = json!("Periodic");
            spec["refreshInterval"] = json!(interval(&secret.refresh_interval));
            if secret.properties.is_empty() {
                spec["dataFrom"] = json!([{"extract": {"key": key}}]);
            } else {
                spec["data"] = secret
                    .properties
                    .iter()
                    .map(|property| json!({"secretKey": property, "remoteRef": {"key": key, "property": property}}))
                    .collect();
            }
        }
    }
    children.push(Child::with_spec(EXTERNAL_SECRET, &binding.child_meta(name), spec));
    children
}

/// In the form in which External Secrets writes it back with its finalizer: any other form would look like a change by
/// another writer from then on.
fn interval(written: &str) -> String {
    duration::seconds(written).map_or_else(|| written.to_owned(), duration::canonical)
}

fn target(secret: &BoundSecret) -> Value {
    let mut target = json!({
        "name": secret.target,
        "creationPolicy": "Owner",
        // The Secret stays when the remote secret is deleted: running pods need it.
        "deletionPolicy": "Retain",
    });
    if !secret.template.is_empty() {
        target["template"] = json!({"engineVersion": "v2", "data": secret.template});
    }
    target
}

#[cfg(test)]
mod tests {
    use idp_api::{secret_binding::StoreRef, web_application::GeneratedSecret};

    use super::*;

    fn planned(secret: BoundSecret) -> Vec<Value> {
        let binding = Validated {
            name: "shop".into(),
            namespace: "team-a".into(),
            application: "shop".into(),
            store: StoreRef {
                name: "aws".into(),
                kind: "ClusterSecretStore".into(),
            },
            secrets: vec![BoundSecret {
                name: "db".into(),
                target: "shop-secret-db".into(),
                refresh_interval: "5m".into(),
                ..secret
            }],
        };
        let plan = plan(&binding).unwrap();
        plan.children.into_iter().map(|child| child.object).collect()
    }

    #[test]
    fn whole_secrets_and_single_keys() {
        let whole = planned(BoundSecret {
            remote_key: Some("team-a/shop/db".into()),
            ..BoundSecret::default()
        });
        assert_eq!(
            whole[0]["spec"]["dataFrom"],
            json!([{"extract": {"key": "team-a/shop/db"}}])
        );
        assert_eq!(whole[0]["metadata"]["name"], "shop.db");
        let keys = planned(BoundSecret {
            remote_key: Some("team-a/shop/db".into()),
            properties: vec!["user".into()],
            ..BoundSecret::default()
        });
        assert_eq!(
            keys[0]["spec"]["data"],
            json!([{"secretKey": "user", "remoteRef": {"key": "team-a/shop/db", "property": "user"}}])
        );
        assert_eq!(keys[0]["spec"]["refreshInterval"], "5m0s");
    }

    #[test]
    fn a_generated_secret_is_created_once() {
        let children = planned(BoundSecret {
            generate: Some(GeneratedSecret::default()),
            ..BoundSecret::default()
        });
        assert_eq!(children[0]["kind"], "Password");
        assert_eq!(children[0]["spec"]["length"], 32);
        assert_eq!(children[1]["spec"]["refreshPolicy"], "CreatedOnce");
        assert!(children[1]["spec"].get("secretStoreRef").is_none());
    }
}
