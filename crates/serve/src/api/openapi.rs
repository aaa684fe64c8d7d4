//! The description of the server, as OpenAPI 3.1.

use super::answer::ChatChunk;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "bitstate serve", description = "Ternary RWKV models over HTTP: the same request gives the same bits on \
        every machine, alone or in a batch."),
    paths(
        super::completions::completions,
        super::chat::chat,
        super::system::models,
        super::system::model,
        super::system::health,
        super::system::metrics,
    ),
    components(schemas(ChatChunk)),
    tags((name = "OpenAI", description = "Compatible with OpenAI's clients"), (name = "Server", description = "For operators")),
)]
struct Description;

/// The description, including the limits of this server.
pub(crate) async fn document(State(app): State<Arc<App>>) -> Json<Value> {
    let mut document = serde_json::to_value(Description::openapi()).unwrap_or_default();
    let limits = &app.limits;
    for request in ["CompletionRequest", "ChatRequest"] {
        let fields = &mut document["components"]["schemas"][request]["properties"];
        fields["max_tokens"]["maximum"] = json!(limits.max_tokens);
        fields["n"]["maximum"] = json!(limits.answers);
        fields["model"]["enum"] = json!([app.name, null]);
    }
    if app.key.is_some() {
        document["components"]["securitySchemes"]["key"] = json!({"type": "http", "scheme": "bearer"});
        document["security"] = json!([{"key": []}]);
        document["paths"]["/health"]["get"]["security"] = json!([]);
    }
    Json(document)
}
