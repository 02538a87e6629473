//! Hosts that applications may use.

use std::collections::BTreeMap;

use idp_core::names::{DnsName, DnsPattern, overlap};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::certificate_policy::{AllowedDns, NamespaceSelector};

/// Hosts that applications may use, for every kind of gateway and certificate. Default: names one label below the base
/// domain, at the default gateway, for all namespaces.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPolicy {
    /// Which namespaces may use names one label below the base domain. Default: `Everyone`.
    #[serde(default)]
    pub base_domain: BaseDomainHosts,
    /// Hosts that no application may use, including their subdomains, such as those of the platform's own pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub reserved: Vec<String>,
    /// Additional hosts, Gateways and Secrets for some namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub allowed: Vec<HostRule>,
}

/// Which namespaces may use names one label below the base domain.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum BaseDomainHosts {
    /// Every namespace. The first application that uses a name keeps it.
    #[default]
    Everyone,
    /// Only namespaces to which `allowed` gives them.
    Listed,
}

/// Hosts, Gateways and Secrets that some namespaces may use.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostRule {
    /// The namespaces: those that match any of these selectors. To select one namespace, use its label
    /// `kubernetes.io/metadata.name`.
    #[schemars(length(min = 1, max = 16))]
    pub namespaces: Vec<NamespaceSelector>,
    /// Hosts that they may use. Wildcard hosts such as `*.shop.example.com` are allowed only if listed in `exact`.
    #[serde(default)]
    pub dns: AllowedDns,
    /// Gateways for these hosts, as `namespace/name`, from `gateway.allowed`. Default: the default Gateway of
    /// applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 3, max = 127)))]
    pub gateways: Vec<String>,
    /// Names of Secrets in the gateway's namespace that their routes may use with `tls.mode: Secret`. Names that begin
    /// with the namespace's name and a dot, such as `shop.tls`, are always allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub secrets: Vec<String>,
}

/// A namespace that requests a host.
#[derive(Clone, Copy, Debug)]
pub struct Tenant<'a> {
    /// Its name.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// Why a namespace may not use a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostDenial {
    /// Not the name of a host outside the cluster, so not allowed to any namespace.
    Never(&'static str),
    /// Reserved for the platform by the Environment.
    Reserved,
    /// Not allowed to this namespace by the Environment.
    NotListed,
}

impl HostRule {
    fn selects(&self, tenant: Tenant<'_>) -> bool {
        self.namespaces
            .iter()
            .any(|selector| selector.selects(tenant.labels))
    }

    fn is_for(&self, gateway: Option<&str>) -> bool {
        match gateway {
            None => self.gateways.is_empty(),
            Some(gateway) => self.gateways.iter().any(|listed| listed == gateway),
        }
    }

    /// Invalid entries allow nothing.
    fn allows(&self, host: &DnsName) -> bool {
        let dns = &self.dns;
        let exact = dns.exact.iter().map(|entry| DnsPattern::exact(entry));
        let below = dns.suffixes.iter().map(|entry| DnsPattern::below(entry));
        let labels = dns.patterns.iter().map(|entry| DnsPattern::labels(entry));
        let mut patterns = exact.chain(below).chain(labels).flatten();
        patterns.any(|pattern| pattern.allows(host))
    }
}

impl HostPolicy {
    /// Whether the namespace may use a full host name at a Gateway; `None` is the default Gateway.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        host: &str,
        gateway: Option<&str>,
        base_domain: &str,
        tenant: Tenant<'_>,
    ) -> Result<(), HostDenial> {
        let name = DnsName::parse(host).map_err(|malformed| HostDenial::Never(malformed.0))?;
        if is_in_cluster(name.domain()) {
            return Err(HostDenial::Never(
                "names of this form are those of Services inside the cluster",
            ));
        }
        if self.is_reserved(&name.to_string()) {
            return Err(HostDenial::Reserved);
        }
        let everyones = self.base_domain == BaseDomainHosts::Everyone && gateway.is_none();
        let below = DnsPattern::labels(&format!("*.{base_domain}"));
        if everyones && below.is_ok_and(|pattern| pattern.allows(&name)) {
            return Ok(());
        }
        let mut rules = self
            .allowed
            .iter()
            .filter(|rule| rule.is_for(gateway) && rule.selects(tenant));
        if rules.any(|rule| rule.allows(&name)) {
            Ok(())
        } else {
            Err(HostDenial::NotListed)
        }
    }

    /// Whether the namespace may use a Gateway that a route names.
    pub fn may_name(&self, gateway: &str, tenant: Tenant<'_>) -> bool {
        let mut rules = self.allowed.iter();
        rules.any(|rule| rule.is_for(Some(gateway)) && rule.selects(tenant))
    }

    /// Whether the namespace's routes may use this Secret of the gateway: its name begins with the namespace and a dot
    /// (no namespace has a dot in its name), or a rule lists it.
    pub fn may_show(&self, secret: &str, tenant: Tenant<'_>) -> bool {
        let own = secret
            .strip_prefix(tenant.namespace)
            .and_then(|rest| rest.strip_prefix('.'));
        let listed = |rule: &HostRule| rule.selects(tenant) && rule.secrets.iter().any(|name| name == secret);
        own.is_some_and(|rest| !rest.is_empty()) || self.allowed.iter().any(listed)
    }

    fn is_reserved(&self, host: &str) -> bool {
        let reserved = self
            .reserved
            .iter()
            .filter_map(|entry| DnsName::parse(entry).ok());
        let mut reserved = reserved.map(|entry| entry.to_string());
        reserved.any(|entry| overlap(&entry, host) || overlap(&format!("*.{entry}"), host))
    }
}

