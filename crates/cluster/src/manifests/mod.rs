//! Reading manifests, and applying them to a cluster.

pub(crate) mod apply;
pub(crate) mod parse;
mod served;

/// The API server's message alone: the status around it repeats it.
fn refusal(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => anyhow::Error::msg(status.message.clone()),
        other => other.into(),
    }
}
