//! Conversions between the generated types and those of `idp-core`.

use idp_core::{
    Problem, Severity,
    capability::{
        Binding, Description, Egress, EgressPeer, EnvFrom, EnvSource, KeyRef, Mount, MountSource,
        SectionPlan, SectionRequest, ValueFrom,
    },
};

use super::malformed::{Malformed, all, json, label, some};
use crate::proto::capability as wire;

impl From<&SectionRequest> for wire::PlanRequest {
    fn from(request: &SectionRequest) -> Self {
        Self {
            application: Some(wire::Application {
                namespace: request.namespace.clone(),
                name: request.application.clone(),
            }),
            environment: Some(wire::Environment {
                name: request.environment.clone(),
                spec: request.environment_spec.to_string(),
            }),
            section: request.section.to_string(),
            section_path: request.path.clone(),
        }
    }
}

impl TryFrom<wire::PlanRequest> for SectionRequest {
    type Error = Malformed;

    fn try_from(request: wire::PlanRequest) -> Result<Self, Malformed> {
        let application = request.application;
        let application = application.ok_or_else(|| Malformed::missing("application"))?;
        let environment = request.environment;
        let environment = environment.ok_or_else(|| Malformed::missing("environment"))?;
        Ok(Self {
            namespace: some("application.namespace", application.namespace)?,
            application: some("application.name", application.name)?,
            environment: environment.name,
            environment_spec: json("environment.spec", &environment.spec)?,
            section: json("section", &request.section)?,
            path: some("section_path", request.section_path)?,
        })
    }
}

