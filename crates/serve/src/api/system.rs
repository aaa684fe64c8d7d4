//! Models, health and metrics.

use super::ask::check_model;
use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The served models.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Models {
    /// `list`.
    pub object: String,
    /// The model.
    pub data: Vec<Served>,
}

/// A model that is served.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Served {
    /// Its name.
    pub id: String,
    /// `model`.
    pub object: String,
    /// Start time of the server, in seconds since 1970.
    pub created: u64,
    /// `bitstate`.
    pub owned_by: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Size of its vocabulary.
    pub vocab_size: usize,
}

/// State of a server.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` or `stopping`.
    pub status: String,
    /// Number of answers that can be generated concurrently.
    pub slots: usize,
    /// Number of answers being generated.
    pub slots_taken: usize,
}

fn served(app: &App) -> Served {
    Served {
        id: app.name.clone(),
        object: "model".into(),
        created: app.created,
        owned_by: "bitstate".into(),
        sha256: app.sha256.clone(),
        vocab_size: app.engine.model.config().vocab_size,
    }
}

/// Lists the model that is served.
#[utoipa::path(get, path = "/v1/models", tag = "OpenAI", responses(
    (status = 200, description = "The models", body = Models),
    (status = 401, description = "The key is missing or wrong", body = ErrorBody),
    (status = 403, description = "The host or origin is not allowed", body = ErrorBody),
))]
pub(crate) async fn models(State(app): State<Arc<App>>) -> Json<Models> {
    Json(Models { object: "list".into(), data: vec![served(&app)] })
}

/// Describes a model.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "OpenAI", params(("model" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The model", body = Served),
        (status = 400, description = "The name is not UTF-8", body = ErrorBody),
        (status = 401, description = "The key is missing or wrong", body = ErrorBody),
        (status = 403, description = "The host or origin is not allowed", body = ErrorBody),
        (status = 404, description = "The model does not exist", body = ErrorBody),
    ),
)]
pub(crate) async fn model(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Json<Served>, ApiError> {
    let Ok(Path(name)) = name else { return Err(ApiError::field("model", "the name of a model must be UTF-8")) };
    check_model(&app, Some(&name))?;
    Ok(Json(served(&app)))
}

/// Reports whether the server accepts requests. It also responds while prompts are processed and answers generated.
#[utoipa::path(get, path = "/health", tag = "Server", responses(
    (status = 200, description = "The server accepts requests", body = Health),
    (status = 403, description = "The host or origin is not allowed", body = ErrorBody),
    (status = 503, description = "The server is stopping", body = Health),
))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> impl IntoResponse {
    let (slots, slots_taken) = (app.limits.slots, app.taken());
    let (status, word) =
        if app.is_stopping() { (StatusCode::SERVICE_UNAVAILABLE, "stopping") } else { (StatusCode::OK, "ok") };
    (status, Json(Health { status: word.into(), slots, slots_taken }))
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "Server", responses(
    (status = 200, description = "Prometheus' text format", content_type = "text/plain", body = String),
    (status = 401, description = "The key is missing or wrong", body = ErrorBody),
    (status = 403, description = "The host or origin is not allowed", body = ErrorBody),
))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.engine.metrics.text(app.taken(), app.reserved());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
