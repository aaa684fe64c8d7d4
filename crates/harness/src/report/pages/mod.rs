//! The pages of a report: one in Markdown, one in HTML, and the part of the README.

pub mod html;
pub mod markdown;
pub(in crate::report) mod site;
mod words;
