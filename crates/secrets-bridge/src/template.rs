//! Templates of secrets: which of them are handed to External Secrets. Pure.
//!
//! External Secrets evaluates them inside its own process, with functions that read the cluster, ask name servers, or
//! take gigabytes. So a template is read here first, and whatever this file does not know is refused. What it knows is
//! a regular language on purpose: `platform/admission/external-secrets.yaml` says the same in one expression, for
//! templates that never come by here.
//!
//! ```text
//! template = { text | "{{" value { "|" call } "}}" }      value = "." name | string | number | index . string | call
//! call     = function { argument }                        argument = "." name | string | number
//! ```

/// The functions: each depends on its arguments alone, and gives back no more than a few times what it gets.
///
/// Not `printf`, `repeat`, `indent`, `replace` and the like, which make much of little; nothing that reads the
/// cluster, the clock, chance or the network; nothing that takes long, such as keys and password hashes.
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

/// Longest template.
const LONGEST: usize = 4096;
/// Most calls in one action: quoting what is quoted doubles it each time.
const MOST_CALLS: usize = 2;
/// Most arguments of a function.
const MOST_ARGUMENTS: usize = 8;
/// Most actions of all templates of a secret: each may be as long as the longest value of a store.
pub(crate) const MOST_ACTIONS: usize = 64;
/// Most digits of a number.
const MOST_DIGITS: usize = 9;

/// Why a template is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It names a function that is not among [`FUNCTIONS`].
    Function(String),
    /// It is no template, or one of a kind that is not allowed.
    Syntax(String),
}

impl Flaw {
    fn syntax(why: impl Into<String>) -> Self {
        Self::Syntax(why.into())
    }

    /// What is wrong, as the end of a sentence about the template.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Function(name) => format!("{name:?} is not a function that templates may call"),
            Self::Syntax(why) => why.clone(),
        }
    }

    /// The reason of the problem.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Function(_) => "TemplateFunctionNotAllowed",
            Self::Syntax(_) => "TemplateInvalid",
        }
    }

    /// What to write instead.
    pub(crate) fn hint(&self) -> String {
        let functions = FUNCTIONS.join(", ");
        format!(
            "write text, {{{{ .property }}}} and {{{{ .property | FUNCTION }}}}; functions are {functions}. The list is \
             the same everywhere: let the application compose what needs another function"
        )
    }
}

/// Reads a template, and says how many actions it has.
pub(crate) fn check(template: &str) -> Result<usize, Flaw> {
    if template.len() > LONGEST {
        return Err(Flaw::syntax(format!(
            "it has more than {LONGEST} characters; mount the secret and compose it in the application"
        )));
    }
    let (mut rest, mut actions) = (template, 0);
    while let Some((_, after)) = rest.split_once("{{") {
        // As strings hold no braces, the next pair ends the action.
        let (inside, next) = after
            .split_once("}}")
            .ok_or_else(|| Flaw::syntax("\"{{\" has no \"}}\""))?;
        action(inside)?;
        actions += 1;
        rest = next;
    }
    Ok(actions)
}

/// One action, without its braces.
fn action(inside: &str) -> Result<(), Flaw> {
    let inside = trimmed(inside);
    // The name first: what is wrong with the arguments of a function that nobody may call is no help.
    let mut parts = pipeline(inside)
        .map_err(|flaw| {
            inside
                .split('|')
                .find_map(|part| unknown(part.trim()))
                .unwrap_or(flaw)
        })?
        .into_iter();
    let first = parts.next().unwrap_or_default();
    let mut calls = usize::from(first.call(true)?);
    for part in parts {
        if !part.call(false)? {
            return Err(Flaw::syntax("only a function can stand after \"|\""));
        }
        calls += 1;
    }
    if calls > MOST_CALLS {
        return Err(Flaw::syntax(format!(
            "\"{{{{{inside}}}}}\" calls more than {MOST_CALLS} functions"
        )));
    }
    Ok(())
}

/// The function that a part of an action begins with, if it is none of ours.
fn unknown(inside: &str) -> Option<Flaw> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = inside.split(|c| !letter(c)).next()?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (is_name && !FUNCTIONS.contains(&name)).then(|| Flaw::Function(name.to_owned()))
}

