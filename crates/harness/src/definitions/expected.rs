//! Which skips `ci/expected.toml` allows.

use crate::targets::skip::Cause;
use crate::targets::{Cell, targets};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::{Workspace, read_text, strict};
use serde::Deserialize;

/// The expected skips.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(default)]
    skip: Vec<Rule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    target: String,
    variant: Option<String>,
    model: Option<String>,
    case: Option<String>,
    cause: Cause,
    /// The rule applies only if `cargo xtask setup` cannot install here: no root, or not Debian.
    #[serde(default)]
    only_where_setup_cannot_install: bool,
    /// Why this skip is right, for readers of the file.
    #[serde(rename = "why")]
    _why: String,
}

impl Expected {
    /// Reads `ci/expected.toml`.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let path = workspace.root.join("ci/expected.toml");
        Expected::parse(&read_text(&path)?).map_err(|message| Error::Malformed { path, message })
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// The message, without the file's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected: Expected = strict::parse(text)?;
        for rule in &expected.skip {
            let target = targets().iter().find(|target| target.name == rule.target);
            let target =
                target.ok_or_else(|| strict::unknown("target", &rule.target, targets().iter().map(|t| t.name)))?;
            let known = |name: &String| target.variants.iter().any(|variant| variant.name == name);
            if let Some(name) = rule.variant.as_ref().filter(|name| !known(name)) {
                return Err(format!("target `{}` has no variant `{name}`", rule.target));
            }
        }
        Ok(expected)
    }

    /// The exit code of a skip: 0 if a rule allows it, else 3. `about` is the model and the case, or `None` if the whole
    /// cell is skipped.
    pub fn exit(&self, cell: Cell, about: Option<(&str, &str)>, cause: Cause, can_install: bool) -> Exit {
        let (model, case) = about.unzip();
        let allowed = self.skip.iter().any(|rule| {
            rule.cause == cause
                && rule.target == cell.target.name
                && rule.variant.as_deref().is_none_or(|variant| variant == cell.variant.name)
                && rule.model.as_deref().is_none_or(|name| Some(name) == model)
                && rule.case.as_deref().is_none_or(|name| Some(name) == case)
                && !(rule.only_where_setup_cannot_install && can_install)
        });
        if allowed { Exit::Pass } else { Exit::NotMeasurable }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Expected};
    use crate::targets::Cell;
    use crate::workspace::exit::Exit;

    const RULES: &str = r#"
        [[skip]]
        target = "xtensa"
        model = "default"
        cause = "memory"
        why = "9.1 MB does not fit 8 MB PSRAM"
        [[skip]]
        target = "wasm"
        cause = "tools"
        only_where_setup_cannot_install = true
        why = "no root"
        [[skip]]
        target = "wasm"
        model = "m"
        case = "m/b"
        cause = "memory"
        why = "only this case is too large"
    "#;

    #[test]
    fn only_listed_skips_are_free() {
        let expected = Expected::parse(RULES).unwrap();
        let lut = Cell::named("xtensa", "lut").unwrap();
        let simd = Cell::named("wasm", "simd128").unwrap();
        assert_eq!(expected.exit(lut, Some(("default", "default/a")), Cause::Memory, true), Exit::Pass);
        assert_eq!(expected.exit(lut, Some(("byte", "byte/a")), Cause::Memory, true), Exit::NotMeasurable);
        assert_eq!(expected.exit(lut, None, Cause::Tools, false), Exit::NotMeasurable);
        assert_eq!(expected.exit(simd, None, Cause::Tools, false), Exit::Pass);
        assert_eq!(expected.exit(simd, None, Cause::Tools, true), Exit::NotMeasurable);
        assert_eq!(expected.exit(simd, Some(("m", "m/b")), Cause::Memory, true), Exit::Pass);
        assert_eq!(expected.exit(simd, Some(("m", "m/a")), Cause::Memory, true), Exit::NotMeasurable);
        assert_eq!(expected.exit(simd, None, Cause::Memory, true), Exit::NotMeasurable);
    }

    #[test]
    fn rules_are_strict() {
        assert!(Expected::parse(&RULES.replace("cause = \"memory\"", "cause = \"mood\"")).is_err());
        assert!(Expected::parse(&RULES.replace("why = \"no root\"", "")).unwrap_err().contains("why"));
        assert!(Expected::parse(&RULES.replace("xtensa", "xtense")).unwrap_err().contains("xtense"));
    }
}
