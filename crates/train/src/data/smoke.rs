//! Small rule-based stories, for tests and for a first training run on a machine without data.

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

const NAMES: [&str; 12] =
    ["Ada", "Bo", "Cleo", "Dov", "Edda", "Finn", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Liam"];
const ANIMALS: [&str; 8] = ["cat", "dog", "hen", "fox", "goat", "mole", "owl", "toad"];
const PLACES: [&str; 8] = [
    "in the garden",
    "by the river",
    "on the hill",
    "near the barn",
    "under the old oak",
    "at the mill",
    "in the shed",
    "on the beach",
];
const THINGS: [&str; 10] = ["ball", "kite", "bell", "lamp", "boat", "drum", "key", "coat", "pie", "stone"];
const COLOURS: [&str; 6] = ["red", "blue", "green", "yellow", "white", "black"];
const MOODS: [&str; 5] = ["glad", "proud", "calm", "tired", "hungry"];

/// `count` stories of a few sentences each, from `seed`. A child loses a thing, an animal finds it; names, thing, place
/// and colour stay the same through a story, so that there is something to remember.
pub fn smoke_corpus(count: usize, seed: u64) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| story(&mut rng)).collect()
}

fn story(rng: &mut ChaCha8Rng) -> String {
    let mut of = |words: &[&'static str]| *words.choose(rng).expect("no list is empty");
    let (name, animal, place, thing, colour) = (of(&NAMES), of(&ANIMALS), of(&PLACES), of(&THINGS), of(&COLOURS));
    let (mood, later) = (of(&MOODS), of(&PLACES));
    let opening = of(&["One day", "In the morning", "After the rain", "Last summer", "Long ago"]);
    let mut text = format!("{opening}, {name} had a {colour} {thing}. {name} took the {thing} to play {place}. ");
    match rng.random_range(0..3) {
        0 => text += &format!("The wind came and the {thing} was gone. "),
        1 => text += &format!("{name} put the {thing} down and forgot it. "),
        _ => text += &format!("The {thing} fell and rolled far away. "),
    }
    text += &format!("\"Where is my {colour} {thing}?\" said {name}. ");
    if rng.random_bool(0.5) {
        text += &format!("{name} looked {later}, but it was not there. ");
    }
    text += &format!("Then a {animal} came. \"I saw a {colour} {thing} {place},\" said the {animal}. ");
    text += &format!("They went back together, and there it was. {name} was {mood}, and the {animal} was {mood} too.");
    text
}
