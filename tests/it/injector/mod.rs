//! The injector, as the API server sees it.

mod configuration;
mod large_pods;
mod reviews;
