//! What a contract says, as a flat list of facts: easy to compare, and to read in a review.

use std::{collections::BTreeMap, fmt};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

/// Facts by what they are about: `field idp.x.v1.A#1` says `name, string, optional`.
///
/// Fields and values of enums are told apart by number, as the wire does. Their names count as well: the JSON form and
/// generated code know them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Of the files of one package.
    pub(crate) fn of(descriptors: &[u8], package: &str) -> Self {
        Self::of_set(&FileDescriptorSet::decode(descriptors).unwrap(), package)
    }

    pub(crate) fn of_set(set: &FileDescriptorSet, package: &str) -> Self {
        let mut facts = Self::default();
        for file in set.file.iter().filter(|file| file.package() == package) {
            file.message_type
                .iter()
                .for_each(|message| facts.message(package, message));
            file.enum_type
                .iter()
                .for_each(|values| facts.enumeration(package, values));
            file.service
                .iter()
                .for_each(|service| facts.service(package, service));
        }
        assert!(!facts.0.is_empty(), "there is no package {package}");
        facts
    }

    fn add(&mut self, about: String, says: String) {
        let twice = self.0.insert(about, says);
        assert_eq!(twice, None);
    }

    fn message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        self.add(format!("message {name}"), String::new());
        for field in &message.field {
            let says = field_says(message, field);
            self.add(format!("field {name}#{}", field.number()), says);
        }
        for inner in &message.nested_type {
            self.message(&name, inner);
        }
        for inner in &message.enum_type {
            self.enumeration(&name, inner);
        }
    }

    fn enumeration(&mut self, scope: &str, values: &EnumDescriptorProto) {
        let name = format!("{scope}.{}", values.name());
        self.add(format!("enum {name}"), String::new());
        for value in &values.value {
            self.add(
                format!("value {name}#{}", value.number()),
                value.name().to_owned(),
            );
        }
    }

    fn service(&mut self, scope: &str, service: &ServiceDescriptorProto) {
        let name = format!("{scope}.{}", service.name());
        self.add(format!("service {name}"), String::new());
        for method in &service.method {
            let stream = |is: bool| if is { "stream " } else { "" };
            self.add(
                format!("method {name}/{}", method.name()),
                format!(
                    "{}{} -> {}{}",
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type(),
                ),
            );
        }
    }

    /// What of these facts does not hold any more. Facts that were added break nothing.
    pub(crate) fn broken_by(&self, now: &Self) -> Vec<String> {
        let broken = self.0.iter().filter_map(|(about, says)| match now.0.get(about) {
            None => Some(format!("{about} ({says}) is gone")),
            Some(new) if new != says => Some(format!("{about} was: {says}; is: {new}")),
            Some(_) => None,
        });
        broken.collect()
    }

    /// What is new.
    pub(crate) fn not_in(&self, released: &Self) -> Vec<String> {
        let new = self
            .0
            .iter()
            .filter(|(about, _)| !released.0.contains_key(*about));
        new.map(|(about, says)| format!("{about}: {says}")).collect()
    }

    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Self {
        let facts = text.lines().map(|line| {
            let (about, says) = line.split_once(':').expect("every line is a fact");
            (about.to_owned(), says.trim_start().to_owned())
        });
        Self(facts.collect())
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (about, says) in &self.0 {
            writeln!(f, "{}", format!("{about}: {says}").trim_end())?;
        }
        Ok(())
    }
}

fn field_says(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum | Type::Group => field.type_name().to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    let label = match field.label() {
        Label::Repeated => "repeated",
        Label::Required => "required",
        // `optional` in proto3 is a oneof that the compiler makes; what it means is that absence can be told.
        Label::Optional if field.proto3_optional() => "optional, presence",
        Label::Optional => "optional",
    };
    let oneof = field
        .oneof_index
        .filter(|_| !field.proto3_optional())
        .map(|index| {
            let oneof = usize::try_from(index)
                .ok()
                .map(|index| &message.oneof_decl[index]);
            format!(", of {}", oneof.map_or("", |oneof| oneof.name()))
        });
    format!("{}, {kind}, {label}{}", field.name(), oneof.unwrap_or_default())
}
