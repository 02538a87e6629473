//! The checks of the API server's schema, done again: a caller need not have read the section from there.

use idp_core::Problem;

use super::items::Item;
use crate::{
    reasons,
    rules::{MAX_NAME_CHARS, is_name, shorten},
};

/// Most items of each list.
const MAX_ITEMS: usize = 16;
/// Longest engine and size, in characters.
const MAX_WORD_CHARS: usize = 63;
/// Longest version, in characters.
const MAX_VERSION_CHARS: usize = 32;
/// Longest mount path, in characters.
const MAX_PATH_CHARS: usize = 255;

/// Everything that the schema of a WebApplication rejects.
pub(super) fn check(items: &[Item], path: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for list in ["databases", "storage.buckets", "storage.volumes"] {
        let list = format!("{path}.{list}");
        let count = items
            .iter()
            .filter(|item| item.path.starts_with(&format!("{list}[")))
            .count();
        if count > MAX_ITEMS {
            problems.push(
                invalid(format!("{count} items are too many."), &list).hint(format!(
                    "Write at most {MAX_ITEMS}, and move the rest to another application."
                )),
            );
        }
    }
    // A list that is too long is reported once, not once an item.
    for item in items.iter().take(3 * MAX_ITEMS) {
        check_item(item, &mut problems);
    }
    problems
}

fn check_item(item: &Item, problems: &mut Vec<Problem>) {
    let at = |field: &str| format!("{}.{field}", item.path);
    if !is_name(&item.name) {
        problems.push(
            invalid(format!("{:?} is not a valid name.", shorten(&item.name)), &at("name")).hint(format!(
                "Write at most {MAX_NAME_CHARS} characters of a-z, 0-9 and '-', starting with a letter and not ending with '-'."
            )),
        );
    }
    let words = [
        ("engine", Some(&item.engine), MAX_WORD_CHARS),
        ("version", item.version.as_ref(), MAX_VERSION_CHARS),
        ("size", item.size.as_ref(), MAX_WORD_CHARS),
    ];
    for (field, value, max) in words {
        if value.is_some_and(|value| value.is_empty() || value.len() > max) {
            problems.push(
                invalid(format!("The {field} is empty or too long."), &at(field))
                    .hint(format!("Write 1 to {max} characters.")),
            );
        }
    }
    if let Some(path) = item.mount_path.as_deref().filter(|path| !is_directory(path)) {
        problems.push(
            invalid(format!("{:?} is not a valid directory to mount at.", shorten(path)), &at("mountPath")).hint(
                "Write an absolute path of letters, digits, '.', '_', '-' and '/', without '//', '.' and '..', not ending with '/'.",
            ),
        );
    }
}

fn invalid(message: String, path: &str) -> Problem {
    Problem::error(reasons::INVALID, message).at(path)
}

fn is_directory(path: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let Some(below) = path.strip_prefix('/') else {
        return false;
    };
    path.len() <= MAX_PATH_CHARS
        && path.bytes().all(inner)
        && below.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
