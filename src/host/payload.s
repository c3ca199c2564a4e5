# SPDX-License-Identifier: GPL-2.0-only
#
# What the accelerator probe boots: enough of a kernel's first milliseconds to find out whether a virtual CPU
# really runs. It is entered like a Linux kernel on QEMU's -kernel (PVH: 32-bit, paging off), switches to long
# mode through paging, executes CPUID, MSR accesses, SSE, an exception with its return, and touches 256 KiB of
# memory; then it writes the marker to the debug console (port 0xe9) and ends QEMU through isa-debug-exit (0xf4).
#
# payload.ts holds the assembled bytes; a test assembles this file and compares. To change it:
#   as --64 -o p.o payload.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o p.bin p.o && xxd -p -c 48 p.bin

	.set	PML4, 0x104000
	.set	PDPT, 0x105000
	.set	PD,   0x106000
	.set	STACK, 0x108000
	.set	SCRATCH, 0x110000

	.text
	.code32
	.globl	_start
_start:
	cli
	cld
	movl	$STACK, %esp
	movb	$'3', %al			# in 32-bit protected mode
	outb	%al, $0xe9

	movl	$PDPT + 3, PML4			# present, writable
	movl	$PD + 3, PDPT
	movl	$0x83, PD			# one 2 MiB page, identity
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x620, %eax			# PAE, OSFXSR, OSXMMEXCPT
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx		# EFER
	rdmsr
	orl	$0x100, %eax			# LME
	wrmsr
	movl	%cr0, %eax
	andl	$0xfffffffb, %eax		# EM off
	orl	$0x80000003, %eax		# PG, MP, PE
	movl	%eax, %cr0
	lgdt	gdtr
	ljmp	$8, $long_mode

	.code64
long_mode:
	movw	$16, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movw	%ax, %es
	movb	$'6', %al			# in long mode
	outb	%al, $0xe9

	xorl	%eax, %eax
	cpuid
	testl	%eax, %eax			# a CPU with long mode has more leaves than one
	jz	fail

	movl	$0xc0000082, %ecx		# LSTAR, as syscall_init() writes it
	movl	$0x12345678, %eax
	movl	$0xffffffff, %edx
	wrmsr
	xorl	%eax, %eax
	rdmsr
	cmpl	$0x12345678, %eax
	jne	fail
	movl	$0x10, %ecx			# TSC
	rdmsr

	movq	$0x5a5a5a5a, %rax
	movq	%rax, %xmm0
	movaps	%xmm0, SCRATCH
	cmpl	$0x5a5a5a5a, SCRATCH
	jne	fail

	xorl	%ebx, %ebx
	lidt	idtr
	int3
	cmpl	$1, %ebx
	jne	fail

	movl	$SCRATCH, %edi
	movl	$0x8000, %ecx
	movq	$-1, %rax
	rep stosq

	movl	$marker, %esi
	movl	$(marker_end - marker), %ecx
	movw	$0xe9, %dx
	rep outsb
	movb	$0x10, %al			# QEMU exits with (0x10 << 1) | 1 = 33
	outb	%al, $0xf4
	jmp	halt
fail:
	movb	$'!', %al
	outb	%al, $0xe9
	movb	$0x11, %al
	outb	%al, $0xf4
halt:
	hlt
	jmp	halt

breakpoint:
	incl	%ebx
	iretq

marker:
	.ascii	"enokey-probe-ok\n"
marker_end:

	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff		# 64-bit code
	.quad	0x00cf93000000ffff		# data
gdtr:
	.word	gdtr - gdt - 1
	.long	gdt

	.balign	16
idt:
	.zero	48
	.word	breakpoint_low
	.word	8
	.word	0x8e00				# present, 64-bit interrupt gate
	.word	0x0010				# the code is loaded at 0x100000
	.quad	0
idtr:
	.word	idtr - idt - 1
	.quad	idt

	.set	breakpoint_low, breakpoint - _start
