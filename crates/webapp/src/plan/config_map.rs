//! ConfigMaps: the configuration files, one object for each revision.
//!
//! A ConfigMap's name contains the hash of its content, and it never changes. Pods refer to their revision. So if a
//! pod of an old version is recreated, for example because its node was drained while a migration is stuck, it reads
//! the files of its own version. Old revisions are kept until nothing refers to them.

use std::collections::BTreeMap;

use idp_api::web_application::ConfigFile;
use idp_core::{Child, hash};
use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Volume, VolumeMount};
use serde_json::json;

use crate::{kinds, validate::Validated};

/// Name of the volume in the pod.
const VOLUME: &str = "config";
/// Characters of the hash in a name: enough to avoid collisions between revisions of one application.
const REVISION_CHARS: usize = 16;
/// Maximum length of the file name in a key: keys have at most 253 characters.
const MAX_FILE_NAME_CHARS: usize = 200;

pub(super) fn children(app: &Validated) -> Vec<Child> {
    let current = current(app);
    let present = current.as_ref().map(|child| child.name.clone());
    let is_revision = |name: &&String| {
        let rest = name.strip_prefix(&base(app));
        // Before revisions existed, the name had no hash.
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let old = app
        .used_config_maps
        .iter()
        .filter(is_revision)
        .filter(|name| Some(*name) != present.as_ref())
        .map(|name| {
            Child::typed(kinds::CONFIG_MAP, &app.child_meta(name), &ConfigMap::default())
                .held("is kept until no pod reads it")
        });
    current.into_iter().chain(old).collect()
}

/// The ConfigMap of the current files.
fn current(app: &Validated) -> Option<Child> {
    let name = name(app)?;
    let data = app
        .config_files
        .iter()
        .map(|file| (key(file), file.content.clone()))
        .collect();
    let map = ConfigMap {
        data: Some(data),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    Some(Child::typed(kinds::CONFIG_MAP, &app.child_meta(name), &map))
}

/// The volume of the files in pods.
pub(super) fn volume(app: &Validated) -> Option<Volume> {
    name(app).map(|name| Volume {
        name: VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name,
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    })
}

/// The mounts of the files. Each file has its own mount, so that other files of the image in the same directory stay
/// visible. Such a mount does not follow changes of the ConfigMap; a new hash triggers a rollout instead (see
/// [`hash`](self::hash())).
pub(super) fn mounts(app: &Validated) -> Vec<VolumeMount> {
    let mount = |file: &ConfigFile| VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: file.path.clone(),
        sub_path: Some(key(file)),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    app.config_files.iter().map(mount).collect()
}

/// Hash of all files. It is part of the pod template, so a change triggers a rollout.
pub(super) fn hash(app: &Validated) -> Option<String> {
    let files: BTreeMap<&str, &str> = app
        .config_files
        .iter()
        .map(|file| (file.path.as_str(), file.content.as_str()))
        .collect();
    (!files.is_empty()).then(|| hash::of(&json!(files)))
}

/// Name of the current revision; `None` without files.
fn name(app: &Validated) -> Option<String> {
    hash(app).map(|hash| format!("{}-{}", base(app), &hash[..hash.len().min(REVISION_CHARS)]))
}

fn base(app: &Validated) -> String {
    format!("{}-config", app.name)
}

/// Key of a file: its name, for readers, and a hash of its path, because two directories may have a file of the same
/// name.
fn key(file: &ConfigFile) -> String {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    // Paths are ASCII: the schema ensures it.
    let name: String = name.chars().take(MAX_FILE_NAME_CHARS).collect();
    format!("{}-{name}", &hash::text(&file.path)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::app;

    fn file(path: &str, content: &str) -> ConfigFile {
        ConfigFile {
            path: path.into(),
            content: content.into(),
        }
    }

    #[test]
    fn files_of_the_same_name_have_different_keys() {
        let mut app = app();
        app.config_files = vec![file("/a/app.yaml", "1"), file("/b/app.yaml", "2")];
        let mounts = mounts(&app);
        assert_ne!(mounts[0].sub_path, mounts[1].sub_path);
        let data = &children(&app)[0].object["data"];
        assert_eq!(data[mounts[1].sub_path.as_ref().unwrap()], "2");
        assert!(key(&file(&format!("/{}", "x".repeat(254)), "")).len() <= 253);
    }

    #[test]
    fn old_revisions_are_kept_while_they_are_read() {
        let mut app = app();
        app.config_files = vec![file("/a", "1")];
        let old = children(&app).remove(0);
        assert_eq!(old.object["immutable"], true);
        app.config_files[0].content = "2".into();
        let other = "shop-dashboard".to_owned();
        app.used_config_maps = vec![old.name.clone(), "shop-config".into(), name(&app).unwrap(), other];
        let kept: Vec<(String, bool)> = children(&app)
            .into_iter()
            .map(|child| (child.name.clone(), child.step == idp_core::Step::Apply))
            .collect();
        assert_eq!(
            kept,
            [
                (name(&app).unwrap(), true),
                (old.name.clone(), false),
                ("shop-config".into(), false)
            ]
        );
        assert_ne!(old.name, name(&app).unwrap());
        // Without files, previous revisions may still be in use for a while.
        app.config_files.clear();
        assert_eq!(children(&app).len(), 3);
        app.used_config_maps.clear();
        assert!(children(&app).is_empty());
    }

    #[test]
    fn the_hash_follows_the_content() {
        let mut app = app();
        assert_eq!(hash(&app), None);
        app.config_files = vec![file("/a", "1")];
        let before = hash(&app);
        app.config_files[0].content = "2".into();
        assert_ne!(hash(&app), before);
    }
}
