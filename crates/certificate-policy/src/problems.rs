//! Problems of hosts that several phases report.

use idp_core::Problem;

use crate::{
    host_claim::Holder,
    reasons::{HOST_TAKEN, NOT_ALLOWED_ANY_MORE},
    rules::Denial,
};

pub(crate) fn host_taken(host: &str, path: &str, holder: &Holder) -> Problem {
    Problem::error(HOST_TAKEN, format!("Host {host} already belongs to {holder}."))
        .at(path)
        .hint(format!(
            "Use another host, or remove it from {holder} first; it then moves automatically."
        ))
}

/// A host that no policy allows.
pub(crate) fn denied(host: &str, path: &str, denial: &Denial) -> Problem {
    Problem::error(denial.reason(), denial.message(&format!("host {host}")))
        .at(path)
        .hint(denial.hint())
}

/// A host whose certificate stays, but whose renewal will be denied.
pub(crate) fn not_allowed_any_more(host: &str, path: &str, denial: &Denial) -> Problem {
    Problem::warning(
        NOT_ALLOWED_ANY_MORE,
        format!(
            "The certificate of host {host} is valid but will not be renewed. {}",
            denial.message(&format!("host {host}"))
        ),
    )
    .at(path)
    .hint(denial.hint())
}
