//! Parts of schemas that derives cannot express.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object of any shape.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": true})
}

/// A number of pods, or a percentage of them; absent by default.
pub(crate) fn pods_or_percentage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true, "nullable": true,
        "minimum": 0, "maximum": i32::MAX, "maxLength": 16,
    })
}

/// A map from names to objects of any shape.
pub(crate) fn map_of_any_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": true}
    })
}

/// Labels and label selectors. The derive ignores a length on a map, so it is added here.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63}
    })
}

/// Short texts by name.
pub(crate) fn texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096}
    })
}
