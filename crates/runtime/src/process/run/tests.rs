use super::*;
use crate::fake::Fake;

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_told_to_stop_answers_the_calls_under_way() {
    let fake = Fake::default();
    let elector =
        |identity: &str| Elector::new(fake.client(), "idp-system", "idp-widgets", identity.to_owned());
    let (mut leader, mut standby) = (elector("leader"), elector("standby"));
    leader.acquire().await;

    let (drain, mut drained) = watch::channel(false);
    let answered = Arc::new(AtomicBool::new(false));
    let mut tasks = Tasks::default();
    let call = answered.clone();
    tasks.spawn_fallible("gRPC server", async move {
        drained.wait_for(|drained| *drained).await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        call.store(true, Ordering::Relaxed);
        Ok(())
    });
    let complete: Complete = futures::future::ready(()).boxed().shared();
    complete.clone().await;
    let mut stop = Box::pin(tokio::time::sleep(Duration::from_secs(3)));
    let leads = stand_by(&mut standby, &mut tasks, &drain, &complete, &mut stop).await;
    assert!(!leads.unwrap());
    assert!(answered.load(Ordering::Relaxed), "the call was cut off");
}
