//! HTML pages, without external resources.

use crate::app::App;
use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use std::sync::Arc;

/// The pages and their scripts.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async || Html(include_str!("index.html"))))
        .route("/docs", get(async || Html(include_str!("docs.html"))))
        .route("/page.js", get(async || script(include_str!("page.js"))))
        .route("/docs.js", get(async || script(include_str!("docs.js"))))
        .route("/page.css", get(async || ([(header::CONTENT_TYPE, "text/css")], include_str!("page.css"))))
}

fn script(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], text)
}
