//! An API server on a loopback port that knows what the vault asks of one: what a real one cannot
//! be brought to say, and without one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::asked::Asked;

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

    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let Asked { line, body, .. } = Asked::read(stream)?;
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let mood = self.with(|state| {
            state.asked.push(line.clone());
            state.mood
        });
        while self.with(|state| state.mood == Mood::Silent) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let plural = PLURALS.into_iter().find(|plural| path.ends_with(plural));
        match (mood, method, plural) {
            (Mood::Away, ..) => Ok(()),
            (Mood::Forbids(kind), "GET", Some(plural)) if kind == plural => {
                let message = format!("{plural} is forbidden: User \"vault\" cannot list it");
                respond(stream, 403, &failure(403, "Forbidden", &message))
            }
            (_, "GET", Some(plural)) if query.contains("watch=true") => {
                self.watch(stream, plural, query)
            }
            (_, "GET", Some(plural)) => respond(stream, 200, &self.list(plural)),
            (_, "POST", _) if path.ends_with("/tokenreviews") => {
                respond(stream, 201, &self.review(&body))
            }
            (_, "POST", _) if path.ends_with("/subjectaccessreviews") => {
                respond(stream, 201, &self.review_access(body))
            }
            (_, "POST", _) if path.ends_with("/events") => {
                let (code, answer) = self.create_event(path, body);
                respond(stream, code, &answer)
            }
            (_, "PATCH", _) if path.contains("/events/") => {
                let (code, answer) = self.count_event(path, &body);
                respond(stream, code, &answer)
            }
            (_, "POST", _) if path.ends_with("/secrets") => {
                let (code, answer) = self.create_secret(path, body);
                respond(stream, code, &answer)
            }
            (_, "PATCH", _) if path.ends_with("/status") => {
                let (code, answer) = self.patch_status(path, &body);
                respond(stream, code, &answer)
            }
            _ => respond(stream, 404, &failure(404, "NotFound", "there is no such path")),
        }
    }

    fn list(&self, plural: Plural) -> Value {
        self.with(|state| {
            let objects = state.objects.iter().filter(|((kind, ..), _)| *kind == plural);
            let items: Vec<&Value> = objects.map(|(_, object)| object).collect();
            json!({
                "apiVersion": "v1",
                "kind": "List",
                "metadata": {"resourceVersion": state.version.to_string()},
                "items": items,
            })
        })
    }

    /// Tells of changes for as long as the mood is as it was.
    fn watch(&self, mut stream: &TcpStream, plural: Plural, query: &str) -> std::io::Result<()> {
        let version = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
        let mut version: u64 = version.and_then(|text| text.parse().ok()).unwrap_or_default();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        )?;
        let kind = self.with(|state| {
            let objects = state.objects.iter().find(|((kind, ..), _)| *kind == plural);
            objects.map(|(_, object)| (object["apiVersion"].clone(), object["kind"].clone()))
        });
        let (mood, end) = (self.with(|state| state.mood), Instant::now() + Duration::from_mins(2));
        let mut bookmarked = Instant::now();
        let lasts = |now| now == mood || now == Mood::Silent;
        while Instant::now() < end && self.with(|state| lasts(state.mood)) {
            if self.with(|state| state.mood == Mood::Silent) {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let (changes, gone) = self.with(|state| {
                let changes = state.changes.iter();
                let new = changes.filter(|one| one.plural == plural && one.version > version);
                (new.cloned().collect::<Vec<_>>(), version < state.oldest)
            });
            if gone {
                let object = failure(410, "Expired", "too old resource version");
                return chunk(stream, &json!({"type": "ERROR", "object": object}));
            }
            for change in changes {
                version = change.version;
                chunk(stream, &change.event)?;
            }
            // Of what was told until now, and never ahead of it.
            if let Some((api, kind)) = &kind
                && query.contains("allowWatchBookmarks=true")
                && bookmarked.elapsed() >= BOOKMARKS
            {
                bookmarked = Instant::now();
                let metadata = json!({"resourceVersion": version.to_string()});
                let object = json!({"apiVersion": api, "kind": kind, "metadata": metadata});
                chunk(stream, &json!({"type": "BOOKMARK", "object": object}))?;
                self.with(|state| state.bookmarks += 1);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn review(&self, body: &Value) -> Value {
        let token = body["spec"]["token"].as_str().unwrap_or_default();
        let unknown = json!({"error": "invalid bearer token", "user": {}});
        let known = self.with(|state| state.reviews.get(token).cloned());
        let mut review = body.clone();
        review["status"] = known.unwrap_or(unknown);
        review
    }

    fn review_access(&self, mut review: Value) -> Value {
        let spec = review["spec"].clone();
        let asked = &spec["resourceAttributes"];
        let words = [&spec["user"], &asked["verb"], &asked["resource"]];
        let rule = words.map(|word| word.as_str().unwrap_or_default()).join(" ");
        let in_cluster = asked["group"] == "vanta.dev" && asked["namespace"].is_null();
        let allowed = self.with(|state| {
            state.access_reviews.push(spec.clone());
            in_cluster && state.allowed.contains(&rule)
        });
        review["status"] = json!({"allowed": allowed});
        review
    }

    fn create_event(&self, path: &str, event: Value) -> (u16, Value) {
        let namespace = path.split('/').nth_back(1).unwrap_or_default();
        // What the API server's own validation wants.
        let given = ["action", "reason", "reportingController", "reportingInstance", "eventTime"];
        let whole = given.iter().all(|field| event[field].is_string())
            && event["metadata"]["namespace"] == namespace
            && event["regarding"]["namespace"] == namespace;
        if !whole {
            return (422, failure(422, "Invalid", "the event is not whole"));
        }
        self.with(|state| state.events.push(event.clone()));
        (201, event)
    }

    fn count_event(&self, path: &str, body: &Value) -> (u16, Value) {
        let name = path.split('/').next_back().unwrap_or_default();
        self.with(|state| {
            let known = state.events.iter_mut().find(|event| event["metadata"]["name"] == name);
            let Some(event) = known else {
                return (404, failure(404, "NotFound", "it is gone"));
            };
            event["series"] = body["series"].clone();
            (200, event.clone())
        })
    }

    fn create_secret(&self, path: &str, mut body: Value) -> (u16, Value) {
        let namespace = path.split('/').nth_back(1).unwrap_or_default().to_owned();
        let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        body["metadata"]["namespace"] = namespace.as_str().into();
        self.with(|state| {
            if state.objects.contains_key(&("secrets", namespace, name)) {
                return (409, failure(409, "AlreadyExists", "secrets already exists"));
            }
            state.put("secrets", body.clone());
            (201, body)
        })
    }

    fn patch_status(&self, path: &str, body: &Value) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').collect();
        let [.., namespace, _, name, _] = parts.as_slice() else { return (404, json!({})) };
        match self.get("secretaccesses", namespace, name) {
            None => (404, failure(404, "NotFound", "it is gone")),
            Some(mut object) => {
                object["status"] = body["status"].clone();
                self.with(|state| state.put("secretaccesses", object.clone()));
                (200, object)
            }
        }
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

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    })
}

fn respond(mut stream: &TcpStream, code: u16, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn chunk(mut stream: &TcpStream, event: &Value) -> std::io::Result<()> {
    let line = format!("{event}\n");
    write!(stream, "{:x}\r\n{line}\r\n", line.len())
}
