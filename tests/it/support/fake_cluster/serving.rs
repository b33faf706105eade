//! What the fake API server answers.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BOOKMARKS, FakeCluster, Mood, PLURALS, Plural};
use crate::support::asked::Asked;

impl FakeCluster {
    pub(super) fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
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
