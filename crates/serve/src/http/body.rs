//! The body of a request: JSON, of a bounded size and in a bounded time.

use crate::config::Limits;
use crate::error::ApiError;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

/// Reads the body as JSON.
///
/// # Errors
/// If it is not declared as JSON (415), too large (413), too slow (408), not JSON, or not of this shape (400).
pub(crate) async fn read<T: DeserializeOwned>(request: Request, limits: &Limits) -> Result<T, ApiError> {
    // Pages of other origins can send any other type without a preflight request.
    if !is_json(request.headers()) {
        let message = "send the body as JSON, with the header content-type: application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message));
    }
    let too_large = || {
        let message = format!("the body is larger than the {} bytes that this server accepts", limits.body);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > limits.body) {
        return Err(too_large());
    }
    let Ok(body) = tokio::time::timeout(limits.body_time, to_bytes(request.into_body(), limits.body)).await else {
        let message = format!("the body took longer than {} seconds", limits.body_time.as_secs());
        return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message));
    };
    // Otherwise the client has disconnected and receives no response.
    parse(&body.map_err(|_| too_large())?)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Parses JSON of this shape; errors contain the path.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let json = &mut serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        if !inner.is_data() {
            let message = format!("the body is not JSON: {inner}");
            return ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", message);
        }
        // The path of an unknown field is the path of its object plus its name.
        let text = inner.to_string();
        let field = text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if let Some(field) = field {
            let at = match path.strip_suffix(field) {
                _ if path == "." => field.to_string(),
                Some(before) if before.is_empty() || before.ends_with('.') => path,
                _ => format!("{path}.{field}"),
            };
            let known = text.split_once("expected ").map_or("", |(_, known)| known);
            let known = known.split(" at line").next().unwrap_or_default();
            let message = format!("{at}: this field is not supported; supported fields: {known}");
            return ApiError { code: "unsupported_field", ..ApiError::field(at, message) };
        }
        let at = if path == "." { "the body".to_string() } else { path.clone() };
        ApiError { code: "invalid_type", ..ApiError::field(path, format!("{at}: {text}")) }
    })?;
    json.end().map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body continues after its JSON: {error}"))
    })?;
    Ok(parsed)
}
