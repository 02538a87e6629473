//! Whatever the repository offers, composed by the real Crossplane: as it is, and in the way of claims.

use crate::support::{Lab, both_ways, offers};

both_ways! { every_class_of_the_repository_is_composed }

async fn every_class_of_the_repository_is_composed(lab: Lab) {
    offers::every_class_is_composed(&lab).await;
}
