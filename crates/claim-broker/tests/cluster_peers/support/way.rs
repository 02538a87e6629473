//! The two ways in which Crossplane 2 serves a database. Each has its own group, because a cluster can serve a kind in one
//! way only.

use std::path::PathBuf;

use idp_claim_broker::kinds;
use idp_core::Kind;
use idp_testkit::root;
use serde_json::{Value, json};

use super::{cloud, documents};

/// The group of the claims and of their composite resources in these tests; installations use the platform's.
const CLAIMS: &str = "claims.test.idp.dev";

/// How a class gets a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// With a claim and its cluster-scoped composite resource, as with Crossplane 1.20.
    Claims,
    /// With a composite resource in the namespace.
    Namespaced,
}

/// Runs each test in both ways.
macro_rules! both_ways {
    ($($test:ident),+ $(,)?) => {
        mod claims {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::support::Lab::with_claims().await).await;
                }
            )+
        }
        mod namespaced {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::support::Lab::with_composites().await).await;
                }
            )+
        }
    };
}
pub(crate) use both_ways;

impl Way {
    /// Whether composite resources and the resources that they compose are namespaced.
    pub(crate) fn is_namespaced(self) -> bool {
        self == Self::Namespaced
    }

    /// The group of the kinds with data.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Claims => CLAIMS,
            Self::Namespaced => kinds::PLATFORM,
        }
    }

    pub(crate) fn api_version(self) -> String {
        format!("{}/v1alpha1", self.group())
    }

    /// The kinds with data.
    pub(crate) fn kinds(self) -> Vec<Kind> {
        let group = self.group();
        let platform = kinds::CLAIMS
            .into_iter()
            .filter(|kind| kind.group == kinds::PLATFORM);
        platform.map(|kind| Kind { group, ..kind }).collect()
    }

    /// The kind that the tests use.
    pub(crate) fn postgres(self) -> Kind {
        Kind {
            group: self.group(),
            ..kinds::CLAIMS[0]
        }
    }

    /// The cluster-scoped composite resources of claims.
    pub(crate) fn composites(self) -> Vec<Kind> {
        let of_claims = |kind| Kind {
            group: CLAIMS,
            ..kind
        };
        match self {
            Self::Claims => kinds::COMPOSITES.into_iter().map(of_claims).collect(),
            Self::Namespaced => Vec::new(),
        }
    }

    /// The `type` of a class's `resource`.
    pub(crate) fn resource_type(self) -> &'static str {
        match self {
            Self::Claims => "Claim",
            Self::Namespaced => "Composite",
        }
    }

    /// The broker's arguments.
    pub(crate) fn arguments(self) -> Vec<String> {
        let mut arguments = vec![format!("--composed-kind={}", written(&cloud::kind(self)))];
        if self == Self::Claims {
            arguments.extend(
                self.kinds()
                    .iter()
                    .map(|kind| format!("--claim-kind={}", written(kind))),
            );
            let composites = self.composites();
            arguments.extend(
                composites
                    .iter()
                    .map(|kind| format!("--composite-kind={}", written(kind))),
            );
        }
        arguments
    }

    /// The broker's permissions in addition to those of its manifests.
    pub(crate) fn rights(self) -> Vec<Value> {
        let plurals = |kinds: Vec<Kind>| -> Vec<&str> { kinds.iter().map(|kind| kind.plural).collect() };
        let machine = cloud::kind(self);
        let mut rules = vec![
            json!({ "apiGroups": [machine.group], "resources": [machine.plural], "verbs": ["list", "watch"] }),
        ];
        if self == Self::Claims {
            rules.push(json!({ "apiGroups": [CLAIMS], "resources": plurals(self.kinds()),
                "verbs": ["list", "watch", "create", "patch", "delete"] }));
            rules.push(
                json!({ "apiGroups": [CLAIMS], "resources": plurals(self.composites()),
                "verbs": ["list", "watch"] }),
            );
        }
        let name = format!("idp-claim-broker-test-{}", self.resource_type().to_lowercase());
        vec![
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name },
                "rules": rules,
            }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": name },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
                "subjects": [{ "kind": "ServiceAccount", "name": "idp-claim-broker", "namespace": "idp-system" }],
            }),
        ]
    }

    /// The definitions: those of the repository, or those of an installation with claims.
    pub(crate) fn definitions(self) -> Vec<Value> {
        match self {
            Self::Claims => self.read(&["crates/claim-broker/tests/testdata/claims/definitions"]),
            Self::Namespaced => self.read(&["platform/compositions/definitions"]),
        }
    }

    /// The Compositions, likewise.
    pub(crate) fn compositions(self) -> Vec<Value> {
        let folder = match self {
            Self::Claims => "crates/claim-broker/tests/testdata/claims/compositions",
            Self::Namespaced => "infrastructure/crossplane/compositions",
        };
        let mut compositions = self.read(&[&format!("{folder}/aws"), &format!("{folder}/local")]);
        if self == Self::Claims {
            // Both ways use the same names, and Compositions are cluster-scoped.
            for composition in &mut compositions {
                composition["metadata"]["name"] =
                    format!("claims-{}", composition["metadata"]["name"].as_str().unwrap()).into();
            }
        }
        compositions
    }

    /// The policies that protect data. As installations do, the tests add the group of their own claims.
    pub(crate) fn admission() -> Vec<Value> {
        let platform = format!("[\"{}\"]", kinds::PLATFORM);
        let both = format!("[\"{}\", \"{CLAIMS}\"]", kinds::PLATFORM);
        let text = read(&root().join("platform/admission/claims.yaml"));
        assert_eq!(
            text.matches(&platform).count(),
            2,
            "the manifests name the groups of claims in two places"
        );
        documents(&text.replace(&platform, &both))
    }

    /// The ClaimClasses of the repository, each with the name of its Environment.
    pub(crate) fn classes(self) -> Vec<(String, Value)> {
        let mut classes = Vec::new();
        for file in files("platform/claim-classes") {
            let environment = file.file_stem().unwrap().to_string_lossy().into_owned();
            for mut class in documents(&read(&file)) {
                if self == Self::Claims && class["spec"]["resource"]["type"] == "Composite" {
                    // Crossplane writes a claim's connection Secret; `writeConnectionSecretToRef` names it.
                    let spec = &mut class["spec"];
                    spec["resource"]["type"] = self.resource_type().into();
                    spec["resource"]["apiVersion"] = self.api_version().into();
                    let parameters = spec["template"]["parameters"].as_object_mut().unwrap();
                    parameters
                        .remove("connectionSecret")
                        .expect("it names its Secret");
                }
                classes.push((environment.clone(), class));
            }
        }
        classes
    }

    /// A Composition of a machine, and of the connection Secret as each way has it.
    pub(crate) fn test_composition(self) -> Value {
        let mut machine = cloud::machine(self);
        let resources = match self {
            Self::Claims => {
                machine["connectionDetails"] = json!([
                    { "name": "host", "type": "FromFieldPath", "fromFieldPath": "status.address" },
                    { "name": "port", "type": "FromValue", "value": "5432" },
                ]);
                json!([machine])
            }
            Self::Namespaced => json!([machine, connection_secret()]),
        };
        let (name, kind) = match self {
            Self::Claims => ("test-postgres-claims", "XPostgresInstance"),
            Self::Namespaced => ("test-postgres", "PostgresInstance"),
        };
        let mut composition = json!({
            "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition",
            "metadata": { "name": name, "labels": { "provider": "test" } },
            "spec": {
                "compositeTypeRef": { "apiVersion": self.api_version(), "kind": kind },
                "mode": "Pipeline",
                "pipeline": [{
                    "step": "resources",
                    "functionRef": { "name": "function-patch-and-transform" },
                    "input": { "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": resources },
                }],
            },
        });
        if self == Self::Claims {
            composition["spec"]["writeConnectionSecretsToNamespace"] = "crossplane-system".into();
        }
        composition
    }

    fn read(self, folders: &[&str]) -> Vec<Value> {
        let files = folders.iter().flat_map(|folder| files(folder));
        files
            .flat_map(|file| documents(&read(&file).replace(kinds::PLATFORM, self.group())))
            .collect()
    }
}

/// A kind in the form of the broker's arguments.
fn written(kind: &Kind) -> String {
    let scope = if kind.namespaced { "" } else { "/cluster" };
    format!(
        "{}/{}/{}/{}{scope}",
        kind.group, kind.version, kind.kind, kind.plural
    )
}

fn connection_secret() -> Value {
    json!({
        "name": "connection",
        "base": { "apiVersion": "v1", "kind": "Secret", "stringData": { "port": "5432" } },
        "readinessChecks": [{ "type": "None" }],
        "patches": [
            { "type": "FromCompositeFieldPath", "fromFieldPath": "spec.parameters.connectionSecret", "toFieldPath": "metadata.name",
              "policy": { "fromFieldPath": "Required" } },
            { "type": "FromCompositeFieldPath", "fromFieldPath": "status.address", "toFieldPath": "stringData.host",
              "policy": { "fromFieldPath": "Required" } },
            { "type": "ToCompositeFieldPath", "fromFieldPath": "metadata.resourceVersion", "toFieldPath": "status.connection.version" },
        ],
    })
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(file: &std::path::Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
