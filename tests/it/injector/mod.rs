//! The injector, as the API server sees it.

mod configuration;
mod reviews;
