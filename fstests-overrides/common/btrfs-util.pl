#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# btrfs(8) for file systems with the encrypt feature. Released btrfs-progs (7.3) know its bit by name, but `btrfs check`
# and `dump-tree` refuse to open a file system that has it ("unsupported option features (8000)"). For these two the
# bit is cleared in the superblocks of the unmounted device while the real program runs, and set again afterwards,
# also when this is told to stop. Everything else goes to the real program as it is.
#
#   btrfs-util.pl ARGUMENTS...        BTRFS_REAL: the real program (default: btrfs in PATH)
#
# Offsets: struct btrfs_super_block in the kernel's include/uapi/linux/btrfs_tree.h.
use strict;
use warnings;

use constant {
	SIZE => 4096, MAGIC_AT => 64, INCOMPAT_AT => 188, CSUM_TYPE_AT => 196, CSUM_SIZE => 32, ENCRYPT => 1 << 15,
};
# BTRFS_SUPER_INFO_OFFSET and the mirrors of btrfs_sb_offset().
my @places = (65536, 64 << 20, 256 << 30);

my $real = $ENV{BTRFS_REAL} // 'btrfs';
my $command = join ' ', @ARGV[0 .. ($#ARGV < 1 ? $#ARGV : 1)];
my ($device) = grep { -b $_ || -f $_ } reverse @ARGV;
if (!$device || $command !~ /^(?:check\b|inspect-internal dump-tree)/) {
	exec $real, @ARGV or die "$real: $!\n";
}

my @table = map {
	my $c = $_;
	$c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
	$c;
} 0 .. 255;

sub crc32c {
	my $c = 0xffffffff;
	$c = $table[($c ^ $_) & 0xff] ^ ($c >> 8) for unpack 'C*', $_[0];
	return $c ^ 0xffffffff;
}

# Sets or clears the bit wherever a superblock is; returns whether any changed.
sub change {
	my ($set) = @_;
	my $changed = 0;
	open my $disk, '+<:raw', $device or die "$device: $!\n";
	my $end = sysseek $disk, 0, 2;
	for my $place (@places) {
		next if $place + SIZE > $end;
		sysseek $disk, $place, 0 or die "$device: seek: $!\n";
		(sysread($disk, my $block, SIZE) // 0) == SIZE or die "$device: read: $!\n";
		next unless substr($block, MAGIC_AT, 8) eq '_BHRfS_M';
		my $flags = unpack 'Q<', substr $block, INCOMPAT_AT, 8;
		next if !!($flags & ENCRYPT) == !!$set;
		die "$device: checksum type is not crc32c\n" if unpack 'S<', substr $block, CSUM_TYPE_AT, 2;
		substr($block, INCOMPAT_AT, 8) = pack 'Q<', $set ? $flags | ENCRYPT : $flags & ~ENCRYPT;
		substr($block, 0, CSUM_SIZE) = pack 'L< x28', crc32c(substr $block, CSUM_SIZE);
		sysseek $disk, $place, 0 or die "$device: seek: $!\n";
		(syswrite($disk, $block) // 0) == SIZE or die "$device: write: $!\n";
		$changed++;
	}
	close $disk or die "$device: $!\n";
	return $changed;
}

# A mounted file system writes its own superblocks: hands off.
open my $mounts, '<', '/proc/mounts' or die "/proc/mounts: $!\n";
if (grep { (split ' ')[0] eq $device } <$mounts>) {
	exec $real, @ARGV or die "$real: $!\n";
}

my $child;
# Installed before the bit is cleared: no signal may end this between the two changes.
$SIG{$_} = sub { kill 'TERM', $child if $child } for qw(INT TERM HUP);
my $cleared = change(0);
my $restore = sub { change(1) if $cleared; $cleared = 0 };
$child = fork // die "fork: $!\n";
if (!$child) {
	exec $real, @ARGV or die "$real: $!\n";
}
1 while waitpid($child, 0) == -1 && $!{EINTR};
my $status = $?;
$restore->();
exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
