#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# What the variants' versions of generic/595 are made of: acts around the removal of a key, and a check of what is
# left of it after the file system was mounted anew. Perl, because a fork an act is what makes shell slow in a guest
# without KVM. Nothing here decides a test: it prints facts, and a test's .out says which facts its semantics promises.
#
#   key-removal.pl act  MNT DIR IDENTIFIER RAWKEY LOG SCENARIO...    RAWKEY as TEST_RAW_KEY: \x00\x01...
#   key-removal.pl check DIR LOG                                     with the key there
#
# Scenarios, each a fixed number of times with files of its own. "Flush" is syncfs without the key, so that nothing
# can wait in the cache for the key to come back, unless it says otherwise.
#   before   write; remove; fsync; flush
#   after    write and fsync; remove; write another block; fsync; flush
#   ranges   write and fsync 1 MiB; overwrite every other block of it; remove; fsync twice; add, then flush with the key
#   open     remove; open a file that nobody has open
#   parked   a write that stops inside the kernel, on a userfaultfd page; remove; let it go on; flush
#   second   the same, and while the removal waits for the write somebody else removes the key, too
#   users    the same, and while the removal waits another user adds the key, and removes it in the end
#   all      the same, and while the removal waits the key is removed for all users
#   race     two writers open, write a block and close; one process removes, flushes and adds, 120 times
use strict;
use warnings;
use Errno qw(EBUSY ECANCELED EIO ENOENT);
use Fcntl qw(O_CREAT O_EXCL O_NONBLOCK O_RDONLY O_RDWR O_WRONLY SEEK_SET);
use IO::Handle;
use POSIX ();
use Time::HiRes ();

use constant { BLOCK => 65536, RACE_BLOCK => 4096, TIMES => 5, PARKS => 2, RACE_REMOVALS => 120,
	       RACE_WRITERS => 2, RACE_ATTEMPTS => 20000, PARK_SECONDS => 2, FAULT_SECONDS => 30, WAITED => -2, ENOKEY => 126,
	       NOBODY => 65534, CLAIM_ONLY => -3 };
# linux/fscrypt.h
use constant { ADD_KEY => 0xc0506617, REMOVE_KEY => 0xc0406618, REMOVE_KEY_ALL_USERS => 0xc0406619,
	       KEY_SPEC_IDENTIFIER => 2, STATUS_FLAG_OTHER_USERS => 2 };
# linux/userfaultfd.h
use constant { UFFDIO_API => 0xc018aa3f, UFFDIO_REGISTER => 0xc020aa00, UFFDIO_COPY => 0xc028aa03 };

my %number = $POSIX::VERSION && (POSIX::uname())[4] eq 'x86_64' ?
	(syncfs => 306, write => 1, mmap => 9, userfaultfd => 323) :
	(syncfs => 267, write => 64, mmap => 222, userfaultfd => 282);	# asm-generic

my ($mnt, $dir, $spec, $raw, $log, $root);

sub fail { die "key-removal.pl: @_\n" }

sub name_of
{
	my ($err) = @_;
	return 'ok' unless $err;
	return 'waited' if $err == WAITED;
	return 'ok, the claim only' if $err == CLAIM_ONLY;
	return 'ENOKEY' if $err == ENOKEY;
	return 'EIO' if $err == EIO;
	return 'EBUSY' if $err == EBUSY;
	return 'ECANCELED' if $err == ECANCELED;
	return "errno $err";
}

sub add_key
{
	my $arg = $spec . pack('L10', length($raw)) . $raw;
	ioctl($root, ADD_KEY, $arg) or fail "FS_IOC_ADD_ENCRYPTION_KEY: $!";
}

