//! What the repository offers for this generation, composed by the real thing.

use crate::support::{Lab, offers};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_class_of_the_repository_is_composed() {
    let lab = Lab::second().await;
    offers::every_class_is_composed(&lab, 2).await;
}
