//! Hosts that applications are about to take.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use idp_runtime::ObjectKey;

/// Which application takes which host, from the moment in which that is decided.
///
/// A VirtualService tells who holds a host, but it is written some time after the decision: two applications that are
/// looked at meanwhile would both find the host free.
#[derive(Debug, Default)]
pub struct Reservations(Mutex<Reserved>);

/// The same by host and by application, so that nobody's look takes longer the more others there are.
#[derive(Debug, Default)]
struct Reserved {
    holders: HashMap<String, ObjectKey>,
    hosts: HashMap<ObjectKey, BTreeSet<String>>,
}

impl Reserved {
    fn put(&mut self, host: &str, app: &ObjectKey) {
        if let Some(before) = self.holders.insert(host.to_owned(), app.clone()) {
            self.forget(host, &before);
        }
        self.hosts.entry(app.clone()).or_default().insert(host.to_owned());
    }

    /// `app` has none but `hosts`.
    fn keep(&mut self, app: &ObjectKey, hosts: &BTreeSet<String>) {
        let own = self.hosts.get(app).into_iter().flatten();
        let surplus: Vec<String> = own.filter(|host| !hosts.contains(*host)).cloned().collect();
        for host in surplus {
            self.holders.remove(&host);
            self.forget(&host, app);
        }
    }

    fn forget(&mut self, host: &str, app: &ObjectKey) {
        if let Some(hosts) = self.hosts.get_mut(app) {
            hosts.remove(host);
            if hosts.is_empty() {
                self.hosts.remove(app);
            }
        }
    }
}

impl Reservations {
    /// Lets `app` have those of the complete `hosts` that nobody has reserved who still `names` them, and no others.
    /// Returns who has reserved the rest.
    pub fn reserve(
        &self,
        app: &ObjectKey,
        hosts: &BTreeSet<String>,
        names: impl Fn(&ObjectKey, &str) -> bool,
    ) -> Vec<(String, ObjectKey)> {
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.keep(app, hosts);
        let mut taken = Vec::new();
        for host in hosts {
            match reserved.holders.get(host) {
                Some(holder) if holder != app && names(holder, host) => {
                    taken.push((host.clone(), holder.clone()));
                }
                _ => reserved.put(host, app),
            }
        }
        taken
    }

    /// `app` takes nothing now.
    pub fn release(&self, app: &ObjectKey) {
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.keep(app, &BTreeSet::new());
    }
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
        // A holder that is gone, or names it no more, does not count.
        assert_eq!(all.reserve(&other, &hosts(&["z.test"]), |_, _| false), []);
        all.release(&one);
        assert_eq!(
            all.reserve(&one, &hosts(&["z.test"]), |_, _| true).len(),
            1,
            "the new holder's"
        );
        all.release(&other);
        let left = all.0.lock().unwrap();
        assert!(left.holders.is_empty() && left.hosts.is_empty());
    }
}
