//! Ranges of IP addresses that are blocked for every application, even if the Environment lists them.

use ipnet::IpNet;

/// IPv4 addresses that are never a peer: this host, loopback, link-local (most clouds' metadata services, which have
/// the node's credentials), other addresses of metadata services, multicast, and reserved addresses.
pub(crate) const NEVER_V4: [&str; 8] = [
    "0.0.0.0/8",
    "100.100.100.200/32",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// The same for IPv6, and every range whose addresses contain IPv4 addresses, to which the first list does not apply.
///
/// `::/80` includes the unspecified address, loopback, IPv4-compatible and IPv4-mapped addresses; it is one range,
/// because the API server rejects a mapped range as an exception of an IPv6 one. Then NAT64 (its own prefix and the local one),
/// Teredo, 6to4, the metadata services of clouds, Istio's source address of probes, link-local, site-local, multicast.
pub(crate) const NEVER_V6: [&str; 11] = [
    "::/80",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
    "fd00:ec2::/32",
    "fd16:9254:7127::/48",
    "fd20:ce::/32",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Private networks: never an external host, and permitted only if the Environment lists them.
const PRIVATE_V4: [&str; 4] = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"];
/// The same for IPv6: unique local addresses.
const PRIVATE_V6: [&str; 1] = ["fc00::/7"];

/// Blocked ranges: the above, and the cluster's own. Invalid ranges are ignored.
pub(crate) fn never(cluster: &[String]) -> Vec<IpNet> {
    let own = cluster.iter().map(String::as_str);
    parsed(NEVER_V4.into_iter().chain(NEVER_V6).chain(own))
}

/// Ranges that are not external: blocked ranges, and private networks.
pub(crate) fn inside(cluster: &[String]) -> Vec<IpNet> {
    let private = parsed(PRIVATE_V4.into_iter().chain(PRIVATE_V6));
    let mut all = never(cluster);
    all.extend(private);
    all
}

/// The parts of `of` within `range`, for its exceptions: sorted, without duplicates or overlaps. `None` if they cover the
/// whole range.
pub(crate) fn parts(range: IpNet, of: &[IpNet]) -> Option<Vec<IpNet>> {
    if covering(range, of).is_some() {
        return None;
    }
    let within: Vec<IpNet> = of.iter().copied().filter(|part| range.contains(part)).collect();
    // Halves that are forbidden one by one are the whole.
    Some(IpNet::aggregate(&within)).filter(|parts| covering(range, parts).is_none())
}

/// The range that all of `range` lies in, if there is one.
pub(crate) fn covering(range: IpNet, of: &[IpNet]) -> Option<IpNet> {
    of.iter().copied().find(|part| part.contains(&range))
}

fn parsed<'a>(ranges: impl IntoIterator<Item = &'a str>) -> Vec<IpNet> {
    ranges
        .into_iter()
        .filter_map(|range| range.parse::<IpNet>().ok())
        .map(|range| range.trunc())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_constants_are_ranges() {
        let all = NEVER_V4.len() + NEVER_V6.len() + PRIVATE_V4.len() + PRIVATE_V6.len();
        assert_eq!(inside(&[]).len(), all);
    }

    #[test]
    fn every_form_of_the_metadata_service_is_covered() {
        let never = never(&["203.0.113.0/24".to_owned()]);
        for form in [
            "169.254.169.254/32",
            "169.254.0.0/17",
            "::ffff:169.254.169.254/128",
            "::169.254.169.254/128",
            "64:ff9b::a9fe:a9fe/128",
            "64:ff9b:1::a9fe:a9fe/128",
            "2002:a9fe:a9fe::/48",
            "2001:0:a9fe:a9fe::/64",
            "fd00:ec2::254/128",
            "fd20:ce::254/128",
            "fe80::a9fe:a9fe/128",
            "127.0.0.1/32",
            "::1/128",
            "0.0.0.0/32",
            "224.0.0.251/32",
            "255.255.255.255/32",
            "ff02::1/128",
            "168.63.129.16/32",
            "100.100.100.200/32",
            "203.0.113.7/32",
        ] {
            assert!(covering(form.parse().unwrap(), &never).is_some(), "{form}");
        }
        for fine in ["10.1.2.3/32", "2001:db8::1/128", "192.0.2.0/24", "fd12:3456::/32"] {
            assert!(covering(fine.parse().unwrap(), &never).is_none(), "{fine}");
        }
    }

    #[test]
    fn exceptions_are_within_and_never_the_whole() {
        let never = never(&[]);
        let all = parts("0.0.0.0/0".parse().unwrap(), &never).unwrap();
        assert!(all.iter().all(|part| part.addr().is_ipv4()));
        assert!(covering("169.254.169.254/32".parse().unwrap(), &all).is_some());
        let halves: Vec<IpNet> = ["10.0.0.0/9".parse().unwrap(), "10.128.0.0/9".parse().unwrap()].into();
        assert_eq!(parts("10.0.0.0/8".parse().unwrap(), &halves), None);
        assert_eq!(parts("127.0.0.1/32".parse().unwrap(), &never), None);
    }
}
