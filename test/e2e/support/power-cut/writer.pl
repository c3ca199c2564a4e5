#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Does what a list of operations says, in the current folder, each made durable by fsync before the next:
#
#   writer.pl LIST      one operation a line: NUMBER KIND ARGUMENTS; see operation.ts, which makes the list
#
# Prints "do NUMBER" before an operation and "ack NUMBER" when fsync has returned. Stops at the first error.
use strict;
use warnings;

use Digest::SHA qw(sha512);
use Fcntl qw(O_RDONLY O_RDWR O_CREAT O_DIRECT O_DIRECTORY);

# x86-64: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/linux/{falloc,fs}.h
use constant { PWRITE => 18, FSYNC => 74, FDATASYNC => 75, FALLOCATE => 285, SYNCFS => 306 };
use constant { PUNCH_HOLE_KEEP_SIZE => 3, FICLONERANGE => 0x4020940d, BLOCK => 4096 };

$| = 1;

sub file {
	my ($name, $flags) = @_;
	sysopen my $file, $name, ($flags // 0) | O_RDWR | O_CREAT, 0644 or die "open $name: $!\n";
	return $file;
}

sub call {
	my ($what, $number, @arguments) = @_;
	syscall($number, @arguments) != -1 or die "$what: $!\n";
}

my %do = (
	# NAME BLOCK TOKENS HOW: one block a token, filled with the token's digest.
	write => sub {
		my ($name, $block, $tokens, $how) = @_;
		my $bytes = join '', map { sha512($_) x (BLOCK / 64) } split /,/, $tokens;
		my $file = file($name, $how eq 'direct' ? O_DIRECT : 0);
		# O_DIRECT wants an aligned buffer.
		my $buffer = "\0" x (length($bytes) + BLOCK);
		my $address = unpack 'Q', pack 'p', $buffer;
		my $pad = -$address % BLOCK;
		substr $buffer, $pad, length $bytes, $bytes;
		my $n = syscall PWRITE, fileno $file, $address + $pad, length $bytes, $block * BLOCK;
		die "pwrite: $n: $!\n" if $n != length $bytes;
		call($how, $how eq 'fdatasync' ? FDATASYNC : FSYNC, fileno $file);
	},
	truncate => sub {
		my ($name, $blocks) = @_;
		my $file = file($name);
		truncate $file, $blocks * BLOCK or die "truncate: $!\n";
		call('fsync', FSYNC, fileno $file);
	},
	punch => sub {
		my ($name, $block, $count) = @_;
		my $file = file($name);
		call('punch', FALLOCATE, fileno $file, PUNCH_HOLE_KEEP_SIZE, $block * BLOCK, $count * BLOCK);
		call('fsync', FSYNC, fileno $file);
	},
	allocate => sub {
		my ($name, $block, $count) = @_;
		my $file = file($name);
		call('fallocate', FALLOCATE, fileno $file, 0, $block * BLOCK, $count * BLOCK);
		call('fsync', FSYNC, fileno $file);
	},
	clone => sub {
		my ($from, $fromBlock, $to, $toBlock, $count) = @_;
		my ($source, $file) = (file($from), file($to));
		my $range = pack 'q Q Q Q', fileno $source, $fromBlock * BLOCK, $count * BLOCK, $toBlock * BLOCK;
		ioctl $file, FICLONERANGE, $range or die "clone: $!\n";
		call('fsync', FSYNC, fileno $file);
	},
	rename => sub {
		my ($from, $to) = @_;
		rename $from, $to or die "rename: $!\n";
		call('fsync', FSYNC, fileno file($to));
	},
	unlink => sub {
		my ($name) = @_;
		unlink $name or die "unlink: $!\n";
		sysopen my $dir, '.', O_RDONLY | O_DIRECTORY or die "open .: $!\n";
		call('fsync', FSYNC, fileno $dir);
	},
	sync => sub {
		sysopen my $dir, '.', O_RDONLY | O_DIRECTORY or die "open .: $!\n";
		call('syncfs', SYNCFS, fileno $dir);
	},
);

open my $list, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
while (<$list>) {
	my ($number, $kind, @arguments) = split;
	print "do $number\n";
	eval { $do{$kind}->(@arguments); 1 } or die "$number $kind @arguments: $@";
	print "ack $number\n";
}
