//! Templates of secrets: which of them are passed to External Secrets. Pure.
//!
//! External Secrets evaluates them inside its own process, with functions that read the cluster, query name servers, or
//! allocate gigabytes. So a template is parsed here first, and everything unknown is rejected. The accepted language is
//! regular on purpose: `platform/admission/external-secrets.yaml` enforces the same with one expression, for templates
//! that are not checked here.
//!
//! ```text
//! template = { text | "{{" value { "|" call } "}}" }      value = "." name | string | number | index . string | call
//! call     = function { argument }                        argument = "." name | string | number
//! ```

use idp_core::Reason;

use crate::reasons;

/// The allowed functions: each depends on its arguments alone, and returns no more than a few times their size.
///
/// Not `printf`, `repeat`, `indent`, `replace` and the like, whose result can be huge; nothing that reads the cluster, the
/// clock, randomness or the network; nothing slow, such as keys and password hashes.
pub const FUNCTIONS: [&str; 16] = [
    "b64dec",
    "b64enc",
    "default",
    "index",
    "join",
    "list",
    "lower",
    "quote",
    "squote",
    "toJson",
    "toString",
    "trim",
    "trimPrefix",
    "trimSuffix",
    "upper",
    "urlquery",
];

/// Longest template, in bytes.
const MAX_TEMPLATE_BYTES: usize = 4096;
/// Most calls in one action: quoting what is quoted doubles it each time.
const MAX_CALLS: usize = 2;
/// Most arguments of a function.
const MAX_ARGUMENTS: usize = 8;
/// Most actions of all templates of a secret: each may be as long as the longest value in a store.
pub(crate) const MAX_ACTIONS: usize = 64;
/// Most digits of a number.
const MAX_DIGITS: usize = 9;

/// Why a template is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It calls a function that is not in [`FUNCTIONS`].
    Function(String),
    /// Its syntax is invalid, or not allowed.
    Syntax(String),
}

impl Rejection {
    fn syntax(why: impl Into<String>) -> Self {
        Self::Syntax(why.into())
    }

    /// The error message, without a full stop.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Function(name) => format!("{name:?} is not a function that templates may call"),
            Self::Syntax(why) => why.clone(),
        }
    }

    /// The reason of the problem.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Function(_) => reasons::TEMPLATE_FUNCTION_NOT_ALLOWED,
            Self::Syntax(_) => reasons::TEMPLATE_INVALID,
        }
    }

    /// The hint of the problem.
    pub(crate) fn hint(&self) -> String {
        let functions = FUNCTIONS.join(", ");
        format!(
            "Write text, {{{{ .property }}}} and {{{{ .property | FUNCTION }}}}, where FUNCTION is one of {functions}. Let the \
             application compose values that need other functions."
        )
    }
}

/// Checks a template, and counts its actions.
pub(crate) fn check(template: &str) -> Result<usize, Rejection> {
    if template.len() > MAX_TEMPLATE_BYTES {
        return Err(Rejection::syntax(format!(
            "it has more than {MAX_TEMPLATE_BYTES} characters; mount the secret and compose the value in the application"
        )));
    }
    let (mut rest, mut actions) = (template, 0);
    while let Some((_, after)) = rest.split_once("{{") {
        // Strings cannot contain braces, so the next pair ends the action.
        let (inside, next) = after
            .split_once("}}")
            .ok_or_else(|| Rejection::syntax("\"{{\" has no \"}}\""))?;
        action(inside)?;
        actions += 1;
        rest = next;
    }
    Ok(actions)
}

/// One action, without its braces.
fn action(inside: &str) -> Result<(), Rejection> {
    let inside = trimmed(inside);
    // The function name first: an error in the arguments of a function that is not allowed is no help.
    let mut parts = pipeline(inside)
        .map_err(|rejection| {
            inside
                .split('|')
                .find_map(|part| unknown(part.trim()))
                .unwrap_or(rejection)
        })?
        .into_iter();
    let first = parts.next().unwrap_or_default();
    let mut calls = usize::from(first.call(true)?);
    for part in parts {
        if !part.call(false)? {
            return Err(Rejection::syntax("only a function is allowed after \"|\""));
        }
        calls += 1;
    }
    if calls > MAX_CALLS {
        return Err(Rejection::syntax(format!(
            "\"{{{{{inside}}}}}\" calls more than {MAX_CALLS} functions"
        )));
    }
    Ok(())
}

/// The function that a part of an action starts with, if it is not allowed.
fn unknown(inside: &str) -> Option<Rejection> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = inside.split(|c| !letter(c)).next()?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (is_name && !FUNCTIONS.contains(&name)).then(|| Rejection::Function(name.to_owned()))
}

