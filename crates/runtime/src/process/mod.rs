//! A process of one or more controllers: start, leader election, shutdown.

pub(crate) mod controller;
pub(crate) mod leader;
pub(crate) mod run;
pub mod shutdown;
