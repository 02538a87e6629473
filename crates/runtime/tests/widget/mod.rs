//! A controller for tests: a Widget becomes ConfigMaps (and, if it asks, one object of another kind).

use std::{collections::BTreeMap, sync::Arc};

use idp_core::{
    Applied, Child, Condition, ConditionSet, Kind, Plan, Prepared, Problem, StatusView, condition, labels,
    plan::AppliedChild,
};
use idp_runtime::{Finalize, ObserveError, Outcome, Reconcile, Targets, View, Watch};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) const CONFIG_MAP: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
pub(crate) const SERVICE: Kind = Kind::namespaced("", "v1", "Service", "services");
pub(crate) const ABSENT: Kind = Kind::namespaced("absent.idp.dev", "v1", "Absent", "absents");
pub(crate) const NAMESPACE: Kind = Kind::cluster("", "v1", "Namespace", "namespaces");

#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, JsonSchema)]
#[kube(
    group = "test.idp.dev",
    version = "v1",
    kind = "Widget",
    namespaced,
    status = "WidgetStatus"
)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WidgetSpec {
    /// One ConfigMap each, named after the widget and this.
    pub(crate) maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Keeps the finalizer.
    pub(crate) hold: bool,
    /// `absent`, `typo` or `service`.
    pub(crate) extra: Option<String>,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WidgetStatus {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) children: Vec<String>,
    /// What the caches know of each child.
    pub(crate) facts: BTreeMap<String, String>,
}

impl StatusView for WidgetStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

pub(crate) struct Widgets;

impl Reconcile for Widgets {
    type Resource = Widget;
    type Observed = String;
    type Validated = Plan<Prepared>;
    type Status = WidgetStatus;

    const NAME: &'static str = "idp-widgets";
    const FINALIZER: Option<&'static str> = Some("test.idp.dev/hold");

    fn watches(&self) -> Vec<Watch> {
        let data =
            |object: &kube::core::DynamicObject| object.data.get("data").cloned().unwrap_or(Value::Null);
        let annotations =
            |object: &kube::core::DynamicObject| json!(object.annotations().get("test.idp.dev/note"));
        vec![
            Watch::children(CONFIG_MAP).facts(data),
            Watch::children(SERVICE),
            Watch::children(ABSENT),
            Watch::related(NAMESPACE, Targets::All, "").facts(annotations),
        ]
    }

    fn current_status(resource: &Widget) -> Option<&WidgetStatus> {
        resource.status.as_ref()
    }

    async fn observe(
        &self,
        resource: &Arc<Widget>,
        view: &View<Self::Resource>,
    ) -> Result<String, ObserveError> {
        let namespace = view.facts(NAMESPACE, "", &resource.namespace().unwrap_or_default());
        Ok(namespace
            .and_then(|note| note.as_str().map(str::to_owned))
            .unwrap_or_default())
    }

    fn validate(&self, widget: &Widget, _: &String) -> Result<Plan<Prepared>, Vec<Problem>> {
        let mut plan = Plan::default();
        for (name, data) in &widget.spec.maps {
            let metadata = metadata(widget, name);
            let object = json!({ "data": data });
            plan.children.push(Child::typed(CONFIG_MAP, &metadata, &object));
        }
        let metadata = metadata(widget, "extra");
        match widget.spec.extra.as_deref() {
            Some("absent") => plan.children.push(Child::with_spec(ABSENT, &metadata, json!({}))),
            Some("typo") => plan
                .children
                .push(Child::with_spec(SERVICE, &metadata, json!({ "portz": [] }))),
            Some("service") => plan.children.push(Child::with_spec(
                SERVICE,
                &metadata,
                json!({ "selector": { "a": "b" }, "ports": [{ "name": "http", "port": 80 }] }),
            )),
            Some("refuse") => return Err(vec![Problem::reported("Refused", "as asked")]),
            _ => {}
        }
        Ok(plan)
    }

    fn plan(&self, plan: &Plan<Prepared>) -> Result<Plan<Prepared>, Vec<Problem>> {
        Ok(Plan {
            children: plan.children.clone(),
            problems: plan.problems.clone(),
            ..Plan::default()
        })
    }

    fn status(
        &self,
        widget: &Widget,
        note: &String,
        _: Option<&Plan<Prepared>>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> WidgetStatus {
        let (problems, plan): (&Vec<Problem>, &Plan<Applied>) = match outcome {
            Outcome::Applied(plan) => (&plan.problems, plan),
            Outcome::Refused { problems, existing } => (problems, existing),
        };
        let before = widget
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let fact = |child: &AppliedChild| (child.name.clone(), child.facts.to_string());
        let mut facts: BTreeMap<String, String> = plan.children.iter().map(fact).collect();
        facts.insert("note".into(), note.clone());
        WidgetStatus {
            conditions: ConditionSet::new(before, widget.metadata.generation, now)
                .set(condition::READY, problems.is_empty(), "Applied", "")
                .finish(),
            problems: problems.clone(),
            children: plan
                .children
                .iter()
                .map(|child| format!("{}/{}", child.kind, child.name))
                .collect(),
            facts,
        }
    }

    async fn finalize(
        &self,
        widget: &Arc<Widget>,
        _: &View<Self::Resource>,
    ) -> Result<Finalize<WidgetStatus>, ObserveError> {
        let status = WidgetStatus {
            children: vec!["held".into()],
            ..WidgetStatus::default()
        };
        Ok(if widget.spec.hold {
            Finalize::Wait(status)
        } else {
            Finalize::Release(Vec::new())
        })
    }
}

fn metadata(widget: &Widget, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(format!("{}-{name}", widget.name_any())),
        namespace: widget.namespace(),
        labels: Some(labels::for_child(&widget.name_any(), Widgets::NAME)),
        ..ObjectMeta::default()
    }
}
