//! The comparison itself: each kind of break is found, and an addition is none.

use prost_types::FileDescriptorSet;

use crate::facts::Facts;

const RELEASED: &str = r#"
syntax = "proto3";
package x.v1;
service S {
  rpc Get(A) returns (B);
  rpc List(A) returns (stream B);
}
message A {
  string name = 1;
  repeated int32 sizes = 2;
  oneof source {
    string file = 3;
    string url = 4;
  }
  map<string, string> labels = 5;
  optional string note = 6;
  B inner = 7;
  Color color = 8;
  message Deep { string text = 1; }
}
message B { bool ok = 1; }
enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }
"#;

fn compile(text: &str) -> FileDescriptorSet {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.proto"), text).unwrap();
    protox::compile(["x.proto"], [folder.path()]).unwrap()
}

/// What breaks when this is written instead of that.
fn breaks(changes: &[(&str, &str)]) -> Vec<String> {
    let mut text = RELEASED.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    let released = Facts::of_set(&compile(RELEASED), "x.v1");
    released.broken_by(&Facts::of_set(&compile(&text), "x.v1"))
}

#[track_caller]
fn is_broken(old: &str, new: &str, about: &str) {
    let breaks = breaks(&[(old, new)]);
    assert!(
        breaks.iter().any(|text| text.contains(about)),
        "{old} -> {new}: {breaks:?}"
    );
}

#[test]
fn fields_stay() {
    is_broken(
        "string name = 1;",
        "",
        "field x.v1.A#1 (name, string, optional) is gone",
    );
    is_broken("string name = 1;", "reserved 1;", "field x.v1.A#1");
    is_broken("string name = 1;", "string name = 9;", "field x.v1.A#1");
    is_broken("string name = 1;", "string title = 1;", "field x.v1.A#1");
    is_broken("{ string text = 1; }", "{}", "field x.v1.A.Deep#1");
}

#[test]
fn fields_keep_their_types() {
    is_broken(
        "string name = 1;",
        "bytes name = 1;",
        "was: name, string, optional; is: name, bytes",
    );
    is_broken("repeated int32 sizes", "repeated int64 sizes", "field x.v1.A#2");
    is_broken("B inner = 7;", "Deep inner = 7;", "field x.v1.A#7");
    is_broken("Color color = 8;", "int32 color = 8;", "field x.v1.A#8");
    is_broken(
        "map<string, string>",
        "map<string, int32>",
        "field x.v1.A.LabelsEntry#2",
    );
}

#[test]
fn fields_keep_their_labels() {
    is_broken("repeated int32 sizes", "int32 sizes", "field x.v1.A#2");
    is_broken("string name = 1;", "repeated string name = 1;", "field x.v1.A#1");
    is_broken("optional string note", "string note", "field x.v1.A#6");
    is_broken("string name = 1;", "optional string name = 1;", "field x.v1.A#1");
}

#[test]
fn fields_stay_in_their_oneofs() {
    is_broken(
        "oneof source {\n    string file = 3;",
        "string file = 3;\n  oneof source {",
        "field x.v1.A#3",
    );
    is_broken(
        "string name = 1;\n  repeated int32 sizes = 2;\n  oneof source {",
        "repeated int32 sizes = 2;\n  oneof source {\n    string name = 1;",
        "field x.v1.A#1",
    );
    is_broken("oneof source", "oneof origin", "field x.v1.A#3");
}

#[test]
fn methods_stay() {
    is_broken(
        "  rpc Get(A) returns (B);\n",
        "",
        "method x.v1.S/Get (.x.v1.A -> .x.v1.B) is gone",
    );
    is_broken("rpc Get", "rpc Fetch", "method x.v1.S/Get");
    is_broken("rpc Get(A)", "rpc Get(B)", "method x.v1.S/Get");
    is_broken(
        "rpc Get(A) returns (B)",
        "rpc Get(A) returns (A)",
        "method x.v1.S/Get",
    );
    is_broken("service S", "service T", "service x.v1.S");
}

#[test]
fn streams_stay_streams() {
    is_broken("returns (stream B)", "returns (B)", "method x.v1.S/List");
    is_broken(
        "rpc Get(A) returns (B)",
        "rpc Get(A) returns (stream B)",
        "method x.v1.S/Get",
    );
    is_broken("rpc Get(A)", "rpc Get(stream A)", "method x.v1.S/Get");
}

#[test]
fn values_of_enums_stay() {
    is_broken(" COLOR_RED = 1;", "", "value x.v1.Color#1 (COLOR_RED) is gone");
    is_broken("COLOR_RED = 1", "COLOR_RED = 2", "value x.v1.Color#1");
    is_broken("COLOR_RED = 1", "COLOR_PINK = 1", "value x.v1.Color#1");
}

#[test]
fn messages_and_enums_stay() {
    let without_enum = breaks(&[
        ("Color color = 8;", ""),
        ("enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }", ""),
    ]);
    assert!(
        without_enum
            .iter()
            .any(|text| text.starts_with("enum x.v1.Color")),
        "{without_enum:?}"
    );
    is_broken("message Deep { string text = 1; }", "", "message x.v1.A.Deep");
}

#[test]
fn additions_break_nothing() {
    for (old, new) in [
        (
            "string name = 1;",
            "string name = 1; string title = 9; reserved 10;",
        ),
        ("string url = 4;", "string url = 4; string image = 9;"),
        ("COLOR_RED = 1;", "COLOR_RED = 1; COLOR_BLUE = 2;"),
        ("rpc Get(A)", "rpc Put(A) returns (B); rpc Get(A)"),
        (
            "message B",
            "message C { B b = 1; } enum D { D_UNSPECIFIED = 0; } service T {} message B",
        ),
        (
            "string name = 1;",
            "// Another comment.\n string name = 1 [deprecated = true];",
        ),
    ] {
        assert_eq!(breaks(&[(old, new)]), [""; 0], "{old} -> {new}");
    }
}

#[test]
fn what_is_written_is_read() {
    let facts = Facts::of_set(&compile(RELEASED), "x.v1");
    assert_eq!(Facts::parse(&facts.to_string()), facts);
    let more = RELEASED.replace("string name = 1;", "string name = 1; bool new = 9;");
    let more = Facts::of_set(&compile(&more), "x.v1");
    assert_eq!(more.not_in(&facts), ["field x.v1.A#9: new, bool, optional"]);
}
