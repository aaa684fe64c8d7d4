//! Errors of a server that cannot start, and of requests.

use crate::engine::Failure;
use crate::key::KeyError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another program listens on the address.
    #[error("{addr} is in use{by}: end that program, or choose another port (--port 0 picks a free one)")]
    InUse {
        /// The address.
        addr: SocketAddr,
        /// The program, if it is known: ` by python3 (process 123)`.
        by: String,
    },
    /// The system does not allow it to listen.
    #[error("cannot listen on {addr}: {cause}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        cause: std::io::Error,
    },
    /// The system cannot start threads or an event loop.
    #[error("cannot start the server: {0}")]
    Start(std::io::Error),
    /// A model whose tokens have no text.
    #[error("{0} has no tokenizer, which a server needs for text: put its tokenizer.json next to it")]
    NoText(String),
    /// A limit with which nothing could be served, or that would take too much memory.
    #[error("the limit of {what} is {found}: it must be from {least} to {most}")]
    Limit {
        /// Name of the limit.
        what: &'static str,
        /// The given value.
        found: usize,
        /// The smallest valid value.
        least: usize,
        /// The largest valid value.
        most: usize,
    },
    /// A time limit that is too long.
    #[error("a time limit is {0} seconds: it must be at most a year")]
    Time(u64),
    /// An invalid origin.
    #[error("the origin {0:?} is not like https://example.org: scheme, host and optional port, and nothing else")]
    Origin(String),
    /// The key is invalid.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// An error in OpenAI's format.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// The details.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A message with the fix.
    pub message: String,
    /// `invalid_request_error`, `authentication_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The path of the field in the request, such as `logit_bias.65`; null if it is not about a field.
    pub param: Option<String>,
    /// A code for programs.
    pub code: String,
}

/// A rejected request.
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

    /// The server is stopping.
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

/// The errors of an endpoint that completes text, for the OpenAPI document.
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
