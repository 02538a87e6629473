//! HorizontalPodAutoscaler.

use idp_api::web_application::{Autoscaling, CustomMetric, MetricSource};
use idp_core::Child;
use k8s_openapi::{
    api::autoscaling::v2::{
        ContainerResourceMetricSource, CrossVersionObjectReference, ExternalMetricSource, HPAScalingRules,
        HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec,
        MetricIdentifier, MetricSpec, MetricTarget, PodsMetricSource,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::LabelSelector},
};

use super::pod;
use crate::{
    kinds,
    validate::{Scale, Validated},
};

/// Name of the metric for the mesh's request rate in the metrics adapter.
const REQUESTS: &str = "istio_requests_per_second";
/// Default time of low load before pods are removed, in seconds.
const SCALE_DOWN_AFTER_SECONDS: i32 = 300;

pub(super) fn children(app: &Validated) -> Vec<Child> {
    let Scale::Auto { min, max, metrics } = &app.scale else {
        return Vec::new();
    };
    let scale_down = HPAScalingRules {
        stabilization_window_seconds: Some(
            metrics
                .scale_down_after_seconds
                .unwrap_or(SCALE_DOWN_AFTER_SECONDS),
        ),
        ..HPAScalingRules::default()
    };
    let autoscaler = HorizontalPodAutoscaler {
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(kinds::DEPLOYMENT.api_version()),
                kind: kinds::DEPLOYMENT.kind.to_owned(),
                name: app.name.clone(),
            },
            min_replicas: Some(*min),
            max_replicas: *max,
            metrics: Some(all_metrics(metrics)),
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_down: Some(scale_down),
                scale_up: None,
            }),
        },
        ..HorizontalPodAutoscaler::default()
    };
    vec![Child::typed(
        kinds::AUTOSCALER,
        &app.child_meta(&app.name),
        &autoscaler,
    )]
}

fn all_metrics(wanted: &Autoscaling) -> Vec<MetricSpec> {
    let cpu = wanted.cpu_percent.map(|percent| resource("cpu", percent));
    let memory = wanted.memory_percent.map(|percent| resource("memory", percent));
    let requests = wanted
        .requests_per_second
        .map(|requests| pods(identifier(REQUESTS, None), Quantity(requests.to_string())));
    [cpu, memory, requests]
        .into_iter()
        .flatten()
        .chain(wanted.custom.iter().map(custom))
        .collect()
}

/// Utilization of the application's own container, as a percentage of its request. The average over the pod would
/// include the mesh's proxy.
fn resource(name: &str, percent: i32) -> MetricSpec {
    let target = MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(percent),
        ..MetricTarget::default()
    };
    MetricSpec {
        type_: "ContainerResource".to_owned(),
        container_resource: Some(ContainerResourceMetricSource {
            container: pod::CONTAINER.to_owned(),
            name: name.to_owned(),
            target,
        }),
        ..MetricSpec::default()
    }
}

fn custom(metric: &CustomMetric) -> MetricSpec {
    let labels = (!metric.labels.is_empty()).then(|| LabelSelector {
        match_labels: Some(metric.labels.clone()),
        match_expressions: None,
    });
    let identifier = identifier(&metric.name, labels);
    match metric.source {
        MetricSource::Pods => pods(identifier, metric.average.clone()),
        MetricSource::External => MetricSpec {
            type_: "External".to_owned(),
            external: Some(ExternalMetricSource {
                metric: identifier,
                target: average(metric.average.clone()),
            }),
            ..MetricSpec::default()
        },
    }
}

fn pods(metric: MetricIdentifier, value: Quantity) -> MetricSpec {
    MetricSpec {
        type_: "Pods".to_owned(),
        pods: Some(PodsMetricSource {
            metric,
            target: average(value),
        }),
        ..MetricSpec::default()
    }
}

fn identifier(name: &str, selector: Option<LabelSelector>) -> MetricIdentifier {
    MetricIdentifier {
        name: name.to_owned(),
        selector,
    }
}

fn average(value: Quantity) -> MetricTarget {
    MetricTarget {
        type_: "AverageValue".to_owned(),
        average_value: Some(value),
        ..MetricTarget::default()
    }
}
