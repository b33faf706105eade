//! A failure as it is told: an exit code after sysexits(3), what was wrong, and what to do.

use crate::adapters::client::{ClientError, Distrust};
use crate::adapters::process::Status;
use crate::contract::api::problem::{Problem, ProblemKind};
use crate::domain::render::RenderError;

/// What went wrong. Its texts hold no token and no value.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) what: String,
    pub(super) advice: Option<String>,
}

impl Failure {
    pub(super) fn new(status: Status, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), advice: None }
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = |status| Self::new(status, error.to_string());
        match &error {
            ClientError::Refused(problem) => refused(problem, failure(Status::Refused)),
            ClientError::NotFound(problem) => {
                failure(Status::NotFound).advise(advice_on_missing(problem.known_kind()))
            }
            ClientError::Rejected(problem) => rejected(problem, &error),
            ClientError::Temporary { address, connection_refused: true, .. } => {
                failure(Status::Temporary).advise(format!(
                    "is the vault at {address} running? --address or VANTA_ADDR names another; \
                     `vanta-vault dev` starts one on this machine"
                ))
            }
            ClientError::Temporary { kind, .. } => {
                failure(Status::Temporary).advise(advice_on_waiting(*kind))
            }
            ClientError::Protocol { .. } => failure(Status::Software)
                .advise("check with --address that it is a vault that is spoken to"),
            ClientError::Untrusted { why, .. } => {
                let failure = failure(Status::Configuration);
                match advice_on_certificate(why) {
                    Some(advice) => failure.advise(advice),
                    None => failure,
                }
            }
            ClientError::Configuration(_) => failure(Status::Configuration),
        }
    }
}

fn advice_on_missing(kind: Option<ProblemKind>) -> &'static str {
    match kind {
        Some(ProblemKind::EnvironmentNotFound) => {
            "check the environment's name; where it was served before, whoever runs the vault finds \
             in its /readyz and its log that the file is gone"
        }
        _ => "`vanta-cli list ENVIRONMENT` shows the keys that you may list",
    }
}

/// Waiting mends no file, though the same request may succeed once somebody did.
fn advice_on_waiting(kind: Option<ProblemKind>) -> &'static str {
    match kind {
        Some(ProblemKind::GrantsNotReady) => {
            "a vault that has just started takes a moment; where it lasts, a file of grants is bad \
             or the API server is away: its operator has to look at the vault's /readyz or its log"
        }
        Some(ProblemKind::GrantsStale) => {
            "it goes on by itself once the vault hears of its grants again; where it lasts, its \
             operator has to look at the vault's /readyz or its log"
        }
        Some(ProblemKind::EnvironmentTampered) => {
            "the environment's file must be restored, from Git say, and changed with sops alone; \
             the vault's log names the place"
        }
        Some(ProblemKind::EnvironmentMacMissing) => {
            "the environment's file must be restored, from Git say: its `mac` was taken out, and \
             nothing else proves that it is whole"
        }
        Some(ProblemKind::EnvironmentNoIdentity) => {
            "the vault must be given an identity of one of the file's recipients, or whoever opens \
             the file must add the vault's (.sops.yaml, then `sops updatekeys`); the vault's log \
             names the recipients"
        }
        Some(ProblemKind::EnvironmentUnreadable) => {
            "the environment's file must be mended: trying again does not help, and the vault's \
             /readyz and its log say what is wrong and what to do"
        }
        _ => "try again in a moment",
    }
}

fn advice_on_certificate(why: &Distrust) -> Option<&'static str> {
    match why {
        Distrust::Issuer => Some("name the authority that issued its certificate with --ca-file"),
        Distrust::Authority => Some("issue a certificate for the vault from it"),
        Distrust::Expired => {
            Some("renew the vault's certificate; if it is not that, this machine's clock is wrong")
        }
        Distrust::NotYetValid => Some("is this machine's clock right?"),
        Distrust::Name => Some("address the vault by a name of its certificate, with --address"),
        Distrust::Other(_) => None,
    }
}

fn rejected(problem: &Problem, error: &ClientError) -> Failure {
    let failure = |status| Failure::new(status, error.to_string());
    match problem.known_kind() {
        Some(ProblemKind::NotAcceptable) => failure(Status::Configuration)
            .advise("narrow the key pattern, or ask for that key alone with `vanta-cli get`"),
        Some(ProblemKind::InvalidName | ProblemKind::InvalidRequest) => failure(Status::Usage),
        _ => failure(Status::Software)
            .advise("check that this client and the vault have the same version"),
    }
}

fn refused(problem: &Problem, failure: Failure) -> Failure {
    match problem.known_kind() {
        Some(ProblemKind::CredentialsMissing | ProblemKind::CredentialsRefused) => failure.advise(
            "check the client's name and secret, or the identity token: it may have expired",
        ),
        Some(ProblemKind::OutOfScope | ProblemKind::NotGranted) => failure.advise(
            "a SecretAccess and a SecretPolicy must together allow these keys of this environment \
             to you, and a token given needs each permission that is used: `list` for names, \
             `read` for one value, both for `run-with-secrets` (`token generate --permission \
             read,list`)",
        ),
        Some(ProblemKind::ValueWithheld) => {
            failure.advise("ask the vault's administrator, who may allow it with VANTA_SOPS_ALLOW")
        }
        _ if problem.status == 401 => {
            failure.advise("get a new token with `vanta-cli token generate`")
        }
        _ => failure,
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        let failure = Self::new(Status::Configuration, error.to_string());
        match error {
            RenderError::NoDotenvForm { .. } => {
                failure.advise("with this command: --inject-as file --format json")
            }
            RenderError::Dangerous { .. } | RenderError::HoldsNul { .. } => {
                failure.advise("with this command: --inject-as file")
            }
            RenderError::NotText { .. }
            | RenderError::NotVariable { .. }
            | RenderError::Collision { .. }
            | RenderError::InvalidRename { .. } => failure,
        }
    }
}