/// Without Go's trim markers, `{{- … -}}`.
fn trimmed(inside: &str) -> &str {
    let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let inside = inside
        .strip_prefix('-')
        .filter(|rest| rest.starts_with(space))
        .unwrap_or(inside);
    let inside = inside
        .strip_suffix('-')
        .filter(|rest| rest.ends_with(space))
        .unwrap_or(inside);
    inside.trim_matches(space)
}

/// The words between two `|`.
#[derive(Default)]
struct Part<'a>(Vec<Word<'a>>);

/// A word of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'a> {
    /// `.name`
    Property,
    /// `.`: all properties; only `index` may take it.
    All,
    Text,
    Number,
    Name(&'a str),
}

impl Part<'_> {
    /// Whether it is a call; only the first part of an action may be a plain value.
    fn call(&self, first: bool) -> Result<bool, Rejection> {
        let Some((head, arguments)) = self.0.split_first() else {
            return Err(Rejection::syntax("an action is empty"));
        };
        let Word::Name(name) = head else {
            return match (head, arguments) {
                (Word::All, _) => Err(Rejection::syntax(
                    "\".\" alone means all properties: name one, as in .password",
                )),
                (_, []) if first => Ok(false),
                _ => Err(Rejection::syntax(
                    "values are next to each other: write a function before them",
                )),
            };
        };
        if !FUNCTIONS.contains(name) {
            return Err(Rejection::Function((*name).to_owned()));
        }
        if *name == "index" {
            return match arguments {
                [Word::All, Word::Text] if first => Ok(true),
                _ => Err(Rejection::syntax(
                    "index is for one property: {{ index . \"tls.crt\" }}",
                )),
            };
        }
        if arguments.len() > MAX_ARGUMENTS {
            return Err(Rejection::syntax(format!(
                "{name} has more than {MAX_ARGUMENTS} arguments"
            )));
        }
        for argument in arguments {
            match argument {
                Word::Property | Word::Text | Word::Number => {}
                Word::All => {
                    return Err(Rejection::syntax(
                        "\".\" alone means all properties: name one, as in .password",
                    ));
                }
                // Go would call it as well.
                Word::Name(other) if !FUNCTIONS.contains(other) => {
                    return Err(Rejection::Function((*other).to_owned()));
                }
                Word::Name(other) => {
                    return Err(Rejection::syntax(format!(
                        "{other} is an argument of {name}: write | {other}"
                    )));
                }
            }
        }
        Ok(true)
    }
}

/// The words of an action, separated by `|`.
fn pipeline(inside: &str) -> Result<Vec<Part<'_>>, Rejection> {
    let mut parts = vec![Part::default()];
    let mut rest = inside;
    // Go needs space between words, but not around a `|`.
    let mut apart = true;
    while let Some(c) = rest.chars().next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => {
                apart = true;
                rest = &rest[1..];
            }
            '|' => {
                parts.push(Part::default());
                apart = true;
                rest = &rest[1..];
            }
            _ if !apart => {
                return Err(Rejection::syntax(format!("a space is missing before {c:?}")));
            }
            _ => {
                let (word, after) = word(rest, c)?;
                if let Some(part) = parts.last_mut() {
                    part.0.push(word);
                }
                apart = false;
                rest = after;
            }
        }
    }
    Ok(parts)
}

fn word(rest: &str, first: char) -> Result<(Word<'_>, &str), Rejection> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = |of: &str| of.find(|c| !letter(c)).unwrap_or(of.len());
    match first {
        '"' => {
            let (text, after) = rest[1..]
                .split_once('"')
                .ok_or_else(|| Rejection::syntax("a string has no end"))?;
            if text.contains(['\\', '{', '}', '\n', '\r']) {
                return Err(Rejection::syntax(
                    "a string contains a backslash, a brace or a line break",
                ));
            }
            Ok((Word::Text, after))
        }
        '.' => {
            let (name, after) = rest[1..].split_at(end(&rest[1..]));
            match name.chars().next() {
                None => Ok((Word::All, after)),
                Some(c) if c.is_ascii_digit() => Err(Rejection::syntax(format!(
                    "\".{name}\" starts with a digit: write index . \"{name}\""
                ))),
                Some(_) => Ok((Word::Property, after)),
            }
        }
        c if c.is_ascii_digit() => {
            let (number, after) = rest.split_at(end(rest));
            if number.len() > MAX_DIGITS || !number.chars().all(|c| c.is_ascii_digit()) {
                return Err(Rejection::syntax(format!(
                    "{number} is not a whole number of up to {MAX_DIGITS} digits"
                )));
            }
            Ok((Word::Number, after))
        }
        c if letter(c) => {
            let (name, after) = rest.split_at(end(rest));
            Ok((Word::Name(name), after))
        }
        c => Err(Rejection::syntax(format!(
            "{c:?} is not allowed in templates of secrets: they have no variables, brackets, comments, conditions or loops"
        ))),
    }
}

#[cfg(test)]
mod tests;
