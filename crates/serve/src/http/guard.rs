//! Who may call. Loopback is not a security boundary: any web page can call `127.0.0.1` under its own name that resolves to it.

use crate::app::App;
use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Accepts a request if it is for this server, not from a foreign page, and has the key if one is required.
pub(crate) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = match allowed(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    app.engine.metrics.answered(response.status().as_u16());
    harden(response)
}

fn allowed(app: &App, request: &Request) -> Result<(), ApiError> {
    let host = host(request.headers())?;
    // A request may also name the host in its first line.
    for host in [Some(host), request.uri().authority().map(Authority::as_str)].into_iter().flatten() {
        if !app.hosts.allow(host) {
            let message = format!(
                "this server does not accept the host {host:?}: use the address it listens on, or start it with \
                 --allow-host {host}"
            );
            return Err(ApiError::new(StatusCode::FORBIDDEN, "host", message));
        }
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let own = origin.as_bytes().strip_prefix(b"http://").is_some_and(|origin| origin == host.as_bytes());
        if !own && !app.origins.contains(origin) {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            let message = format!("pages of {origin} may not call this server: start it with --allow-origin {origin}");
            return Err(ApiError::new(StatusCode::FORBIDDEN, "origin", message));
        }
    }
    let path = request.uri().path();
    let needs_key = path.starts_with("/v1/") || path == "/metrics";
    match &app.key {
        Some(key) if needs_key => {
            let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
            let given = given.and_then(|given| given.strip_prefix(b"Bearer ")).unwrap_or_default();
            if key.is(given) {
                return Ok(());
            }
            let message = "send the server's key, with the header authorization: Bearer KEY";
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "key", message))
        }
        _ => Ok(()),
    }
}

/// The one host that the request is for.
fn host(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(Ok(host)), None) => Ok(host),
        _ => Err(ApiError::new(StatusCode::BAD_REQUEST, "host", "send one header host, with the server's address")),
    }
}

/// Headers that restrict what pages can do with a response.
fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = HeaderValue::from_static("default-src 'self'; base-uri 'none'; form-action 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// The allowed hosts of requests.
pub(crate) struct Hosts {
    names: Vec<String>,
    listening: IpAddr,
}

impl Hosts {
    pub fn new(names: &[String], listening: SocketAddr) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Hosts { names, listening: listening.ip() }
    }

    /// A name must be listed, or be `localhost`. An address cannot be made to resolve to this server: loopback and the address
    /// that the server listens on are allowed, and any address if it listens on all of them.
    fn allow(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host();
        if self.names.iter().any(|allowed| allowed == name || *allowed == host) || name == "localhost" {
            return true;
        }
        match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip == self.listening || self.listening.is_unspecified(),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn a_name_that_only_resolves_here_is_not_ours() {
        let at = |addr: &str| Hosts::new(&["box.Lan".into()], addr.parse().expect("an address"));
        let loopback = at("127.0.0.1:80");
        for good in ["localhost", "LocalHost:8080", "127.0.0.1:80", "[::1]:8080", "box.lan", "BOX.LAN:1"] {
            assert!(loopback.allow(good), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "x@localhost.evil",
            "10.0.0.1",
            "",
            "[::1",
            "evil.example:127.0.0.1",
            "0.0.0.0",
        ] {
            assert!(!loopback.allow(bad), "{bad}");
        }
        assert!(at("0.0.0.0:80").allow("10.0.0.1:80") && !at("0.0.0.0:80").allow("evil.example"));
        assert!(at("10.0.0.1:80").allow("10.0.0.1") && !at("10.0.0.1:80").allow("10.0.0.2"));
    }
}
