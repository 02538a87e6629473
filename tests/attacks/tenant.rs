//! An application team: a namespace, and a ServiceAccount with the permissions of `edit` there only.

use idp_api::WebApplication;
use idp_core::Kind;
use idp_tests::{Beside, Lab, app};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::{
    Api, Client, Config,
    api::{DynamicObject, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

/// A tenant.
pub(crate) struct Tenant {
    /// Its namespace, with an administrator's client, for assertions and for actions that the tenant may not perform.
    pub(crate) lab: Lab,
    /// A client with the tenant's permissions.
    pub(crate) client: Client,
}

impl Tenant {
    /// A new tenant of the cluster `peers`, with which all our controllers run.
    pub(crate) async fn new(prefix: &str) -> Self {
        let lab = Lab::new(prefix, Beside::Platform).await;
        // The name is in the kubeconfig's file name, and other tests write theirs at the same time.
        let account = format!("tenant-{}", lab.ns);
        let file = idp_cluster::controller_kubeconfig(&lab.test.cluster, &account, &lab.ns)
            .await
            .unwrap();
        let binding = json!({
            "metadata": { "name": "tenant" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": lab.ns }],
        });
        let binding = serde_json::from_value(binding).unwrap();
        lab.api::<RoleBinding>()
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
        let config = Kubeconfig::read_from(file).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .unwrap();
        let tenant = Self {
            lab,
            client: Client::try_from(config).unwrap(),
        };
        tenant.has_its_rights().await;
        tenant
    }

    /// Aggregated roles and new bindings reach the authorizer with a delay.
    async fn has_its_rights(&self) {
        idp_testkit::eventually("the tenant may create applications", || async {
            self.try_create("probe", json!({}), true)
                .await
                .map_err(|error| error.to_string())
        })
        .await;
    }

    /// Its namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.lab.ns
    }

    /// Objects of a kind, with its permissions.
    pub(crate) fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        self.objects_in(kind, &self.lab.ns)
    }

    /// Objects of a kind in any namespace, with its permissions.
    pub(crate) fn objects_in(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.api_resource())
    }

    /// Creates an object from JSON without type and namespace, with its permissions.
    pub(crate) async fn make(&self, kind: Kind, object: Value) -> kube::Result<DynamicObject> {
        make(&self.objects(kind), kind, object).await
    }

    /// The same with an administrator's permissions, in the tenant's namespace: a platform team could have granted them.
    pub(crate) async fn granted(&self, kind: Kind, object: Value) -> kube::Result<DynamicObject> {
        make(&self.lab.objects(kind), kind, object).await
    }

    /// Creates an application of this spec, as the tenant; its image has a default.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> kube::Result<()> {
        self.try_create(name, spec, false).await
    }

    async fn try_create(&self, name: &str, spec: Value, dry_run: bool) -> kube::Result<()> {
        const APPLICATION: Kind =
            Kind::namespaced("idp.dev", "v1alpha1", "WebApplication", "webapplications");
        // As JSON, because an attack may use fields that our types do not have.
        let mut whole = serde_json::to_value::<WebApplication>(app(&self.lab.ns, name, &json!({}))).unwrap();
        let fields = whole["spec"].as_object_mut().unwrap();
        fields.extend(spec.as_object().unwrap().clone());
        let params = PostParams {
            dry_run,
            ..PostParams::default()
        };
        let object: DynamicObject = serde_json::from_value(whole).unwrap();
        self.objects(APPLICATION).create(&params, &object).await?;
        Ok(())
    }

    /// Deletes its namespace.
    pub(crate) async fn end(self) {
        self.lab.end().await;
    }
}

async fn make(objects: &Api<DynamicObject>, kind: Kind, mut object: Value) -> kube::Result<DynamicObject> {
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    objects.create(&PostParams::default(), &object).await
}
