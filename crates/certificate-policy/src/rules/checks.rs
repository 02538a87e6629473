//! The rules. Each compares one field of the policy.

use std::net::IpAddr;

use idp_api::certificate_policy::KeyAlgorithm;
use idp_core::{Reason, duration, names::DnsName};

use super::{Policy, Requester, Violation, policy::Bounds};
use crate::{
    certificate_request::requirements::{Key, Requirements},
    reasons::{
        ADDRESS_NOT_ALLOWED, CA_NOT_ALLOWED, ISSUER_NOT_ALLOWED, KEY_NOT_ALLOWED, LIFETIME_NOT_ALLOWED,
        NAME_NOT_ALLOWED, NAMESPACE_NOT_SELECTED, RENEWAL_NOT_ALLOWED, SECRET_NAME_NOT_ALLOWED,
        URI_NOT_ALLOWED, USAGE_NOT_ALLOWED,
    },
};

/// How many items a message lists.
const LISTED: usize = 3;

fn violation(reason: Reason, field: &'static str, message: String) -> Option<Violation> {
    Some(Violation {
        reason,
        field,
        message,
    })
}

pub(super) fn namespace(policy: &Policy, requester: &Requester, _: &Requirements) -> Option<Violation> {
    if policy
        .namespaces
        .iter()
        .any(|selector| selector.selects(&requester.labels))
    {
        return None;
    }
    let message = format!("namespace {} is not selected", requester.namespace);
    violation(NAMESPACE_NOT_SELECTED, "spec.namespaces", message)
}

pub(super) fn issuer(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    if policy.issuers.contains(&requirements.issuer) {
        return None;
    }
    let allowed: Vec<String> = policy.issuers.iter().map(ToString::to_string).collect();
    let message = format!(
        "{} is not allowed, only {}",
        requirements.issuer,
        listed(allowed.into_iter())
    );
    violation(ISSUER_NOT_ALLOWED, "spec.issuers", message)
}

pub(super) fn dns(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let allowed = |text: &String| {
        // Names are already normalized; one that is not valid is not allowed.
        DnsName::parse(text).is_ok_and(|name| policy.dns.iter().any(|pattern| pattern.allows(&name)))
    };
    let mut others = requirements
        .names
        .dns
        .iter()
        .filter(|name| !allowed(name))
        .peekable();
    others.peek()?;
    let others: Vec<String> = others.cloned().collect();
    let wildcard = others.iter().any(|name| name.starts_with("*."));
    let remark = if wildcard {
        " (list a wildcard in exact)"
    } else if others.iter().any(|name| name.contains("xn--")) {
        " (write an international label out)"
    } else {
        ""
    };
    let message = format!("{}{remark}", not_allowed(others.into_iter()));
    violation(NAME_NOT_ALLOWED, "spec.names.dns", message)
}

pub(super) fn ips(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let allowed = |ip: &IpAddr| policy.ips.iter().any(|network| network.contains(ip));
    let mut others = requirements.names.ips.iter().filter(|ip| !allowed(ip)).peekable();
    others.peek()?;
    let message = not_allowed(others.map(ToString::to_string));
    violation(ADDRESS_NOT_ALLOWED, "spec.names.ips", message)
}

pub(super) fn uris(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let allowed = |uri: &String| policy.uris.iter().any(|pattern| pattern.allows(uri));
    let mut others = requirements
        .names
        .uris
        .iter()
        .filter(|uri| !allowed(uri))
        .peekable();
    others.peek()?;
    let message = not_allowed(others.cloned());
    violation(URI_NOT_ALLOWED, "spec.names.uris", message)
}

pub(super) fn ca(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let signs = requirements.is_ca
        || requirements.usages.contains("cert sign")
        || requirements.usages.contains("crl sign");
    if !signs || policy.allow_ca {
        return None;
    }
    let message = "a CA certificate is not allowed".to_owned();
    violation(CA_NOT_ALLOWED, "spec.allowCa", message)
}

pub(super) fn key(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let fits = |allowed: &Key| {
        allowed.algorithm == requirements.key.algorithm
            && (allowed.algorithm == KeyAlgorithm::Ed25519 || allowed.size <= requirements.key.size)
    };
    if policy.keys.iter().any(fits) {
        return None;
    }
    let allowed = policy.keys.iter().map(|key| match key.algorithm {
        KeyAlgorithm::Ed25519 => key.to_string(),
        _ => format!("{key} or more"),
    });
    let message = format!(
        "key {} is not allowed, only {}",
        requirements.key,
        listed(allowed)
    );
    violation(KEY_NOT_ALLOWED, "spec.keys", message)
}

pub(super) fn usages(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    // The rule for CA certificates covers these two.
    let by_ca = |usage: &str| policy.allow_ca && matches!(usage, "cert sign" | "crl sign");
    let mut others = requirements
        .usages
        .iter()
        .filter(|usage| !policy.usages.contains(*usage) && !by_ca(usage))
        .peekable();
    others.peek()?;
    let message = format!("usage {}", not_allowed(others.cloned()));
    violation(USAGE_NOT_ALLOWED, "spec.usages", message)
}

pub(super) fn lifetime(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let message = outside(policy.lifetime, requirements.lifetime)?;
    violation(
        LIFETIME_NOT_ALLOWED,
        "spec.lifetime",
        format!("lifetime {message}"),
    )
}

pub(super) fn renewal(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let message = outside(policy.renew_before, requirements.renew_before?)?;
    let message = format!("renewBefore {message}");
    violation(RENEWAL_NOT_ALLOWED, "spec.renewBefore", message)
}

pub(super) fn secret(policy: &Policy, _: &Requester, requirements: &Requirements) -> Option<Violation> {
    let secret = requirements.secret.as_ref()?;
    if policy.secret_names.iter().any(|pattern| glob(pattern, secret)) {
        return None;
    }
    let message = format!(
        "Secret {secret} is not allowed, only {}",
        listed(policy.secret_names.iter().cloned())
    );
    violation(SECRET_NAME_NOT_ALLOWED, "spec.secretNames", message)
}

fn outside(bounds: Bounds, seconds: u64) -> Option<String> {
    let found = duration::text(seconds);
    match bounds {
        Bounds { min: Some(min), .. } if seconds < min => {
            Some(format!("{found} is shorter than {}", duration::text(min)))
        }
        Bounds { max: Some(max), .. } if seconds > max => {
            Some(format!("{found} is longer than {}", duration::text(max)))
        }
        _ => None,
    }
}

/// Whether `pattern`, in which `*` matches any text, matches all of `text`.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn not_allowed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    let verb = if items.len() == 1 { "is" } else { "are" };
    format!("{} {verb} not allowed", listed(items.into_iter()))
}

fn listed(mut items: impl Iterator<Item = String>) -> String {
    let mut text: Vec<String> = items.by_ref().take(LISTED).collect();
    match items.count() {
        0 => {}
        more => text.push(format!("{more} more")),
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*-tls", "shop-tls", true),
            ("*-tls", "-tls", true),
            ("*-tls", "shop-tls-x", false),
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("**", "x", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
