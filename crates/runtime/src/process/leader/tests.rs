use super::*;
use crate::fake::Fake;

fn elector(fake: &Fake, identity: &str) -> Elector {
    Elector::new(fake.client(), "idp-system", "idp-widgets", identity.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_is_taken_over_by_our_own_clock() {
    let fake = Fake::default();
    let (mut first, mut second) = (elector(&fake, "first"), elector(&fake, "second"));
    first.acquire().await;
    let began = Instant::now();
    second.acquire().await;
    let waited = began.elapsed();
    assert!(
        waited > LEASE_DURATION && waited < LEASE_DURATION + Duration::from_secs(5),
        "{waited:?}"
    );
    let lost = first.hold().await.why;
    assert!(
        lost.starts_with("not renewed"),
        "whoever slept is told without a question: {lost}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_renewed_lease_is_kept() {
    let fake = Fake::default();
    let (mut first, mut second) = (elector(&fake, "first"), elector(&fake, "second"));
    first.acquire().await;
    let taken = tokio::select! {
        lost = first.hold() => panic!("{lost}"),
        taken = tokio::time::timeout(Duration::from_secs(600), second.acquire()) => taken,
    };
    assert!(taken.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let fake = Fake::default();
    let (mut first, mut second) = (elector(&fake, "first"), elector(&fake, "second"));
    first.acquire().await;
    first.release().await;
    let began = Instant::now();
    second.acquire().await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_gives_up_before_anybody_takes_over() {
    let fake = Fake::default();
    let mut leader = elector(&fake, "first");
    leader.acquire().await;
    fake.refuse(
        "/apis/coordination.k8s.io/v1/namespaces/idp-system/leases/idp-widgets",
        500,
        "down",
    );
    let began = Instant::now();
    let lost = leader.hold().await;
    assert!(lost.why.contains("not renewed"), "{lost}");
    assert!(began.elapsed() < LEASE_DURATION, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_slept_through_the_deadline_gives_up_before_it_tries_again() {
    let fake = Fake::default();
    let mut leader = elector(&fake, "first");
    leader.acquire().await;
    // The process stood still, or the machine slept.
    tokio::time::advance(RENEW_DEADLINE + Duration::from_secs(1)).await;
    fake.take_log();
    let lost = leader.hold().await;
    assert!(lost.why.contains("not renewed"), "{lost}");
    assert_eq!(
        fake.take_log(),
        [""; 0],
        "the Lease is not taken again behind the back of those who wait"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_else_took_is_lost() {
    let fake = Fake::default();
    let mut leader = elector(&fake, "first");
    leader.acquire().await;
    let path = "/apis/coordination.k8s.io/v1/namespaces/idp-system/leases/idp-widgets";
    let mut lease = fake.object(path).unwrap();
    lease["spec"]["holderIdentity"] = "second".into();
    fake.put(path, lease);
    assert_eq!(leader.hold().await.why, "second holds it");
}
