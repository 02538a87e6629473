//! An Environment that allows one tenant to patch everything, as a platform team could have written.

use idp_api::{Environment, environment::AllowedPatch};
use kube::{Api, Client, api::PostParams};

use crate::Tenant;

/// The policy, until it is closed.
pub(crate) struct Wide {
    client: Client,
    namespace: String,
}

impl Wide {
    /// Opens all fields of these kinds to the tenant's namespace, and to no other.
    pub(crate) async fn open(tenant: &Tenant, kinds: &[&str]) -> Self {
        let wide = Self {
            client: tenant.lab.client.clone(),
            namespace: tenant.namespace().to_owned(),
        };
        let policy = |kind: &&str| AllowedPatch {
            kind: (*kind).to_owned(),
            fields: [
                "apiVersion",
                "kind",
                "metadata",
                "spec",
                "data",
                "status",
                "automountServiceAccountToken",
            ]
            .map(str::to_owned)
            .into(),
            namespaces: vec![wide.namespace.clone()],
        };
        let policies: Vec<AllowedPatch> = kinds.iter().map(policy).collect();
        wide.change(|all| all.extend(policies.clone())).await;
        wide
    }

    /// Removes it.
    pub(crate) async fn close(self) {
        let ours = [self.namespace.clone()];
        self.change(|all| all.retain(|policy| policy.namespaces != ours))
            .await;
    }

    /// Other tests change the Environment too.
    async fn change(&self, change: impl Fn(&mut Vec<AllowedPatch>)) {
        let environments: Api<Environment> = Api::all(self.client.clone());
        loop {
            let mut now = environments.get("local").await.unwrap();
            change(&mut now.spec.allowed_patches);
            match environments.replace("local", &PostParams::default(), &now).await {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}
