//! Leader election with a `Lease`: at most one process works at any time.
//!
//! A Lease has expired when *we* have not seen it change for its duration. Its own timestamps do not count: the clocks of
//! two nodes may differ by more than the duration.

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
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEW_INTERVAL: Duration = Duration::from_secs(5);
/// The leader stops after this long without a renewal: before any other process may take over.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often a candidate checks the Lease.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Delay before a failed renewal is retried.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Time limit of one request, so that a slow one does not use up the deadline.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// The Lease was lost. Another process may be the leader now, so this one must stop.
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
    /// When the Lease was last renewed, by our own clock.
    renewed: Instant,
}

/// The last change of another holder's Lease that we saw, by our own clock.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    holder: String,
    renewed: Option<MicroTime>,
    at: Instant,
}

/// The result of a check of the Lease.
#[derive(Debug, PartialEq)]
enum Check {
    /// Ours, released or expired: take it.
    Take,
    /// Another process holds it.
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
            // Others count from the write, which is not earlier than this.
            let began = Instant::now();
            match self.attempt(REQUEST_TIMEOUT).await {
                Ok(true) => {
                    self.renewed = began;
                    tracing::info!(lease = self.name, identity = self.identity, "Leading.");
                    return;
                }
                Ok(false) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(lease = self.name, %error, "Cannot reach the Lease; retrying.");
                    }
                    failing = true;
                }
            }
            tokio::time::sleep(jittered(CHECK_INTERVAL)).await;
        }
    }

    /// Renews the Lease for as long as that works.
    pub(crate) async fn hold(&mut self) -> LeaseLost {
        loop {
            tokio::time::sleep(RENEW_INTERVAL).await;
            let mut why = "this process was suspended".to_owned();
            loop {
                let began = Instant::now();
                // Before the attempt: a process that was suspended past the deadline must stop at once, not renew late.
                let left = RENEW_DEADLINE.saturating_sub(began - self.renewed);
                if left.is_zero() {
                    return self.lost(format!("not renewed for {} s: {why}", RENEW_DEADLINE.as_secs()));
                }
                match self.attempt(left.min(REQUEST_TIMEOUT)).await {
                    Ok(true) => {
                        self.renewed = began;
                        break;
                    }
                    Ok(false) => {
                        let holder = self.seen.as_ref().map_or("another process", |seen| &seen.holder);
                        return self.lost(format!("{holder} holds it"));
                    }
                    Err(error) => why = error,
                }
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }

    /// Releases the Lease, so that a successor does not wait until it expires.
    pub(crate) async fn release(&mut self) {
        let released = tokio::time::timeout(REQUEST_TIMEOUT, async {
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
            Ok(Ok(())) => tracing::info!(lease = self.name, "Lease released."),
            Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "Cannot release the Lease."),
            Err(_) => tracing::warn!(lease = self.name, "Cannot release the Lease: no response."),
        }
    }

    fn lost(&self, why: String) -> LeaseLost {
        LeaseLost {
            lease: self.name.to_owned(),
            why,
        }
    }

    /// Takes or renews the Lease if it is free or ours. `Ok(false)`: another process holds it.
    async fn attempt(&mut self, patience: Duration) -> Result<bool, String> {
        match tokio::time::timeout(patience, self.exchange()).await {
            Ok(Ok(ours)) => Ok(ours),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no response within {} s", patience.as_secs_f32())),
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
        if self.check(lease.spec.as_ref(), Instant::now()) == Check::Wait {
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

    fn check(&mut self, spec: Option<&LeaseSpec>, now: Instant) -> Check {
        let holder = spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return Check::Take;
        }
        let renewed = spec.and_then(|spec| spec.renew_time.clone());
        let lasts = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(LEASE_DURATION, Duration::from_secs);
        match &self.seen {
            Some(seen) if seen.holder == holder && seen.renewed == renewed => {
                if now.duration_since(seen.at) > lasts {
                    Check::Take
                } else {
                    Check::Wait
                }
            }
            _ => {
                self.seen = Some(Seen {
                    holder: holder.to_owned(),
                    renewed,
                    at: now,
                });
                Check::Wait
            }
        }
    }

    fn claim(&self, before: Option<LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let before = before.unwrap_or_default();
        let renews = before.holder_identity.as_deref() == Some(self.identity.as_str());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| renews).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or_default() + i32::from(!renews)),
            ..LeaseSpec::default()
        }
    }
}

/// A conflict means that another candidate was faster.
fn settle(answer: kube::Result<Lease>) -> kube::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

/// The identity of this process: the pod (host) name and a suffix that no earlier process of that name had.
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
