//! Configuration files.

use idp_api::web_application::ConfigFile;
use idp_core::Problem;

use super::findings::Findings;
use crate::reasons;

/// Maximum bytes of all files together. The schema has the same bound in characters. The controller keeps every application
/// in memory, so the 1.5 MB that an API server accepts would be too much.
const MAX_BYTES: usize = 256 * 1024;

/// Directories of the kernel, and `/tmp`, which is a volume already.
pub(super) const RESERVED: [&str; 4] = ["/proc", "/sys", "/dev", "/tmp"];

/// The files, sorted by path.
pub(super) fn config_files(written: &[ConfigFile], findings: &mut Findings) -> Vec<ConfigFile> {
    let total: usize = written.iter().map(|file| file.content.len()).sum();
    if total > MAX_BYTES {
        findings.add(
            Problem::error(
                reasons::CONFIG_TOO_LARGE,
                format!("The files have {total} bytes together. The maximum is {MAX_BYTES}."),
            )
            .at("spec.configFiles"),
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
        let message = format!("{path} is not a plain absolute path.");
        return Some(
            Problem::error(reasons::INVALID_SPEC, message).hint("Use a path such as /etc/app/config.yaml."),
        );
    }
    if let Some(reserved) = RESERVED
        .iter()
        .find(|dir| path == **dir || (**dir != "/tmp" && is_below(path, dir)))
    {
        let message = format!("{path} cannot be a file: {reserved} is reserved.");
        return Some(Problem::error(reasons::CONFIG_PATH_NOT_ALLOWED, message));
    }
    let child = all.iter().find(|other| is_below(&other.path, path))?;
    let message = format!(
        "{path} cannot be both a file and the directory of {}.",
        child.path
    );
    Some(Problem::error(reasons::CONFIG_PATH_NOT_ALLOWED, message).hint("Move one of the two files."))
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}
