//! The controller: the kind, what it watches, and its phases. A table of contents.

use std::{sync::Arc, time::Duration};

use idp_api::{WebApplication, WebApplicationStatus, kinds::ENVIRONMENT};
use idp_core::{Kind, Plan, Prepared, Problem};
use idp_runtime::{ObjectKey, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;

use futures::{StreamExt, stream::BoxStream};

use crate::{
    NAME,
    capabilities::{self, CAPABILITY, Capabilities},
    facts,
    hosts::{self, Reservations, may_overlap},
    kinds,
    observe::{self, Observed},
    plan, reasons, status,
    validate::{self, Validated},
};

/// When to check again for problems that can pass without an event.
const RECHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The WebApplication controller, and the capabilities that it plans with.
#[derive(Clone, Default)]
pub struct WebApplicationController {
    /// The capabilities.
    pub capabilities: Capabilities,
    /// Hosts that applications are about to claim.
    pub reservations: Arc<Reservations>,
}

impl Reconcile for WebApplicationController {
    type Resource = WebApplication;
    type Observed = Observed;
    type Validated = Validated;
    type Status = WebApplicationStatus;

    const NAME: &'static str = NAME;

    fn watches(&self) -> Vec<Watch> {
        let mut watches: Vec<Watch> = kinds::CHILDREN.map(child).into();
        watches.extend(kinds::BINDINGS.map(|kind| Watch::children(kind).facts(capabilities::binding)));
        // Only in the platform's namespace is a Service with this label a capability.
        let services = Watch::related(kinds::SERVICE, Targets::All, CAPABILITY).facts(capabilities::service);
        watches.push(services.fields(self.capabilities.field_selector()));
        watches.push(Watch::related(ENVIRONMENT, Targets::All, "").facts(facts::environment));
        // No single application is requeued for these: `triggers` handles namespaces, and `requeue_after` applications that wait for a host.
        let later = Targets::Named(|_| None);
        watches.push(Watch::related(kinds::NAMESPACE, later, "").facts(facts::namespace));
        let routed = Watch::related(kinds::VIRTUAL_SERVICE, later, facts::NOT_OURS).optional();
        watches.push(
            routed
                .facts(facts::foreign_virtual_service)
                .terms(facts::virtual_service_terms),
        );
        watches.push(
            Watch::related(
                kinds::REPLICA_SET,
                Targets::Named(facts::pod_application),
                idp_core::labels::APPLICATION,
            )
            .facts(facts::replica_set),
        );
        watches.push(
            Watch::related(
                kinds::POD,
                Targets::Named(facts::pod_application),
                idp_core::labels::APPLICATION,
            )
            .facts(facts::pod),
        );
        watches
    }

    fn terms(app: &WebApplication) -> Vec<String> {
        hosts::index_terms(app)
    }

    fn current_status(app: &WebApplication) -> Option<&WebApplicationStatus> {
        app.status.as_ref()
    }

    async fn observe(
        &self,
        app: &Arc<WebApplication>,
        view: &View<Self::Resource>,
    ) -> Result<Observed, ObserveError> {
        observe::observe(app, view, &self.capabilities).await
    }

    fn validate(&self, app: &WebApplication, observed: &Observed) -> Result<Validated, Vec<Problem>> {
        validate::validate(app, observed)
    }

    fn plan(&self, app: &Validated) -> Result<Plan<Prepared>, Vec<Problem>> {
        plan::plan(app)
    }

    /// Reserves the hosts of its routes.
    fn reserve(
        &self,
        app: &WebApplication,
        validated: &Validated,
        view: &View<Self::Resource>,
    ) -> Result<(), Vec<Problem>> {
        let hosts = validated.routes.iter().map(|route| route.host.clone()).collect();
        let names = |other: &ObjectKey, host: &str| {
            let other = view.resource(other);
            let named = |other: &WebApplication| {
                other
                    .spec
                    .routes
                    .iter()
                    .any(|route| may_overlap(&route.host, host))
            };
            other.is_some_and(|other| named(&other))
        };
        let taken = self.reservations.reserve(&ObjectKey::of(app), &hosts, names);
        let problems: Vec<Problem> = taken
            .into_iter()
            .map(|(host, claimant)| {
                validate::host_taken(&validated.routes, &host, &hosts::application(&claimant))
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn release(&self, key: &ObjectKey) {
        self.reservations.release(key);
    }

    fn status(
        &self,
        app: &WebApplication,
        observed: &Observed,
        validated: Option<&Validated>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> WebApplicationStatus {
        status::status(app, observed, validated, outcome, now)
    }

    fn is_progress(status: &WebApplicationStatus) -> bool {
        status::is_progress(status)
    }

    /// Checks again where no event comes: after a capability's failure or timeout, and after another application's
    /// reservation of a host.
    fn requeue_after(&self, status: &WebApplicationStatus, _: Timestamp) -> Option<Duration> {
        let transient = [
            reasons::CAPABILITY_UNREACHABLE,
            reasons::CAPABILITY_FAILED,
            reasons::HOST_TAKEN,
        ];
        let waits = status
            .problems
            .iter()
            .any(|problem| transient.iter().any(|reason| problem.reason == *reason));
        waits.then_some(RECHECK_INTERVAL)
    }

    /// Requeues applications after changes that their capabilities announce, and those with routes when the labels of their
    /// namespace change.
    fn triggers(&self, view: &View<Self::Resource>) -> BoxStream<'static, Vec<ObjectKey>> {
        let labelled = view.clone();
        let namespaces = view
            .changes(kinds::NAMESPACE)
            .map(move |namespace| observe::with_routes(&namespace.name, &labelled));
        let view = view.clone();
        let changes = capabilities::changes(&self.capabilities);
        let users =
            changes.map(move |(capability, namespaces)| observe::users(&capability, &namespaces, &view));
        futures::stream::select(users, namespaces).boxed()
    }

    /// After a change or deletion of an application, requeues those with one of its hosts.
    fn affected_by(&self, changed: &WebApplication, view: &View<Self::Resource>) -> Vec<ObjectKey> {
        observe::affected(changed, view)
    }
}

fn child(kind: Kind) -> Watch {
    let watch = Watch::children(kind);
    match kind {
        kinds::DEPLOYMENT => watch.facts(facts::deployment),
        kinds::JOB => watch.facts(facts::job),
        kinds::CRON_JOB => watch.facts(facts::cron_job),
        kinds::CONFIG_MAP => watch.facts(facts::config_map),
        kinds::VIRTUAL_SERVICE => watch
            .facts(facts::virtual_service)
            .terms(facts::virtual_service_terms),
        _ => watch,
    }
}
