//! Configuration files.

use idp_api::web_application::ConfigFile;
use idp_core::Problem;

use super::findings::Findings;
use crate::reasons;

/// Most bytes of all files together. The schema has the same bound in characters; a controller keeps every application
/// in memory, so that one of 1.5 MB, which an API server takes, would be a burden to all.
const MOST_BYTES: usize = 256 * 1024;

/// Directories of the kernel, and the one that is a volume already.
pub(super) const RESERVED: [&str; 4] = ["/proc", "/sys", "/dev", "/tmp"];

/// The files, sorted by path.
pub(super) fn config_files(written: &[ConfigFile], findings: &mut Findings) -> Vec<ConfigFile> {
    let total: usize = written.iter().map(|file| file.content.len()).sum();
    if total > MOST_BYTES {
        findings.add(
            Problem::error(
                reasons::CONFIG_TOO_LARGE,
                format!("the files have {total} bytes together, {MOST_BYTES} at most fit"),
            )
            .at("spec.configFiles")
            .hint("put large files into the image, or into a bucket"),
        );
    }
    let at = |index: usize| format!("spec.configFiles[{index}].path");
    findings.unique(written.iter().map(|file| &file.path), at, "file");
    for (index, file) in written.iter().enumerate() {
        if let Some(problem) = path_problem(&file.path, written) {
            findings.add(problem.at(at(index)));
        }
    }
    let mut files = written.to_vec();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn path_problem(path: &str, all: &[ConfigFile]) -> Option<Problem> {
    let mut segments = path.split('/').skip(1);
    if !path.starts_with('/') || segments.any(|segment| matches!(segment, "" | "." | "..")) {
        let message = format!("{path} is not a plain absolute path");
        return Some(
            Problem::error(reasons::INVALID_SPEC, message).hint("write it like /etc/app/config.yaml"),
        );
    }
    if let Some(reserved) = RESERVED
        .iter()
        .find(|dir| path == **dir || (**dir != "/tmp" && is_below(path, dir)))
    {
        let message = format!("{path} cannot be a file: {reserved} is not the application's to fill");
        return Some(
            Problem::error(reasons::CONFIG_PATH_NOT_ALLOWED, message)
                .hint("write a path such as /etc/app/config.yaml"),
        );
    }
    let child = all.iter().find(|other| is_below(&other.path, path))?;
    let message = format!(
        "{path} cannot be a file and the directory of {} at once",
        child.path
    );
    Some(Problem::error(reasons::CONFIG_PATH_NOT_ALLOWED, message).hint("move one of the two"))
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}
