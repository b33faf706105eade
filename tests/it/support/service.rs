//! A vault in this process, called without a port: real SOPS files, SQLite and audit.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;
use vanta::adapters::access::AccessFolder;
use vanta::adapters::audit::AuditLog;
use vanta::adapters::identity::{ClientCredentials, OidcIssuers};
use vanta::adapters::jwt::{CurrentRing, KeyRing};
use vanta::adapters::serve::Metrics;
use vanta::adapters::sops::{
    Authorship, Leave, RequireLeaf, SETTLING_OF_FILE, SharedIdentities, SopsStore, StoreOptions,
};
use vanta::adapters::state::{StateSource, StateStore};
use vanta::contract::clients::ClientEntry;
use vanta::domain::grants::Grants;
use vanta::domain::identity::ClientSecret;
use vanta::domain::ports::Authenticator;
use vanta::programs::vault::{
    Complaints, Freshness, Identities, Service, ServiceParts, Silence, router,
};

use super::fake_cluster::FakeCluster;
use super::pods::WithPods;
use super::postgres::Postgres;
use super::program::DEADLINE;

/// The key that signs the tokens of every vault here, so that a test can forge one.
pub(crate) const SIGNING_KEY: &str = "a signing key for tests, 0123456789abcdef";

/// Grants as people write them: client `ci` has `APP_*` and `GREETING` in dev and in prod.
pub(crate) const GRANTS: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: app}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'APP_*', usageLimit: 1000}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: greeting}
spec: {subject: {client: ci}, environment: dev, keyPattern: GREETING, permissions: [read]}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: gone}
spec: {subject: {client: ci}, environment: gone, keyPattern: '*'}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: dev}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: ['APP_*', GREETING]
  maxTtlMinutes: 60
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: gone}
spec: {subjects: [{namespace: default, clients: [ci]}], environment: gone, keyPatterns: ['*']}
";

/// The example environment's values.
pub(crate) const GREETING: &str = "hello from VANTA";

