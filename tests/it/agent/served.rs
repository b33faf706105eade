//! The vault of this process on a loopback port, from which it can be away for a while.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use vanta::adapters::serve::bind;
use vanta::programs::vault::router;

use crate::support::program::until;
use crate::support::service::Vault;

/// A vault and its port.
pub(crate) struct Served {
    vault: Arc<Vault>,
    runtime: Runtime,
    address: SocketAddr,
    serving: Option<(Handle<SocketAddr>, JoinHandle<()>)>,
    tls: Option<RustlsConfig>,
}

impl Served {
    /// Over HTTP, with nothing granted.
    pub(crate) fn start() -> Self {
        Self::of(Vault::start_without_grants(), None)
    }

    /// One that lets nobody wait for a change, as a vault before it could.
    pub(crate) fn start_without_waiting() -> Self {
        Self::of(Vault::start_for_waiting(0), None)
    }

    /// Over HTTPS, with this certificate.
    pub(crate) fn start_with(tls: RustlsConfig) -> Self {
        Self::of(Vault::start_without_grants(), Some(tls))
    }

    fn of(vault: impl Future<Output = Vault>, tls: Option<RustlsConfig>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let vault = Arc::new(runtime.block_on(vault));
        vault.grant("");
        let mut served =
            Self { vault, runtime, address: ([127, 0, 0, 1], 0).into(), serving: None, tls };
        served.back();
        served
    }

    /// What the agent is told.
    pub(crate) fn api(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Closes the port and each connection.
    pub(crate) fn away(&mut self) {
        let (handle, serving) = self.serving.take().expect("it is there");
        handle.shutdown();
        self.runtime.block_on(serving).expect("it served until now");
    }

    /// Opens the port again.
    pub(crate) fn back(&mut self) {
        let listener = {
            let _runtime = self.runtime.enter();
            // A connection of somebody else's may have the port for a moment.
            until("the port is free", || bind(self.address).ok())
        };
        self.address = listener.address();
        let handle = Handle::new();
        let router = router(Arc::clone(&self.vault.service));
        let serving = listener.serve(router, self.tls.clone(), handle.clone());
        let serving = self.runtime.spawn(async move { serving.await.expect("it serves") });
        self.serving = Some((handle, serving));
    }

    /// Puts these in place of all SecretAccesses and SecretPolicies.
    pub(crate) fn grant(&self, objects: &[String]) {
        self.vault.grant(&objects.join("---\n"));
    }

    /// Puts a file of `tests/fixtures/sops` in the place of environment `dev`.
    pub(crate) fn put(&self, fixture: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops");
        self.vault.put("dev", &folder.join(format!("{fixture}.enc.yaml")));
    }

    /// How many agents wait for a change.
    pub(crate) fn waiting(&self) -> usize {
        self.vault.waiting()
    }

    /// The audit's lines about one kind of event.
    pub(crate) fn audited(&self, event: &str) -> Vec<Value> {
        self.vault.audit().into_iter().filter(|line| line["event"] == event).collect()
    }
}

/// A SecretAccess for service account `checkout` of namespace `shop`, in environment `dev`; `more`
/// are further entries of its spec, in YAML's flow form.
pub(crate) fn access(name: &str, pattern: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(
        "apiVersion: vanta.dev/v1alpha1\nkind: SecretAccess\n\
         metadata: {{name: {name}, namespace: shop}}\n\
         spec: {{subject: {{serviceAccount: checkout}}, environment: dev, keyPattern: '{pattern}'{more}}}\n"
    )
}

/// A SecretPolicy around all of namespace `shop` and environment `dev`.
pub(crate) fn policy() -> String {
    "apiVersion: vanta.dev/v1alpha1\nkind: SecretPolicy\nmetadata: {name: shop}\n\
     spec: {subjects: [{namespace: shop, serviceAccounts: ['*']}], environment: dev, keyPatterns: ['*']}\n"
        .to_owned()
}
