//! ConfigMap: the configuration files.

use std::collections::BTreeMap;

use idp_api::web_application::ConfigFile;
use idp_core::{Child, hash};
use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Volume, VolumeMount};
use serde_json::json;

use crate::{kinds, validated::Validated};

/// Name of the volume in the pod.
const VOLUME: &str = "config";
/// Longest part of a file's name in a key: keys have 253 characters at most.
const LONGEST: usize = 200;

pub(super) fn children(app: &Validated) -> Vec<Child> {
    if app.config_files.is_empty() {
        return Vec::new();
    }
    let data = app
        .config_files
        .iter()
        .map(|file| (key(file), file.content.clone()))
        .collect();
    let map = ConfigMap {
        data: Some(data),
        ..ConfigMap::default()
    };
    vec![Child::typed(kinds::CONFIG_MAP, &app.child_meta(name(app)), &map)]
}

/// The volume in pods that read the files.
pub(super) fn volume(app: &Validated) -> Option<Volume> {
    let source = ConfigMapVolumeSource {
        name: name(app),
        ..ConfigMapVolumeSource::default()
    };
    (!app.config_files.is_empty()).then(|| Volume {
        name: VOLUME.to_owned(),
        config_map: Some(source),
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

fn name(app: &Validated) -> String {
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
    fn the_hash_follows_the_content() {
        let mut app = app();
        assert_eq!(hash(&app), None);
        app.config_files = vec![file("/a", "1")];
        let before = hash(&app);
        app.config_files[0].content = "2".into();
        assert_ne!(hash(&app), before);
    }
}
