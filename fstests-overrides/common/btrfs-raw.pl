#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Reads raw bytes of an unmounted (or synced) btrfs, with `btrfs inspect-internal dump-tree` as the guide:
# not every btrfs-progs prints what is in the items of fscrypt, 7.3 does.
#
#   btrfs-raw.pl item DEVICE INODE TYPE [OFFSET]   data of the first such item of the top level subvolume, in hex;
#                                                  nothing when there is none
#   btrfs-raw.pl sectors DEVICE LIST               contents of 512-byte sectors; LIST: logical numbers, commas
#
# The size of a node's header and the meaning of itemoff: struct btrfs_header and btrfs_item_nr_offset in the
# kernel's include/uapi/linux/btrfs_tree.h.
use strict;
use warnings;

use File::Basename qw(dirname);

use constant { HEADER => 101, SUPER => 65536, DEVID => 201 };

# Key types as dump-tree names them; tools that do not know one print UNKNOWN.N.
my %names = (12 => 'INODE_REF', 41 => 'FSCRYPT_INODE_CTX', 42 => 'FSCRYPT_CTX');

my ($what, $device, @rest) = @ARGV;
die "usage: btrfs-raw.pl item DEVICE INODE TYPE [OFFSET] | sectors DEVICE LIST\n" unless @rest;

open my $disk, '<:raw', $device or die "$device: $!\n";

sub bytes_at {
	my ($where, $length) = @_;
	my $got = '';
	sysseek $disk, $where, 0 or die "$device: seek: $!\n";
	while (length $got < $length) {
		my $n = sysread $disk, $got, $length - length $got, length $got;
		die "$device: read: $!\n" unless defined $n;
		die "$device: ends before byte @{[$where + $length]}\n" if $n == 0;
	}
	return $got;
}

sub run_dump {
	my ($tree) = @_;
	open my $pipe, '-|', $^X, dirname($0) . '/btrfs-util.pl', 'inspect-internal', 'dump-tree', '-t', $tree, $device
		or die "btrfs: $!\n";
	my @lines = <$pipe>;
	close $pipe or die "btrfs inspect-internal dump-tree -t $tree $device failed\n";
	return @lines;
}

# A test asks a hundred times about a file system that does not change meanwhile, and a dump takes a second or two in
# an emulated guest. The superblock changes with every transaction: while it is the same, so are the trees.
sub dump_tree {
	my ($tree) = @_;
	my $super = unpack 'H*', bytes_at(SUPER, 4096);
	(my $file = "$device.$tree") =~ tr{/}{_};
	$file = ($ENV{TMPDIR} // '/tmp') . "/btrfs-raw.$file";
	if (open my $cache, '<', $file) {
		chomp(my $of = <$cache> // '');
		return <$cache> if $of eq $super;
	}
	my @lines = run_dump($tree);
	if (open my $cache, '>', "$file.$$") {
		print $cache "$super\n", @lines;
		rename "$file.$$", $file if close $cache;
	}
	return @lines;
}

# [logical, length, physical] of every chunk's copy on this device.
my @chunks;
{
	my $devid = unpack 'Q<', bytes_at(SUPER + DEVID, 8);
	my ($chunk, $devid_seen);
	for (dump_tree('chunk')) {
		if (/key \(FIRST_CHUNK_TREE CHUNK_ITEM (\d+)\)/) {
			$chunk = { logical => $1 };
		} elsif (/^\s+item \d+ key/) {
			undef $chunk;
		} elsif ($chunk && /^\s+length (\d+) owner \d+ stripe_len \d+ type (\S+)/) {
			@$chunk{qw(length type)} = ($1, $2);
		} elsif ($chunk && /^\s+stripe \d+ devid (\d+) offset (\d+)/ && $1 == $devid && !$chunk->{done}) {
			die "chunk $chunk->{logical} is striped ($chunk->{type})\n" if $chunk->{type} =~ /RAID0|RAID10|RAID5|RAID6/;
			push @chunks, [$chunk->{logical}, $chunk->{length}, $2];
			$chunk->{done} = 1;
		}
	}
	die "$device: no chunks found\n" unless @chunks;
}

sub physical {
	my ($logical) = @_;
	for (@chunks) {
		my ($start, $length, $there) = @$_;
		return $there + $logical - $start if $logical >= $start && $logical < $start + $length;
	}
	die "no chunk holds logical address $logical\n";
}

if ($what eq 'item') {
	my ($inode, $type, $offset) = @rest;
	my $name = $names{$type} // "UNKNOWN.$type";
	my $wanted = defined $offset ? $offset : '\d+';
	my $leaf;
	for (dump_tree('5')) {
		if (/^leaf (\d+) /) {
			$leaf = $1;
		} elsif (/^\s+item \d+ key \($inode (?:$name|UNKNOWN\.$type) $wanted\) itemoff (\d+) itemsize (\d+)/) {
			print unpack('H*', bytes_at(physical($leaf) + HEADER + $1, $2)), "\n";
			last;
		}
	}
} elsif ($what eq 'sectors') {
	binmode STDOUT;
	print bytes_at(physical($_ * 512), 512) for split /,/, $rest[0];
} else {
	die "$what: neither item nor sectors\n";
}
