//! Only tests: `tests/browser` drives the page in Chromium.
