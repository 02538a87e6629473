//! The messages of problems: examples of `tests/golden`, and templates of the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use idp_core::Reason;
use syn::{
    Expr, ExprCall, ExprLit, ExprMacro, ExprMethodCall, Lit, LitStr, Pat,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// Folders whose files have expected problems as comments, most telling first.
const GOLDEN: [&str; 2] = ["tests/golden/expected", "tests/golden/supplied/expected"];
/// Examples a reason; more would not tell more.
const EXAMPLES: usize = 2;

/// A message or a hint of a problem, as its source has it.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// The source, within the repository.
    #[cfg_attr(not(test), allow(dead_code, reason = "shown where a test finds a fault"))]
    pub file: PathBuf,
    /// The reason's constant, such as `HOST_TAKEN`; absent for hints, and where the reason is computed.
    pub reason: Option<String>,
    pub text: String,
}

/// Messages by reason.
pub(super) struct Messages {
    examples: BTreeMap<String, Vec<String>>,
    templates: BTreeMap<String, BTreeSet<String>>,
}

impl Messages {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut templates = BTreeMap::<_, BTreeSet<_>>::new();
        for template in sources(root)? {
            if let Some(reason) = template.reason {
                let texts = templates.entry(folded(&reason)).or_default();
                texts.insert(template.text);
            }
        }
        Ok(Self {
            examples: examples(root)?,
            templates,
        })
    }

    /// The messages to show for a reason: examples, else templates.
    pub(super) fn of(&self, reason: &Reason) -> Vec<&str> {
        if let Some(examples) = self.examples.get(reason.name) {
            return examples.iter().take(EXAMPLES).map(String::as_str).collect();
        }
        let templates = self.templates.get(&folded(reason.name)).into_iter().flatten();
        templates.map(String::as_str).collect()
    }
}

/// `HOST_TAKEN` and `HostTaken` alike.
fn folded(reason: &str) -> String {
    reason.replace('_', "").to_lowercase()
}

/// The problems that golden files expect, by reason: `# error: PATH: MESSAGE (REASON). HINT`.
fn examples(root: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut examples = BTreeMap::<String, Vec<String>>::new();
    for folder in GOLDEN {
        for file in files(&root.join(folder), "yaml")? {
            let text = std::fs::read_to_string(&file)?;
            for line in text.lines() {
                let Some((reason, message)) = example(line) else {
                    continue;
                };
                let known = examples.entry(reason.to_owned()).or_default();
                if !known.contains(&message) {
                    known.push(message);
                }
            }
        }
    }
    Ok(examples)
}

/// Reason and message of one line.
fn example(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("# ")?;
    let (before, problem) = ["error: ", "warning: "]
        .iter()
        .find_map(|severity| line.split_once(severity))?;
    if !before.is_empty() && !before.ends_with(": ") {
        return None;
    }
    // Messages and hints may have parentheses too; the reason is the first that is one word in CamelCase.
    let (start, reason) = problem.match_indices(" (").find_map(|(at, _)| {
        let (word, _) = problem[at + 2..].split_once(')')?;
        is_reason(word).then_some((at, word))
    })?;
    Some((reason, format!("{}.", &problem[..start])))
}

/// Whether a text is one word in CamelCase.
fn is_reason(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_uppercase())
        && word.contains(|letter: char| letter.is_ascii_lowercase())
        && word.chars().all(|letter| letter.is_ascii_alphanumeric())
}

/// Every message and every hint of the workspace's sources, tests excluded.
pub(super) fn sources(root: &Path) -> Result<Vec<Template>> {
    let mut templates = Vec::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        for file in files(&entry?.path().join("src"), "rs")? {
            let text = std::fs::read_to_string(&file)?;
            let source =
                syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
            let mut finder = Finder {
                file: file.strip_prefix(root).unwrap_or(&file).to_owned(),
                lets: BTreeMap::new(),
                found: Vec::new(),
            };
            finder.visit_file(&source);
            templates.extend(finder.found);
        }
    }
    Ok(templates)
}