/// Whether it is a name of the cluster's DNS, such as `web.shop.svc` or `web.shop.svc.cluster.local`.
fn is_in_cluster(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    labels.ends_with(&["cluster", "local"]) || labels.iter().skip(1).any(|label| *label == "svc")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy() -> HostPolicy {
        serde_json::from_value(json!({
            "reserved": ["grafana.apps.example.com"],
            "allowed": [
                {
                    "namespaces": [{"matchLabels": {"team": "shop"}}],
                    "dns": {"exact": ["*.shop.example.com", "shop.example.com"], "suffixes": ["example.net"]},
                    "secrets": ["wildcard-shop"],
                },
                {
                    "namespaces": [{"matchLabels": {"kubernetes.io/metadata.name": "inside"}}],
                    "dns": {"patterns": ["*.internal.example.com"]},
                    "gateways": ["istio-ingress/internal"],
                },
            ],
        }))
        .unwrap()
    }

    fn check(
        policy: &HostPolicy,
        host: &str,
        gateway: Option<&str>,
        label: (&str, &str),
    ) -> Result<(), HostDenial> {
        let labels = [(label.0.to_owned(), label.1.to_owned())].into();
        let tenant = Tenant {
            namespace: "any",
            labels: &labels,
        };
        policy.check(host, gateway, "apps.example.com", tenant)
    }

    #[test]
    fn by_default_only_one_label_below_the_base_domain() {
        let closed = HostPolicy::default();
        let check = |host: &str| check(&closed, host, None, ("team", "shop"));
        assert_eq!(check("shop.apps.example.com"), Ok(()));
        for host in [
            "a.b.apps.example.com",
            "*.apps.example.com",
            "*.shop.apps.example.com",
            "apps.example.com",
            "example.com",
            "www.bank.org",
            "crm.corp.example.com",
            "xn--shp-0na.apps.example.com",
            "xn--shp-0na.example.com",
        ] {
            assert_eq!(check(host), Err(HostDenial::NotListed), "{host}");
        }
        let listed = HostPolicy {
            base_domain: BaseDomainHosts::Listed,
            ..closed.clone()
        };
        assert!(super::tests::check(&listed, "shop.apps.example.com", None, ("a", "b")).is_err());
        assert!(super::tests::check(&closed, "shop.apps.example.com", Some("a/b"), ("a", "b")).is_err());
    }

    #[test]
    fn addresses_and_names_of_the_cluster_are_never_allowed() {
        let open: HostPolicy = serde_json::from_value(json!({"allowed": [{
            "namespaces": [{}], "dns": {"suffixes": ["local", "svc", "com"]},
        }]}))
        .unwrap();
        for host in [
            "10.0.0.1",
            "kubernetes.default.svc.cluster.local",
            "kubernetes.default.svc",
            "*.default.svc",
            "a.cluster.local",
            "a.b.svc.corp.example.com",
            "127.1",
            "a..com",
        ] {
            let denied = check(&open, host, None, ("a", "b"));
            assert!(matches!(denied, Err(HostDenial::Never(_))), "{host}: {denied:?}");
        }
        assert_eq!(check(&open, "svc.example.com", None, ("a", "b")), Ok(()));
    }

    #[test]
    fn rules_are_for_their_namespaces_and_gateways() {
        let policy = policy();
        let shop = ("team", "shop");
        let inside = ("kubernetes.io/metadata.name", "inside");
        let internal = Some("istio-ingress/internal");
        for host in ["shop.example.com", "*.shop.example.com", "a.b.example.net"] {
            assert_eq!(check(&policy, host, None, shop), Ok(()), "{host}");
            assert!(check(&policy, host, None, inside).is_err(), "{host}");
            assert!(check(&policy, host, internal, shop).is_err(), "{host}");
        }
        assert!(check(&policy, "*.example.net", None, shop).is_err());
        assert_eq!(
            check(&policy, "hr.internal.example.com", internal, inside),
            Ok(())
        );
        assert!(check(&policy, "hr.internal.example.com", None, inside).is_err());
        assert!(check(&policy, "hr.internal.example.com", internal, shop).is_err());
        for host in ["grafana.apps.example.com", "a.grafana.apps.example.com"] {
            assert_eq!(check(&policy, host, None, shop), Err(HostDenial::Reserved));
        }
    }

    #[test]
    fn secrets_are_a_namespaces_own_or_listed() {
        let policy = policy();
        let may = |namespace: &str, team: &str, secret: &str| {
            let labels = [("team".to_owned(), team.to_owned())].into();
            let tenant = Tenant {
                namespace,
                labels: &labels,
            };
            policy.may_show(secret, tenant)
        };
        assert!(may("shop", "x", "shop.tls"));
        assert!(may("a", "shop", "wildcard-shop"));
        for (namespace, secret) in [
            ("shop", "shop."),
            ("shop", "shop"),
            ("shop", "shop-tls"),
            ("shop", "shop-2.tls"),
            ("shop", "wildcard-shop"),
            ("a", "victim-idp-localhost-74cc97c318d9ed0b-tls"),
        ] {
            assert!(!may(namespace, "x", secret), "{namespace} {secret}");
        }
    }
}
