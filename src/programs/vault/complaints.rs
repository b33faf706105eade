//! Refusals on their way to the objects that they are about, as events of the cluster.
//!
//! Invariant: no request waits for an event or fails by one, and an event says no more than its
//! object's owner may know: the environment, where a SecretAccess of the subject names it, and the
//! kind of problem; never a key. All environments that none names are told of as one, so that
//! made-up names are no more events, and say nothing of what there is.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::ApiError;
use crate::adapters::kubernetes::{About, ClusterGrants, Notice};
use crate::adapters::serve::Metrics;
use crate::contract::api::problem::ProblemKind;
use crate::contract::crd::API_VERSION;
use crate::domain::identity::{PodReference, Subject};
use crate::domain::names::Environment;
use crate::domain::record::{Event, Record};

/// How many may wait to be told of; more are dropped and counted.
pub(super) const MOST_WAITING: usize = 256;

/// How many SecretAccesses of a subject are told of one refusal.
const MOST_TOLD: usize = 8;

/// Takes refusals; where there is no cluster to tell of them, and where too many wait, to nowhere.
#[derive(Clone, Default)]
pub struct Complaints(Option<mpsc::Sender<Complaint>>);

/// One refusal of a subject that has proved who it is.
pub struct Complaint {
    subject: Subject,
    pod: Option<PodReference>,
    environment: Environment,
    action: &'static str,
    kind: ProblemKind,
}

impl Complaints {
    /// Those that somebody hears.
    pub fn channel() -> (Self, mpsc::Receiver<Complaint>) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        (Self(Some(sender)), receiver)
    }

    /// Takes what was refused, where it is a matter of grants.
    pub(super) fn take(&self, record: &Record, error: &ApiError, metrics: &Metrics) {
        let (Some(sender), Some(complaint)) = (&self.0, complaint(record, error)) else { return };
        if sender.try_send(complaint).is_err() {
            metrics.event_dropped();
        }
    }
}

fn complaint(record: &Record, error: &ApiError) -> Option<Complaint> {
    use ProblemKind::{EnvironmentNotFound, NotGranted, OutOfScope, ValueWithheld};
    if !matches!(error.kind, NotGranted | OutOfScope | ValueWithheld | EnvironmentNotFound) {
        return None;
    }
    let action = match record.event {
        Event::Issue => "Issue",
        Event::Read | Event::ReadAll => "Read",
        Event::List => "List",
        _ => return None,
    };
    Some(Complaint {
        subject: record.subject.clone()?,
        pod: record.pod.clone(),
        environment: record.environment.clone()?,
        action,
        kind: error.kind,
    })
}

impl Complaint {
    /// What is told; the environment where it is `named`.
    fn note(&self, named: bool) -> String {
        let what = match self.action {
            "Issue" => "a token",
            "List" => "the names",
            _ => "a value",
        };
        let Self { subject, environment, kind, .. } = self;
        let of = if named {
            format!("environment {environment}")
        } else {
            "an environment that no SecretAccess names for it".to_owned()
        };
        format!("{what} of {of} was refused to {subject}: {} ({})", kind.title(), kind.name())
    }

    /// The objects that it is about, and what they are told: the pod, and the SecretAccesses of
    /// this subject in this environment.
    fn notices(&self, grants: &ClusterGrants) -> Vec<Notice> {
        let pod = self.pod.as_ref().map(|pod| About {
            api_version: "v1",
            kind: "Pod",
            namespace: pod.namespace.to_string(),
            name: pod.name.to_string(),
            uid: Some(pod.uid.clone()),
        });
        let own = grants.of_subject(&self.subject, &self.environment, MOST_TOLD);
        let note = self.note(!own.is_empty());
        let accesses = own.into_iter().map(|(namespace, name, uid)| About {
            api_version: API_VERSION,
            kind: "SecretAccess",
            namespace,
            name,
            uid,
        });
        // Their notes are as many as the environments that the subject's own objects name.
        let notice = |about| Notice {
            about,
            reason: "Refused",
            action: self.action,
            of: note.clone(),
            note: note.clone(),
        };
        pod.into_iter().chain(accesses).map(notice).collect()
    }
}

/// Tells the objects of each refusal, until nobody complains any more.
pub(super) async fn tell(
    mut complaints: mpsc::Receiver<Complaint>,
    grants: Arc<ClusterGrants>,
    notices: mpsc::Sender<Notice>,
    metrics: Arc<Metrics>,
) {
    while let Some(complaint) = complaints.recv().await {
        for notice in complaint.notices(&grants) {
            if notices.try_send(notice).is_err() {
                metrics.event_dropped();
            }
        }
    }
}
