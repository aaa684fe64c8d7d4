//! `println!`, `print!` and `eprintln!` for this program: under their usual names, so that none is forgotten, but without
//! the panic where a reader has gone or a disk is full. See [`bitstate_harness::output`].

macro_rules! println {
    () => { bitstate_harness::output::out(format_args!("\n")) };
    ($($argument:tt)*) => {
        bitstate_harness::output::out(format_args!("{}\n", format_args!($($argument)*)))
    };
}

macro_rules! print {
    ($($argument:tt)*) => { bitstate_harness::output::out(format_args!($($argument)*)) };
}

macro_rules! eprintln {
    ($($argument:tt)*) => {
        bitstate_harness::output::err(format_args!("{}\n", format_args!($($argument)*)))
    };
}
