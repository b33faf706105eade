//! A pod in the making, and the JSON Patch (RFC 6902) that makes it.

use serde::Serialize;
use serde_json::{Value, json};

/// One operation. There are `add` and `replace` alone: nothing is taken away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    op: &'static str,
    /// Where, as a JSON Pointer (RFC 6901).
    pub path: String,
    /// What comes there.
    pub value: Value,
}

/// Operations, in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Patch(Vec<Operation>);

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The operations.
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// The same for a pod that stands at `pointer` of another object, such as a pod template.
    #[must_use]
    pub fn below(self, pointer: &str) -> Self {
        let moved = |operation: Operation| Operation {
            path: format!("{pointer}{}", operation.path),
            ..operation
        };
        Self(self.0.into_iter().map(moved).collect())
    }
}

/// The operations so far, against the pod as it was: each list is made once.
pub(super) struct Draft {
    pod: Value,
    patch: Patch,
}

impl Draft {
    pub(super) fn new(pod: &Value) -> Self {
        Self { pod: pod.clone(), patch: Patch::default() }
    }

    /// Puts a value at the end of a list, which is made where it is absent.
    pub(super) fn append(&mut self, object: &str, list: &str, value: Value) {
        self.put(object, list, "-", value);
    }

    /// Puts a value at the beginning of a list, which is made where it is absent.
    pub(super) fn insert_first(&mut self, object: &str, list: &str, value: Value) {
        self.put(object, list, "0", value);
    }

    /// Puts a value at the end of a list in an object, each made where it is absent.
    pub(super) fn append_in(&mut self, object: &str, inner: &str, list: &str, value: Value) {
        let inner = format!("{object}/{inner}");
        if self.is_absent(&inner) {
            self.set("add", inner.clone(), json!({}));
        }
        self.append(&inner, list, value);
    }

    /// Puts a value in place of another.
    pub(super) fn replace(&mut self, path: &str, value: Value) {
        self.set("replace", path.to_owned(), value);
    }

    pub(super) fn into_patch(self) -> Patch {
        self.patch
    }

    fn put(&mut self, object: &str, list: &str, at: &str, value: Value) {
        let path = format!("{object}/{list}");
        if self.is_absent(&path) {
            self.set("add", path.clone(), json!([]));
        }
        self.push("add", format!("{path}/{at}"), value);
    }

    /// Go writes a list or an object that is absent as null where its field is not optional.
    fn is_absent(&self, path: &str) -> bool {
        self.pod.pointer(path).is_none_or(Value::is_null)
    }

    fn set(&mut self, op: &'static str, path: String, value: Value) {
        if let Some((object, field)) = path.rsplit_once('/')
            && let Some(Value::Object(object)) = self.pod.pointer_mut(object)
        {
            object.insert(field.to_owned(), value.clone());
        }
        self.push(op, path, value);
    }

    fn push(&mut self, op: &'static str, path: String, value: Value) {
        self.patch.0.push(Operation { op, path, value });
    }
}