/// Without the marks that take away the space around an action, as Go knows them: `{{- … -}}`.
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
    /// `.`: all properties, which only `index` may take.
    All,
    Text,
    Number,
    Name(&'a str),
}

impl Part<'_> {
    /// Whether it is a call; a value that is none may only be the first of an action.
    fn call(&self, first: bool) -> Result<bool, Flaw> {
        let Some((head, arguments)) = self.0.split_first() else {
            return Err(Flaw::syntax("an action is empty"));
        };
        let Word::Name(name) = head else {
            return match (head, arguments) {
                (Word::All, _) => Err(Flaw::syntax(
                    "\".\" alone is every property: name one, as in .password",
                )),
                (_, []) if first => Ok(false),
                _ => Err(Flaw::syntax(
                    "values stand beside each other: write a function before them",
                )),
            };
        };
        if !FUNCTIONS.contains(name) {
            return Err(Flaw::Function((*name).to_owned()));
        }
        if *name == "index" {
            return match arguments {
                [Word::All, Word::Text] if first => Ok(true),
                _ => Err(Flaw::syntax(
                    "index is for one property: {{ index . \"tls.crt\" }}",
                )),
            };
        }
        if arguments.len() > MOST_ARGUMENTS {
            return Err(Flaw::syntax(format!(
                "{name} has more than {MOST_ARGUMENTS} arguments"
            )));
        }
        for argument in arguments {
            match argument {
                Word::Property | Word::Text | Word::Number => {}
                Word::All => {
                    return Err(Flaw::syntax(
                        "\".\" alone is every property: name one, as in .password",
                    ));
                }
                // Known or not, it would be called.
                Word::Name(other) if !FUNCTIONS.contains(other) => {
                    return Err(Flaw::Function((*other).to_owned()));
                }
                Word::Name(other) => {
                    return Err(Flaw::syntax(format!(
                        "{other} stands among the arguments of {name}: write | {other}"
                    )));
                }
            }
        }
        Ok(true)
    }
}

/// The words of an action, parted by `|`.
fn pipeline(inside: &str) -> Result<Vec<Part<'_>>, Flaw> {
    let mut parts = vec![Part::default()];
    let mut rest = inside;
    // Go wants space between words, and none around a `|`.
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
                return Err(Flaw::syntax(format!("a space is missing before {c:?}")));
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

fn word(rest: &str, first: char) -> Result<(Word<'_>, &str), Flaw> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = |of: &str| of.find(|c| !letter(c)).unwrap_or(of.len());
    match first {
        '"' => {
            let (text, after) = rest[1..]
                .split_once('"')
                .ok_or_else(|| Flaw::syntax("a string has no end"))?;
            if text.contains(['\\', '{', '}', '\n', '\r']) {
                return Err(Flaw::syntax(
                    "a string holds a backslash, a brace or a line break",
                ));
            }
            Ok((Word::Text, after))
        }
        '.' => {
            let (name, after) = rest[1..].split_at(end(&rest[1..]));
            match name.chars().next() {
                None => Ok((Word::All, after)),
                Some(c) if c.is_ascii_digit() => Err(Flaw::syntax(format!(
                    "\".{name}\" begins with a digit: write index . \"{name}\""
                ))),
                Some(_) => Ok((Word::Property, after)),
            }
        }
        c if c.is_ascii_digit() => {
            let (number, after) = rest.split_at(end(rest));
            if number.len() > MOST_DIGITS || !number.chars().all(|c| c.is_ascii_digit()) {
                return Err(Flaw::syntax(format!(
                    "{number} is no whole number of up to {MOST_DIGITS} digits"
                )));
            }
            Ok((Word::Number, after))
        }
        c if letter(c) => {
            let (name, after) = rest.split_at(end(rest));
            Ok((Word::Name(name), after))
        }
        c => Err(Flaw::syntax(format!(
            "{c:?} is not for templates of secrets: they have no variables, brackets, comments, conditions or loops"
        ))),
    }
}

#[cfg(test)]
mod tests;
