//! Parses JSON of any depth and drops the levels that are too deep.

use std::{cell::RefCell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// How many names of a path are shown.
const SHOWN_NAMES: usize = 4;

/// Parses one value. Dropped levels are skipped without recursion, however deep they are.
pub(super) struct Cutting<'a> {
    levels: usize,
    depth: usize,
    cut: &'a RefCell<Cut>,
}

#[derive(Default)]
struct Cut {
    /// The first place, from its end to its beginning.
    path: Vec<String>,
    found: bool,
    /// The depth that the path has reached on its way up, until it is complete.
    at: Option<usize>,
}

impl Cutting<'_> {
    /// A value and, where something was cut off, where.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        levels: usize,
    ) -> Result<(Value, Option<String>), D::Error> {
        let cut = RefCell::new(Cut::default());
        let seed = Cutting {
            levels,
            depth: 0,
            cut: &cut,
        };
        let value = seed.deserialize(deserializer)?;
        let cut = cut.into_inner();
        Ok((value, cut.found.then(|| cut.shown())))
    }

    fn below(&self) -> Self {
        Self {
            levels: self.levels,
            depth: self.depth + 1,
            cut: self.cut,
        }
    }

    /// Adds a name to the path of the place that was cut off.
    fn passed(&self, name: impl FnOnce() -> String) {
        let mut cut = self.cut.borrow_mut();
        // Later siblings are not part of the path.
        if cut.at == Some(self.depth + 1) {
            cut.path.push(name());
            cut.at = (self.depth > 0).then_some(self.depth);
        }
    }

    fn forget(&self) {
        *self.cut.borrow_mut() = Cut::default();
    }
}

impl Cut {
    fn shown(&self) -> String {
        let mut shown = String::new();
        for name in self.path.iter().rev().take(SHOWN_NAMES) {
            if !shown.is_empty() && !name.starts_with('[') {
                shown.push('.');
            }
            shown.push_str(name);
        }
        if self.path.len() > SHOWN_NAMES {
            shown.push('…');
        }
        shown
    }
}

impl<'de> DeserializeSeed<'de> for Cutting<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth < self.levels {
            return deserializer.deserialize_any(self);
        }
        deserializer.deserialize_ignored_any(IgnoredAny)?;
        let mut cut = self.cut.borrow_mut();
        if !cut.found {
            (cut.found, cut.at) = (true, Some(self.depth));
        }
        Ok(Value::Null)
    }
}

impl<'de> Visitor<'de> for Cutting<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = elements.next_element_seed(self.below())? {
            self.passed(|| format!("[{}]", all.len()));
            all.push(element);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.below())?;
            self.passed(|| name.clone());
            if self.depth == 0 && name == "metadata" {
                // Managed fields are a few levels deeper than the fields that they manage; no user wrote them.
                self.forget();
            }
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}
