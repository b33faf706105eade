//! Whether a user of the cluster is an administrator, as the cluster's own rules say.
//!
//! Invariant: the API server is asked each time, with all that it said of the user when it reviewed
//! the token; no answer is kept, so that a binding that is removed is removed at once.

use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::ask::{ClusterError, ask};
use crate::domain::administration::{Administration, GROUP};
use crate::domain::identity::ClusterUser;
use crate::domain::ports::AdministrationError;

/// How long a review may take.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(5);

/// How many reviews are asked for at once; others wait for their turn.
const MOST_REVIEWS: usize = 16;

/// What is asked of the API server.
const WHAT: &str = "create subjectaccessreviews";

/// Asks by SubjectAccessReview.
pub struct ClusterAdministrators {
    reviews: Api<SubjectAccessReview>,
    turns: Semaphore,
}

impl ClusterAdministrators {
    /// Reviews of this API server.
    pub fn new(client: Client) -> Self {
        Self { reviews: Api::all(client), turns: Semaphore::new(MOST_REVIEWS) }
    }

    /// Whether the user may do this.
    pub async fn check(
        &self,
        user: &ClusterUser,
        what: Administration,
    ) -> Result<(), AdministrationError> {
        let unanswered = |error: ClusterError| AdministrationError::Unavailable(error.to_string());
        let asked = timeout(REVIEW_TIMEOUT, self.ask(review(user, what))).await;
        let silent = |_| unanswered(ClusterError::silent_for(WHAT, REVIEW_TIMEOUT));
        let answer = asked.map_err(silent)?.map_err(unanswered)?;
        let status = answer.status.unwrap_or_default();
        if status.allowed && status.denied != Some(true) {
            return Ok(());
        }
        let said = [status.reason, status.evaluation_error].into_iter().flatten();
        let said: Vec<String> = said.filter(|text| !text.is_empty()).collect();
        Err(AdministrationError::Refused(format!(
            "the cluster does not allow {} to {what} {}",
            user.name,
            said.join("; ")
        )))
    }

    async fn ask(&self, review: SubjectAccessReview) -> Result<SubjectAccessReview, ClusterError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        ask(WHAT, self.reviews.create(&PostParams::default(), &review)).await
    }
}

/// The question; of no namespace, since what is administered is of none.
fn review(user: &ClusterUser, what: Administration) -> SubjectAccessReview {
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.name.clone()),
            uid: user.uid.clone(),
            groups: Some(user.groups.clone()),
            extra: Some(user.extra.clone()),
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                version: Some("v1alpha1".to_owned()),
                resource: Some(what.resource().to_owned()),
                verb: Some(what.verb().to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}
