//! Tests alone: `tests/browser` drives the page in Chromium.
