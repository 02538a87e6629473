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
pub struct Reservations(Mutex<HashMap<String, ObjectKey>>);

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
        reserved.retain(|host, holder| holder != app || hosts.contains(host));
        let mut taken = Vec::new();
        for host in hosts {
            match reserved.get(host) {
                Some(holder) if holder != app && names(holder, host) => {
                    taken.push((host.clone(), holder.clone()));
                }
                _ => {
                    reserved.insert(host.clone(), app.clone());
                }
            }
        }
        taken
    }

    /// `app` takes nothing now.
    pub fn release(&self, app: &ObjectKey) {
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.retain(|_, holder| holder != app);
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
    }
}
