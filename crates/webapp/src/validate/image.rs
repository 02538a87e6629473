//! The image: rewriting, and the allowed registries.

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
        registry_problem(&image, &origin, registry, environment),
        digest_problem(&image, &origin, registry),
    ];
    for problem in problems.into_iter().flatten() {
        findings.add(problem.at("spec.image"));
    }
    image
}

/// The problem of an image in a patch, if it has one. Images in patches are not rewritten.
pub(crate) fn image_problem(image: &str, registry: &Registry, environment: &str) -> Option<Problem> {
    registry_problem(image, "", registry, environment).or_else(|| digest_problem(image, "", registry))
}

fn registry_problem(image: &str, origin: &str, registry: &Registry, environment: &str) -> Option<Problem> {
    let mut allowed = registry.allowed.iter();
    if registry.allowed.is_empty() || allowed.any(|prefix| rest_after(image, prefix).is_some()) {
        return None;
    }
    let allowed = list(registry.allowed.iter().map(String::as_str));
    let message = format!("Image {image}{origin} is not from an allowed registry.");
    Some(Problem::error(reasons::IMAGE_NOT_ALLOWED, message).hint(format!(
        "Use an image that begins with one of: {allowed}. Or ask the platform team to add its registry to registry.allowed of Environment {environment}."
    )))
}

fn digest_problem(image: &str, origin: &str, registry: &Registry) -> Option<Problem> {
    (registry.require_digest && !has_digest(image)).then(|| {
        Problem::error(
            reasons::IMAGE_NEEDS_DIGEST,
            format!("Image {image}{origin} has no digest."),
        )
    })
}

/// The image with the longest matching prefix replaced.
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

/// The rest of the image's name after the prefix; `None` if the prefix does not match. A prefix ends at a boundary:
/// otherwise `registry.example.com` would allow `registry.example.com.evil.org/app`. Names without a registry are compared
/// literally.
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
