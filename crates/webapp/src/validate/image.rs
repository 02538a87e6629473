//! The image: rewriting, and the registries that are allowed.

use idp_api::{WebApplicationSpec, environment::Registry};
use idp_core::Problem;

use super::findings::{Findings, list};
use crate::reasons;

/// The image after rewriting.
pub(super) fn image(
    spec: &WebApplicationSpec,
    registry: &Registry,
    environment: &str,
    findings: &mut Findings,
) -> String {
    let image = rewritten(&spec.image, registry);
    let origin = if image == spec.image {
        String::new()
    } else {
        format!(" ({} before rewriting)", spec.image)
    };
    let problems = [
        from_nowhere(&image, &origin, registry, environment),
        by_tag(&image, &origin, registry),
    ];
    for problem in problems.into_iter().flatten() {
        findings.add(problem.at("spec.image"));
    }
    image
}

/// What is wrong with an image that somebody wrote as the kubelet gets it: in a patch nothing is rewritten.
pub(crate) fn image_problem(image: &str, registry: &Registry, environment: &str) -> Option<Problem> {
    from_nowhere(image, "", registry, environment).or_else(|| by_tag(image, "", registry))
}

fn from_nowhere(image: &str, origin: &str, registry: &Registry, environment: &str) -> Option<Problem> {
    let mut allowed = registry.allowed.iter();
    if registry.allowed.is_empty() || allowed.any(|prefix| rest_after(image, prefix).is_some()) {
        return None;
    }
    let allowed = list(registry.allowed.iter().map(String::as_str));
    let message = format!("image {image}{origin} is from no registry that this cluster allows");
    Some(Problem::error(reasons::IMAGE_NOT_ALLOWED, message).hint(format!(
        "write an image that begins with one of: {allowed}; the platform team says which, in registry.allowed of Environment {environment}"
    )))
}

fn by_tag(image: &str, origin: &str, registry: &Registry) -> Option<Problem> {
    (registry.require_digest && !has_digest(image)).then(|| {
        Problem::error(
            reasons::IMAGE_NEEDS_DIGEST,
            format!("image {image}{origin} is named without a digest"),
        )
        .hint("write name@sha256:... : the digest that `docker push` or the build printed")
    })
}

/// The image with the longest matching beginning replaced.
fn rewritten(image: &str, registry: &Registry) -> String {
    let matching = registry
        .rewrites
        .iter()
        .filter_map(|rule| Some((rule, rest_after(image, &rule.from)?)));
    match matching.max_by_key(|(rule, _)| rule.from.len()) {
        None => image.to_owned(),
        Some((rule, rest)) => match (rule.to.trim_end_matches('/'), rest.strip_prefix('/')) {
            ("", _) => rest.trim_start_matches('/').to_owned(),
            (to, Some(path)) => format!("{to}/{path}"),
            (to, None) => format!("{to}{rest}"),
        },
    }
}

/// What follows the prefix in the image's name; `None` where it does not match. A prefix ends at a boundary: without
/// that, `registry.example.com` would let `registry.example.com.evil.org/app` in. Names without a registry are
/// compared as they are written: nothing is put before them.
fn rest_after<'a>(image: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = image.strip_prefix(prefix.trim_end_matches('/'))?;
    let tag_or_digest = rest.starts_with([':', '@']) && !rest.contains('/') && !prefix.ends_with('/');
    (rest.starts_with('/') || rest.is_empty() || tag_or_digest).then_some(rest)
}

fn has_digest(image: &str) -> bool {
    image.split_once("@sha256:").is_some_and(|(name, digest)| {
        !name.is_empty() && digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use idp_api::environment::RegistryRewrite;

    use super::*;

    #[test]
    fn the_longest_match_is_replaced_at_a_boundary() {
        let rule = |from: &str, to: &str| RegistryRewrite {
            from: from.into(),
            to: to.into(),
        };
        let registry = Registry {
            rewrites: vec![
                rule("hub.example.com/", "mirror.local/hub/"),
                rule("hub.example.com/library/", "mirror.local/official/"),
                rule("nginx", "mirror.local/official/nginx"),
                rule("team/", "registry.local/team"),
            ],
            ..Registry::default()
        };
        for (image, expected) in [
            ("hub.example.com/team/app:1", "mirror.local/hub/team/app:1"),
            (
                "hub.example.com/library/nginx@sha256:0",
                "mirror.local/official/nginx@sha256:0",
            ),
            ("nginx:1", "mirror.local/official/nginx:1"),
            ("nginx", "mirror.local/official/nginx"),
            ("nginxinc/app", "nginxinc/app"),
            ("team/app", "registry.local/team/app"),
            ("hub.example.com.evil.org/app", "hub.example.com.evil.org/app"),
        ] {
            assert_eq!(rewritten(image, &registry), expected, "{image}");
        }
        assert_eq!(rest_after("localhost:5000/app", "localhost"), None);
        assert!(!has_digest("app@sha256:12"));
        assert!(has_digest(&format!("app@sha256:{}", "a1".repeat(32))));
    }
}
