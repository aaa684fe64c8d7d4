// Start-up of the firmware: from the reset vector to `bitstate_main`, and the two instructions that Rust has no
// name for. Assembled by llvm-mc; every literal is written out, because `l32r` reaches backwards only.

// ---- Reset: the first instruction that the core fetches, in ROM. ----
        .section .reset, "ax"
        .global _reset
_reset: j       1f
        .balign 4
2:      .long   _start
1:      l32r    a0, 2b
        jx      a0

// ---- Vectors: offsets are the core's, and the ESP32-S3 has the same ones. ----
        .section .vectors, "ax"
        .global _vectors
_vectors:
        .org    0x300                   // kernel exception: taken while PS.UM is 0, as it is here
        j       exception
        .org    0x340                   // user exception
        j       exception
        .org    0x3c0                   // double exception
        j       exception
        .balign 4
.Ltop:  .long   _stack_top
.Lhandler:
        .long   bitstate_exception
exception:
        rsr     a2, exccause
        rsr     a3, epc1
        rsr     a4, excvaddr
        movi    a0, 0                   // EXCM off, or zero-overhead loops run once
        wsr     a0, ps
        rsync
        l32r    a1, .Ltop               // the stack may be what failed; nothing returns to it
        l32r    a0, .Lhandler
        callx0  a0

// ---- Start. ----
        .section .literal.start, "a"
        .balign 4
.Lvectors:      .long _vectors
.Lbottom:       .long _stack_bottom
.Lstack_top:    .long _stack_top
.Lpaint:        .long 0xb175a7e5        // `PAINT` of bitstate-runner-bare

.Lmain:         .long bitstate_main

        .section .text.start, "ax"
        .balign 4
        .global _start
_start:
        movi    a0, 0
        wsr     a0, ps                  // no interrupts, EXCM off
        rsync
        l32r    a0, .Lvectors
        wsr     a0, vecbase
        movi    a2, -1
        wsr     a2, cpenable            // or the first float instruction traps
        rsync
        l32r    a1, .Lstack_top
        l32r    a2, .Lbottom
        l32r    a3, .Lpaint
1:      s32i    a3, a2, 0               // paint the stack: words still painted at the end were never used
        addi    a2, a2, 4
        bltu    a2, a1, 1b
        l32r    a0, .Lmain              // in flash, out of reach of a call
        callx0  a0                      // -> a2: exit status
        mov     a3, a2
        movi    a2, 1                   // SYS_exit
        call0   bitstate_simcall
2:      j       2b

// i32 bitstate_simcall(u32 number, usize a, usize b, usize c): the arguments are already in the registers of simcall.
        .balign 4
        .global bitstate_simcall
bitstate_simcall:
        .byte   0x00, 0x51, 0x00        // simcall
        ret

// u32 bitstate_ccount(): the core's cycle counter.
        .balign 4
        .global bitstate_ccount
bitstate_ccount:
        rsr     a2, ccount
        ret

// f32 __divsf3(f32 a, f32 b): `a / b`, correctly rounded, by the FPU's steps for it; in place of the compiler's own, which
// computes the quotient bit by bit. The reciprocal of the scaled divisor takes three steps of Newton's iteration and the
// quotient one; the last instructions put the exponents back and round once, for all operands.
        .balign 4
        .global __divsf3
__divsf3:
        wfr     f1, a2                  // a
        wfr     f2, a3                  // b
        mov.s   f7, f2
        mkdadj.s f7, f1                 // the exponent of the quotient, or that it is special
        div0.s  f3, f2                  // y, about 1 / b
        nexp01.s f4, f2                 // -b, scaled
        nexp01.s f5, f1                 // -a, scaled
        neg.s   f6, f5
        const.s f0, 0
        maddn.s f0, f6, f3              // q = a y
        maddn.s f6, f4, f0              // r = a - b q
        const.s f8, 1
        maddn.s f8, f4, f3              // e = 1 - b y
        maddn.s f3, f8, f3              // y = y + e y
        const.s f8, 1
        maddn.s f8, f4, f3
        maddn.s f3, f8, f3
        maddn.s f0, f6, f3              // q = q + r y
        const.s f8, 1
        maddn.s f8, f4, f3
        maddn.s f3, f8, f3
        neg.s   f6, f5
        maddn.s f6, f4, f0              // r = a - b q
        addexpm.s f0, f7
        addexp.s f3, f7
        divn.s  f0, f6, f3              // q + r y, rounded
        rfr     a2, f0
        ret
