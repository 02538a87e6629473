//! Fields that we stop applying, such as the `replicas` of a Deployment that gets an autoscaler.

use idp_core::Child;
use serde_json::{Value, json};

use crate::store::entry::Entry;

/// The fields that `child` gives up and that only we own, as an object to apply.
///
/// A field that its only owner stops applying is removed, and the API server then sets its default: a Deployment whose
/// `replicas` move to an autoscaler would have one pod for a moment. So our second field manager applies the field
/// before the first lets it go.
pub(crate) fn handover(child: &Child, entry: &Entry) -> Option<Value> {
    let owned: Value = serde_json::from_str(&entry.owned_fields).ok()?;
    let owns = |pointer: &str| {
        let mut members = pointer.split('/').skip(1);
        members
            .try_fold(&owned, |fields, member| fields.get(format!("f:{member}")))
            .is_some()
    };
    let mut fields = json!({
        "apiVersion": child.object["apiVersion"],
        "kind": child.object["kind"],
        "metadata": { "name": child.name, "namespace": child.namespace },
    });
    let mut any = false;
    for (pointer, value) in &child.yields {
        if child.object.pointer(pointer).is_none() && owns(pointer) {
            let place = pointer
                .split('/')
                .skip(1)
                .fold(&mut fields, |place, member| &mut place[member]);
            *place = value.clone();
            any = true;
        }
    }
    any.then_some(fields)
}
