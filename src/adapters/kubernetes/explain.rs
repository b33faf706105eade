//! What is wrong between a program and the API server, for the person who mends it.

use kube::Error;
use kube::core::Status;

/// What an error means where this was to be done, `list secretaccesses.vanta.dev` say. It repeats
/// nothing of an answer that was not understood.
pub fn explain(error: &Error, what: &str) -> String {
    match error {
        Error::Api(status) => explain_status(status, what),
        Error::SerdeError(_) | Error::FromUtf8(_) => {
            format!("to {what}: the API server's answer is not understood")
        }
        Error::Auth(_) => {
            format!("to {what}: the program's own credentials cannot be had: {error}")
        }
        _ => format!("to {what}: the API server does not answer: {}", root(error)),
    }
}

fn explain_status(status: &Status, what: &str) -> String {
    let said = &status.message;
    match status.code {
        401 => format!(
            "to {what}: the API server does not take the program's own credentials: {said}; is the \
             service account's token mounted, and of this cluster?"
        ),
        403 => format!(
            "the program may not {what}: {said}; bind its service account to the chart's roles"
        ),
        404 => format!(
            "to {what}: the API server knows nothing of that kind; apply the definitions in crds/"
        ),
        code => format!("to {what}: the API server answers {code}: {said}"),
    }
}

/// The cause of all causes: what stands around it only says that there was a request.
fn root(error: &Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, message: &str) -> String {
        let status = Status::failure(message, "Reason").with_code(code);
        explain(&Error::Api(status.boxed()), "list secretaccesses.vanta.dev")
    }

    #[test]
    fn a_refusal_says_what_was_to_be_done_and_what_to_do() {
        insta::assert_snapshot!(
            api(403, "User \"x\" cannot list resource \"secretaccesses\""),
            @r#"the program may not list secretaccesses.vanta.dev: User "x" cannot list resource "secretaccesses"; bind its service account to the chart's roles"#
        );
        insta::assert_snapshot!(
            api(404, "404 page not found"),
            @"to list secretaccesses.vanta.dev: the API server knows nothing of that kind; apply the definitions in crds/"
        );
        insta::assert_snapshot!(
            api(500, "etcdserver: request timed out"),
            @"to list secretaccesses.vanta.dev: the API server answers 500: etcdserver: request timed out"
        );
    }

    #[test]
    fn an_answer_that_is_not_understood_is_not_repeated() {
        let error = serde_json::from_str::<u8>("\"hunter2\"").unwrap_err();
        let text = explain(&Error::SerdeError(error), "review a token");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
