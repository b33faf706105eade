//! An API server on a loopback port that knows what the vault asks of one: what a real one cannot
//! be brought to say, and without one.

mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The last part of a kind's path: `secretaccesses`.
type Plural = &'static str;

const PLURALS: [Plural; 3] = ["secretaccesses", "secretpolicies", "configmaps"];

/// How often a watch is told that all is well; a real one does so once a minute.
const BOOKMARKS: Duration = Duration::from_millis(50);

/// How the API server feels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Willing,
    /// It accepts connections and closes them.
    Away,
    /// It keeps connections open, and says nothing.
    Silent,
    /// It forbids to list this kind.
    Forbids(Plural),
}

#[derive(Clone)]
struct Change {
    version: u64,
    plural: Plural,
    event: Value,
}

struct State {
    mood: Mood,
    version: u64,
    /// Watches cannot go on from before this.
    oldest: u64,
    objects: BTreeMap<(Plural, String, String), Value>,
    changes: Vec<Change>,
    /// What is answered of a token.
    reviews: BTreeMap<String, Value>,
    /// What is answered of a user, resource and verb: `NAME verb resource`.
    allowed: BTreeSet<String>,
    /// What was asked of users, whole.
    access_reviews: Vec<Value>,
    bookmarks: u64,
    events: Vec<Value>,
    /// The first line of each request.
    asked: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct FakeCluster {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl FakeCluster {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let state = State {
            mood: Mood::Willing,
            version: 1,
            oldest: 0,
            objects: BTreeMap::new(),
            changes: Vec::new(),
            reviews: BTreeMap::new(),
            allowed: BTreeSet::new(),
            access_reviews: Vec::new(),
            bookmarks: 0,
            events: Vec::new(),
            asked: Vec::new(),
        };
        let cluster = Self { address, state: Arc::new(Mutex::new(state)) };
        let serving = cluster.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || serving.answer(&stream).ok());
            }
        });
        cluster
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("no holder panics"))
    }

    /// A kubeconfig for it.
    pub(crate) fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.address}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{
                "name": "x",
                "context": {"cluster": "c", "user": "u", "namespace": "vanta-system"},
            }],
            "current-context": "x",
        })
        .to_string()
    }

    pub(crate) fn feel(&self, mood: Mood) {
        self.with(|state| state.mood = mood);
    }

    /// Puts the objects of a YAML text in place, as `kubectl apply` does.
    pub(crate) fn apply(&self, yaml: &str) {
        let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("it is YAML");
        for object in objects {
            let plural = match object["kind"].as_str() {
                Some("SecretAccess") => "secretaccesses",
                Some("SecretPolicy") => "secretpolicies",
                _ => "configmaps",
            };
            self.with(|state| state.put(plural, object));
        }
    }

    pub(crate) fn delete(&self, plural: Plural, namespace: &str, name: &str) {
        self.with(|state| {
            let gone = state.objects.remove(&(plural, namespace.to_owned(), name.to_owned()));
            let mut gone = gone.expect("there is one to delete");
            state.version += 1;
            gone["metadata"]["resourceVersion"] = state.version.to_string().into();
            state.tell(plural, "DELETED", &gone);
        });
    }

    /// Deletes an object in silence, and forgets what it could tell of before: as an API server
    /// that a watch was away from for too long.
    pub(crate) fn lose(&self, plural: Plural, namespace: &str, name: &str) {
        self.with(|state| {
            state.objects.remove(&(plural, namespace.to_owned(), name.to_owned()));
            state.version += 1;
            state.oldest = state.version;
        });
    }

    /// One object, as it is now.
    pub(crate) fn get(&self, plural: Plural, namespace: &str, name: &str) -> Option<Value> {
        self.with(|state| {
            state.objects.get(&(plural, namespace.to_owned(), name.to_owned())).cloned()
        })
    }

    /// The Ready condition of a SecretAccess: status, reason, message.
    pub(crate) fn ready(&self, namespace: &str, name: &str) -> Option<(String, String, String)> {
        let object = self.get("secretaccesses", namespace, name)?;
        let ready = &object["status"]["conditions"][0];
        let text = |field: &str| ready[field].as_str().map(str::to_owned);
        Some((text("status")?, text("reason")?, text("message")?))
    }

    /// A token that is reviewed with this status, for these audiences and with this end.
    pub(crate) fn token(&self, audience: &str, expires: i64, status: Value) -> String {
        let said = json!({"aud": [audience], "exp": expires, "n": self.with(|s| s.reviews.len())});
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(said.to_string()));
        self.with(|state| state.reviews.insert(token.clone(), status));
        token
    }

    /// A good token of `system:serviceaccount:NAMESPACE:NAME`, with more in the user's `extra`.
    pub(crate) fn account_token(&self, account: &str, extra: &Value) -> String {
        let status = json!({
            "authenticated": true,
            "audiences": ["vanta-vault"],
            "user": {
                "username": format!("system:serviceaccount:{account}"),
                "uid": "account-uid",
                "groups": ["system:serviceaccounts"],
                "extra": extra,
            },
        });
        self.token("vanta-vault", 4_000_000_000, status)
    }

    /// Allows what a cluster's rules would, `USER VERB RESOURCE` of vanta.dev, and that alone.
    pub(crate) fn allow(&self, rules: &[&str]) {
        self.with(|state| state.allowed = rules.iter().map(|rule| (*rule).to_owned()).collect());
    }

    /// What was asked of users so far: the `spec` of each SubjectAccessReview.
    pub(crate) fn access_reviews(&self) -> Vec<Value> {
        self.with(|state| state.access_reviews.clone())
    }

    /// How many bookmarks its watches have sent.
    pub(crate) fn bookmarks(&self) -> u64 {
        self.with(|state| state.bookmarks)
    }

    /// The events of an object so far.
    pub(crate) fn events(&self, kind: &str, name: &str) -> Vec<Value> {
        let about = |event: &&Value| {
            event["regarding"]["kind"] == kind && event["regarding"]["name"] == name
        };
        self.with(|state| state.events.iter().filter(about).cloned().collect())
    }

    /// A client of it.
    pub(crate) fn client(&self) -> kube::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = self.address.parse().expect("the address is a URL");
        kube::Client::try_from(kube::Config::new(address)).expect("a client can be made")
    }

    /// The first line of each request that begins so.
    pub(crate) fn asked(&self, begin: &str) -> usize {
        self.with(|state| state.asked.iter().filter(|line| line.starts_with(begin)).count())
    }
}

impl State {
    fn put(&mut self, plural: Plural, mut object: Value) {
        self.version += 1;
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let name = (plural, text("namespace"), text("name"));
        let before = self.objects.get(&name);
        let event = if before.is_some() { "MODIFIED" } else { "ADDED" };
        if let Some(before) = before {
            if object["status"].is_null() {
                object["status"] = before["status"].clone();
            }
            let changed = i64::from(before["spec"] != object["spec"]);
            let generation = before["metadata"]["generation"].as_i64().unwrap_or(1) + changed;
            object["metadata"]["generation"] = generation.into();
            object["metadata"]["uid"] = before["metadata"]["uid"].clone();
        } else {
            object["metadata"]["generation"] = 1.into();
            object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
        if object["status"].is_null() {
            object.as_object_mut().expect("an object is one").remove("status");
        }
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(name, object.clone());
        self.tell(plural, event, &object);
    }

    fn tell(&mut self, plural: Plural, event: &str, object: &Value) {
        let event = json!({"type": event, "object": object});
        self.changes.push(Change { version: self.version, plural, event });
    }
}
