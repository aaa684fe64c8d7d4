//! `println!`, `print!` and `eprintln!` of this program. They have the usual names, so that no call is missed, but do not
//! panic if the reader is gone or the disk is full: see [`bitstate_harness::workspace::output`].

macro_rules! println {
    () => { bitstate_harness::workspace::output::out(format_args!("\n")) };
    ($($argument:tt)*) => {
        bitstate_harness::workspace::output::out(format_args!("{}\n", format_args!($($argument)*)))
    };
}

macro_rules! print {
    ($($argument:tt)*) => { bitstate_harness::workspace::output::out(format_args!($($argument)*)) };
}

macro_rules! eprintln {
    ($($argument:tt)*) => {
        bitstate_harness::workspace::output::err(format_args!("{}\n", format_args!($($argument)*)))
    };
}
