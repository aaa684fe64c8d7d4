// Start-up of an ESP32-S3: from the second-stage bootloader to `_start`, which is that of the emulated core
// (../xtensa/start.S). Assembled by llvm-mc; every literal is written out, because `l32r` reaches backwards only.
//
// Addresses, names and keys of the registers are those of the ESP32-S3 Technical Reference Manual: chapters "Watchdog
// Timers (WDT)", "Low-power Management (RTC_CNTL)", "Timer Group (TIMG)", "Reset and Clock" and "System Registers
// (SYSTEM)". The base addresses are in its chapter "System and Memory", table "Module/Peripheral Address Mapping".
//
// The bootloader has mapped code and data of the flash, switched the caches and the 480 MHz PLL on, and starts this with
// the RTC watchdog running, at 80 MHz, in the windowed calling convention.

//   RTC_CNTL    0x60008000   0x98 RTC_CNTL_WDTCONFIG0_REG: bit 31 RTC_CNTL_WDT_EN, bit 12 RTC_CNTL_WDT_FLASHBOOT_MOD_EN
//                            0xb0 RTC_CNTL_WDTWPROTECT_REG: the key 0x50d83aa1 allows changes
//                            0xb4 RTC_CNTL_SWD_CONF_REG: bit 31 RTC_CNTL_SWD_AUTO_FEED_EN
//                            0xb8 RTC_CNTL_SWD_WPROTECT_REG: the key 0x8f1d312a allows changes
//   TIMG0       0x6001f000   0x48 TIMG_WDTCONFIG0_REG: bit 31 TIMG_WDT_EN, bit 14 TIMG_WDT_FLASHBOOT_MOD_EN
//   TIMG1       0x60020000   0x64 TIMG_WDTWPROTECT_REG: the key 0x50d83aa1 allows changes
//   SYSTEM      0x600c0000   0x10 SYSTEM_CPU_PER_CONF_REG: bits 1-0 SYSTEM_CPUPERIOD_SEL, bit 2 SYSTEM_PLL_FREQ_SEL
//                            0x60 SYSTEM_SYSCLK_CONF_REG: bits 9-0 SYSTEM_PRE_DIV_CNT, bits 11-10 SYSTEM_SOC_CLK_SEL
//
// Offsets are written as numbers, because the assembler takes no names there.

        .section .literal.board, "a"
        .balign 4
.Lwdt_key:      .long 0x50d83aa1
.Lswd_key:      .long 0x8f1d312a
.Lrtc_cntl:     .long 0x60008000
.Ltimg0:        .long 0x6001f000
.Ltimg1:        .long 0x60020000
.Lsystem:       .long 0x600c0000
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
        s32i    a2, a1, 0xb0            // RTC_CNTL_WDTWPROTECT_REG
        s32i    a0, a1, 0x98            // RTC_CNTL_WDTCONFIG0_REG
        s32i    a0, a1, 0xb0            // RTC_CNTL_WDTWPROTECT_REG

        // Super watchdog (SWD): fed by itself.
        l32r    a3, .Lswd_key
        s32i    a3, a1, 0xb8            // RTC_CNTL_SWD_WPROTECT_REG
        l32i    a3, a1, 0xb4            // RTC_CNTL_SWD_CONF_REG
        l32r    a4, .Lbit31
        or      a3, a3, a4
        s32i    a3, a1, 0xb4            // RTC_CNTL_SWD_CONF_REG
        s32i    a0, a1, 0xb8            // RTC_CNTL_SWD_WPROTECT_REG

        // Main system watchdogs of both timer groups (MWDT0, MWDT1): off.
        l32r    a1, .Ltimg0
        s32i    a2, a1, 0x64            // TIMG_WDTWPROTECT_REG
        s32i    a0, a1, 0x48            // TIMG_WDTCONFIG0_REG
        s32i    a0, a1, 0x64            // TIMG_WDTWPROTECT_REG
        l32r    a1, .Ltimg1
        s32i    a2, a1, 0x64            // TIMG_WDTWPROTECT_REG
        s32i    a0, a1, 0x48            // TIMG_WDTCONFIG0_REG
        s32i    a0, a1, 0x64            // TIMG_WDTWPROTECT_REG

        // CPU clock: PLL_CLK of 480 MHz (SYSTEM_PLL_FREQ_SEL = 1) divided to 160 MHz and then 240 MHz
        // (SYSTEM_CPUPERIOD_SEL = 1, 2), with a pause between for the supply voltage. APB stays at 80 MHz, so the baud
        // rate of UART0 does not change.
        l32r    a1, .Lsystem
        l32i    a3, a1, 0x60            // SYSTEM_SYSCLK_CONF_REG
        l32r    a4, .Lsysclk_mask
        and     a3, a3, a4
        l32r    a4, .Lsoc_clk_pll
        or      a3, a3, a4
        s32i    a3, a1, 0x60            // SYSTEM_SYSCLK_CONF_REG
        l32i    a3, a1, 0x10            // SYSTEM_CPU_PER_CONF_REG
        movi    a4, ~7
        and     a3, a3, a4
        movi    a4, 4 | 1
        or      a4, a3, a4
        s32i    a4, a1, 0x10            // SYSTEM_CPU_PER_CONF_REG
        memw
        movi    a5, 2000
1:      addi    a5, a5, -1              // at least 25 microseconds
        bnez    a5, 1b
        movi    a4, 4 | 2
        or      a4, a3, a4
        s32i    a4, a1, 0x10            // SYSTEM_CPU_PER_CONF_REG
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
