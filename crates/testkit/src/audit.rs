//! Controllers' requests, read from the API server's audit log.

use std::{
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A controller's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// RBAC verb: `patch`, `watch` and so on.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, with its subresource if any: `webapplications/status`.
    pub resource: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Status code of the response.
    pub code: i64,
    /// Whether the authorizer allowed it.
    pub allowed: bool,
    /// The user, such as `system:serviceaccount:idp-system:idp-webapp`.
    pub user: String,
}

/// Reads the audit log from a position on.
pub struct Audit {
    file: PathBuf,
    from: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    #[serde(default)]
    object_ref: Value,
    #[serde(default)]
    response_status: Value,
    #[serde(default)]
    annotations: Value,
    user: Value,
}

impl Audit {
    /// Starts at the current end of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn from_now(file: &Path) -> Result<Self> {
        let from = std::fs::metadata(file)
            .map(|metadata| metadata.len())
            .unwrap_or_default();
        Ok(Self {
            file: file.to_owned(),
            from,
        })
    }

    /// The requests since then, each once: a watch counts at its start, any other request at its response.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let mut file = std::fs::File::open(&self.file).with_context(|| self.file.display().to_string())?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok());
        Ok(lines.filter(counts).map(request).collect())
    }
}

/// The log has two events of a watch, at its start and its end, and one event of any other request.
fn counts(line: &Line) -> bool {
    if line.verb == "watch" {
        line.stage == "ResponseStarted"
    } else {
        line.stage == "ResponseComplete"
    }
}

fn request(line: Line) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let subresource = text(&line.object_ref["subresource"]);
    let resource = text(&line.object_ref["resource"]);
    Request {
        verb: line.verb,
        group: text(&line.object_ref["apiGroup"]),
        resource: if subresource.is_empty() {
            resource
        } else {
            format!("{resource}/{subresource}")
        },
        namespace: text(&line.object_ref["namespace"]),
        name: text(&line.object_ref["name"]),
        code: line.response_status["code"].as_i64().unwrap_or_default(),
        allowed: line.annotations["authorization.k8s.io/decision"] == "allow",
        user: text(&line.user["username"]),
    }
}
