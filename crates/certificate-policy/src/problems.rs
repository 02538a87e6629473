//! What is wrong with a host, in words for the person who wrote it.

use idp_core::Problem;

use crate::{host_claim::Holder, rules::Denial};

/// Reason: somebody else holds the host.
pub(crate) const HOST_TAKEN: &str = "HostTaken";
/// Reason: what is there would not be allowed today.
pub(crate) const NOT_ALLOWED_ANY_MORE: &str = "NotAllowedAnyMore";
/// Reason: cert-manager has not looked at a Certificate for a while.
pub(crate) const ISSUER_SILENT: &str = "IssuerSilent";
/// Reason: cert-manager has looked at it long ago, and nothing has come of it.
pub(crate) const NOT_YET_ISSUED: &str = "NotYetIssued";
/// Reason: an attempt to have the certificate issued failed.
pub(crate) const NOT_ISSUED: &str = "NotIssued";
/// Reason: an attempt to renew failed; the certificate is still valid.
pub(crate) const NOT_RENEWED: &str = "NotRenewed";
/// Reason: the certificate should have been renewed by now.
pub(crate) const RENEWAL_OVERDUE: &str = "RenewalOverdue";
/// Reason: the certificate has ended.
pub(crate) const EXPIRED: &str = "CertificateExpired";

pub(crate) fn host_taken(host: &str, path: &str, holder: &Holder) -> Problem {
    Problem::error(
        HOST_TAKEN,
        format!("the certificate of host {host} belongs to {holder}"),
    )
    .at(path)
    .hint(format!(
        "write another host, or take it out of {holder} first; it is then taken over by itself"
    ))
}

/// The certificate goes on as it is; only its renewal will be denied.
pub(crate) fn not_allowed_any_more(host: &str, path: &str, denial: &Denial) -> Problem {
    Problem::warning(
        NOT_ALLOWED_ANY_MORE,
        format!(
            "host {host} keeps its certificate, which is valid, but it will not be renewed: {}",
            denial.message()
        ),
    )
    .at(path)
    .hint(denial.hint())
}
