// Start-up of an ESP32-S3: from the second-stage bootloader to `_start`, which is that of the emulated core
// (../xtensa/start.S). Assembled by llvm-mc; every literal is written out, because `l32r` reaches backwards only.
//
// Addresses, names and keys of the registers are those of the ESP32-S3 Technical Reference Manual: chapters "Watchdog
// Timers (WDT)", "Low-power Management (RTC_CNTL)", "Timer Group (TIMG)", "Reset and Clock" and "System Registers
// (SYSTEM)". The base addresses are in its chapter "System and Memory", table "Module/Peripheral Address Mapping".
//
// The bootloader has mapped code and data of the flash, switched the caches and the 480 MHz PLL on, and starts this with
// the RTC watchdog running, at 80 MHz, in the windowed calling convention.

        .equ    WDT_WKEY,       0x50d83aa1      // of RTC_CNTL_WDTWPROTECT_REG and TIMG_WDTWPROTECT_REG
        .equ    SWD_WKEY,       0x8f1d312a      // of RTC_CNTL_SWD_WPROTECT_REG

        .equ    RTC_CNTL,       0x60008000
        .equ    RTC_CNTL_WDTCONFIG0,    0x98    // RTC_CNTL_WDT_EN in bit 31, RTC_CNTL_WDT_FLASHBOOT_MOD_EN in bit 12
        .equ    RTC_CNTL_WDTWPROTECT,   0xb0
        .equ    RTC_CNTL_SWD_CONF,      0xb4    // RTC_CNTL_SWD_AUTO_FEED_EN in bit 31
        .equ    RTC_CNTL_SWD_WPROTECT,  0xb8

        .equ    TIMG0,          0x6001f000
        .equ    TIMG1,          0x60020000
        .equ    TIMG_WDTCONFIG0,        0x48    // TIMG_WDT_EN in bit 31, TIMG_WDT_FLASHBOOT_MOD_EN in bit 14
        .equ    TIMG_WDTWPROTECT,       0x64

        .equ    SYSTEM,         0x600c0000
        .equ    SYSTEM_CPU_PER_CONF,    0x10    // SYSTEM_CPUPERIOD_SEL in bits 1-0, SYSTEM_PLL_FREQ_SEL in bit 2
        .equ    SYSTEM_SYSCLK_CONF,     0x60    // SYSTEM_PRE_DIV_CNT in bits 9-0, SYSTEM_SOC_CLK_SEL in bits 11-10

        .section .literal.board, "a"
        .balign 4
.Lwdt_key:      .long WDT_WKEY
.Lswd_key:      .long SWD_WKEY
.Lrtc_cntl:     .long RTC_CNTL
.Ltimg0:        .long TIMG0
.Ltimg1:        .long TIMG1
.Lsystem:       .long SYSTEM
.Lbit31:        .long 0x80000000
.Lsysclk_mask:  .long 0xfffff000                // all but SYSTEM_SOC_CLK_SEL and SYSTEM_PRE_DIV_CNT
.Lsoc_clk_pll:  .long 1 << 10                   // SYSTEM_SOC_CLK_SEL = 1: PLL_CLK; SYSTEM_PRE_DIV_CNT = 0
.Lbss_start:    .long _bss_start
.Lbss_end:      .long _bss_end
.Lstart:        .long _start

        .section .text.board, "ax"
        .balign 4
        .global _board