sub try_to_remove_key
{
	my ($request) = @_;
	my $arg = $spec . pack('L6', 0);
	ioctl($root, $request // REMOVE_KEY, $arg) or return $! + 0;
	return unpack('x40 L', $arg) & STATUS_FLAG_OTHER_USERS ? CLAIM_ONLY : 0;
}

sub remove_key
{
	my $err = try_to_remove_key();
	fail 'FS_IOC_REMOVE_ENCRYPTION_KEY: ', name_of($err) if $err;
}

# What somebody else does with the key, in a child so that nothing of it stays with this process.
sub as_nobody
{
	my ($act) = @_;
	my $pid = fork() // fail "fork: $!";
	if (!$pid) {
		$> = NOBODY;
		$> == NOBODY or fail "become another user: $!";
		$act->();
		POSIX::_exit(0);
	}
	waitpid($pid, 0);
	return $? == 0;
}

# The error of the flush is the file's, which fsync has told; syncfs tells it once a descriptor.
sub flush { syscall($number{syncfs}, fileno($root)) }

# Contents that no other block of the test has.
sub block
{
	my ($tag, $size) = @_;
	my $line = "$tag\n";
	return substr($line x ($size / length($line) + 1), 0, $size);
}

sub create
{
	my ($name) = @_;
	sysopen(my $fh, "$dir/$name", O_RDWR | O_CREAT | O_EXCL, 0600) or fail "$name: create: $!";
	return $fh;
}

sub write_at
{
	my ($fh, $offset, $data) = @_;
	sysseek($fh, $offset, SEEK_SET) // fail "seek: $!";
	my $n = syswrite($fh, $data);
	return defined $n ? ($n == length($data) ? 0 : -1) : $! + 0;
}

sub fsync { my ($fh) = @_; return $fh->sync ? 0 : $! + 0 }

# One line a block that must be there: class, file, offset, size, tag, and 1 if the kernel said yes.
sub note { print {$log} join(' ', @_), "\n" }

sub tally
{
	my ($what, @errs) = @_;
	my %n;
	$n{name_of($_)}++ for @errs;
	print "$what: ", join(', ', map { "$_ $n{$_}" } sort keys %n), "\n";
}

sub before
{
	my (@write, @fsync);
	for my $i (1 .. TIMES) {
		my $fh = create("before.$i");
		push @write, write_at($fh, 0, block("before.$i", BLOCK));
		remove_key();
		push @fsync, fsync($fh);
		flush();
		close($fh);
		# A loss that was told is another thing than a silent one.
		note($fsync[-1] == ENOKEY ? 'before-told' : 'before', "before.$i", 0, BLOCK, "before.$i",
		     $write[-1] ? 0 : 1);
		add_key();
	}
	tally('write before the removal', @write);
	print {*STDERR} "fsync of what was written before the removal: @fsync\n";
}

sub after
{
	my (@write, @fsync);
	for my $i (1 .. TIMES) {
		my $fh = create("after.$i");
		write_at($fh, 0, block("synced.$i", BLOCK)) and fail "write with the key: $!";
		fsync($fh) and fail "fsync with the key: $!";
		note('synced', "after.$i", 0, BLOCK, "synced.$i", 1);
		remove_key();
		push @write, write_at($fh, BLOCK, block("after.$i", BLOCK));
		push @fsync, fsync($fh);
		flush();
		close($fh);
		note('after', "after.$i", BLOCK, BLOCK, "after.$i", $write[-1] ? 0 : 1);
		add_key();
	}
	tally('write after the removal', @write);
	tally('fsync after it', @fsync);
}

# Many pieces of dirty data, some of them in the same folio: they share one fate.
sub ranges
{
	my (@first, @second);
	for my $i (1 .. TIMES) {
		my $fh = create("ranges.$i");
		write_at($fh, 0, block("old.$i", 16 * BLOCK)) and fail "write with the key: $!";
		fsync($fh) and fail "fsync with the key: $!";
		for (my $at = 0; $at < 16 * BLOCK; $at += 2 * RACE_BLOCK) {
			my $err = write_at($fh, $at, block("ranges.$i.$at", RACE_BLOCK));
			note('ranges', "ranges.$i", $at, RACE_BLOCK, "ranges.$i.$at", $err ? 0 : 1);
		}
		remove_key();
		push @first, fsync($fh);
		push @second, fsync($fh);
		add_key();
		flush();
		close($fh);
	}
	tally('fsync of many ranges after the removal', @first);
	tally('fsync once more', @second);
}

sub opened
{
	my @open;
	for my $i (1 .. TIMES) {
		my $fh = create("open.$i");
		write_at($fh, 0, block("open.$i", BLOCK)) and fail "write with the key: $!";
		fsync($fh) and fail "fsync with the key: $!";
		close($fh);
		note('synced', "open.$i", 0, BLOCK, "open.$i", 1);
		remove_key();
		my $err = sysopen($fh, "$dir/open.$i", O_RDONLY) ? 0 : $! + 0;
		# Without the key the plaintext name may not even be found.
		push @open, $err == ENOENT ? ENOKEY : $err;
		add_key();
	}
	tally('open after the removal', @open);
}

# True if the child ended within PARK_SECONDS.
sub ended
{
	my ($pid) = @_;
	my $until = Time::HiRes::time() + PARK_SECONDS;
	while (Time::HiRes::time() < $until) {
		return 1 if waitpid($pid, POSIX::WNOHANG()) == $pid;
		Time::HiRes::sleep(0.01);
	}
	return 0;
}

# What is done with the key while its removal waits for a write. A child of the driver does it: one that waits as well
# must not keep the write from going on.
my %meanwhile = (
	second => sub { try_to_remove_key() },
	users => sub { add_key_as_nobody() },
	all => sub { try_to_remove_key(REMOVE_KEY_ALL_USERS) },
);

sub add_key_as_nobody { return as_nobody(\&add_key) ? 0 : -1 }

# The driver of a parked write: a child, since this process is the one that stops. It tells $answer, a line each, how
# the removal ended and how what was done meanwhile did, or WAITED if that did not end before the write went on.
sub drive
{
	my ($uffd, $area, $data, $name, $answer) = @_;
	# A write that is refused before its page is read never gets there. Only O_NONBLOCK makes a userfaultfd tell.
	my $ready = '';
	vec($ready, fileno($uffd), 1) = 1;
	select($ready, undef, undef, FAULT_SECONDS) == 1 or POSIX::_exit(2);
	sysread($uffd, my $msg, 32) == 32 or POSIX::_exit(2);
	my $remover = fork() // POSIX::_exit(2);
	if (!$remover) {
		print {$answer} 'removal ', try_to_remove_key(), "\n";
		POSIX::_exit(0);
	}
	my $done = ended($remover);
	print {*STDERR} 'parked: the removal ', $done ? 'returned' : 'waited', "\n";
	my $other;
	if ($meanwhile{$name} && !$done) {
		$other = fork() // POSIX::_exit(2);
		if (!$other) {
			print {$answer} 'meanwhile ', $meanwhile{$name}->(), "\n";
			POSIX::_exit(0);
		}
		if (ended($other)) {
			undef $other;
		} else {
			print {$answer} 'meanwhile ', WAITED, "\n";
		}
	}
	my $copy = pack('Q4q', $area, unpack('Q', pack('P', $data)), BLOCK, 0, 0);
	ioctl($uffd, UFFDIO_COPY, $copy) or POSIX::_exit(3);
	waitpid($other, 0) if $other;
	waitpid($remover, 0) unless $done;
	my $ok = $? == 0;
	# Whoever added the key has it until they remove it, too.
	$ok &&= as_nobody(\&remove_key) if $name eq 'users' && !$done;
	POSIX::_exit($ok ? 0 : 4);
}

sub parked
{
	my ($name) = @_;
	my $happened = 0;
	my (@write, %told);
	for my $i (1 .. PARKS) {
		my $fh = create("$name.$i");
		fsync($fh);
		my $data = block("$name.$i", BLOCK);
		pipe(my $told, my $answer) or fail "pipe: $!";
		$answer->autoflush(1);
		# PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS
		my $area = syscall($number{mmap}, 0, BLOCK, 3, 0x22, -1, 0);
		my $fd = syscall($number{userfaultfd}, O_NONBLOCK);
		$fd >= 0 or fail "userfaultfd: $!";
		open(my $uffd, '+<&=', $fd) or fail "userfaultfd: $!";
		my $api = pack('Q3', 0xaa, 0, 0);
		ioctl($uffd, UFFDIO_API, $api) or fail "UFFDIO_API: $!";
		my $register = pack('Q4', $area, BLOCK, 1, 0);
		ioctl($uffd, UFFDIO_REGISTER, $register) or fail "UFFDIO_REGISTER: $!";
		my $driver = fork() // fail "fork: $!";
		drive($uffd, $area, $data, $name, $answer) unless $driver;
		close($answer);
		my $n = syscall($number{write}, fileno($fh), $area, BLOCK);
		push @write, $n == BLOCK ? 0 : $n < 0 ? $! + 0 : -1;
		waitpid($driver, 0);
		$happened++ if $? == 0;
		while (<$told>) {
			my ($what, $err) = split;
			push @{$told{$what}}, $err + 0;
		}
		flush();
		close($fh);
		note($name, "$name.$i", 0, BLOCK, "$name.$i", $write[-1] ? 0 : 1);
		add_key();
	}
	print 'a write was stopped in the kernel: ', $happened == PARKS ? 'yes' : 'no', "\n";
	tally('write that was stopped', @write);
	tally('removal that met the write', @{$told{removal} // []});
	tally('removal while another waits for the write', @{$told{meanwhile} // []}) if $name eq 'second';
	tally('another user adds the key meanwhile', @{$told{meanwhile} // []}) if $name eq 'users';
	tally('removal for all users meanwhile', @{$told{meanwhile} // []}) if $name eq 'all';
}

sub race_writer
{
	my ($name, $w, $stop) = @_;
	my ($acknowledged, $refused) = (0, 0);
	open(my $mine, '>', "$name.$w") or POSIX::_exit(1);
	$log = $mine;
	for (my $i = 0; $i < RACE_ATTEMPTS && !-e $stop; $i++) {
		my $fh;
		my $ok = sysopen($fh, "$dir/race.$w", O_WRONLY) &&
			!write_at($fh, $i * RACE_BLOCK, block("race.$w.$i", RACE_BLOCK));
		$ok = close($fh) && $ok if $fh;
		if ($ok) {
			note('race', "race.$w", $i * RACE_BLOCK, RACE_BLOCK, "race.$w.$i", 1);
			$acknowledged++;
		} else {
			$refused++;
		}
		# Lets the file be evicted now and then.
		Time::HiRes::sleep(0.001) if $i % 16 == 0;
	}
	close($log);
	POSIX::_exit($acknowledged && $refused ? 0 : 1);
}

sub race
{
	my ($name) = @_;
	my $stop = "$name.stop";
	my $met = 1;
	my @writers;
	for my $w (1 .. RACE_WRITERS) {
		close(create("race.$w"));
		my $pid = fork() // fail "fork: $!";
		race_writer($name, $w, $stop) unless $pid;
		push @writers, $pid;
	}
	for (1 .. RACE_REMOVALS) {
		Time::HiRes::sleep(0.005);
		remove_key();
		flush();
		Time::HiRes::sleep(0.001);
		add_key();
	}
	open(my $fh, '>', $stop) or fail "$stop: $!";
	for (@writers) {
		waitpid($_, 0);
		$met = 0 if $?;
	}
	print 'each writer was both served and refused: ', $met ? 'yes' : 'no', "\n";
	unlink($stop);
}

sub check
{
	my ($name) = @_;
	my (%all, %kept);
	for my $file ($name, glob("$name.*")) {
		open(my $in, '<', $file) or fail "$file: $!";
		while (<$in>) {
			my ($class, $path, $offset, $size, $tag, $acknowledged) = split;
			next unless $acknowledged;
			$all{$class}++;
			my $found = '';
			if (sysopen(my $fh, "$dir/$path", O_RDONLY)) {
				sysseek($fh, $offset, SEEK_SET);
				sysread($fh, $found, $size) // print {*STDERR} "$path: read: $!\n";
			} else {
				print {*STDERR} "$path: open: $!\n";
			}
			$kept{$class} += $found eq block($tag, $size) ? 1 : 0;
		}
	}
	for my $class (sort keys %all) {
		my $lost = $all{$class} - $kept{$class};
		print {*STDERR} "$class: $lost of $all{$class} acknowledged lost\n";
		print "$class: ", !$lost ? 'all kept' : $lost == $all{$class} ? 'all lost' : 'some lost', "\n";
	}
}

my $command = shift // '';
STDOUT->autoflush(1);
if ($command eq 'act' && @ARGV > 5) {
	my ($identifier, $key, $name);
	($mnt, $dir, $identifier, $key, $name, my @scenarios) = @ARGV;
	$spec = pack('L2 H64', KEY_SPEC_IDENTIFIER, 0, $identifier);
	($raw = $key) =~ s/\\x([0-9a-f]{2})/chr(hex($1))/gei;
	open($root, '<', $mnt) or fail "$mnt: $!";
	open($log, '>', $name) or fail "$name: $!";
	# What is buffered would be written again by children.
	$log->autoflush(1);
	my %scenario = (before => \&before, after => \&after, ranges => \&ranges, open => \&opened, parked => sub { parked('parked') },
			second => sub { parked('second') }, users => sub { parked('users') }, all => sub { parked('all') }, race => sub { race($name) });
	add_key();
	($scenario{$_} // fail "no scenario $_")->() for @scenarios;
	close($log);
} elsif ($command eq 'check' && @ARGV == 2) {
	$dir = $ARGV[0];
	check($ARGV[1]);
} else {
	fail 'usage: act MNT DIR IDENTIFIER RAWKEY LOG SCENARIO... | check DIR LOG';
}