/// A vault with one client, `ci`.
pub(crate) struct Vault {
    router: Router,
    pub(crate) service: Arc<Service>,
    pub(crate) grants: watch::Sender<Option<Arc<Grants>>>,
    pub(crate) state: Arc<StateStore>,
    store: Arc<SopsStore>,
    metrics: Arc<Metrics>,
    silence: Arc<Mutex<Silence>>,
    folder: TempDir,
    client_secret: String,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Waits until something holds, and lets others go on meanwhile.
pub(crate) async fn until(what: &str, mut met: impl FnMut() -> bool) {
    let started = Instant::now();
    while !met() {
        assert!(started.elapsed() < DEADLINE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The last part of a problem's type, with its status checked against the answer's.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        let kind = problem["type"].as_str().expect("a problem has a type");
        kind.strip_prefix("https://vanta.dev/problems/").expect("the type is VANTA's").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("the header is text")
    }
}

impl Vault {
    /// A vault over the example environment, with [`GRANTS`].
    pub(crate) async fn start() -> Self {
        let vault = Self::start_without_grants().await;
        vault.grant(GRANTS);
        vault
    }

    /// A vault in which so many callers at the most may wait for a change, and whose state began
    /// a minute ago.
    pub(crate) async fn start_for_waiting(most: usize) -> Self {
        let vault = Self::start_with(most, 60).await;
        vault.grant(GRANTS);
        vault
    }

    /// A vault that has not read its grants yet.
    pub(crate) async fn start_without_grants() -> Self {
        Self::start_with(10_000, 0).await
    }

    /// A vault in this cluster, as far as it is about who asks.
    pub(crate) async fn start_in(cluster: &FakeCluster) -> Self {
        let client = cluster.client();
        let vault = Self::start_knowing(10_000, 0, |clients| {
            Arc::new(Identities::new(Arc::new(clients), Arc::default(), Some(client)))
        });
        let vault = vault.await;
        vault.grant(GRANTS);
        vault
    }

    /// A replica whose state is in this PostgreSQL, and which hears of what the others revoke.
    pub(crate) async fn start_sharing(postgres: &Postgres) -> Self {
        let source = StateSource::Postgres(postgres.url().into());
        let state = StateStore::open(&source).await.expect("the state opens");
        let vault = Self::assemble(10_000, 0, Some(state), |clients| Arc::new(WithPods(clients)));
        let vault = vault.await;
        vault.grant(GRANTS);
        let state = Arc::clone(&vault.state);
        tokio::spawn(async move { state.run().await });
        vault
    }

    /// A vault that believes these issuers beside its client.
    pub(crate) async fn start_believing(issuers: Arc<OidcIssuers>) -> Self {
        Self::start_knowing(10_000, 0, |clients| {
            Arc::new(Identities::new(Arc::new(clients), issuers, None))
        })
        .await
    }

    async fn start_with(most_waiting: usize, state_age: i64) -> Self {
        let knowing = |clients| -> Arc<dyn Authenticator> { Arc::new(WithPods(clients)) };
        Self::start_knowing(most_waiting, state_age, knowing).await
    }

    async fn start_knowing(
        most_waiting: usize,
        state_age: i64,
        authenticator: impl FnOnce(ClientCredentials) -> Arc<dyn Authenticator>,
    ) -> Self {
        Self::assemble(most_waiting, state_age, None, authenticator).await
    }

    /// With a state of its own, unless one is given.
    async fn assemble(
        most_waiting: usize,
        state_age: i64,
        state: Option<StateStore>,
        authenticator: impl FnOnce(ClientCredentials) -> Arc<dyn Authenticator>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let secrets = folder.path().join("secrets");
        let audit = folder.path().join("audit");
        for path in [&secrets, &audit] {
            std::fs::create_dir(path).expect("a folder can be made");
        }
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/secrets");
        for environment in ["dev", "prod"] {
            let copy = secrets.join(format!("{environment}.enc.yaml"));
            std::fs::copy(examples.join("dev.enc.yaml"), copy).expect("the example is there");
        }
        let (store, report) = SopsStore::open(StoreOptions {
            folder: Some(secrets),
            shared: SharedIdentities::File(examples.join("age-key.txt")),
            identities_folder: None,
            leave: Leave::default(),
            // Both environments are the example, which names none.
            authorship: Authorship { leaf: RequireLeaf::Never, ..Authorship::default() },
            settling: SETTLING_OF_FILE,
            key_service: None,
        });
        assert!(report.failed.is_empty(), "{report:?}");
        let state = match state {
            Some(state) => state,
            None => StateStore::open(&StateSource::Folder(folder.path().to_owned()))
                .await
                .expect("the state opens"),
        };
        let state = Arc::new(state);
        let secret = ClientSecret::from_random(&[1; 32]);
        let clients = ClientCredentials::default();
        let name = "ci".parse().expect("it is a name");
        let entry = ClientEntry::new(name, "first".to_owned(), &secret);
        let administrator = ClientEntry {
            administrator: true,
            ..ClientEntry::new("ops".parse().expect("it is a name"), "first".to_owned(), &secret)
        };
        let file = folder.path().join("clients.yaml");
        let entries = entry.yaml() + &administrator.yaml();
        std::fs::write(&file, entries).expect("a file can be written");
        clients.load(&file).expect("the clients are well formed");
        let (grants, receiver) = watch::channel(None);
        let silence: Arc<Mutex<Silence>> = Arc::new(Mutex::new(Arc::new(|| Duration::ZERO)));
        let (store, metrics) = (Arc::new(store), Arc::new(Metrics::default()));
        let service = Service::new(ServiceParts {
            secrets: store.clone(),
            authenticator: authenticator(clients),
            versions: store.changes(),
            grants: receiver,
            freshness: Freshness {
                silence: Arc::new({
                    let silence = Arc::clone(&silence);
                    move || (silence.lock().expect("no holder panics"))()
                }),
                issue_limit: Duration::from_secs(90),
                read_limit: Duration::from_mins(5),
            },
            complaints: Complaints::default(),
            ring: CurrentRing::new(
                KeyRing::parse(SIGNING_KEY.as_bytes()).expect("the key is long enough"),
            ),
            issues_per_minute: NonZeroU32::new(6000).expect("it is not zero"),
            state_since: state.created_at() - state_age,
            audit: AuditLog::open(&audit, "test").expect("the audit opens"),
            state: state.clone(),
            metrics: Arc::clone(&metrics),
            most_waiting,
        });
        Self {
            router: router(Arc::clone(&service)),
            service,
            grants,
            state,
            store,
            metrics,
            silence,
            folder,
            client_secret: secret.expose().to_owned(),
        }
    }

    /// For how long nothing was heard of the grants, from now on.
    pub(crate) fn hear(&self, silence: impl Fn() -> Duration + Send + Sync + 'static) {
        *self.silence.lock().expect("no holder panics") = Arc::new(silence);
    }

    /// Puts these objects in place of all grants.
    pub(crate) fn grant(&self, yaml: &str) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::write(folder.path().join("all.yaml"), yaml).expect("a file can be written");
        let mut access = AccessFolder::new(folder.path().to_owned());
        let report = access.refresh();
        assert!(report.problems.is_empty(), "{report:?}");
        self.grants.send_replace(access.grants().cloned());
    }

    /// Puts a file made by sops in the place of an environment's, and has the vault look.
    pub(crate) fn put(&self, environment: &str, file: &Path) {
        let name = format!("secrets/{environment}.enc.yaml");
        std::fs::copy(file, self.folder.path().join(name)).expect("the file is there");
        self.store.refresh();
    }

    /// Puts a binary file made by sops in the place of an environment's, and has the vault look.
    pub(crate) fn put_binary(&self, environment: &str, file: &Path) {
        let name = format!("secrets/{environment}.enc.bin");
        std::fs::copy(file, self.folder.path().join(name)).expect("the file is there");
        self.remove(environment);
    }

    /// Removes an environment's file, and has the vault look.
    pub(crate) fn remove(&self, environment: &str) {
        let name = format!("secrets/{environment}.enc.yaml");
        std::fs::remove_file(self.folder.path().join(name)).expect("the file is there");
        self.store.refresh();
    }

    /// How many callers wait for a change.
    pub(crate) fn waiting(&self) -> usize {
        let text = self.metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix("vanta_waiting "));
        line.expect("it is counted").parse().expect("it is a number")
    }

