//! The caches: the reconciled resources and an extract of everything else that is watched.

pub(crate) mod changes;
pub(crate) mod entry;
pub(crate) mod facts;
pub(crate) mod index;
pub(crate) mod kind_store;
pub(crate) mod list_watch;
pub(crate) mod primary;
pub(crate) mod reflector;
pub(crate) mod stores;
pub(crate) mod view;
pub(crate) mod watch;
