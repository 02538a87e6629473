//! Remote keys: which of them an application may read. Pure.

use idp_api::environment::SecretDefaults;

/// Longest name of a secret in AWS Secrets Manager, in bytes.
const MAX_KEY_BYTES: usize = 512;

/// The prefix of an application's remote keys.
///
/// # Errors
/// An invalid template in the Environment.
pub(crate) fn prefix(
    defaults: &SecretDefaults,
    namespace: &str,
    application: &str,
) -> Result<String, &'static str> {
    // With `{namespace}-{application}/`, application a-shop of team would have the keys of shop of team-a.
    for name in ["{namespace}", "{application}"] {
        let mut ends = defaults.prefix.split(name).skip(1);
        if ends.any(|end| !end.starts_with(['/', '_', '.', '=', '@', '+'])) {
            return Err(
                "{namespace} and {application} must be followed by '/', '_' or '.', which names cannot contain",
            );
        }
    }
    let label = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if application.is_empty() || !label(application) || !label(namespace) {
        return Err("the name of the application has characters other than a-z, 0-9 and '-'");
    }
    let prefix = defaults
        .prefix
        .replace("{namespace}", namespace)
        .replace("{application}", application);
    if prefix.contains(['{', '}']) {
        return Err("only the placeholders {namespace} and {application} are allowed");
    }
    // Without a separator, the keys of `shop-admin` would be below the prefix of `shop`.
    if !prefix.ends_with(['/', '-', '_', '.']) {
        return Err("it must end with '/', '-', '_' or '.'");
    }
    check(prefix.trim_end_matches('/')).map(|()| prefix)
}

/// Whether a key, or a part of one, is a plain path: no store must interpret anything in it.
///
/// # Errors
/// The rule that it violates.
pub(crate) fn check(key: &str) -> Result<(), &'static str> {
    if key.len() > MAX_KEY_BYTES {
        return Err("it has more than 512 characters");
    }
    if !key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
    {
        return Err("it has characters other than letters, digits and / _ + = . @ -");
    }
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("it starts or ends with '/', or has a part '', '.' or '..'");
    }
    Ok(())
}

/// Whether `key` is below `prefix`.
///
/// # Errors
/// The rule that it violates.
pub(crate) fn confined(key: &str, prefix: &str) -> Result<(), &'static str> {
    let rest = key
        .strip_prefix(prefix)
        .ok_or("it is not below the application's own prefix")?;
    if rest.is_empty() {
        return Err("it is the prefix itself");
    }
    check(key)?;
    check(rest)
}

/// The default name of a property's variable: in capitals, with `_` for characters that variables cannot have.
pub(crate) fn variable(property: &str) -> String {
    let name: String = property
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults(prefix: &str) -> SecretDefaults {
        SecretDefaults {
            prefix: prefix.into(),
            ..SecretDefaults::default()
        }
    }

    #[test]
    fn prefixes() {
        assert_eq!(
            prefix(&defaults("idp/{namespace}/{application}/"), "team-a", "shop").unwrap(),
            "idp/team-a/shop/"
        );
        for wrong in [
            "{namespace}",
            "{tenant}/",
            "../{namespace}/",
            "/",
            "ä/",
            // The keys of one application would be below the prefix of another.
            "{namespace}-{application}/",
            "{namespace}{application}/",
            "{namespace}/{application}-",
            "{namespace}/x{application}y/",
        ] {
            assert!(prefix(&defaults(wrong), "team-a", "shop").is_err(), "{wrong}");
        }
        for name in ["", "a/b", "..", "other/team-b", "A", "a.b"] {
            assert!(
                prefix(&defaults("{application}/{namespace}/"), "team-a", name).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn keys_stay_below_their_prefix() {
        let own = "team-a/shop/";
        assert_eq!(confined("team-a/shop/db", own), Ok(()));
        assert_eq!(confined("team-a/shop/db/main", own), Ok(()));
        for escape in [
            "team-a/shop/../admin/db",
            "team-a/shop/..",
            "team-a/shop/./db",
            "team-a/shop//db",
            "team-a/shop/%2e%2e/db",
            "team-a/shop/db#x",
            "team-a/shop/db?version=1",
            "team-a/shop/",
            "team-a/shop",
            "team-a/shop-admin/db",
            "team-b/shop/db",
            "team-a/shop/dä",
            "team-a/shop/d\u{0430}",
            "team-a/shop/d b",
            "team-a/shop/db\n",
            "team-a/shop/db\0",
        ] {
            assert!(confined(escape, own).is_err(), "{escape:?}");
        }
        assert!(confined(&format!("{own}{}", "x".repeat(600)), own).is_err());
    }

    #[test]
    fn variables_are_named_after_properties() {
        assert_eq!(variable("password"), "PASSWORD");
        assert_eq!(variable("api.key-2"), "API_KEY_2");
        assert_eq!(variable("2fa"), "_2FA");
    }
}
