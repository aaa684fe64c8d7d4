//! The kinds of targets: one folder each, and below its module and the key of its table.
//!
//! A kind's folder has the keys of its table in `ci/targets.toml`, its build, its run and its sizes, implementing
//! [`Kind`] and [`Launch`](super::Launch).

pub mod browser;
pub mod cortex_qemu;
mod counting;
pub mod esp32s3;
pub mod firmware;
mod lazy;
pub mod modules;
pub mod native;
mod process;
pub mod qemu_user;
mod sections;
pub mod wasmtime;
pub mod xtensa_qemu;

use super::kind::Kind;
use serde::Deserialize;
use std::num::NonZeroU32;
use toml::Spanned;

/// A `[[target.variant]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantEntry {
    pub name: Spanned<String>,
    #[serde(default)]
    pub cpu: Vec<String>,
    #[serde(default)]
    pub rustflags: String,
    #[serde(default)]
    pub features: String,
}

/// What a target is that does not say.
fn yes() -> bool {
    true
}

/// A macro, because serde reports an unknown key with its line only if all known keys are fields of one struct.
macro_rules! kinds {
    ($($key:ident: $kind:ty,)+) => {
        /// A `[[target]]`, with the table of its kind.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct TargetEntry {
            pub name: Spanned<String>,
            pub title: String,
            pub colour: Option<Spanned<String>>,
            #[serde(default = "yes")]
            pub measured: bool,
            #[serde(default = "yes")]
            pub counted: bool,
            pub samples: Option<NonZeroU32>,
            pub memory: String,
            pub tools: Vec<Spanned<String>>,
            pub count_tools: Vec<Spanned<String>>,
            pub versions: Vec<Spanned<String>>,
            pub reads: Vec<u32>,
            $($key: Option<$kind>,)+
            pub variant: Vec<VariantEntry>,
        }

        /// The keys of the kinds' tables.
        pub(super) const NAMES: &[&str] = &[$(stringify!($key)),+];

        impl TargetEntry {
            /// Its kind, if there is exactly one.
            pub(super) fn take_kind(&mut self) -> Option<Box<dyn Kind>> {
                let mut kinds: Vec<Box<dyn Kind>> = Vec::new();
                $(if let Some(kind) = self.$key.take() {
                    kinds.push(Box::new(kind));
                })+
                kinds.pop().filter(|_| kinds.is_empty())
            }
        }
    };
}

kinds! {
    process: native::Process,
    qemu_user: qemu_user::QemuUser,
    wasmtime: wasmtime::Wasmtime,
    browser: browser::Browser,
    qemu_xtensa: xtensa_qemu::Board,
    qemu_cortex_m: cortex_qemu::Board,
    esp32s3: esp32s3::Board,
}
