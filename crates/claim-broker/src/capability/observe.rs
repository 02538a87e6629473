//! The only reads: caches -> [`Known`].

use std::collections::BTreeMap;

use kube::ResourceExt;

use crate::{
    binding::caches::Caches,
    section::{Known, KnownBinding},
};

/// What plans of a namespace depend on.
pub(super) fn known(namespace: &str, caches: &Caches<'_>) -> Known {
    let (mut classes, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for (name, class) in caches.classes() {
        match class {
            Ok(class) => drop(classes.insert(name, class)),
            Err(error) => drop(unreadable.insert(name, error.message_at("spec"))),
        }
    }
    let bindings = caches.view.resources_in(namespace).into_iter();
    let bindings = bindings.map(|binding| {
        let known = KnownBinding {
            phase: binding.status.as_ref().and_then(|status| status.phase),
            spec: binding.spec.clone(),
        };
        (binding.name_any(), known)
    });
    let claims = caches.claims(namespace);
    Known {
        classes,
        unreadable,
        labels: caches.labels(namespace),
        bindings: bindings.collect(),
        claims: claims.map(|claim| (claim.name.clone(), claim)).collect(),
    }
}
