//! The kinds that the broker writes and reads.
//!
//! A fixed set, and those that the arguments add. They are not read from the ClaimClasses: the broker's ClusterRole must
//! name each kind too, so adding a kind changes the broker's manifests anyway, and a class cannot widen its permissions.

use idp_core::Kind;

/// Core `Namespace`: its labels decide which classes it may use.
pub const NAMESPACE: Kind = Kind::cluster("", "v1", "Namespace", "namespaces");
/// Core `PersistentVolumeClaim`.
pub const VOLUME_CLAIM: Kind = Kind::namespaced("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");

/// Group of the platform's own claims.
pub const PLATFORM: &str = "platform.idp.dev";

const fn claim(kind: &'static str, plural: &'static str) -> Kind {
    Kind::namespaced(PLATFORM, "v1alpha1", kind, plural)
}

const fn composite(kind: &'static str, plural: &'static str) -> Kind {
    Kind::cluster(PLATFORM, "v1alpha1", kind, plural)
}

/// The kinds that hold data. Those of the platform's group are composite resources in namespaces, or claims: as the
/// CompositeResourceDefinitions of the cluster say.
pub const CLAIMS: [Kind; 6] = [
    claim("PostgresInstance", "postgresinstances"),
    claim("MySQLInstance", "mysqlinstances"),
    claim("RedisInstance", "redisinstances"),
    claim("MessageQueue", "messagequeues"),
    claim("ObjectBucket", "objectbuckets"),
    VOLUME_CLAIM,
];

/// The cluster-scoped composite resources of these kinds where they are claims.
pub const COMPOSITES: [Kind; 5] = [
    composite("XPostgresInstance", "xpostgresinstances"),
    composite("XMySQLInstance", "xmysqlinstances"),
    composite("XRedisInstance", "xredisinstances"),
    composite("XMessageQueue", "xmessagequeues"),
    composite("XObjectBucket", "xobjectbuckets"),
];

/// The kinds of a broker: [`CLAIMS`] and [`COMPOSITES`], and those that its arguments add.
#[derive(Clone, Debug)]
pub struct Kinds {
    /// The kinds that hold data.
    pub claims: Vec<Kind>,
    /// The cluster-scoped composite resources of claims. Read only.
    pub composites: Vec<Kind>,
    /// The composed kinds. Read only.
    pub composed: Vec<Kind>,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            claims: CLAIMS.into(),
            composites: COMPOSITES.into(),
            composed: Vec::new(),
        }
    }
}

impl Kinds {
    /// The fixed kinds and further ones, each once.
    pub fn with(claims: &[Kind], composites: &[Kind], composed: &[Kind]) -> Self {
        let mut kinds = Self::default();
        kinds.claims.extend(claims);
        kinds.composites.extend(composites);
        kinds.composed.extend(composed);
        for list in [&mut kinds.claims, &mut kinds.composites, &mut kinds.composed] {
            list.sort();
            list.dedup();
        }
        kinds
    }

    /// All kinds that are only read: everything between a claim and the cloud.
    pub fn read_only(&self) -> impl Iterator<Item = Kind> {
        self.composites.iter().chain(&self.composed).copied()
    }

    /// The kind of claims with this apiVersion and name.
    pub fn claim(&self, api_version: &str, kind: &str) -> Option<Kind> {
        let mut claims = self.claims.iter().copied();
        claims.find(|known| known.kind == kind && known.api_version() == api_version)
    }
}

/// Parses a namespaced kind, `group/version/Kind/plural`, or a cluster-scoped one, `group/version/Kind/plural/cluster`.
///
/// # Errors
/// When the text has another form.
pub fn parse(text: &str) -> Result<Kind, String> {
    let parts: Vec<&str> = text.trim().split('/').collect();
    let (namespaced, [group, version, kind, plural]) = match parts[..] {
        [group, version, kind, plural] => (true, [group, version, kind, plural]),
        [group, version, kind, plural, "cluster"] => (false, [group, version, kind, plural]),
        _ => return Err("Write group/version/Kind/plural, or group/version/Kind/plural/cluster.".to_owned()),
    };
    if [version, kind, plural].contains(&"") {
        return Err("Version, kind and plural must not be empty.".to_owned());
    }
    // A few words for each argument, leaked once: `Kind` is `Copy`, so its strings are static.
    let fixed = |text: &str| -> &'static str { text.to_owned().leak() };
    Ok(Kind {
        group: fixed(group),
        version: fixed(version),
        kind: fixed(kind),
        plural: fixed(plural),
        namespaced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_parsed_and_others_rejected() {
        let instance = parse("rds.aws.upbound.io/v1beta1/Instance/instances/cluster").unwrap();
        assert_eq!(instance.api_version(), "rds.aws.upbound.io/v1beta1");
        assert!(!instance.namespaced);
        assert!(parse("a.b/v1/Thing/things").unwrap().namespaced);
        assert!(
            parse("\n  a.b/v1/Thing/things ").is_ok(),
            "one of a list with a line each"
        );
        for wrong in ["", "a/v1/Thing", "a/v1/Thing/", "a/v1/Thing/things/namespace"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_kind_given_twice_is_watched_once() {
        let kinds = Kinds::with(&CLAIMS, &COMPOSITES, &[]);
        assert_eq!(
            (kinds.claims.len(), kinds.read_only().count()),
            (CLAIMS.len(), COMPOSITES.len())
        );
        assert!(
            kinds
                .claim("platform.idp.dev/v1alpha1", "PostgresInstance")
                .is_some()
        );
        assert!(kinds.claim("platform.idp.dev/v1", "PostgresInstance").is_none());
    }
}