impl From<SectionPlan> for wire::PlanResponse {
    fn from(plan: SectionPlan) -> Self {
        Self {
            bindings: plan.bindings.into_iter().map(Into::into).collect(),
            env: plan.env.into_iter().map(Into::into).collect(),
            env_from: plan.env_from.into_iter().map(Into::into).collect(),
            mounts: plan.mounts.into_iter().map(Into::into).collect(),
            problems: plan.problems.into_iter().map(Into::into).collect(),
            outputs: plan.outputs,
            egress: plan.egress.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::PlanResponse> for SectionPlan {
    type Error = Malformed;

    fn try_from(answer: wire::PlanResponse) -> Result<Self, Malformed> {
        Ok(Self {
            bindings: all("bindings", answer.bindings)?,
            env: all("env", answer.env)?,
            env_from: all("env_from", answer.env_from)?,
            mounts: all("mounts", answer.mounts)?,
            egress: all("egress", answer.egress)?,
            problems: answer.problems.into_iter().map(Into::into).collect(),
            outputs: answer.outputs,
        })
    }
}

impl From<Binding> for wire::Binding {
    fn from(binding: Binding) -> Self {
        Self {
            kind: binding.kind,
            name: binding.name,
            spec: binding.spec.to_string(),
        }
    }
}

impl TryFrom<wire::Binding> for Binding {
    type Error = Malformed;

    fn try_from(binding: wire::Binding) -> Result<Self, Malformed> {
        Ok(Self {
            kind: some("kind", binding.kind)?,
            name: label("name", binding.name)?,
            spec: json("spec", &binding.spec)?,
        })
    }
}

impl From<KeyRef> for wire::KeyRef {
    fn from(key: KeyRef) -> Self {
        Self {
            name: key.name,
            key: key.key,
            optional: key.optional,
        }
    }
}

impl From<wire::KeyRef> for KeyRef {
    fn from(key: wire::KeyRef) -> Self {
        Self {
            name: key.name,
            key: key.key,
            optional: key.optional,
        }
    }
}

impl From<EnvSource> for wire::EnvVar {
    fn from(variable: EnvSource) -> Self {
        use wire::env_var::Source;
        Self {
            name: variable.name,
            source: Some(match variable.from {
                ValueFrom::Literal(value) => Source::Value(value),
                ValueFrom::Secret(key) => Source::SecretKey(key.into()),
                ValueFrom::ConfigMap(key) => Source::ConfigMapKey(key.into()),
            }),
        }
    }
}

impl TryFrom<wire::EnvVar> for EnvSource {
    type Error = Malformed;

    fn try_from(variable: wire::EnvVar) -> Result<Self, Malformed> {
        use wire::env_var::Source;
        Ok(Self {
            name: some("name", variable.name)?,
            from: match variable.source.ok_or_else(|| Malformed::missing("source"))? {
                Source::Value(value) => ValueFrom::Literal(value),
                Source::SecretKey(key) => ValueFrom::Secret(key.into()),
                Source::ConfigMapKey(key) => ValueFrom::ConfigMap(key.into()),
            },
        })
    }
}

impl From<EnvFrom> for wire::EnvFrom {
    fn from(from: EnvFrom) -> Self {
        Self {
            secret: from.secret,
            prefix: from.prefix,
        }
    }
}

impl TryFrom<wire::EnvFrom> for EnvFrom {
    type Error = Malformed;

    fn try_from(from: wire::EnvFrom) -> Result<Self, Malformed> {
        Ok(Self {
            secret: some("secret", from.secret)?,
            prefix: from.prefix,
        })
    }
}

impl From<Mount> for wire::Mount {
    fn from(mount: Mount) -> Self {
        use wire::mount::Source;
        Self {
            name: mount.name,
            path: mount.path,
            source: Some(match mount.source {
                MountSource::Secret(name) => Source::Secret(name),
                MountSource::ConfigMap(name) => Source::ConfigMap(name),
                MountSource::Claim(name) => Source::PersistentVolumeClaim(name),
            }),
            read_only: mount.read_only,
        }
    }
}

impl TryFrom<wire::Mount> for Mount {
    type Error = Malformed;

    fn try_from(mount: wire::Mount) -> Result<Self, Malformed> {
        use wire::mount::Source;
        Ok(Self {
            name: some("name", mount.name)?,
            path: some("path", mount.path)?,
            source: match mount.source.ok_or_else(|| Malformed::missing("source"))? {
                Source::Secret(name) => MountSource::Secret(name),
                Source::ConfigMap(name) => MountSource::ConfigMap(name),
                Source::PersistentVolumeClaim(name) => MountSource::Claim(name),
            },
            read_only: mount.read_only,
        })
    }
}

impl From<Egress> for wire::Egress {
    fn from(egress: Egress) -> Self {
        use wire::egress::To;
        Self {
            to: Some(match egress.to {
                EgressPeer::Pods { namespace, labels } => To::Pods(wire::PodSet { namespace, labels }),
                EgressPeer::Host(host) => To::Host(host),
                EgressPeer::Range(range) => To::Range(range),
            }),
            ports: egress.ports.into_iter().map(u32::from).collect(),
        }
    }
}

impl TryFrom<wire::Egress> for Egress {
    type Error = Malformed;

    /// Missing ports and labels are rejected, because they would mean all ports and all pods.
    fn try_from(egress: wire::Egress) -> Result<Self, Malformed> {
        use wire::egress::To;
        if egress.ports.is_empty() {
            return Err(Malformed::missing("ports"));
        }
        Ok(Self {
            to: match egress.to.ok_or_else(|| Malformed::missing("to"))? {
                To::Pods(pods) if pods.labels.is_empty() => return Err(Malformed::missing("pods.labels")),
                To::Pods(pods) => EgressPeer::Pods {
                    namespace: some("pods.namespace", pods.namespace)?,
                    labels: pods.labels,
                },
                To::Host(host) => EgressPeer::Host(some("host", host)?),
                To::Range(range) => EgressPeer::Range(some("range", range)?),
            },
            ports: ports(egress.ports)?,
        })
    }
}

fn ports(numbers: Vec<u32>) -> Result<Vec<u16>, Malformed> {
    let numbers = numbers.into_iter().enumerate();
    numbers
        .map(|(index, port)| {
            let number = u16::try_from(port).ok().filter(|number| *number > 0);
            number.ok_or_else(|| Malformed::NoPort {
                field: format!("ports[{index}]"),
                port,
            })
        })
        .collect()
}

impl From<Problem> for wire::Problem {
    fn from(problem: Problem) -> Self {
        let severity = match problem.severity {
            Severity::Warning => wire::Severity::Warning,
            Severity::Error => wire::Severity::Error,
        };
        Self {
            severity: severity.into(),
            reason: problem.reason,
            path: problem.path.unwrap_or_default(),
            message: problem.message,
            hint: problem.hint.unwrap_or_default(),
        }
    }
}

impl From<wire::Problem> for Problem {
    fn from(problem: wire::Problem) -> Self {
        let optional = |text: String| (!text.is_empty()).then_some(text);
        Self {
            // A severity that only a newer peer knows counts as an error, to be safe.
            severity: match problem.severity() {
                wire::Severity::Warning => Severity::Warning,
                wire::Severity::Error | wire::Severity::Unspecified => Severity::Error,
            },
            reason: problem.reason,
            path: optional(problem.path),
            message: problem.message,
            hint: optional(problem.hint),
        }
    }
}

impl From<Description> for wire::DescribeResponse {
    fn from(description: Description) -> Self {
        Self {
            name: description.name,
            version: description.version,
            section_schema: description.section_schema.to_string(),
        }
    }
}

impl TryFrom<wire::DescribeResponse> for Description {
    type Error = Malformed;

    fn try_from(answer: wire::DescribeResponse) -> Result<Self, Malformed> {
        Ok(Self {
            section_schema: json("section_schema", &answer.section_schema)?,
            name: some("name", answer.name)?,
            version: answer.version,
        })
    }
}
