//! Which applications to requeue after a change of something else.

use idp_api::WebApplication;
use idp_runtime::ObjectKey;

use super::{Caches, bindings, capabilities::sections_of, environments, hosts::rivals, the_one};

/// Applications that use `capability`, in these namespaces (none: all).
pub fn users(capability: &str, namespaces: &[String], view: &Caches) -> Vec<ObjectKey> {
    let (environments, _) = environments(view);
    let Some((_, environment)) = the_one(&environments) else {
        return Vec::new();
    };
    let uses = |app: &WebApplication| {
        // If the bindings cannot be read, requeue the application to be safe.
        bindings(app, view).map_or(true, |bindings| {
            let mut sections = sections_of(app, environment, &bindings).into_iter();
            sections.any(|section| section.capability == capability)
        })
    };
    let apps = match namespaces {
        [] => view.resources(),
        some => some
            .iter()
            .flat_map(|namespace| view.resources_in(namespace))
            .collect(),
    };
    apps.iter()
        .filter(|app| uses(app))
        .map(|app| ObjectKey::of(app.as_ref()))
        .collect()
}

/// Applications with routes, in this namespace (none: in all).
pub fn with_routes(namespace: &str, view: &Caches) -> Vec<ObjectKey> {
    let apps = if namespace.is_empty() {
        view.resources()
    } else {
        view.resources_in(namespace)
    };
    let apps = apps.iter().filter(|app| !app.spec.routes.is_empty());
    apps.map(|app| ObjectKey::of(app.as_ref())).collect()
}

/// Applications with a host that overlaps with one of `changed`, which changed or was deleted.
pub fn affected(changed: &WebApplication, view: &Caches) -> Vec<ObjectKey> {
    let (environments, _) = environments(view);
    // Without an Environment nothing is planned. When it appears, all applications are requeued.
    let Some((_, environment)) = the_one(&environments) else {
        return Vec::new();
    };
    let rivals = rivals(changed, &environment.base_domain, view);
    rivals.iter().map(|rival| ObjectKey::of(rival.as_ref())).collect()
}
