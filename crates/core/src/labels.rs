//! Label and annotation keys, written once.

use std::collections::BTreeMap;

/// Label that every child carries: the name of the application it belongs to.
pub const APPLICATION: &str = "idp.dev/application";
/// Standard label: the name of the application.
pub const NAME: &str = "app.kubernetes.io/name";
/// Standard label: one installation of the application; ours is the application's name too.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Standard label: what larger thing this is part of.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// Standard label: the controller that writes the object, which is also its field manager.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation on every child: hash of the plan it was written from (see [`crate::hash`]).
pub const PLAN_HASH: &str = "idp.dev/plan-hash";
/// Label of children that no owner reference can hold (they are in another namespace, or must outlive their owner):
/// UID of the resource that they belong to.
pub const OWNER_UID: &str = "idp.dev/owner-uid";
/// Annotation beside [`OWNER_UID`]: namespace and name of that resource, as `namespace/name`.
pub const OWNER: &str = "idp.dev/owner";
/// Annotation of children that outlive their owner: `true`.
pub const DETACHED: &str = "idp.dev/detached";
/// Annotation on a pod template: hash of the configuration files it reads, so that a change rolls the pods.
pub const CONFIG_HASH: &str = "idp.dev/config-hash";

/// Annotation on a pod template: version of what its bindings publish, so that a rotation rolls the pods.
pub const BINDINGS_VERSION: &str = "idp.dev/bindings-version";

/// Labels of a child of `application` that `manager` writes.
pub fn for_child(application: &str, manager: &str) -> BTreeMap<String, String> {
    [
        (APPLICATION, application),
        (NAME, application),
        (INSTANCE, application),
        (PART_OF, application),
        (MANAGED_BY, manager),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// Standard label on pods: what part of the application the pod is.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// [`COMPONENT`] of the pods that answer requests.
pub const WEB: &str = "web";
/// [`COMPONENT`] of the pods of a migration.
pub const MIGRATION: &str = "migration";
/// [`COMPONENT`] of the pods of jobs.
pub const JOB: &str = "job";

/// Labels that select the pods of `application` that answer requests: what its Deployment and Service select. The
/// pods of migrations and jobs carry another component, or they would get requests and count as replicas.
///
/// They never change during the application's life, because a Deployment's selector is immutable.
pub fn selector(application: &str) -> BTreeMap<String, String> {
    [(APPLICATION, application), (COMPONENT, WEB)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Labels that select every pod of `application`, those of migrations and jobs too: what its network policies select.
pub fn every_pod(application: &str) -> BTreeMap<String, String> {
    [(APPLICATION.to_owned(), application.to_owned())].into()
}
