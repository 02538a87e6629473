//! The rules one by one. Each looks at one field of the policy.

use std::net::IpAddr;

use idp_api::certificate_policy::KeyAlgorithm;

use super::{Asker, NAMESPACE_NOT_SELECTED, Policy, Violation, policy::Bounds};
use idp_core::duration;

use crate::certificate_request::requirements::{Content, Key};
use idp_core::names::DnsName;

/// How many names a message lists.
const LISTED: usize = 3;

fn broken(reason: &'static str, field: &'static str, message: String) -> Option<Violation> {
    Some(Violation {
        reason,
        field,
        message,
    })
}

pub(super) fn namespace(policy: &Policy, asker: &Asker, _: &Content) -> Option<Violation> {
    if policy
        .namespaces
        .iter()
        .any(|selector| selector.selects(&asker.labels))
    {
        return None;
    }
    let message = format!("namespace {} is not selected", asker.namespace);
    broken(NAMESPACE_NOT_SELECTED, "spec.namespaces", message)
}

pub(super) fn issuer(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    if policy.issuers.contains(&content.issuer) {
        return None;
    }
    let allowed: Vec<String> = policy.issuers.iter().map(ToString::to_string).collect();
    let message = format!(
        "{} may not sign, only {}",
        content.issuer,
        listed(allowed.into_iter())
    );
    broken("IssuerNotAllowed", "spec.issuers", message)
}

pub(super) fn dns(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let allowed = |text: &String| {
        // Names are normalised already; one that is none is not allowed.
        DnsName::parse(text).is_ok_and(|name| policy.dns.iter().any(|pattern| pattern.allows(&name)))
    };
    let mut others = content.names.dns.iter().filter(|name| !allowed(name)).peekable();
    others.peek()?;
    let others: Vec<String> = others.cloned().collect();
    let wildcard = others.iter().any(|name| name.starts_with("*."));
    let remark = if wildcard {
        " (a wildcard must be listed in exact)"
    } else if others.iter().any(|name| name.contains("xn--")) {
        " (an international label must be written out)"
    } else {
        ""
    };
    let message = format!("{} is not allowed{remark}", listed(others.into_iter()));
    broken("NameNotAllowed", "spec.names.dns", message)
}

pub(super) fn ips(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let allowed = |ip: &IpAddr| policy.ips.iter().any(|network| network.contains(ip));
    let mut others = content.names.ips.iter().filter(|ip| !allowed(ip)).peekable();
    others.peek()?;
    let message = format!("{} is not allowed", listed(others.map(ToString::to_string)));
    broken("AddressNotAllowed", "spec.names.ips", message)
}

pub(super) fn uris(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let allowed = |uri: &String| policy.uris.iter().any(|pattern| pattern.allows(uri));
    let mut others = content.names.uris.iter().filter(|uri| !allowed(uri)).peekable();
    others.peek()?;
    let message = format!("{} is not allowed", listed(others.cloned()));
    broken("UriNotAllowed", "spec.names.uris", message)
}

pub(super) fn ca(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let signs = content.is_ca || content.usages.contains("cert sign") || content.usages.contains("crl sign");
    if !signs || policy.allow_ca {
        return None;
    }
    let message = "a certificate that may sign others is not allowed".to_owned();
    broken("CaNotAllowed", "spec.allowCa", message)
}

pub(super) fn key(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let fits = |allowed: &Key| {
        allowed.algorithm == content.key.algorithm
            && (allowed.algorithm == KeyAlgorithm::Ed25519 || allowed.size <= content.key.size)
    };
    if policy.keys.iter().any(fits) {
        return None;
    }
    let allowed = policy.keys.iter().map(|key| match key.algorithm {
        KeyAlgorithm::Ed25519 => key.to_string(),
        _ => format!("{key} or more"),
    });
    let message = format!(
        "a key of {} is not allowed, only {}",
        content.key,
        listed(allowed)
    );
    broken("KeyNotAllowed", "spec.keys", message)
}

pub(super) fn usages(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    // Of these two the rule on certificates that sign others speaks.
    let by_ca = |usage: &str| policy.allow_ca && matches!(usage, "cert sign" | "crl sign");
    let mut others = content
        .usages
        .iter()
        .filter(|usage| !policy.usages.contains(*usage) && !by_ca(usage))
        .peekable();
    others.peek()?;
    let message = format!("usage {} is not allowed", listed(others.cloned()));
    broken("UsageNotAllowed", "spec.usages", message)
}

pub(super) fn lifetime(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let message = outside(policy.lifetime, content.lifetime)?;
    broken(
        "LifetimeNotAllowed",
        "spec.lifetime",
        format!("a life of {message}"),
    )
}

pub(super) fn renewal(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let message = outside(policy.renew_before, content.renew_before?)?;
    let message = format!("a renewal {message} (before its end)");
    broken("RenewalNotAllowed", "spec.renewBefore", message)
}

pub(super) fn secret(policy: &Policy, _: &Asker, content: &Content) -> Option<Violation> {
    let secret = content.secret.as_ref()?;
    if policy.secret_names.iter().any(|pattern| glob(pattern, secret)) {
        return None;
    }
    let message = format!(
        "Secret {secret} might be somebody's already; allowed are {}",
        listed(policy.secret_names.iter().cloned())
    );
    broken("SecretNameNotAllowed", "spec.secretNames", message)
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

/// Whether `pattern`, in which `*` stands for anything, matches all of `text`.
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