_board:
        // No interrupts, and the call0 convention: with PS.WOE set, touching a4 could spill the bootloader's window.
        movi    a0, 0
        wsr     a0, intenable
        wsr     a0, ps
        rsync
        wsr     a0, lcount              // no zero-overhead loop is under way

        // RTC watchdog (RWDT): off. The bootloader leaves it running, to reset a chip whose program does not start.
        l32r    a1, .Lrtc_cntl
        l32r    a2, .Lwdt_key
        s32i    a2, a1, RTC_CNTL_WDTWPROTECT
        s32i    a0, a1, RTC_CNTL_WDTCONFIG0
        s32i    a0, a1, RTC_CNTL_WDTWPROTECT

        // Super watchdog (SWD): fed by itself.
        l32r    a3, .Lswd_key
        s32i    a3, a1, RTC_CNTL_SWD_WPROTECT
        l32i    a3, a1, RTC_CNTL_SWD_CONF
        l32r    a4, .Lbit31
        or      a3, a3, a4
        s32i    a3, a1, RTC_CNTL_SWD_CONF
        s32i    a0, a1, RTC_CNTL_SWD_WPROTECT

        // Main system watchdogs of both timer groups (MWDT0, MWDT1): off.
        l32r    a1, .Ltimg0
        s32i    a2, a1, TIMG_WDTWPROTECT
        s32i    a0, a1, TIMG_WDTCONFIG0
        s32i    a0, a1, TIMG_WDTWPROTECT
        l32r    a1, .Ltimg1
        s32i    a2, a1, TIMG_WDTWPROTECT
        s32i    a0, a1, TIMG_WDTCONFIG0
        s32i    a0, a1, TIMG_WDTWPROTECT

        // CPU clock: PLL_CLK of 480 MHz (SYSTEM_PLL_FREQ_SEL = 1) divided to 160 MHz and then 240 MHz
        // (SYSTEM_CPUPERIOD_SEL = 1, 2), with a pause between for the supply voltage. APB stays at 80 MHz, so the baud
        // rate of UART0 does not change.
        l32r    a1, .Lsystem
        l32i    a3, a1, SYSTEM_SYSCLK_CONF
        l32r    a4, .Lsysclk_mask
        and     a3, a3, a4
        l32r    a4, .Lsoc_clk_pll
        or      a3, a3, a4
        s32i    a3, a1, SYSTEM_SYSCLK_CONF
        l32i    a3, a1, SYSTEM_CPU_PER_CONF
        movi    a4, ~7
        and     a3, a3, a4
        movi    a4, 4 | 1
        or      a4, a3, a4
        s32i    a4, a1, SYSTEM_CPU_PER_CONF
        memw
        movi    a5, 2000
1:      addi    a5, a5, -1              // at least 25 microseconds
        bnez    a5, 1b
        movi    a4, 4 | 2
        or      a4, a3, a4
        s32i    a4, a1, SYSTEM_CPU_PER_CONF
        memw

        // Variables that begin as zero: RAM holds anything after reset.
        l32r    a1, .Lbss_start
        l32r    a2, .Lbss_end
        j       3f
2:      s32i    a0, a1, 0
        addi    a1, a1, 4
3:      bltu    a1, a2, 2b

        l32r    a0, .Lstart
        jx      a0

// ---- The application descriptor: the bootloader reads it at the start of the first mapped segment. Layout by the ESP-IDF
// Programming Guide, "Application Image Format", `esp_app_desc_t`. espflash fills in the ELF file's SHA-256. ----
        .section .flash.appdesc, "a"
        .balign 16
        .global esp_app_desc
esp_app_desc:
        .long   0xabcd5432              // magic word
        .long   0                       // secure version
        .long   0, 0
1:      .ascii  "0.1.0"                 // version
        .org    esp_app_desc + 48
        .ascii  "bitstate"              // project name
        .org    esp_app_desc + 80
        .ascii  "00:00:00"              // time of the build: always the same, so that equal sources give equal images
        .org    esp_app_desc + 96
        .ascii  "Jan  1 2026"
        .org    esp_app_desc + 112
        .ascii  "none"                  // version of ESP-IDF
        .org    esp_app_desc + 144
        .zero   32                      // SHA-256 of the ELF file
        .short  0, 0xffff               // revisions of the eFuse block: any
        .byte   16                      // MMU pages of 2^16 bytes
        .org    esp_app_desc + 256
