//! ConfigMaps: the configuration files, one object for each revision of them.
//!
//! A ConfigMap is named after its content and never changes. Pods name the one that they read; so a pod of an old version
//! that is made again, because its node was drained while a migration is stuck, reads the files of its own version. An old
//! one is kept until nothing reads it any more.

use std::collections::BTreeMap;

use idp_api::web_application::ConfigFile;
use idp_core::{Child, hash};
use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Volume, VolumeMount};
use serde_json::json;

use crate::{kinds, validate::Validated};

/// Name of the volume in the pod.
const VOLUME: &str = "config";
/// Characters of the hash in a name: enough that two revisions of one application never meet by chance.
const REVISION: usize = 16;
/// Longest part of a file's name in a key: keys have 253 characters at most.
const LONGEST: usize = 200;

pub(super) fn children(app: &Validated) -> Vec<Child> {
    let current = current(app);
    let present = current.as_ref().map(|child| child.name.clone());
    let is_revision = |name: &&String| {
        let rest = name.strip_prefix(&base(app));
        // Before there were revisions, there was one of the base's own name.
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let old = app
        .used_config
        .iter()
        .filter(is_revision)
        .filter(|name| Some(*name) != present.as_ref())
        .map(|name| {
            Child::typed(kinds::CONFIG_MAP, &app.child_meta(name), &ConfigMap::default())
                .held("is kept until no pod reads it")
        });
    current.into_iter().chain(old).collect()
}

/// The present files.
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

/// The volume in pods that read the files.
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

/// Where the files are mounted. Each is mounted by itself, so that what the image has beside it stays visible. Such a
/// mount does not follow the ConfigMap; the pods are rolled instead (see [`hash`](self::hash())).
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

/// Hash of all the files, which changes the pod template, and so rolls the pods, when one of them changes.
pub(super) fn hash(app: &Validated) -> Option<String> {
    let files: BTreeMap<&str, &str> = app
        .config_files
        .iter()
        .map(|file| (file.path.as_str(), file.content.as_str()))
        .collect();
    (!files.is_empty()).then(|| hash::of(&json!(files)))
}

/// Name of the present revision; `None` without files.
fn name(app: &Validated) -> Option<String> {
    hash(app).map(|hash| format!("{}-{}", base(app), &hash[..hash.len().min(REVISION)]))
}

fn base(app: &Validated) -> String {
    format!("{}-config", app.name)
}

/// Key of a file: its name, for people, and a hash of its path, because two directories may hold the same name.
fn key(file: &ConfigFile) -> String {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    // Paths are ASCII: the schema says so.
    let name: String = name.chars().take(LONGEST).collect();
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
        app.used_config = vec![old.name.clone(), "shop-config".into(), name(&app).unwrap(), other];
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
        // Without files, those of the past are still read for a while.
        app.config_files.clear();
        assert_eq!(children(&app).len(), 3);
        app.used_config.clear();
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
