//! Objects of an application, for assertions.

use std::collections::BTreeMap;

use idp_core::labels;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Container, Secret},
    },
};
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use crate::{EXTERNAL_SECRET, Lab};

impl Lab {
    /// The Deployment, if there is one.
    pub async fn deployment(&self, name: &str) -> Option<Deployment> {
        self.api::<Deployment>().get_opt(name).await.unwrap()
    }

    /// The generation of a Deployment, which grows with each change of its spec.
    pub async fn generation(&self, name: &str) -> i64 {
        let deployment = self.deployment(name).await;
        deployment
            .and_then(|deployment| deployment.metadata.generation)
            .unwrap_or_default()
    }

    /// Number of revisions of a Deployment.
    pub async fn replica_sets(&self, name: &str) -> usize {
        self.labelled::<ReplicaSet>(name).await.len()
    }

    /// The only container of an application's pods.
    pub async fn container(&self, name: &str) -> Container {
        let deployment = self.deployment(name).await.expect("a Deployment");
        let mut pods = deployment.spec.unwrap().template.spec.unwrap();
        pods.containers.remove(0)
    }

    /// Source of each variable of the pods: `Secret/key`, or its value.
    pub async fn variables(&self, name: &str) -> BTreeMap<String, String> {
        let variables = self.container(name).await.env.unwrap_or_default();
        variables
            .into_iter()
            .map(|variable| {
                let key = variable.value_from.and_then(|from| from.secret_key_ref);
                let from = match key {
                    Some(key) => format!("{}/{}", key.name, key.key),
                    None => variable.value.unwrap_or_default(),
                };
                (variable.name, from)
            })
            .collect()
    }

    /// Content of a Secret, if it exists.
    pub async fn secret(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let secret = self.api::<Secret>().get_opt(name).await.unwrap()?;
        let data = secret.data.unwrap_or_default().into_iter();
        Some(
            data.map(|(key, value)| (key, String::from_utf8(value.0).unwrap()))
                .collect(),
        )
    }

    /// Objects of an application.
    pub async fn labelled<K>(&self, name: &str) -> Vec<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let ours = ListParams::default().labels(&format!("{}={name}", labels::APPLICATION));
        self.api::<K>().list(&ours).await.unwrap().items
    }

    /// Names of the ExternalSecrets of the namespace.
    pub async fn external_secrets(&self) -> Vec<String> {
        let listed = self.objects(EXTERNAL_SECRET).list(&ListParams::default()).await;
        let listed = listed.unwrap().items.into_iter();
        listed.filter_map(|object| object.metadata.name).collect()
    }
}
