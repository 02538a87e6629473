//! The ceiling: a bare client that writes what the controller would write, and does nothing else.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use idp_core::{Child, labels};
use idp_webapp::NAME;
use kube::Client;
use serde_json::Value;

/// One write: path and body.
pub(crate) struct Write {
    path: String,
    body: Vec<u8>,
}

impl Write {
    /// The write of a child. It is as long as the controller's own, but carries labels by which no controller
    /// takes it (or its pods) for its own: those would fill the caches that are measured.
    pub(crate) fn of(child: &Child, namespace: &str) -> Result<Self> {
        let kind = child.kind;
        let root = if kind.group.is_empty() {
            "/api/v1".to_owned()
        } else {
            format!("/apis/{}", kind.api_version())
        };
        let mut object: Value = child.object.clone();
        object["metadata"]["annotations"][labels::PLAN_HASH] = "0123456789abcdef".into();
        let other = labels::APPLICATION.replace("application", "measurement");
        let body = object.to_string().replace(labels::APPLICATION, &other).replace(
            &format!("\"{}\":\"{NAME}\"", labels::MANAGED_BY),
            &format!("\"{}\":\"idp-bench1\"", labels::MANAGED_BY),
        );
        Ok(Self {
            path: format!(
                "{root}/namespaces/{namespace}/{}/{}?fieldManager={NAME}&force=true&fieldValidation=Strict",
                kind.plural, child.name
            ),
            body: body.into_bytes(),
        })
    }

    async fn send(self, client: &Client) -> Result<()> {
        let request = http::Request::patch(self.path)
            .header("content-type", "application/apply-patch+yaml")
            .body(self.body)?;
        let _: Value = client.request(request).await?;
        Ok(())
    }
}

/// Writes all, so many at a time; how long it took.
pub(crate) async fn write(client: &Client, writes: Vec<Write>, concurrency: usize) -> Result<Duration> {
    let start = Instant::now();
    stream::iter(writes)
        .map(|write| write.send(client))
        .buffer_unordered(concurrency)
        .try_collect::<()>()
        .await?;
    Ok(start.elapsed())
}
