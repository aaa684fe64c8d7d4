//! The routes, and their request and response types.

mod answer;
mod ask;
mod chat;
mod completions;
mod fields;
mod openapi;
mod probs;
mod request;
mod stream;
mod system;

pub use answer::{Proof, Recipe, Usage};

use crate::app::App;
use crate::error::ApiError;
use crate::http::guard;
use crate::pages;
use axum::Router;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;
use tower_http::cors::CorsLayer;

/// All routes. `Host`, `Origin` and the key are checked before any of them.
pub(crate) fn router(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/v1/completions", post(completions::completions))
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/models", get(system::models))
        .route("/v1/models/{model}", get(system::model))
        .route("/health", get(system::health))
        .route("/metrics", get(system::metrics))
        .route("/openapi.json", get(openapi::document))
        .merge(pages::router())
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "path", "unknown path: /docs lists the paths"))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "the method is not supported here: see /docs")
        })
        .with_state(Arc::clone(&app))
        .layer(from_fn_with_state(Arc::clone(&app), guard::check));
    if app.origins.is_empty() {
        return routes;
    }
    // Outside the checks, so that a page of an allowed origin can read why it is rejected.
    let headers: [HeaderName; 2] = [header::AUTHORIZATION, header::CONTENT_TYPE];
    let cors = CorsLayer::new().allow_origin(app.origins.clone());
    routes.layer(cors.allow_methods([Method::GET, Method::POST]).allow_headers(headers))
}
