//! What the sections `databases` and `storage` of an application become: bindings, environment variables, mounts and
//! problems. Pure: the controller and the command line get the same answer.

mod checks;
mod conflicts;
mod inputs;
mod items;
mod known;
mod released;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeMap;

use idp_core::capability::{SectionPlan, SectionRequest};

pub(crate) use items::schema;
pub use known::{Known, KnownBinding};

/// What the section becomes.
pub fn plan(request: &SectionRequest, known: &Known) -> SectionPlan {
    let items = match items::items(request) {
        Ok(items) => items,
        Err(problem) => return SectionPlan::refused(vec![problem]),
    };
    let invalid = checks::check(&items, &request.path);
    if !invalid.is_empty() {
        // With invalid names, further problems would only confuse.
        return SectionPlan::refused(invalid);
    }
    let mut plan = SectionPlan {
        problems: conflicts::bindings(&items),
        ..SectionPlan::default()
    };
    let mut new = BTreeMap::new();
    for item in &items {
        match wanted::wanted(item, request, known, &mut new) {
            Ok(wanted) => {
                plan.bindings.push(items::binding(&item.binding, &wanted.spec));
                plan.env.extend(wanted.env);
                plan.mounts.extend(wanted.mount);
                plan.egress.extend(wanted.egress);
                plan.problems.extend(wanted.warnings);
            }
            Err(problems) => plan.problems.extend(problems),
        }
    }
    plan.problems.extend(conflicts::variables(&plan, &items));
    released::add(request, &items, known, &mut plan);
    if plan.is_possible() {
        plan
    } else {
        SectionPlan::refused(plan.problems)
    }
}
