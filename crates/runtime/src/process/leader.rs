//! Leader election by a `Lease`: at any time at most one process works.
//!
//! Whether a Lease has run out is judged by how long *we* have not seen it change, not by the time that
//! it holds: clocks of two nodes may differ by more than the Lease lasts.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use tokio::time::Instant;

use crate::jitter::jittered;

/// How long a Lease lasts without renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(5);
/// The leader gives up after this long without success: before anybody else may take over.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often those who wait look.
const LOOK: Duration = Duration::from_secs(2);
/// How long after a renewal that failed it is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest that one request may take, so that a slow one does not use up the deadline.
const REQUEST: Duration = Duration::from_secs(4);

/// The Lease was lost: another process may work by now, so this one must end.
#[derive(Debug, thiserror::Error)]
#[error("lost the Lease {lease}: {why}")]
pub struct LeaseLost {
    /// Name of the Lease.
    pub lease: String,
    /// How.
    pub why: String,
}

/// One candidate.
pub(crate) struct Elector {
    leases: Api<Lease>,
    name: &'static str,
    identity: String,
    seen: Option<Seen>,
    /// Since when the Lease is ours for sure, by our own clock.
    renewed: Instant,
}

/// The last change of somebody else's Lease that we saw, by our own clock.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    holder: String,
    renewed: Option<MicroTime>,
    at: Instant,
}

/// What a look at the Lease says.
#[derive(Debug, PartialEq)]
enum Look {
    /// Ours, released or run out: take it.
    Take,
    /// Somebody else's.
    Wait,
}

impl Elector {
    pub(crate) fn new(client: Client, namespace: &str, name: &'static str, identity: String) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            name,
            identity,
            seen: None,
            renewed: Instant::now(),
        }
    }

    /// Waits until the Lease is ours.
    pub(crate) async fn acquire(&mut self) {
        let mut failing = false;
        loop {
            // Others count from the write, which is no earlier than this.
            let began = Instant::now();
            match self.attempt(REQUEST).await {
                Ok(true) => {
                    self.renewed = began;
                    tracing::info!(lease = self.name, identity = self.identity, "leading");
                    return;
                }
                Ok(false) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(lease = self.name, %error, "cannot reach the Lease; trying again");
                    }
                    failing = true;
                }
            }
            tokio::time::sleep(jittered(LOOK)).await;
        }
    }

    /// Renews the Lease for as long as that works.
    pub(crate) async fn hold(&mut self) -> LeaseLost {
        loop {
            tokio::time::sleep(RENEW).await;
            let mut why = "this process was not running".to_owned();
            loop {
                let began = Instant::now();
                // Before the attempt: whoever slept through the deadline must stop work at once, not renew late.
                let left = DEADLINE.saturating_sub(began - self.renewed);
                if left.is_zero() {
                    return self.lost(format!("not renewed for {} s: {why}", DEADLINE.as_secs()));
                }
                match self.attempt(left.min(REQUEST)).await {
                    Ok(true) => {
                        self.renewed = began;
                        break;
                    }
                    Ok(false) => {
                        let holder = self.seen.as_ref().map_or("somebody else", |seen| &seen.holder);
                        return self.lost(format!("{holder} has it"));
                    }
                    Err(error) => why = error,
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Gives the Lease back, so that a successor need not wait for it to run out.
    pub(crate) async fn release(&mut self) {
        let released = tokio::time::timeout(REQUEST, async {
            let mut lease = self.leases.get(self.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
                spec.holder_identity = None;
                spec.renew_time = Some(MicroTime(Timestamp::now()));
                self.leases
                    .replace(self.name, &PostParams::default(), &lease)
                    .await?;
            }
            Ok::<(), kube::Error>(())
        });
        match released.await {
            Ok(Ok(())) => tracing::info!(lease = self.name, "released"),
            Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "not released"),
            Err(_) => tracing::warn!(lease = self.name, "not released: no answer"),
        }
    }

    fn lost(&self, why: String) -> LeaseLost {
        LeaseLost {
            lease: self.name.to_owned(),
            why,
        }
    }

    /// Takes or renews the Lease if it is free or ours. `Ok(false)`: somebody else has it.
    async fn attempt(&mut self, patience: Duration) -> Result<bool, String> {
        match tokio::time::timeout(patience, self.exchange()).await {
            Ok(Ok(ours)) => Ok(ours),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", patience.as_secs_f32())),
        }
    }

    async fn exchange(&mut self) -> kube::Result<bool> {
        let Some(mut lease) = self.leases.get_opt(self.name).await? else {
            let metadata = ObjectMeta {
                name: Some(self.name.to_owned()),
                ..ObjectMeta::default()
            };
            let lease = Lease {
                metadata,
                spec: Some(self.claim(None)),
            };
            return settle(self.leases.create(&PostParams::default(), &lease).await);
        };
        if self.look(lease.spec.as_ref(), Instant::now()) == Look::Wait {
            return Ok(false);
        }
        lease.spec = Some(self.claim(lease.spec.take()));
        // The resource version from the `get` is a precondition: of two candidates one gets a 409.
        settle(
            self.leases
                .replace(self.name, &PostParams::default(), &lease)
                .await,
        )
    }

    fn look(&mut self, spec: Option<&LeaseSpec>, now: Instant) -> Look {
        let holder = spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return Look::Take;
        }
        let renewed = spec.and_then(|spec| spec.renew_time.clone());
        let lasts = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(DURATION, Duration::from_secs);
        match &self.seen {
            Some(seen) if seen.holder == holder && seen.renewed == renewed => {
                if now.duration_since(seen.at) > lasts {
                    Look::Take
                } else {
                    Look::Wait
                }
            }
            _ => {
                self.seen = Some(Seen {
                    holder: holder.to_owned(),
                    renewed,
                    at: now,
                });
                Look::Wait
            }
        }
    }

    fn claim(&self, before: Option<LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let before = before.unwrap_or_default();
        let renews = before.holder_identity.as_deref() == Some(self.identity.as_str());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| renews).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or_default() + i32::from(!renews)),
            ..LeaseSpec::default()
        }
    }
}

/// A conflict means that somebody else was faster.
fn settle(answer: kube::Result<Lease>) -> kube::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Who this process is: pod (host) name and something that no predecessor of that name had.
pub(crate) fn identity() -> String {
    let host = std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .unwrap_or_else(|| "unknown".to_owned());
    let unique = std::hash::BuildHasher::hash_one(
        &std::collections::hash_map::RandomState::new(),
        std::process::id(),
    );
    format!("{}_{unique:016x}", host.trim())
}

#[cfg(test)]
mod tests;
