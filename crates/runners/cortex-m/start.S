@ Vectors and start-up of the firmware: from reset to `bitstate_main`, and from every exception to `bitstate_exception`.

        .syntax unified

@ ---- Vectors: the core reads stack pointer and reset handler from the first two words. ----
        .section .vectors, "a"
        .word   _stack_top
        .word   _reset
        .rept   14                      @ the exceptions of the core; no interrupt is enabled
        .word   bitstate_fault
        .endr

@ ---- Reset. ----
        .section .text.start, "ax"
        .balign 4
        .thumb_func
        .global _reset
_reset: ldr     r0, =0xe000ed88         @ CPACR: floats and vectors on, or the first one faults
        ldr     r1, [r0]
        orr     r1, r1, #(0xf << 20)
        str     r1, [r0]
        ldr     r0, =0xe000ef34         @ FPCCR: exceptions save no float registers, because none returns
        movs    r1, #0
        str     r1, [r0]
        dsb
        isb
        ldr     r0, =_stack_bottom      @ paint the stack: words still painted at the end were never used
        ldr     r1, =_stack_top
        ldr     r2, =0xb175a7e5         @ `PAINT` of bitstate-runner-bare
1:      str     r2, [r0], #4
        cmp     r0, r1
        blo     1b
        ldr     r0, =_data_start        @ initialised variables: from flash to RAM
        ldr     r1, =_data_end
        ldr     r2, =_data_load
        b       3f
2:      ldr     r3, [r2], #4
        str     r3, [r0], #4
3:      cmp     r0, r1
        blo     2b
        ldr     r0, =_bss_start         @ zeroed variables
        ldr     r1, =_bss_end
        movs    r2, #0
        b       5f
4:      str     r2, [r0], #4
5:      cmp     r0, r1
        blo     4b
        bl      bitstate_main           @ does not return

@ ---- Exceptions: bitstate_exception(number, CFSR, address of the instruction, BFAR). ----
        .balign 4
        .thumb_func
bitstate_fault:
        mrs     r0, ipsr
        ldr     r3, =0xe000ed28         @ CFSR
        ldr     r1, [r3]
        movs    r2, #0
        movw    r12, #0x1010            @ MSTKERR, STKERR: the address could not be stored
        tst     r1, r12
        bne     6f
        ldr     r2, [sp, #24]
6:      ldr     r3, [r3, #16]           @ BFAR
        ldr     r12, =_stack_top        @ the stack may be what failed; nothing returns to it
        mov     sp, r12
        bl      bitstate_exception      @ does not return
        .ltorg
