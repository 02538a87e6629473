//! Building image archives from files.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::build::go::hex;

/// A file of an image.
#[derive(Debug, Clone)]
pub struct ImageFile {
    /// Its path in the image, such as `/app/server`.
    pub path: String,
    /// Its permissions, such as `0o755`. Its owner is root, so that the image's user cannot change it.
    pub mode: u32,
    /// Its content.
    pub content: Vec<u8>,
}

/// A container image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name with a tag. By convention, `localhost/…` is in no registry.
    pub reference: String,
    /// The files of its only layer.
    pub files: Vec<ImageFile>,
    /// The program and its fixed arguments.
    pub entrypoint: Vec<String>,
    /// The UID that it runs as; not 0 in images of applications.
    pub user: u32,
    /// TCP ports that it listens on; for documentation.
    pub exposed_ports: Vec<u16>,
    /// Environment variables, each `NAME=value`.
    pub env: Vec<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

impl Image {
    /// An image of one static program, which runs as UID 65532.
    #[must_use]
    pub fn of_program(reference: &str, path: &str, content: Vec<u8>) -> Self {
        Self {
            reference: reference.to_owned(),
            files: vec![ImageFile {
                path: path.to_owned(),
                mode: 0o755,
                content,
            }],
            entrypoint: vec![path.to_owned()],
            user: 65_532,
            exposed_ports: vec![],
            env: vec![],
            labels: vec![],
        }
    }

    /// Writes a Docker archive. Equal images have equal bytes, and so equal digests.
    ///
    /// # Errors
    /// When the file cannot be written, or a path in the image is invalid.
    pub fn write_archive(&self, to: &Path) -> Result<()> {
        let layer = self.layer()?;
        let layer_digest = digest(&layer);
        let config = serde_json::to_vec(&self.config(&layer_digest))?;
        let config_name = format!("{}.json", digest(&config));
        let layer_name = format!("{layer_digest}/layer.tar");
        let manifest =
            json!([{ "Config": config_name, "RepoTags": [self.reference], "Layers": [layer_name] }]);
        let file = File::create(to).with_context(|| format!("creating {}", to.display()))?;
        let mut archive = tar::Builder::new(file);
        for (name, content) in [
            (config_name.as_str(), config.as_slice()),
            (layer_name.as_str(), layer.as_slice()),
            ("manifest.json", serde_json::to_vec(&manifest)?.as_slice()),
        ] {
            append(&mut archive, name, 0o644, content)?;
        }
        archive.into_inner()?;
        Ok(())
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut folders = std::collections::BTreeSet::new();
        for file in &files {
            folders.extend(
                Path::new(file.path.trim_start_matches('/'))
                    .ancestors()
                    .skip(1)
                    .map(Path::to_owned),
            );
        }
        let mut layer = tar::Builder::new(Vec::new());
        for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
            let mut header = header(0o755, 0);
            header.set_entry_type(tar::EntryType::Directory);
            layer.append_data(&mut header, folder, std::io::empty())?;
        }
        for file in files {
            append(
                &mut layer,
                file.path.trim_start_matches('/'),
                file.mode,
                &file.content,
            )?;
        }
        Ok(layer.into_inner()?)
    }

    fn config(&self, layer_digest: &str) -> Value {
        let ports: serde_json::Map<_, _> = self
            .exposed_ports
            .iter()
            .map(|port| (format!("{port}/tcp"), json!({})))
            .collect();
        let labels: serde_json::Map<_, _> = self
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": self.entrypoint,
                "User": self.user.to_string(),
                "ExposedPorts": ports,
                "Env": self.env,
                "Labels": labels,
                "WorkingDir": "/",
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "idp" }],
        })
    }
}

/// The architecture's name in image configurations.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A header that is independent of machine and time.
fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append(
    archive: &mut tar::Builder<impl std::io::Write>,
    name: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = header(mode, content.len() as u64);
    archive
        .append_data(&mut header, name, content)
        .with_context(|| format!("adding {name} to the image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_images_have_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let mut image = Image::of_program("localhost/a:1", "/app/server", b"program".to_vec());
        image.files.push(ImageFile {
            path: "/etc/passwd".into(),
            mode: 0o644,
            content: b"x".to_vec(),
        });
        let (one, two) = (dir.path().join("1"), dir.path().join("2"));
        image.write_archive(&one).unwrap();
        image.files.reverse();
        image.write_archive(&two).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        assert_eq!(
            crate::image::reference::reference_of(&one).unwrap(),
            "localhost/a:1"
        );
    }

    #[test]
    fn the_layer_contains_the_folders_of_its_files() {
        let layer = Image::of_program("a", "/app/bin/server", vec![1])
            .layer()
            .unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|e| e.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["app", "app/bin", "app/bin/server"]);
    }
}
