//! Policies and the Environment -> grants of hosts. Pure.

use idp_api::{
    allowed_hosts::HostGrant,
    certificate_policy::NamespaceSelector,
    environment::{BaseDomainHosts, HostPolicy},
};

use crate::{
    certificate_request::requirements::Issuer,
    rules::{Policy, Requester, violations},
};
use idp_core::names::DnsPattern;

/// Maximum number of grants, as in the CRD of `AllowedHosts`.
const MAX_GRANTS: usize = 64;

/// One grant for each policy under which `issuer` could sign for some host. `None` if there are more policies than
/// `AllowedHosts` can list: then the admission policy checks no certificates, and only the controllers decide.
pub fn grants(policies: &[Policy], issuer: &Issuer) -> Option<Vec<HostGrant>> {
    let useful = policies.iter().filter(|policy| could_sign(policy, issuer));
    let grants: Vec<HostGrant> = useful.map(grant).collect();
    (grants.len() <= MAX_GRANTS).then_some(grants)
}

/// The hosts that the Environment allows namespaces to use, whatever their gateway and certificate.
pub fn hosts(policy: &HostPolicy, base_domain: &str) -> Vec<HostGrant> {
    let everyone = HostGrant {
        policy: "hosts.baseDomain".to_owned(),
        namespaces: vec![NamespaceSelector::default()],
        expressions: expression(&format!("*.{base_domain}")).into_iter().collect(),
        ..HostGrant::default()
    };
    let mut grants: Vec<HostGrant> = Vec::new();
    if policy.base_domain == BaseDomainHosts::Everyone {
        grants.push(everyone);
    }
    grants.extend(policy.allowed.iter().enumerate().map(|(index, rule)| {
        let exact = rule
            .dns
            .exact
            .iter()
            .filter_map(|name| DnsPattern::exact(name).ok());
        let endings = rule
            .dns
            .suffixes
            .iter()
            .filter_map(|name| DnsPattern::below(name).ok());
        HostGrant {
            policy: format!("hosts.allowed[{index}]"),
            namespaces: rule.namespaces.clone(),
            exact: exact.filter_map(|pattern| pattern.name()).collect(),
            endings: endings.filter_map(|pattern| pattern.name()).collect(),
            expressions: rule
                .dns
                .patterns
                .iter()
                .filter_map(|text| expression(text))
                .collect(),
            gateways: rule.gateways.clone(),
            secrets: rule.secrets.clone(),
        }
    }));
    grants
}

fn expression(pattern: &str) -> Option<String> {
    DnsPattern::labels(pattern).ok()?.expression()
}

/// Whether the policy allows certificates that the platform orders, apart from namespace and host.
fn could_sign(policy: &Policy, issuer: &Issuer) -> bool {
    let requirements = policy.template().requirements(issuer, "host.invalid", "host-tls");
    violations(policy, &Requester::default(), &requirements)
        .iter()
        .all(|violation| matches!(violation.field, "spec.namespaces" | "spec.names.dns"))
}

fn grant(policy: &Policy) -> HostGrant {
    let mut grant = HostGrant {
        policy: policy.name.clone(),
        namespaces: policy.namespaces().to_vec(),
        ..HostGrant::default()
    };
    for pattern in policy.dns() {
        match pattern {
            // The platform orders no certificates for wildcards.
            DnsPattern::Exact(name) if name.is_wildcard() => {}
            DnsPattern::Exact(name) => grant.exact.push(name.to_string()),
            DnsPattern::Below(domain) => grant.endings.push(format!(".{domain}")),
            DnsPattern::Labels(_) => grant.expressions.extend(pattern.expression()),
        }
    }
    grant
}

#[cfg(test)]
mod tests {
    use idp_api::certificate_policy::{AllowedIssuer, CertificatePolicySpec};

    use super::*;

    fn spec() -> CertificatePolicySpec {
        let mut spec = CertificatePolicySpec {
            namespaces: vec![NamespaceSelector::default()],
            issuers: vec![AllowedIssuer {
                name: "ca".into(),
                kind: "ClusterIssuer".into(),
                group: "cert-manager.io".into(),
            }],
            ..CertificatePolicySpec::default()
        };
        spec.names.dns.exact = vec!["Shop.example.com".into(), "*.example.com".into()];
        spec.names.dns.suffixes = vec!["apps.example.com".into()];
        spec.names.dns.patterns = vec!["api-*.example.com".into()];
        spec
    }

    fn issuer(name: &str) -> Issuer {
        Issuer {
            name: name.into(),
            kind: "ClusterIssuer".into(),
            group: String::new(),
        }
        .completed()
    }

    #[test]
    fn routes_can_use_no_wildcards() {
        let policies = [Policy::read("web", &spec())];
        let grants = grants(&policies, &issuer("ca")).unwrap();
        assert_eq!(grants[0].exact, ["shop.example.com"]);
        assert_eq!(grants[0].endings, [".apps.example.com"]);
        assert_eq!(grants[0].expressions, ["^api-[-a-z0-9]+\\.example\\.com$"]);
    }

    #[test]
    fn hosts_of_the_environment_are_granted_for_every_mode() {
        let policy: HostPolicy = serde_json::from_value(serde_json::json!({"allowed": [{
            "namespaces": [{}],
            "dns": {"exact": ["*.Shop.example.com"], "suffixes": ["example.net"], "patterns": ["api-*.example.com"]},
            "gateways": ["istio-ingress/internal"], "secrets": ["a"],
        }]}))
        .unwrap();
        let [everyone, rule] = &hosts(&policy, "apps.example.com")[..] else {
            panic!("two grants");
        };
        assert_eq!(everyone.expressions, ["^[-a-z0-9]+\\.apps\\.example\\.com$"]);
        assert!(everyone.gateways.is_empty());
        assert_eq!(rule.exact, ["*.shop.example.com"]);
        assert_eq!(rule.endings, [".example.net"]);
        assert_eq!(rule.gateways, ["istio-ingress/internal"]);
        let listed = HostPolicy {
            base_domain: BaseDomainHosts::Listed,
            ..HostPolicy::default()
        };
        assert!(hosts(&listed, "apps.example.com").is_empty());
    }

    #[test]
    fn policies_that_cannot_serve_routes_are_left_out() {
        let mut clients = spec();
        clients.usages = vec!["client auth".into()];
        let policies = [Policy::read("clients", &clients), Policy::read("web", &spec())];
        assert!(grants(&policies, &issuer("other")).unwrap().is_empty());
        assert_eq!(grants(&policies, &issuer("ca")).unwrap().len(), 1);
        let many: Vec<Policy> = (0..65).map(|n| Policy::read(&format!("p{n}"), &spec())).collect();
        assert_eq!(grants(&many, &issuer("ca")), None);
    }
}
