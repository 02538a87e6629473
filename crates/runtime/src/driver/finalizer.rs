//! The finalizer of controllers that must act before their resource is deleted.

use idp_core::ObjectKey;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{client::request::ApiError, driver::reconciler::Driver, reconcile::Reconcile};

impl<R: Reconcile> Driver<R> {
    /// Whether the resource has our finalizer.
    pub(crate) fn is_held(resource: &R::Resource) -> bool {
        R::FINALIZER.is_some_and(|ours| resource.finalizers().iter().any(|finalizer| finalizer == ours))
    }

    /// Adds our finalizer. Must be called before the first child is created.
    pub(crate) async fn hold(&self, key: &ObjectKey, resource: &R::Resource) -> Result<(), ApiError> {
        let Some(ours) = R::FINALIZER else { return Ok(()) };
        let mut finalizers = resource.finalizers().to_vec();
        finalizers.push(ours.to_owned());
        self.set_finalizers(key, resource, &finalizers).await
    }

    /// Removes our finalizer, so that the resource can be deleted.
    pub(crate) async fn release(&self, key: &ObjectKey, resource: &R::Resource) -> Result<(), ApiError> {
        let others = resource
            .finalizers()
            .iter()
            .filter(|finalizer| Some(finalizer.as_str()) != R::FINALIZER);
        let others: Vec<String> = others.cloned().collect();
        match self.set_finalizers(key, resource, &others).await {
            // Already gone.
            Err(error) if error.code() == Some(404) => Ok(()),
            other => other,
        }
    }

    /// The list is replaced as a whole, with the version that it was read from as a precondition.
    async fn set_finalizers(
        &self,
        key: &ObjectKey,
        resource: &R::Resource,
        finalizers: &[String],
    ) -> Result<(), ApiError> {
        let patch: Value = json!({
            "metadata": { "finalizers": finalizers, "resourceVersion": resource.resource_version() },
        });
        let written = self
            .api
            .merge::<R::Resource>(self.identity.kind, key, &patch)
            .await?;
        self.view.resources.wrote(key, written);
        Ok(())
    }
}
