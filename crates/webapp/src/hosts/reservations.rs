//! Hosts that applications are about to claim.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use idp_runtime::ObjectKey;

/// The application that claims each host, from the moment of the decision.
///
/// A VirtualService shows which application has a host, but is applied some time after the decision. Two applications that
/// are reconciled meanwhile would both find the host free.
#[derive(Debug, Default)]
pub struct Reservations(Mutex<Reserved>);

/// The reservations, by host and by application.
#[derive(Debug, Default)]
struct Reserved {
    /// By the labels of the host, last label first: all hosts of a wildcard are adjacent.
    by_host: BTreeMap<Vec<String>, ObjectKey>,
    by_application: HashMap<ObjectKey, BTreeSet<String>>,
}

impl Reservations {
    /// Reserves the complete `hosts` for `app`, and releases its others. A reservation of another application counts while it
    /// still `names` the host; a wildcard includes all hosts below it. Returns the hosts that others have reserved, with
    /// the application.
    pub fn reserve(
        &self,
        app: &ObjectKey,
        hosts: &BTreeSet<String>,
        names: impl Fn(&ObjectKey, &str) -> bool,
    ) -> Vec<(String, ObjectKey)> {
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.release(app);
        let mut taken = Vec::new();
        for host in hosts {
            let rivals = reserved.overlapping(host);
            let rival = rivals
                .iter()
                .find(|(named, claimant)| claimant != app && names(claimant, named));
            if let Some((_, claimant)) = rival {
                taken.push((host.clone(), claimant.clone()));
                continue;
            }
            for (named, claimant) in rivals {
                reserved.release_one(&claimant, &named);
            }
            reserved.add(app, host);
        }
        taken
    }

    /// Releases all hosts of `app`.
    pub fn release(&self, app: &ObjectKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).release(app);
    }
}

impl Reserved {
    fn add(&mut self, app: &ObjectKey, host: &str) {
        self.by_host.insert(labels(host), app.clone());
        self.by_application
            .entry(app.clone())
            .or_default()
            .insert(host.to_owned());
    }

    fn release_one(&mut self, app: &ObjectKey, host: &str) {
        let key = labels(host);
        if self.by_host.get(&key) == Some(app) {
            self.by_host.remove(&key);
        }
        if let Some(hosts) = self.by_application.get_mut(app) {
            hosts.remove(host);
            if hosts.is_empty() {
                self.by_application.remove(app);
            }
        }
    }

    fn release(&mut self, app: &ObjectKey) {
        for host in self.by_application.remove(app).unwrap_or_default() {
            let key = labels(&host);
            if self.by_host.get(&key) == Some(app) {
                self.by_host.remove(&key);
            }
        }
    }

    /// The reserved hosts that overlap with `host`: itself, wildcards that include it, and hosts below it.
    fn overlapping(&self, host: &str) -> Vec<(String, ObjectKey)> {
        let own = labels(host);
        let mut found = Vec::new();
        let mut add = |key: &[String], claimant: &ObjectKey| found.push((name(key), claimant.clone()));
        if let Some(claimant) = self.by_host.get(&own) {
            add(&own, claimant);
        }
        let domain = host.strip_prefix("*.").map_or(own.len(), |_| own.len() - 1);
        for depth in 1..own.len() {
            let mut wildcard = own[..depth].to_vec();
            wildcard.push("*".to_owned());
            if let Some(claimant) = self.by_host.get(&wildcard).filter(|_| wildcard != own) {
                add(&wildcard, claimant);
            }
        }
        if domain < own.len() {
            let below = self.by_host.range(own[..domain].to_vec()..);
            below
                .take_while(|(key, _)| key.starts_with(&own[..domain]))
                .filter(|(key, _)| key.len() > domain && **key != own)
                .for_each(|(key, claimant)| add(key, claimant));
        }
        found
    }
}

fn labels(host: &str) -> Vec<String> {
    host.rsplit('.').map(str::to_owned).collect()
}

fn name(labels: &[String]) -> String {
    let labels: Vec<&str> = labels.iter().rev().map(String::as_str).collect();
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_at_the_same_time_one_gets_the_host() {
        let all = Reservations::default();
        let (one, other) = (ObjectKey::new("a", "one"), ObjectKey::new("b", "other"));
        let hosts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let reserve = |app, names: &[&str]| all.reserve(app, &hosts(names), |_, _| true);
        assert_eq!(reserve(&one, &["x.test", "y.test"]), []);
        assert_eq!(reserve(&one, &["x.test", "y.test"]), [], "its own");
        let taken = reserve(&other, &["y.test", "z.test"]);
        assert_eq!(taken, [("y.test".to_owned(), one.clone())]);
        // What it names no more is free, and so is all of what does not work.
        assert_eq!(reserve(&one, &["x.test"]), []);
        assert_eq!(reserve(&other, &["y.test", "z.test"]), []);
        assert_eq!(reserve(&one, &["z.test"]).len(), 1);
        all.release(&other);
        assert_eq!(reserve(&one, &["z.test"]), []);
        // A claimant that is gone, or names it no more, does not count.
        assert_eq!(all.reserve(&other, &hosts(&["z.test"]), |_, _| false), []);
        all.release(&one);
        assert_eq!(
            all.reserve(&one, &hosts(&["z.test"]), |_, _| true).len(),
            1,
            "the new claimant's"
        );
        all.release(&other);
        let left = all.0.lock().unwrap();
        assert!(left.by_host.is_empty() && left.by_application.is_empty());
    }

    #[test]
    fn a_wildcard_is_reserved_with_all_that_is_below_it() {
        let reserve = |all: &Reservations, app: &str, name: &str| {
            let hosts = [name.to_owned()].into();
            all.reserve(&ObjectKey::new("a", app), &hosts, |_, _| true)
                .is_empty()
        };
        for (first, second) in [
            ("*.shop.test", "a.shop.test"),
            ("a.shop.test", "*.shop.test"),
            ("*.shop.test", "a.b.shop.test"),
            ("*.b.shop.test", "*.shop.test"),
            ("*.shop.test", "*.b.shop.test"),
        ] {
            let all = Reservations::default();
            assert!(reserve(&all, "one", first));
            assert!(!reserve(&all, "two", second), "{first} {second}");
        }
        for (first, second) in [
            ("*.shop.test", "shop.test"),
            ("shop.test", "*.shop.test"),
            ("*.shop.test", "a.workshop.test"),
            ("a.shop.test", "a.shop-2.test"),
        ] {
            let all = Reservations::default();
            assert!(reserve(&all, "one", first));
            assert!(reserve(&all, "two", second), "{first} {second}");
        }
    }
}
