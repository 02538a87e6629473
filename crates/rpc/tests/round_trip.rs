//! Whatever a capability is asked and answers arrives as it was sent, through the bytes of the wire.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

use idp_core::{
    Problem, Severity,
    capability::{
        Binding, Description, Egress, EgressPeer, EnvFrom, EnvSource, KeyRef, Mount, MountSource,
        SectionPlan, SectionRequest, ValueFrom,
    },
};
use idp_rpc::proto::capability as wire;
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
};
use prost::Message;
use serde_json::Value;

/// Any text, with all that JSON and protobuf must escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9.-]{1,63}",
        Just("\u{0}\"\\\n\u{1F680}".to_owned())
    ]
}

/// A text that must not be empty.
fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

/// Any JSON. Fractions are those that people write: serde_json reads others as their neighbour at times, and the API
/// server has its own ways with them.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(text(), inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = KeyRef> {
    (text(), text(), any::<bool>()).prop_map(|(name, key, optional)| KeyRef { name, key, optional })
}

fn variable() -> impl Strategy<Value = EnvSource> {
    let from = prop_oneof![
        text().prop_map(ValueFrom::Literal),
        key().prop_map(ValueFrom::Secret),
        key().prop_map(ValueFrom::ConfigMap),
    ];
    (name(), from).prop_map(|(name, from)| EnvSource { name, from })
}

fn mount() -> impl Strategy<Value = Mount> {
    let source = prop_oneof![
        text().prop_map(MountSource::Secret),
        text().prop_map(MountSource::ConfigMap),
        text().prop_map(MountSource::Claim),
    ];
    (name(), name(), source, any::<bool>()).prop_map(|(name, path, source, read_only)| Mount {
        name,
        path,
        source,
        read_only,
    })
}

fn egress() -> impl Strategy<Value = Egress> {
    let to = prop_oneof![
        (name(), btree_map(text(), text(), 1..4))
            .prop_map(|(namespace, labels)| EgressPeer::Pods { namespace, labels }),
        name().prop_map(EgressPeer::Host),
        name().prop_map(EgressPeer::Range),
    ];
    (to, vec(1..=u16::MAX, 1..4)).prop_map(|(to, ports)| Egress { to, ports })
}

fn problem() -> impl Strategy<Value = Problem> {
    let severity = prop_oneof![Just(Severity::Warning), Just(Severity::Error)];
    // An empty path or hint is none, on the wire and to people.
    (severity, text(), option::of(name()), text(), option::of(name())).prop_map(
        |(severity, reason, path, message, hint)| Problem {
            severity,
            reason,
            path,
            message,
            hint,
        },
    )
}

fn plan() -> impl Strategy<Value = SectionPlan> {
    let label = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
    let binding = (name(), label, json()).prop_map(|(kind, name, spec)| Binding { kind, name, spec });
    let env_from = (name(), text()).prop_map(|(secret, prefix)| EnvFrom { secret, prefix });
    (
        vec(binding, 0..4),
        vec(variable(), 0..4),
        vec(env_from, 0..4),
        vec(mount(), 0..4),
        vec(egress(), 0..4),
        vec(problem(), 0..4),
        btree_map(text(), text(), 0..4),
    )
        .prop_map(
            |(bindings, env, env_from, mounts, egress, problems, outputs)| SectionPlan {
                bindings,
                env,
                env_from,
                mounts,
                egress,
                problems,
                outputs,
            },
        )
}

fn request() -> impl Strategy<Value = SectionRequest> {
    (name(), name(), text(), json(), json(), name()).prop_map(
        |(namespace, application, environment, environment_spec, section, path)| SectionRequest {
            namespace,
            application,
            environment,
            environment_spec,
            section,
            path,
        },
    )
}

/// Through the bytes.
fn sent<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

proptest! {
    #[test]
    fn requests_arrive_as_they_were_sent(request in request()) {
        let arrived = SectionRequest::try_from(sent(&wire::PlanRequest::from(&request))).unwrap();
        prop_assert_eq!(arrived, request);
    }

    #[test]
    fn plans_arrive_as_they_were_sent(plan in plan()) {
        let arrived = SectionPlan::try_from(sent(&wire::PlanResponse::from(plan.clone()))).unwrap();
        prop_assert_eq!(arrived, plan);
    }

    #[test]
    fn descriptions_arrive_as_they_were_sent(name in name(), version in text(), section_schema in json()) {
        let description = Description { name, version, section_schema };
        let arrived = Description::try_from(sent(&wire::DescribeResponse::from(description.clone()))).unwrap();
        prop_assert_eq!(arrived, description);
    }

    /// Whatever bytes come, they are understood or refused; nothing panics.
    #[test]
    fn nonsense_is_refused(bytes in vec(any::<u8>(), 0..256)) {
        let _ = wire::PlanRequest::decode(bytes.as_slice()).map(SectionRequest::try_from);
        let _ = wire::PlanResponse::decode(bytes.as_slice()).map(SectionPlan::try_from);
        let _ = wire::DescribeResponse::decode(bytes.as_slice()).map(Description::try_from);
    }
}
