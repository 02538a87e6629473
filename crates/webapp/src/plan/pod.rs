//! Pods: the common parts of those of the Deployment, the migration and jobs.
//!
//! All comply with the restricted Pod Security Standard. `runAsUser` is not set: the image must name a non-root user,
//! because an arbitrary ID would not own the image's files.

use std::collections::BTreeMap;

use idp_api::{
    environment::MeshMode,
    web_application::{EnvVar as Written, PodField},
};
use idp_core::labels;
use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, LocalObjectReference,
        ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
        SeccompProfile, SecurityContext, Toleration, Volume, VolumeMount,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::{binding, config_map};
use crate::validate::Validated;

/// Name of the application's container: fixed, so that patches and dashboards can refer to it.
pub(super) const CONTAINER: &str = "app";
/// Name of the volume at `/tmp`, the only writable directory of the container.
const TMP: &str = "tmp";

/// A pod of `component` with `container`.
///
/// Pods of migrations and jobs are in the mesh too, because most services that they call are. Istio's proxy is a
/// native sidecar (default since 1.27), which ends with them.
pub(super) fn template(app: &Validated, component: &str, container: Container) -> PodTemplateSpec {
    let annotations = config_map::hash(app).map(|hash| [(labels::CONFIG_HASH.to_owned(), hash)].into());
    let spec = PodSpec {
        service_account_name: Some(app.name.clone()),
        automount_service_account_token: Some(false),
        // Variables for each Service of the namespace would change over time, and hide the application's own.
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container],
        volumes: Some(volumes(app)),
        node_selector: some(app.placement.node_selector.clone()),
        tolerations: list(app.placement.tolerations.iter().map(toleration)),
        priority_class_name: app.placement.priority_class.clone(),
        image_pull_secrets: list(
            app.pull_secrets
                .iter()
                .map(|name| LocalObjectReference { name: name.clone() }),
        ),
        ..PodSpec::default()
    };
    let metadata = ObjectMeta {
        labels: Some(pod_labels(app, component)),
        annotations,
        ..ObjectMeta::default()
    };
    PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(spec),
    }
}

/// The application's container, with the image's own command unless replaced, and without ports and probes.
///
/// `imagePullPolicy` is not set: Kubernetes' default (`Always` for `latest`, otherwise `IfNotPresent`) is right.
pub(super) fn container(app: &Validated) -> Container {
    let mounts = std::iter::once(VolumeMount {
        name: TMP.to_owned(),
        mount_path: "/tmp".to_owned(),
        ..VolumeMount::default()
    });
    Container {
        name: CONTAINER.to_owned(),
        image: Some(app.image.clone()),
        env: Some(env(app)),
        env_from: list(binding::env_from(app)),
        resources: Some(resources(app)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(
            mounts
                .chain(config_map::mounts(app))
                .chain(binding::mounts(app))
                .collect(),
        ),
        ..Container::default()
    }
}

/// A list as an optional field: `None` if empty, so that we do not own the field.
pub(super) fn list<T>(items: impl IntoIterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.into_iter().collect();
    (!items.is_empty()).then_some(items)
}

fn some(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then_some(map)
}

fn pod_labels(app: &Validated, component: &str) -> BTreeMap<String, String> {
    // Set in every mesh mode, so that it does not depend on labels of the namespace.
    let (key, value) = match app.mesh.mode {
        MeshMode::Sidecar => ("sidecar.istio.io/inject", "true"),
        MeshMode::Ambient => ("istio.io/dataplane-mode", "ambient"),
        MeshMode::None => ("sidecar.istio.io/inject", "false"),
    };
    let mut all = app.labels.clone();
    all.insert(labels::COMPONENT.to_owned(), component.to_owned());
    all.insert(key.to_owned(), value.to_owned());
    all
}

/// Ours come first, so that the application's own variables may refer to them; if names are equal, the application's
/// win.
fn env(app: &Validated) -> Vec<EnvVar> {
    let port = app
        .ports
        .first()
        .map(|port| port.port.to_string())
        .unwrap_or_default();
    let ours = [
        ("IDP_APPLICATION", app.name.clone()),
        ("IDP_ENVIRONMENT", app.environment.clone()),
        ("IDP_NAMESPACE", app.namespace.clone()),
        ("PORT", port),
    ];
    let ours = ours
        .into_iter()
        .filter(|(name, _)| app.env.iter().all(|own| own.name != *name))
        .map(|(name, value)| EnvVar {
            name: name.to_owned(),
            value: Some(value),
            value_from: None,
        });
    // Variables of capabilities come before the application's own, which may refer to them.
    ours.chain(binding::env(app))
        .chain(app.env.iter().map(variable))
        .collect()
}

fn variable(written: &Written) -> EnvVar {
    let field = written.from_field.map(|field| match field {
        PodField::PodName => "metadata.name",
        PodField::PodNamespace => "metadata.namespace",
        PodField::PodIp => "status.podIP",
        PodField::NodeName => "spec.nodeName",
    });
    let source = |path: &str| EnvVarSource {
        field_ref: Some(ObjectFieldSelector {
            field_path: path.to_owned(),
            api_version: None,
        }),
        ..EnvVarSource::default()
    };
    EnvVar {
        name: written.name.clone(),
        value: written.value.clone(),
        value_from: field.map(source),
    }
}

/// The memory limit equals the request: memory cannot be reclaimed from a running pod.
fn resources(app: &Validated) -> ResourceRequirements {
    let named = |name: &str, quantity: &Quantity| (name.to_owned(), quantity.clone());
    let memory = named("memory", &app.resources.memory);
    let cpu_limit = app.resources.cpu_limit.as_ref().map(|limit| named("cpu", limit));
    ResourceRequirements {
        requests: Some([named("cpu", &app.resources.cpu), memory.clone()].into()),
        limits: Some([memory].into_iter().chain(cpu_limit).collect()),
        ..ResourceRequirements::default()
    }
}

fn volumes(app: &Validated) -> Vec<Volume> {
    let tmp = Volume {
        name: TMP.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    std::iter::once(tmp)
        .chain(config_map::volume(app))
        .chain(binding::volumes(app))
        .collect()
}

fn toleration(written: &idp_api::web_application::Toleration) -> Toleration {
    let operator = if written.value.is_some() {
        "Equal"
    } else {
        "Exists"
    };
    Toleration {
        key: Some(written.key.clone()),
        operator: Some(operator.to_owned()),
        value: written.value.clone(),
        effect: written.effect.clone(),
        toleration_seconds: None,
    }
}
