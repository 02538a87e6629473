//! Bounds of numbers in the CRDs: every number that the API server accepts must fit the Rust type.
//!
//! The API server does not always enforce `format: int32`; it does enforce `minimum` and `maximum`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Largest integer that a JSON number represents exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The CRD, with a minimum and a maximum added to every number that has none.
pub(crate) fn bounded(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        {
            bound(schema);
        }
    }
    crd
}

fn bound(schema: &mut JSONSchemaProps) {
    if schema.type_.as_deref() == Some("integer") || schema.x_kubernetes_int_or_string == Some(true) {
        let (least, most) = match schema.format.as_deref() {
            Some("int8") => (f64::from(i8::MIN), f64::from(i8::MAX)),
            Some("uint8") => (0.0, f64::from(u8::MAX)),
            Some("int16") => (f64::from(i16::MIN), f64::from(i16::MAX)),
            Some("uint16") => (0.0, f64::from(u16::MAX)),
            Some("int32") => (f64::from(i32::MIN), f64::from(i32::MAX)),
            Some("uint32") => (0.0, f64::from(u32::MAX)),
            Some("uint64" | "uint") => (0.0, EXACT),
            _ => (-EXACT, EXACT),
        };
        schema.minimum.get_or_insert(least);
        schema.maximum.get_or_insert(most);
    }
    schema
        .properties
        .iter_mut()
        .flatten()
        .for_each(|(_, field)| bound(field));
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => bound(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(bound),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        bound(values);
    }
}
