//! Pieces of schema that derives cannot express.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object of any shape.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A map from names to objects of any shape.
pub(crate) fn map_of_any_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
    })
}
