//! One file a command.

pub(super) mod audit;
pub(super) mod client;
pub(super) mod completion;
pub(super) mod explain;
pub(super) mod get;
pub(super) mod hold;
pub(super) mod list;
pub(super) mod run_with_secrets;
pub(super) mod token;
pub(super) mod version;
pub(super) mod who;
