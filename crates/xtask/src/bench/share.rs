//! The controller's rate as a share of a bare client's: both in turns, each in a new namespace.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{
    arrivals::Arrivals,
    ceiling::{self, Write},
    lab::{Lab, Requests, applications, counted, flat, keys, latencies, stop, total},
    numbers::{Rounds, each, millis, number, percentile, rate},
};

/// Applications with which the best concurrency of the ceiling is looked for.
const TRIAL: usize = 40;
/// How many of them are written at a time.
const CONCURRENCIES: [usize; 3] = [8, 16, 32];

/// What the turns came to.
#[derive(Default)]
pub(crate) struct Share {
    applications: usize,
    children: usize,
    concurrency: usize,
    ceiling: Rounds,
    controller: Rounds,
    percent: Rounds,
    half: Rounds,
    last: Rounds,
    requests: Rounds,
    /// Of all rounds.
    by: Requests,
}

impl Share {
    /// Finds the bare client's best concurrency; no turn is measured yet.
    pub(crate) async fn begin(lab: &Lab, applications: usize) -> Result<Self> {
        let mut share = Self {
            applications,
            ..Self::default()
        };
        let mut best = Duration::MAX;
        for concurrency in CONCURRENCIES {
            let (time, children) = ceiling(lab, TRIAL, concurrency).await?;
            let rate = rate(TRIAL, time);
            println!("  ceiling, {concurrency} at a time: {rate:.1} applications/s");
            if time < best {
                (best, share.concurrency, share.children) = (time, concurrency, children);
            }
        }
        Ok(share)
    }

    /// One turn of each.
    pub(crate) async fn round(&mut self, lab: &Lab) -> Result<()> {
        let (time, _) = ceiling(lab, self.applications, self.concurrency).await?;
        let ceiling = rate(self.applications, time);
        println!("  ceiling {ceiling:.1} applications/s");
        let controller = lab.controller().await?;
        let crowd = crowd(lab, self.applications).await?;
        stop(controller).await?;
        let controller = rate(self.applications, crowd.time);
        println!("  controller {controller:.1} applications/s");
        self.ceiling.add(ceiling);
        self.controller.add(controller);
        self.percent.add(100.0 * controller / ceiling);
        let mut latencies = crowd.latencies;
        self.half.add(percentile(&mut latencies, 50).as_secs_f64());
        self.last.add(percentile(&mut latencies, 99).as_secs_f64());
        self.requests.add(each(total(&crowd.requests), self.applications));
        for (purpose, count) in crowd.requests {
            *self.by.entry(purpose).or_default() += count;
        }
        Ok(())
    }

    pub(crate) fn print(&self, rounds: usize) {
        let all = self.applications * rounds;
        let by = self
            .by
            .iter()
            .map(|(purpose, count)| format!("{purpose} {:.2}", each(*count, all)));
        let by = by.collect::<Vec<_>>().join(", ");
        let writes = |rate: &Rounds| rate.median() * number(self.children);
        println!(
            "\n| {} applications of {} children in each of {rounds} rounds | median (range) |",
            self.applications, self.children
        );
        println!("| --- | --- |");
        println!(
            "| ceiling: a bare client, {} writes at a time | {} applications/s, {:.0} writes/s |",
            self.concurrency,
            self.ceiling.shown(1),
            writes(&self.ceiling)
        );
        println!(
            "| controller | {} applications/s, {:.0} children/s |",
            self.controller.shown(1),
            writes(&self.controller)
        );
        println!("| **controller / ceiling** | **{} %** |", self.percent.shown(0));
        println!(
            "| apply to last child, all at once, p50 | {} s |",
            self.half.shown(1)
        );
        println!(
            "| apply to last child, all at once, p99 | {} s |",
            self.last.shown(1)
        );
        println!(
            "| requests an application, up to Ready | {} ({by}) |",
            self.requests.shown(2)
        );
    }
}

/// A bare client writes the children of so many applications: the time, and children of an application.
async fn ceiling(lab: &Lab, count: usize, concurrency: usize) -> Result<(Duration, usize)> {
    let namespace = lab.test.namespace("ceiling").await?;
    let children = lab.render(&applications(&namespace, count))?;
    let kinds = children.iter().map(|child| child.kind).collect();
    // Watches cost the API server something, so both have them.
    let arrivals = Arrivals::watch(&lab.test.client, &namespace, &kinds).await?;
    let writes: Result<Vec<Write>> = children
        .iter()
        .map(|child| Write::of(child, &namespace))
        .collect();
    let time = ceiling::write(&lab.bare, writes?, concurrency).await?;
    arrivals.all(&keys(&children)).await?;
    lab.calm(&namespace, count).await?;
    Ok((time, children.len() / count))
}

/// Applications that are created as fast as that goes.
pub(crate) struct Crowd {
    /// From the first create to the last child.
    pub(crate) time: Duration,
    /// From each create to its last child.
    pub(crate) latencies: Vec<Duration>,
    /// Until all are Ready.
    pub(crate) requests: Requests,
}

/// Creates so many applications, with the controller running, and waits until all are Ready.
pub(crate) async fn crowd(lab: &Lab, count: usize) -> Result<Crowd> {
    let namespace = lab.test.namespace("crowd").await?;
    let apps = applications(&namespace, count);
    let (arrivals, keys) = lab.expect(&namespace, &apps).await?;
    let audit = lab.audit()?;
    let start = Instant::now();
    let created = lab.create(&apps).await?;
    let latencies = latencies(&created, &keys, &arrivals).await?;
    let seen = arrivals.all(&flat(&keys)).await?;
    let last = seen.into_values().max().context("nothing came")?;
    lab.calm(&namespace, count).await?;
    lab.ready(&namespace, count).await?;
    lab.settled().await?;
    Ok(Crowd {
        time: last.duration_since(start),
        latencies,
        requests: counted(&audit)?,
    })
}

/// Median and last of the milliseconds, for two rows of a table.
pub(crate) fn milliseconds(times: &mut [Duration]) -> (f64, f64) {
    (millis(percentile(times, 50)), millis(percentile(times, 99)))
}