    /// The audit's lines so far.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let path = self.folder.path().join("audit/audit.jsonl");
        let text = std::fs::read_to_string(path).expect("the audit is readable");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (headers, status, body) = self.send_for_bytes(request).await;
        Reply { status, headers, text: String::from_utf8(body).expect("the body is text") }
    }

    /// The same where the body need not be text.
    pub(crate) async fn send_for_bytes(
        &self,
        request: Request<Body>,
    ) -> (HeaderMap, StatusCode, Vec<u8>) {
        let answer = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("the body is whole").to_bytes();
        (parts.headers, parts.status, body.to_vec())
    }

    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("ci:{}", self.client_secret)))
    }

    /// The credentials of client `ops`, which is an administrator and has no grants.
    pub(crate) fn administrator(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("ops:{}", self.client_secret)))
    }

    /// Asks for a token with the client's credentials.
    pub(crate) async fn generate(&self, body: Value) -> Reply {
        let request = Request::post("/api/v1/vault/tokens/generate")
            .header("authorization", self.basic())
            .header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).expect("a request")).await
    }

    /// A token for these keys of dev, to read and list.
    pub(crate) async fn token(&self, key_pattern: &str) -> String {
        self.token_with(json!({
            "environment": "dev", "key_pattern": key_pattern, "permissions": ["read", "list"],
        }))
        .await
    }

    pub(crate) async fn token_with(&self, body: Value) -> String {
        let reply = self.generate(body).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.json()["token"].as_str().expect("there is a token").to_owned()
    }

    /// Revokes what a form says, as an administrator.
    pub(crate) async fn revoke(&self, form: &str) -> Reply {
        let request = Request::post("/api/v1/vault/tokens/revoke")
            .header("authorization", self.administrator())
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).expect("a request")).await
    }

    /// `GET` below `/api/v1/vault/`, with an access token and more headers.
    pub(crate) async fn read(&self, path: &str, token: &str, more: &[(&str, &str)]) -> Reply {
        let mut request = Request::get(format!("/api/v1/vault/{path}"))
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).expect("a request")).await
    }
}
