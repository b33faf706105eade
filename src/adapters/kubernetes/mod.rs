//! The cluster: who a service account is, who may have what, and the SOPS files of ConfigMaps.
//!
//! Invariant: what was last seen stays in use until something newer was seen whole. A list that
//! breaks off, a watch that ends and an API server that is away take nothing away and give
//! nothing; [`Contact`] says when the API server was last heard.
//!
//! What the vault may do here is little, and stands in the chart's ClusterRole `vanta-vault`.

mod administrators;
mod ask;
mod config_maps;
mod connect;
mod contact;
mod events;
mod grants;
mod signing_key;
mod status;
mod tokens;
mod topics;
mod watch;

pub use administrators::ClusterAdministrators;
pub use ask::{ClusterError, ask};
pub use config_maps::{ClusterFiles, ConfigMaps, ObjectMark};
pub use connect::{Cluster, ConnectError};
pub use contact::Contact;
pub use events::{About, EventWriter, Notice};
pub use grants::{AccessObject, ClusterGrants};
pub use signing_key::{Made, make_signing_key};
pub use status::write_status;
pub use tokens::ServiceAccountTokens;
pub use watch::{Seen, Watch};
