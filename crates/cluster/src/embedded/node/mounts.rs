//! Finding and unmounting mounts below a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::{UnmountFlags, unmount};

/// Mount points at or below `folder`, the deepest and latest first.
pub(crate) fn under(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(parse(
        &fs::read_to_string("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?,
        folder,
    ))
}

fn parse(mountinfo: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|field| PathBuf::from(unescape(field)))
        .filter(|path| path.starts_with(folder))
        .collect();
    found.reverse();
    found
}

/// The kernel escapes spaces, tabs, line breaks and backslashes of a path as octal numbers.
fn unescape(field: &str) -> String {
    field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

/// Unmounts everything at or below `folder`.
pub(crate) fn remove_under(folder: &Path) -> Result<()> {
    for path in under(folder)? {
        // Detached, so that a process with an open file cannot prevent it.
        unmount(&path, UnmountFlags::DETACH).with_context(|| format!("unmounting {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_the_folder_are_found_in_reverse_order() {
        let info = "1 0 0:1 / / rw - ext4 x rw\n\
                    2 1 0:2 / /a/b rw - tmpfs x rw\n\
                    3 2 0:3 / /a/b/c\\040d rw - tmpfs x rw\n\
                    4 1 0:4 / /a/bc rw - tmpfs x rw\n";
        assert_eq!(
            parse(info, Path::new("/a/b")),
            [Path::new("/a/b/c d"), Path::new("/a/b")]
        );
    }
}
