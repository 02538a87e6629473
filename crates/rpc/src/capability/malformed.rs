//! Errors of messages, with the field.

use idp_core::names::is_label;
use serde_json::Value;

/// Why a message is malformed.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// A required field is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A text is not a valid object name.
    #[error("{field} is {name:?}, which is not a name of 1 to 63 lower-case letters, digits and '-'")]
    NoName {
        /// The field.
        field: String,
        /// The text, cut where it is long.
        name: String,
    },
    /// A number is not a TCP port.
    #[error("{field} is {port}, which is not a port from 1 to 65535")]
    NoPort {
        /// The field.
        field: String,
        /// The number.
        port: u32,
    },
    /// A field is not valid JSON.
    #[error("{field} is not JSON: {error}")]
    NotJson {
        /// The field.
        field: String,
        /// The parser's error; it does not quote the text.
        error: serde_json::Error,
    },
}

impl Malformed {
    pub(crate) fn missing(field: &str) -> Self {
        Self::Missing(field.to_owned())
    }

    /// The same error, of an item of a list.
    fn of(self, list: &str, index: usize) -> Self {
        let field = |field: String| format!("{list}[{index}].{field}");
        match self {
            Self::Missing(inner) => Self::Missing(field(inner)),
            Self::NoName { field: inner, name } => Self::NoName {
                field: field(inner),
                name,
            },
            Self::NoPort { field: inner, port } => Self::NoPort {
                field: field(inner),
                port,
            },
            Self::NotJson { field: inner, error } => Self::NotJson {
                field: field(inner),
                error,
            },
        }
    }
}

/// A field in JSON.
pub(crate) fn json(field: &str, text: &str) -> Result<Value, Malformed> {
    serde_json::from_str(text).map_err(|error| Malformed::NotJson {
        field: field.to_owned(),
        error,
    })
}

/// A required text.
pub(crate) fn some(field: &str, text: String) -> Result<String, Malformed> {
    if text.is_empty() {
        return Err(Malformed::missing(field));
    }
    Ok(text)
}

/// The name of an object: a DNS label of RFC 1123.
pub(crate) fn label(field: &str, text: String) -> Result<String, Malformed> {
    let text = some(field, text)?;
    if is_label(&text) {
        return Ok(text);
    }
    Err(Malformed::NoName {
        field: field.to_owned(),
        name: text.chars().take(100).collect(),
    })
}

/// Converts each item of a list.
pub(crate) fn all<A, B: TryFrom<A, Error = Malformed>>(
    list: &str,
    items: Vec<A>,
) -> Result<Vec<B>, Malformed> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| B::try_from(item).map_err(|malformed| malformed.of(list, index)))
        .collect()
}
