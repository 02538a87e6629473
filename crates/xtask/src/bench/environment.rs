//! A change of the Environment that concerns every application: what is sent, and what had to be.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use idp_api::Environment;
use idp_core::Kind;
use idp_testkit::{Controller, fixtures::typical};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    lab::{Lab, counted, cpu_seconds},
    numbers::{Rounds, number},
};

/// How often the audit log is read: each time all of it since the change, which costs CPU too.
const POLL: Duration = Duration::from_secs(5);

/// What the changes came to.
#[derive(Default)]
pub(crate) struct Change {
    /// Children of an application that differ.
    children: usize,
    applications: usize,
    sent: Rounds,
    others: Rounds,
    seconds: Rounds,
    cpu: Rounds,
}

impl Change {
    /// One change, with so many applications there.
    pub(crate) async fn round(
        &mut self,
        lab: &Lab,
        controller: &Controller,
        applications: usize,
        round: usize,
    ) -> Result<()> {
        let changed = self::changed(&lab.environment, round);
        self.children = differing(lab, &changed, round)?;
        self.applications = applications;
        ensure!(self.children > 0, "the change concerns nobody");
        let (audit, cpu, began) = (lab.audit()?, cpu_seconds(controller)?, Instant::now());
        let environments = Api::<Environment>::all(lab.test.client.clone());
        let patch = Patch::Merge(json!({ "spec": { "monitoring": { "labels": labels(round) } } }));
        environments
            .patch(&lab.environment.name_any(), &PatchParams::default(), &patch)
            .await?;
        let wanted = applications * self.children;
        let mut sent = counted(&audit)?;
        while sent.get("children").copied().unwrap_or_default() < wanted {
            ensure!(
                began.elapsed().as_secs() < 3_600,
                "{sent:?} of {wanted} children after an hour"
            );
            tokio::time::sleep(POLL).await;
            sent = counted(&audit)?;
        }
        self.seconds.add(began.elapsed().as_secs_f64());
        lab.settled().await?;
        let mut sent = counted(&audit)?;
        self.sent
            .add(number(sent.remove("children").context("nothing was sent")?));
        self.others.add(number(super::lab::total(&sent)));
        self.cpu
            .add(1e3 * (cpu_seconds(controller)? - cpu) / number(applications));
        Ok(())
    }

    pub(crate) fn print(&self) {
        println!(
            "\n| a change of the Environment that concerns {} children of each of {} applications | median (range) |",
            self.children, self.applications
        );
        println!("| --- | --- |");
        println!("| children that differ | {} |", self.children * self.applications);
        println!("| children written | {} |", self.sent.shown(0));
        println!(
            "| other requests (statuses, events, reads) | {} |",
            self.others.shown(0)
        );
        println!("| until the last is written, s | {} |", self.seconds.shown(0));
        println!("| CPU an application, ms | {} |", self.cpu.shown(1));
    }
}

fn labels(round: usize) -> Value {
    json!({ "bench": format!("round-{round}") })
}

/// The Environment after this round.
fn changed(environment: &Environment, round: usize) -> Environment {
    let mut changed = environment.clone();
    let labels = [("bench".to_owned(), format!("round-{round}"))];
    changed.spec.monitoring.labels.extend(labels);
    changed
}

/// How many children of a typical application differ from the round before.
fn differing(lab: &Lab, environment: &Environment, round: usize) -> Result<usize> {
    let app = [typical("bench", "app")];
    let before = match round.checked_sub(1) {
        Some(before) => changed(&lab.environment, before),
        None => lab.environment.clone(),
    };
    let rendered = |environment: &Environment| -> Result<Vec<(Kind, String, Value)>> {
        let children = lab.render_in(&app, environment)?;
        let child = |child: idp_core::Child| (child.kind, child.name, child.object);
        Ok(children.into_iter().map(child).collect())
    };
    let (before, after) = (rendered(&before)?, rendered(environment)?);
    Ok(after.iter().filter(|child| !before.contains(child)).count())
}
