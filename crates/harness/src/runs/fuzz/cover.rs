//! Chooses a few inputs that together reach most of the edges that all inputs reach.

use std::collections::HashSet;
use std::path::PathBuf;

/// An input with the edges it reaches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    path: PathBuf,
    bytes: u64,
    edges: Vec<u64>,
}

/// Parses the control file of a merge: the number of inputs, how many of them are in the first folder, their paths;
/// then for each input `STARTED number bytes`, `FT number features`, `COV number edges`. With neither counters nor
/// values as features, `FT` lists all edges of an input, and `COV` only those that no earlier input reaches.
pub(super) fn parse(control: &str) -> Result<Vec<Input>, String> {
    let mut lines = control.lines();
    let mut number =
        || lines.next().and_then(|line| line.parse::<usize>().ok()).ok_or("it does not begin with two numbers");
    let (count, _) = (number()?, number()?);
    let input = |path: &str| Input { path: path.into(), bytes: 0, edges: Vec::new() };
    let mut inputs: Vec<Input> = lines.by_ref().take(count).map(input).collect();
    for line in lines {
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let numbers = words.filter(|word| !word.is_empty()).map(str::parse::<u64>).collect::<Result<Vec<_>, _>>();
        let numbers = numbers.map_err(|_| format!("`{line}` holds something else than numbers"))?;
        let Some((&index, rest)) = numbers.split_first() else { continue };
        let input = usize::try_from(index).ok().and_then(|index| inputs.get_mut(index));
        let input = input.ok_or_else(|| format!("there is no input {index}"))?;
        match (kind, rest) {
            ("STARTED", [bytes]) => input.bytes = *bytes,
            ("FT", edges) => input.edges = edges.to_vec(),
            _ => {}
        }
    }
    Ok(inputs)
}

/// Chooses at most `most` inputs of at most `room` bytes together, greedily: the input with the most new edges, and of
/// several the smallest.
pub(super) fn choose(mut inputs: Vec<Input>, most: usize, mut room: u64) -> Vec<PathBuf> {
    let mut reached: HashSet<u64> = HashSet::new();
    let mut chosen = Vec::new();
    while chosen.len() < most {
        for input in &mut inputs {
            input.edges.retain(|edge| !reached.contains(edge));
        }
        inputs.retain(|input| !input.edges.is_empty() && input.bytes <= room);
        let best = (0..inputs.len()).max_by_key(|&i| (inputs[i].edges.len(), std::cmp::Reverse(inputs[i].bytes)));
        let Some(best) = best else { break };
        let Input { path, bytes, edges } = inputs.swap_remove(best);
        reached.extend(edges);
        room -= bytes;
        chosen.push(path);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::{choose, parse};
    use std::path::PathBuf;

    const CONTROL: &str = "4\n1\na\nb\nc\nd\nSTARTED 0 9\nFT 0 1 2 3\nCOV 0 1 2 3\nSTARTED 1 4\nFT 1 4 5\nCOV 1 4 5\n\
                           STARTED 2 3\nFT 2 3 4 5\nCOV 2\nSTARTED 3 2\nFT 3\nCOV 3\n";

    fn chosen(most: usize, room: u64) -> Vec<PathBuf> {
        choose(parse(CONTROL).unwrap(), most, room)
    }

    #[test]
    fn what_reaches_most_that_is_new_comes_first() {
        assert_eq!(chosen(9, 100), [PathBuf::from("c"), "a".into()]);
        assert_eq!(chosen(1, 100), [PathBuf::from("c")]);
        assert_eq!(chosen(9, 8), [PathBuf::from("c")]);
        assert!(chosen(9, 0).is_empty());
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        for wrong in ["", "a\n1\n", "1\n1\nx\nFT 1 2\n", "1\n1\nx\nFT 0 x\n"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
