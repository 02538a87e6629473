//! The real Crossplane composes every class of the repository, with composite resources in namespaces and with claims.

use crate::support::{Lab, both_ways, offers};

both_ways! { every_class_of_the_repository_is_composed }

async fn every_class_of_the_repository_is_composed(lab: Lab) {
    offers::every_class_is_composed(&lab).await;
}
