//! Whether the section is one that the API server would have let through: who asks need not have come that way.

use idp_api::ClaimClassSpec;
use idp_core::{Problem, names::is_label, quantity::thousandths};

use super::items::Item;
use crate::reason;

/// Most things of each list.
const MOST: usize = 16;
/// Longest name within an application.
const LONGEST_NAME: usize = 40;
/// Longest engine and size.
const LONGEST_WORD: usize = 63;
/// Longest version.
const LONGEST_VERSION: usize = 32;
/// Longest mount path.
const LONGEST_PATH: usize = 255;
/// Smallest volume, in thousandths of a byte: what is smaller was meant otherwise (`100m` is a tenth of a byte).
const SMALLEST: i128 = 1024 * 1024 * 1000;

/// Everything that the schema of a WebApplication refuses.
pub(super) fn check(items: &[Item], path: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for list in ["databases", "storage.buckets", "storage.volumes"] {
        let list = format!("{path}.{list}");
        let count = items
            .iter()
            .filter(|item| item.path.starts_with(&format!("{list}[")))
            .count();
        if count > MOST {
            problems.push(
                invalid(&format!("{count} items are too many"), &list).hint(format!(
                    "write at most {MOST}; make another application of the rest"
                )),
            );
        }
    }
    // A list that is too long is told once.
    for item in items.iter().take(3 * MOST) {
        one(item, &mut problems);
    }
    problems
}

fn one(item: &Item, problems: &mut Vec<Problem>) {
    let at = |field: &str| format!("{}.{field}", item.path);
    if !is_name(&item.name) {
        problems.push(invalid(&format!("{:?} is not a name", cut(&item.name)), &at("name")).hint(format!(
            "write a-z, 0-9 and '-', beginning with a letter and not ending with '-', at most {LONGEST_NAME} characters"
        )));
    }
    let words = [
        ("engine", Some(&item.engine), LONGEST_WORD),
        ("version", item.version.as_ref(), LONGEST_VERSION),
        ("size", item.size.as_ref(), LONGEST_WORD),
    ];
    for (field, value, longest) in words {
        if value.is_some_and(|value| value.is_empty() || value.len() > longest) {
            problems.push(
                invalid(&format!("the {field} is empty or too long"), &at(field))
                    .hint(format!("write 1 to {longest} characters")),
            );
        }
    }
    if item.mount_path.as_deref().is_some_and(|path| !is_directory(path)) {
        let path = item.mount_path.as_deref().unwrap_or_default();
        problems.push(
            invalid(&format!("{:?} is no directory to mount at", cut(path)), &at("mountPath")).hint(
                "write an absolute path of letters, digits, '.', '_', '-' and '/', without '//', '.' and '..', not ending with '/'",
            ),
        );
    }
}

fn invalid(what: &str, path: &str) -> Problem {
    Problem::error(reason::INVALID, what).at(path)
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

/// Whether this is a name within an application.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && text.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(text)
}

fn is_directory(path: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let Some(below) = path.strip_prefix('/') else {
        return false;
    };
    path.len() <= LONGEST_PATH
        && path.bytes().all(inner)
        && below.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// What is wrong with the size of a volume; `before` is the size of what exists, which stays whatever the class allows by
/// now.
pub(crate) fn volume_size(
    size: &str,
    before: Option<&str>,
    name: &str,
    class: &ClaimClassSpec,
) -> Option<Problem> {
    if before == Some(size) {
        return None;
    }
    let Some(bytes) = thousandths(size).filter(|bytes| *bytes >= SMALLEST) else {
        return Some(
            Problem::error(
                reason::INVALID_SIZE,
                format!("{:?} is not the size of a volume", cut(size)),
            )
            .hint("write a size such as 10Gi, 1Mi or more"),
        );
    };
    let most = class.max_size();
    if thousandths(most).is_none_or(|most| bytes > most) {
        return Some(
            Problem::error(
                reason::SIZE_EXCEEDED,
                format!("{size} is more than {most}, the largest volume of the class {name}"),
            )
            .hint(format!(
                "ask for {most} or less, or ask the platform team to raise maxSize of ClaimClass {name}"
            )),
        );
    }
    let shrinks = before.and_then(thousandths).is_some_and(|before| bytes < before);
    shrinks.then(|| {
        Problem::error(
            reason::IMMUTABLE_FIELD,
            format!(
                "the volume has {}, and cannot shrink to {size}",
                before.unwrap_or_default()
            ),
        )
        .hint("add a volume of another name, copy the data, then remove this one")
    })
}
