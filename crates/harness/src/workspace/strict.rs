//! Strict parsing of TOML: an error for an unknown key names its line and the nearest valid key.

use crate::workspace::error::nearest;
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;

/// Parses a text into a type whose derived `Deserialize` denies unknown fields.
///
/// # Errors
/// A message that begins with the line, without the file's name.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let message = suggest(error.message());
        match error.span() {
            Some(span) => at(text, &span, &message),
            None => message,
        }
    })
}

/// A message about a position in the text, with its line.
pub fn at(text: &str, span: &Range<usize>, message: &str) -> String {
    let line = text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("line {line}: {message}")
}

/// The error for the first repeated value.
pub fn repeated<'a>(
    text: &str,
    kind: &str,
    names: impl IntoIterator<Item = &'a Spanned<String>>,
) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if seen.contains(&name.get_ref().as_str()) {
            return Err(at(text, &name.span(), &format!("{kind} `{}` is there twice", name.get_ref())));
        }
        seen.push(name.get_ref());
    }
    Ok(())
}

/// The error for an unknown name, with the nearest valid one.
pub fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {kind} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {kind} `{name}`: there is {}", known.join(", ")),
    }
}

/// Serde's error for an unknown key or value, reworded as in other files; any other error unchanged.
fn suggest(message: &str) -> String {
    for (start, kind) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some((name, rest)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) else { continue };
        // The valid names are listed between backticks.
        let known = rest.split('`').skip(1).step_by(2);
        return unknown(kind, name, known);
    }
    message.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::{parse, repeated};
    use serde::Deserialize;
    use toml::Spanned;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        thing: Vec<Thing>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: Spanned<String>,
        #[serde(rename = "colour")]
        _colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        DarkGreen,
    }

    fn refuse(text: &str) -> String {
        parse::<File>(text).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_nearest_right_name() {
        assert_eq!(
            refuse("\n[[thing]]\nname = 'a'\ncolor = 'red'\n"),
            "line 4: there is no key `color`; did you mean `colour`?"
        );
        assert_eq!(
            refuse("[[thing]]\nname = 'a'\ncolour = 'dark_gren'\n"),
            "line 3: there is no value `dark_gren`; did you mean `dark_green`?"
        );
        assert_eq!(refuse("[[thing]]\nzzz = 'a'\n"), "line 2: there is no key `zzz`: there is name, colour");
        assert_eq!(refuse("\n[[thing]]\ncolour = 'red'\n"), "line 2: missing field `name`");
        assert!(refuse("[[thing]]\nname = 5\n").starts_with("line 2: invalid type: integer"));
        assert!(refuse("[[thing]\n").starts_with("line 1: "));
    }

    #[test]
    fn a_repeated_name_is_reported_at_its_second_occurrence() {
        let text = "[[thing]]\nname = 'a'\n[[thing]]\nname = 'b'\n[[thing]]\nname = 'a'\n";
        let file: File = parse(text).unwrap();
        let names = file.thing.iter().map(|thing| &thing.name);
        assert_eq!(repeated(text, "thing", names).unwrap_err(), "line 6: thing `a` is there twice");
        assert_eq!(repeated(text, "thing", file.thing[..2].iter().map(|thing| &thing.name)), Ok(()));
    }
}
