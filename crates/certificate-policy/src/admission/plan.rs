//! [`Validated`] -> `AllowedHosts`. Pure.

use idp_api::kinds::ALLOWED_HOSTS;
use idp_core::{Child, Plan, Prepared, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use super::validate::Validated;
use crate::controller_names::ADMISSION;

pub(super) fn plan(validated: &Validated) -> Plan<Prepared> {
    let child = validated.allowed.as_ref().map(|spec| {
        let metadata = ObjectMeta {
            name: Some(validated.environment.clone()),
            labels: Some([(labels::MANAGED_BY.to_owned(), ADMISSION.to_owned())].into()),
            ..ObjectMeta::default()
        };
        Child::with_spec(ALLOWED_HOSTS, &metadata, json!(spec))
    });
    Plan {
        children: child.into_iter().collect(),
        ..Plan::default()
    }
}
