//! Bindings: objects in which capabilities keep their state, and their Secrets and volumes in pods.

use idp_api::kinds::{CERTIFICATE_BINDING, CLAIM_BINDING};
use idp_core::{
    Child,
    capability::{KeyRef, MountSource, ValueFrom},
    hash,
};
use k8s_openapi::api::core::v1::{
    ConfigMapKeySelector, ConfigMapVolumeSource, EnvFromSource, EnvVar, EnvVarSource,
    PersistentVolumeClaimVolumeSource, SecretEnvSource, SecretKeySelector, SecretVolumeSource, Volume,
    VolumeMount,
};
use serde_json::json;

use crate::validate::{ValidBinding, Validated};

pub(super) fn children(app: &Validated) -> Vec<Child> {
    app.supplies
        .bindings
        .iter()
        .map(|binding| child(app, binding))
        .collect()
}

fn child(app: &Validated, binding: &ValidBinding) -> Child {
    Child::with_spec(binding.kind, &app.child_meta(&binding.name), binding.spec.clone())
}

/// The binding that pods still wait for, if any: a pod that starts before its Secret fails. Pods do not wait for
/// certificates: only the gateway reads them.
pub(super) fn awaited(app: &Validated) -> Option<String> {
    let awaited = app
        .supplies
        .bindings
        .iter()
        .filter(|binding| pods_read(binding) && !binding.assume_ready)
        .find(|binding| {
            let planned = child(app, binding).object;
            !binding.facts.as_ref().is_some_and(|facts| facts.serves(&planned))
        });
    awaited.map(|binding| format!("waits for {} {}", binding.kind, binding.name))
}

/// Combined version of everything that pods read: a change triggers a rollout.
pub(super) fn version(app: &Validated) -> Option<String> {
    let versions: Vec<_> = app
        .supplies
        .bindings
        .iter()
        .filter(|binding| pods_read(binding))
        .filter_map(|binding| {
            let version = binding.facts.as_ref()?.version.as_ref()?;
            Some((binding.kind.kind, &binding.name, version))
        })
        .collect();
    (!versions.is_empty()).then(|| hash::of(&json!(versions)))
}

/// Excludes data that the application has removed: they are retained for a while, and their deletion affects no pod.
fn pods_read(binding: &ValidBinding) -> bool {
    let is_released = binding.kind == CLAIM_BINDING && binding.spec["released"] == true;
    binding.kind != CERTIFICATE_BINDING && !is_released
}

pub(super) fn env(app: &Validated) -> impl Iterator<Item = EnvVar> {
    app.supplies.env.iter().map(|variable| {
        let (value, value_from) = match &variable.from {
            ValueFrom::Literal(value) => (Some(value.clone()), None),
            ValueFrom::Secret(key) => (None, Some(secret_key(key))),
            ValueFrom::ConfigMap(key) => (None, Some(config_map_key(key))),
        };
        EnvVar {
            name: variable.name.clone(),
            value,
            value_from,
        }
    })
}

/// Only set if true: false is the default.
fn optional(key: &KeyRef) -> Option<bool> {
    key.optional.then_some(true)
}

fn secret_key(key: &KeyRef) -> EnvVarSource {
    EnvVarSource {
        secret_key_ref: Some(SecretKeySelector {
            name: key.name.clone(),
            key: key.key.clone(),
            optional: optional(key),
        }),
        ..EnvVarSource::default()
    }
}

fn config_map_key(key: &KeyRef) -> EnvVarSource {
    EnvVarSource {
        config_map_key_ref: Some(ConfigMapKeySelector {
            name: key.name.clone(),
            key: key.key.clone(),
            optional: optional(key),
        }),
        ..EnvVarSource::default()
    }
}

pub(super) fn env_from(app: &Validated) -> impl Iterator<Item = EnvFromSource> {
    app.supplies.env_from.iter().map(|from| EnvFromSource {
        prefix: (!from.prefix.is_empty()).then(|| from.prefix.clone()),
        secret_ref: Some(SecretEnvSource {
            name: from.secret.clone(),
            optional: None,
        }),
        ..EnvFromSource::default()
    })
}

pub(super) fn volumes(app: &Validated) -> impl Iterator<Item = Volume> {
    app.supplies.mounts.iter().map(|mount| {
        let mut volume = Volume {
            name: mount.name.clone(),
            ..Volume::default()
        };
        match &mount.source {
            MountSource::Secret(name) => {
                volume.secret = Some(SecretVolumeSource {
                    secret_name: Some(name.clone()),
                    ..SecretVolumeSource::default()
                });
            }
            MountSource::ConfigMap(name) => {
                volume.config_map = Some(ConfigMapVolumeSource {
                    name: name.clone(),
                    ..ConfigMapVolumeSource::default()
                });
            }
            MountSource::Claim(name) => {
                volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                    claim_name: name.clone(),
                    read_only: mount.read_only.then_some(true),
                });
            }
        }
        volume
    })
}

pub(super) fn mounts(app: &Validated) -> impl Iterator<Item = VolumeMount> {
    app.supplies.mounts.iter().map(|mount| {
        let fixed = !matches!(mount.source, MountSource::Claim(_));
        VolumeMount {
            name: mount.name.clone(),
            mount_path: mount.path.clone(),
            read_only: (fixed || mount.read_only).then_some(true),
            ..VolumeMount::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use idp_api::kinds::SECRET_BINDING;

    use super::*;
    use crate::{capabilities::BindingFacts, plan::fixture::app};

    fn bound(kind: idp_core::Kind, version: Option<&str>) -> Validated {
        let mut app = app();
        app.supplies.bindings = vec![ValidBinding {
            capability: "x".into(),
            kind,
            name: "shop".into(),
            spec: json!({}),
            facts: None,
            assume_ready: false,
        }];
        let planned = children(&app).remove(0).object;
        app.supplies.bindings[0].facts = Some(BindingFacts {
            plan_hash: Some(hash::of(&planned)),
            observed: true,
            version: version.map(str::to_owned),
            ..BindingFacts::default()
        });
        app
    }

    #[test]
    fn pods_wait_for_their_bindings() {
        assert_eq!(
            awaited(&bound(SECRET_BINDING, None)).as_deref(),
            Some("waits for SecretBinding shop")
        );
        assert_eq!(awaited(&bound(SECRET_BINDING, Some("1"))), None);
        assert_eq!(awaited(&bound(CERTIFICATE_BINDING, None)), None);
    }

    #[test]
    fn a_new_version_triggers_a_rollout() {
        let one = version(&bound(SECRET_BINDING, Some("1")));
        assert!(one.is_some());
        assert_ne!(one, version(&bound(SECRET_BINDING, Some("2"))));
        assert_eq!(
            version(&bound(CERTIFICATE_BINDING, Some("1"))),
            None,
            "a renewal rolls nothing"
        );
    }

    #[test]
    fn deletion_of_released_data_triggers_no_rollout() {
        let with = |released: Option<bool>| {
            let mut app = bound(SECRET_BINDING, Some("1"));
            if let Some(released) = released {
                let mut cache = bound(CLAIM_BINDING, Some("c")).supplies.bindings.remove(0);
                cache.name = "shop-cache".into();
                cache.spec = json!({ "released": released });
                app.supplies.bindings.push(cache);
            }
            version(&app)
        };
        assert_eq!(
            with(Some(true)),
            with(None),
            "its grace period ends, and no pod starts anew"
        );
        assert_ne!(with(Some(false)), with(None));
    }
}
