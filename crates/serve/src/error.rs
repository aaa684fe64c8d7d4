//! Errors: of a server that cannot start, and of requests.

use crate::engine::Failure;
use crate::key::KeyError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another program listens at the address.
    #[error("{addr} is in use{by}: end that program, or choose another port (--port 0 takes any that is free)")]
    InUse {
        /// The address.
        addr: SocketAddr,
        /// Which program, where it can be told: ` by python3 (process 123)`.
        by: String,
    },
    /// The system does not let it listen.
    #[error("cannot listen at {addr}: {cause}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// The system gives no threads or no event loop.
    #[error("cannot start the server: {0}")]
    Start(std::io::Error),
    /// A model whose tokens have no text.
    #[error("{0} has no tokenizer, so that a server could not take text: put its tokenizer.json beside it")]
    NoText(String),
    /// A limit with which nothing could be served, or for which there is no memory.
    #[error("the limit of {what} is {found}: it must be from {least} to {most}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// What was given.
        found: usize,
        /// The least that is taken.
        least: usize,
        /// The most.
        most: usize,
    },
    /// A time that no clock measures.
    #[error("a time limit is {0} seconds: it must be at most a year")]
    Time(u64),
    /// An origin that no browser sends.
    #[error("the origin {0:?} is not like https://example.org: scheme, host and perhaps port, nothing behind")]
    Origin(String),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// An error as OpenAI's clients read it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What is wrong.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A sentence with the fix.
    pub message: String,
    /// `invalid_request_error`, `authentication_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The path of the field in the request, such as `logit_bias.65`; none where it is none.
    pub param: Option<String>,
    /// A word for programs.
    pub code: String,
}

/// A request that is refused.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub param: Option<String>,
    pub message: String,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        ApiError { status, code, param: None, message: message.into() }
    }

    /// A field with a wrong value.
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        let param = Some(param.into());
        ApiError { param, ..ApiError::new(StatusCode::BAD_REQUEST, "invalid_value", message) }
    }

    pub fn body(&self) -> ErrorBody {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let (message, param, code) = (self.message.clone(), self.param.clone(), self.code.to_string());
        ErrorBody { error: ErrorDetail { message, kind: kind.into(), param, code } }
    }

    /// The server was told to stop.
    pub fn stopping() -> Self {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping and accepts no new requests")
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let (status, code) = match failure {
            Failure::Overdue(_) => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Failure::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            Failure::Model(_) => (StatusCode::INTERNAL_SERVER_ERROR, "model"),
            Failure::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "engine"),
        };
        ApiError::new(status, code, failure.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// The errors of an endpoint that completes text, for its description.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "only its derived description is used")]
pub(crate) enum CompletionErrors {
    #[response(status = 400, description = "A field has a wrong value or is not supported; the error has its path")]
    Field(ErrorBody),
    #[response(status = 401, description = "The key is missing or wrong")]
    Key(ErrorBody),
    #[response(status = 403, description = "The host or origin is not allowed")]
    Forbidden(ErrorBody),
    #[response(status = 404, description = "The model does not exist")]
    Model(ErrorBody),
    #[response(status = 408, description = "The body was not received in time")]
    Slow(ErrorBody),
    #[response(status = 413, description = "The body or the prompt exceeds a limit, which the error names")]
    TooLarge(ErrorBody),
    #[response(status = 415, description = "The content type is not JSON")]
    ContentType(ErrorBody),
    #[response(status = 429, description = "All slots are taken and the queue is full")]
    Busy(ErrorBody),
    #[response(status = 500, description = "The model or the engine failed")]
    Failed(ErrorBody),
    #[response(status = 503, description = "The server is stopping")]
    Stopping(ErrorBody),
    #[response(status = 504, description = "The answer took too long")]
    TooLong(ErrorBody),
}
