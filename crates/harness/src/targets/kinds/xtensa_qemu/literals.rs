//! Moves literal pools to the function they belong to.
//!
//! The compiler writes a function's literals *before* the `.section` line of that function, so they end up in the
//! literal section of the preceding function, where this function's `l32r` may not reach them, or the linker may drop
//! them with their section. Here each function gets a literal section of its own, directly before it, which the linker
//! script keeps there:
//!
//! ```text
//! what the compiler writes            what the linker needs
//!     .literal_position                   .section .literal.f,"a",@progbits
//!     .literal .LCPI0_0, 1065353216       .p2align 2
//!     .section .text.e,"ax",@progbits .LCPI0_0:
//!     .section .text.f,"ax",@progbits     .long 1065353216
//! f:                                      .section .text.e,"ax",@progbits
//!                                         .section .text.f,"ax",@progbits
//!                                     f:
//! ```

/// The text with every literal in a section before that of its function: the last of the `.section .text…` lines that
/// follow it.
pub(super) fn move_literals(assembly: &str) -> String {
    let mut out = String::with_capacity(assembly.len());
    // The literals, and the lines that switched to a section since.
    let (mut held, mut switched): (Vec<&str>, Vec<&str>) = Default::default();
    for line in assembly.split_inclusive('\n') {
        let directive = line.trim_start();
        if directive.starts_with(".literal_position") {
            continue;
        }
        if let Some(literal) = directive.strip_prefix(".literal").filter(|rest| rest.starts_with([' ', '\t'])) {
            held.push(literal);
        } else if !held.is_empty() && code_section(directive).is_some() {
            switched.push(line);
        } else {
            let name = switched.last().and_then(|line| code_section(line.trim_start()));
            if let Some(name) = name {
                push_literals(&mut out, name, held.drain(..));
            }
            switched.drain(..).for_each(|line| out.push_str(line));
            out.push_str(line);
        }
    }
    // No function follows.
    push_literals(&mut out, "", held.into_iter());
    switched.into_iter().for_each(|line| out.push_str(line));
    out
}

/// The section for the literals of the function in `.text{name}`; a literal is `label, value` or `label, value, value`.
fn push_literals<'a>(out: &mut String, name: &str, literals: impl ExactSizeIterator<Item = &'a str>) {
    if literals.len() == 0 {
        return;
    }
    *out += &format!("\t.section\t.literal{name},\"a\",@progbits\n\t.p2align\t2\n");
    for literal in literals {
        let (label, value) = literal.split_once(',').unwrap_or((literal, "0"));
        *out += &format!("{}:\n\t.long\t{}\n", label.trim(), value.trim());
    }
}

/// What follows `.text` in the name of the section of code that a line switches to.
fn code_section(directive: &str) -> Option<&str> {
    let mut words =
        directive.split(|c: char| c.is_whitespace() || c == ',' || c == '"').filter(|word| !word.is_empty());
    let section = match words.next()? {
        ".section" => words.next()?,
        section => section,
    };
    section.strip_prefix(".text").filter(|name| name.is_empty() || name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_goes_before_the_section_of_its_function() {
        let before =
            "\t.literal_position\n\t.literal .L0, 1\n\t.literal .L1, g+4\n\t.section\t.text.f,\"ax\",@progbits\nf:\n";
        let after = "\t.section\t.literal.f,\"a\",@progbits\n\t.p2align\t2\n.L0:\n\t.long\t1\n.L1:\n\t.long\tg+4\n\t.section\t.text.f,\"ax\",@progbits\nf:\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn the_section_that_is_only_closed_does_not_take_it() {
        let before = ".section .text.e\ne:\n.literal .L0, 1\n.section .text.e\n.section .text.f\nf:\n";
        let after = ".section .text.e\ne:\n\t.section\t.literal.f,\"a\",@progbits\n\t.p2align\t2\n.L0:\n\t.long\t1\n.section .text.e\n.section .text.f\nf:\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn data_sections_between_do_not_take_it() {
        let before = ".literal .L0, 1\n.section .rodata.a,\"a\"\n.long 3\n.section \".text.f\",\"ax\"\nf:\n";
        let after = ".section .rodata.a,\"a\"\n.long 3\n\t.section\t.literal.f,\"a\",@progbits\n\t.p2align\t2\n.L0:\n\t.long\t1\n.section \".text.f\",\"ax\"\nf:\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn two_functions_keep_their_own() {
        let own = |name: &str, label: &str| {
            format!("\t.section\t.literal{name},\"a\",@progbits\n\t.p2align\t2\n{label}:\n\t.long\t1\n")
        };
        let before = ".literal .L0, 1\n.section .text.f\nf:\n.literal .L1, 1\n.text\ng:\n";
        let after = own(".f", ".L0") + ".section .text.f\nf:\n" + &own("", ".L1") + ".text\ng:\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn nothing_is_lost() {
        assert_eq!(move_literals(""), "");
        let alone = "\t.section\t.literal,\"a\",@progbits\n\t.p2align\t2\n.L0:\n\t.long\t1\n";
        assert_eq!(move_literals("f:\n.literal .L0, 1"), format!("f:\n{alone}"));
        assert_eq!(move_literals(".textual\n.section .texture\n"), ".textual\n.section .texture\n");
        assert_eq!(move_literals(".literal .L0, 1\n.section .texture\n"), format!(".section .texture\n{alone}"));
        assert_eq!(move_literals(".literal .L0, 1\n.text\n"), format!("{alone}.text\n"));
    }
}