/// All files of a folder and the folders within, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Looks for `Problem::error(REASON, MESSAGE)`, `Problem::warning` and `.hint(HINT)`.
struct Finder {
    file: PathBuf,
    /// Texts that the function has named so far: `let message = format!(…);`.
    lets: BTreeMap<String, String>,
    found: Vec<Template>,
}

impl Finder {
    fn add(&mut self, reason: Option<String>, text: &Expr) {
        let text = match text {
            Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|name| self.lets.get(&name.to_string()).cloned()),
            other => literal(other),
        };
        if let Some(text) = text {
            self.found.push(Template {
                file: self.file.clone(),
                reason,
                text,
            });
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !tests_only(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let text = local.init.as_ref().and_then(|init| literal(&init.expr));
        if let (Pat::Ident(name), Some(text)) = (&local.pat, text) {
            self.lets.insert(name.ident.to_string(), text);
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func {
            let names: Vec<_> = function
                .path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect();
            let problem = names.ends_with(&["Problem".into(), "error".into()])
                || names.ends_with(&["Problem".into(), "warning".into()]);
            if problem && call.args.len() == 2 {
                let reason = match &call.args[0] {
                    Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
                    _ => None,
                };
                self.add(reason, &call.args[1]);
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "hint" && call.args.len() == 1 {
            self.add(None, &call.args[0]);
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Whether a module is for tests: `#[cfg(test)]`.
fn tests_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

/// The text of a literal or of a `format!`.
fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(text.value()),
        Expr::Macro(ExprMacro { mac, .. }) if mac.path.is_ident("format") => {
            let arguments = mac.parse_body_with(Punctuated::<Expr, syn::Token![,]>::parse_terminated);
            let text: LitStr = match arguments.ok()?.into_iter().next()? {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text), ..
                }) => text,
                _ => return None,
            };
            Some(placeholders(&text.value()))
        }
        Expr::MethodCall(call) if call.method == "to_owned" || call.method == "to_string" => {
            literal(&call.receiver)
        }
        Expr::Reference(reference) => literal(&reference.expr),
        _ => None,
    }
}

/// A format string for readers: `{name}` becomes `NAME`, and what has no name `…`.
fn placeholders(format: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        if let Some(after) = after.strip_prefix('{') {
            text.push('{');
            rest = after;
            continue;
        }
        let (inside, after) = after.split_once('}').unwrap_or((after, ""));
        let name = inside.split(':').next().unwrap_or_default();
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            text.push('…');
        } else {
            text += &name.to_uppercase();
        }
        rest = after;
    }
    (text + rest).replace("}}", "}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_lines_give_reason_and_message() {
        let line =
            "# shop: error: spec.a: No Secret (of the gateway): a (SecretMissing). Create it (or ask).";
        let message = "spec.a: No Secret (of the gateway): a.";
        assert_eq!(example(line), Some(("SecretMissing", message.to_owned())));
        let warning = example("# warning: Two (ReplicasRaised).");
        assert_eq!(warning, Some(("ReplicasRaised", "Two.".to_owned())));
        assert_eq!(example("# from the API server"), None);
    }

    #[test]
    fn placeholders_are_shown_by_name() {
        assert_eq!(placeholders("{kind} {:?} of {}: {{x}}"), "KIND … of …: {x}");
    }

    #[test]
    fn messages_are_found_where_they_are_named_before() {
        let source = r#"
            fn taken(host: &str) -> Problem {
                let message = format!("host {host} is taken");
                Problem::error(reasons::HOST_TAKEN, message).hint("Choose another.")
            }
            #[cfg(test)]
            mod tests { fn x() { Problem::warning(X, "never shown"); } }
        "#;
        let mut finder = Finder {
            file: PathBuf::new(),
            lets: BTreeMap::new(),
            found: Vec::new(),
        };
        finder.visit_file(&syn::parse_file(source).unwrap());
        let found: Vec<_> = finder.found.iter().map(|found| found.text.as_str()).collect();
        assert_eq!(found, ["Choose another.", "host HOST is taken"]);
        assert_eq!(finder.found[1].reason.as_deref(), Some("HOST_TAKEN"));
    }
}
