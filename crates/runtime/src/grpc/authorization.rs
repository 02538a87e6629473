//! Authorization: which controllers may call which method.

use std::collections::HashMap;

use tonic::Status;

use super::peer::Caller;

/// The controllers that may call each method of a service. A method that is not listed cannot be called.
pub type Callers = &'static [(&'static str, &'static [&'static str])];

/// In [`Callers`]: every controller of the platform.
pub const ANYONE: &[&str] = &["*"];

/// The allowed callers of every method of all services.
#[derive(Debug)]
pub(crate) struct Rules {
    namespace: String,
    callers: HashMap<String, &'static [&'static str]>,
}

impl Rules {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            callers: HashMap::new(),
        }
    }

    pub(crate) fn allow(&mut self, service: &str, callers: Callers) {
        for (method, names) in callers {
            self.callers.insert(format!("/{service}/{method}"), names);
        }
    }

    /// Whether the method exists.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.callers.contains_key(path)
    }

    /// # Errors
    /// `PERMISSION_DENIED`, or `UNIMPLEMENTED` for a method that does not exist. A caller that is not a controller always
    /// gets the former, so that it learns nothing.
    pub(crate) fn check(&self, path: &str, caller: &Caller) -> Result<(), Status> {
        if !caller.is_of(&self.namespace) {
            return Err(Status::permission_denied(format!(
                "{caller} is not a controller of the platform"
            )));
        }
        let Some(names) = self.callers.get(path) else {
            return Err(Status::unimplemented(format!("method {path} does not exist")));
        };
        let allowed = *names == ANYONE || names.iter().any(|name| caller.is(&self.namespace, name));
        if allowed {
            Ok(())
        } else {
            Err(Status::permission_denied(format!("{caller} may not call {path}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const CALLERS: Callers = &[("Plan", &["idp-webapp"]), ("Describe", ANYONE)];

    fn check(path: &str, uri: &str) -> Result<(), Code> {
        let mut rules = Rules::new("idp-system");
        rules.allow("x.Y", CALLERS);
        rules
            .check(path, &Caller::named(uri))
            .map_err(|status| status.code())
    }

    #[test]
    fn each_method_has_its_callers() {
        let webapp = "spiffe://idp.dev/ns/idp-system/sa/idp-webapp";
        let other = "spiffe://idp.dev/ns/idp-system/sa/idp-claim-broker";
        assert_eq!(check("/x.Y/Plan", webapp), Ok(()));
        assert_eq!(check("/x.Y/Plan", other), Err(Code::PermissionDenied));
        assert_eq!(check("/x.Y/Describe", other), Ok(()));
        assert_eq!(check("/x.Y/Delete", webapp), Err(Code::Unimplemented));
    }

    #[test]
    fn strangers_learn_nothing() {
        for uri in [
            "",
            "spiffe://idp.dev/ns/shop/sa/idp-webapp",
            "spiffe://elsewhere/ns/idp-system/sa/idp-webapp",
            "spiffe://idp.dev/ns/idp-system-2/sa/idp-webapp",
            "spiffe://idp.dev/ns/idp-system/sa/",
            "spiffe://idp.dev/ns/idp-system/sa/idp-webapp/x",
        ] {
            assert_eq!(check("/x.Y/Plan", uri), Err(Code::PermissionDenied), "{uri}");
            assert_eq!(check("/x.Y/Nothing", uri), Err(Code::PermissionDenied), "{uri}");
        }
    }
}
